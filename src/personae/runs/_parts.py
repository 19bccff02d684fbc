"""Parquet parts: immutable files of one table, each known to the run by size, checksum and the units it holds."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import (
    CorruptRunError,
    replace_file,
)
from personae.runs._columns import Layout

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC: Final = b"PAR1"
BATCH_ROWS: Final = 1000
"""Rows that are Python objects at one time while a part is written."""

UnitIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """One file of `tables/NAME/`. `number` is unique among the parts of its table."""

    table: str
    number: int
    rows: int
    size: int
    sha256: str
    units: bytes
    """ids of the units whose rows it holds, see `pack_units`"""

    @property
    def name(self) -> str:
        """File name."""
        return f"part-{self.number:05d}.parquet"

    def path(self, folder: Path) -> Path:
        """Where it lies in the run `folder`."""
        return table_folder(folder, self.table) / self.name


def table_folder(folder: Path, table: str) -> Path:
    """Folder of the parts of one table."""
    return folder / "tables" / table


def pack_units(ids: UnitIds) -> bytes:
    """Sorted distinct ids as compressed differences: about a byte a unit."""
    distinct = np.unique(ids)
    return zlib.compress(np.diff(distinct, prepend=0).astype("<i8").tobytes(), 6)


def unpack_units(packed: bytes) -> UnitIds:
    """Undo `pack_units`."""
    return np.cumsum(np.frombuffer(zlib.decompress(packed), dtype="<i8")).astype(np.int64)


def write_rows(folder: Path, layout: Layout, number: int, rows: Iterable[tuple[int, str]]) -> Part:
    """Write rows, given as (unit id, JSON text), in order, as part `number`.

    Raises:
        DiskFullError: the part could not be written; nothing is left behind.
    """
    import pyarrow as pa

    batches: list[pa.RecordBatch] = []
    chunk: list[dict[str, Any]] = []
    units: list[int] = []
    for unit, body in rows:
        units.append(unit)
        chunk.append(json.loads(body))
        if len(chunk) == BATCH_ROWS:
            batches.append(layout.to_arrow(chunk))
            chunk.clear()
    if chunk:
        batches.append(layout.to_arrow(chunk))
    table = pa.Table.from_batches(batches, schema=layout.schema())
    return write_table(folder, layout, number, table, np.array(units, dtype=np.int64))


def write_table(folder: Path, layout: Layout, number: int, table: pa.Table, units: UnitIds) -> Part:
    """Write an Arrow table as part `number`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = memoryview(sink.getvalue())
    part = Part(layout.table, number, table.num_rows, len(data), hashlib.sha256(data).hexdigest(), pack_units(units))
    replace_file(part.path(folder), [data])
    return part


def read_part(folder: Path, part: Part, layout: Layout, names: Callable[[UnitIds], list[str]]) -> pa.Table:
    """The rows of a part. `names` tells unit keys from ids, for the error.

    Raises:
        CorruptRunError: the file is missing, or its bytes are not the ones that were written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = _read_bytes(part.path(folder))
    why = _misfit(part, data)
    if why is not None:
        raise damaged(folder, part, why, names(unpack_units(part.units)))
    # One thread: parts are small, and a pool that is still starting as Python ends can abort the process.
    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False).cast(layout.schema())


def damage(folder: Path, part: Part, *, deep: bool) -> str | None:
    """What is wrong with a part, or None. `deep` reads every byte, else its size and its first and last four."""
    path = part.path(folder)
    if deep:
        return _misfit(part, _read_bytes(path))
    try:
        with path.open("rb") as file:
            head = file.read(4)
            size = file.seek(0, 2)
            file.seek(max(0, size - 4))
            tail = file.read(4)
    except OSError as error:
        return _refusal(error)
    if size != part.size:
        return f"{size:,} of {part.size:,} bytes"
    return None if head == tail == _MAGIC else "it is not a Parquet file"


def damaged(folder: Path, part: Part, why: str, keys: Iterable[str] = ()) -> CorruptRunError:
    """The error for a part that cannot be read."""
    names = list(keys)
    units = unpack_units(part.units).size
    held = f"{part.rows:,} rows of {units:,} {'unit' if units == 1 else 'units'}"
    shown = ", ".join(repr(n) for n in names[:5]) + (" …" if len(names) > 5 else "")
    return CorruptRunError(
        f"{part.path(folder)}: damaged ({why}). It held {held}{': ' + shown if shown else ''}.",
        hint=f"Run: personae run repair {folder} — it drops the damaged part and marks exactly these units as "
        "not done; then give the same command again.",
    )


def _read_bytes(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _misfit(part: Part, data: bytes | OSError) -> str | None:
    if isinstance(data, OSError):
        return _refusal(data)
    if len(data) != part.size:
        return f"{len(data):,} of {part.size:,} bytes"
    return None if hashlib.sha256(data).hexdigest() == part.sha256 else "its checksum does not fit"


def _refusal(error: OSError) -> str:
    return "the file is missing" if isinstance(error, FileNotFoundError) else str(error)
