"""Rule packs: what has to be true of people of one domain, in one language, as data.

A pack names its fields and where they stand in a person, its vocabularies and their order, its rules, who repairs
what, and what a target asks for (anchors). The same pack judges one person, a mapping of fields, and columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from personae.core import Fact, Frozen, Persona, RecipeError
from personae.creation._columns import Column
from personae.creation._documents import parse_yaml, require_known, shipped_names
from personae.creation._load import load_text
from personae.creation._locales import extended
from personae.creation._reading import Reading
from personae.creation._recipe import parse_document
from personae.creation._rules import Count, Rule, Severity, Violation, check_fields, expand_groups

Order = Literal["best_first", "worst_first"]


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


FieldSource: TypeAlias = "str | Reading"


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
        pieces: parts of patterns; `<<name>>` in a pattern, or in a piece below, stands for one.
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
    pieces: dict[str, str] = Field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()
    own_rules: tuple[Rule, ...] = Field(default=(), alias="rules")
    owners: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    model_config = Frozen.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @model_validator(mode="before")
    @classmethod
    def _groups(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        where = f"pack {data.get('name', '')!r}"
        data = _pieced(data, where)
        groups = _all_groups(data)
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
        made: set[str] = set()
        for name, source in self.fields.items():
            for path in () if isinstance(source, str) else source.path:
                if path in self._prepared and path not in made:
                    raise RecipeError(
                        f"pack {self.name!r}: field {name!r} is read from {path!r}.", hint=f"Write {path!r} above it."
                    )
            made.add(name)
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

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path of a person that the pack reads."""
        sources = self.fields.values()
        read = dict.fromkeys(p for s in sources for p in ((s,) if isinstance(s, str) else s.paths))
        return tuple(p for p in read if p not in self._prepared)

    @cached_property
    def _prepared(self) -> frozenset[str]:
        """Fields that other fields are read from."""
        return frozenset(name for name, s in self.fields.items() if isinstance(s, Reading) and s.ready)

    def concerns(self, given: Persona | Mapping[str, Any]) -> bool:
        """Whether the pack is meant for this person (or its mapping as in a file)."""
        body = body_of(given)
        return not self.applies or any(at_path(body, path) is not None for path in self.applies)

    def values(self, given: Persona | Mapping[str, object]) -> dict[str, Any]:
        """Every field of the pack with its value (None: missing), from a person or a mapping of fields.

        A reading that the mapping does not hold is read from the fields that stand at its paths.
        """
        if isinstance(given, Persona):
            return self.read(body_of(given))
        return self._filled({name: given[name] for name in given if name in self.fields or name in self.paths})

    def read(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Every field of the pack with its value, from the mapping that a file holds."""
        at = {path: at_path(body, path) for path in self.paths}
        out: dict[str, Any] = {}
        for name, first, source in self._plan:
            if source is None:
                out[name] = at[first]
                continue
            if len(source.path) == 1 and at[first] is None:
                out[name] = source.default
            else:
                out[name] = source.of(*[at[path] for path in source.paths])
            if name in self._prepared:
                at[name] = out[name]
        return out

    @cached_property
    def _plan(self) -> tuple[tuple[str, str, Reading | None], ...]:
        """Each field with its first path, and how it is read there."""
        return tuple((name, s, None) if isinstance(s, str) else (name, s.path[0], s) for name, s in self.fields.items())

    def _filled(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Values of all fields from those that are known by field name or by path."""
        out: dict[str, Any] = {}
        for name, source in self.fields.items():
            if name in known:
                out[name] = known[name]
            elif isinstance(source, str):
                out[name] = known.get(source)
            else:
                out[name] = source.of(*[self._known(p, known, out) for p in source.paths])
        return out

    def _known(self, path: str, known: Mapping[str, Any], made: Mapping[str, Any]) -> Any:
        if path in self._prepared:
            return made[path]
        return known[path] if path in known else known.get(self._base(path, known))

    @cached_property
    def _names_of(self) -> dict[str, str]:
        return {source: name for name, source in reversed(self.fields.items()) if isinstance(source, str)}

    def _base(self, path: str, known: Mapping[str, Any]) -> str:
        """The key that holds the value of a path: the path, or the field that stands there."""
        return path if path in known else self._names_of.get(path, path)

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
        lengths = sorted({len(column) for column in own.values()})
        if len(lengths) != 1:
            raise RecipeError(
                f"pack {self.name!r}: columns of {lengths or 'no'} rows.", hint="Give columns of one length."
            )
        missing = Column.missing(lengths[0])
        met: dict[object, Any] = {}
        out: dict[str, Column] = {}
        for name, source in self.fields.items():
            if name in own:
                out[name] = own[name]
            elif isinstance(source, str):
                out[name] = own.get(source, missing)
            else:
                bases = (out[p] if p in self._prepared else own.get(self._base(p, own), missing) for p in source.paths)
                out[name] = source.column(list(bases), met)
        return out

    def masks(self, columns: Mapping[str, Any]) -> dict[str, NDArray[np.bool_]]:
        """For each rule, by code, the rows that break it: `check` for a whole table.

        Each distinct value is judged once, so a million rows of categories, numbers and lists take seconds.
        """
        own = self.columns(columns)
        return {rule.code: rule.mask(own) for rule in self.rules}


def body_of(given: Persona | Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping that a file would hold."""
    return given.model_dump(mode="json", exclude_defaults=True) if isinstance(given, Persona) else given


def at_path(body: Mapping[str, Any], path: str) -> Any:
    """Plain value at a dotted path of a mapping as in a file; facts unwrapped, empty lists and mappings as None."""
    attribute, steps = _steps(path)
    node: Any = body
    if attribute is not None:
        attributes = body.get("attributes")
        node = attributes.get(attribute) if isinstance(attributes, Mapping) else None
    for step in steps:
        if type(node) is not dict and not isinstance(node, Mapping):
            return None
        node = node.get(step)
        if node is None:
            return None
    return node if type(node) is str else _plain(node)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str | None, tuple[str, ...]]:
    """The attribute that a path names, or the keys that lead to its place."""
    if path.startswith("attributes."):
        return path.removeprefix("attributes."), ()
    return None, tuple(path.split("."))


_EXTENDS: Final = re.compile(r"^extends:[ ]{0,9}([\w./-]{1,200})[ ]{0,9}(?:#.*)?$", re.MULTILINE)
_FACT: Final = frozenset(Fact.model_fields)


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if type(value) is dict and "value" not in value:
        return {k: v if type(v) is str else _plain(v) for k, v in value.items() if v is not None} or None
    if isinstance(value, Mapping):
        if "value" in value and value.keys() <= _FACT:
            return _plain(value["value"])
        return {k: _plain(v) for k, v in value.items() if v is not None} or None
    if isinstance(value, (list, tuple)):
        return tuple([v if type(v) is str else _plain(v) for v in value]) or None
    return value


_PIECE: Final = re.compile(r"<<([a-z_]{1,40})>>")


def _pieced(data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A raw pack with its pieces put into the patterns that name them."""
    pieces = data.get("pieces")
    if not isinstance(pieces, Mapping):
        return data

    whole: dict[str, str] = {}

    def put(found: re.Match[str]) -> str:
        require_known(found[1], whole, f"{where}: <<{found[1]}>>", kind="piece")
        return whole[found[1]]

    for name, piece in pieces.items():
        whole[str(name)] = _PIECE.sub(put, str(piece))

    def within(value: Any) -> Any:
        if isinstance(value, str):
            return _PIECE.sub(put, value) if "<<" in value else value
        if isinstance(value, Mapping):
            return {k: within(v) for k, v in value.items()}
        return [within(v) for v in value] if isinstance(value, (list, tuple)) else value

    return {k: within(v) if k in {"fields", "rules", "own_rules"} else v for k, v in data.items()}


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


def load_pack(source: str | Path, *, locale: str | None = None) -> RulePack:
    """A pack shipped with the package (by name) or in a YAML file (by path). Domain schemas are registered first.

    Args:
        source: name or path. `student.de` is the pack `student` in German: a file that says `extends: student`.
        locale: the language wanted, such as `de`; the same as the name with its ending. None: the one of the file.

    Raises:
        UnknownKeyError: an unknown key at any depth, or a rule about an unknown field.
        RecipeError: no such pack or locale, malformed YAML, or anything else that does not fit.

    Example:
        >>> load_pack("adult_general").locale, load_pack("student", locale="de").name
        ('en', 'student.de')
    """
    pack = _load(*_whole(source))
    if locale is None or locale == pack.locale:
        return pack
    named = _in_locale(source, locale)
    if isinstance(source, str) and named not in pack_names() and not Path(named).exists():
        own = [name for name in pack_names() if name.startswith(f"{source}.")]
        known = sorted({pack.locale, *(name.rpartition(".")[2] for name in own)})
        raise RecipeError(
            f"pack {pack.name!r} is not there in the locale {locale!r}.", hint=f"Locales: {', '.join(known)}."
        )
    return load_pack(named)


def _in_locale(source: str | Path, locale: str) -> str:
    """Name or path of a pack in another language: `student` becomes `student.de`, `p.yaml` becomes `p.de.yaml`."""
    path = Path(source)
    if path.suffix in {".yaml", ".yml"}:
        return str(path.with_suffix(f".{locale}{path.suffix}"))
    return f"{source}.{locale}"


def _whole(source: str | Path) -> tuple[str, str, str | None]:
    """(text, how errors call it, text of the pack that it extends)."""
    text, where = load_text(source, "packs", "pack")
    base = _EXTENDS.search(text)
    if base is None:
        return text, where, None
    name = base[1]
    beside = Path(source).parent / name
    return text, where, load_text(beside if name.endswith((".yaml", ".yml")) else name, "packs", "pack")[0]


@lru_cache(maxsize=32)
def _load(text: str, where: str, base: str | None) -> RulePack:
    body = parse_yaml(text, where, error=RecipeError)
    if base is not None and isinstance(body, Mapping):
        body = extended(body, parse_yaml(base, f"{where}: extends", error=RecipeError), where)
    return RulePack.of(body, where=where)


def pack_names() -> tuple[str, ...]:
    """Names of the shipped packs; those in another language than that of their base end in the locale."""
    return shipped_names("packs")
