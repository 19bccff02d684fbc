"""Whole people: integer counts per cell, with hard margins exact.

Source: largest remainder (Hamilton) for one margin; for several at once the counts nearest to the fitted shares are an
integer programme whose margins are fixed; the rest of the table is filled by systematic sampling of the fractions and
then improved by replacing single people inside their quota cell (combinatorial optimisation, Williamson et al. 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from personae.core import RecipeError, derive_rng
from personae.creation._draws import Floats, Indexes, totals
from personae.creation._feasible import margin_system
from personae.creation._fit import FittedTable
from personae.creation._recipe import Margin, Recipe

_PROPOSALS: Final = 512
_BATCHES: Final = 200
_IDLE: Final = 6
_LISTED: Final = 6
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False)
class CountTable:
    """People per cell: indexes into the fitted table and counts, both (occupied,); and the integer quotas by margin."""

    cells: Indexes
    counts: Indexes
    quotas: dict[str, Indexes]


def largest_remainder(shares: Floats, n: int) -> Indexes:
    """Whole counts that sum to `n`: floors first, then one more for the largest fractions (ties: earlier cell first).

    >>> largest_remainder(np.array([0.5, 0.3, 0.2]), 5).tolist()
    [3, 1, 1]
    """
    exact = shares / shares.sum() * n
    out = np.floor(exact + 1e-9).astype(np.int64)
    fraction = np.round(exact - out, 9)  # shares such as 0.1 + 0.2 tie as they should
    order = np.argsort(-fraction, kind="stable")
    out[order[: n - int(out.sum())]] += 1
    return out


def count_people(
    recipe: Recipe, table: FittedTable, n: int, seed: int, *, hard: Sequence[Margin] | None = None
) -> CountTable:
    """Integer counts of all cells for `n` people drawn from the shares of `table`.

    Hard margins get their largest-remainder counts; where several of them cannot all have those, every count is the
    floor or ceiling of its share of `n`. `seed` decides which of the cells inside a quota get people, never the quotas.

    Args:
        recipe: whose margins count.
        table: cells and the shares people are drawn from.
        n: how many people.
        seed: root seed.
        hard: margins to be met exactly; default: those of the recipe. Others are brought near to the recipe's shares,
            or, when people are drawn from other shares than those, to the shares of `table`.

    Raises:
        RecipeError: no table of whole people meets the hard margins; cells and gaps are named.
    """
    own = recipe.rarity == 1 and recipe.strata is None and not table.report.soft
    hard = [m for m in recipe.margins if m.hard] if hard is None else list(hard)
    block, block_counts, quotas = _blocks(recipe, table, hard, n)
    rng = derive_rng(seed, recipe.root, "cells", n)
    counts = _fill(table.shares, block, block_counts, rng)
    soft: list[tuple[Indexes, Floats]] = []
    for margin in recipe.margins:
        if not margin.hard:
            index, wanted = table.index(recipe, margin.vars), recipe.shares(margin)
            soft.append((index, (wanted if own else totals(index, table.shares, len(wanted))) * n))
    named = {v for m in hard for v in m.vars} | {m.vars[0] for m in recipe.margins if len(m.vars) == 1}
    for name in table.names:
        if name not in named:
            index = table.index(recipe, (name,))
            soft.append((index, totals(index, table.shares, len(recipe.labels[name])) * n))
    _improve(counts, table.shares, block, soft, rng)
    cells = np.flatnonzero(counts)
    return CountTable(cells, counts[cells], quotas)


# Hard margins -------------------------------------------------------------------------------------------------------


def _blocks(
    recipe: Recipe, table: FittedTable, hard: list[Margin], n: int
) -> tuple[Indexes, Indexes, dict[str, Indexes]]:
    """Cells grouped by the variables of the hard margins: block of each cell, people per block, quotas by margin."""
    names = tuple(v for v in table.names if any(v in m.vars for m in hard))
    if not names:
        return np.zeros(len(table.shares), dtype=np.int64), np.array([n], dtype=np.int64), {}
    flat, block = np.unique(table.index(recipe, names), return_inverse=True)
    first = np.zeros(len(flat), dtype=np.int64)
    first[block] = np.arange(len(block))
    indexes = [table.index(recipe, m.vars)[first] for m in hard]
    expected = totals(block, table.shares, len(flat)) * n
    quotas = [largest_remainder(recipe.shares(m), n) for m in hard]
    if len(hard) == 1:
        counts = np.zeros(len(flat), dtype=np.int64)
        counts[:] = quotas[0][indexes[0]]
        if int(counts.sum()) != n:
            missing = np.setdiff1d(np.flatnonzero(quotas[0]), indexes[0])
            cells = recipe.cells(hard[0].vars)
            told = "; ".join(f"{cells[c]}: short by {quotas[0][c]}" for c in missing[:_LISTED])
            raise RecipeError(f"hard quota {hard[0].name!r} cannot be met: {told}.", hint="Loosen a rule.")
        return block, counts, {hard[0].name: quotas[0]}
    counts = nearest_counts(indexes, quotas, expected)
    if counts is None:
        shares = [recipe.shares(m) for m in hard]
        counts = _solve_rounded(indexes, shares, expected, n)
    if counts is None:
        raise _shortfall(recipe, hard, indexes, quotas, expected, n)
    met = {m.name: totals(i, counts, len(q)).astype(np.int64) for m, i, q in zip(hard, indexes, quotas, strict=True)}
    return block, counts, met


def nearest_counts(
    indexes: list[Indexes], quotas: list[Indexes], expected: Floats, *, tie: float = 1e-5
) -> Indexes | None:
    """Counts nearest to `expected` whose margins equal `quotas`, or None when there are none.

    Args:
        indexes: per margin the cell that each block counts for, shape (blocks,).
        quotas: per margin the people (or households) of each cell.
        expected: people per block, with fractions, shape (blocks,).
        tie: what the last block's step costs more than the first one's.
    """
    base = np.floor(expected + 1e-9)
    system = margin_system(indexes, [len(q) for q in quotas])
    goal = np.concatenate(quotas) - system @ base
    answer = _programme(base, expected, system, goal, goal, tie=tie)
    return None if answer is None else (base + answer).astype(np.int64)


def _solve_rounded(indexes: list[Indexes], shares: list[Floats], expected: Floats, n: int) -> Indexes | None:
    """Counts whose margins are floors or ceilings of their shares, as near to the shares as can be; or None."""
    base = np.floor(expected + 1e-9)
    system = margin_system(indexes, [len(s) for s in shares])
    exact = np.concatenate(shares) * n
    low, high = np.floor(exact + 1e-9), np.ceil(exact - 1e-9)
    # A margin count at its ceiling costs 1 - 2 fraction against its floor: the same preference as largest remainder.
    price = np.where(high > low, 1 - 2 * (exact - low), 0.0)
    answer = _programme(
        base, expected, system, low - system @ base, high - system @ base, price=price, total=n - base.sum()
    )
    return None if answer is None else (base + answer).astype(np.int64)


def _programme(
    base: Floats,
    expected: Floats,
    system: Any,
    low: Floats,
    high: Floats,
    *,
    price: Floats | None = None,
    total: float | None = None,
    tie: float = 1e-5,
) -> Floats | None:
    """Integer change of `base` that keeps `low <= system @ change <= high` and stays nearest to `expected`.

    A change is up1 + up2 - down: the first step up costs 1 - 2 fraction (what largest remainder would pay), further
    steps up or down cost 1 each; a faint charge on later blocks makes the answer unique in most ties.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    size = len(base)
    fraction = expected - base
    later = np.arange(size) * (tie / size)
    cost = np.concatenate([1 - 2 * fraction + later, 1 + later + 1e-4, 1 + later + 1e-4])
    upper = np.concatenate([np.ones(size), np.full(size, np.inf), base])
    step: Any = hstack([eye_array(size), eye_array(size), -eye_array(size)])
    parts: list[Any] = [system @ step]
    lows, highs = [low], [high]
    if price is not None:
        # One switch per margin cell, 0 = floor and 1 = ceiling, charged far above anything the blocks cost.
        cells = len(price)
        switch = eye_array(cells)
        parts = [hstack([parts[0], -switch])]
        lows, highs = [low], [low]
        cost = np.concatenate([cost, price * 1e3])
        upper = np.concatenate([upper, np.round(high - low)])
    if total is not None:
        row = np.concatenate([np.ones(size), np.ones(size), -np.ones(size), np.zeros(len(cost) - 3 * size)])
        parts.append(csr_array(row[None, :]))
        lows.append(np.array([total]))
        highs.append(np.array([total]))
    answer: Any = milp(
        cost,
        constraints=LinearConstraint(vstack(parts).tocsr(), np.concatenate(lows), np.concatenate(highs)),
        integrality=np.ones(len(cost), dtype=np.int64),
        bounds=Bounds(np.zeros(len(cost)), upper),
        options={"time_limit": 60.0},
    )
    if answer.x is None:
        return None
    change = np.round(answer.x[: 3 * size])
    return change[:size] + change[size : 2 * size] - change[2 * size :]


def _shortfall(
    recipe: Recipe, hard: list[Margin], indexes: list[Indexes], quotas: list[Indexes], expected: Floats, n: int
) -> RecipeError:
    """The error that names the quota cells in the way, with the smallest number of people in the wrong place."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import eye_array, hstack

    system = margin_system(indexes, [len(q) for q in quotas])
    goal = np.concatenate(quotas).astype(np.float64)
    size, cells = len(expected), len(goal)
    answer: Any = milp(
        np.concatenate([np.zeros(size), np.ones(2 * cells)]),
        constraints=LinearConstraint(hstack([system, eye_array(cells), -eye_array(cells)]).tocsr(), goal, goal),
        integrality=np.ones(size + 2 * cells, dtype=np.int64),
        bounds=Bounds(0, np.inf),
        options={"time_limit": 60.0},
    )
    slack = np.zeros(cells) if answer.x is None else np.round(answer.x[size : size + cells] - answer.x[size + cells :])
    names = [f"{m.name}: {cell}" for m in hard for cell in recipe.cells(m.vars)]
    told = "; ".join(
        f"{names[c]} {'short' if slack[c] > 0 else 'over'} by {abs(int(slack[c]))} of {int(goal[c])}"
        for c in np.flatnonzero(slack)[:_LISTED]
    )
    return RecipeError(
        f"no {n} whole people meet all hard quotas at once: {told}.",
        hint="Choose a larger n, make one margin soft, or loosen a rule.",
    )


# The rest of the table ----------------------------------------------------------------------------------------------


def _fill(shares: Floats, block: Indexes, block_counts: Indexes, rng: np.random.Generator) -> Indexes:
    """Counts of all cells: whole parts of the expectation, then a systematic sample of the fractions in each block."""
    block_shares = totals(block, shares, len(block_counts))
    expected = shares / block_shares[block] * block_counts[block]
    counts = np.floor(expected + 1e-9).astype(np.int64)
    rest = np.maximum(expected - counts, 0.0)
    left = block_counts - totals(block, counts, len(block_counts)).astype(np.int64)
    start = rng.random()
    order = np.argsort(block, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(block, minlength=len(block_counts)))])
    for b in np.flatnonzero(left > 0).tolist():
        members = order[edges[b] : edges[b + 1]]
        wheel = np.cumsum(rest[members])
        if wheel[-1] <= 0:  # the fractions vanished in rounding: any member of the block is as good
            wheel = np.cumsum(shares[members])
        wheel = wheel / wheel[-1] * left[b]
        points = np.arange(left[b]) + (start + b * _GOLDEN) % 1  # another phase in each block, evenly spread
        chosen = np.minimum(np.searchsorted(wheel, points, side="right"), len(members) - 1)
        counts += np.bincount(members[chosen], minlength=len(counts))
    return counts


def _improve(
    counts: Indexes, shares: Floats, block: Indexes, soft: list[tuple[Indexes, Floats]], rng: np.random.Generator
) -> None:
    """Replace single people by others drawn for the same block while that brings the soft margins nearer. In place."""
    if not soft:
        return
    gaps = [totals(i, counts, len(t)) - t for i, t in soft]
    order = np.argsort(block, kind="stable")
    wheel = np.cumsum(shares[order])
    ends = np.searchsorted(block[order], np.arange(int(block.max()) + 1), side="right")
    tops = wheel[ends - 1]
    floors = np.concatenate([[0.0], tops[:-1]])
    idle = 0
    for _ in range(_BATCHES):
        if idle >= _IDLE or all(np.abs(g).max() < 1 for g in gaps):
            return
        people = np.cumsum(counts)
        out = np.searchsorted(people, rng.integers(0, people[-1], _PROPOSALS), side="right")
        home = block[out]
        point = floors[home] + rng.random(_PROPOSALS) * (tops[home] - floors[home])
        into = order[np.minimum(np.searchsorted(wheel, point, side="right"), ends[home] - 1)]
        change = np.zeros(_PROPOSALS)
        for (index, _), gap in zip(soft, gaps, strict=True):
            a, b = index[out], index[into]
            change += np.where(a == b, 0.0, 2 + 2 * (gap[b] - gap[a]))
        best = np.argsort(change, kind="stable")[:32]
        idle = 0 if _accept(counts, out, into, best[change[best] < -1e-9], soft, gaps) else idle + 1


def _accept(
    counts: Indexes, out: Indexes, into: Indexes, best: Indexes, soft: list[tuple[Indexes, Floats]], gaps: list[Floats]
) -> bool:
    """Make the replacements that still help once the ones before them are made. Returns whether any did."""
    any_made = False
    for c in best.tolist():
        old, new = int(out[c]), int(into[c])
        if counts[old] < 1:
            continue
        moves = [(gap, int(index[old]), int(index[new])) for (index, _), gap in zip(soft, gaps, strict=True)]
        if sum(2 + 2 * (gap[b] - gap[a]) for gap, a, b in moves if a != b) < -1e-9:
            counts[old] -= 1
            counts[new] += 1
            for gap, a, b in moves:
                gap[a] -= 1
                gap[b] += 1
            any_made = True
    return any_made
