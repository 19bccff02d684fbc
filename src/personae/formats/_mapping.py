"""A table of somebody else's as people: which column is which leaf, in YAML."""

from __future__ import annotations

import math
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import yaml
from pydantic import Field, ValidationError, field_validator

from personae.core import PII, Consent, Frozen, InputError, PersonaKind, SchemaError, UnknownKeyError, schema_error
from personae.formats._leaves import LeafKind, leaf_kinds
from personae.formats._reading import whole_text
from personae.formats._shape import MISSING, TEXT, Codec, Json, Open, Place, Shape, bare

CellKind: TypeAlias = Literal["text", "integer", "number", "boolean", "list"]
_ATTRIBUTE = re.compile(r"attributes(\.[a-z0-9_]+)+")
_KINDS: dict[LeafKind, CellKind] = {"text": "text", "integer": "integer", "number": "number", "texts": "list"}


class Column(Frozen):
    """One column: the leaf it fills and how its cells are read."""

    to: str
    """dotted persona path, e.g. `social.age` or `attributes.food.breakfast`"""
    as_: CellKind | None = Field(default=None, alias="as")
    """what a cell holds; by default what the leaf holds"""
    separator: str = Field(default=";", min_length=1)
    """between the entries of a list"""
    values: dict[str, str] = Field(default_factory=dict)
    """words of the file to ours, e.g. `{F: female}`; other words stay as they are"""
    missing: tuple[str, ...] = ()
    """cells that mean that nothing is known, besides empty ones"""
    pii: PII | None = None

    @field_validator("to")
    @classmethod
    def _path(cls, value: str) -> str:
        if not _ATTRIBUTE.fullmatch(value) and value not in leaf_kinds():
            raise UnknownKeyError.of(value, (*leaf_kinds(), "attributes.ANY_NAME"), where="mapping, persona path")
        return value

    @property
    def kind(self) -> CellKind:
        """What a cell holds."""
        return self.as_ or _KINDS[leaf_kinds().get(self.to, "text")]


class PeopleMapping(Frozen):
    """How the rows of a CSV file are people. Rows are of invented people unless consent is given.

    Example:
        >>> PeopleMapping(columns={"Age": "social.age"}).columns["Age"].kind
        'integer'
    """

    schema_version: int = Field(default=1, ge=1, le=1)
    columns: dict[str, Column] = Field(min_length=1)
    constants: dict[str, str] = Field(default_factory=dict)
    """leaves that are the same for everybody"""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    unmapped: Literal["keep", "attributes"] = "keep"
    """columns not named here: kept in the source record, or as attributes too"""
    kind: PersonaKind = "demographic"
    synthetic: bool = True
    consent: Consent | None = None
    """recorded consent of the people of the file, who then are real: `synthetic: false`"""

    @field_validator("columns", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """`Age: social.age` is short for `Age: {to: social.age}`."""
        if not isinstance(value, dict):
            return value
        columns = cast("dict[str, Any]", value)
        return {name: {"to": c} if isinstance(c, str) else c for name, c in columns.items()}

    @field_validator("columns")
    @classmethod
    def _once(cls, value: dict[str, Column]) -> dict[str, Column]:
        seen: dict[str, str] = {}
        for name, column in value.items():
            if column.to in seen:
                raise ValueError(f"columns {seen[column.to]!r} and {name!r} both fill {column.to!r}")
            seen[column.to] = name
        return value

    @field_validator("constants")
    @classmethod
    def _constants(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value:
            Column(to=path)
        return value

    @cached_property
    def shape(self) -> Shape:
        """The two-way map of a row."""
        places = tuple(
            Place((name,), c.to, _codec(c), strict=True, fact={"pii": c.pii.value} if c.pii else {})
            for name, c in self.columns.items()
        )
        constants: dict[str, Json] = {p: _constant(p, v) for p, v in self.constants.items()}
        if self.kind != "demographic":
            constants["kind"] = self.kind
        if not self.synthetic:
            constants["synthetic"] = False
        if self.consent is not None:
            constants |= {f"consent.{k}": v for k, v in self.consent.model_dump(mode="json", exclude_none=True).items()}
        opens = (Open(()),) if self.unmapped == "attributes" else ()
        return Shape("csv", places, opens, constants=constants, cells=True)


def load_mapping(path: str | Path) -> PeopleMapping:
    """A mapping from a YAML file. Words such as `yes` and `1` stay the words they are.

    Raises:
        InputError: no such file.
        SchemaError: malformed YAML, an unknown key (the nearest is suggested), a column that fills nothing.
        UnknownKeyError: a path that no persona has.
    """
    source = Path(path)
    text = whole_text(source)
    try:
        body = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - builds nothing but text, lists and mappings
    except yaml.YAMLError as cause:
        mark = cause.problem_mark if isinstance(cause, yaml.MarkedYAMLError) else None
        line = f":{mark.line + 1}" if mark is not None else ""
        raise SchemaError(f"{source}{line}: not valid YAML.", hint="Fix this line; nothing was read.") from cause
    except RecursionError as cause:
        raise SchemaError(f"{source}: nested too deeply to be read.", hint="Flatten it.") from cause
    if not isinstance(body, dict):
        raise SchemaError(f"{source}: got {type(body).__name__}, expected a mapping with columns.")
    try:
        return PeopleMapping.model_validate(body)
    except ValidationError as cause:
        raise schema_error(cause, where=str(source), model=PeopleMapping) from cause


def check_columns(mapping: PeopleMapping, columns: tuple[str, ...], where: str) -> None:
    """Every mapped column is in the file.

    Raises:
        UnknownKeyError: one is not; the nearest one of the file is suggested.
        SchemaError: several are not.
    """
    absent = [name for name in mapping.columns if name not in columns]
    if len(absent) == 1:
        raise UnknownKeyError.of(absent[0], columns, where=f"{where}:1: the mapping names a column that is not there")
    if absent:
        raise SchemaError(
            f"{where}:1: the mapping names columns that are not there: {', '.join(map(repr, absent))}.",
            hint=f"The file has: {', '.join(map(repr, columns))}.",
        )


def _constant(path: str, word: str) -> Json:
    kind = leaf_kinds().get(path, "text")
    value = _plain(kind).read(word) if kind in {"integer", "number"} else [word] if kind == "texts" else word
    if value is MISSING:
        raise InputError(f"mapping, constants: {word!r} is no {kind} for {path}.")
    return value


def _codec(column: Column) -> Codec:
    plain = _list(column.separator) if column.kind == "list" else _plain(column.kind)
    values, missing = column.values, column.missing
    if column.kind == "integer" and column.to == "social.age":
        plain = Codec(_age, plain.write, "whole number of years from 0 to 120")
    if not values and not missing:
        return plain
    back = {ours: theirs for theirs, ours in reversed(values.items())}

    def read(cell: Json) -> Json:
        return _UNKNOWN if cell in missing else plain.read(values.get(cell, cell))

    def write(leaf: Json) -> Json:
        value = plain.write(leaf)
        return back.get(str(value), value) if isinstance(value, (str, int, float)) else value

    return Codec(read, write, plain.expects)


_UNKNOWN = None
"""a cell that says that nothing is known: it stays in the source record"""


def _age(cell: Json) -> Json:
    years = _whole(cell)
    return years if years is not MISSING and 0 <= years <= 120 else MISSING


def _whole(cell: Json) -> Json:
    text = str(cell).strip()
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else MISSING


def _number(cell: Json) -> Json:
    try:
        value = float(str(cell))
    except ValueError:
        return MISSING
    return value if math.isfinite(value) else MISSING


def _boolean(cell: Json) -> Json:
    word = str(cell).strip().casefold()
    return True if word in {"true", "yes", "1"} else False if word in {"false", "no", "0"} else MISSING


def _write_bare(leaf: Json) -> Json:
    return bare(leaf)


def _plain(kind: str) -> Codec:
    if kind == "integer":
        return Codec(_whole, _write_bare, "whole number")
    if kind == "number":
        return Codec(_number, _write_bare, "number")
    if kind == "boolean":
        return Codec(_boolean, _write_bare, "yes or no (true, false, 1, 0)")
    return Codec(TEXT.read, TEXT.write, "text of up to 20,000 characters")


def _list(separator: str) -> Codec:
    def read(cell: Json) -> Json:
        return [w.strip() for w in str(cell).split(separator) if w.strip()] or MISSING

    def write(leaf: Json) -> Json:
        words = bare(leaf)
        if not isinstance(words, list) or any(separator in str(w) for w in words):
            return MISSING
        return f"{separator.strip() or separator} ".join(str(w) for w in words)

    return Codec(read, write, "list")
