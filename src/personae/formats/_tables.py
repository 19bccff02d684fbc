"""Flat tables: CSV for spreadsheets, Parquet for everything that counts."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from personae.core import ResponseRow, canonical_json, naming_errors
from personae.formats._records import ConversationRecord, PersonRecord

if TYPE_CHECKING:
    import pyarrow as pa

Flat: TypeAlias = Mapping[str, object]
Kind: TypeAlias = Literal["text", "int", "float", "bool", "floats"]
_BATCH: Final = 20_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

PEOPLE: Final[dict[str, Kind]] = {
    "persona_id": "text", "role": "text", "k": "int", "twin_of": "text", "persona": "text", "synthetic": "bool",
}  # fmt: skip
CONVERSATIONS: Final[dict[str, Kind]] = {
    "conversation_id": "text", "persona_id": "text", "condition": "text", "seed": "int", "utterances": "int",
    "termination_reason": "text", "audit": "text", "persona_description": "text", "synthetic": "bool",
}  # fmt: skip
TURNS: Final[dict[str, Kind]] = {
    "conversation_id": "text", "persona_id": "text", "condition": "text", "turn_index": "int", "speaker": "text",
    "name": "text", "text": "text", "synthetic": "bool",
}  # fmt: skip
RESPONSES: Final[dict[str, Kind]] = {
    "unit": "text", "persona_id": "text", "actor": "text", "condition": "text", "condition_hash": "text",
    "instrument": "text", "item": "text", "scale": "text", "key": "int", "order": "text", "method": "text",
    "status": "text", "value": "float", "keyed": "float", "probabilities": "floats", "logprobs": "floats",
    "approximate": "bool", "text": "text", "model": "text", "seed": "int", "synthetic": "bool",
}  # fmt: skip


def people_rows(records: Iterable[PersonRecord]) -> Iterator[Flat]:
    """People with the whole persona as canonical JSON."""
    for r in records:
        yield r.model_dump(include=set(PEOPLE) - {"persona"}) | {"persona": canonical_json(r.persona)}


def conversation_rows(records: Iterable[ConversationRecord]) -> Iterator[Flat]:
    """One row per conversation."""
    for r in records:
        audit = None if r.audit is None else ", ".join(r.audit)
        yield r.model_dump(include=set(CONVERSATIONS)) | {"utterances": len(r.turns), "audit": audit}


def turn_rows(records: Iterable[ConversationRecord]) -> Iterator[Flat]:
    """One row per utterance."""
    for r in records:
        for t in r.turns:
            yield {
                "conversation_id": r.conversation_id, "persona_id": r.persona_id, "condition": r.condition,
                "turn_index": t.turn_index, "speaker": t.speaker, "name": t.name, "text": t.text,
                "synthetic": r.synthetic,
            }  # fmt: skip


def response_rows(rows: Iterable[ResponseRow]) -> Iterator[Flat]:
    """One row per answer. Answers of models are always synthetic."""
    for r in rows:
        yield r.model_dump(include=set(RESPONSES)) | {"synthetic": True}


def write_csv(path: Path, rows: Iterable[Flat], columns: Sequence[str]) -> int:
    """Write rows as CSV. A missing value is empty; text that would run as a formula gets a leading quote."""
    count = 0
    with naming_errors(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_csv_cell(row[c]) for c in columns])
            count += 1
    return count


def _csv_cell(value: object) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (tuple, list)):
        numbers: Sequence[object] = value
        return " ".join(map(str, numbers))
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_parquet(path: Path, rows: Iterable[Flat], columns: dict[str, Kind]) -> int:
    """Write rows as one Parquet file (zstd), in batches so that memory stays flat."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(columns)
    count = 0
    waiting = iter(rows)
    with naming_errors(path), pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(waiting, _BATCH)):
            table = pa.table({name: [row[name] for row in batch] for name in columns}, schema=schema)
            writer.write_table(table)
            count += len(batch)
    return count


def _schema(columns: dict[str, Kind]) -> pa.Schema:
    import pyarrow as pa

    types: dict[Kind, pa.DataType] = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "floats": pa.list_(pa.float64()),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in columns.items()])
