"""Synthetic people against real ones at group level: cohort means of each item, correlated over the cohorts.

Source: HACHIMI 2026 (16 cohorts = 4 levels x 2 sexes x 2 risk levels). Which columns make a cohort is the user's
codebook. Only group means are compared: no synthetic person stands for a real one.
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
from pydantic import Field

from personae.core import Frozen, InputError, Measurement, derive_rng
from personae.measures._make import Maker
from personae.statistics import CorrelationKind, correlation_interval, permutation_test_correlation

_LEAST: Final = 5
_DRAWS: Final = 2000


class Codebook(Frozen):
    """How a file of real people is read.

    Args:
        cohort: column to how it is coded: a mapping of the file's values to cohort labels, or a number of equal-sized
            groups (quantiles of the file), lowest first.
        items: item name to column of numbers.
        missing: texts that mean no value.
        source: where the file comes from.
        licence: its licence.
    """

    cohort: dict[str, dict[str, str] | int] = Field(min_length=1)
    items: dict[str, str] = Field(min_length=1)
    missing: tuple[str, ...] = ("", "NA", "NaN", ".")
    source: str | None = None
    licence: str | None = None


HSB82: Final = Codebook(
    cohort={
        "sx": {"Male": "male", "Female": "female"},
        "minrty": {"No": "majority", "Yes": "minority"},
        "ses": 4,
    },
    items={"mathematics": "mAch", "school_ses": "meanses"},
    source="High School and Beyond 1982, as mlmRev::Hsb82 (7,185 students)",
    licence="GPL-2 or later (package mlmRev)",
)


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
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        known = list(reader.fieldnames or ())
        for column in (*codebook.cohort, *codebook.items.values()):
            if column not in known:
                raise InputError(f"{path}: no column {column!r}.", hint=f"It has: {', '.join(known)}.")
        rows = list(reader)
    parts: list[list[str | None]] = []
    for column, coding in codebook.cohort.items():
        given = [r[column] if r[column] not in codebook.missing else None for r in rows]
        parts.append(_coded(given, coding, f"{path}: {column}"))
    kept = [k for k in range(len(rows)) if all(part[k] is not None for part in parts)]
    items = {
        name: [_number(rows[k][column], codebook.missing, f"{path}:{k + 2}: {column}") for k in kept]
        for name, column in codebook.items.items()
    }
    return Answers(tuple(" | ".join(str(part[k]) for part in parts) for k in kept), items)


def cohort_measurements(
    human: Answers, agents: Answers, *, model: str, seed: int, least: int = _LEAST
) -> list[Measurement]:
    """Per item that both have: Pearson and Spearman over the cohorts, with permutation p and bootstrap interval.

    n is the number of cohorts, so intervals are wide, and they are printed.

    Args:
        human: real people.
        agents: synthetic people, with the same cohort labels.
        model: who answered.
        seed: of permutations and resamples.
        least: fewest people of a cohort on either side.
    """
    make = Maker(model=model, seed=seed, cluster="cohort")
    kinds: tuple[tuple[CorrelationKind, str], ...] = (("pearson", "r"), ("spearman", "rho"))
    out: list[Measurement] = []
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
    return out


def _coded(values: list[str | None], coding: dict[str, str] | int, where: str) -> list[str | None]:
    if not isinstance(coding, int):
        return [None if v is None else coding.get(v) for v in values]
    numbers = np.array([math.nan if v is None else _number(v, (), where) for v in values])
    known = ~np.isnan(numbers)
    edges = np.quantile(numbers[known], np.arange(1, coding) / coding) if known.any() else np.zeros(0)
    codes = np.searchsorted(edges, numbers, side="right")
    return [f"q{c + 1}" if k else None for c, k in zip(codes.tolist(), known.tolist(), strict=True)]


def _number(text: str, missing: Sequence[str], where: str) -> float:
    if text in missing:
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{where}: {text!r} is no number.", hint="Name the texts that mean no value.") from error
