"""What two runs have in common: digests of evidence, and where it differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from personae.runs._run import Run

_WIDTH: Final = 32
"""Bytes of a row hash: all a digest holds in memory of a row."""

_Hashes = NDArray[np.void]


def digest_of(tables: Iterable[tuple[str, Iterable[str]]]) -> str:
    """sha256 over table names and the sorted sha256s of their rows (canonical JSON); order of rows does not count."""
    whole = hashlib.sha256()
    for name, rows in sorted(tables, key=lambda pair: pair[0]):
        hashes = np.sort(_hashes(rows))
        whole.update(f"{name}\n{hashes.size}\n".encode())
        whole.update(hashes.tobytes())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row of one run beside the row of the other that comes nearest: same unit, same place among what differs."""

    unit: str
    a: dict[str, Any] | None
    b: dict[str, Any] | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns in which they differ; all when one side is missing."""
        a, b = self.a or {}, self.b or {}
        return tuple(sorted(k for k in {*a, *b} if a.get(k) != b.get(k)))


@dataclass(frozen=True, slots=True)
class TableDifference:
    """How one table differs. `only_a` and `only_b` count rows without an equal in the other run."""

    table: str
    rows_a: int
    rows_b: int
    only_a: int
    only_b: int
    first: tuple[RowDifference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    digest_a: str
    digest_b: str
    equal: tuple[str, ...]
    """tables with the same content"""
    different: tuple[TableDifference, ...] = field(default=())

    @property
    def identical(self) -> bool:
        """True when all evidence is the same."""
        return self.digest_a == self.digest_b


def compare(run_a: Run, run_b: Run, *, first: int = 5) -> Comparison:
    """Which tables differ, by how many rows, and the first rows that do (by unit), volatile columns left out.

    Args:
        run_a: one run.
        run_b: the other.
        first: differing rows to show per table.
    """
    tables_a, tables_b = run_a.tables(), run_b.tables()
    equal: list[str] = []
    different: list[TableDifference] = []
    for name in sorted({*tables_a, *tables_b}):
        hashes_a = _hashes(text for _, text in run_a.canonical_rows(name))
        hashes_b = _hashes(text for _, text in run_b.canonical_rows(name))
        only_a, only_b = _unmatched(hashes_a, hashes_b), _unmatched(hashes_b, hashes_a)
        if not only_a and not only_b:
            equal.append(name)
            continue
        rows_a = _pick(run_a.canonical_rows(name), only_a)
        rows_b = _pick(run_b.canonical_rows(name), only_b)
        different.append(
            TableDifference(
                table=name,
                rows_a=int(hashes_a.size),
                rows_b=int(hashes_b.size),
                only_a=sum(only_a.values()),
                only_b=sum(only_b.values()),
                first=tuple(islice(_paired(rows_a, rows_b), first)),
            )
        )
    return Comparison(run_a.digest(), run_b.digest(), tuple(equal), tuple(different))


def _hashes(rows: Iterable[str]) -> _Hashes:
    data = bytearray()
    for text in rows:
        data += hashlib.sha256(text.encode()).digest()
    # Bytes, not `S32`: numpy cuts trailing zero bytes off strings.
    return np.frombuffer(bytes(data), dtype=f"V{_WIDTH}")
