"""Records in bulk: gate, Parquet parts, and a check that reads what was written.

    gate.json, attempts.npy   which attempt of each student stays
    part-00000.parquet        rows; part-00000.json says how many, and their digest
    check-00000.json          what the independent pass found in a part
    failures.jsonl            slots whose every attempt was a near-copy

What is on disk is the truth about progress: a part counts when its sidecar stands beside it, and nothing is written
twice. Parts are cut by k, so shards of any number write the same files.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from pydantic import Field

from personae.core import CorruptRunError, FitRow, Frozen, InputError, naming_errors, replace_file
from personae.creation._dedup import LexicalRule, lexical_duplicates
from personae.creation._draws import Indexes
from personae.creation._phrases import Coded
from personae.creation._students import PARAGRAPHS, StudentSource, record_rows

if TYPE_CHECKING:
    import pyarrow as pa

_log: Final = logging.getLogger(__name__)
_SHORT: Final = {"attempt": "int16", "age": "int8", "grade": "int8", "target_grade": "int8"}
_WIDE: Final = 2**256
BULK_RULE: Final = LexicalRule(threshold=0.5, permutations=192, bands=32)
"""Near-copies of long records. Texts of one grammar share a tenth to a fifth of their word pairs by chance; six columns
a band keep those from being compared, and see a pair of similarity .7 with probability .98."""
_ATTEMPTS: Final = 20
_BLOCK: Final = 10_000
T = TypeVar("T", bound=Frozen)


class GateRecord(Frozen):
    """What the gate decided."""

    schema_version: int = 1
    source: str
    rule: str
    redrawn: tuple[int, ...] = ()
    """students who lost in each round"""
    exhausted: tuple[int, ...] = ()
    """k of those whose every attempt was a near-copy"""


class PartRecord(Frozen):
    """What one part holds."""

    schema_version: int = 1
    source: str
    first: int
    rows: int
    size: int
    digest: str
    """sum of the sha256s of its rows, modulo 2^256: parts can be cut in any way"""
    drawn: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)
    """draws of structured values that rules sent back, by rule"""


class CheckRecord(Frozen):
    """What the independent pass found in one part, from the written columns alone."""

    schema_version: int = 1
    source: str
    size: int
    """bytes of the part that was read"""
    rows: int
    errors: int
    """rows with at least one broken rule of severity error"""
    warnings: int
    """rows with at least one broken rule of severity warning"""
    broken: dict[str, int] = Field(default_factory=dict)
    fit: tuple[FitRow, ...] = ()


class RecordsReport(Frozen):
    """A corpus of records, as written and checked."""

    rows: int
    parts: int
    digest: str
    redrawn: tuple[int, ...]
    exhausted: tuple[int, ...]
    drawn: int
    rejected: dict[str, int]
    errors: int
    warnings: int
    broken: dict[str, int]
    fit: tuple[FitRow, ...]

    @property
    def quota_error(self) -> int:
        """Largest difference between the people of a quota and its target."""
        return max((abs(row.count - round(row.target_count)) for row in self.fit), default=0)


@dataclass(frozen=True, slots=True)
class RecordsFolder:
    """A corpus on disk, being written or finished.

    Args:
        source: whose records.
        folder: where.
        part_rows: rows of a part.
        rule: when two records are near-copies; None leaves the gate out.
    """

    source: StudentSource
    folder: Path
    part_rows: int = 20_000
    rule: LexicalRule | None = BULK_RULE

    def __post_init__(self) -> None:
        if self.part_rows < 1:
            raise InputError(f"part_rows is {self.part_rows!r}, expected at least 1.")

    @property
    def parts(self) -> int:
        """How many parts the corpus has."""
        return -(-self.source.n // self.part_rows)

    def gate(self) -> Indexes:
        """Which attempt of each student stays, shape (n,): made once, then read.

        Near-copies are judged by the five paragraphs. Of two the later k is drawn again in the same slot.
        """
        head, body = self.folder / "gate.json", self.folder / "attempts.npy"
        found = _read(head, GateRecord)
        rule = "none" if self.rule is None else self.rule.model_dump_json()
        if found is not None:
            self._same(found.source, head)
            if found.rule != rule:
                raise InputError(f"{head}: made under another gate rule.", hint="Give another folder.")
            return self._attempts(body)
        attempts, redrawn, gone = self._resolve()
        record = GateRecord(source=self.source.hash, rule=rule, redrawn=redrawn, exhausted=tuple(gone.tolist()))
        buffer = BytesIO()
        np.save(buffer, attempts.astype(np.int16), allow_pickle=False)
        replace_file(body, [buffer.getvalue()])
        self._write_failures(record, attempts)
        replace_file(head, [record.model_dump_json().encode()])
        return attempts

    def first(self, most: int) -> list[dict[str, Any]]:
        """The first `most` records that stand in the corpus, at the attempt that the gate kept."""
        attempts = self.gate()
        gone = np.array(self._gate_record().exhausted, dtype=np.int64)
        kept = np.setdiff1d(np.arange(self.source.n, dtype=np.int64), gone)[:most]
        return record_rows(self.source.columns(kept, attempts[kept]))

    def write(self, *, shard: tuple[int, int] = (0, 1)) -> int:
        """Write the parts of a shard that are not there yet; returns how many were written.

        Args:
            shard: (which, of how many): it writes every part p with p mod `of` = `which`.

        Raises:
            InputError: a shard that cannot be, or a folder that holds another corpus.
        """
        which, of = shard
        if not 0 <= which < of:
            raise InputError(f"shard {shard!r} given, expected (which, of how many) with 0 <= which < of.")
        attempts = self.gate()
        gone = np.array(self._gate_record().exhausted, dtype=np.int64)
        written = 0
        for part in range(which, self.parts, of):
            if self._part(part) is not None:
                continue
            k = np.arange(part * self.part_rows, min((part + 1) * self.part_rows, self.source.n), dtype=np.int64)
            self._write_part(part, k[~np.isin(k, gone)], attempts)
            written += 1
        return written

    def check(self, *, shard: tuple[int, int] = (0, 1)) -> int:
        """Read the written parts of a shard and judge them anew, rule by rule; returns how many were read.

        The rules are applied to the columns of the file, so what made the records has no say in it.
        """
        done = 0
        for part in range(shard[0], self.parts, shard[1]):
            held = self._part(part)
            if held is None:
                continue
            known = _read(self._path(part, "check", "json"), CheckRecord)
            if known is not None and (known.source, known.size) == (held.source, held.size):
                continue
            record = check_table(self.source, read_part(self._path(part)), size=held.size)
            replace_file(self._path(part, "check", "json"), [record.model_dump_json().encode()])
            done += 1
        return done

    def report(self) -> RecordsReport | None:
        """What the corpus holds; None while parts or checks are missing."""
        parts = [self._part(p) for p in range(self.parts)]
        checks = [_read(self._path(p, "check", "json"), CheckRecord) for p in range(self.parts)]
        held, seen = [p for p in parts if p is not None], [c for c in checks if c is not None]
        if len(held) < self.parts or len(seen) < self.parts:
            return None
        gate = self._gate_record()
        rejected, broken = Counter[str](), Counter[str]()
        for part in held:
            rejected.update(part.rejected)
        for check in seen:
            broken.update(check.broken)
        rows = sum(c.rows for c in seen)
        digest = sum(int(p.digest, 16) for p in held) % _WIDE
        return RecordsReport(
            rows=rows, parts=self.parts, digest=f"{digest:064x}", redrawn=gate.redrawn, exhausted=gate.exhausted,
            drawn=sum(p.drawn for p in held), rejected=dict(rejected), errors=sum(c.errors for c in seen),
            warnings=sum(c.warnings for c in seen), broken=dict(broken), fit=_summed([c.fit for c in seen]),
        )  # fmt: skip

    def tables(self) -> Iterator[pa.Table]:
        """The parts in order."""
        for part in range(self.parts):
            yield read_part(self._path(part))

    def copies(self) -> int:
        """Near-copies among the written paragraphs, searched for once more from the files."""
        if self.rule is None:
            return 0
        return len(lexical_duplicates(self._texts(), self.rule).pairs)

    def _texts(self) -> Iterator[str]:
        for table in self.tables():
            columns = [table.column(name).to_pylist() for name in PARAGRAPHS]
            yield from (" ".join(row) for row in zip(*columns, strict=True))

    def _path(self, part: int, stem: str = "part", ending: str = "parquet") -> Path:
        return self.folder / f"{stem}-{part:05d}.{ending}"

    def _gate_record(self) -> GateRecord:
        found = _read(self.folder / "gate.json", GateRecord)
        if found is None:
            raise CorruptRunError(f"{self.folder}: gate.json is missing.", hint="Run it again: the gate is made anew.")
        return found

    def _attempts(self, path: Path) -> Indexes:
        with naming_errors(path):
            attempts = np.load(path, allow_pickle=False)
        if attempts.shape != (self.source.n,):
            raise CorruptRunError(
                f"{path}: attempts of {attempts.shape} students, expected {self.source.n}.",
                hint="Delete gate.json and attempts.npy; the gate is made anew.",
            )
        return attempts.astype(np.int64)

    def _part(self, part: int) -> PartRecord | None:
        """The sidecar of a part that is whole."""
        found = _read(self._path(part, ending="json"), PartRecord)
        path = self._path(part)
        if found is None or not path.is_file() or path.stat().st_size != found.size:
            return None
        self._same(found.source, path)
        if found.first != part * self.part_rows:
            raise InputError(f"{path}: cut in parts of another size.", hint="Give the same part_rows, or a new folder.")
        return found

    def _same(self, source: str, path: Path) -> None:
        if source != self.source.hash:
            raise InputError(
                f"{path}: holds records of other settings (source {source[:12]}, asked for {self.source.hash[:12]}).",
                hint="Give another folder, or the settings it was begun with.",
            )

    def _write_part(self, part: int, k: Indexes, attempts: Indexes) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        before_rows, before = self.source.draws.rows, Counter(self.source.draws.rejected)
        table = to_arrow(self.source.columns(k, attempts[k]))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = memoryview(sink.getvalue())
        replace_file(self._path(part), [data])
        record = PartRecord(
            source=self.source.hash, first=part * self.part_rows, rows=table.num_rows, size=len(data),
            digest=f"{rows_digest(table):064x}", drawn=self.source.draws.rows - before_rows,
            rejected=dict(self.source.draws.rejected - before),
        )  # fmt: skip
        replace_file(self._path(part, ending="json"), [record.model_dump_json().encode()])
        _log.info("part %d: %d rows", part, table.num_rows)

    def _resolve(self) -> tuple[Indexes, tuple[int, ...], Indexes]:
        """(attempts, how many were drawn again in each round, who was given up)."""
        attempts, redrawn = np.zeros(self.source.n, dtype=np.int64), list[int]()
        lost = np.zeros(0, dtype=np.int64)
        if self.rule is None:
            return attempts, (), lost
        for _ in range(_ATTEMPTS):
            lost = lexical_duplicates(self._drawn(attempts), self.rule).losers
            if not len(lost):
                return attempts, tuple(redrawn), lost
            redrawn.append(len(lost))
            attempts[lost] += 1
        return attempts, tuple(redrawn), lexical_duplicates(self._drawn(attempts), self.rule).losers

    def _drawn(self, attempts: Indexes) -> Iterator[str]:
        for low in range(0, self.source.n, _BLOCK):
            k = np.arange(low, min(low + _BLOCK, self.source.n), dtype=np.int64)
            yield from self.source.texts(k, attempts[k])

    def _write_failures(self, record: GateRecord, attempts: Indexes) -> None:
        gone = np.array(record.exhausted, dtype=np.int64)
        if not len(gone):
            return

        rows = record_rows(self.source.columns(gone, attempts[gone]))
        lines = (
            json.dumps(row | {"failure": "every attempt was a near-copy"}, ensure_ascii=False, default=int) + "\n"
            for row in rows
        )
        replace_file(self.folder / "failures.jsonl", (line.encode() for line in lines))


def write_records(
    source: StudentSource,
    folder: str | Path,
    *,
    part_rows: int = 20_000,
    rule: LexicalRule | None = None,
    dedup: bool = True,
    shard: tuple[int, int] = (0, 1),
) -> RecordsReport | None:
    """Write, gate and check a corpus of records as Parquet parts; the same call resumes after any kill.

    Args:
        source: whose records.
        folder: where.
        part_rows: rows of a part; memory holds one part (and the gate) at a time.
        rule: when two records are near-copies; None: the defaults.
        dedup: False leaves the gate out.
        shard: (which, of how many); the gate is made by whoever comes first.

    Returns:
        The report; None while parts of other shards are missing.

    Raises:
        InputError: the folder holds another corpus.
        DiskFullError: nothing more can be written; what is there stays.
    """
    corpus = RecordsFolder(source, Path(folder), part_rows, (rule or BULK_RULE) if dedup else None)
    corpus.write(shard=shard)
    corpus.check(shard=shard)
    return corpus.report()


def check_table(source: StudentSource, table: pa.Table, *, size: int = 0) -> CheckRecord:
    """Judge written records by the rules of the pack, from the columns of the table."""
    columns = {name: table.column(name) for name in table.column_names}
    masks = source.pack.masks(columns)
    severity = {rule.code: rule.severity for rule in source.pack.rules}
    errors, warnings = np.zeros(table.num_rows, dtype=np.bool_), np.zeros(table.num_rows, dtype=np.bool_)
    for code, mask in masks.items():
        if not source.anchors and code.startswith("anchor_"):
            continue
        if severity[code] == "error":
            errors |= mask
        else:
            warnings |= mask
    broken = {code: int(mask.sum()) for code, mask in masks.items() if mask.any()}
    fit = source.fit({name: column.to_pylist() for name, column in columns.items() if name in _FITTED}, unit="records")
    return CheckRecord(
        source=source.hash, size=size, rows=table.num_rows, errors=int(errors.sum()), warnings=int(warnings.sum()),
        broken=broken, fit=fit,
    )  # fmt: skip


_FITTED: Final = ("grade", "sex", "target_cluster", "academic_level")


def to_arrow(columns: Mapping[str, Any]) -> pa.Table:
    """Records as an Arrow table; categories are dictionary-encoded."""
    import pyarrow as pa

    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, Coded):
            codes: Any = pa.array(column.codes.astype(np.int8))
            arrays[name] = pa.DictionaryArray.from_arrays(codes, pa.array(list(column.words)))
        elif name in _SHORT:
            arrays[name] = pa.array(np.asarray(column).astype(_SHORT[name]))
        elif name.endswith("_subjects"):
            arrays[name] = pa.array([list(v) for v in column.tolist()], type=pa.list_(pa.string()))
        elif column.dtype == object:
            arrays[name] = pa.array(column.tolist(), type=pa.string())
        else:
            arrays[name] = pa.array(column)
    return pa.table(arrays)


def read_part(path: Path) -> pa.Table:
    """One part.

    Raises:
        StorageError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with naming_errors(path):
        data = path.read_bytes()
    # One thread: parts are small, and a pool that is still starting as Python ends can abort the process.
    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)


def rows_digest(table: pa.Table) -> int:
    """Sum of the sha256s of the rows (field names and values in their order), modulo 2^256."""
    columns = [[f"{name}={value}" for value in table.column(name).to_pylist()] for name in sorted(table.column_names)]
    total = 0
    for row in zip(*columns, strict=True):
        total += int.from_bytes(hashlib.sha256("\x1f".join(row).encode()).digest(), "big")
    return total % _WIDE


def _summed(fits: list[tuple[FitRow, ...]]) -> tuple[FitRow, ...]:
    """The quotas of several parts as one."""
    if not fits:
        return ()
    counts = Counter[tuple[str, str]]()
    for fit in fits:
        for row in fit:
            counts[row.margin, row.cell] += row.count
    return tuple(row.model_copy(update={"count": counts[row.margin, row.cell]}) for row in fits[0])


def _read(path: Path, kind: type[T]) -> T | None:
    """A sidecar, or None when there is none or it is not whole."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        _log.warning("%s is damaged and is made anew", path)
        return None
