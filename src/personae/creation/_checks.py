"""What a recipe must satisfy before any arithmetic: names that exist, shares that add up, margins that agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from personae.core import RecipeError
from personae.creation._documents import require_known
from personae.creation._drawn import check_drawn
from personae.creation._names import LISTS, list_of
from personae.creation._paths import leaf_kind
from personae.creation._recipe import SEPARATOR, SUM_TOLERANCE

if TYPE_CHECKING:
    from personae.creation._recipe import Margin, Recipe, Strata

AGREEMENT: Final = 2e-3
"""Two margins may disagree by this share on a cell they both speak of (rounding in print)."""
_LISTED: Final = 6


def check_recipe(recipe: Recipe) -> None:
    """Raise the first thing that is wrong with a recipe; silent when it is sound."""
    _check_variables(recipe)
    for margin in recipe.margins:
        where = f"margin {margin.name!r}"
        _check_vars(recipe, margin.vars, where)
        _check_cells(recipe, margin.vars, margin.table, where)
        if margin.unit == "share":
            _check_sum(margin.table.values(), where)
        elif math.fsum(margin.table.values()) <= 0:
            raise RecipeError(f"{where}: all counts are 0.", hint="Give at least one cell a count.")
    named = [frozenset(m.vars) for m in recipe.margins]
    for k, vars_ in enumerate(named):
        if vars_ in named[:k]:
            raise RecipeError(f"margin {recipe.margins[k].name!r} is given twice.", hint="Keep one of them.")
    _check_quota_totals(recipe)
    _check_agreement(recipe)
    _check_conditionals(recipe)
    if recipe.seed_table is not None:
        _check_vars(recipe, recipe.seed_table.vars, "seed_table")
        _check_cells(recipe, recipe.seed_table.vars, recipe.seed_table.table, "seed_table")
        if math.fsum(recipe.seed_table.table.values()) <= 0:
            raise RecipeError("seed_table: all counts are 0.", hint="Give at least one cell a count.")
    if recipe.strata is not None:
        check_strata(recipe, recipe.strata)
    _check_rules(recipe)
    _check_coverage(recipe)
    _check_seed_covers(recipe)
    _check_people(recipe)
    check_drawn(recipe)


def _check_variables(recipe: Recipe) -> None:
    for name, variable in recipe.variables.items():
        where = f"variable {name!r}"
        if bool(variable.values) == bool(variable.bins):
            raise RecipeError(
                f"{where} needs either values or bins.", hint="values: [a, b] or bins: {young: [18, 39]}."
            )
        labels = variable.labels
        twice = sorted({v for v in labels if labels.count(v) > 1})
        if twice:
            raise RecipeError(f"{where}: {twice[0]!r} is listed twice.", hint="Keep one of them.")
        for label in variable.text:
            require_known(label, labels, f"{where}: text")
        spans = sorted((low, high, label) for label, (low, high) in variable.bins.items())
        for low, high, label in spans:
            if low > high:
                raise RecipeError(f"{where}: bin {label!r} runs from {low} to {high}.", hint="Write [lowest, highest].")
        for (_, high, one), (low, _, two) in pairwise(spans):
            if low <= high:
                raise RecipeError(f"{where}: bins {one!r} and {two!r} both hold {low}.", hint="Bins must not overlap.")
        if variable.path is not None:
            kind = leaf_kind(variable.path, where)
            if kind == "number" and not variable.bins:
                raise RecipeError(f"{where}: {variable.path!r} is a number.", hint="Give bins, not values.")
            if variable.path == "social.age" and (spans[0][0] < 0 or spans[-1][1] > 120):
                raise RecipeError(f"{where}: ages from {spans[0][0]} to {spans[-1][1]}, expected 0 to 120.")


def _check_vars(recipe: Recipe, names: tuple[str, ...], where: str) -> None:
    for name in names:
        require_known(name, recipe.variables, where, kind="variable")
    if len(set(names)) < len(names):
        raise RecipeError(f"{where} names a variable twice.", hint="Name each variable once.")


def _check_cells(recipe: Recipe, names: tuple[str, ...], table: Mapping[str, float], where: str) -> None:
    for cell in table:
        parts = cell.split(SEPARATOR)
        if len(parts) != len(names):
            raise RecipeError(
                f"{where}: cell {cell!r} has {len(parts)} value(s), expected {len(names)} ({', '.join(names)})."
            )
        for name, part in zip(names, parts, strict=True):
            require_known(part, recipe.variables[name].labels, f"{where}, cell {cell!r}", kind=f"value of {name!r}")


def _check_sum(values: Iterable[float], where: str) -> None:
    total = math.fsum(values)
    if abs(total - 1) > SUM_TOLERANCE:
        raise RecipeError(
            f"{where}: shares sum to {total:.6g}, expected 1 (off by {total - 1:+.6g}).",
            hint="Correct the shares, or write unit: count.",
        )


def _check_quota_totals(recipe: Recipe) -> None:
    """Hard quotas given as counts are counts of the same people."""
    counted = [(m.name, math.fsum(m.table.values())) for m in recipe.margins if m.hard and m.unit == "count"]
    for (one, first), (two, second) in pairwise(counted):
        if abs(first - second) > SUM_TOLERANCE * first:
            raise RecipeError(
                f"hard quotas {one!r} and {two!r} sum to different numbers of people: {first:,.10g} and "
                f"{second:,.10g}.",
                hint="Quotas count the same people: correct one of them, or give shares.",
            )


def _check_agreement(recipe: Recipe) -> None:
    """Margins that share variables must say the same about them."""
    for k, one in enumerate(recipe.margins):
        for two in recipe.margins[:k]:
            shared = tuple(v for v in one.vars if v in two.vars)
            if not shared or (recipe.conflict == "soft" and not (one.hard and two.hard)):
                continue
            first, second = collapse(recipe, two, shared), collapse(recipe, one, shared)
            gap = second - first
            worst = [c for c in np.argsort(-np.abs(gap)).tolist() if abs(gap[c]) > AGREEMENT]
            if worst:
                cells = recipe.cells(shared)
                told = "; ".join(
                    f"{cells[c]}: {first[c]:.4f} against {second[c]:.4f} (gap {gap[c]:+.4f})" for c in worst[:_LISTED]
                )
                more = f"; and {len(worst) - _LISTED} more" if len(worst) > _LISTED else ""
                raise RecipeError(
                    f"margins {two.name!r} and {one.name!r} contradict each other about {' x '.join(shared)}: "
                    f"{told}{more}.",
                    hint="Both must give the same shares for what they have in common"
                    + ("." if one.hard and two.hard else "; or write conflict: soft for the nearest compromise."),
                )


def check_strata(recipe: Recipe, strata: Strata) -> None:
    """Refuse strata whose variables or shares do not fit the recipe."""
    _check_vars(recipe, strata.vars, "strata")
    if not isinstance(strata.allocation, str):
        _check_cells(recipe, strata.vars, strata.allocation, "strata")
        _check_sum(strata.allocation.values(), "strata")


def collapse(recipe: Recipe, margin: Margin, names: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Shares of a margin summed down to some of its variables, flat, last of `names` fastest."""
    shape = tuple(len(recipe.variables[v].labels) for v in margin.vars)
    drop = tuple(a for a, v in enumerate(margin.vars) if v not in names)
    kept = [v for v in margin.vars if v in names]
    body = recipe.shares(margin).reshape(shape).sum(axis=drop)
    return np.asarray(np.transpose(body, [kept.index(v) for v in names]).reshape(-1))


def _check_conditionals(recipe: Recipe) -> None:
    parents: dict[str, tuple[str, ...]] = {}
    for part in recipe.conditionals:
        where = f"conditional {part.child!r}"
        _check_vars(recipe, (part.child, *part.parents), where)
        if part.child in parents:
            raise RecipeError(f"{where} is given twice.", hint="One conditional table per variable.")
        parents[part.child] = part.parents
        for key, row in part.table.items():
            words = key.split(SEPARATOR)
            if len(words) != len(part.parents):
                raise RecipeError(
                    f"{where}: row {key!r} has {len(words)} value(s), expected {len(part.parents)} "
                    f"({', '.join(part.parents)})."
                )
            for name, word in zip(part.parents, words, strict=True):
                if word != "*":
                    require_known(
                        word, recipe.variables[name].labels, f"{where}, row {key!r}", kind=f"value of {name!r}"
                    )
            for label in row:
                require_known(label, recipe.variables[part.child].labels, f"{where}, row {key!r}")
            _check_sum(row.values(), f"{where}, row {key!r}")
    for start, above in parents.items():
        trail, here = [start], list(above)
        while here:
            name = here.pop()
            if name == start:
                raise RecipeError(
                    f"conditional tables run in a circle: {' <- '.join([*trail, start])}.",
                    hint="A variable cannot follow itself: drop one of these tables.",
                )
            if name not in trail:
                trail.append(name)
                here += parents.get(name, ())


def _check_rules(recipe: Recipe) -> None:
    codes = [rule.code for rule in recipe.rules]
    for code in codes:
        if codes.count(code) > 1:
            raise RecipeError(f"rule {code!r} is given twice.", hint="Give each rule its own code.")
    for rule in recipe.rules:
        if rule.beyond_categories:
            raise RecipeError(
                f"rule {rule.code!r} uses {', '.join(rule.beyond_categories)}, which categories cannot decide.",
                hint="A recipe's rule says when, forbid and require about values of its variables; put this one into "
                "a rule pack, which reads finished people.",
            )
        for _, name, match in rule.matches():
            where = f"rule {rule.code!r}"
            require_known(name, recipe.variables, where, kind="field")
            variable = recipe.variables[name]
            for word in match.words:
                require_known(word, variable.labels, where, kind=f"value of {name!r}")
            if match.ranged and not variable.bins:
                raise RecipeError(f"{where}: min and max need a variable with bins; {name!r} has values.")


def _check_coverage(recipe: Recipe) -> None:
    used: dict[str, set[str]] = {name: set() for name in recipe.variables}
    tables = [(m.vars, m.table) for m in recipe.margins]
    if recipe.seed_table is not None:
        tables.append((recipe.seed_table.vars, recipe.seed_table.table))
    for names, table in tables:
        for cell in table:
            for name, word in zip(names, cell.split(SEPARATOR), strict=True):
                used[name].add(word)
    for part in recipe.conditionals:
        for row in part.table.values():
            used[part.child] |= set(row)
    for name, words in used.items():
        if not words:
            raise RecipeError(
                f"variable {name!r} has no margin, conditional table or seed table.", hint="Say how it is distributed."
            )
        missing = [v for v in recipe.variables[name].labels if v not in words]
        if missing:
            raise RecipeError(
                f"variable {name!r}: no table says how many are {missing[0]!r}.",
                hint="Give it a share (0 is allowed) or drop the value.",
            )


def _check_seed_covers(recipe: Recipe) -> None:
    """What a conditional table gives a share needs somebody in the seed: a seed without anybody lets nobody be it."""
    if recipe.seed_table is None:
        return
    found: dict[str, set[str]] = {name: set() for name in recipe.seed_table.vars}
    for cell, count in recipe.seed_table.table.items():
        for name, word in zip(recipe.seed_table.vars, cell.split(SEPARATOR), strict=True):
            if count > 0:
                found[name].add(word)
    for part in recipe.conditionals:
        if part.child in found:
            wanted = {word for row in part.table.values() for word, share in row.items() if share > 0}
            lacking = [v for v in recipe.variables[part.child].labels if v in wanted - found[part.child]]
            if lacking:
                raise RecipeError(
                    f"conditional {part.child!r} gives {lacking[0]!r} a share, but nobody in the seed_table is "
                    f"{lacking[0]!r}.",
                    hint="Give it a count in the seed, or the share 0.",
                )


def _check_people(recipe: Recipe) -> None:
    for path in recipe.constants:
        if leaf_kind(path, "constants") == "number":
            raise RecipeError(f"constants: {path!r} is a number.", hint="Constants are words.")
    if recipe.places and math.fsum(recipe.places.values()) <= 0:
        raise RecipeError("places: all weights are 0.", hint="Give at least one place a weight.")
    taken = [v.path for v in recipe.variables.values() if v.path] + list(recipe.constants)
    taken += ["social.residence"] if recipe.places else []
    for path in taken:
        if taken.count(path) > 1 and leaf_kind(path, "variables") != "list":
            raise RecipeError(f"two things go to {path!r}.", hint="Each path holds one value: drop or move one.")
        if path.startswith("names."):
            raise RecipeError(f"{path!r} cannot be set by a variable.", hint="Use names.")
    chooser = naming_variable(recipe)
    wanted = {list_of(label) for label in recipe.variables[chooser].labels} if chooser else {"neutral"}
    lacking = [label for label in LISTS if label in wanted and not recipe.names.lists.get(label)]
    if lacking:
        raise RecipeError(
            f"names.given has no {lacking[0]!r} list, but people of this population need one.",
            hint=f"Add names.given.{lacking[0]}.",
        )


def naming_variable(recipe: Recipe) -> str | None:
    """The variable that chooses the list of given names."""
    if recipe.names.variable is not None:
        require_known(recipe.names.variable, recipe.variables, "names.variable", kind="variable")
        return recipe.names.variable
    for path in ("social.gender", "social.sex"):
        for name, variable in recipe.variables.items():
            if variable.path == path:
                return name
    return None
