"""Quotas and strata said on a command line: `sex: female=.6, male=.4` is a hard margin, whatever the recipe says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from personae.core import RecipeError, UnknownKeyError
from personae.creation._recipe import SEPARATOR, Margin, Recipe

_FORM: Final = "VARIABLE: VALUE=SHARE, VALUE=SHARE …  (two variables: 'sex x age: female | 18-29=.2, …')"
_TIMES: Final = re.compile(r"\s+x\s+")


def with_quotas(recipe: Recipe, quotas: Sequence[str]) -> Recipe:
    """The recipe with these margins as hard quotas; margins of the same variables are replaced.

    Other margins over these variables may now say something else: they become soft targets, and the fit says how far
    they are off (`conflict: soft`).

    Args:
        recipe: what the quotas change.
        quotas: each `VARIABLE: VALUE=SHARE, …`; shares, which sum to 1, or whole numbers of people.

    Raises:
        RecipeError, UnknownKeyError: a quota that cannot be read, or that names something the recipe does not have.
    """
    if not quotas:
        return recipe
    margins: list[Any] = list(recipe.margins)
    asked: set[frozenset[str]] = set()
    for text in quotas:
        names, table = _parsed(recipe, text)
        if frozenset(names) in asked:
            raise RecipeError(f"quota {text!r}: {' x '.join(names)} has a quota already.", hint="Keep one of them.")
        asked.add(frozenset(names))
        margins = [m for m in margins if isinstance(m, dict) or frozenset(m.vars) != frozenset(names)]
        whole = all(v.is_integer() for v in table.values()) and math.fsum(table.values()) > 1
        unit = "count" if whole else "share"
        margins.append({"vars": names, "table": table, "unit": unit, "hard": True, "source": "asked for by quota"})
    touched = {v for names in asked for v in names}
    kept = [m if isinstance(m, dict) else _softened(m, touched) for m in margins]
    body = {name: getattr(recipe, name) for name in Recipe.model_fields}
    return Recipe.of({**body, "margins": kept, "conflict": "soft"}, where=f"quotas for {recipe.name!r}")


def with_strata(recipe: Recipe, strata: str | None) -> Recipe:
    """The recipe with as many people in every combination of some variables, `sex x age_band`, and weights for it.

    Hard margins over these variables become soft: no sample can have equal strata and the population's shares; counted
    by weight they are met all the same.

    Raises:
        RecipeError, UnknownKeyError: no variables are named, or ones that the recipe does not have.
    """
    if strata is None:
        return recipe
    names = tuple(_TIMES.split(strata.strip()))
    for name in names:
        if name not in recipe.variables:
            known = ", ".join(recipe.variables)
            raise UnknownKeyError(
                f"strata {strata!r}: unknown variable {name!r}.", hint=f"Known: {known}; joined by x, as 'a x b'."
            )
    body = {name: getattr(recipe, name) for name in Recipe.model_fields}
    margins = [_softened(m, set(names)) for m in recipe.margins]
    told = {"vars": names, "allocation": "equal"}
    return Recipe.of({**body, "margins": margins, "strata": told}, where=f"strata for {recipe.name!r}")


def _softened(margin: Margin, touched: set[str]) -> Margin:
    return margin.model_copy(update={"hard": False}) if touched & set(margin.vars) else margin


def _parsed(recipe: Recipe, text: str) -> tuple[tuple[str, ...], dict[str, float]]:
    head, colon, rest = text.partition(":")
    names = tuple(_TIMES.split(head.strip()))
    if not colon or not rest.strip():
        raise RecipeError(f"quota {text!r}: expected {_FORM}.", hint="Example: --quota 'sex: female=.6, male=.4'")
    for name in names:
        if name not in recipe.variables:
            raise UnknownKeyError.of(name, recipe.variables, where=f"quota {text!r}")
    known = set(recipe.cells(names))
    table: dict[str, float] = {}
    for part in rest.split(","):
        cell, equals, share = part.rpartition("=")
        cell = SEPARATOR.join(word.strip() for word in cell.split("|"))
        if not equals:
            raise RecipeError(f"quota {text!r}: {part.strip()!r} has no share.", hint=f"Expected {_FORM}.")
        if cell not in known:
            raise UnknownKeyError.of(cell, known, where=f"quota {text!r}")
        try:
            table[cell] = float(share)
        except ValueError as error:
            raise RecipeError(f"quota {text!r}: {share.strip()!r} is no number.", hint=f"Expected {_FORM}.") from error
    return names, table
