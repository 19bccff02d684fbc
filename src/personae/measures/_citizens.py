"""Do personas answer like people of their country? Distances between answer distributions, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import Measurement, ResponseRow, derive_rng
from personae.instruments import SurveyItem
from personae.measures._human_answers import HumanAnswers
from personae.measures._make import Maker
from personae.statistics import DISTANCES, Estimate, Interval, bootstrap_interval, scale_distances

Tables = Mapping[str, NDArray[np.float64]]
"""item → probabilities of its categories, shape (respondents, categories)"""

_LABELS: Final = {
    "ks": ("KS distance", "difference of cumulative shares"),
    "wasserstein": ("Wasserstein-1 distance", "scale points"),
    "js_divergence": ("Jensen–Shannon divergence", "bits"),
    "js_distance": ("Jensen–Shannon distance", "root of bits"),
    "mean_difference": ("Difference of means", "scale points"),
}
_USED: Final = frozenset({"ok", "zero_variance"})
_METHOD: Final = "option scores against category frequencies, mean over items, then countries"


@dataclass(frozen=True, slots=True)
class _Nation:
    """One country: what people said, and what each condition answered."""

    name: str
    humans: Mapping[str, HumanAnswers]
    tables: Mapping[str, Tables]

    def size(self, condition: str) -> int:
        return len(next(iter(self.tables[condition].values()), ()))


def in_country(condition: str, country: str) -> str:
    """Label of a condition that is about a country."""
    return f"{condition}, {country}"


def citizen_measurements(
    responses: Sequence[ResponseRow],
    items: Sequence[SurveyItem],
    humans: Mapping[str, Mapping[str, HumanAnswers]],
    *,
    deep: str,
    controls: Sequence[str],
    model: str,
    seed: int,
    draws: int = 500,
) -> list[Measurement]:
    """Distance of each condition to people, averaged over items and then countries, and how much nearer personas come.

    Args:
        responses: answers by option scoring; a condition's distribution is the mean of its respondents' probabilities.
            Conditions are labelled by `in_country`; a control without a country stands for all of them.
        items: what was asked.
        humans: answers of people, by country and item; taken as given (they are many).
        deep: condition with personas; intervals redraw personas inside their country.
        controls: conditions that answer once; they have no interval.
        model: who answered.
        seed: of the bootstrap.
        draws: resamples.

    Returns:
        Per distance: controls, personas, personas minus each control, items, countries if there are several, and
        `people`: as many answers as there are personas, drawn from the people themselves. A negative difference says
        that personas are nearer to people than the control; a positive one, farther. Where a control answers exactly
        like people no difference can be negative, and its interval lies above 0 whatever the personas do.

    Source: DeepPersona (arXiv 2511.07338), national citizens: KS, Wasserstein-1, Jensen–Shannon, difference of means.
    """
    make = Maker(model, seed)
    used = [item for item in items if all(item.id in own for own in humans.values())]
    nations: list[_Nation] = []
    for country, own in humans.items():
        tables = {c: _tables(responses, used, (in_country(c, country), c)) for c in (deep, *controls)}
        nations.append(_Nation(country, own, tables))
    out: list[Measurement] = []
    for distance in DISTANCES:
        out += _conditions(make, nations, used, distance, deep, controls, draws, "citizen")
        if len(nations) > 1:
            for nation in nations:
                stem = "_".join(nation.name.lower().split())
                out += _conditions(make, [nation], used, distance, deep, controls, draws, f"citizen.{stem}", short=True)
    return out


def _conditions(
    make: Maker, nations: Sequence[_Nation], used: Sequence[SurveyItem], distance: str, deep: str,
    controls: Sequence[str], draws: int, stem: str, *, short: bool = False,
) -> list[Measurement]:  # fmt: skip
    label, unit = _LABELS[distance]
    where = f", {nations[0].name}" if short else ""
    fixed = {c: _mean_distance(nations, c, used, distance, None) for c in controls}
    out = [
        _control(make, f"{stem}.{distance}.{c}", f"{label} to people, {c}{where}", v, unit, c) for c, v in fixed.items()
    ]
    people = sum(nation.size(deep) for nation in nations)
    if not people or not used:
        return out
    told = f"{stem}.{distance}.{deep}"
    jobs = [(told, f"{label} to people, {deep}{where}", list(used), 0.0)]
    jobs += [
        (f"{told}_minus_{c}", f"{label} to people: {deep} minus {c}{where}", list(used), value)
        for c, value in fixed.items()
        if value is not None
    ]
    if not short:
        jobs += [(f"{told}.{i.id}", f"{label} to people, {deep}: {i.topic}", [i], 0.0) for i in used]
        out.append(_drawn_people(make, f"{stem}.{distance}.people", label, unit, nations, used, distance, deep, draws))
    humans = sum(nation.humans[i.id].n for nation in nations for i in used)
    for name, words, chosen, minus in jobs:
        found = _redrawn(make, name, nations, chosen, distance, deep, minus, draws)
        note = f"{len(chosen)} item(s), {len(nations)} country(ies), {humans} human answers"
        out.append(
            make.estimate(
                name, words, found, unit=unit, direction="lower is better", method=f"{_METHOD}; personas redrawn",
                note=note,
            )
        )  # fmt: skip
    return out


def _control(make: Maker, name: str, label: str, value: float | None, unit: str, condition: str) -> Measurement:
    reason = "one answer distribution without a person: nothing to redraw" if value is not None else "no answers"
    return make.number(
        name, label, value, unit=unit, n=0 if value is None else 1, method=_METHOD, reason=reason,
        direction="lower is better", condition=condition, control=True,
    )  # fmt: skip


def _drawn_people(
    make: Maker, name: str, label: str, unit: str, nations: Sequence[_Nation], items: Sequence[SurveyItem],
    distance: str, deep: str, draws: int,
) -> Measurement:  # fmt: skip
    """What as many of the people themselves would have got: the distance that sampling alone leaves."""
    rng = derive_rng(make.seed, name)
    values = np.zeros((draws, len(nations), len(items)))
    for c, nation in enumerate(nations):
        for k, item in enumerate(items):
            counts = nation.humans[item.id].counts
            samples = rng.multinomial(max(1, nation.size(deep)), counts / counts.sum(), size=draws)
            values[:, c, k] = [getattr(scale_distances(s, counts, item.categories), distance) for s in samples]
    means = values.mean(axis=(1, 2))
    low, high = (float(q) for q in np.quantile(means, [0.025, 0.975]))
    n = sum(nation.size(deep) for nation in nations)
    found = Estimate(float(means.mean()), Interval(low, high, 0.95, "range of draws"), n=n, clusters=n)
    return make.estimate(
        name, f"{label} to people, as many drawn from themselves", found, unit=unit, direction="lower is better",
        method="multinomial draws from the human shares, mean over items, then countries", control=True,
    )  # fmt: skip


def _redrawn(
    make: Maker, name: str, nations: Sequence[_Nation], items: Sequence[SurveyItem], distance: str, deep: str,
    minus: float, draws: int,
) -> Estimate:  # fmt: skip
    edges = np.cumsum([0, *(nation.size(deep) for nation in nations)])

    def value(rows: NDArray[np.intp]) -> float:
        own = [rows[(rows >= a) & (rows < b)] - a for a, b in pairwise(edges.tolist())]
        found = _mean_distance(nations, deep, items, distance, own)
        return float("nan") if found is None else found - minus

    strata = np.repeat(np.arange(len(nations)), np.diff(edges)) if len(nations) > 1 else None
    return bootstrap_interval(value, int(edges[-1]), strata=strata, rng=derive_rng(make.seed, name), draws=draws)


def _mean_distance(
    nations: Sequence[_Nation], condition: str, items: Sequence[SurveyItem], distance: str,
    rows: Sequence[NDArray[np.intp]] | None,
) -> float | None:  # fmt: skip
    """Mean over items, then over countries; None when a country has no answers (or none of its people was drawn)."""
    found: list[float] = []
    for k, nation in enumerate(nations):
        own: list[float] = []
        for item in items:
            table = nation.tables[condition].get(item.id)
            if table is None or not len(table) or (rows is not None and not len(rows[k])):
                return None
            answers = (table if rows is None else table[rows[k]]).sum(axis=0)
            counts = nation.humans[item.id].counts
            own.append(float(getattr(scale_distances(answers, counts, item.categories), distance)))
        found.append(float(np.mean(own)) if own else float("nan"))
    return float(np.mean(found)) if found and not np.isnan(found).any() else None


def _tables(responses: Sequence[ResponseRow], items: Sequence[SurveyItem], labels: Sequence[str]) -> Tables:
    """Answers under the first of the labels that anybody answered under, of respondents who answered every item."""
    given: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {label: {} for label in labels}
    for row in responses:
        if row.condition in given and row.status in _USED and row.probabilities:
            given[row.condition].setdefault(row.persona_id or row.actor, {})[row.item] = row.probabilities
    chosen = next((given[label] for label in labels if given[label]), {})
    whole = [answers for _, answers in sorted(chosen.items()) if all(i.id in answers for i in items)]
    out: dict[str, NDArray[np.float64]] = {}
    for item in items:
        table = np.zeros((len(whole), len(item.categories)))
        for r, answers in enumerate(whole):
            for k, p in enumerate(answers[item.id]):
                table[r, item.columns[k]] += p
        out[item.id] = table
    return out
