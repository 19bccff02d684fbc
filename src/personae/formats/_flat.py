"""People as rows of a table: one column per leaf, and one for what no column can say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

from personae.core import PII, Persona, SchemaError, default_pii
from personae.formats._reading import parse_json
from personae.formats._shape import Json, bare, is_fact

ColumnKind: TypeAlias = Literal["text", "int", "float", "bool", "texts", "json"]
REST: Final = "_rest"
COLUMN_LIMIT: Final = 2_000
"""most columns of a flat table; leaves that fewer people have go into `_rest`"""
_LISTS: Final = frozenset(
    {
        "relations", "goals", "beliefs", "timeline", "demonstrations", "demonstrations.*.lines", "evidence",
        "personal.psychometrics",
    }
)  # fmt: skip
_WHOLE: Final = frozenset({"ext"})
_RISK: Final = (PII.NONE, PII.QUASI, PII.SENSITIVE, PII.DIRECT)
_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class FlatRow:
    """One person: plain values by path, and the parts that paths and plain values cannot say."""

    id: str
    values: dict[str, Json]
    rest: list[Json]
    """`[steps, value]`, or `[steps, null, metadata]` of a Fact whose value is in its column"""


@dataclass(slots=True)
class FlatColumns:
    """What has been seen of each column so far."""

    kinds: dict[str, ColumnKind] = field(default_factory=dict[str, ColumnKind])
    people: dict[str, int] = field(default_factory=dict[str, int])
    pii: dict[str, PII] = field(default_factory=dict[str, PII])

    def see(self, row: FlatRow) -> None:
        """Widen the columns by one row."""
        for path, value in row.values.items():
            kind = _kind(value)
            self.kinds[path] = kind if self.kinds.get(path, kind) == kind else "json"
            self.people[path] = self.people.get(path, 0) + 1
            if path not in self.pii:
                self.pii[path] = default_pii(path)
        for steps, _, *metadata in row.rest:
            if metadata and "pii" in metadata[0]:
                path, found = ".".join(steps), PII(metadata[0]["pii"])
                if _RISK.index(found) > _RISK.index(self.pii[path]):
                    self.pii[path] = found

    def kept(self) -> dict[str, ColumnKind]:
        """The columns of the table: all, or those of the most people, in order of appearance."""
        if len(self.kinds) <= COLUMN_LIMIT:
            return dict(self.kinds)
        most = sorted(self.people, key=lambda p: (p != "names.full", -self.people[p], p))[:COLUMN_LIMIT]
        wanted = set(most)
        return {path: kind for path, kind in self.kinds.items() if path in wanted}


def flatten(persona: Persona) -> FlatRow:
    """A person as a row."""
    values: dict[str, Json] = {}
    rest: list[Json] = []
    for key, value in persona.model_dump(mode="json", exclude_defaults=True).items():
        if key in _WHOLE:
            rest.append([[key], value])
        elif key == "attributes":
            for path, leaf in cast("dict[str, Json]", value).items():
                _leaf(f"attributes.{path}", ["attributes", path], leaf, values, rest)
        else:
            _walk(key, [key], value, values, rest)
    values["synthetic"] = persona.synthetic
    return FlatRow(persona.id, values, rest)


def unflatten(values: Mapping[str, Json], rest: list[Json], where: str) -> dict[str, Json]:
    """The body of the person a row was made of.

    Raises:
        SchemaError: `_rest` is damaged, or columns contradict each other.
    """
    body: dict[str, Json] = {}
    try:
        for path, value in values.items():
            _set(body, _steps(path), value)
        for entry in rest:
            steps, value, *metadata = entry
            if metadata:
                _set(body, steps, {"value": _find(body, steps), **metadata[0]})
            else:
                _set(body, steps, value)
    except (KeyError, IndexError, TypeError, ValueError) as cause:
        raise SchemaError(f"{where}: the column {REST!r} does not fit the others ({cause}).") from cause
    return body


def row_cells(row: FlatRow, kept: Mapping[str, ColumnKind]) -> tuple[dict[str, Json], str | None]:
    """The values of the kept columns, and the text of `_rest`."""
    rest = [*([_steps(p), v] for p, v in row.values.items() if p not in kept), *row.rest]
    cells = {
        path: json.dumps(v, ensure_ascii=False) if kept[path] == "json" else v
        for path, v in row.values.items()
        if path in kept
    }
    return cells, json.dumps(rest, ensure_ascii=False) if rest else None


def csv_cell(value: Json) -> str:
    """A value as a cell that reads back as the same value: text as it is unless it looks like JSON."""
    if isinstance(value, str) and not _LOOKS_LIKE_JSON.match(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def csv_value(cell: str, where: str) -> Json:
    """The value of a cell; None for an empty one."""
    if cell == "":
        return None
    return parse_json(cell, where) if _LOOKS_LIKE_JSON.match(cell) else cell


# Empty text is spelled `""`, since an empty cell is no value.
_LOOKS_LIKE_JSON: Final = re.compile(
    r"""$|\s*(?:["\[{]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*$|(?:true|false|null)\s*$)"""
)


def _kind(value: Json) -> ColumnKind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value in _INT64 else "json"
    if isinstance(value, float):
        return "float"
    if isinstance(value, list):
        return "texts" if all(isinstance(v, str) for v in cast("list[Json]", value)) else "json"
    return "text"


def _walk(path: str, steps: list[str], node: Json, values: dict[str, Json], rest: list[Json]) -> None:
    for name, key, value in _children(path, node):
        if not key or "." in key:
            rest.append([[*steps, key], value])
        elif _has_children(value, f"{name}.{key}"):
            _walk(f"{path}.{key}", [*steps, key], value, values, rest)
        else:
            _leaf(f"{path}.{key}", [*steps, key], value, values, rest)
    if not _has_children(node, path):
        _leaf(path, steps, node, values, rest)


def _pattern(path: str) -> str:
    return ".".join("*" if p.isdigit() else p for p in path.split("."))


def _has_children(node: Json, path: str) -> bool:
    if isinstance(node, list):
        return _pattern(path) in _LISTS and bool(node)
    return isinstance(node, dict) and bool(node) and not is_fact(node)


def _children(path: str, node: Json) -> Iterator[tuple[str, str, Json]]:
    if not _has_children(node, path):
        return
    pairs = enumerate(node) if isinstance(node, list) else cast("dict[str, Json]", node).items()
    for key, value in pairs:
        yield path, str(key), value


def _leaf(path: str, steps: list[str], leaf: Json, values: dict[str, Json], rest: list[Json]) -> None:
    value = bare(leaf)
    if value in ([], {}):
        rest.append([steps, leaf])
        return
    values[path] = value
    if is_fact(leaf) and bare(leaf["value"]) == leaf["value"]:
        rest.append([steps, None, {k: v for k, v in leaf.items() if k != "value"}])
    elif value != leaf:
        rest.append([steps, leaf])


def _steps(path: str) -> list[str]:
    return path.split(".", 1) if path.startswith("attributes.") else path.split(".")


def _set(body: dict[str, Json], steps: list[str], value: Json) -> None:
    node: Json = body
    for k, step in enumerate(steps):
        last = k == len(steps) - 1
        below: Json = [] if _pattern(".".join(steps[: k + 1])) in _LISTS and steps[0] != "attributes" else {}
        if isinstance(node, list):
            index = int(step)
            while len(node) <= index:
                node.append({})
            if last:
                node[index] = value
            node = node[index]
        elif last:
            node[step] = value
        else:
            node = node.setdefault(step, below)


def _find(body: Json, steps: list[str]) -> Json:
    for step in steps:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body
