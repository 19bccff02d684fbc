"""Rule packs: what has to be true of people of one domain, in one language, as data.

A pack names its fields and where they stand in a person, its vocabularies and their order, its rules, who repairs
what, and what a target asks for (anchors). The same pack judges one person, a mapping of fields, and columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, field_validator, model_validator

from personae.core import Fact, Frozen, Persona, RecipeError
from personae.creation._columns import Column
from personae.creation._documents import parse_yaml, require_known, shipped_names
from personae.creation._load import load_text
from personae.creation._match import phrases
from personae.creation._patterns import safe_pattern
from personae.creation._recipe import parse_document
from personae.creation._rules import Count, Rule, Severity, Violation, check_fields, expand_groups

Order = Literal["best_first", "worst_first"]
Read = Literal["numbers", "first", "number", "level", "said", "text"]
_GAP: Final = 24


class Vocabulary(Frozen):
    """Words of a closed set; with an `order` they are a scale."""

    words: tuple[str, ...] = Field(min_length=1)
    order: Order | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"words": data} if isinstance(data, (list, tuple)) else data

    @field_validator("words")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({w.casefold() for w in value}) < len(value):
            raise ValueError("a word is listed twice")
        return value

    @property
    def worst_first(self) -> tuple[str, ...]:
        """The scale as `Match.scale` wants it."""
        return self.words[::-1] if self.order == "best_first" else self.words


class Reading(Frozen):
    """A field that has to be read: elements of a list chosen by what they say, and numbers or levels found in a text.

    Args:
        path: a dotted path of a person (`relations`, `social.age`, `ext.student.values`).
        where: of a list of records, only those whose keys say one of these phrases.
        take: the key of a record that is read.
        read: `numbers` (all that `patterns` capture), `first` (the first of them), `number` (the first number in the
            text, thousands marks dropped), `level` (the level word beside one of `term`), `said` (the phrases of `term`
            that are said; an empty list when none is), or `text` (as it stands).
        patterns: regular expressions, one of whose groups is the number (see `safe_pattern`).
        term: phrases for what a level is about, or that may be said.
        scale: level words.
        within: most characters between a term and its level.
    """

    path: str
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    take: str | None = None
    read: Read = "text"
    patterns: tuple[str, ...] = ()
    term: tuple[str, ...] = ()
    scale: tuple[str, ...] = ()
    within: int = Field(default=_GAP, ge=0, le=200)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.read in {"numbers", "first"} and not self.patterns:
            raise ValueError(f"read: {self.read} needs patterns")
        if self.read == "level" and not (self.term and self.scale):
            raise ValueError("read: level needs term and scale")
        if self.read == "said" and not self.term:
            raise ValueError("read: said needs term")
        for pattern in self.patterns:
            if safe_pattern(pattern).groups < 1:
                raise ValueError(f"{pattern!r} has no group for the number")
        return self

    def of(self, value: Any) -> Any:
        """What the field holds, from the value at its path; None when there is nothing to read."""
        if value is None:
            return None
        if self.take is not None or self.where:
            texts = [t for record in _listed(value) if (t := self._chosen(record)) is not None]
        else:
            texts = [v for v in _listed(value) if v is not None]
        if self.read == "text":
            return (tuple(texts) if isinstance(value, (list, tuple)) else texts[0]) if texts else None
        if self.read == "numbers":
            return tuple(n for text in texts for n in self._numbers(str(text))) or None
        if self.read == "said":
            spoken = phrases(self.term)
            said = (_spelt(m[0], self.term) for text in texts for m in spoken.finditer(str(text)))
            return tuple(dict.fromkeys(said))
        found = (self._first(str(text)) for text in texts)
        return next((v for v in found if v is not None), None)

    def _chosen(self, record: Any) -> Any:
        if not isinstance(record, Mapping):
            return None
        for key, words in self.where.items():
            if phrases(words).search(str(record.get(key) or "")) is None:
                return None
        return record if self.take is None else record.get(self.take)

    def _first(self, text: str) -> float | str | None:
        if self.read == "level":
            return self._level(text)
        if self.read == "number":
            found = _NUMBER.search(text)
            return float(found[0].replace(",", "")) if found else None
        return next(iter(self._numbers(text)), None)

    def _numbers(self, text: str) -> list[float]:
        found = [m for p in self.patterns for m in safe_pattern(p).finditer(text)]
        words = [next((g for g in m.groups() if g), "") for m in sorted(found, key=re.Match.start)]
        return [float(w.replace(",", "")) for w in words if _NUMBER.fullmatch(w)]

    def _level(self, text: str) -> str | None:
        """The level said nearest after the first mention of the term that has one; the words of the scale are kept."""
        levels = phrases(self.scale)
        for term in phrases(self.term).finditer(text):
            stop = _STOP.search(text, term.end())
            end = min(stop.start() if stop else len(text), term.end() + self.within + max(map(len, self.scale)))
            found = levels.search(text, term.end(), end)
            if found is not None and found.start() - term.end() <= self.within:
                return _spelt(found[0], self.scale)
        return None


_STOP: Final = re.compile(r"[,.;!?\n]")
FieldSource: TypeAlias = "str | Reading"
_NUMBER: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,6})?|[0-9]{1,15}(?:\.[0-9]{1,6})?")


class Anchor(Frozen):
    """What a target asks for: for a value of `field`, counts that have to be met.

    Example: a target level of "bottom 50%" asks for at least three of seven value dimensions at middle or below.
    """

    code: str = Field(min_length=1)
    field: str
    by: dict[str, tuple[Count, ...]] = Field(min_length=1)
    severity: Severity = "error"
    owner: str | None = None
    hint: str | None = None

    @field_validator("by", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {str(k): [v] if isinstance(v, Mapping) else v for k, v in value.items()}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule for each value."""
        return tuple(
            Rule.model_validate(
                {
                    "code": f"{self.code}:{value}",
                    "when": {self.field: [value]},
                    "count": counts,
                    "severity": self.severity,
                    "owner": self.owner,
                    "hint": self.hint,
                }
            )
            for value, counts in self.by.items()
        )


class RulePack(Frozen):
    """Rules for people of one domain and locale.

    Args:
        fields: name to a persona path, or to a `Reading`.
        applies: the pack is meant for people who have a value at one of these paths; empty: for everybody.
        vocab: closed sets of words, `order` says which end is best; rules name one as `@name` (a scale: worst first).
        groups: named lists of words or of fields, also `@name`.
        anchors: what a target value asks for; they become rules.
        owners: who repairs which fields.

    Raises:
        UnknownKeyError: an unknown key, or a rule about a field that nobody named.
        RecipeError: anything else that does not fit.
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    title: str | None = None
    locale: str = "en"
    domain: str = Field(min_length=1)
    source: str | None = None
    licence: str | None = None
    note: str | None = None
    fields: dict[str, FieldSource] = Field(min_length=1)
    applies: tuple[str, ...] = ()
    vocab: dict[str, Vocabulary] = Field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()
    own_rules: tuple[Rule, ...] = Field(default=(), alias="rules")
    owners: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    model_config = Frozen.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @model_validator(mode="before")
    @classmethod
    def _groups(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        groups = _all_groups(data)
        where = f"pack {data.get('name', '')!r}"
        out = {**data, "groups": {k: v for k, v in groups.items() if k in (data.get("groups") or {})}}
        for key in ("rules", "own_rules", "anchors"):
            if key in data:
                out[key] = expand_groups(data[key], groups, where, keys=None)
        for key in ("fields", "owners"):
            if isinstance(data.get(key), Mapping):
                (out[key],) = expand_groups([data[key]], groups, where, keys=None)
        return out

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for owner, names in self.owners.items():
            for name in names:
                require_known(name, self.fields, f"pack {self.name!r}: owner {owner!r}", kind="field")
        seen: set[str] = set()
        for rule in self.rules:
            where = f"pack {self.name!r}: rule {rule.code!r}"
            if rule.code in seen:
                raise RecipeError(f"{where} is given twice.", hint="Give each rule its own code.")
            seen.add(rule.code)
            for name in rule.fields:
                require_known(name, self.fields, where, kind="field")
            if rule.owner is not None and self.owners:
                require_known(rule.owner, self.owners, where, kind="owner")
        return self

    @classmethod
    def of(cls, data: object, *, where: str = "pack") -> RulePack:
        """Read a pack from a plain mapping, with errors a person can act on."""
        return parse_document(cls, data, where=where)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, those of the anchors among them, each with the owner of what it judges."""
        anchored = (rule for anchor in self.anchors for rule in anchor.rules)
        return tuple(
            rule if rule.owner is not None else rule.model_copy(update={"owner": self._owner(rule)})
            for rule in (*self.own_rules, *anchored)
        )

    @cached_property
    def _owner_of(self) -> dict[str, str]:
        return {name: owner for owner, names in self.owners.items() for name in names}

    def _owner(self, rule: Rule) -> str | None:
        named = (self._owner_of.get(name) for name in (*rule.judged, *rule.fields))
        return next((owner for owner in named if owner is not None), None)

    def path(self, field: str) -> str:
        """Where a field stands in a person."""
        source = self.fields[field]
        return source if isinstance(source, str) else source.path

    def concerns(self, persona: Persona) -> bool:
        """Whether the pack is meant for this person."""
        return not self.applies or any(plain_at(persona, path) is not None for path in self.applies)

    def values(self, given: Persona | Mapping[str, object]) -> dict[str, Any]:
        """Every field of the pack with its value (None: missing), from a person or a mapping of fields.

        A reading that the mapping does not hold is read from the field that stands at its path.
        """
        if isinstance(given, Persona):
            return {name: self._read(given, source) for name, source in self.fields.items()}
        out: dict[str, Any] = {}
        for name, source in self.fields.items():
            if name in given or isinstance(source, str):
                out[name] = given.get(name)
            else:
                base = self._base(source.path, given)
                out[name] = None if base is None else source.of(given[base])
        return out

    def _read(self, persona: Persona, source: FieldSource) -> Any:
        if isinstance(source, str):
            return plain_at(persona, source)
        return source.of(plain_at(persona, source.path))

    def _base(self, path: str, given: Iterable[str]) -> str | None:
        """The name in `given` that holds the value of a path."""
        names = set(given)
        if path in names:
            return path
        return next((n for n, s in self.fields.items() if n in names and s == path), None)

    def check(self, given: Persona | Mapping[str, object]) -> tuple[Violation, ...]:
        """Every rule that a person or a mapping of fields breaks, in the order of the rules."""
        return check_fields(self.rules, self.values(given))

    def columns(self, given: Mapping[str, Any]) -> dict[str, Column]:
        """Columns of every field; a field that is not given (and cannot be read) is missing in every row.

        Args:
            given: NumPy or Arrow columns, or sequences, by field name or by path, all of one length.

        Raises:
            RecipeError: no columns, or of different lengths.
        """
        own = {name: Column.of(column) for name, column in given.items()}
        lengths = {len(column) for column in own.values()}
        if len(lengths) != 1:
            raise RecipeError(
                f"pack {self.name!r}: columns of {sorted(lengths) or 'no'} rows.", hint="Give columns of one length."
            )
        out: dict[str, Column] = {}
        for name, source in self.fields.items():
            base = name if name in own else self._base(self.path(name), own)
            if base is None:
                out[name] = Column.missing(lengths.copy().pop())
            else:
                read = base != name and not isinstance(source, str)
                out[name] = own[base].map(source.of) if read and isinstance(source, Reading) else own[base]
        return out

    def masks(self, columns: Mapping[str, Any]) -> dict[str, NDArray[np.bool_]]:
        """For each rule, by code, the rows that break it: `check` for a whole table.

        Each distinct value is judged once, so a million rows of categories, numbers and lists take seconds.
        """
        own = self.columns(columns)
        return {rule.code: rule.mask(own) for rule in self.rules}


def plain_at(persona: Persona, path: str) -> Any:
    """Plain value at a path: facts unwrapped, records as mappings, empty lists and mappings as None.

    A whole section that is a list of records (`relations`, `timeline`) comes as a tuple of mappings.
    """
    return _plain(persona.get(path))


def _plain(value: Any) -> Any:
    if isinstance(value, Fact):
        return _plain(value.value)
    if isinstance(value, BaseModel):
        return {k: _plain(v) for k, v in value if v is not None}
    if isinstance(value, (list, tuple)):
        return tuple(_plain(v) for v in value) or None
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()} or None
    return value


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


@lru_cache(maxsize=4096)
def _spelt(found: str, scale: tuple[str, ...]) -> str:
    """The word of a scale that a text means."""
    bare = re.sub(r"[\s-]+", " ", found).casefold()
    return next(word for word in scale if re.sub(r"[\s-]+", " ", word).casefold() == bare)


def _all_groups(data: Mapping[str, Any]) -> dict[str, Any]:
    """Groups and vocabularies by name; a group may name others as `@name`."""
    groups: dict[str, Any] = {}
    for name, body in (data.get("vocab") or {}).items():
        words = body.get("words", ()) if isinstance(body, Mapping) else body
        best_first = isinstance(body, Mapping) and body.get("order") == "best_first"
        groups[name] = list(words)[::-1] if best_first else list(words)
    for name, body in (data.get("groups") or {}).items():
        if name in groups:
            raise RecipeError(f"{name!r} is both a vocabulary and a group.", hint="Rename one of them.")
        ((groups[name],),) = (list(expand_groups([{"g": list(body)}], groups, "groups", keys=None)[0].values()),)
    return groups


def load_pack(source: str | Path) -> RulePack:
    """A pack shipped with the package (by name) or in a YAML file (by path). Domain schemas are registered first.

    Raises:
        UnknownKeyError: an unknown key at any depth, or a rule about an unknown field.
        RecipeError: malformed YAML, or anything else that does not fit.

    Example:
        >>> load_pack("adult_general").locale
        'en'
    """
    return _load(*load_text(source, "packs", "pack"))


@lru_cache(maxsize=32)
def _load(text: str, where: str) -> RulePack:
    return RulePack.of(parse_yaml(text, where, error=RecipeError), where=where)


def pack_names() -> tuple[str, ...]:
    """Names of the shipped packs."""
    return shipped_names("packs")
