"""How people compare with the recipe they were drawn from: shares, counts and the usual measures of a table's fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personae.core import FitRow
from personae.creation._draws import Floats, Indexes, totals
from personae.creation._recipe import Margin, Recipe
from personae.statistics import max_cell_z, srmse, total_absolute_error, total_variation_distance


@dataclass(frozen=True, slots=True)
class MarginMeasures:
    """Fit of one margin: total absolute error (people), SRMSE, largest absolute cell z, total variation distance.

    See `statistics.total_absolute_error`, `srmse` and `max_cell_z`. Weighted z take Kish's effective number of people.
    """

    tae: float
    srmse: float
    max_cell_z: float
    distance: float


@dataclass(frozen=True, slots=True)
class PopulationFit:
    """How the people compare with the recipe.

    `distance` is the total variation distance per margin: half the summed absolute difference of shares, 0 to 1.
    `unknown` counts people whose value for a margin could not be read (they are in no cell). `measures` counts every
    person once; `weighted` counts them by their weights, and is empty when people are drawn by the population's own
    shares. Strata stand among the rows as `strata: …`, with the people each was allocated as target.
    """

    rows: tuple[FitRow, ...]
    distance: dict[str, float]
    unknown: dict[str, int]
    people: int
    measures: dict[str, MarginMeasures] = field(default_factory=dict)
    weighted: dict[str, MarginMeasures] = field(default_factory=dict)
    effective: float | None = None
    """Kish's effective number of people; None when everybody weighs the same"""

    @property
    def hard_exact(self) -> bool:
        """Whether every hard quota (and stratum) has exactly its people."""
        return all(row.count == round(row.target_count) for row in self.rows if row.hard)


def compare_with_recipe(
    recipe: Recipe,
    codes: NDArray[Any],
    counts: Indexes,
    weights: Floats | None,
    *,
    n: int,
    quotas: Mapping[str, Indexes],
    strata: Margin | None,
    unit: str,
) -> PopulationFit:
    """Fit of people given as rows of category codes (-1: unknown), shape (rows, variables).

    Args:
        recipe: what was asked for.
        codes: see above.
        counts: people per row.
        weights: design weight of the people of each row, None when all are 1.
        n: people the recipe was asked for.
        quotas: whole people per cell of each hard margin.
        strata: the allocation of the sample.
        unit: what the rows name as their unit.
    """
    position = {name: c for c, name in enumerate(recipe.variables)}
    people = int(counts.sum())
    out = PopulationFit((), {}, {}, people)
    effective = None
    if weights is not None:
        effective = float((weights * counts).sum()) ** 2 / float((weights**2 * counts).sum())
    rows: list[FitRow] = []
    for margin in (*recipe.margins, *([strata] if strata else [])):
        name = margin.name if margin is not strata else f"strata: {margin.name}"
        own = codes[:, [position[v] for v in margin.vars]]
        known = (own >= 0).all(axis=1)
        flat = np.zeros(len(own), dtype=np.int64)
        for column, variable in enumerate(margin.vars):
            flat = flat * len(recipe.labels[variable]) + own[:, column]
        shares = recipe.shares(margin)
        found = totals(flat[known], counts[known], len(shares)).astype(np.int64)
        out.unknown[name] = int(counts[~known].sum())
        out.distance[name] = float(np.abs(found / max(people, 1) - shares).sum() / 2)
        out.measures[name] = _measures(found.astype(np.float64), shares, float(people), float(people))
        if weights is not None and effective is not None and margin is not strata:
            mass = weights * counts
            seen = totals(flat[known], mass[known], len(shares))
            out.weighted[name] = _measures(seen, shares, float(mass.sum()), effective)
        quota = quotas.get(margin.name) if margin.hard else None
        targets = quota if quota is not None else shares * n
        rows += [
            FitRow(unit=unit, margin=name, cell=cell, target_share=float(shares[c]),
                   target_count=float(targets[c]), count=int(found[c]), hard=margin.hard)
            for c, cell in enumerate(recipe.cells(margin.vars))
        ]  # fmt: skip
    return PopulationFit(tuple(rows), out.distance, out.unknown, people, out.measures, out.weighted, effective)


def _measures(found: Floats, shares: Floats, people: float, effective: float) -> MarginMeasures:
    if people <= 0 or found.sum() <= 0:
        return MarginMeasures(float("nan"), float("nan"), float("nan"), float("nan"))
    return MarginMeasures(
        tae=total_absolute_error(found, shares * people),
        srmse=srmse(found, shares * people),
        max_cell_z=max_cell_z(found / found.sum() * effective, shares),
        distance=total_variation_distance(found, shares),
    )
