"""Recipes and schemas by name or from a file."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from personae.core import RecipeError
from personae.creation._documents import parse_yaml, read_text, shipped, shipped_names
from personae.creation._recipe import Recipe


def load_recipe(source: str | Path) -> Recipe:
    """A recipe shipped with the package (by name) or in a YAML file (by path), fitted and so known to be sound.

    Raises:
        UnknownKeyError: an unknown key at any depth, or an unknown label; the nearest is suggested.
        RecipeError: malformed YAML, not UTF-8, weights that are negative or NaN, shares that do not add up, margins
            that contradict each other, quotas that cannot be met: cells and gaps are named.

    Example:
        >>> load_recipe("harbour_town").variables["sex"].labels
        ('female', 'male')
    """
    text, where = load_text(source, "recipes", "recipe")
    if "seed_file" not in text:
        return _kept(text, where)
    return _read(text, where, Path(source).parent)  # never from memory: the file it names may have changed


def recipe_from_yaml(text: str, *, where: str = "recipe") -> Recipe:
    """A recipe out of YAML text (what `Recipe.to_yaml` writes), fitted.

    Raises:
        UnknownKeyError, RecipeError: as for `load_recipe`.
    """
    return _kept(text, where)


@lru_cache(maxsize=8)
def _kept(text: str, where: str) -> Recipe:
    return _read(text, where, None)


def _read(text: str, where: str, folder: Path | None) -> Recipe:
    recipe = Recipe.of(parse_yaml(text, where, error=RecipeError), where=where, folder=folder)
    _ = recipe.fitted
    _ = recipe.enrichment
    return recipe


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    return shipped_names("recipes")


def load_text(source: str | Path, folder: str, what: str) -> tuple[str, str]:
    """Text of a shipped document or of a user's file, and how errors should call it."""
    name = str(source)
    if isinstance(source, str) and not name.endswith((".yaml", ".yml")) and "/" not in name:
        text = shipped(folder, f"{name}.yaml")
        if text is not None:
            return text, name
        if not Path(name).exists():
            known = shipped_names(folder)
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"Shipped: {', '.join(known)}."
            raise RecipeError(f"There is no {what} {name!r}.", hint=f"{hint} Or give the path of a YAML file.")
    return read_text(Path(source), error=RecipeError), name
