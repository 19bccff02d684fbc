"""Pairs that agree in at least one key, by sorting: no dictionary, no object per pair, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.text._hashing import Hashes

Pairs = NDArray[np.int64]

_BLOCK: Final = 1 << 20
"""Pairs handed out at once."""


@dataclass(slots=True)
class BandCounts:
    """What a banded search met, filled in while it runs.

    Attributes:
        candidates: Different pairs that agreed in a key and were handed out.
        crowded: Buckets with more members than allowed, over all bands.
        members: Members of those, over all bands.
        largest: Members of the largest bucket.
        skipped: Pairs of crowded buckets that were not looked at there (another band may still have shown them).
    """

    candidates: int = 0
    crowded: int = 0
    members: int = 0
    largest: int = 0
    skipped: int = 0


def banded_pairs(
    keys: Hashes,
    *,
    most: int | None = None,
    reach: int = 16,
    order: Hashes | None = None,
    counts: BandCounts | None = None,
) -> Iterator[Pairs]:
    """Pairs (first < second) of columns that agree in at least one row of `keys`, each once, in blocks (pairs, 2).

    Args:
        keys: shape (bands, items).
        most: largest bucket whose pairs are all handed out; None: any. Larger ones are sorted by `order`, and each
            member is paired with the next `reach` only: linear, not quadratic.
        reach: see `most`.
        order: what sorts crowded buckets, shape (items,). Take it from the items' contents: then the pairs do not
            depend on their positions.
        counts: is told what was met.
    """
    told = counts or BandCounts()
    size = keys.shape[1]
    if size < 2:
        return
    tie = np.arange(size, dtype=np.uint64) if order is None else order
    for band in range(len(keys)):
        for block in _band(keys[band], tie, size if most is None else most, reach, told):
            fresh = np.ones(len(block), dtype=bool)
            for earlier in range(band):
                fresh &= keys[earlier, block[:, 0]] != keys[earlier, block[:, 1]]
            found = block[fresh]
            told.candidates += len(found)
            if len(found):
                found.sort(axis=1)
                yield found


def bucket_pairs(keys: Sequence[Hashes]) -> int:
    """How many pairs share a bucket, summed over the bands: what `banded_pairs` would have to look at."""
    total = 0
    for key in keys:
        sizes = np.unique(key, return_counts=True)[1]
        total += int((sizes * (sizes - 1) // 2).sum())
    return total


def _band(key: Hashes, tie: Hashes, most: int, reach: int, told: BandCounts) -> Iterator[Pairs]:
    order = np.argsort(key).astype(np.int64)
    ordered = key[order]
    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1]).astype(np.int64)
    sizes = np.diff(np.append(starts, key.size)) if key.size else starts[:0]
    told.largest = max(told.largest, int(sizes.max(initial=0)))
    for size in np.unique(sizes[sizes > 1]):
        chosen = starts[sizes == size]
        if size > most:
            for start in chosen:
                yield from _crowd(order[start : start + size], tie, reach, told)
            continue
        if size * (size - 1) // 2 > _BLOCK:
            for start in chosen:
                yield from _large(order[start : start + size])
            continue
        left, right = np.triu_indices(int(size), k=1)
        step = max(1, _BLOCK // left.size)
        for low in range(0, chosen.size, step):
            groups = order[chosen[low : low + step, None] + np.arange(size)]
            yield np.stack([groups[:, left].ravel(), groups[:, right].ravel()], axis=1)


def _large(members: NDArray[np.int64]) -> Iterator[Pairs]:
    for place in range(members.size - 1):
        others = members[place + 1 :]
        yield np.stack([np.full(others.size, members[place]), others], axis=1)


def _crowd(members: NDArray[np.int64], tie: Hashes, reach: int, told: BandCounts) -> Iterator[Pairs]:
    told.crowded += 1
    told.members += members.size
    members = members[np.lexsort((members, tie[members]))]
    shown = 0
    for step in range(1, min(reach, members.size - 1) + 1):
        block = np.stack([members[:-step], members[step:]], axis=1)
        shown += len(block)
        yield block
    told.skipped += members.size * (members.size - 1) // 2 - shown
