"""Score answers: keying, reverse items, missing answers, T-scores, reliability."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.core import (
    Actor,
    InputError,
    Instrument,
    Item,
    Norms,
    ResponseRow,
    ResponseStatus,
    UnknownKeyError,
    derive_rng,
)

if TYPE_CHECKING:
    from personae.statistics import Estimate

Answers = Mapping[str, float | None]
"""Item id -> value on the response scale before keying; None = missing."""

MIN_ANSWERED: Final = 0.8


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """Score of one scale: mean of its keyed answered items, or None with a reason."""

    scale: str
    name: str
    value: float | None
    answered: int
    items: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ScaleReliability:
    """Internal consistency of one scale. A value that could not be computed is NaN, with the reason inside.

    `alpha.n` and `omega.n` count the people with complete answers, `.missing` those left out.
    """

    scale: str
    name: str
    items: int
    alpha: Estimate | None
    """None for a scale of one item"""
    omega: Estimate | None
    """None for a scale of fewer than three items"""


def keyed(instrument: Instrument, item: Item, value: float) -> float:
    """`value` in the direction of the scale: itself, or low + high − value for a reversed item."""
    return value if item.key == 1 else instrument.low + instrument.high - value


def response_row(
    actor: Actor,
    instrument: Instrument,
    item: Item,
    value: float | None,
    *,
    unit: str,
    seed: int,
    orders: Sequence[str],
    method: Literal["score", "free_text"],
    status: ResponseStatus,
    call: str,
    **more: Any,
) -> ResponseRow:
    """One answer as evidence, keyed.

    Args:
        actor: who answered, on a model.
        instrument: what was asked.
        item: the item.
        value: before keying; None when there is none.
        unit: key of the unit of work.
        seed: that the unit's draws derive from.
        orders: option orders shown.
        method: how the answer was read.
        status: whether it counts.
        call: of the first call, '' when nothing recorded it.
        more: the method's own columns.
    """
    return ResponseRow(
        unit=unit,
        persona_id=actor.persona.id if actor.persona is not None else None,
        actor=actor.name,
        condition=actor.condition,
        condition_hash=actor.condition_hash,
        instrument=instrument.name,
        item=item.id,
        scale=item.scale,
        key=item.key,
        order=orders[0] if len(orders) == 1 else "both",
        method=method,
        status=status,
        value=value,
        keyed=None if value is None else keyed(instrument, item, value),
        model="" if actor.model is None else actor.model.reference,
        seed=seed,
        call=call or None,
        **more,
    )


def score_responses(
    instrument: Instrument, answers: Answers, *, min_answered: float = MIN_ANSWERED
) -> dict[str, ScaleScore]:
    """Scale scores of one respondent.

    Args:
        instrument: what was answered.
        answers: item id -> value on the response scale, before keying; None or absent = missing.
        min_answered: smallest share of a scale's items that must be answered, in (0, 1]. Missing items are left out
            of the mean (the person's own mean of the answered items stands in for them).

    Returns:
        One score per scale code, in the unit of the response scale.

    Raises:
        UnknownKeyError: an answer to an item the instrument does not have.
        InputError: a value off the response scale, or a share outside (0, 1].
    """
    if not 0 < min_answered <= 1:
        raise InputError(f"score_responses: min_answered={min_answered!r}.", hint="A share above 0, at most 1.")
    _check(instrument, answers)
    sums = dict.fromkeys(instrument.scales, 0.0)
    counts = dict.fromkeys(instrument.scales, 0)
    items = dict.fromkeys(instrument.scales, 0)
    for item in instrument.items:
        items[item.scale] += 1
        value = answers.get(item.id)
        if value is not None:
            sums[item.scale] += keyed(instrument, item, value)
            counts[item.scale] += 1
    out: dict[str, ScaleScore] = {}
    for code, name in instrument.scales.items():
        given, asked = counts[code], items[code]
        if given and given / asked >= min_answered:
            out[code] = ScaleScore(code, name, sums[code] / given, given, asked)
        else:
            reason = f"{given} of {asked} items answered, fewer than the share {min_answered:g}"
            out[code] = ScaleScore(code, name, None, given, asked, reason if asked else "the scale has no items")
    return out


def facet_scores(
    instrument: Instrument, answers: Answers, *, min_answered: float = MIN_ANSWERED
) -> dict[str, ScaleScore]:
    """Scores of the facets of an instrument, as `score_responses` makes those of its scales.

    Returns:
        One score per facet, keyed by its name; `scale` is the code of the scale it belongs to.

    Raises:
        UnknownKeyError, InputError: as `score_responses`.
    """
    out: dict[str, ScaleScore] = {}
    for facet in dict.fromkeys(i.facet for i in instrument.items if i.facet is not None):
        items = tuple(i for i in instrument.items if i.facet == facet)
        own = instrument.model_copy(update={"items": items})
        known = {i.id for i in items}
        score = score_responses(own, {k: v for k, v in answers.items() if k in known}, min_answered=min_answered)
        code = items[0].scale
        out[facet] = replace(score[code], name=facet)
    _check(instrument, answers)
    return out


def centred(instrument: Instrument, answers: Answers, scores: Mapping[str, ScaleScore]) -> dict[str, float | None]:
    """Scale scores minus the person's own mean over all keyed answers: what matters more to them, and what less.

    Source: Schwartz 2003, scoring of the PVQ (corrects for the use of the scale). NaN-free: None where the score is.
    """
    values = [keyed(instrument, i, v) for i in instrument.items if (v := answers.get(i.id)) is not None]
    mean = sum(values) / len(values) if values else 0.0
    return {code: None if s.value is None else s.value - mean for code, s in scores.items()}


def t_scores(
    instrument: Instrument, scores: Mapping[str, ScaleScore], norms: str | Norms | None = None
) -> dict[str, float | None]:
    """T-scores (mean 50, sd 10 in the reference sample) of scale scores.

    Args:
        instrument: where `scores` come from.
        scores: what `score_responses` returned.
        norms: the reference sample, by name or itself; by default the first of the instrument.

    Returns:
        T-score per scale code; None where the score is missing or the sample has no norm for the scale.

    Raises:
        InputError: the instrument has no norms, or none of that name.
    """
    chosen = norms if isinstance(norms, Norms) else _norms(instrument, norms)
    out: dict[str, float | None] = {}
    for code, score in scores.items():
        norm = chosen.scales.get(code)
        out[code] = None if score.value is None or norm is None else 50 + 10 * (score.value - norm.mean) / norm.sd
    return out


def answers_of(rows: Sequence[ResponseRow], *, accept: Collection[ResponseStatus] = ("ok",)) -> dict[str, float | None]:
    """The answers of one respondent from evidence rows.

    Args:
        rows: rows of one actor under one condition, at most one per item.
        accept: statuses whose value counts; everything else is missing. A respondent without variance is missing by
            default: add `zero_variance` to keep it.

    Raises:
        InputError: two rows for one item: rows of several actors or conditions were mixed.
    """
    out: dict[str, float | None] = {}
    for row in rows:
        if row.item in out:
            raise InputError(
                f"answers_of: item {row.item!r} is answered twice.",
                hint="Pass the rows of one actor and one condition.",
            )
        out[row.item] = row.value if row.status in accept else None
    return out


def reliability(
    instrument: Instrument, respondents: Sequence[Answers], *, seed: int | None = None
) -> dict[str, ScaleReliability]:
    """Cronbach's alpha and McDonald's omega (total, one factor) of every scale over the people who answered all of it.

    Args:
        instrument: what was answered.
        respondents: answers of each person, before keying.
        seed: draws omega's interval (a bootstrap over people); None: omega comes without one, and says so.
    """
    from personae.statistics import cronbach_alpha, mcdonald_omega

    for answers in respondents:
        _check(instrument, answers)
    out: dict[str, ScaleReliability] = {}
    for code, name in instrument.scales.items():
        matrix = item_matrix(instrument, code, respondents)
        items = int(matrix.shape[1])
        rng = None if seed is None else derive_rng(seed, "reliability", instrument.name, code)
        alpha = cronbach_alpha(matrix) if items >= 2 else None
        omega = mcdonald_omega(matrix, rng=rng) if items >= 3 else None
        out[code] = ScaleReliability(code, name, items, alpha, omega)
    return out


def item_matrix(instrument: Instrument, scale: str, respondents: Sequence[Answers]) -> NDArray[np.float64]:
    """Keyed answers to the items of a scale; shape (persons, items of the scale); NaN = missing."""
    items = [i for i in instrument.items if i.scale == scale]
    values = [[_keyed_or_nan(instrument, i, answers.get(i.id)) for i in items] for answers in respondents]
    return np.array(values, dtype=np.float64).reshape(len(respondents), len(items))


def _keyed_or_nan(instrument: Instrument, item: Item, value: float | None) -> float:
    return math.nan if value is None else keyed(instrument, item, value)


def _norms(instrument: Instrument, sample: str | None) -> Norms:
    if not instrument.norms:
        raise InputError(f"Instrument {instrument.name!r} has no norms.", hint="Pass a Norms value of your own.")
    if sample is None:
        return instrument.norms[0]
    for norms in instrument.norms:
        if norms.sample == sample:
            return norms
    known = ", ".join(repr(n.sample) for n in instrument.norms)
    raise InputError(f"Instrument {instrument.name!r} has no norms for {sample!r}.", hint=f"It has: {known}.")


def _check(instrument: Instrument, answers: Answers) -> None:
    known = {i.id for i in instrument.items}
    low, high = instrument.low, instrument.high
    for item, value in answers.items():
        if item not in known:
            raise UnknownKeyError.of(item, known, where=f"answers to {instrument.name!r}")
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise InputError(
                f"The answer to {instrument.name!r} item {item!r} is {value!r}, expected {low:g} to {high:g}.",
                hint="Give values before keying; a missing answer is None.",
            )
