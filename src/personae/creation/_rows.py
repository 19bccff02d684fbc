"""Tables with one row per combination of given values, where `*` stands for any value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from personae.core import RecipeError

SEPARATOR: Final = " | "


def best_row(keys: Iterable[str], words: Sequence[str], where: str) -> str | None:
    """The row that speaks of a combination: of those that fit, the one that names most values; None if none fits.

    Raises:
        RecipeError: two rows fit and name as many values.
    """
    found: dict[str, int] = {}
    for key in keys:
        parts = ("*",) * len(words) if key == "*" else _parts(key)
        if len(parts) == len(words) and all(p in {"*", w} for p, w in zip(parts, words, strict=True)):
            found[key] = sum(p != "*" for p in parts)
    if not found:
        return None
    most = max(found.values())
    best = sorted(key for key, named in found.items() if named == most)
    if len(best) > 1:
        raise RecipeError(
            f"{where}: rows {best[0]!r} and {best[1]!r} both speak of {SEPARATOR.join(words)!r}.",
            hint=f"Add a row {SEPARATOR.join(words)!r} that decides.",
        )
    return best[0]


@lru_cache(maxsize=65_536)
def _parts(key: str) -> tuple[str, ...]:
    return tuple(key.split(SEPARATOR)) if key else ()
