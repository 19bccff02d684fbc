"""Word shingles of many texts as arrays: sets of 32-bit hashes, their MinHash, and exact Jaccard of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError
from personae.text._hashing import Hashes, hash_text, mix, stream
from personae.text._tokens import check_positive, words

Pairs = NDArray[np.int64]

_LOW: Final = np.uint64(0xFFFF_FFFF)
_HALF: Final = np.uint64(32)
_TABLE: Final = 1 << 22
"""Counters of `ShingleCounts`; two shingles that share one are counted together."""

_WORDS: Final = 1 << 17
"""Words handled at once: their arrays stay near the processor."""

_KNOWN: Final = 1 << 19
"""Different words whose hashes are kept."""

_CELLS: Final = 1 << 15
"""Shingles permuted at once: they stay in the processor's cache (256 KiB)."""


@dataclass(frozen=True, slots=True)
class Shingles:
    """Sets of word shingles, one per text, end to end.

    Attributes:
        hashes: Sorted and distinct within each text, shape (all,), 32 bits of each shingle's hash.
        edges: Where each text starts, shape (texts + 1,).
        wholes: 64-bit hash of all words in their order, shape (texts,): equal for texts that differ in case,
            punctuation or white space only; 0 for a text without words.
    """

    hashes: NDArray[np.uint32]
    edges: NDArray[np.int64]
    wholes: Hashes

    def __len__(self) -> int:
        return len(self.wholes)

    def take(self, rows: NDArray[np.int64]) -> Shingles:
        """The sets of `rows`, in that order."""
        sizes = np.diff(self.edges)[rows]
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(edges[-1]) + np.repeat(self.edges[rows] - edges[:-1], sizes)
        return Shingles(self.hashes[places], edges, self.wholes[rows])

    def without(self, banned: NDArray[np.bool_]) -> Shingles:
        """Without the shingles that `ShingleCounts.frequent` names.

        A text that would lose more than half of its shingles keeps them all: it is boilerplate itself, or a copy made
        so often that its own words became frequent.
        """
        keep = ~banned[self.hashes & np.uint32(_TABLE - 1)]
        sizes = np.diff(self.edges)
        owner = np.repeat(np.arange(len(self)), sizes)
        left = np.bincount(owner[keep], minlength=len(self))
        keep |= (2 * left < sizes)[owner]
        kept = np.bincount(owner[keep], minlength=len(self))
        return Shingles(self.hashes[keep], np.concatenate([[0], np.cumsum(kept)]).astype(np.int64), self.wholes)


class ShingleCounts:
    """In how many texts each shingle stands, in a table of fixed size: never below the truth, seldom above.

    Source: a count–min sketch with one row (Cormode & Muthukrishnan 2005).
    """

    def __init__(self) -> None:
        self.texts = 0
        self.table = np.zeros(_TABLE, dtype=np.uint32)

    def add(self, sets: Shingles) -> None:
        """Count the texts of `sets`. The order of the calls does not matter."""
        self.texts += len(sets)
        places, times = np.unique(sets.hashes & np.uint32(_TABLE - 1), return_counts=True)
        self.table[places] += times.astype(np.uint32)

    def frequent(self, share: float, *, at_least: int = 20) -> NDArray[np.bool_]:
        """Which counters stand above `share` of the texts (and above `at_least` texts), for `Shingles.without`."""
        return self.table > max(float(at_least), share * self.texts)


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        found = self[word] = hash_text(word)
        return found


def shingle_sets(texts: Iterable[str], n: int = 3) -> Shingles:
    """The sets of word `n`-grams of `texts`. A text of fewer words is one shingle; one without words has none.

    Raises:
        InputError: `n` is below 1.
    """
    parts = list(shingle_batches(texts, n, size=8192))
    return join_shingles(parts)


def shingle_batches(texts: Iterable[str], n: int = 3, *, size: int = 8192) -> Iterator[Shingles]:
    """`shingle_sets` of a stream, at most `size` texts (and about a million words) at a time."""
    check_positive("n", n)
    cache = _WordHashes()
    found: list[list[str]] = []
    count = 0
    for text in texts:
        tokens = words(text)
        found.append(tokens)
        count += len(tokens)
        if count >= _WORDS or len(found) >= size:
            yield _sets(found, n, cache)
            found, count = [], 0
            if len(cache) > _KNOWN:
                cache.clear()
    if found:
        yield _sets(found, n, cache)


def join_shingles(parts: Sequence[Shingles]) -> Shingles:
    """Several sets of texts as one."""
    if not parts:
        return Shingles(np.zeros(0, np.uint32), np.zeros(1, np.int64), np.zeros(0, np.uint64))
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([np.diff(part.edges) for part in parts])
    return Shingles(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([part.wholes for part in parts]),
    )


def shingle_minhash(sets: Shingles, permutations: int = 64, *, seed: int = 0) -> NDArray[np.uint32]:
    """MinHash of the sets, shape (texts, permutations); the share of equal columns estimates Jaccard similarity.

    A set without shingles gets the largest value throughout: `shingle_bands` never pairs it.

    Source: Broder 1997; permutations by multiply and shift (Dietzfelbinger et al. 1997).
    """
    check_positive("permutations", permutations)
    constants = stream(seed, 2 * permutations)
    factors, shifts = constants[:permutations] | np.uint64(1), constants[permutations:]
    out = np.full((permutations, len(sets)), np.iinfo(np.uint32).max, dtype=np.uint32)
    filled = np.flatnonzero(np.diff(sets.edges))
    ends = sets.edges[filled + 1]
    low = 0
    while low < filled.size:
        high = max(low + 1, int(np.searchsorted(ends, sets.edges[filled[low]] + _CELLS, side="right")))
        rows, low = filled[low:high], high
        start, end = sets.edges[rows[0]], sets.edges[rows[-1] + 1]  # empty sets between them take no room
        hashes, starts = sets.hashes[start:end].astype(np.uint64), sets.edges[rows] - start
        step = max(1, _CELLS // hashes.size)  # of few shingles many columns at once
        for column in range(0, permutations, step):
            part = slice(column, column + step)
            permuted = hashes * factors[part, None]
            permuted += shifts[part, None]
            out[part, rows] = np.minimum.reduceat(permuted, starts, axis=1) >> _HALF
    return np.ascontiguousarray(out.T)


def shingle_bands(signatures: NDArray[np.uint32], bands: int) -> Hashes:
    """One 64-bit key per band and text, shape (bands, texts).

    Raises:
        InputError: `bands` does not divide the number of columns.
    """
    count, columns = signatures.shape
    check_positive("bands", bands)
    if columns % bands:
        raise InputError(f"{bands!r} bands do not divide {columns} columns.", hint="Choose a divisor.")
    split = signatures.reshape(count, bands, columns // bands)
    keys = np.repeat(np.arange(bands, dtype=np.uint64)[:, None], count, axis=1)
    for column in range(columns // bands):
        keys = mix(keys ^ split[:, :, column].T)
    return keys


def pair_jaccard(first: Shingles, second: Shingles, pairs: Pairs) -> NDArray[np.float64]:
    """Exact Jaccard similarity of set pairs[:, 0] of `first` and set pairs[:, 1] of `second`, shape (pairs,).

    0 where both are empty. Exact up to two shingles of one text that share 32 bits of their hashes.
    """
    out = np.zeros(len(pairs), dtype=np.float64)
    step = 4096
    for low in range(0, len(pairs), step):
        block = pairs[low : low + step]
        a, b = first.take(block[:, 0]), second.take(block[:, 1])
        keys = np.concatenate([_owned(a), _owned(b)])
        keys.sort()
        twice = keys[1:][keys[1:] == keys[:-1]] >> _HALF
        shared = np.bincount(twice.astype(np.int64), minlength=len(block))
        union = np.diff(a.edges) + np.diff(b.edges) - shared
        out[low : low + step] = np.divide(shared, union, out=np.zeros(len(block)), where=union > 0)
    return out


def _owned(sets: Shingles) -> Hashes:
    owner = np.repeat(np.arange(len(sets), dtype=np.uint64), np.diff(sets.edges))
    return (owner << _HALF) | sets.hashes.astype(np.uint64)


def _sets(found: list[list[str]], n: int, cache: _WordHashes) -> Shingles:
    sizes = np.fromiter((len(tokens) for tokens in found), dtype=np.int64, count=len(found))
    total = int(sizes.sum())
    flat = map(cache.__getitem__, chain.from_iterable(found))
    units = np.fromiter(islice(flat, total), dtype=np.uint64, count=total)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    owner = np.repeat(np.arange(len(found), dtype=np.int64), sizes)
    place = np.arange(total, dtype=np.int64) - starts[owner]
    # A whole is the sum of its words mixed with their places: equal for equal sequences, whatever stands around them.
    placed = mix(units ^ mix(place.astype(np.uint64)))
    wholes = np.zeros(len(found), dtype=np.uint64)
    filled = np.flatnonzero(sizes)
    if filled.size:
        wholes[filled] = mix(np.add.reduceat(placed, starts[filled]) ^ sizes[filled].astype(np.uint64))
    hashed = np.full(max(0, total - n + 1), np.uint64(n), dtype=np.uint64)
    for offset in range(n):
        hashed = mix(hashed ^ units[offset : offset + hashed.size])
    inside = np.flatnonzero(place[: hashed.size] + n <= sizes[owner[: hashed.size]])
    short = filled[sizes[filled] < n]
    keys = np.concatenate(
        [
            (owner[inside].astype(np.uint64) << _HALF) | (hashed[inside] & _LOW),
            (short.astype(np.uint64) << _HALF) | (wholes[short] & _LOW),
        ]
    )
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if keys.size else keys
    counts = np.bincount((keys >> _HALF).astype(np.int64), minlength=len(found))
    edges = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Shingles((keys & _LOW).astype(np.uint32), edges, wholes)
