"""Names: frequent given and family names, unlike any other in the same population, without looking at the others.

People are named in blocks of 1,024. A keyed shuffle of tickets (surnames hold tickets by frequency) gives everybody in
the block a surname, which makes person k the j-th holder of it; the given name is the j-th in that surname's own
weighted order of the given names, and when the order is used up, the next round carries a middle initial. So
(surname, j) is unique, and with it the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from personae.core import Frozen, RecipeError, UnknownKeyError, derive_seed, sha256_hex
from personae.creation._documents import parse_yaml, shipped, shipped_names
from personae.creation._draws import Floats, Indexes, Words, mix, permute, uniforms

NameList = Literal["female", "male", "neutral"]
LISTS: Final[tuple[NameList, ...]] = ("female", "male", "neutral")
_TICKETS: Final = 1024
_KEPT: Final = 64
"""Blocks kept in memory (16 kB each); any of them is made again when it is needed."""
_FEMALE: Final = frozenset({"female", "woman", "women", "girl", "f", "w"})
_MALE: Final = frozenset({"male", "man", "men", "boy", "m"})
_INITIALS: Final = "ABCDEFGHIJKLMNOPRSTVWYZ"


def list_of(label: object) -> NameList:
    """Which given names suit a value of a sex or gender variable."""
    word = str(label).lower()
    return "female" if word in _FEMALE else "male" if word in _MALE else "neutral"


class NamesSpec(Frozen):
    """Which names people get: a shipped list (`us`, `world`, `harbour`) or lists of one's own.

    Args:
        shipped: name of a shipped list; ignored when `surnames` is given.
        given: `female`, `male` and `neutral` lists, most frequent first or as {name: weight}.
        surnames: likewise.
        variable: the variable that chooses the list; by default the one at `social.sex` or `social.gender`.
    """

    shipped: str = "us"
    given: dict[NameList, dict[str, float]] = Field(default_factory=dict)
    surnames: dict[str, float] = Field(default_factory=dict)
    variable: str | None = None

    @field_validator("given", mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:
        return {k: _weighted(v, f"names.given.{k}") for k, v in value.items()} if isinstance(value, Mapping) else value

    @field_validator("surnames", mode="before")
    @classmethod
    def _surnames(cls, value: Any) -> Any:
        return _weighted(value, "names.surnames")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.surnames) != bool(self.given):
            raise RecipeError(
                "names: own lists need both given and surnames.", hint="Add the missing one, or name a list."
            )
        owner: dict[str, str] = {}
        for label, names in self.given.items():
            for name in names:
                if name in owner:
                    raise RecipeError(
                        f"names.given: {name!r} stands in {owner[name]!r} and in {label!r}.",
                        hint="Keep it in one of them (or in neutral): full names are unique because the lists are.",
                    )
                owner[name] = label
        if len(self.surnames) > _TICKETS:
            raise RecipeError(
                f"names.surnames: {len(self.surnames)} names, at most {_TICKETS}.", hint="Keep the commonest."
            )
        if not self.surnames:
            _ = _shipped_lists(self.shipped)
        return self

    @cached_property
    def lists(self) -> dict[str, dict[str, float]]:
        """`female`, `male`, `neutral` and `surnames`, each name with its weight."""
        if not self.surnames:
            return _shipped_lists(self.shipped)
        return {**{k: dict(v) for k, v in self.given.items()}, "surnames": dict(self.surnames)}

    @cached_property
    def digest(self) -> str:
        """Hash of all names in order: part of a recipe's hash, so that a changed list is a changed recipe."""
        return sha256_hex({k: list(v.items()) for k, v in self.lists.items()})[:16]


@dataclass(frozen=True, slots=True)
class PersonName:
    """What one person is called."""

    given: str
    family: str
    full: str


class NameBook:
    """Names of one population, by k. Two people never share a full name; nothing is remembered between calls."""

    def __init__(self, spec: NamesSpec, seed: int, key: str) -> None:
        lists = spec.lists
        self._key = derive_seed(seed, key, "names")
        self._surnames = tuple(lists["surnames"])
        weights = np.array(list(lists["surnames"].values()))
        held = _tickets(weights)
        self._held = held
        self._owner = np.repeat(np.arange(len(held)), held)
        self._starts = np.cumsum(held) - held
        self._blocks: dict[int, tuple[Indexes, Indexes]] = {}
        self._given = {label: tuple(lists.get(label, ())) for label in LISTS}
        self._weights = lists
        self._orders: dict[NameList, tuple[Indexes, Indexes]] = {}

    def has(self, label: NameList) -> bool:
        """Whether there are given names for this list."""
        return bool(self._given[label])

    def name(self, k: int, label: NameList) -> PersonName:
        """The name of person k."""
        return self.names(np.array([k], dtype=np.int64), [label])[0]

    def names(self, k: Indexes, labels: list[NameList]) -> list[PersonName]:
        """The names of many people; `labels` says which given-name list suits each."""
        surname, holder = np.empty_like(k), np.empty_like(k)
        for block in np.unique(k // _TICKETS).tolist():
            rows = k // _TICKETS == block
            owners, ranks = self._block(block)
            surname[rows], holder[rows] = owners[k[rows] % _TICKETS], ranks[k[rows] % _TICKETS]
        out: list[PersonName] = []
        for s, j, label in zip(surname.tolist(), holder.tolist(), labels, strict=True):
            order, lengths = self._order(label)
            given = self._given[label][order[s, j % lengths[s]]]
            middle = _middle(j // int(lengths[s]))
            family = self._surnames[s]
            out.append(PersonName(given, family, f"{given} {middle}{family}"))
        return out

    def _order(self, label: NameList) -> tuple[Indexes, Indexes]:
        if label not in self._orders:
            self._orders[label] = _orders(self._key, LISTS.index(label), self._surnames, self._weights[label])
        return self._orders[label]

    def _block(self, block: int) -> tuple[Indexes, Indexes]:
        """Surname of each place in a block, and which holder of it that place is, counted over all blocks."""
        if block not in self._blocks:
            if len(self._blocks) >= _KEPT:
                self._blocks.clear()
            key: Words = mix(np.array([block + 1], dtype=np.uint64) ^ np.uint64(self._key))
            owner = self._owner[permute(np.arange(_TICKETS, dtype=np.int64), _TICKETS, int(key[0]))]
            order = np.argsort(owner, kind="stable")
            rank = np.empty_like(owner)
            rank[order] = np.arange(_TICKETS) - self._starts[owner[order]]
            self._blocks[block] = (owner, block * self._held[owner] + rank)
        return self._blocks[block]


def _middle(turn: int) -> str:
    """'' for the first round, then `A. ` … `Z. `, then two initials, and so on."""
    letters = ""
    while turn > 0:
        turn -= 1
        letters = f"{_INITIALS[turn % len(_INITIALS)]}. {letters}"
        turn //= len(_INITIALS)
    return letters


def _tickets(weights: Floats) -> Indexes:
    """Tickets per surname: at least one each, the rest by largest remainder of the weights."""
    rest = weights / weights.sum() * (_TICKETS - len(weights))
    out = np.floor(rest).astype(np.int64)
    order = np.argsort(-(rest - out), kind="stable")
    out[order[: _TICKETS - len(weights) - int(out.sum())]] += 1
    return out + 1


def _orders(key: int, lane: int, surnames: tuple[str, ...], given: Mapping[str, float]) -> tuple[Indexes, Indexes]:
    """Per surname a weighted order of the given names (Efraimidis and Spirakis 2006) and its usable length.

    Pairs that are the name of a widely known person go to the end, outside the usable length.
    """
    weights = np.array(list(given.values()))
    u = uniforms(derive_seed(key, "given", lane), np.arange(len(surnames), dtype=np.int64), 0, len(weights))
    rank = -np.log(u) / (weights / weights.sum())
    lengths = np.full(len(surnames), len(weights), dtype=np.int64)
    known, column = _known_people(), {name: c for c, name in enumerate(given)}
    for row, surname in enumerate(surnames):
        barred = [column[name] for name in known.get(surname, ()) if name in column]
        if len(barred) < len(weights):
            rank[row, barred] = np.inf
            lengths[row] -= len(barred)
    return np.argsort(rank, axis=1, kind="stable"), lengths


def is_public_name(name: str) -> bool:
    """Whether a full name is that of a widely known person, as far as our list goes (given names and last surname).

    >>> is_public_name("Louis Armstrong"), is_public_name("Ana Reis")
    (True, False)
    """
    parts = name.split()
    return len(parts) > 1 and parts[0] in _known_people().get(parts[-1], ())


@lru_cache(maxsize=1)
def _known_people() -> Mapping[str, frozenset[str]]:
    text = shipped("names", "known_people.yaml")
    body = parse_yaml(text or "{}", "known_people")
    return {surname: frozenset(given) for surname, given in body["pairs"].items()}


@lru_cache(maxsize=8)
def _shipped_lists(name: str) -> dict[str, dict[str, float]]:
    text = shipped("names", f"{name}.yaml")
    if text is None:
        known = [n for n in shipped_names("names") if n != "known_people"]
        raise UnknownKeyError.of(name, known, where="names.shipped")
    body = parse_yaml(text, f"names/{name}.yaml")
    return {key: _weighted(body[key], f"names/{name}.{key}") for key in (*LISTS, "surnames")}


def _weighted(value: Any, where: str) -> Any:
    """{name: weight} from a mapping, or from a list (equal weights)."""
    if isinstance(value, (list, tuple)):
        names = [str(v) for v in value]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise RecipeError(f"{where}: {twice[0]!r} is listed twice.", hint="Keep one of them.")
        value = dict.fromkeys(names, 1.0)
    if isinstance(value, Mapping):
        for name, weight in value.items():
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight > 0 or weight == np.inf:
                raise RecipeError(f"{where}.{name}: weight {weight!r}, expected a number above 0.")
        return {str(name): float(weight) for name, weight in value.items()}
    return value
