"""What two runs have in common: digests of evidence, and where it differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from personae.runs._reading import RunFolder

_WIDTH: Final = 32
"""Bytes of a row hash: all a digest holds in memory of a row."""

_Hashes = NDArray[np.bytes_]


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


def compare(run_a: RunFolder, run_b: RunFolder, *, first: int = 5) -> Comparison:
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
    return np.frombuffer(bytes(data), dtype=f"S{_WIDTH}")


def _unmatched(ours: _Hashes, theirs: _Hashes) -> dict[bytes, int]:
    """Row hashes of `ours` without an equal in `theirs`, and how many of each."""
    mine, my_counts = np.unique(ours, return_counts=True)
    other, other_counts = np.unique(theirs, return_counts=True)
    surplus = my_counts.astype(np.int64)
    if other.size:
        place = np.minimum(np.searchsorted(other, mine), other.size - 1)
        surplus -= np.where(other[place] == mine, other_counts[place], 0)
    left = surplus > 0
    return {_padded(h): int(n) for h, n in zip(mine[left].tolist(), surplus[left].tolist(), strict=True)}


def _padded(value: bytes) -> bytes:
    # numpy hands out fixed-width bytes without their trailing zeros.
    return value.ljust(_WIDTH, b"\0")


def _pick(rows: Iterable[tuple[str, str]], wanted: dict[bytes, int]) -> dict[str, list[str]]:
    """The rows (canonical JSON) whose hashes are `wanted`, by unit, sorted."""
    left = dict(wanted)
    found: dict[str, list[str]] = {}
    for unit, text in rows:
        key = hashlib.sha256(text.encode()).digest()
        if left.get(key, 0) > 0:
            left[key] -= 1
            found.setdefault(unit, []).append(text)
    for texts in found.values():
        texts.sort()
    return found


def _paired(a: dict[str, list[str]], b: dict[str, list[str]]) -> Iterator[RowDifference]:
    for unit in sorted({*a, *b}):
        for left, right in zip_longest(a.get(unit, ()), b.get(unit, ())):
            yield RowDifference(unit, _row(left), _row(right))


def _row(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
