"""From margins, conditional tables, rules and a seed to one joint distribution.

The joint table is kept as records: only cells that can occur, as category codes with weights. Raking records and
iterative proportional fitting of a table are then the same loop.

Source: Deming and Stephan (1940), iterative proportional fitting; its limit is the distribution nearest to the seed
(in relative entropy) among those that meet the margins (Csiszár 1975).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import RecipeError
from personae.creation._checks import AGREEMENT
from personae.creation._draws import Floats, Indexes, totals
from personae.creation._recipe import SEPARATOR, Conditional, Margin, Recipe
from personae.creation._rules import Match

Codes = NDArray[np.int16]
CELL_LIMIT: Final = 3_000_000
"""Most cells a joint table may have while it is built (about 100 bytes each)."""
_ROUNDS: Final = 1000
_CLOSE: Final = 1e-10
_LISTED: Final = 6


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
    _check_cells_filled(recipe, margins, indexes, targets, weights)
    shares, rounds, converged = _rake(weights, indexes, targets)
    if not converged:
        from personae.creation._feasible import forced_zeros

        # Cells that the margins together force to 0 are only reached in the limit: take them out and finish.
        empty = forced_zeros(indexes, targets)
        if empty.any():
            shares, more, converged = _rake(np.where(empty, 0.0, weights), indexes, targets)
            rounds += more
    residual, worst = _residual(recipe, margins, indexes, targets, shares)
    if residual > AGREEMENT:
        from personae.creation._feasible import unmet

        told = unmet([f"{m.name}: {cell}" for m in margins for cell in recipe.cells(m.vars)], indexes, targets)
        raise RecipeError(
            f"the margins cannot be met together under the rules: {told or f'{worst} off by {residual:.4f}'}.",
            hint="Shares are of all people; loosen a rule or change these targets.",
        )
    keep = shares > 0
    report = replace(
        table.report, cells=int(keep.sum()), rounds=rounds, converged=converged, residual=residual, worst=worst
    )
    return FittedTable(table.names, table.codes[keep], shares[keep], report)


# The cells that can occur -------------------------------------------------------------------------------------------


def _support(recipe: Recipe) -> tuple[FittedTable, Floats]:
    """All combinations that no rule, zero share or conditional table excludes, with their starting weights."""
    names = tuple(recipe.variables)
    codes: Codes = np.zeros((1, 0), dtype=np.int16)
    weights = np.ones(1)
    factors = list(_factors(recipe))
    forbidden = 0
    for position, name in enumerate(names):
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
    return FittedTable(
        names, codes, weights, FitReport(len(codes), forbidden, 0, converged=True, residual=0.0, worst=None)
    ), weights


_Factor = Callable[[Codes, tuple[str, ...]], Floats]


def _factors(recipe: Recipe) -> Iterable[tuple[frozenset[str], _Factor]]:
    """What multiplies the weight of a combination, with the variables it needs to know."""
    for margin in recipe.margins:
        yield frozenset(margin.vars), _lookup(recipe, margin.vars, (recipe.shares(margin) > 0).astype(np.float64))
    if recipe.seed_table is not None:
        counts = recipe.flat(recipe.seed_table.vars, recipe.seed_table.table)
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
        words = key.split(SEPARATOR)
        fitting = [
            (sum(w != "*" for w in row.split(SEPARATOR)), row)
            for row in part.table
            if all(r in {"*", w} for r, w in zip(row.split(SEPARATOR), words, strict=True))
        ]
        if not fitting:
            out.append([np.nan] * len(children))
            continue
        most = max(named for named, _ in fitting)
        best = sorted(row for named, row in fitting if named == most)
        if len(best) > 1:
            raise RecipeError(
                f"conditional {part.child!r}: rows {best[0]!r} and {best[1]!r} both speak of {key!r}.",
                hint=f"Add a row {key!r} that decides.",
            )
        row = part.table[best[0]]
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


def _rake(weights: Floats, indexes: list[Indexes], targets: list[Floats]) -> tuple[Floats, int, bool]:
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


def _residual(
    recipe: Recipe, margins: list[Margin], indexes: list[Indexes], targets: list[Floats], shares: Floats
) -> tuple[float, str | None]:
    largest, where = 0.0, None
    for margin, index, target in zip(margins, indexes, targets, strict=True):
        gap = np.abs(totals(index, shares, len(target)) - target)
        cell = int(gap.argmax())
        if gap[cell] > largest:
            largest, where = float(gap[cell]), f"{margin.name}: {recipe.cells(margin.vars)[cell]}"
    return largest, where


def _check_cells_filled(
    recipe: Recipe, margins: list[Margin], indexes: list[Indexes], targets: list[Floats], weights: Floats
) -> None:
    """Every target above 0 needs at least one combination that may occur."""
    for margin, index, target in zip(margins, indexes, targets, strict=True):
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
