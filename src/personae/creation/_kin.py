"""Kin: what members of a household are to each other, and how old they have to be for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import Field

from personae.core import Frozen
from personae.creation._draws import Floats, Indexes

Role = Literal["head", "spouse", "partner", "child", "parent", "sibling", "grandchild", "relative", "flatmate"]
_COUPLE: Final = frozenset({"spouse", "partner"})
_FAR: Final = 1000.0


class AgeRules(Frozen):
    """Ages of kin in years.

    What breaks them cannot be: such seed households are left out, and the ages of a household are drawn together,
    inside their bins, so that they hold.

    Args:
        adult: least age of heads, spouses and partners.
        parent_gap: how much younger a child is than each of its parents, least and most.
        grandparent_gap: likewise between grandchildren and the head (and spouse).
        couple_gap: most years between the two of a couple.
        sibling_gap: most years between brothers and sisters.
    """

    adult: int = Field(default=18, ge=0, le=120)
    parent_gap: tuple[int, int] = (14, 55)
    grandparent_gap: tuple[int, int] = (28, 90)
    couple_gap: int = Field(default=20, ge=0)
    sibling_gap: int = Field(default=30, ge=0)


# What b is to a, by their roles; women, men, and words for others. Ours, in everyday words.
_WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "spouse": ("wife", "husband", "spouse"),
    "partner": ("partner", "partner", "partner"),
    "child": ("daughter", "son", "child"),
    "parent": ("mother", "father", "parent"),
    "sibling": ("sister", "brother", "sibling"),
    "grandchild": ("granddaughter", "grandson", "grandchild"),
    "grandparent": ("grandmother", "grandfather", "grandparent"),
    "parent-in-law": ("mother-in-law", "father-in-law", "parent-in-law"),
    "child-in-law": ("daughter-in-law", "son-in-law", "child-in-law"),
    "sibling-in-law": ("sister-in-law", "brother-in-law", "sibling-in-law"),
    "aunt": ("aunt", "uncle", "relative"),
    "niece": ("niece", "nephew", "relative"),
    "relative": ("relative", "relative", "relative"),
    "flatmate": ("flatmate", "flatmate", "flatmate"),
    "parent's partner": ("mother's or father's partner", "mother's or father's partner", "parent's partner"),
    "partner's child": ("partner's daughter", "partner's son", "partner's child"),
}
_PLURALS: Final = {"child": "children", "grandchild": "grandchildren", "wife": "wives", "spouse": "spouses"}
_TIES: Final[dict[tuple[str, str], str]] = {
    ("head", "spouse"): "spouse", ("spouse", "head"): "spouse",
    ("head", "partner"): "partner", ("partner", "head"): "partner",
    ("head", "child"): "child", ("spouse", "child"): "child", ("partner", "child"): "partner's child",
    ("child", "head"): "parent", ("child", "spouse"): "parent", ("child", "partner"): "parent's partner",
    ("child", "child"): "sibling",
    ("head", "parent"): "parent", ("spouse", "parent"): "parent-in-law", ("partner", "parent"): "relative",
    ("parent", "head"): "child", ("parent", "spouse"): "child-in-law", ("parent", "partner"): "relative",
    ("parent", "parent"): "spouse", ("child", "parent"): "grandparent", ("parent", "child"): "grandchild",
    ("head", "sibling"): "sibling", ("sibling", "head"): "sibling", ("sibling", "sibling"): "sibling",
    ("spouse", "sibling"): "sibling-in-law", ("sibling", "spouse"): "sibling-in-law",
    ("child", "sibling"): "aunt", ("sibling", "child"): "niece",
    ("parent", "sibling"): "child", ("sibling", "parent"): "parent",
    ("head", "grandchild"): "grandchild", ("spouse", "grandchild"): "grandchild",
    ("grandchild", "head"): "grandparent", ("grandchild", "spouse"): "grandparent",
    ("grandchild", "grandchild"): "relative",
}  # fmt: skip


def tie(own: str, other: str) -> str:
    """What a member with role `other` is to one with role `own`, without regard to sex, such as `parent`."""
    if "flatmate" in {own, other}:
        return "flatmate"
    return _TIES.get((own, other), "relative")


def kin_word(own: str, other: str, sex: float) -> str:
    """The everyday word: `mother`, `son`, `flatmate`.

    Args:
        own: role of the one who speaks.
        other: role of the one spoken of.
        sex: of the one spoken of: 1 for women, 0 for men, NaN for others.
    """
    woman, man, else_ = _WORDS[tie(own, other)]
    return woman if sex == 1 else man if sex == 0 else else_


def company(words: Sequence[str]) -> str:
    """Whom somebody lives with: `a wife and two sons`; `alone` for nobody."""
    if not words:
        return "alone"
    numbers = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
    parts: list[str] = []
    for word in dict.fromkeys(words):
        many = words.count(word)
        if many == 1:
            parts.append(f"{'an' if word[0] in 'aeiou' else 'a'} {word}")
        else:
            plural = _PLURALS.get(word, word.replace("-in-law", "s-in-law") if word.endswith("-in-law") else f"{word}s")
            parts.append(f"{numbers.get(many, str(many))} {plural}")
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def age_distances(roles: Sequence[str], low: Sequence[int], high: Sequence[int], ages: AgeRules) -> Floats | None:
    """The most by which one member's age may exceed another's, all rules taken together; None when they cannot hold.

    A system of difference constraints: x_i - x_j <= D[i, j], with a last node that stands for age 0. After closing it
    (Floyd and Warshall), any age inside the bounds can be completed to a whole household.

    Args:
        roles: of each member.
        low: youngest age of each member's bin.
        high: oldest age of each member's bin.
        ages: the rules.

    Returns:
        Shape (members + 1, members + 1).
    """
    size = len(roles)
    d = np.full((size + 1, size + 1), _FAR)
    np.fill_diagonal(d, 0.0)
    for i in range(size):
        adult = roles[i] == "head" or roles[i] in _COUPLE
        d[i, size] = high[i]
        d[size, i] = -max(low[i], ages.adult if adult else 0)
    for i, own in enumerate(roles):
        for j, other in enumerate(roles):
            if i == j:
                continue
            kind = tie(own, other)  # what j is to i
            if kind in {"parent", "parent's partner"}:
                least, most = ages.parent_gap if kind == "parent" else (0, _FAR)
                d[i, j], d[j, i] = min(d[i, j], -least), min(d[j, i], most)
            elif kind == "grandparent":
                least, most = ages.grandparent_gap
                d[i, j], d[j, i] = min(d[i, j], -least), min(d[j, i], most)
            elif kind in {"spouse", "partner"}:
                d[i, j] = min(d[i, j], ages.couple_gap)
            elif kind == "sibling":
                d[i, j] = min(d[i, j], ages.sibling_gap)
    for k in range(size + 1):
        d = np.minimum(d, d[:, k : k + 1] + d[k : k + 1, :])
    return None if (np.diag(d) < 0).any() else d


def draw_ages(distances: Floats, draws: Floats) -> Indexes:
    """Whole ages of all members of many households of one kind.

    Args:
        distances: from `age_distances`.
        draws: uniforms, shape (households, members).

    Returns:
        Shape (households, members).
    """
    rows, size = draws.shape
    out = np.zeros((rows, size), dtype=np.int64)
    for i in range(size):
        low, high = np.full(rows, -distances[size, i]), np.full(rows, distances[i, size])
        for j in range(i):
            low = np.maximum(low, out[:, j] - distances[j, i])
            high = np.minimum(high, out[:, j] + distances[i, j])
        out[:, i] = (low + np.floor(draws[:, i] * (high - low + 1))).astype(np.int64)
    return out
