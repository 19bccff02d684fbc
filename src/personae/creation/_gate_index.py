"""Growing arrays, and band keys that are looked up in sorted runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_TAIL: Final = 2048
"""Newest items that are not sorted yet."""

_PAIRS: Final = 1 << 20
_FEW: Final = 16


T = TypeVar("T", bound=np.generic)


class Rows(Generic[T]):
    """An array that grows at its end; room is taken in steps, so adding is cheap and little is wasted."""

    def __init__(self, dtype: type[T], width: int | None = None) -> None:
        self._table: NDArray[T] = np.zeros((16,) if width is None else (16, width), dtype=dtype)
        self._size = 0

    @classmethod
    def of(cls, dtype: type[T], values: NDArray[Any]) -> Self:
        """Rows that hold `values`."""
        made = cls(dtype, values.shape[1] if values.ndim == 2 else None)
        made.add(values)
        return made

    def __len__(self) -> int:
        return self._size

    @property
    def all(self) -> NDArray[T]:
        """A view of everything added; it holds until the next `add`."""
        return self._table[: self._size]

    def add(self, values: NDArray[T]) -> None:
        """Append."""
        need = self._size + len(values)
        if need > len(self._table):
            room = max(need, len(self._table) + len(self._table) // 4)
            grown = np.empty((room, *self._table.shape[1:]), dtype=self._table.dtype)
            grown[: self._size] = self.all
            self._table = grown
        self._table[self._size : need] = values
        self._size = need


class BandIndex:
    """Which stored items share a band key with new ones: sorted runs, merged as they double, and a short tail.

    Source: the log-structured merge of O'Neil et al. 1996, in memory.
    """

    def __init__(self, bands: int) -> None:
        self._bands = bands
        self._runs: list[tuple[Hashes, NDArray[np.int32]]] = []  # keys and positions, sorted per band: (bands, items)
        self._tail_keys = np.zeros((bands, 0), dtype=np.uint64)
        self._tail = np.zeros(0, dtype=np.int32)

    def add(self, keys: Hashes, positions: NDArray[np.int64]) -> None:
        """Store items: `keys` of shape (bands, items)."""
        self._tail_keys = np.concatenate([self._tail_keys, keys], axis=1)
        self._tail = np.concatenate([self._tail, positions.astype(np.int32)])
        if self._tail.size <= _TAIL:
            return
        run = _sorted(self._tail_keys, np.broadcast_to(self._tail, self._tail_keys.shape))
        self._tail_keys, self._tail = self._tail_keys[:, :0], self._tail[:0]
        while self._runs and self._runs[-1][1].shape[1] <= 2 * run[1].shape[1]:
            other = self._runs.pop()
            run = _sorted(np.concatenate([other[0], run[0]], axis=1), np.concatenate([other[1], run[1]], axis=1))
        self._runs.append(run)

    def pairs(self, keys: Hashes) -> Iterator[Pairs]:
        """(stored position, column of `keys`) that agree in a band, in blocks; a pair comes once per band it shares."""
        if not keys.shape[1]:
            return
        yield from self._in_tail(keys)
        for band in range(self._bands):
            order = np.argsort(keys[band])
            wanted = keys[band, order]
            for stored, positions in self._runs:
                low = np.searchsorted(stored[band], wanted, side="left")
                many = np.searchsorted(stored[band], wanted, side="right") - low
                hit = np.flatnonzero(many)
                yield from _expanded(positions[band], low[hit], many[hit], order[hit])

    def _in_tail(self, keys: Hashes) -> Iterator[Pairs]:
        if not self._tail.size:
            return
        if keys.shape[1] <= _FEW:
            for column in range(keys.shape[1]):
                near = np.flatnonzero((self._tail_keys == keys[:, column, None]).any(axis=0))
                if near.size:
                    yield np.stack([self._tail[near].astype(np.int64), np.full(near.size, column)], axis=1)
            return
        for band in range(self._bands):
            order = np.argsort(self._tail_keys[band])
            stored = self._tail_keys[band, order]
            low = np.searchsorted(stored, keys[band], side="left")
            many = np.searchsorted(stored, keys[band], side="right") - low
            hit = np.flatnonzero(many)
            yield from _expanded(self._tail[order], low[hit], many[hit], hit)


def _sorted(keys: Hashes, positions: NDArray[np.int32]) -> tuple[Hashes, NDArray[np.int32]]:
    order = np.argsort(keys, axis=1)
    return np.take_along_axis(keys, order, axis=1), np.take_along_axis(positions, order, axis=1)


def _expanded(
    positions: NDArray[np.int32], low: NDArray[np.int64], many: NDArray[np.int64], columns: NDArray[np.int64]
) -> Iterator[Pairs]:
    ends = np.cumsum(many)
    start = 0
    while start < many.size:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS, side="right")))
        count = many[start:stop]
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low[start:stop], count)
        yield np.stack([positions[place].astype(np.int64), np.repeat(columns[start:stop], count)], axis=1)
        start = stop
