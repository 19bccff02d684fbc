"""A population of households: members are made together, linked, and alike in what a household shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, InputError, Persona, Provenance, RecipeError, Visibility, derive_seed
from personae.creation._checks import naming_variable
from personae.creation._documents import parse_yaml, shipped_names
from personae.creation._draws import Floats, Indexes, normals, permute, pick, uniforms
from personae.creation._enrich import ColumnSource, DrawnValues, Enrichment, column_sources
from personae.creation._household_fit import HouseholdCounts, count_households
from personae.creation._household_recipe import HouseholdRecipe
from personae.creation._kin import company, draw_ages, kin_word
from personae.creation._load import load_text
from personae.creation._names import NameBook, NameList, PersonName, list_of
from personae.creation._paths import leaf_kind, place, place_words

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK: Final = 512
_AGE: Final = "social.age"
_TRAIT_LANES: Final = 6


def load_household_recipe(source: str | Path) -> HouseholdRecipe:
    """A recipe of households shipped with the package (by name) or in a YAML file (by path), fitted.

    Raises:
        UnknownKeyError: an unknown key at any depth; the nearest is suggested.
        RecipeError: whatever cannot be met, with the controls and gaps.

    Example:
        >>> load_household_recipe("harbour_households").households["district"].labels[0]
        'Old Quay'
    """
    return _read(*load_text(source, "households", "recipe of households"))


@lru_cache(maxsize=8)
def _read(text: str, where: str) -> HouseholdRecipe:
    recipe = HouseholdRecipe.of(parse_yaml(text, where, error=RecipeError), where=where)
    _ = recipe.fitted
    return recipe


def household_recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes of households."""
    return shipped_names("households")


@dataclass(frozen=True, slots=True)
class Household:
    """One household: its number, what holds for all of it, and its members; the first is the head."""

    h: int
    values: dict[str, str]
    members: tuple[Persona, ...]

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Members of some households, one row each, in the order of household and place."""

    home: Indexes
    place: Indexes
    size: Indexes
    ks: Indexes
    codes: Indexes
    details: dict[str, NDArray[Any]]
    drawn: dict[str, DrawnValues]
    first: Indexes
    """row of each member's household head"""


class Households(Sequence[Household]):
    """Households drawn from a recipe; household h and its member m are functions of (recipe hash, n, seed, h, m).

    Hard controls of households are exact; those of people are as near as exchanges of whole households bring them.

    Args:
        recipe: a recipe, the name of a shipped one, or the path of a YAML file.
        n: how many, in the recipe's unit; default: the recipe's.
        seed: root seed; default: the recipe's.

    Raises:
        RecipeError: the recipe cannot be met.

    Example:
        >>> homes = Households("harbour_households", n=20, seed=1)
        >>> homes[3].members[0] == homes.person(3, 0)
        True
    """

    def __init__(self, recipe: HouseholdRecipe | str | Path, n: int | None = None, seed: int | None = None) -> None:
        self.recipe: Final = recipe if isinstance(recipe, HouseholdRecipe) else load_household_recipe(recipe)
        self.n: Final = self.recipe.n if n is None else n
        self.seed: Final = self.recipe.seed if seed is None else seed
        if self.n < 1 or self.seed < 0:
            raise RecipeError(f"n is {self.n!r} and seed is {self.seed!r}.", hint="n is at least 1, seed at least 0.")
        self.hash: Final = self.recipe.hash
        self.fitted = self.recipe.fitted
        self._people = self.recipe.people
        self._variables = self.recipe.variables
        self._slots = int(self.fitted.sizes.max())
        self._starts = np.cumsum(self.fitted.sizes) - self.fitted.sizes
        self._enrichment = Enrichment(self._people, np.unique(self.fitted.rows(), axis=0))
        self._names = NameBook(self.recipe.names, self.seed, self.recipe.root)
        self._naming = naming_variable(self._people)
        self._shuffle = derive_seed(self.seed, self.recipe.root, "permutation", self.n, self.recipe.unit)

    @cached_property
    def counts(self) -> HouseholdCounts:
        """Whole households per seed household, and the controls as they come out."""
        return count_households(self.recipe, self.fitted, self.n, self.recipe.unit, self.seed)

    @cached_property
    def _ends(self) -> Indexes:
        return np.cumsum(self.counts.counts)

    def __len__(self) -> int:
        return self.counts.households

    @property
    def persons(self) -> int:
        """People in all households."""
        return self.counts.persons

    @overload
    def __getitem__(self, h: int) -> Household: ...
    @overload
    def __getitem__(self, h: slice) -> tuple[Household, ...]: ...
    def __getitem__(self, h: int | slice) -> Household | tuple[Household, ...]:
        if isinstance(h, slice):
            return tuple(self._homes(np.arange(*h.indices(len(self)), dtype=np.int64)))
        if not -len(self) <= h < len(self):
            raise IndexError(f"household {h} of {len(self)}")
        return next(self._homes(np.array([h % len(self)], dtype=np.int64)))

    def __iter__(self) -> Iterator[Household]:
        for start in range(0, len(self), _CHUNK):
            yield from self._homes(np.arange(start, min(start + _CHUNK, len(self)), dtype=np.int64))

    def __repr__(self) -> str:
        return f"Households({self.recipe.name!r}, n={self.n} {self.recipe.unit}, seed={self.seed}, hash={self.hash!r})"

    def people(self) -> Iterator[Persona]:
        """Everybody, household by household."""
        for home in self:
            yield from home.members

    def person(self, h: int, m: int, attempt: int = 0) -> Persona:
        """Member m of household h; a later `attempt` makes the whole household again, with the same people in it.

        Raises:
            InputError: there is no such member, or a negative attempt.
        """
        if not 0 <= h < len(self) or attempt < 0:
            raise InputError(f"person({h!r}, {m!r}): households run from 0 to {len(self) - 1}, attempts from 0.")
        home = next(self._homes(np.array([h], dtype=np.int64), attempt))
        if not 0 <= m < len(home):
            raise InputError(f"household {h} has {len(home)} member(s); {m!r} is none of them.", hint="Start from 0.")
        return home.members[m]

    def columns(self, hs: Iterable[int] | None = None, *, attempt: int = 0) -> dict[str, NDArray[Any]]:
        """People in bulk: one array per column, one row per member; the same values as `person` gives.

        Columns are `household`, `member`, every variable, and what is drawn: ages, traits, places, drawn columns.
        """
        chosen = np.arange(len(self), dtype=np.int64) if hs is None else np.fromiter(hs, dtype=np.int64)
        if len(chosen) and (int(chosen.min()) < 0 or int(chosen.max()) >= len(self)):
            raise InputError(f"columns: households outside 0 to {len(self) - 1}.")
        batch = self._batch(chosen, attempt)
        out: dict[str, NDArray[Any]] = {"household": batch.home, "member": batch.place}
        for column, (name, v) in enumerate(self._variables.items()):
            out[name] = np.array(v.labels)[batch.codes[:, column]]
        return out | batch.details | {name: column.array() for name, column in batch.drawn.items()}

    def arrow(self, hs: Iterable[int] | None = None, *, attempt: int = 0) -> pa.Table:
        """`columns` as an Arrow table; words are dictionary-encoded."""
        import pyarrow as pa

        arrays: dict[str, Any] = {}
        for name, values in self.columns(hs, attempt=attempt).items():
            column: Any = pa.array(values)
            arrays[name] = column.dictionary_encode() if values.dtype.kind == "U" else column
        return pa.table(arrays)

    def sources(self) -> dict[str, ColumnSource]:
        """Where each column comes from."""
        return column_sources(self._people)

    # Making people ----------------------------------------------------------------------------------------------------

    def _batch(self, hs: Indexes, attempt: int) -> _Batch:
        slots = permute(hs, len(self), self._shuffle)
        record = np.searchsorted(self._ends, slots, side="right")
        size = self.fitted.sizes[record]
        row = np.repeat(np.arange(len(hs)), size)
        begins = np.cumsum(size) - size
        place_in = np.arange(len(row)) - begins[row]
        member = self._starts[record][row] + place_in
        codes = np.column_stack([self.fitted.codes[record][row], self.fitted.members[member]])
        home = hs[row]
        ks = home * self._slots + place_in
        details = self._details(hs, record, row, place_in, ks, codes, attempt)
        small = codes.astype(np.int16)
        drawn = self._enrichment.draw(self._key("drawn"), ks, small, details, attempt)
        return _Batch(home, place_in, size[row], ks, codes, details, drawn, begins[row])

    def _details(
        self, hs: Indexes, record: Indexes, row: Indexes, place_in: Indexes, ks: Indexes, codes: Indexes, attempt: int
    ) -> dict[str, NDArray[Any]]:
        out: dict[str, NDArray[Any]] = {}
        for column, (name, v) in enumerate(self._variables.items()):
            if not v.bins or v.path is None or name == "size":
                continue
            if not v.path.startswith("attributes.") and leaf_kind(v.path, "variables") != "number":
                continue
            if v.path == _AGE and self.fitted.distances:
                draws = uniforms(self._key("ages"), hs, attempt, self._slots)
                ages = np.zeros((len(hs), self._slots), dtype=np.int64)
                order = np.argsort(record, kind="stable")
                kinds, begins = np.unique(record[order], return_index=True)
                for r, mine in zip(kinds.tolist(), np.split(order, begins[1:]), strict=True):
                    many = int(self.fitted.sizes[r])
                    ages[mine, :many] = draw_ages(self.fitted.distances[r], draws[mine, :many])
                out[v.path] = ages[row, place_in]
                continue
            low, high = np.array(list(v.bins.values()), dtype=np.int64).T
            at = codes[:, column]
            whole = name in self.recipe.households
            u = uniforms(self._key("inside", name), hs[row] if whole else ks, attempt, 1)[:, 0]
            out[v.path] = low[at] + np.floor(u * (high - low + 1)[at]).astype(np.int64)
        if self.recipe.places:
            towns = pick(
                uniforms(self._key("places"), hs, attempt, 1)[:, 0], np.array(list(self.recipe.places.values()))
            )
            out["social.residence"] = np.array(list(self.recipe.places))[towns][row]
        if self.recipe.traits is not None:
            noise = normals(uniforms(self._key("traits"), ks, attempt, _TRAIT_LANES))[:, : len(DOMAINS)]
            age = out[_AGE].astype(np.float64) if _AGE in out else np.full(len(ks), np.nan)
            scores = self.recipe.traits.scores(self._female(codes), age, noise)
            out |= {f"personal.big_five.{d}": scores[:, c] for c, d in enumerate(DOMAINS)}
        return out

    def _key(self, *words: str) -> int:
        return derive_seed(self.seed, self.recipe.root, *words)

    def _female(self, codes: Indexes) -> Floats:
        """1 for women, 0 for men, NaN for others, by the variable that chooses names."""
        if self._naming is None:
            return np.full(len(codes), np.nan)
        meaning = {"female": 1.0, "male": 0.0, "neutral": np.nan}
        column = list(self._variables).index(self._naming)
        return np.array([meaning[list_of(label)] for label in self._variables[self._naming].labels])[codes[:, column]]

    def _called(self, batch: _Batch, roles: list[str]) -> list[PersonName]:
        column = list(self._variables).index(self._naming) if self._naming is not None else None
        labels = self._variables[self._naming].labels if self._naming is not None else ()
        lists: list[NameList] = [
            "neutral" if column is None else list_of(labels[code])
            for code in (batch.codes[:, column] if column is not None else batch.place).tolist()
        ]
        own = np.array(
            [
                p > 0 and role not in self.recipe.shared_surname
                for p, role in zip(batch.place.tolist(), roles, strict=True)
            ]
        )
        # Whoever brings a name of their own takes that of a family nobody else is of.
        family = batch.home + np.where(own, batch.place * len(self), 0)
        year = self.recipe.names.year
        born = year - batch.details[_AGE] if year is not None and _AGE in batch.details else None
        return self._names.names(family, lists, born, slot=batch.place, slots=self._slots)

    def _homes(self, hs: Indexes, attempt: int = 0) -> Iterator[Household]:
        batch = self._batch(hs, attempt)
        variables = self._variables
        labels = [v.labels for v in variables.values()]
        role_at = list(variables).index("role")
        roles = [labels[role_at][c] for c in batch.codes[:, role_at].tolist()]
        called = self._called(batch, roles)
        female = self._female(batch.codes).tolist()
        details = {path: column.tolist() for path, column in batch.details.items()}
        told = {name: column.array().tolist() for name, column in batch.drawn.items()}
        written = [
            (c, v.path, [v.text.get(label, label) for label in v.labels])
            for c, v in enumerate(variables.values())
            if v.path is not None and v.path not in batch.details
        ]
        households = list(self.recipe.households)
        row = 0
        while row < len(roles):
            size = int(batch.size[row])
            rows = range(row, row + size)
            members: list[Persona] = []
            for r in rows:
                own = batch.codes[r].tolist()
                name = called[r]
                body: dict[str, Any] = {"names": {"full": name.full, "given": name.given, "family": name.family}}
                for path, words in self.recipe.constants.items():
                    place_words(body, path, words, "constants")
                for column, path, texts in written:
                    text = texts[own[column]]
                    if text is not None:
                        place_words(body, path, text, "variables")
                for path, values in details.items():
                    place(body, path, values[r])
                if self.recipe.traits is not None:
                    body["personal"]["big_five"]["norm"] = self.recipe.traits.norm
                if told:
                    self._enrichment.place(body, {n: values[r] for n, values in told.items()})
                self._link(body, r, rows, batch, roles, female, called)
                cell = {n: labels[c][own[c]] for c, n in enumerate(variables)}
                body["provenance"] = Provenance(
                    recipe=self.hash, n=self.n, seed=self.seed, k=int(batch.ks[r]), attempt=attempt, cell=cell,
                    generator=f"households {self.recipe.name}, household {int(batch.home[r])}, member {r - row}",
                    licence=self.recipe.licence,
                )  # fmt: skip
                members.append(Persona.model_validate(body))
            values = {n: labels[c][int(batch.codes[row, c])] for c, n in enumerate(households)}
            yield Household(int(batch.home[row]), values, tuple(members))
            row += size

    def _link(
        self,
        body: dict[str, Any],
        r: int,
        rows: range,
        batch: _Batch,
        roles: list[str],
        female: list[float],
        called: list[PersonName],
    ) -> None:
        """Relations to the other members, whom one lives with, and the household's bookkeeping."""
        others = [o for o in rows if o != r]
        words = [kin_word(roles[r], roles[o], female[o]) for o in others]
        home = f"{self.hash}/{int(batch.home[r])}"
        body["relations"] = tuple(
            {"name": called[o].full, "kind": word, "person_id": f"{home}/{int(batch.place[o])}"}
            for o, word in zip(others, words, strict=True)
        )
        if "household" not in body.get("social", {}):
            place(body, "social.household", company(words))
        for leaf, value in (("id", home), ("member", int(batch.place[r])), ("role", roles[r]), ("size", len(rows))):
            place(body, f"attributes.household.{leaf}", {"value": value, "visibility": Visibility.HIDDEN})
