"""People as Parquet: flat, one column per leaf, or nested structs with the whole person as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args, get_origin

from pydantic import BaseModel

from personae.core import PII, Persona, SchemaError, default_pii, naming_errors, plain
from personae.formats._flat import REST, ColumnKind, FlatColumns
from personae.formats._leaves import kind_of
from personae.formats._reading import Broken, Record, open_file
from personae.formats._shape import Json, bare

if TYPE_CHECKING:
    import pyarrow as pa

BATCH: Final = 10_000
_KIND: Final = b"personae.kind"
_PII: Final = b"personae.pii"
_TABLE: Final = b"personae.table"
_SECTIONS: Final = (
    "names", "social", "personal", "context", "style", "relations", "goals", "beliefs", "timeline", "knowledge",
    "demonstrations", "evidence", "policy", "consent", "description", "provenance",
)  # fmt: skip


def parquet_columns(path: Path) -> tuple[str, ...]:
    """Names of the columns of a Parquet file.

    Raises:
        SchemaError: it is no Parquet file, or a damaged one.
    """
    return tuple(_open(path).schema_arrow.names)


def parquet_rows(path: Path) -> Iterator[Record | Broken]:
    """Rows as mappings of what is set, one after the other; the "line" is the number of the row, from 1."""
    file = _open(path)
    encoded = [f.name for f in file.schema_arrow if (f.metadata or {}).get(_KIND) == b"json"]
    own = (file.schema_arrow.metadata or {}).get(_TABLE)
    columns = ["id", "body"] if own == b"nested" else None
    number = 0
    for batch in file.iter_batches(batch_size=BATCH, columns=columns):
        rows: list[dict[str, Json]] = batch.to_pylist()
        for row in rows:
            number += 1
            for name in encoded:
                if row[name] is not None:
                    row[name] = json.loads(row[name])
            odd = next((n for n, v in row.items() if not _is_json(v)), None)
            if odd is not None:
                error = SchemaError(
                    f"{path}:{number}: column {odd!r} holds a {type(row[odd]).__name__}, which is no JSON value.",
                    hint="Write it as text or number.",
                )
                yield Broken(number, error, repr(row).encode())
            else:
                yield Record(number, row, json.dumps(row, ensure_ascii=False).encode())


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_json(v) for v in cast("list[object]", value))
    if isinstance(value, dict):
        return all(_is_json(v) for v in cast("dict[str, object]", value).values())
    return value is None or isinstance(value, (str, int, float, bool))


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_file(path).close()
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as cause:
        raise SchemaError(f"{path}: no Parquet file, or a damaged one ({cause}).", hint="Fetch it again.") from cause


# Flat --------------------------------------------------------------------------------------------------------------


def flat_schema(columns: FlatColumns) -> pa.Schema:
    """`id`, one column per leaf with its PII class as metadata, and `_rest`."""
    import pyarrow as pa

    types: dict[ColumnKind, pa.DataType] = {
        "text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(),
        "texts": pa.list_(pa.string()), "json": pa.string(),
    }  # fmt: skip
    fields: list[Any] = [pa.field("id", pa.string(), metadata={_PII: b"none"})]
    for path, kind in columns.kept().items():
        pii = columns.pii.get(path, PII.NONE).value.encode()
        fields.append(pa.field(path, types[kind], metadata={_PII: pii, _KIND: kind.encode()}))
    # What stands in the rest may be of any class.
    fields.append(pa.field(REST, pa.string(), metadata={_PII: PII.DIRECT.value.encode()}))
    return pa.schema(fields, metadata={_TABLE: b"flat"})


def write_rows(path: Path, rows: Iterable[Mapping[str, Json]], schema: pa.Schema) -> int:
    """Rows with every missing value as null, in batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    waiting = iter(rows)
    with naming_errors(path), pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(waiting, BATCH)):
            arrays = [pa.array([row.get(f.name) for row in batch], f.type) for f in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


# Nested ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def nested_schema() -> pa.Schema:
    """`id`, `synthetic`, `kind`, a struct per section, `attributes` as a map of JSON, and `body`: the whole person."""
    import pyarrow as pa

    fields: list[Any] = [
        pa.field("id", pa.string(), metadata={_PII: b"none"}),
        pa.field("synthetic", pa.bool_(), metadata={_PII: b"none"}),
        pa.field("kind", pa.string(), metadata={_PII: b"none"}),
    ]
    fields += [_field(name, Persona.model_fields[name].annotation, name) for name in _SECTIONS]
    attributes = pa.map_(pa.string(), pa.string())
    fields.append(pa.field("attributes", attributes, metadata={_PII: PII.SENSITIVE.value.encode()}))
    fields.append(pa.field("body", pa.string(), metadata={_PII: PII.DIRECT.value.encode()}))
    return pa.schema(fields, metadata={_TABLE: b"nested"})


def nested_row(persona: Persona) -> dict[str, Json]:
    """A person as a row of the nested table."""
    dumped = persona.model_dump(mode="json", exclude_defaults=True)
    row: dict[str, Json] = {"id": persona.id, "synthetic": persona.synthetic, "kind": persona.kind}
    for name in _SECTIONS:
        if name in dumped:
            row[name] = _bared(dumped[name])
    if persona.attributes:
        row["attributes"] = [(k, _words(plain(v))) for k, v in persona.attributes.items()]
    row["body"] = json.dumps(persona.dump(), ensure_ascii=False, allow_nan=False)
    return row


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bared(node: Json) -> Json:
    node = bare(node)
    if isinstance(node, dict):
        return {k: _bared(v) for k, v in node.items()}
    return [_bared(v) for v in node] if isinstance(node, list) else node


def _field(name: str, annotation: Any, path: str) -> pa.Field[Any]:
    import pyarrow as pa

    return pa.field(name, _type(annotation, path), metadata={_PII: default_pii(path).value.encode()})


def _type(annotation: Any, path: str) -> pa.DataType:
    """The Arrow type of a field: structs for models, lists for tuples, maps for dicts."""
    import pyarrow as pa

    kind = kind_of(annotation)
    plain_types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "texts": pa.list_(pa.string())}
    if kind is not None:
        return plain_types[kind]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return pa.list_(_type(inner[0], path))
    if origin is dict:
        return pa.map_(pa.string(), _type(inner[1], path))
    model = next((m for m in (annotation, *inner) if isinstance(m, type) and issubclass(m, BaseModel)), None)
    if model is None:
        return pa.int64() if annotation is int or int in inner else pa.string()
    return pa.struct(
        [_field(f.alias or name, f.annotation, f"{path}.{f.alias or name}") for name, f in model.model_fields.items()]
    )
