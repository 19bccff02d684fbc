"""A population: a recipe, a size and a seed. People are made when they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, FitRow, Goal, InputError, Persona, Provenance, RecipeError, derive_seed, plain
from personae.creation._checks import naming_variable
from personae.creation._draws import Floats, Indexes, normals, permute, pick, uniforms
from personae.creation._enrich import ColumnSource, column_sources
from personae.creation._fit import category_mask
from personae.creation._load import load_recipe
from personae.creation._names import NameBook, NameList, list_of
from personae.creation._paths import leaf_kind, place, place_words
from personae.creation._quota import CountTable, count_people
from personae.creation._recipe import Recipe
from personae.creation._rules import Rule, Violation

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK: Final = 1024
_TRAIT_LANES: Final = 6  # five normals need three pairs of uniforms


@dataclass(frozen=True, slots=True)
class PopulationFit:
    """How the people compare with the recipe.

    `distance` is the total variation distance per margin: half the summed absolute difference of shares, 0 to 1.
    `unknown` counts people whose value for a margin could not be read (they are in no cell).
    """

    rows: tuple[FitRow, ...]
    distance: dict[str, float]
    unknown: dict[str, int]
    people: int

    @property
    def hard_exact(self) -> bool:
        """Whether every hard quota has exactly its people."""
        return all(row.count == round(row.target_count) for row in self.rows if row.hard)


class Population(Sequence[Persona]):
    """People drawn from a recipe; person k is a pure function of (recipe hash, n, seed, k).

    Hard quotas are exact by construction: whole people are counted per cell, and a keyed permutation says which cell
    person k stands in. A rejected person is drawn again as `person(k, attempt=1)`: same cell, same name.

    Args:
        recipe: a recipe, the name of a shipped one, or the path of a YAML file.
        n: how many people; default: the recipe's.
        seed: root seed; default: the recipe's.

    Raises:
        RecipeError: the recipe cannot be met.

    Example:
        >>> town = Population("harbour_town", n=10, seed=7)
        >>> town[3] == Population("harbour_town", n=10, seed=7).person(3)
        True
    """

    def __init__(self, recipe: Recipe | str | Path, n: int | None = None, seed: int | None = None) -> None:
        self.recipe: Final = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
        self.n: Final = self.recipe.n if n is None else n
        self.seed: Final = self.recipe.seed if seed is None else seed
        if self.n < 1 or self.seed < 0:
            raise RecipeError(f"n is {self.n!r} and seed is {self.seed!r}.", hint="n is at least 1, seed at least 0.")
        self.hash: Final = self.recipe.hash
        root = self.recipe.root
        self._names = NameBook(self.recipe.names, self.seed, root)
        self._naming = naming_variable(self.recipe)
        self._draws = derive_seed(self.seed, root, "person")
        self._shuffle = derive_seed(self.seed, root, "permutation", self.n)
        self._drawing = derive_seed(self.seed, root, "drawn")
        self._enrichment = self.recipe.enrichment

    @cached_property
    def counts(self) -> CountTable:
        """People per cell, and the integer quotas of the hard margins."""
        return count_people(self.recipe, self.recipe.fitted, self.n, self.seed)

    @cached_property
    def _ends(self) -> Indexes:
        return np.cumsum(self.counts.counts)

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, k: int) -> Persona: ...
    @overload
    def __getitem__(self, k: slice) -> tuple[Persona, ...]: ...
    def __getitem__(self, k: int | slice) -> Persona | tuple[Persona, ...]:
        if isinstance(k, slice):
            return tuple(self._people(np.arange(*k.indices(self.n), dtype=np.int64)))
        if not -self.n <= k < self.n:
            raise IndexError(f"person {k} of {self.n}")
        return self.person(k % self.n)

    def __iter__(self) -> Iterator[Persona]:
        for start in range(0, self.n, _CHUNK):
            yield from self._people(np.arange(start, min(start + _CHUNK, self.n), dtype=np.int64))

    def __repr__(self) -> str:
        return f"Population({self.recipe.name!r}, n={self.n}, seed={self.seed}, hash={self.hash!r})"

    def person(self, k: int, attempt: int = 0) -> Persona:
        """Person k; a later `attempt` is someone else in the same cell.

        Raises:
            InputError: k outside 0 … n-1, or a negative attempt.
        """
        if not 0 <= k < self.n or attempt < 0:
            raise InputError(f"person({k!r}, attempt={attempt!r}): k runs from 0 to {self.n - 1}, attempt from 0.")
        return next(self._people(np.array([k], dtype=np.int64), attempt))

    def cell(self, k: int) -> dict[str, str]:
        """The category of each variable of person k."""
        codes = self._codes(np.array([k], dtype=np.int64))[0].tolist()
        labels = self.recipe.labels
        return {name: labels[name][code] for name, code in zip(self.recipe.variables, codes, strict=True)}

    def columns(
        self, ks: Iterable[int] | None = None, *, attempt: int = 0, details: bool = True
    ) -> dict[str, NDArray[Any]]:
        """People in bulk: one array per column, in the order of `ks` (default: everybody).

        Columns are `k`, the category of each variable under its name, and with `details` what is drawn inside the
        cell under its persona path (whole numbers of binned variables, places, the five T-scores) and the recipe's
        `drawn` columns under their names. The same values as `person` gives, without making a Persona.
        """
        chosen = self._chosen(ks)
        codes = self._codes(chosen)
        out: dict[str, NDArray[Any]] = {"k": chosen}
        for column, (name, labels) in enumerate(self.recipe.labels.items()):
            out[name] = np.array(labels)[codes[:, column]]
        if details:
            own = self._details(chosen, codes, attempt)
            drawn = self._enrichment.draw(self._drawing, chosen, codes, own, attempt)
            out |= own | {name: column.array() for name, column in drawn.items()}
        return out

    def sources(self) -> dict[str, ColumnSource]:
        """Where each column comes from: margins, conditional tables, the seed, a drawn table, traits, names, places."""
        return column_sources(self.recipe)

    def arrow(self, ks: Iterable[int] | None = None, *, attempt: int = 0, details: bool = True) -> pa.Table:
        """`columns` as an Arrow table; categories are dictionary-encoded."""
        import pyarrow as pa

        chosen = self._chosen(ks)
        codes = self._codes(chosen)
        arrays: dict[str, Any] = {"k": pa.array(chosen)}
        for column, (name, labels) in enumerate(self.recipe.labels.items()):
            arrays[name] = pa.DictionaryArray.from_arrays(
                pa.array(codes[:, column], type=pa.int16()), pa.array(list(labels))
            )
        if details:
            own = self._details(chosen, codes, attempt)
            for name, values in own.items():
                arrays[name] = pa.array(values)
            for name, column in self._enrichment.draw(self._drawing, chosen, codes, own, attempt).items():
                arrays[name] = column.arrow()
        return pa.table(arrays)

    def fit(self, persons: Iterable[Persona] | None = None, *, unit: str = "population") -> PopulationFit:
        """Compare people with the margins of the recipe.

        Args:
            persons: the people to count, read at the persona paths of the variables (what they say about themselves,
                not what their provenance claims); None counts the cells of this population.
            unit: the unit that the rows name.

        Returns:
            One row per cell of each margin; hard margins carry their integer quota as target.
        """
        if persons is None:
            codes = self.recipe.fitted.codes[self.counts.cells].astype(np.int64)
            weights = self.counts.counts
        else:
            codes = np.array([self._read(p) for p in persons], dtype=np.int64).reshape(-1, len(self.recipe.variables))
            weights = np.ones(len(codes), dtype=np.int64)
        people = int(weights.sum())
        position = {name: c for c, name in enumerate(self.recipe.variables)}
        rows: list[FitRow] = []
        distance: dict[str, float] = {}
        unknown: dict[str, int] = {}
        for margin in self.recipe.margins:
            own = codes[:, [position[v] for v in margin.vars]]
            known = (own >= 0).all(axis=1)
            flat = np.zeros(len(own), dtype=np.int64)
            for column, name in enumerate(margin.vars):
                flat = flat * len(self.recipe.labels[name]) + own[:, column]
            shares = self.recipe.shares(margin)
            found = np.bincount(flat[known], weights=weights[known], minlength=len(shares)).astype(np.int64)
            unknown[margin.name] = int(weights[~known].sum())
            distance[margin.name] = float(np.abs(found / max(people, 1) - shares).sum() / 2)
            quota = self.counts.quotas.get(margin.name) if margin.hard else None
            targets = quota if quota is not None else shares * self.n
            rows += [
                FitRow(unit=unit, margin=margin.name, cell=cell, target_share=float(shares[c]),
                       target_count=float(targets[c]), count=int(found[c]), hard=margin.hard)
                for c, cell in enumerate(self.recipe.cells(margin.vars))
            ]  # fmt: skip
        return PopulationFit(tuple(rows), distance, unknown, people)

    def check(self, person: Persona) -> tuple[Violation, ...]:
        """Rules of the recipe that a finished person breaks (by the categories their values fall into)."""
        codes = np.array([self._read(person)], dtype=np.int64)
        out: list[Violation] = []
        for rule, masks in self._rules:
            own = codes[0, [self._position(name) for name in rule.fields]]
            if (own >= 0).all() and self._breaks(rule, masks, codes)[0]:
                given = tuple((n, self.recipe.labels[n][c]) for n, c in zip(rule.fields, own.tolist(), strict=True))
                out.append(Violation(rule.code, rule.severity, given, rule.hint))
        return tuple(out)

    # How people are made ---------------------------------------------------------------------------------------------

    @cached_property
    def _rules(self) -> list[tuple[Rule, dict[tuple[str, str], NDArray[np.bool_]]]]:
        return [
            (rule, {(p, name): category_mask(self.recipe, rule.code, name, m) for p, name, m in rule.matches()})
            for rule in self.recipe.rules
        ]

    def _position(self, name: str) -> int:
        return tuple(self.recipe.variables).index(name)

    def _breaks(
        self, rule: Rule, masks: dict[tuple[str, str], NDArray[np.bool_]], codes: NDArray[Any]
    ) -> NDArray[np.bool_]:
        rows = {key: mask[codes[:, self._position(key[1])]] for key, mask in masks.items()}
        return rule.combine(rows, len(codes))

    def _issues(self, codes: NDArray[Any]) -> list[tuple[str, ...]]:
        """Codes of the warnings that each row of category codes earns."""
        out: list[tuple[str, ...]] = [()] * len(codes)
        for rule, masks in self._rules:
            if rule.severity == "warning":
                for row in np.flatnonzero(self._breaks(rule, masks, codes)).tolist():
                    out[row] = (*out[row], rule.code)
        return out

    @cached_property
    def _numeric(self) -> dict[int, str]:
        """Column of each variable whose value is a drawn number, with its path."""
        return {
            c: v.path
            for c, v in enumerate(self.recipe.variables.values())
            if v.bins and v.path and (v.path.startswith("attributes.") or leaf_kind(v.path, "variables") == "number")
        }

    def _chosen(self, ks: Iterable[int] | None) -> Indexes:
        if ks is None:
            return np.arange(self.n, dtype=np.int64)
        chosen = np.fromiter(ks, dtype=np.int64)
        if len(chosen) and (int(chosen.min()) < 0 or int(chosen.max()) >= self.n):
            raise InputError(f"columns: people {int(chosen.min())} to {int(chosen.max())}, expected 0 to {self.n - 1}.")
        return chosen

    def _codes(self, ks: Indexes) -> NDArray[np.int16]:
        slots = permute(ks, self.n, self._shuffle)
        return self.recipe.fitted.codes[self.counts.cells[np.searchsorted(self._ends, slots, side="right")]]

    def _details(self, ks: Indexes, codes: NDArray[np.int16], attempt: int) -> dict[str, NDArray[Any]]:
        draws = uniforms(self._draws, ks, attempt, _TRAIT_LANES + 1 + len(self._numeric))
        variables = list(self.recipe.variables.values())
        out: dict[str, NDArray[Any]] = {}
        for lane, (column, path) in enumerate(self._numeric.items()):
            low, high = np.array(list(variables[column].bins.values()), dtype=np.int64).T
            code = codes[:, column]
            width = (high - low + 1)[code]
            out[path] = low[code] + np.floor(draws[:, _TRAIT_LANES + 1 + lane] * width).astype(np.int64)
        if self.recipe.places:
            weights = np.array(list(self.recipe.places.values()))
            out["social.residence"] = np.array(list(self.recipe.places))[pick(draws[:, _TRAIT_LANES], weights)]
        if self.recipe.traits is not None:
            scores = self.recipe.traits.scores(
                self._female(codes), self._age(out, len(ks)), normals(draws[:, :_TRAIT_LANES])[:, : len(DOMAINS)]
            )
            out |= {f"personal.big_five.{d}": scores[:, c] for c, d in enumerate(DOMAINS)}
        return out

    def _female(self, codes: NDArray[np.int16]) -> Floats:
        """1 for women, 0 for men, NaN for everybody else, by the variable at social.sex (or the naming variable)."""
        by_path = next((n for n, v in self.recipe.variables.items() if v.path == "social.sex"), self._naming)
        if by_path is None:
            return np.full(len(codes), np.nan)
        meaning = {"female": 1.0, "male": 0.0, "neutral": np.nan}
        values = np.array([meaning[list_of(label)] for label in self.recipe.labels[by_path]])
        return values[codes[:, self._position(by_path)]]

    @staticmethod
    def _age(details: dict[str, NDArray[Any]], rows: int) -> Floats:
        return details["social.age"].astype(np.float64) if "social.age" in details else np.full(rows, np.nan)

    def _people(self, ks: Indexes, attempt: int = 0) -> Iterator[Persona]:
        codes = self._codes(ks)
        arrays = self._details(ks, codes, attempt)
        drawn = self._enrichment.draw(self._drawing, ks, codes, arrays, attempt)
        told = {name: column.array().tolist() for name, column in drawn.items()}
        details = {path: column.tolist() for path, column in arrays.items()}
        variables = self.recipe.variables
        labels = [variable.labels for variable in variables.values()]
        written = [
            (c, v.path, [v.text.get(label, label) for label in v.labels])
            for c, v in enumerate(variables.values())
            if v.path is not None and c not in self._numeric
        ]
        chooser = None if self._naming is None else self._position(self._naming)
        lists: list[NameList] = [
            list_of(labels[chooser][c]) if chooser is not None else "neutral" for c in self._column(codes, chooser)
        ]
        called = self._names.names(ks, lists, self._born(arrays))
        issues = self._issues(codes)
        for row, (k, own) in enumerate(zip(ks.tolist(), codes.tolist(), strict=True)):
            name = called[row]
            body: dict[str, Any] = {"names": {"full": name.full, "given": name.given, "family": name.family}}
            for path, words in self.recipe.constants.items():
                place_words(body, path, words, "constants")
            for column, path, texts in written:
                words = texts[own[column]]
                if words is not None:
                    place_words(body, path, words, "variables")
            for path, values in details.items():
                place(body, path, values[row])
            if self.recipe.traits is not None:
                body["personal"]["big_five"]["norm"] = self.recipe.traits.norm
            if told:
                self._enrichment.place(body, {name: values[row] for name, values in told.items()})
            cell = {n: labels[c][own[c]] for c, n in enumerate(variables)}
            body["provenance"] = self._provenance(k, attempt, cell, issues[row])
            yield Persona.model_validate(body)

    def _born(self, details: dict[str, NDArray[Any]]) -> Indexes | None:
        """Birth year of each person, where names follow it."""
        year = self.recipe.names.year
        return year - details["social.age"] if year is not None and "social.age" in details else None

    @staticmethod
    def _column(codes: NDArray[np.int16], column: int | None) -> list[int]:
        return [0] * len(codes) if column is None else codes[:, column].tolist()

    def _provenance(self, k: int, attempt: int, cell: dict[str, str], issues: tuple[str, ...]) -> Provenance:
        return Provenance(
            recipe=self.hash, n=self.n, seed=self.seed, k=k, attempt=attempt, cell=cell, issues=issues,
            generator=f"recipe {self.recipe.name}", licence=self.recipe.licence,
        )  # fmt: skip

    def _read(self, person: Persona) -> list[int]:
        """Category code of each variable as the person states it; -1 where it cannot be told."""
        out: list[int] = []
        for column, (name, variable) in enumerate(self.recipe.variables.items()):
            stated = None if variable.path is None else plain(person.get(variable.path))
            if column in self._numeric and isinstance(stated, (int, float)):
                spans = list(variable.bins.values())
                out.append(next((c for c, (low, high) in enumerate(spans) if low <= stated <= high), -1))
                continue
            claimed = person.provenance.cell.get(name)
            fitting = [
                c
                for c, label in enumerate(variable.labels)
                if variable.path is None or _states(stated, variable.text.get(label, label))
            ]
            claim = variable.labels.index(claimed) if claimed in variable.labels else -1
            out.append(claim if claim in fitting else fitting[0] if len(fitting) == 1 else -1)
        return out


def _states(stated: object, words: str | None) -> bool:
    """Whether a leaf holds these words; no words (null) means that nothing was written."""
    if isinstance(stated, (tuple, list)):
        return any(plain(item.text if isinstance(item, Goal) else item) == words for item in stated)
    return stated == words


def create_people(recipe: Recipe | str | Path, n: int | None = None, seed: int | None = None) -> Population:
    """The people of a recipe: `Population` under a verb, for scripts and the command line."""
    return Population(recipe, n, seed)
