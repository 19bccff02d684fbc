"""Large populations in files: parts that are written whole, checked when they are found again, and digested alike.

A part holds people `start` to `stop` - 1. What is on disk is the truth: a part that is missing, cut off or altered is
made again, all others are kept, so a killed run goes on where it stopped. Digests are taken over blocks of 1,024 people
and then over the blocks in order, so they do not depend on how people are cut into parts or shards.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from personae.core import DiskFullError, InputError, Persona, replace_file, sha256_hex
from personae.creation._draws import Floats, Indexes
from personae.creation._population import Population

if TYPE_CHECKING:
    import pyarrow as pa

PeopleFormat = Literal["jsonl", "parquet"]
BLOCK: Final = 1024
USUAL_PART: Final[dict[PeopleFormat, int]] = {"jsonl": 8 * BLOCK, "parquet": 64 * BLOCK}
_VERSION: Final = 1
_FEW: Final = 64
"""people of which the size of the others is judged"""
_WEIGHED: Final = 100_000
"""populations below this many people fit on any disk"""
_KEY: Final = b"personae.part"


@dataclass(frozen=True, slots=True)
class Shard:
    """Which parts one process writes: those whose number leaves `index` when divided by `of`."""

    index: int
    of: int

    def __post_init__(self) -> None:
        if self.of < 1 or not 0 <= self.index < self.of:
            raise InputError(
                f"shards: got {(self.index, self.of)}, expected (i, m) with 0 <= i < m.",
                hint="(0, 2) and (1, 2) are the two halves.",
            )


@dataclass(frozen=True, slots=True)
class Part:
    """People `start` to `stop` - 1 of a population, in a file."""

    path: Path
    start: int
    stop: int


def people_digest(batches: Iterable[pa.RecordBatch]) -> str:
    """sha256 of people given as record batches in order, the same for every way of cutting them.

    Words count by what they say, not by how they are encoded; columns count by name, in order.

    >>> whole = people_digest(Population("harbour_town", 3000, 1).batches())
    >>> whole == people_digest(Population("harbour_town", 3000, 1).batches(700))
    True
    """
    import pyarrow as pa

    blocks: list[str] = []
    left: pa.Table | None = None
    for batch in batches:
        own = pa.Table.from_batches([batch])
        left = own if left is None else _joined(left, own)
        full = left.num_rows // BLOCK * BLOCK
        if full:
            blocks += _block_digests(left.slice(0, full))
            left = left.slice(full)
    if left is not None and left.num_rows:
        blocks += _block_digests(left)
    return _over(blocks)


def plan_parts(population: Population, folder: Path, kind: PeopleFormat, size: int | None) -> list[Part]:
    """The parts of a population.

    Raises:
        InputError: a size that is not a multiple of 1,024.
    """
    step = USUAL_PART[kind] if size is None else size
    if step < BLOCK or step % BLOCK:
        raise InputError(f"part: {step!r} people, expected a multiple of {BLOCK:,}.", hint="65,536 suits Parquet.")
    starts = range(0, population.n, step)
    return [
        Part(folder / f"part-{number:05d}.{kind}", start, min(start + step, population.n))
        for number, start in enumerate(starts)
    ]


def expected_bytes(population: Population, kind: PeopleFormat) -> int:
    """About how many bytes all parts take, judged by the first people.

    JSONL is counted twice: at the end one file is put together beside its parts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "jsonl":
        few = population[:_FEW]
        each = sum(len(json.dumps(p.dump(), ensure_ascii=False).encode()) + 1 for p in few) / len(few)
        return int(2 * each * population.n)
    sink = pa.BufferOutputStream()
    some = min(population.n, 64 * BLOCK)
    pq.write_table(pa.Table.from_batches(list(population.batches(some, stop=some))), sink, compression="zstd")
    return int(sink.getvalue().size / some * population.n)


def check_room(population: Population, folder: Path, kind: PeopleFormat, shard: Shard) -> None:
    """Refuse to begin what the disk cannot hold. Small populations are not weighed.

    Raises:
        DiskFullError: what is missing of this shard is larger than what is free.
    """
    if population.n < _WEIGHED:
        return
    disk = next((p for p in folder.parents if p.exists()), Path())
    there = sum(p.stat().st_size for p in folder.glob("part-*")) if folder.is_dir() else 0
    wanted, free = expected_bytes(population, kind) / shard.of - there, shutil.disk_usage(disk).free
    if wanted > free:
        raise DiskFullError(
            f"{folder.parent}: {population.n:,} people as {kind} need about {wanted / 1e9:,.1f} GB more, "
            f"{free / 1e9:,.1f} GB are free.",
            hint="Take fewer people or another disk; Parquet is smaller, and shards can be written on several.",
        )


def write_parts(
    population: Population,
    parts: list[Part],
    kind: PeopleFormat,
    shard: Shard,
    told: Callable[[int, int], None] | None = None,
) -> None:
    """Write the parts of one shard that are not there yet, each whole or not at all; `told` as `write_population` says.

    Raises:
        InputError: a part of another population is in the way.
        StorageError: a part cannot be written.
    """
    own = parts[shard.index :: shard.of]
    done, total = 0, sum(p.stop - p.start for p in own)
    for part in own:
        if part_digests(population, part, kind) is None:
            (_write_parquet if kind == "parquet" else _write_jsonl)(population, part)
        done += part.stop - part.start
        if told is not None:
            told(done, total)


def digest_parts(population: Population, parts: list[Part], kind: PeopleFormat) -> str | None:
    """The digest of all parts as they are on disk, or None while one is missing."""
    blocks: list[str] = []
    for part in parts:
        own = part_digests(population, part, kind)
        if own is None:
            return None
        blocks += own
    return _over(blocks)


def part_digests(population: Population, part: Part, kind: PeopleFormat) -> list[str] | None:
    """Digests of the blocks of a part, counted from what it holds; None when it is missing, cut off or altered.

    Raises:
        InputError: it is a part of another population.
    """
    if not part.path.exists():
        return None
    stored = _stored(part, kind)
    if stored is None:
        return None
    found = _digests_of_file(part, kind)
    if found is None or found != stored.get("blocks"):
        return None
    wanted = _identity(population, part)
    if {key: stored.get(key) for key in wanted} != wanted:
        raise InputError(
            f"{part.path} belongs to another population ({stored.get('recipe')}, n {stored.get('n')}, seed "
            f"{stored.get('seed')}, people {stored.get('start')} to {stored.get('stop')}).",
            hint="Write into another folder, or with the same recipe, n, seed and part size.",
        )
    return found


def part_people(parts: list[Part]) -> Iterator[Persona]:
    """The people in JSONL parts, in order."""
    for part in parts:
        with part.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield Persona.parse(json.loads(line), where=f"{part.path}:{number}")


def part_codes(population: Population, parts: list[Part]) -> tuple[Indexes, Indexes, Floats | None]:
    """Distinct rows of category codes in Parquet parts, people per row, and the weight of each row's people."""
    import pyarrow.parquet as pq

    labels = population.recipe.labels
    sizes = [len(words) for words in labels.values()]
    counts: dict[int, int] = {}
    weights: dict[int, float] = {}
    for part in parts:
        table = pq.read_table(
            part.path, columns=[*labels, *(["weight"] if population.cell_weights is not None else [])]
        )
        flat = np.zeros(table.num_rows, dtype=object if np.prod([float(s) for s in sizes]) > 2**62 else np.int64)
        for (name, words), size in zip(labels.items(), sizes, strict=True):
            column: Any = table.column(name).combine_chunks().dictionary_encode()
            place = {word: code for code, word in enumerate(words)}
            own = np.array([place[w] for w in column.dictionary.to_pylist()], dtype=np.int64)
            flat = flat * size + own[column.indices.to_numpy()]
        cells, first, many = np.unique(flat, return_index=True, return_counts=True)
        for cell, count in zip(cells.tolist(), many.tolist(), strict=True):
            counts[cell] = counts.get(cell, 0) + count
        if population.cell_weights is not None:
            weights.update(zip(cells.tolist(), table.column("weight").to_numpy()[first].tolist(), strict=True))
    keys = sorted(counts)
    rest = np.array(keys, dtype=object)
    codes = np.zeros((len(keys), len(sizes)), dtype=np.int64)
    for column in range(len(sizes) - 1, -1, -1):
        codes[:, column] = rest % sizes[column]
        rest = rest // sizes[column]
    own_weights = np.array([weights[key] for key in keys]) if weights else None
    return codes, np.array([counts[key] for key in keys], dtype=np.int64), own_weights


def merge_jsonl(parts: list[Part], target: Path) -> None:
    """One file from all parts, then no parts."""

    def chunks() -> Iterator[bytes]:
        for part in parts:
            with part.path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk

    replace_file(target, chunks())
    with suppress(FileNotFoundError):
        shutil.rmtree(parts[0].path.parent)


def digest_jsonl(path: Path) -> str | None:
    """The digest of people in one JSONL file; None when there is no file."""
    return _over(_line_digests(path)) if path.exists() else None


# One part -----------------------------------------------------------------------------------------------------------


def _identity(population: Population, part: Part) -> dict[str, Any]:
    return {
        "version": _VERSION, "recipe": population.hash, "n": population.n, "seed": population.seed,
        "start": part.start, "stop": part.stop,
    }  # fmt: skip


def _label(population: Population, part: Part, blocks: list[str]) -> bytes:
    """What a part says of itself: whose it is, digests of its blocks, and a digest of both."""
    body = {**_identity(population, part), "blocks": blocks}
    return json.dumps({**body, "check": sha256_hex(body)}).encode()


def _write_parquet(population: Population, part: Part) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_batches(list(population.batches(64 * BLOCK, start=part.start, stop=part.stop)))
    table = table.replace_schema_metadata({_KEY: _label(population, part, _block_digests(table))})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    replace_file(part.path, [memoryview(sink.getvalue())])


def _write_jsonl(population: Population, part: Part) -> None:
    blocks: list[str] = []

    def lines() -> Iterator[bytes]:
        for start in range(part.start, part.stop, BLOCK):
            people = population[start : min(start + BLOCK, part.stop)]
            own = b"".join(f"{json.dumps(p.dump(), ensure_ascii=False)}\n".encode() for p in people)
            blocks.append(hashlib.sha256(own).hexdigest())
            yield own

    replace_file(part.path, lines())
    replace_file(_beside(part), [_label(population, part, blocks), b"\n"])


def _beside(part: Part) -> Path:
    return part.path.with_suffix(".json")


def _stored(part: Part, kind: PeopleFormat) -> dict[str, Any] | None:
    """What a part says of itself; None when it cannot be read."""
    import pyarrow.parquet as pq

    try:
        if kind == "parquet":
            raw: Any = (pq.read_schema(part.path).metadata or {})[_KEY]
        else:
            raw = _beside(part).read_bytes()
        body = json.loads(raw)
    except Exception:  # noqa: BLE001 - as for the people themselves
        return None
    if not isinstance(body, dict):
        return None
    check = body.pop("check", None)
    return body if check == sha256_hex(body) else None


def _digests_of_file(part: Part, kind: PeopleFormat) -> list[str] | None:
    import pyarrow.parquet as pq

    if kind == "jsonl":
        return _line_digests(part.path)
    try:
        return _block_digests(pq.read_table(part.path))
    except Exception:  # noqa: BLE001 - whatever a damaged file makes the reader raise, it is not what was written
        return None


def _line_digests(path: Path) -> list[str]:
    out: list[str] = []
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            lines += 1
            if lines == BLOCK:
                out.append(digest.hexdigest())
                digest, lines = hashlib.sha256(), 0
    return [*out, digest.hexdigest()] if lines else out


def _block_digests(table: pa.Table) -> list[str]:
    """sha256 of every 1,024 rows, over names, kinds and values of all columns."""
    return [_rows_digest(table.slice(start, BLOCK)) for start in range(0, table.num_rows, BLOCK)]


def _rows_digest(rows: pa.Table) -> str:
    import pyarrow as pa

    digest = hashlib.sha256()
    for name in rows.column_names:
        column: Any = rows.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        digest.update(f"{name}\0{column.type}\0".encode())
        if pa.types.is_string(column.type):
            words = [word.encode() for word in column.to_pylist()]
            digest.update(np.array([len(w) for w in words], dtype="<u4").tobytes())
            digest.update(b"".join(words))
        else:
            values = column.to_numpy(zero_copy_only=False)
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _joined(one: pa.Table, two: pa.Table) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([one, two]).unify_dictionaries()


def _over(blocks: list[str]) -> str:
    return hashlib.sha256("".join(blocks).encode()).hexdigest()
