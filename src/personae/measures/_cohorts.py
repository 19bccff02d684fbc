"""Synthetic people against real ones at group level: cohort means of each item, correlated over the cohorts.

Source: HACHIMI 2026 (16 cohorts = 4 levels x 2 sexes x 2 risk levels). Which columns make a cohort is the codebook's
to say. Only group means are compared: no synthetic person stands for a real one.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from personae.core import InputError, Measurement, Persona, ResponseRow, derive_rng
from personae.instruments import Codebook, CohortColumn
from personae.measures._make import Maker, adjusted
from personae.statistics import CorrelationKind, correlation_interval, permutation_test_correlation

_LEAST: Final = 5
_DRAWS: Final = 2000
_USED: Final = frozenset({"ok", "zero_variance"})


@dataclass(frozen=True, slots=True)
class Answers:
    """Item values of people with their cohorts.

    Attributes:
        cohort: label of each person, shape (people,).
        items: item name to values, shape (people,); NaN where missing.
    """

    cohort: tuple[str, ...]
    items: Mapping[str, Sequence[float]]

    def means(self, item: str, *, least: int = _LEAST) -> dict[str, float]:
        """Mean of an item per cohort; cohorts with fewer than `least` values are left out."""
        groups: dict[str, list[float]] = defaultdict(list)
        for label, value in zip(self.cohort, self.items[item], strict=True):
            if not math.isnan(value):
                groups[label].append(float(value))
        return {label: float(np.mean(v)) for label, v in groups.items() if len(v) >= least}


def read_cohorts(path: str | Path, codebook: Codebook) -> Answers:
    """Real people from a CSV file by a codebook. People without a cohort are left out; nothing is made up.

    Raises:
        InputError: no such file, or a column that it does not have (the file's columns are named).
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(
            f"There is no file {str(path)!r} of real people.",
            hint="Give the CSV that you hold; without one the comparison is left out.",
        )
    columns = {name: codebook.column(name) for name in codebook.items}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            known = list(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {str(path)!r}: {error}.", hint="Give a CSV file in UTF-8.") from error
    for column in (*(c.column for c in codebook.cohort), *(c.column for c in columns.values())):
        if column not in known:
            raise InputError(f"{path}: no column {column!r}.", hint=f"It has: {', '.join(known)}.")
    parts = [_labels(rows, column, codebook.missing, f"{path}: {column.column}") for column in codebook.cohort]
    kept = [k for k in range(len(rows)) if all(part[k] is not None for part in parts)]
    if not kept:
        raise InputError(
            f"{path}: nobody of {len(rows)} people is in a cohort of the codebook.",
            hint="Compare the values of its columns with the codes: they have to be the same to the letter.",
        )
    cells = [{c.column: str(part[k]) for c, part in zip(codebook.cohort, parts, strict=True)} for k in kept]
    items = {
        name: [_value(rows[k].get(c.column), c.recode, codebook.missing, f"{path}:{k + 2}: {c.column}") for k in kept]
        for name, c in columns.items()
    }
    return Answers(tuple(codebook.cohort_of(cell) for cell in cells), items)


def agent_answers(agents: Sequence[Persona], responses: Sequence[ResponseRow], codebook: Codebook) -> Answers:
    """Answers of agents with their cohorts: expected values of each item.

    Args:
        agents: who was asked, each with a cell of the codebook in the provenance; others' answers are left out.
        responses: answers; those without a value are missing.
        codebook: says what a cohort is.
    """
    cohorts = {p.id: codebook.cohort_of(p.provenance.cell) for p in agents}
    given: dict[tuple[str, str], float] = {}
    for row in responses:
        if row.persona_id in cohorts and row.status in _USED and row.value is not None:
            given[row.persona_id, row.item] = row.value
    names = sorted({row.item for row in responses})
    items = {item: [given.get((who, item), math.nan) for who in cohorts] for item in names}
    return Answers(tuple(cohorts.values()), items)


def cohort_measurements(
    human: Answers, agents: Answers, *, model: str, seed: int, least: int = _LEAST
) -> list[Measurement]:
    """Per item that both have: Pearson and Spearman over the cohorts, with permutation p and bootstrap interval.

    n is the number of cohorts, so intervals are wide, and they are printed; p-values are adjusted over all items.

    Args:
        human: real people.
        agents: synthetic people, with the same cohort labels.
        model: who answered.
        seed: of permutations and resamples.
        least: fewest people of a cohort on either side.
    """
    make = Maker(model=model, seed=seed, cluster="cohort")
    kinds: tuple[tuple[CorrelationKind, str], ...] = (("pearson", "r"), ("spearman", "rho"))
    both = set(human.cohort) & set(agents.cohort)
    out = [
        make.number(
            "cohorts.shared", "Cohorts with people and agents", float(len(both)), unit="cohorts", n=len(both),
            method="labels on both sides", reason="a count", note=f"{len(human.cohort)} people, "
            f"{len(agents.cohort)} agents; {len(set(human.cohort))} and {len(set(agents.cohort))} cohorts",
        )
    ]  # fmt: skip
    for item in human.items:
        if item not in agents.items:
            continue
        ours, theirs = agents.means(item, least=least), human.means(item, least=least)
        shared = sorted(set(ours) & set(theirs))
        x, y = [theirs[c] for c in shared], [ours[c] for c in shared]
        for kind, unit in kinds:
            rng = derive_rng(seed, "cohorts", item, kind)
            found = correlation_interval(x, y, kind=kind, method="bootstrap", rng=rng, draws=_DRAWS)
            test = None if math.isnan(found.value) else permutation_test_correlation(x, y, kind=kind, rng=rng)
            out.append(
                make.estimate(
                    f"cohorts.{item}.{unit}", f"{item}: cohort means, people against agents", found, unit=unit,
                    direction="higher is better", method=f"{kind} over cohort means, bootstrap interval", test=test,
                    note=f"{len(shared)} cohorts with at least {least} on both sides: the interval is wide",
                )
            )  # fmt: skip
    return adjusted(out, family="items and both coefficients")


def cohort_table(
    agents: Answers, human: Answers | None = None
) -> tuple[list[str], list[tuple[str | float | None, ...]]]:
    """Header and rows of a table of cohorts: how many agents and people, and their means of each item.

    Items that people have no column for show the agents alone. Cohorts of one agent or person have no mean.
    """
    sides = [("agents", agents), *([("people", human)] if human else [])]
    labels = sorted({c for _, side in sides for c in side.cohort})
    items = [
        (item, who, side.means(item, least=2)) for item in agents.items for who, side in sides if item in side.items
    ]
    header = ["Cohort", *(who.capitalize() for who, _ in sides), *(f"{item}, {who}" for item, who, _ in items)]
    return header, [
        (label, *(side.cohort.count(label) for _, side in sides), *(found.get(label) for _, _, found in items))
        for label in labels
    ]


def _labels(
    rows: Sequence[Mapping[str, str | None]], column: CohortColumn, missing: Sequence[str], where: str
) -> list[str | None]:
    """Cohort label of each person by one column; None when the file does not say one."""
    texts = [r.get(column.column) or "" for r in rows]
    if column.codes:
        return [None if t in missing else column.codes.get(t) for t in texts]
    numbers = np.array([_number(t, missing, where) for t in texts])
    known = ~np.isnan(numbers)
    shares = np.cumsum(list(column.groups.values()))[:-1]
    edges = np.quantile(numbers[known], shares) if known.any() else np.zeros(0)
    codes = np.searchsorted(edges, numbers, side="right")
    return [column.labels[c] if k else None for c, k in zip(codes.tolist(), known.tolist(), strict=True)]


def _value(text: str | None, recode: Mapping[str, float], missing: Sequence[str], where: str) -> float:
    if recode:
        return recode.get(text or "", math.nan)
    return _number(text or "", missing, where)


def _number(text: str, missing: Sequence[str], where: str) -> float:
    if text in missing:
        return math.nan
    try:
        number = float(text)
    except ValueError as error:
        raise InputError(f"{where}: {text!r} is no number.", hint="Name the texts that mean no value.") from error
    if math.isinf(number):
        raise InputError(f"{where}: {text!r} is infinite.", hint="Name the texts that mean no value.")
    return number
