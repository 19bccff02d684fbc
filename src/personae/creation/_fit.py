"""From margins, conditional tables, rules and a seed to one joint distribution.

The joint table is kept as records: only cells that can occur, as category codes with weights. Raking records and
iterative proportional fitting of a table are then the same loop.

Source: Deming and Stephan (1940), iterative proportional fitting; its limit is the distribution nearest to the seed
(in relative entropy) among those that meet the margins (Csiszár 1975).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import RecipeError
from personae.creation._checks import AGREEMENT
from personae.creation._draws import Floats, Indexes, totals
from personae.creation._recipe import SEPARATOR, Conditional, Margin, Recipe, SeedTable
from personae.creation._rows import best_row
from personae.creation._rules import Match

Codes = NDArray[np.int16]
CELL_LIMIT: Final = 3_000_000
"""Most cells a joint table may have while it is built (about 100 bytes each)."""
_ROUNDS: Final = 1000
_CLOSE: Final = 1e-10
_LISTED: Final = 6
_MET: Final = 1e-6
"""A margin whose cells are all this near to their shares counts as met."""
_DENSE_SEED: Final = 200_000
"""A seed of more cells than this is joined by its records."""
LAMBDA: Final = 100.0
"""How strongly a soft fit holds on to a margin that gives no weight of its own."""


@dataclass(frozen=True, slots=True)
class MarginFit:
    """How far the joint distribution is from one margin: largest gap of a share, its cell, and half the summed gaps."""

    name: str
    hard: bool
    gap: float
    worst: str | None
    distance: float


@dataclass(frozen=True, slots=True)
class Pull:
    """Two margins that want opposite things: the correlation of their pulls over the people, -1 to 0."""

    one: str
    two: str
    correlation: float


@dataclass(frozen=True, slots=True)
class FitReport:
    """How well the joint distribution meets the margins, before anyone is counted.

    `residual` is the largest difference between a cell's target share and its fitted share, found in `worst`.
    """

    cells: int
    forbidden: int
    """combinations removed as structural zeros while the table was built"""
    rounds: int
    converged: bool
    residual: float
    worst: str | None
    soft: bool = False
    """whether the margins could not all be met and the compromise of `Recipe.conflict` was taken"""
    smoothing: float = 0.0
    """share of the independence table in the seed"""
    margins: tuple[MarginFit, ...] = ()
    against: tuple[Pull, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FittedTable:
    """Cells that can occur, as codes (cells, variables), with their shares (cells,)."""

    names: tuple[str, ...]
    codes: Codes
    shares: Floats
    report: FitReport

    def index(self, recipe: Recipe, names: tuple[str, ...]) -> Indexes:
        """For each cell the flat index of its projection on `names`, last variable fastest."""
        return _flat_index(recipe, self.codes, [self.names.index(v) for v in names], names)


def fit_recipe(recipe: Recipe) -> FittedTable:
    """Fit the joint distribution of a recipe.

    Raises:
        RecipeError: the table is too large, a target has no cell left that could meet it, or the margins cannot be
            met together under the rules; cells and gaps are named.
    """
    table, weights = _support(recipe)
    margins = sorted(recipe.margins, key=lambda m: m.hard)  # hard ones last: each round ends on them
    indexes = [table.index(recipe, m.vars) for m in margins]
    targets = [recipe.shares(m) for m in margins]
    bound = [m.hard or recipe.conflict == "error" for m in margins]
    _check_cells_filled(recipe, margins, indexes, targets, weights, bound)
    shares, rounds, converged = rake(weights, indexes, targets)
    if not converged:
        from personae.creation._feasible import forced_zeros

        # Cells that the margins together force to 0 are only reached in the limit: take them out and finish.
        empty = forced_zeros(indexes, targets)
        if empty.any():
            shares, more, converged = rake(np.where(empty, 0.0, weights), indexes, targets)
            rounds += more
    found = _margin_fits(recipe, margins, indexes, targets, shares)
    soft, against = False, ()
    if recipe.conflict == "soft" and _largest(found) > _MET:
        from personae.creation._soft import pulls, soft_rake

        soft = True
        answer = soft_rake(weights, indexes, targets, [None if m.hard else m.weight or LAMBDA for m in margins])
        shares, rounds, converged = answer.shares, rounds + answer.rounds, answer.converged
        found = _margin_fits(recipe, margins, indexes, targets, shares)
        off = [f.gap > _MET for f in found]
        against = tuple(Pull(margins[a].name, margins[b].name, r) for a, b, r in pulls(answer, indexes, off))
    _check_met(recipe, margins, indexes, targets, found)
    keep = shares > 0
    residual = _largest(found)
    worst = next((f"{f.name}: {f.worst}" for f in found if f.gap == residual and f.worst), None)
    in_order = {m.name: k for k, m in enumerate(recipe.margins)}
    report = replace(
        table.report,
        cells=int(keep.sum()),
        rounds=rounds,
        converged=converged,
        residual=residual,
        worst=worst,
        soft=soft,
        smoothing=recipe.seed_table.smoothing if recipe.seed_table else 0.0,
        margins=tuple(sorted(found, key=lambda f: in_order[f.name])),
        against=against,
    )
    return FittedTable(table.names, table.codes[keep], shares[keep], report)


def _check_met(
    recipe: Recipe, margins: list[Margin], indexes: list[Indexes], targets: list[Floats], found: list[MarginFit]
) -> None:
    """Refuse a joint distribution that misses what it must not miss."""
    bound = [k for k, m in enumerate(margins) if m.hard or recipe.conflict == "error"]
    if max((found[k].gap for k in bound), default=0.0) > AGREEMENT:
        from personae.creation._feasible import unmet

        names = [f"{margins[k].name}: {cell}" for k in bound for cell in recipe.cells(margins[k].vars)]
        told = unmet(names, [indexes[k] for k in bound], [targets[k] for k in bound])
        worst = max((found[k] for k in bound), key=lambda f: f.gap)
        hard = recipe.conflict == "soft"
        raise RecipeError(
            f"the {'hard ' if hard else ''}margins cannot be met together under the rules: "
            f"{told or f'{worst.name}: {worst.worst} off by {worst.gap:.4f}'}.",
            hint="Shares are of all people; loosen a rule or change these targets"
            + ("." if hard else "; or write conflict: soft for the nearest compromise."),
        )
    for margin, fit in zip(margins, found, strict=True):
        if margin.tolerance is not None and fit.gap > margin.tolerance + _MET:
            raise RecipeError(
                f"margin {fit.name!r}: {fit.worst} is off by {fit.gap:.4f}, its tolerance is {margin.tolerance:g}.",
                hint="Give it more weight, or the margins against it less; or widen the tolerance.",
            )


# The cells that can occur -------------------------------------------------------------------------------------------


def _support(recipe: Recipe) -> tuple[FittedTable, Floats]:
    """All combinations that no rule, zero share or conditional table excludes, with their starting weights."""
    names, codes, weights, forbidden = _start(recipe)
    factors = list(_factors(recipe, with_seed=not codes.shape[1]))
    if codes.shape[1]:
        for needs, factor in factors:
            if needs <= set(names[: codes.shape[1]]):
                weights = weights * factor(codes, names[: codes.shape[1]])
        codes, weights = codes[weights > 0], weights[weights > 0]
    for position, name in enumerate(names):
        if position < codes.shape[1]:
            continue
        size = len(recipe.variables[name].labels)
        if len(codes) * size > CELL_LIMIT:
            raise RecipeError(
                f"the joint table of {', '.join(names[: position + 1])} has {len(codes) * size:,} cells, "
                f"at most {CELL_LIMIT:,} are kept.",
                hint="Use coarser categories, fewer variables, or rules that exclude more.",
            )
        codes = np.column_stack([np.repeat(codes, size, axis=0), np.tile(np.arange(size, dtype=np.int16), len(codes))])
        weights = np.repeat(weights, size)
        done = names[: position + 1]
        for needs, factor in factors:
            if name in needs and needs <= set(done):
                weights = weights * factor(codes, done)
        keep = weights > 0
        forbidden += int((~keep).sum()) * int(np.prod([len(recipe.variables[v].labels) for v in names[position + 1 :]]))
        codes, weights = codes[keep], weights[keep]
        if not len(codes):
            raise RecipeError(
                f"no combination of {', '.join(done)} is left: rules and zero shares exclude them all.",
                hint="Loosen a rule.",
            )
    if names != tuple(recipe.variables):
        codes = codes[:, [names.index(v) for v in recipe.variables]]
        order = np.lexsort(codes.T[::-1])
        names, codes, weights = tuple(recipe.variables), codes[order], weights[order]
    return FittedTable(
        names, codes, weights, FitReport(len(codes), forbidden, 0, converged=True, residual=0.0, worst=None)
    ), weights


def _start(recipe: Recipe) -> tuple[tuple[str, ...], Codes, Floats, int]:
    """Variables in the order they are joined, and what stands before the first one.

    A seed over many variables is far larger as a table than as its records: then its records are where we start.
    """
    names, seed = tuple(recipe.variables), recipe.seed_table
    size = 1 if seed is None else math.prod(len(recipe.variables[v].labels) for v in seed.vars)
    if seed is None or seed.smoothing > 0 or size <= _DENSE_SEED:
        return names, np.zeros((1, 0), dtype=np.int16), np.ones(1), 0
    places = [{label: c for c, label in enumerate(recipe.variables[v].labels)} for v in seed.vars]
    cells = [(cell.split(SEPARATOR), count) for cell, count in seed.table.items() if count > 0]
    codes = np.array([[p[w] for p, w in zip(places, words, strict=True)] for words, _ in cells], dtype=np.int16)
    rest = tuple(v for v in names if v not in seed.vars)
    others = math.prod(len(recipe.variables[v].labels) for v in rest)
    return (*seed.vars, *rest), codes, np.array([count for _, count in cells]), (size - len(cells)) * others


_Factor = Callable[[Codes, tuple[str, ...]], Floats]


def _factors(recipe: Recipe, *, with_seed: bool) -> Iterable[tuple[frozenset[str], _Factor]]:
    """What multiplies the weight of a combination, with the variables it needs to know."""
    for margin in recipe.margins:
        yield frozenset(margin.vars), _lookup(recipe, margin.vars, (recipe.shares(margin) > 0).astype(np.float64))
    if recipe.seed_table is not None and with_seed:
        counts = _seed_counts(recipe, recipe.seed_table)
        yield frozenset(recipe.seed_table.vars), _lookup(recipe, recipe.seed_table.vars, counts)
    for part in recipe.conditionals:
        names = (*part.parents, part.child)
        yield frozenset(names), _lookup(recipe, names, _conditional_rows(recipe, part), part)
    for rule in recipe.rules:
        if rule.severity == "error":
            masks = {(p, name): category_mask(recipe, rule.code, name, m) for p, name, m in rule.matches()}

            def allowed(
                codes: Codes, done: tuple[str, ...], rule: Any = rule, masks: Any = masks
            ) -> Floats:  # bound now: the loop moves on
                rows = {key: mask[codes[:, done.index(key[1])]] for key, mask in masks.items()}
                return (~rule.combine(rows, len(codes))).astype(np.float64)

            yield frozenset(rule.fields), allowed


def _seed_counts(recipe: Recipe, seed: SeedTable) -> Floats:
    """Counts of all cells of the seed, with its share of the independence table mixed in."""
    shape = tuple(len(recipe.variables[v].labels) for v in seed.vars)
    if math.prod(shape) > CELL_LIMIT:
        raise RecipeError(
            f"seed_table with smoothing has {math.prod(shape):,} cells, at most {CELL_LIMIT:,} are kept.",
            hint="Set smoothing to 0, or use fewer variables or coarser categories.",
        )
    counts = recipe.flat(seed.vars, seed.table)
    if seed.smoothing == 0:
        return counts
    table = counts.reshape(shape)
    product = np.full(shape, counts.sum())
    for axis in range(len(shape)):
        margin = table.sum(axis=tuple(a for a in range(len(shape)) if a != axis)) / counts.sum()
        product = product * margin.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return (1 - seed.smoothing) * counts + seed.smoothing * product.reshape(-1)


def _lookup(recipe: Recipe, names: tuple[str, ...], values: Floats, part: Conditional | None = None) -> _Factor:
    def factor(codes: Codes, done: tuple[str, ...]) -> Floats:
        out = values[_flat_index(recipe, codes, [done.index(v) for v in names], names)]
        if part is not None and np.isnan(out).any():
            row = int(np.flatnonzero(np.isnan(out))[0])
            given = SEPARATOR.join(recipe.variables[v].labels[codes[row, done.index(v)]] for v in part.parents)
            raise RecipeError(
                f"conditional {part.child!r} has no row for {given!r} ({', '.join(part.parents)}).",
                hint="Add the row, use * for any value, or forbid the combination by a rule.",
            )
        return out

    return factor


def _conditional_rows(recipe: Recipe, part: Conditional) -> Floats:
    """P(child | parents) flat over (parents, child); rows that are not given are NaN."""
    children = recipe.variables[part.child].labels
    out: list[list[float]] = []
    for key in recipe.cells(part.parents):
        best = best_row(part.table, key.split(SEPARATOR), f"conditional {part.child!r}")
        if best is None:
            out.append([np.nan] * len(children))
            continue
        row = part.table[best]
        total = sum(row.values())
        out.append([row.get(child, 0.0) / total for child in children])
    return np.array(out).reshape(-1)


def category_mask(recipe: Recipe, code: str, name: str, match: Match) -> NDArray[np.bool_]:
    """Which categories of a variable a match of a rule means.

    Raises:
        RecipeError: a range cuts through a bin, so that the rule would be true for part of it only.
    """
    variable = recipe.variables[name]
    out: list[bool] = []
    for label in variable.labels:
        fits = match.model_copy(update={"min": None, "max": None}).holds(label) if match.wordy else True
        if match.ranged:
            low, high = variable.bins[label]
            ends = [
                (match.min is None or v >= match.min) and (match.max is None or v <= match.max) for v in (low, high)
            ]
            inside = (match.min is None or match.min <= low) and (match.max is None or match.max >= high)
            apart = (match.max is not None and match.max < low) or (match.min is not None and match.min > high)
            if not inside and not apart:
                raise RecipeError(
                    f"rule {code!r} cuts through the bin {label!r} of {name!r} ({low} to {high}).",
                    hint=f"Let the range end where a bin ends, or split the bin. Covered ends: {ends}.",
                )
            fits = fits and inside
        out.append(fits)
    return np.array(out, dtype=np.bool_)


def _flat_index(recipe: Recipe, codes: Codes, columns: list[int], names: tuple[str, ...]) -> Indexes:
    out = np.zeros(len(codes), dtype=np.int64)
    for column, name in zip(columns, names, strict=True):
        out = out * len(recipe.variables[name].labels) + codes[:, column]
    return out


# Raking -------------------------------------------------------------------------------------------------------------


def rake(weights: Floats, indexes: list[Indexes], targets: list[Floats]) -> tuple[Floats, int, bool]:
    """Scale the weights of records to each margin in turn until nothing moves. Returns shares, rounds, converged."""
    shares = weights / weights.sum()
    if not indexes:
        return shares, 0, True
    last = np.inf
    for turn in range(1, _ROUNDS + 1):
        gap = 0.0
        for index, target in zip(indexes, targets, strict=True):
            found = totals(index, shares, len(target))
            gap = max(gap, float(np.abs(found - target).max()))
            shares = shares * np.divide(target, found, out=np.zeros_like(target), where=found > 0)[index]
        if gap < _CLOSE:
            return shares / shares.sum(), turn, True
        if turn % 50 == 0:
            if gap > 0.999 * last:  # margins that disagree by rounding stop short of their targets and stay there
                return shares / shares.sum(), turn, gap <= AGREEMENT
            last = gap
    return shares / shares.sum(), _ROUNDS, False


def _margin_fits(
    recipe: Recipe, margins: list[Margin], indexes: list[Indexes], targets: list[Floats], shares: Floats
) -> list[MarginFit]:
    out: list[MarginFit] = []
    for margin, index, target in zip(margins, indexes, targets, strict=True):
        gap = np.abs(totals(index, shares, len(target)) - target)
        cell = int(gap.argmax())
        worst = recipe.cells(margin.vars)[cell] if gap[cell] > 0 else None
        out.append(MarginFit(margin.name, margin.hard, float(gap[cell]), worst, float(gap.sum() / 2)))
    return out


def _largest(found: list[MarginFit]) -> float:
    return max((f.gap for f in found), default=0.0)


def _check_cells_filled(
    recipe: Recipe,
    margins: list[Margin],
    indexes: list[Indexes],
    targets: list[Floats],
    weights: Floats,
    bound: list[bool],
) -> None:
    """Every target above 0 of a margin that is bound to be met needs at least one combination that may occur."""
    for margin, index, target, must in zip(margins, indexes, targets, bound, strict=True):
        if not must:
            continue
        found = totals(index, weights, len(target))
        empty = np.flatnonzero((target > 0) & (found <= 0)).tolist()
        if empty:
            cells = recipe.cells(margin.vars)
            told = "; ".join(f"{cells[c]}: short by {target[c]:.4f} of all people" for c in empty[:_LISTED])
            codes = [r.code for r in recipe.rules if r.severity == "error" and set(r.fields) & set(margin.vars)]
            raise RecipeError(
                f"{'hard quota' if margin.hard else 'margin'} {margin.name!r} asks for people in cells that cannot "
                f"occur: {told}.",
                hint=f"Rules and tables leave them empty: set them to 0 or loosen these (rules: "
                f"{', '.join(codes) or 'none'}).",
            )
