"""Phrase grammars: texts from the values of a slot, in bulk, with no model.

A grammar is data: sentence plans per field, symbols with alternatives, conditions on slot values, agreement words.
Which alternative a symbol takes is drawn from counter-based uniforms, one lane a symbol, so a text depends on
(key, k, attempt) and on its slot alone, and a block of texts is made column by column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from personae.core import Frozen, InputError, RecipeError, derive_seed, sha256_hex
from personae.creation._documents import parse_yaml, require_known, shipped_names
from personae.creation._draws import Floats, Indexes, uniforms
from personae.creation._load import load_text
from personae.creation._recipe import parse_document

Texts: TypeAlias = NDArray[np.object_]
_REFERENCE: Final = re.compile(r"\{([A-Za-z_]+)\}")
_DEFAULT: Final = "*"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A categorical column: `words` and one code a row, shape (rows,)."""

    codes: Indexes
    words: tuple[str, ...]

    def take(self, rows: Indexes) -> Coded:
        """These rows, in this order."""
        return Coded(self.codes[rows], self.words)

    def texts(self) -> Texts:
        """The words of the rows, as objects."""
        return np.array(self.words, dtype=object)[self.codes]


Values: TypeAlias = Mapping[str, "Coded | Texts"]
"""Slot values as columns of one length: categories (they may decide between alternatives) or texts"""


class Choice(Frozen):
    """Alternatives of a symbol by the value of a variable; `*` stands for all other values."""

    by: str
    cases: dict[str, tuple[str, ...]] = Field(min_length=1)


class FormUse(Frozen):
    """The alternatives of a form with its parameters filled in."""

    use: str
    with_: dict[str, str] = Field(default_factory=dict, alias="with")

    model_config = Frozen.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class GrammarFile(Frozen):
    """A phrase grammar as written in YAML."""

    name: str
    title: str | None = None
    locale: str = "en"
    source: str
    licence: str
    bands: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    forms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    symbols: dict[str, FormUse | Choice | tuple[str, ...]]
    fields: dict[str, tuple[str, ...]] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class _Part:
    """One reference in an alternative."""

    name: str
    capital: bool


@dataclass(frozen=True, slots=True)
class _Text:
    """An alternative: a pattern for `%` and the references that fill it."""

    pattern: str
    parts: tuple[_Part, ...]


@dataclass(slots=True)
class _Symbol:
    name: str
    by: str | None
    cases: dict[str, tuple[_Text, ...]]
    width: int = 0
    """lanes that it and everything below it may use"""
    offsets: dict[int, tuple[int, ...]] = field(default_factory=dict)


class PhraseGrammar:
    """A compiled phrase grammar.

    Args:
        source: the grammar as data.

    Raises:
        RecipeError: a reference to nothing, a symbol that refers to itself, the same alternative twice.
    """

    def __init__(self, source: GrammarFile) -> None:
        self.source = source
        self._symbols = {name: self._compile(name, body) for name, body in source.symbols.items()}
        plans = {f: self._checked(f, self._texts(f, alternatives)) for f, alternatives in source.fields.items()}
        self._plans = {f: _Symbol(f, None, {_DEFAULT: texts}) for f, texts in plans.items()}
        for symbol in (*self._symbols.values(), *self._plans.values()):
            self._measure(symbol, ())

    def symbol(self, name: str) -> _Symbol | None:
        """A compiled symbol; None when the name is a word or a value."""
        return self._symbols.get(name)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields it writes."""
        return tuple(self._plans)

    @cached_property
    def hash(self) -> str:
        """Content hash of the grammar."""
        return sha256_hex(self.source)

    def count(self, name: str) -> int:
        """How many derivations a field has for one slot, at least: the slot values with the fewest alternatives count.

        What comes from the slot (levels, names, subjects) is not counted.
        """
        require_known(name, self._plans, f"grammar {self.source.name!r}", kind="field")
        return self._count(self._plans[name])

    @cached_property
    def variables(self) -> frozenset[str]:
        """Slot values that the grammar needs."""
        words = {spec["by"] for spec in self.source.words.values()}
        by = {s.by for s in self._symbols.values() if s.by}
        known = {*self._symbols, *self.source.words}
        named = {p.name for s in (*self._symbols.values(), *self._plans.values()) for t in _all(s) for p in t.parts}
        return frozenset(words | by | (named - known))

    def write(
        self, name: str, values: Values, k: Indexes, *, seed: int, attempt: int = 0, least: int = 0, most: int = 0
    ) -> Texts:
        """Texts of one field, shape (rows,).

        Args:
            name: the field.
            values: every variable of the grammar, one row a text.
            k: whom the texts are for, shape (rows,): draws depend on it.
            seed: root seed.
            attempt: draws again for the same k.
            least: shortest text to accept, in characters; shorter ones are drawn again on lanes of their own.
            most: longest text to accept; 0: any.

        Raises:
            UnknownKeyError: no such field.
            InputError: a missing variable, or a value without a case.
        """
        require_known(name, self._plans, f"grammar {self.source.name!r}", kind="field")
        missing = sorted(v for v in self.variables if v not in values)
        if missing:
            raise InputError(f"grammar {self.source.name!r} needs {', '.join(missing)}.", hint="Give these columns.")
        plan, key = self._plans[name], derive_seed(seed, "phrases", self.source.name, name)
        words = {w: self._word(w, values) for w in self.source.words}
        out = np.empty(len(k), dtype=object)
        rows = np.arange(len(k), dtype=np.int64)
        for turn in range(_TURNS):
            draws = uniforms(derive_seed(key, turn) if turn else key, k[rows], attempt, plan.width)
            job = _Job(self, values, words, draws, rows)
            out[rows] = job.run(plan, np.arange(len(rows), dtype=np.int64), 0)
            if not most and not least:
                return out
            sizes = np.fromiter((len(t) for t in out[rows]), dtype=np.int64, count=len(rows))
            rows = rows[(sizes < least) | ((sizes > most) if most else False)]
            if not len(rows):
                return out
        raise InputError(
            f"grammar {self.source.name!r}: {len(rows)} texts of {name!r} are not within {least} to {most} characters "
            f"after {_TURNS} draws.",
            hint="Widen the limits, or change the phrases.",
        )

    def _word(self, name: str, values: Values) -> Texts:
        spec = self.source.words[name]
        column = _coded(values, spec["by"], self.source.name)
        for word in column.words:
            require_known(word, spec, f"grammar {self.source.name!r}: word {name!r}")
        return np.array([spec[w] for w in column.words], dtype=object)[column.codes]

    def _compile(self, name: str, body: FormUse | Choice | tuple[str, ...]) -> _Symbol:
        where = f"grammar {self.source.name!r}: symbol {name!r}"
        if isinstance(body, FormUse):
            require_known(body.use, self.source.forms, where, kind="form")
            body = tuple(_filled(text, body.with_) for text in self.source.forms[body.use])
        if not isinstance(body, Choice):
            return _Symbol(name, None, {_DEFAULT: self._checked(name, self._texts(name, body))})
        cases: dict[str, tuple[_Text, ...]] = {}
        for case, alternatives in body.cases.items():
            texts = self._checked(name, self._texts(name, alternatives))
            for value in self.source.bands.get(case, (case,)):
                if value in cases:
                    raise RecipeError(f"{where}: {value!r} has two cases.", hint="Give each value one case.")
                cases[value] = texts
        return _Symbol(name, body.by, cases)

    def _texts(self, name: str, alternatives: Sequence[str]) -> tuple[_Text, ...]:
        del name
        out: list[_Text] = []
        for text in alternatives:
            found = [m[1] for m in _REFERENCE.finditer(text)]
            parts = tuple(_Part(w[0].lower() + w[1:], w[0].isupper()) for w in found)
            out.append(_Text(_REFERENCE.sub("%s", text.replace("%", "%%")), parts))
        return tuple(out)

    def _checked(self, name: str, texts: tuple[_Text, ...]) -> tuple[_Text, ...]:
        if not texts or len(set(texts)) < len(texts):
            raise RecipeError(
                f"grammar {self.source.name!r}: {name!r} has {'the same alternative twice' if texts else 'none'}.",
                hint="Give each symbol different alternatives.",
            )
        return texts

    def _measure(self, symbol: _Symbol, above: tuple[str, ...]) -> int:
        """Lanes of a symbol: one of its own, then those of its parts side by side; alternatives share them."""
        if symbol.name in above:
            raise RecipeError(
                f"grammar {self.source.name!r}: {' > '.join((*above, symbol.name))} refers to itself.",
                hint="A symbol may not stand inside itself.",
            )
        if symbol.width:
            return symbol.width
        widest = 0
        for text in _all(symbol):
            offsets: list[int] = []
            used = 1
            for part in text.parts:
                offsets.append(used)
                inner = self._symbols.get(part.name)
                used += self._measure(inner, (*above, symbol.name)) if inner is not None else 0
            symbol.offsets[id(text)] = tuple(offsets)
            widest = max(widest, used)
        symbol.width = widest
        return widest

    def _count(self, symbol: _Symbol) -> int:
        def of(texts: tuple[_Text, ...]) -> int:
            return sum(
                prod(self._count(self._symbols[p.name]) for p in t.parts if p.name in self._symbols) for t in texts
            )

        return min(of(texts) for texts in symbol.cases.values())


_TURNS: Final = 32


@dataclass(slots=True)
class _Job:
    """One block being written: rows of the values, and a row of draws each."""

    grammar: PhraseGrammar
    values: Values
    words: Mapping[str, Texts]
    draws: Floats
    rows: Indexes

    def run(self, symbol: _Symbol, at: Indexes, lane: int) -> Texts:
        """Texts of a symbol for the draws at positions `at`."""
        out = np.empty(len(at), dtype=object)
        if symbol.by is None:
            self._choose(symbol, symbol.cases[_DEFAULT], at, np.arange(len(at)), lane, out)
            return out
        column = _coded(self.values, symbol.by, self.grammar.source.name)
        codes = column.codes[self.rows[at]]
        groups: dict[int, tuple[tuple[_Text, ...], list[int]]] = {}
        for code in np.unique(codes).tolist():
            word = column.words[code]
            texts = symbol.cases.get(word, symbol.cases.get(_DEFAULT))
            if texts is None:
                raise InputError(
                    f"grammar {self.grammar.source.name!r}: {symbol.name!r} has no case for {symbol.by} {word!r}.",
                    hint=f"Known: {', '.join(symbol.cases)}.",
                )
            groups.setdefault(id(texts), (texts, []))[1].append(code)
        for texts, members in groups.values():
            self._choose(symbol, texts, at, np.flatnonzero(np.isin(codes, members)), lane, out)
        return out

    def _choose(
        self, symbol: _Symbol, texts: tuple[_Text, ...], at: Indexes, places: Indexes, lane: int, out: Texts
    ) -> None:
        chosen = (self.draws[at[places], lane] * len(texts)).astype(np.int64)
        order = np.argsort(chosen, kind="stable")
        edges = np.searchsorted(chosen[order], np.arange(len(texts) + 1))
        for index, text in enumerate(texts):
            members = places[order[edges[index] : edges[index + 1]]]
            if len(members):
                out[members] = self._fill(symbol, text, at[members], lane)

    def _fill(self, symbol: _Symbol, text: _Text, at: Indexes, lane: int) -> Texts | str:
        if not text.parts:
            return text.pattern % ()
        columns = [
            self._part(part, at, lane + offset)
            for part, offset in zip(text.parts, symbol.offsets[id(text)], strict=True)
        ]
        out = np.empty(len(at), dtype=object)
        pattern = text.pattern
        out[:] = [pattern % row for row in zip(*columns, strict=True)]
        return out

    def _part(self, part: _Part, at: Indexes, lane: int) -> list[Any]:
        inner = self.grammar.symbol(part.name)
        if inner is not None:
            texts = self.run(inner, at, lane).tolist()
        elif part.name in self.words:
            texts = self.words[part.name][self.rows[at]].tolist()
        else:
            column = self.values[part.name]
            column = column.take(self.rows[at]).texts() if isinstance(column, Coded) else column[self.rows[at]]
            texts = column.tolist()
        return [t[:1].upper() + t[1:] for t in texts] if part.capital else texts


def _all(symbol: _Symbol) -> Iterator[_Text]:
    for texts in {id(t): t for t in symbol.cases.values()}.values():
        yield from texts


def _coded(values: Values, name: str, grammar: str) -> Coded:
    column = values[name]
    if not isinstance(column, Coded):
        raise InputError(f"grammar {grammar!r}: {name!r} decides between phrases.", hint="Give it as categories.")
    return column


def _filled(text: str, given: Mapping[str, str]) -> str:
    for name, value in given.items():
        capital = "{" + value[1].upper() + value[2:] if value.startswith("{") else value[0].upper() + value[1:]
        text = text.replace(f"<^{name}>", capital).replace(f"<{name}>", value)
    return text


def load_phrases(source: str | Path) -> PhraseGrammar:
    """A phrase grammar shipped with the package (by name, such as `student.en`) or in a YAML file (by path).

    Raises:
        UnknownKeyError: an unknown name or key.
        RecipeError: malformed YAML, or a grammar that does not fit together.
    """
    return _load(*load_text(source, "phrases", "phrase grammar"))


@lru_cache(maxsize=16)
def _load(text: str, where: str) -> PhraseGrammar:
    body = parse_yaml(text, where, error=RecipeError)
    return PhraseGrammar(parse_document(GrammarFile, body, where=where))


def phrase_names() -> tuple[str, ...]:
    """Names of the shipped phrase grammars."""
    return shipped_names("phrases")
