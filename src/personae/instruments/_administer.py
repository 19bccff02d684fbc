"""Administration by option scoring: how likely is each answer, and what is the expected one.

For item i and option k the model gives l_ik = log p(option text | actor, instructions, item), summed over all tokens of
the text. With `pmi` the same options are also scored once per option order in an empty context, b_k, and the answer
distribution is softmax_k(l_ik − b_k): pointwise mutual information, which takes out how likely a text is anyway, its
length included. That is the length normalisation; the others of `personae.models.Normalisation` are there to compare.
The answer is the expected value over the distribution, never its arg-max.

The empty context has three dots for an item. With `baseline="actor"` it keeps the actor's own system text, so that what
an actor answers to no question at all (a taste for one end of the scale, which personas differ in) is taken out too;
with `baseline="nobody"` it holds no persona either, and that taste stays in the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import Actor, CapabilityError, InputError, Instrument, Item, ReplyError, ResponseRow
from personae.instruments._layout import (
    Baseline,
    Order,
    PlannedScore,
    Rotation,
    choose_items,
    plan_scores,
)
from personae.instruments._scoring import response_row
from personae.models import Capability, Model, Normalisation, OptionScores, option_probabilities

Array = NDArray[np.float64]

FLAT_SHARE: Final = 0.01
"""Expected values of all items within this share of the response scale count as no variance."""
ONE_OPTION: Final = 0.95
"""One option that holds at least this probability in every item counts as no variance."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Scores of one item under one option order."""

    order: Order
    logprobs: Array
    probabilities: Array | None
    approximate: bool
    call: str


async def administer(
    actor: Actor,
    instrument: Instrument,
    *,
    rotation: Rotation = "balanced",
    normalisation: Normalisation = "pmi",
    baseline: Baseline = "actor",
    seed: int = 0,
    unit: str | None = None,
    items: Sequence[str] | None = None,
) -> list[ResponseRow]:
    """Ask an actor every item and read the likelihood of every answer. One call, one group, one canonical shape.

    Args:
        actor: who answers; needs a model that can score options.
        instrument: what is asked.
        rotation: order in which the prompt lists the options: `balanced` (half the items under each order), `full`
            (every item under both, probabilities averaged) or `none` (ascending).
        normalisation: what options are compared by; `pmi` subtracts what they get in an empty context.
        baseline: the empty context: the actor without an item, or nobody without an item.
        seed: decides the balanced split.
        unit: key of the unit of work; by default made from actor, condition and instrument.
        items: ids of the items to ask; None = all.

    Returns:
        One row per item, in the instrument's order. `logprobs` are raw sums per option (averaged over orders with
        `full`), `probabilities` the answer distribution, both in the order of `instrument.options`; `value` is the
        expected value before keying, `keyed` after. Status: `ok`; `zero_variance` on all rows when the actor answers
        every item alike (the values stay in the rows); `failed` without a value when no probability could be computed.

    Raises:
        CapabilityError: no model, or one that cannot score options.
        ReplyError: the model returned another number of scores than asked.
        ModelError: the call failed; nothing is retried here.
    """
    model = scoring_model(actor)
    unit = unit or unit_key(actor, instrument)
    plan = plan_scores(
        actor, instrument, rotation=rotation, pmi=normalisation == "pmi", baseline=baseline, seed=seed, unit=unit,
        items=items,
    )  # fmt: skip
    async with model.session(unit):
        scores = await model.score_options([p.request for p in plan])
    _check_shape(plan, scores, model)
    answers = _answers(plan, scores, normalisation)
    values = np.array([o.value for o in instrument.options])
    rows = [
        _row(actor, instrument, item, answers[item.id], values, unit=unit, seed=seed)
        for item in choose_items(instrument, items)
    ]
    return _with_variance(rows, instrument)


def unit_key(actor: Actor, instrument: Instrument) -> str:
    """Stable key of one actor × condition × instrument."""
    who = actor.persona.id if actor.persona is not None else actor.name
    return f"inventory/{instrument.name}/{actor.condition}/{who}"


def show_prompt(
    actor: Actor,
    instrument: Instrument,
    item: str | None = None,
    *,
    rotation: Rotation = "balanced",
    seed: int = 0,
) -> str:
    """What the model really gets for one item (the first by default), as the model shows its prompts.

    Raises:
        InputError: the actor has no model.
        UnknownKeyError: no such item.
    """
    if actor.model is None:
        raise InputError(f"{actor.name!r} has no model, so there is no prompt.", hint="Pass an actor on a model.")
    chosen = item if item is not None else instrument.items[0].id
    choose_items(instrument, [chosen])
    # The whole instrument is planned, so that the item stands under the order it really gets.
    plan = plan_scores(actor, instrument, rotation=rotation, pmi=False, seed=seed)
    planned = next(p for p in plan if p.item is not None and p.item.id == chosen)
    return actor.model.show_prompt(planned.request)


def scoring_model(actor: Actor) -> Model:
    """The actor's model, if it can score options.

    Raises:
        CapabilityError: there is none, or it cannot.
    """
    hint = "Use administer_free_text, which reads answers from generated text."
    if actor.model is None:
        raise CapabilityError(f"{actor.name!r} has no model whose options could be scored.", hint=hint)
    if Capability.SCORE not in actor.model.capabilities:
        offered = ", ".join(sorted(actor.model.capabilities)) or "nothing"
        raise CapabilityError(f"{actor.model.reference!r} cannot score options; it offers: {offered}.", hint=hint)
    return actor.model


def _check_shape(plan: Sequence[PlannedScore], scores: Sequence[OptionScores], model: Model) -> None:
    wrong = [s for p, s in zip(plan, scores, strict=False) if len(s.logprobs) != len(p.request.options)]
    if len(scores) != len(plan) or wrong:
        raise ReplyError(
            f"{model.reference!r} returned {len(scores)} scores for {len(plan)} requests "
            f"({len(wrong)} of them with another number of options than asked).",
            hint="The endpoint does not do what score_options promises.",
        )


def _answers(
    plan: Sequence[PlannedScore], scores: Sequence[OptionScores], normalisation: Normalisation
) -> dict[str, list[_Answer]]:
    baselines: dict[Order, OptionScores] = {}
    out: dict[str, list[_Answer]] = {}
    for planned, score in zip(plan, scores, strict=True):
        if planned.item is None:
            baselines[planned.order] = score
            continue
        logprobs = np.array(score.logprobs, dtype=np.float64)
        probabilities = option_probabilities(score, normalisation, empty=baselines.get(planned.order))
        out.setdefault(planned.item.id, []).append(
            _Answer(planned.order, logprobs, probabilities, score.approximate, score.call)
        )
    return out


def _row(
    actor: Actor,
    instrument: Instrument,
    item: Item,
    answers: Sequence[_Answer],
    values: Array,
    *,
    unit: str,
    seed: int,
) -> ResponseRow:
    known = [a.probabilities for a in answers if a.probabilities is not None]
    usable = len(known) == len(answers)
    probabilities = np.mean(known, axis=0) if usable else np.empty(0)
    value = float(probabilities @ values) if usable else None
    finite = all(np.isfinite(a.logprobs).all() for a in answers)
    logprobs = np.mean([a.logprobs for a in answers], axis=0) if finite else np.empty(0)
    return response_row(
        actor,
        instrument,
        item,
        value,
        unit=unit,
        seed=seed,
        orders=[a.order for a in answers],
        method="score",
        status="ok" if usable else "failed",
        call=answers[0].call,
        probabilities=tuple(float(p) for p in probabilities),
        logprobs=tuple(float(x) for x in logprobs),
        approximate=any(a.approximate for a in answers),
    )


def _with_variance(rows: list[ResponseRow], instrument: Instrument) -> list[ResponseRow]:
    """Mark the rows of an actor that answers every item alike. One item alone cannot show that."""
    answered = [r for r in rows if r.status == "ok" and r.value is not None]
    if len(answered) < 2:
        return rows
    values = np.array([r.value for r in answered])
    table = np.array([r.probabilities for r in answered])  # shape (items, options)
    flat = float(values.max() - values.min()) < FLAT_SHARE * (instrument.high - instrument.low)
    stuck = bool((table.min(axis=0) >= ONE_OPTION).any())
    if not (flat or stuck):
        return rows
    return [r.model_copy(update={"status": "zero_variance"}) if r.status == "ok" else r for r in rows]
