"""A population: a recipe, a size and a seed. People are made when they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, Goal, InputError, Persona, Provenance, RecipeError, derive_seed, plain
from personae.creation._checks import naming_variable
from personae.creation._design import SampleDesign, sample_design
from personae.creation._draws import Floats, Indexes, normals, permute, pick, uniforms
from personae.creation._enrich import ColumnSource, column_sources
from personae.creation._fit import category_mask
from personae.creation._fitted import PopulationFit, compare_with_recipe
from personae.creation._load import load_recipe
from personae.creation._names import LISTS, NameBook, initials, list_of
from personae.creation._paths import leaf_kind, place, place_words
from personae.creation._quota import CountTable, count_people
from personae.creation._recipe import Recipe, Strata
from personae.creation._rules import Rule, Violation

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK: Final = 1024
_BATCH: Final = 65_536
_TRAIT_LANES: Final = 6  # five normals need three pairs of uniforms


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """A column of words as indexes into the words."""

    codes: NDArray[Any]
    words: tuple[str, ...]


class Population(Sequence[Persona]):
    """People drawn from a recipe; person k is a pure function of (recipe hash, n, seed, k).

    Hard quotas are exact by construction: whole people are counted per cell, and a keyed permutation says which cell
    person k stands in. A rejected person is drawn again as `person(k, attempt=1)`: same cell, same name.

    Args:
        recipe: a recipe, the name of a shipped one, or the path of a YAML file.
        n: how many people; default: the recipe's.
        seed: root seed; default: the recipe's.
        rarity: temperature of the draw, see `Recipe`; default: the recipe's.
        strata: allocation of the sample, see `Strata`; default: the recipe's.

    Raises:
        RecipeError: the recipe cannot be met.

    Example:
        >>> town = Population("harbour_town", n=10, seed=7)
        >>> town[3] == Population("harbour_town", n=10, seed=7).person(3)
        True
    """

    def __init__(
        self,
        recipe: Recipe | str | Path,
        n: int | None = None,
        seed: int | None = None,
        *,
        rarity: float | None = None,
        strata: Strata | Mapping[str, Any] | None = None,
    ) -> None:
        loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
        self.recipe: Final = _designed(loaded, rarity, strata)
        self.n: Final = self.recipe.n if n is None else n
        self.seed: Final = self.recipe.seed if seed is None else seed
        if not 1 <= self.n <= 10**12 or self.seed < 0:
            raise RecipeError(f"n is {self.n!r} and seed is {self.seed!r}.", hint="n is 1 to 10^12, seed at least 0.")
        self.hash: Final = self.recipe.hash
        root = self.recipe.root
        self._names = NameBook(self.recipe.names, self.seed, root)
        self._naming = naming_variable(self.recipe)
        self._draws = derive_seed(self.seed, root, "person")
        self._shuffle = derive_seed(self.seed, root, "permutation", self.n)
        self._drawing = derive_seed(self.seed, root, "drawn")
        self._enrichment = self.recipe.enrichment

    @cached_property
    def design(self) -> SampleDesign:
        """The shares people are drawn from: those of the population, or those that rarity and strata make of them."""
        return sample_design(self.recipe, self.recipe.fitted)

    @cached_property
    def counts(self) -> CountTable:
        """People per cell, and the integer quotas of the hard margins (and strata)."""
        return count_people(self.recipe, self.design.table, self.n, self.seed, hard=self.design.hard)

    @cached_property
    def cell_weights(self) -> Floats | None:
        """Weight of the people in each occupied cell, mean 1 over the people; None when everybody weighs 1."""
        if self.design.ratio is None:
            return None
        ratio = self.design.ratio[self.counts.cells]
        return ratio / (float((ratio * self.counts.counts).sum()) / self.n)

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
        self, ks: Iterable[int] | None = None, *, attempt: int = 0, details: bool = True, names: bool = False
    ) -> dict[str, NDArray[Any]]:
        """People in bulk: one array per column, in the order of `ks` (default: everybody).

        Columns are `k`, the category of each variable under its name, `weight` when people have weights, with `details`
        what is drawn inside the cell under its persona path (whole numbers of binned variables, places, the five
        T-scores) and the recipe's `drawn` columns under their names, and with `names` what they are called. The same
        values as `person` gives, without making a Persona.
        """
        out: dict[str, NDArray[Any]] = {}
        for name, column in self._bulk(self._chosen(ks), attempt, details=details, names=names).items():
            out[name] = np.array(column.words)[column.codes] if isinstance(column, _Coded) else column
        if names:
            turns = out.pop("names.turn")
            middle = np.array([f" {initials(turn)}" for turn in range(int(turns.max(initial=0)) + 1)])
            out["names.full"] = np.char.add(np.char.add(out["names.given"], middle[turns]), out["names.family"])
        return out

    def sources(self) -> dict[str, ColumnSource]:
        """Where each column comes from: margins, conditional tables, the seed, a drawn table, traits, names, places."""
        return column_sources(self.recipe)

    def arrow(
        self, ks: Iterable[int] | None = None, *, attempt: int = 0, details: bool = True, names: bool = False
    ) -> pa.Table:
        """`columns` as an Arrow table; words that repeat are dictionary-encoded."""
        import pyarrow as pa

        chosen = self._chosen(ks)
        cuts = range(0, max(len(chosen), 1), _BATCH)
        return pa.Table.from_batches(
            [self._batch(chosen[cut : cut + _BATCH], attempt, details=details, names=names) for cut in cuts]
        )

    def batches(
        self,
        size: int = 65_536,
        *,
        start: int = 0,
        stop: int | None = None,
        attempt: int = 0,
        details: bool = True,
        names: bool = True,
    ) -> Iterator[pa.RecordBatch]:
        """People `start` to `stop` - 1 as Arrow record batches of `size`, in order and in constant memory.

        Raises:
            InputError: a size below 1, or a range outside 0 … n.
        """
        end = self.n if stop is None else stop
        if size < 1 or not 0 <= start <= end <= self.n:
            raise InputError(
                f"batches: size {size}, people {start} to {end}; expected at least 1, within 0 to {self.n}."
            )
        for cut in range(start, end, size):
            ks = np.arange(cut, min(cut + size, end), dtype=np.int64)
            yield self._batch(ks, attempt, details=details, names=names)

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
            codes = self.design.table.codes[self.counts.cells].astype(np.int64)
            return self.fit_codes(codes, self.counts.counts, self.cell_weights, unit=unit)
        codes, weights = self._read_all(persons)
        return self.fit_codes(codes, np.ones(len(codes), dtype=np.int64), weights, unit=unit)

    def fit_codes(
        self, codes: Indexes, counts: Indexes, weights: Floats | None = None, *, unit: str = "population"
    ) -> PopulationFit:
        """`fit` of people given as rows of category codes (-1: unknown), people per row, and their weights."""
        return compare_with_recipe(
            self.recipe, codes, counts, weights,
            n=self.n, quotas=self.counts.quotas, strata=self.design.strata, unit=unit,
        )  # fmt: skip

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

    def _occupied(self, ks: Indexes) -> Indexes:
        """Which of the occupied cells each person stands in."""
        return np.searchsorted(self._ends, permute(ks, self.n, self._shuffle), side="right")

    def _codes(self, ks: Indexes) -> NDArray[np.int16]:
        return self.design.table.codes[self.counts.cells[self._occupied(ks)]]

    def _weights(self, ks: Indexes) -> Floats | None:
        return None if self.cell_weights is None else self.cell_weights[self._occupied(ks)]

    def _bulk(self, ks: Indexes, attempt: int, *, details: bool, names: bool) -> dict[str, NDArray[Any] | _Coded]:
        occupied = self._occupied(ks)
        codes = self.design.table.codes[self.counts.cells[occupied]]
        out: dict[str, NDArray[Any] | _Coded] = {"k": ks}
        for column, (name, labels) in enumerate(self.recipe.labels.items()):
            out[name] = _Coded(codes[:, column], labels)
        if self.cell_weights is not None:
            out["weight"] = self.cell_weights[occupied]
        own = self._details(ks, codes, attempt) if details or (names and self.recipe.names.year is not None) else {}
        if details:
            out |= own | self._drawn(ks, codes, own, attempt)
        if names:
            called = self._names.codes(ks, self._lists[self._column(codes, self._naming_column)], self._born(own))
            out["names.given"] = _Coded(called.given.astype(np.int32), self._names.given_words)
            out["names.family"] = _Coded(called.family.astype(np.int32), self._names.family_words)
            out["names.turn"] = called.turn
        return out

    def _batch(self, ks: Indexes, attempt: int, *, details: bool, names: bool) -> pa.RecordBatch:
        import pyarrow as pa
        import pyarrow.compute as pc

        arrays: dict[str, Any] = {}
        for name, column in self._bulk(ks, attempt, details=details, names=names).items():
            if isinstance(column, _Coded):
                indices: Any = pa.array(column.codes)
                arrays[name] = pa.DictionaryArray.from_arrays(indices, pa.array(list(column.words)))
            else:
                arrays[name] = pa.array(column)
        if names:
            turns: Any = arrays.pop("names.turn")
            words = [initials(turn) for turn in range((pc.max(turns).as_py() or 0) + 1)]
            middle = pa.array(words, type=pa.string()).take(turns)
            family = pc.binary_join_element_wise(middle, arrays["names.family"].dictionary_decode(), "")
            arrays["names.full"] = pc.binary_join_element_wise(arrays["names.given"].dictionary_decode(), family, " ")
        return pa.RecordBatch.from_pydict(arrays)

    def _details(self, ks: Indexes, codes: NDArray[np.int16], attempt: int) -> dict[str, NDArray[Any] | _Coded]:
        draws = uniforms(self._draws, ks, attempt, _TRAIT_LANES + 1 + len(self._numeric))
        variables = list(self.recipe.variables.values())
        out: dict[str, NDArray[Any] | _Coded] = {}
        ages: NDArray[Any] | None = None
        for lane, (column, path) in enumerate(self._numeric.items()):
            low, high = np.array(list(variables[column].bins.values()), dtype=np.int64).T
            code = codes[:, column]
            width = (high - low + 1)[code]
            out[path] = drawn = low[code] + np.floor(draws[:, _TRAIT_LANES + 1 + lane] * width).astype(np.int64)
            ages = drawn if path == "social.age" else ages
        if self.recipe.places:
            weights = np.array(list(self.recipe.places.values()))
            where = pick(draws[:, _TRAIT_LANES], weights).astype(np.int32)
            out["social.residence"] = _Coded(where, tuple(self.recipe.places))
        if self.recipe.traits is not None:
            years = np.full(len(ks), np.nan) if ages is None else ages.astype(np.float64)
            scores = self.recipe.traits.scores(
                self._female(codes), years, normals(draws[:, :_TRAIT_LANES])[:, : len(DOMAINS)]
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

    def _people(self, ks: Indexes, attempt: int = 0) -> Iterator[Persona]:
        codes = self._codes(ks)
        weights = self._weights(ks)
        arrays = self._details(ks, codes, attempt)
        told = {name: _listed(column) for name, column in self._drawn(ks, codes, arrays, attempt).items()}
        details = {path: _listed(column) for path, column in arrays.items()}
        variables = self.recipe.variables
        labels = [variable.labels for variable in variables.values()]
        written = [
            (c, v.path, [v.text.get(label, label) for label in v.labels])
            for c, v in enumerate(variables.values())
            if v.path is not None and c not in self._numeric
        ]
        lists = self._lists[self._column(codes, self._naming_column)]
        called = self._names.names(ks, [LISTS[c] for c in lists.tolist()], self._born(arrays))
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
            weight = None if weights is None else float(weights[row])
            body["provenance"] = self._provenance(k, attempt, cell, issues[row], weight)
            yield Persona.model_validate(body)

    def _born(self, details: Mapping[str, NDArray[Any] | _Coded]) -> Indexes | None:
        """Birth year of each person, where names follow it."""
        year, ages = self.recipe.names.year, details.get("social.age")
        return None if year is None or ages is None or isinstance(ages, _Coded) else year - ages

    def _drawn(
        self, ks: Indexes, codes: NDArray[np.int16], details: Mapping[str, NDArray[Any] | _Coded], attempt: int
    ) -> dict[str, NDArray[Any] | _Coded]:
        """The recipe's drawn columns, by name."""
        if not self.recipe.drawn:
            return {}
        numbers = {path: column for path, column in details.items() if not isinstance(column, _Coded)}
        return {
            name: column.values if column.labels is None else _Coded(column.values.astype(np.int32), column.labels)
            for name, column in self._enrichment.draw(self._drawing, ks, codes, numbers, attempt).items()
        }

    @cached_property
    def _naming_column(self) -> int | None:
        return None if self._naming is None else self._position(self._naming)

    @cached_property
    def _lists(self) -> Indexes:
        """Given-name list (an index into `LISTS`) of each category of the naming variable."""
        words = ("neutral",) if self._naming is None else [list_of(v) for v in self.recipe.labels[self._naming]]
        return np.array([LISTS.index(word) for word in words], dtype=np.int64)

    @staticmethod
    def _column(codes: NDArray[np.int16], column: int | None) -> NDArray[Any]:
        return np.zeros(len(codes), dtype=np.int64) if column is None else codes[:, column]

    def _provenance(
        self, k: int, attempt: int, cell: dict[str, str], issues: tuple[str, ...], weight: float | None
    ) -> Provenance:
        return Provenance(
            recipe=self.hash, n=self.n, seed=self.seed, k=k, attempt=attempt, cell=cell, issues=issues, weight=weight,
            generator=f"recipe {self.recipe.name}", licence=self.recipe.licence,
        )  # fmt: skip

    def _read_all(self, persons: Iterable[Persona]) -> tuple[NDArray[np.int64], Floats | None]:
        """Category codes and weights of finished people, a thousand at a time; no weights when nobody has one."""
        codes, weights = [np.zeros((0, len(self.recipe.variables)), dtype=np.int16)], [np.zeros(0)]
        stream = iter(persons)
        while some := list(islice(stream, _CHUNK)):
            codes.append(np.array([self._read(p) for p in some], dtype=np.int16))
            weights.append(np.array([1.0 if (w := p.provenance.weight) is None else w for p in some]))
        own = np.concatenate(weights)
        return np.concatenate(codes).astype(np.int64), None if (own == 1).all() else own

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


def _listed(column: NDArray[Any] | _Coded) -> list[Any]:
    return [column.words[c] for c in column.codes.tolist()] if isinstance(column, _Coded) else column.tolist()


def _states(stated: object, words: str | None) -> bool:
    """Whether a leaf holds these words; no words (null) means that nothing was written."""
    if isinstance(stated, (tuple, list)):
        return any(plain(item.text if isinstance(item, Goal) else item) == words for item in stated)
    return stated == words


def _designed(recipe: Recipe, rarity: float | None, strata: Strata | Mapping[str, Any] | None) -> Recipe:
    """The recipe with another rarity or other strata, checked; the fit does not depend on them and is kept."""
    if rarity is None and strata is None:
        return recipe
    body = {name: getattr(recipe, name) for name in Recipe.model_fields}
    body |= {} if rarity is None else {"rarity": rarity}
    body |= {} if strata is None else {"strata": strata}
    out = Recipe.of(body, where=f"population of {recipe.name!r}")
    if "fitted" in recipe.__dict__:
        object.__setattr__(out, "fitted", recipe.fitted)
    return out


def create_people(recipe: Recipe | str | Path, n: int | None = None, seed: int | None = None) -> Population:
    """The people of a recipe: `Population` under a verb, for scripts and the command line."""
    return Population(recipe, n, seed)
