"""Names: frequent given and family names, unlike any other in the same population, without looking at the others.

People are named in blocks of 1,024. A keyed shuffle of tickets (surnames hold tickets by frequency) gives everybody in
the block a surname, which makes person k the j-th holder of it; the given name is the j-th in that surname's own
weighted order of the given names, and when the order is used up, the next round carries a middle initial. So
(surname, j) is unique, and with it the name.

Lists by birth decade share names, so there the j-th holder of a surname draws among those names that a keyed shuffle
puts into bucket j mod 8 of that surname, weighted by decade and sex; each eighth holder has one more middle initial.
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
_BUCKETS: Final = 8
_INITIALS: Final = "ABCDEFGHIJKLMNOPRSTVWYZ"


def list_of(label: object) -> NameList:
    """Which given names suit a value of a sex or gender variable."""
    word = str(label).lower()
    return "female" if word in _FEMALE else "male" if word in _MALE else "neutral"


class NamesSpec(Frozen):
    """Which names people get: a shipped list (`us`, `us_decades`, `de`, `es`, `world`, `harbour`) or one's own.

    Args:
        shipped: name of a shipped list; ignored when `surnames` is given.
        given: `female`, `male` and `neutral` lists, most frequent first or as {name: weight}.
        surnames: likewise.
        variable: the variable that chooses the list; by default the one at `social.sex` or `social.gender`.
        decades: {birth decade: {female: …, male: …}}; a list that is not there is taken from `given`. The given name
            then follows the age, so somebody drawn again in the same cell may have another one.
        year: the year in which people have their age; needed with decades.
    """

    shipped: str = "us"
    given: dict[NameList, dict[str, float]] = Field(default_factory=dict)
    surnames: dict[str, float] = Field(default_factory=dict)
    variable: str | None = None
    decades: dict[int, dict[NameList, dict[str, float]]] = Field(default_factory=dict)
    year: int | None = Field(default=None, ge=1000, le=3000)

    @field_validator("decades", mode="before")
    @classmethod
    def _decades(cls, value: Any) -> Any:
        return _by_decade(value, "names.decades")

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
        if bool(self.surnames) != bool(self.given or self.decades):
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
        if self.eras and self.year is None:
            raise RecipeError(
                f"names: {self.shipped if not self.surnames else 'decades'!r} goes by birth decade and needs a year.",
                hint="Write names.year: the year in which people have the age they have.",
            )
        if self.year is not None and not self.eras:
            raise RecipeError("names.year needs lists by decade.", hint="Use shipped: us_decades, or drop the year.")
        return self

    @cached_property
    def eras(self) -> dict[int, dict[str, dict[str, float]]]:
        """Given names by birth decade, oldest first; empty for lists that do not go by decade."""
        found: dict[int, dict[str, dict[str, float]]] = (
            {k: {**v} for k, v in self.decades.items()} if self.surnames else _shipped_decades(self.shipped)
        )
        return dict(sorted(found.items()))

    @property
    def source(self) -> str:
        """Which lists these are."""
        if self.surnames:
            return "own lists"
        body = _shipped_body(self.shipped)
        return f"names/{self.shipped}.yaml: {body['title']} ({body['licence']})"

    @cached_property
    def lists(self) -> dict[str, dict[str, float]]:
        """`female`, `male`, `neutral` and `surnames`, each name with its weight."""
        if self.surnames:
            own = {**{k: dict(v) for k, v in self.given.items()}, "surnames": dict(self.surnames)}
        else:
            own = _shipped_lists(self.shipped)
        return {**own, **_summed(self.eras)} if self.eras else own

    @cached_property
    def digest(self) -> str:
        """Hash of all names in order: part of a recipe's hash, so that a changed list is a changed recipe."""
        body: dict[str, Any] = {k: list(v.items()) for k, v in self.lists.items()}
        if self.eras:
            body["year"] = self.year
            body["decades"] = [[d, {k: list(v.items()) for k, v in era.items()}] for d, era in self.eras.items()]
        return sha256_hex(body)[:16]


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
        self._eras = _EraBook(spec, self._key, self._surnames) if spec.eras else None
        plain_words = tuple(name for label in LISTS for name in self._given[label])
        self.given_words: Final = plain_words if self._eras is None else self._eras.words
        self.family_words: Final = self._surnames

    def has(self, label: NameList) -> bool:
        """Whether there are given names for this list."""
        return bool(self._given[label])

    def name(self, k: int, label: NameList) -> PersonName:
        """The name of person k."""
        return self.names(np.array([k], dtype=np.int64), [label])[0]

    def names(
        self,
        k: Indexes,
        labels: list[NameList],
        born: Indexes | None = None,
        *,
        slot: Indexes | None = None,
        slots: int = 1,
    ) -> list[PersonName]:
        """The names of many people.

        Args:
            k: people; with `slots`, families: everybody with the same k has the same family name.
            labels: which given-name list suits each.
            born: years of birth, for lists that go by decade.
            slot: place of each person in the family, below `slots`.
            slots: most people a family may have.
        """
        lists = np.array([LISTS.index(label) for label in labels], dtype=np.int64)
        codes = self.codes(k, lists, born, slot=slot, slots=slots)
        out: list[PersonName] = []
        for g, s, turn in zip(codes.given.tolist(), codes.family.tolist(), codes.turn.tolist(), strict=True):
            given, family = self.given_words[g], self.family_words[s]
            out.append(PersonName(given, family, f"{given} {initials(turn)}{family}"))
        return out

    def codes(
        self, k: Indexes, lists: Indexes, born: Indexes | None = None, *, slot: Indexes | None = None, slots: int = 1
    ) -> NameCodes:
        """The names of many people as codes; the arguments are those of `names`, `lists` as indexes into `LISTS`."""
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
        if slot is not None:
            holder = holder * slots + slot
        if self._eras is not None:
            given, turn = self._eras.codes(k if slot is None else k * slots + slot, lists, born, surname, holder)
            return NameCodes(given, surname, turn)
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


class _EraBook:
    """Given names by birth decade: the j-th holder of a surname draws among the names in one of its buckets."""

    def __init__(self, spec: NamesSpec, key: int, surnames: tuple[str, ...]) -> None:
        self._key = derive_seed(key, "eras")
        self._surnames = surnames
        self._years = np.array(list(spec.eras), dtype=np.int64)
        lists = spec.lists
        union = dict.fromkeys(name for label in LISTS for name in lists.get(label, {}))
        self.words: Final = tuple(union)
        position = {name: c for c, name in enumerate(union)}
        self._classes: dict[tuple[NameList, int], tuple[Indexes, Floats]] = {}
        for label in LISTS:
            for e, era in enumerate((*spec.eras.values(), {})):
                weighted = era.get(label) or lists.get(label) or {}
                at = np.array([position[n] for n in weighted], dtype=np.int64)
                self._classes[label, e] = (at, np.array(list(weighted.values())))
        size = len(union)
        self._buckets = max(1, min(_BUCKETS, size // 4))
        u = uniforms(self._key, np.arange(len(surnames), dtype=np.int64), 0, size)
        rank = np.argsort(np.argsort(u, axis=1, kind="stable"), axis=1, kind="stable")
        self._bucket = (rank * self._buckets // size).astype(np.int8)
        self._barred = np.zeros((len(surnames), size), dtype=np.bool_)
        known = _known_people()
        for row, surname in enumerate(surnames):
            self._barred[row, [position[n] for n in known.get(surname, ()) if n in position]] = True

    def codes(
        self, k: Indexes, sexes: Indexes, born: Indexes | None, surname: Indexes, holder: Indexes
    ) -> tuple[Indexes, Indexes]:
        """Given names (indexes into `words`) and rounds of people whose surnames and places among them are settled."""
        last = len(self._years)
        if born is None:
            era = np.full(len(k), last)
        else:
            era = np.clip(np.searchsorted(self._years, born, side="right") - 1, 0, last - 1)
        u = uniforms(derive_seed(self._key, "given"), k, 0, 1)[:, 0]
        bucket = holder % self._buckets
        chosen = np.zeros(len(k), dtype=np.int64)
        kind = sexes * (last + 1) + era
        for which in np.unique(kind).tolist():
            rows = np.flatnonzero(kind == which)
            at, weights = self._classes[LISTS[which // (last + 1)], which % (last + 1)]
            here = self._bucket[surname[rows][:, None], at[None, :]] == bucket[rows][:, None]
            mass = np.cumsum(np.where(here & ~self._barred[surname[rows][:, None], at[None, :]], weights, 0.0), axis=1)
            point = u[rows] * mass[:, -1]
            chosen[rows] = at[np.minimum((mass <= point[:, None]).sum(axis=1), len(at) - 1)]
            for row in rows[mass[:, -1] <= 0].tolist():  # a short list may have no name in this bucket
                others = np.flatnonzero(self._bucket[surname[row]] == bucket[row])
                chosen[row] = others[int(u[row] * len(others))]
        return chosen, holder // self._buckets


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
    body = _shipped_body(name)
    return {
        key: _weighted(body[key], f"names/{name}.{key}")
        for key in (*LISTS, "surnames")
        if "decades" not in body or key in body
    }


@lru_cache(maxsize=8)
def _shipped_decades(name: str) -> dict[int, dict[str, dict[str, float]]]:
    return _by_decade(_shipped_body(name).get("decades", {}), f"names/{name}.decades")


@lru_cache(maxsize=8)
def _shipped_body(name: str) -> dict[str, Any]:
    text = shipped("names", f"{name}.yaml")
    if text is None:
        known = [n for n in shipped_names("names") if n != "known_people"]
        raise UnknownKeyError.of(name, known, where="names.shipped")
    return parse_yaml(text, f"names/{name}.yaml")


def _by_decade(value: Any, where: str) -> Any:
    """{decade: {list: {name: weight}}}; decades are whole tens."""
    if not isinstance(value, Mapping):
        return value
    out: dict[int, Any] = {}
    for decade, lists in value.items():
        if isinstance(decade, bool) or not str(decade).isdecimal() or int(decade) % 10:
            raise RecipeError(f"{where}: {decade!r}, expected a decade such as 1950.")
        if not isinstance(lists, Mapping):
            raise RecipeError(f"{where}.{decade}: {lists!r}, expected {{female: …, male: …}}.")
        out[int(decade)] = {key: _weighted(names, f"{where}.{decade}.{key}") for key, names in lists.items()}
    return out


def _summed(eras: Mapping[int, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """All decades together, per list."""
    out: dict[str, dict[str, float]] = {}
    for era in eras.values():
        for label, names in era.items():
            for name, weight in names.items():
                out.setdefault(label, {})[name] = out.get(label, {}).get(name, 0.0) + weight
    return out


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
