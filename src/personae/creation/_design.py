"""Who is drawn: the population's own distribution, or one in which rare people or small strata are commoner.

People are then drawn from other shares than the population's, and each carries a weight, population share over drawn
share (scaled to mean 1), with which estimates speak of the population again (Horvitz and Thompson 1952, as a ratio).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from personae.core import RecipeError
from personae.creation._draws import Floats, totals
from personae.creation._fit import FittedTable, rake
from personae.creation._recipe import Margin, Recipe, Strata

_EXACT = 1e-6
_LISTED = 6


@dataclass(frozen=True, slots=True, eq=False)
class SampleDesign:
    """Shares that people are drawn from, over the cells of the fitted table, and the margins their counts must meet.

    `ratio` is population share / drawn share per cell, None when the two are the same.
    """

    table: FittedTable
    hard: tuple[Margin, ...]
    ratio: Floats | None
    strata: Margin | None = None


def sample_design(recipe: Recipe, table: FittedTable) -> SampleDesign:
    """Shares for `recipe.rarity` and `recipe.strata`; hard margins and strata are met exactly.

    Raises:
        RecipeError: strata that leave out people, or whose allocation contradicts a hard margin: cells are named.
    """
    hard = tuple(m for m in recipe.margins if m.hard)
    if recipe.rarity == 1 and recipe.strata is None:
        return SampleDesign(table, hard, None)
    shares = table.shares
    if recipe.rarity != 1:
        log = np.log(shares) / recipe.rarity
        shares = np.exp(log - log.max())
        shares = shares / shares.sum()
    strata = None if recipe.strata is None else _allocated(recipe, table, recipe.strata)
    bound = (*hard, strata) if strata else hard
    if bound:
        indexes = [table.index(recipe, m.vars) for m in bound]
        targets = [recipe.shares(m) for m in bound]
        shares, _, _ = rake(shares, indexes, targets)
        if strata:
            _check_strata_met(recipe, bound, [totals(i, shares, len(t)) for i, t in zip(indexes, targets, strict=True)])
    drawn = FittedTable(table.names, table.codes, shares, table.report)
    return SampleDesign(drawn, bound, table.shares / shares, strata)


def _allocated(recipe: Recipe, table: FittedTable, strata: Strata) -> Margin:
    """The strata as a hard margin of the sample."""
    index = table.index(recipe, strata.vars)
    cells = recipe.cells(strata.vars)
    own = totals(index, table.shares, len(cells))
    alive = np.bincount(index, minlength=len(cells)) > 0
    if strata.allocation == "proportional":
        wanted = own
    elif strata.allocation == "equal":
        wanted = np.where(alive, 1 / alive.sum(), 0.0)
    else:
        wanted = recipe.flat(strata.vars, dict(strata.allocation))
        for bad, words in (
            (alive & (wanted == 0), "has people in the population but no share of the sample"),
            (~alive & (wanted > 0), "has a share of the sample but nobody can be in it"),
        ):
            if bad.any():
                told = ", ".join(repr(cells[c]) for c in np.flatnonzero(bad)[:_LISTED].tolist())
                raise RecipeError(
                    f"strata {' x '.join(strata.vars)}: {told} {words}.",
                    hint="Every stratum that occurs needs a share above 0, and no other one.",
                )
    return Margin(vars=strata.vars, table=dict(zip(cells, wanted.tolist(), strict=True)), unit="count", hard=True)


def _check_strata_met(recipe: Recipe, bound: tuple[Margin, ...], found: list[Floats]) -> None:
    gaps = [
        (abs(gap), margin, cell, gap)
        for margin, own in zip(bound, found, strict=True)
        for cell, gap in zip(recipe.cells(margin.vars), (own - recipe.shares(margin)).tolist(), strict=True)
    ]
    worst, margin, cell, gap = max(gaps, key=lambda g: g[0])
    if worst > _EXACT:
        raise RecipeError(
            f"strata {bound[-1].name!r} and the hard margins contradict each other: {margin.name}: {cell} would be "
            f"off by {gap:+.4f}.",
            hint="A hard margin is exact among the people drawn: allocate proportionally, or make it soft.",
        )
