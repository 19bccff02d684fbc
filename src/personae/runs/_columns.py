"""From a Row class to columns: what Parquet stores, and how a value travels there and back unchanged.

Scalars, lists and nested models become native Arrow columns; what has no one type (unions, open mappings) is stored as
canonical JSON text. The layout is kept in the run, so that reading needs no Python class.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from personae.core import InputError, Row

if TYPE_CHECKING:
    import pyarrow as pa

Kind: TypeAlias = "str | dict[str, Any]"
"""`string int float bool json`, or `{"list": kind}`, or `{"struct": {name: kind}}`; JSON-able."""

_INT64: Final = 2**63
_LONG_NUMBER: Final = re.compile(r"\d{19}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of one table, in order."""

    table: str
    columns: dict[str, Kind]
    volatile: frozenset[str]

    def to_json(self) -> str:
        """How the run stores it."""
        return json.dumps({"columns": self.columns, "volatile": sorted(self.volatile)})

    @classmethod
    def from_json(cls, table: str, text: str) -> Layout:
        """What `to_json` wrote."""
        body = json.loads(text)
        return cls(table, body["columns"], frozenset(body["volatile"]))

    def check(self, text: str) -> None:
        """Make sure that every whole number in a row (as JSON text) fits 64 bits.

        Raises:
            InputError: it does not; Parquet could not hold it.
        """
        if _LONG_NUMBER.search(text) is not None:
            _check_range({"struct": self.columns}, json.loads(text), self.table)

    def to_arrow(self, rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
        """Rows as decoded from JSON, as one Arrow batch."""
        import pyarrow as pa

        schema = self.schema()
        coded = [n for n, kind in self.columns.items() if _holds_json(kind)]
        plain = [{**row, **{n: _encode(self.columns[n], row.get(n)) for n in coded}} if coded else row for row in rows]
        return pa.RecordBatch.from_pylist(plain, schema=schema)

    def from_arrow(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Undo what `to_arrow` did to columns kept as JSON text."""
        coded = [n for n, kind in self.columns.items() if _holds_json(kind)]
        if not coded:
            return list(rows)
        return [{**row, **{n: _decode(self.columns[n], row[n]) for n in coded}} for row in rows]

    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        import pyarrow as pa

        return pa.schema([pa.field(name, _arrow(kind)) for name, kind in self.columns.items()])

    def canonical(self, row: Mapping[str, Any]) -> str:
        """One spelling per row: no volatile columns, no empty ones (so that a new optional column changes nothing)."""
        kept = {k: v for k, v in row.items() if v is not None and k not in self.volatile}
        return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=256)
def layout_of(row_type: type[Row]) -> Layout:
    """The columns of a Row class.

    Raises:
        InputError: it has no `unit` column, or a column of a type that has no fixed order.
    """
    columns: dict[str, Kind] = {
        name: _kind(info.annotation, f"{row_type.__name__}.{name}", ()) for name, info in row_type.model_fields.items()
    }
    if columns.get("unit") != "string":
        raise InputError(
            f"{row_type.__name__} has no column 'unit: str'.", hint="Every evidence row names the unit it came from."
        )
    return Layout(row_type.table, columns, row_type.volatile)


_SCALARS: Final[dict[Any, Kind]] = {str: "string", int: "int", float: "float", bool: "bool"}


def _kind(annotation: Any, where: str, inside: tuple[type, ...]) -> Kind:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(args[0], where, inside)
    if origin in {Union, types.UnionType}:
        rest = [a for a in args if a is not type(None)]
        return _kind(rest[0], where, inside) if len(rest) == 1 else "json"
    if origin is Literal:
        found = {type(a) for a in args if a is not None}
        return _SCALARS.get(found.pop(), "json") if len(found) == 1 else "json"
    if annotation in {set, frozenset} or origin in {set, frozenset}:
        raise InputError(f"{where} is a set, which has no order.", hint="Use a sorted tuple.")
    if origin in {list, Sequence} or (origin is tuple and len(args) == 2 and args[1] is Ellipsis):
        return {"list": _kind(args[0], where, inside)}
    if not isinstance(annotation, type):
        return "json"
    return _class_kind(annotation, where, inside)


def _class_kind(annotation: type, where: str, inside: tuple[type, ...]) -> Kind:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if issubclass(annotation, Enum) and issubclass(annotation, str):
        return "string"
    if issubclass(annotation, BaseModel) and annotation.model_fields and annotation not in inside:
        deeper = (*inside, annotation)
        return {"struct": {n: _kind(i.annotation, f"{where}.{n}", deeper) for n, i in annotation.model_fields.items()}}
    return "json"


def _arrow(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    if isinstance(kind, dict):
        if "list" in kind:
            return pa.list_(_arrow(kind["list"]))
        return pa.struct([pa.field(name, _arrow(inner)) for name, inner in kind["struct"].items()])
    return {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "json": pa.string()}[
        kind
    ]


def _holds_json(kind: Kind) -> bool:
    if isinstance(kind, dict):
        return _holds_json(kind["list"]) if "list" in kind else any(map(_holds_json, kind["struct"].values()))
    return kind == "json"


def _encode(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, dict):
        if "list" in kind:
            return [_encode(kind["list"], v) for v in value]
        return {name: _encode(inner, value.get(name)) for name, inner in kind["struct"].items()}
    if kind == "json":
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value


def _decode(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, dict):
        if "list" in kind:
            return [_decode(kind["list"], v) for v in value]
        return {name: _decode(inner, value[name]) for name, inner in kind["struct"].items()}
    return json.loads(value) if kind == "json" else value


def _check_range(kind: Kind, value: Any, where: str) -> None:
    if value is None:
        return
    if isinstance(kind, dict):
        if "list" in kind:
            for inner in value:
                _check_range(kind["list"], inner, where)
        else:
            for name, inner in kind["struct"].items():
                _check_range(inner, value.get(name), f"{where}.{name}")
    elif kind == "int" and not -_INT64 <= value < _INT64:
        raise InputError(
            f"{where}: {value!r} does not fit 64 bits.", hint="Use personae.core.derive_seed, or store it as text."
        )
