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
_FEW: Final = 4
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


@dataclass(frozen=True, slots=True, eq=False)
class NameCodes:
    """Names of many people: indexes into `NameBook.given_words` and `family_words`, and the round of initials."""

    given: Indexes
    family: Indexes
    turn: Indexes


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
        self.given_words: Final = tuple(name for label in LISTS for name in self._given[label])
        self.family_words: Final = self._surnames

    def has(self, label: NameList) -> bool:
        """Whether there are given names for this list."""
        return bool(self._given[label])

    def name(self, k: int, label: NameList) -> PersonName:
        """The name of person k."""
        return self.names(np.array([k], dtype=np.int64), [label])[0]

    def names(self, k: Indexes, labels: list[NameList]) -> list[PersonName]:
        """The names of many people; `labels` says which given-name list suits each."""
        codes = self.codes(k, np.array([LISTS.index(label) for label in labels], dtype=np.int64))
        out: list[PersonName] = []
        for g, s, turn in zip(codes.given.tolist(), codes.family.tolist(), codes.turn.tolist(), strict=True):
            given, family = self.given_words[g], self.family_words[s]
            out.append(PersonName(given, family, f"{given} {initials(turn)}{family}"))
        return out

    def codes(self, k: Indexes, lists: Indexes) -> NameCodes:
        """The names of many people as codes.

        Args:
            k: who.
            lists: which given-name list suits each, as an index into `LISTS`.
        """
        blocks, inverse = np.unique(k // _TICKETS, return_inverse=True)
        surname, holder = np.empty_like(k), np.empty_like(k)
        order = np.argsort(inverse, kind="stable")
        edges = np.concatenate([[0], np.cumsum(np.bincount(inverse, minlength=len(blocks)))])
        for start in range(0, len(blocks), _KEPT):
            end = min(start + _KEPT, len(blocks))
            owners, ranks = self._some_blocks(blocks[start:end])
            rows = order[edges[start] : edges[end]]
            at = (inverse[rows] - start, k[rows] % _TICKETS)
            surname[rows], holder[rows] = owners[at], ranks[at]
        given, turn = np.empty_like(k), np.empty_like(k)
        first = 0
        for code, label in enumerate(LISTS):
            rows = np.flatnonzero(lists == code)
            if len(rows):
                ranked, lengths = self._order(label)
                s, j = surname[rows], holder[rows]
                given[rows] = first + ranked[s, j % lengths[s]]
                turn[rows] = j // lengths[s]
            first += len(self._given[label])
        return NameCodes(given, surname, turn)

    def _order(self, label: NameList) -> tuple[Indexes, Indexes]:
        if label not in self._orders:
            self._orders[label] = _orders(self._key, LISTS.index(label), self._surnames, self._weights[label])
        return self._orders[label]

    def _some_blocks(self, blocks: Indexes) -> tuple[Indexes, Indexes]:
        """Surname of each place in some blocks, and which holder of it that place is, counted over all blocks.

        Both (blocks, tickets). A few blocks are kept, for people who are made one at a time.
        """
        if len(blocks) > _FEW:
            return self._make_blocks(blocks)
        for block in blocks.tolist():
            if block not in self._blocks:
                if len(self._blocks) >= _KEPT:
                    self._blocks.clear()
                owners, ranks = self._make_blocks(np.array([block], dtype=np.int64))
                self._blocks[block] = (owners[0], ranks[0])
        kept = [self._blocks[block] for block in blocks.tolist()]
        return np.stack([own for own, _ in kept]), np.stack([ranks for _, ranks in kept])

    def _make_blocks(self, blocks: Indexes) -> tuple[Indexes, Indexes]:
        keys: Words = mix((blocks + 1).astype(np.uint64) ^ np.uint64(self._key))
        places = np.tile(np.arange(_TICKETS, dtype=np.int64), len(blocks))
        owner = self._owner[permute(places, _TICKETS, np.repeat(keys, _TICKETS))].reshape(-1, _TICKETS)
        order = np.argsort(owner, axis=1, kind="stable")
        rank = np.empty_like(owner)
        sorted_owner = np.take_along_axis(owner, order, axis=1)
        np.put_along_axis(rank, order, np.arange(_TICKETS) - self._starts[sorted_owner], axis=1)
        return owner, blocks[:, None] * self._held[owner] + rank


def initials(turn: int) -> str:
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
