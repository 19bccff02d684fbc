"""Do personas answer like people of their country? Distances between answer distributions, with intervals."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, Measurement, ResponseRow, derive_rng
from personae.instruments import SurveyItem
from personae.measures._make import Maker
from personae.statistics import DISTANCES, Estimate, bootstrap_interval, scale_distances

_LABELS: Final = {
    "ks": ("KS distance", "difference of cumulative shares"),
    "wasserstein": ("Wasserstein-1 distance", "scale points"),
    "js_divergence": ("Jensen–Shannon divergence", "bits"),
    "js_distance": ("Jensen–Shannon distance", "root of bits"),
    "mean_difference": ("Difference of means", "scale points"),
}
_USED: Final = frozenset({"ok", "zero_variance"})


@dataclass(frozen=True, slots=True)
class HumanAnswers:
    """Counts of people's answers to one item, in the order of its categories."""

    counts: NDArray[np.float64]
    missing: int

    @property
    def n(self) -> int:
        """Answers that count."""
        return int(self.counts.sum())


def read_humans(path: Path, items: Sequence[SurveyItem]) -> tuple[dict[str, HumanAnswers], dict[str, str]]:
    """Human answers from a CSV file with a header.

    Returns:
        Answers by item, and why the other items have none.

    Raises:
        InputError: the file cannot be read, or has none of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"cannot read {str(path)!r}: {error}.", hint="Give a CSV file in UTF-8 with a header."
        ) from error
    header = set(rows[0]) if rows else set[str]()
    found: dict[str, HumanAnswers] = {}
    without: dict[str, str] = {}
    for item in items:
        if item.human is None or item.human.column not in header:
            without[item.id] = "no column named" if item.human is None else f"no column {item.human.column!r}"
            continue
        counts = np.zeros(len(item.categories))
        missing = 0
        for row in rows:
            category = _category(row.get(item.human.column) or "", item)
            if category is None:
                missing += 1
            else:
                counts[item.categories.index(category)] += 1
        if counts.sum() == 0:
            without[item.id] = f"column {item.human.column!r} holds no known value"
        else:
            found[item.id] = HumanAnswers(counts, missing)
    if not found:
        raise InputError(
            f"{str(path)!r} has none of the columns {sorted(i.human.column for i in items if i.human)}.",
            hint="Map them in the file of items.",
        )
    return found, without


def citizen_measurements(
    responses: Sequence[ResponseRow],
    items: Sequence[SurveyItem],
    humans: Mapping[str, HumanAnswers],
    *,
    deep: str,
    controls: Sequence[str],
    model: str,
    seed: int,
    draws: int = 500,
) -> list[Measurement]:
    """Distance of each condition to people, per item and averaged, and how much nearer personas come than controls.

    Args:
        responses: answers by option scoring; a condition's distribution is the mean of its respondents' probabilities.
        items: what was asked.
        humans: answers of people, by item; taken as given (they are many).
        deep: label of the condition with personas; its interval redraws personas.
        controls: labels of conditions that answer once; they have no interval.
        model: who answered.
        seed: of the bootstrap.
        draws: resamples.

    Returns:
        A negative difference says that personas are nearer to people than the control; a positive one, farther.
    """
    make = Maker(model, seed)
    used = [item for item in items if item.id in humans]
    tables = {c: _tables(responses, used, c) for c in (deep, *controls)}
    people = len(next(iter(tables[deep].values()), ()))
    out: list[Measurement] = []
    for distance in DISTANCES:
        label, unit = _LABELS[distance]
        fixed = {c: _mean_distance(tables[c], used, humans, distance, None) for c in controls}
        out += [_control(make, distance, c, value) for c, value in fixed.items()]
        if not people:
            continue
        told = f"citizen.{distance}.{deep}"
        jobs = [(told, f"{label} to people, {deep}", used, 0.0)]
        jobs += [
            (f"{told}_minus_{c}", f"{label} to people: {deep} minus {c}", used, value)
            for c, value in fixed.items()
            if value is not None
        ]
        jobs += [(f"{told}.{i.id}", f"{label} to people, {deep}: {i.topic}", [i], 0.0) for i in used]
        out += [
            _estimate(make, name, words, tables[deep], chosen, humans, distance, minus, unit, draws)
            for name, words, chosen, minus in jobs
        ]
    return out


def _control(make: Maker, distance: str, condition: str, value: float | None) -> Measurement:
    label, unit = _LABELS[distance]
    reason = "one answer distribution without a person: nothing to redraw" if value is not None else "no answers"
    return make.number(
        f"citizen.{distance}.{condition}", f"{label} to people, {condition}", value, unit=unit,
        n=0 if value is None else 1, method=_METHOD, reason=reason, direction="lower is better", condition=condition,
        control=True,
    )  # fmt: skip


_METHOD: Final = "option scores against category frequencies, mean over items"


def _estimate(
    make: Maker, name: str, label: str, tables: Mapping[str, NDArray[np.float64]], items: Sequence[SurveyItem],
    humans: Mapping[str, HumanAnswers], distance: str, minus: float, unit: str, draws: int,
) -> Measurement:  # fmt: skip
    people = len(tables[items[0].id])

    def value(rows: NDArray[np.intp]) -> float:
        found = _mean_distance(tables, items, humans, distance, rows)
        return float("nan") if found is None else found - minus

    found: Estimate = bootstrap_interval(value, people, rng=derive_rng(make.seed, name), draws=draws)
    return make.estimate(
        name, label, found, unit=unit, direction="lower is better", method=f"{_METHOD}; personas redrawn",
        note=f"{len(items)} item(s), {sum(humans[i.id].n for i in items)} human answers",
    )  # fmt: skip


def _mean_distance(
    tables: Mapping[str, NDArray[np.float64]], items: Sequence[SurveyItem], humans: Mapping[str, HumanAnswers],
    distance: str, rows: NDArray[np.intp] | None,
) -> float | None:  # fmt: skip
    found: list[float] = []
    for item in items:
        table = tables.get(item.id)
        if table is None or not len(table):
            return None
        answers = (table if rows is None else table[rows]).sum(axis=0)
        found.append(float(getattr(scale_distances(answers, humans[item.id].counts, item.categories), distance)))
    return float(np.mean(found)) if found else None


def _tables(
    responses: Sequence[ResponseRow], items: Sequence[SurveyItem], condition: str
) -> dict[str, NDArray[np.float64]]:
    """Per item, probabilities of the categories, shape (respondents who answered every item, categories)."""
    given: dict[str, dict[str, tuple[float, ...]]] = {}
    for row in responses:
        if row.condition == condition and row.status in _USED and row.probabilities:
            given.setdefault(row.persona_id or row.actor, {})[row.item] = row.probabilities
    whole = [answers for _, answers in sorted(given.items()) if all(i.id in answers for i in items)]
    out: dict[str, NDArray[np.float64]] = {}
    for item in items:
        table = np.zeros((len(whole), len(item.categories)))
        for r, answers in enumerate(whole):
            for k, p in enumerate(answers[item.id]):
                table[r, item.columns[k]] += p
        out[item.id] = table
    return out


def _category(text: str, item: SurveyItem) -> float | None:
    recode = item.human.recode if item.human else {}
    word = text.strip()
    try:
        number = float(word)
    except ValueError:
        number = None
    if recode:
        if word in recode:
            return recode[word]
        same = (v for k, v in recode.items() if number is not None and _number(k) == number)
        return next(same, None)
    return number if number in item.categories else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
