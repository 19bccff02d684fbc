"""Near-duplicate search: 64-bit SimHash with exact banding, MinHash with locality-sensitive banding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError
from personae.text._banding import Pairs, banded_pairs, bucket_pairs
from personae.text._hashing import Hashes, stream, text_hashes
from personae.text._shingles import shingle_bands
from personae.text._tokens import check_positive, normalise

Signatures = NDArray[np.uint32]

_BITS: Final = 64
_CHUNK: Final = 1 << 17
"""Character windows handled at once: their arrays stay near the processor."""

_LANES: Final = np.uint64(0x0101_0101_0101_0101)

_EMPTY: Final = np.iinfo(np.uint32).max
_PAIR_LIMIT: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class SimHashPair:
    """Two texts by their positions, `first` < `second`, and how many of 64 bits differ."""

    first: int
    second: int
    distance: int


@dataclass(frozen=True, slots=True)
class MinHashPair:
    """Two texts by their positions, `first` < `second`, and the estimated Jaccard similarity (0 to 1)."""

    first: int
    second: int
    similarity: float


def simhash(text: str, n: int = 3) -> int:
    """64-bit SimHash of the character `n`-grams of the normalised text, each counted as often as it occurs.

    Lexical only: it finds copies with a few characters changed, not paraphrases. A blank text gives 0.

    Source: Charikar 2002 (sign of random projections), with a stable hash of our own.

    Raises:
        InputError: `n` is below 1.
    """
    return int(simhash_many([text], n)[0])


def simhash_many(texts: Sequence[str], n: int = 3) -> Hashes:
    """`simhash` of many texts at once, shape (len(texts),), dtype uint64."""
    check_positive("n", n)
    signatures = np.zeros(len(texts), dtype=np.uint64)
    for chosen, hashes, starts in _batches(texts, n):
        signatures[chosen] = _majorities(hashes, starts)
    return signatures


def hamming(first: int, second: int) -> int:
    """How many bits of two 64-bit signatures differ."""
    return (int(first) ^ int(second)).bit_count()


def simhash_pairs(signatures: Hashes, max_distance: int = 3) -> list[SimHashPair]:
    """All pairs within `max_distance` bits, sorted by position. Exact: nothing within the distance is missed.

    Two signatures that differ in at most d bits agree wholly in one of d + 1 bands.

    Raises:
        InputError: `max_distance` is outside 0..15, or there are so many equal bands that the search would not end
            (remove exact duplicates first).
    """
    if not 0 <= max_distance <= 15:
        raise InputError(f"max_distance {max_distance!r} is not usable, expected 0 to 15 of 64 bits.")
    values = np.asarray(signatures, dtype=np.uint64)
    _check_crowds(_simhash_keys(values, max_distance))
    pairs, distances = simhash_near(values, max_distance)
    return [SimHashPair(int(a), int(b), int(d)) for (a, b), d in zip(pairs, distances, strict=True)]


def simhash_near(signatures: Hashes, max_distance: int = 3) -> tuple[Pairs, NDArray[np.int64]]:
    """Like `simhash_pairs`, as arrays: pairs sorted by position, shape (pairs, 2), and distances, shape (pairs,).

    Takes any number of equal bands: time grows with the square of the largest group of equal ones, memory does not
    (except for pairs that are found).

    Raises:
        InputError: `max_distance` is outside 0..15.
    """
    if not 0 <= max_distance <= 15:
        raise InputError(f"max_distance {max_distance!r} is not usable, expected 0 to 15 of 64 bits.")
    values = np.asarray(signatures, dtype=np.uint64)
    pairs, distances = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for block in banded_pairs(_simhash_keys(values, max_distance)):
        found = np.bitwise_count(values[block[:, 0]] ^ values[block[:, 1]]).astype(np.int64)
        near = found <= max_distance
        pairs.append(block[near])
        distances.append(found[near])
    every, all_distances = np.concatenate(pairs), np.concatenate(distances)
    order = np.lexsort((every[:, 1], every[:, 0]))
    return every[order], all_distances[order]


class SimHashIndex:
    """Accepted signatures, to ask one by one whether a new text is too close to any of them."""

    def __init__(self, max_distance: int = 3) -> None:
        if not 0 <= max_distance <= 15:
            raise InputError(f"max_distance {max_distance!r} is not usable, expected 0 to 15 of 64 bits.")
        self.max_distance = max_distance
        self._layout = _bands(max_distance + 1)
        self._tables: list[dict[int, list[int]]] = [{} for _ in self._layout]
        self._signatures: list[int] = []

    def __len__(self) -> int:
        return len(self._signatures)

    def add(self, signature: int) -> int:
        """Store `signature` and return its position."""
        position = len(self._signatures)
        self._signatures.append(int(signature))
        for table, key in zip(self._tables, self._keys(int(signature)), strict=True):
            table.setdefault(key, []).append(position)
        return position

    def near(self, signature: int) -> list[int]:
        """Positions of all stored signatures within `max_distance` bits, ascending."""
        found = {
            i for table, key in zip(self._tables, self._keys(int(signature)), strict=True) for i in table.get(key, [])
        }
        return sorted(i for i in found if hamming(self._signatures[i], signature) <= self.max_distance)

    def _keys(self, signature: int) -> list[int]:
        return [(signature >> low) & ((1 << width) - 1) for low, width in self._layout]


def minhash_many(texts: Sequence[str], n: int = 5, *, permutations: int = 128, seed: int = 0) -> Signatures:
    """MinHash signatures over the set of character `n`-grams, shape (len(texts), permutations), dtype uint32.

    The share of equal columns estimates the Jaccard similarity with a standard error of at most
    1 / (2 · sqrt(permutations)). Blank texts get a signature that matches nothing.

    Source: Broder 1997; permutations by multiply–add on 64-bit mixed hashes, upper 32 bits kept.

    Raises:
        InputError: `n` or `permutations` is below 1.
    """
    check_positive("n", n)
    check_positive("permutations", permutations)
    constants = stream(seed, 2 * permutations)
    factors, shifts = constants[:permutations] | np.uint64(1), constants[permutations:]
    signatures = np.full((len(texts), permutations), _EMPTY, dtype=np.uint32)
    for chosen, hashes, starts in _batches(texts, n):
        for column in range(permutations):
            permuted = ((hashes * factors[column] + shifts[column]) >> np.uint64(32)).astype(np.uint32)
            signatures[chosen, column] = np.minimum.reduceat(permuted, starts)
    return signatures


def jaccard_estimate(first: Signatures, second: Signatures) -> float:
    """Estimated Jaccard similarity from two MinHash signatures of equal length; NaN when either text was blank.

    Raises:
        InputError: the signatures differ in shape.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(
            f"Signatures of shapes {first.shape!r} and {second.shape!r} cannot be compared, expected two equal rows."
        )
    if _blank(first[None])[0] or _blank(second[None])[0]:
        return float("nan")
    return float(np.mean(first == second))


def minhash_pairs(signatures: Signatures, threshold: float = 0.7, *, bands: int = 32) -> list[MinHashPair]:
    """Pairs whose estimated Jaccard similarity is at least `threshold`, sorted by position.

    Candidates share at least one of `bands` bands of r = permutations / bands columns. A pair of similarity s is a
    candidate with probability 1 − (1 − s^r)^bands: choose bands so that this is near 1 at the threshold.

    Raises:
        InputError: `bands` does not divide the number of columns, `threshold` is outside 0..1, or there are too many
            candidates (remove exact duplicates first).
    """
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"threshold {threshold!r} is not usable, expected a similarity above 0 and at most 1.")
    usable = np.flatnonzero(~_blank(signatures))
    keys = shingle_bands(signatures[usable], bands)
    _check_crowds(keys)
    found: list[MinHashPair] = []
    for near in banded_pairs(keys):
        for low in range(0, len(near), 65_536):
            block = usable[near[low : low + 65_536]]
            similar = (signatures[block[:, 0]] == signatures[block[:, 1]]).mean(axis=1)
            keep = similar >= threshold
            found += [
                MinHashPair(int(a), int(b), float(s)) for (a, b), s in zip(block[keep], similar[keep], strict=True)
            ]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _bands(count: int) -> list[tuple[int, int]]:
    edges = [round(i * _BITS / count) for i in range(count + 1)]
    return [(low, high - low) for low, high in pairwise(edges)]


def _blank(signatures: Signatures) -> NDArray[np.bool_]:
    return (signatures == _EMPTY).all(axis=1)


def _batches(texts: Sequence[str], n: int) -> Iterator[tuple[NDArray[np.int64], Hashes, NDArray[np.int64]]]:
    """Non-blank texts in chunks: (their positions, all window hashes end to end, where each text starts)."""
    chosen: list[int] = []
    parts: list[Hashes] = []
    size = 0
    for position, text in enumerate(texts):
        hashes = text_hashes(normalise(text), n)
        if not hashes.size:
            continue
        chosen.append(position)
        parts.append(hashes)
        size += hashes.size
        if size >= _CHUNK:
            yield _joined(chosen, parts)
            chosen, parts, size = [], [], 0
    if chosen:
        yield _joined(chosen, parts)


def _joined(chosen: list[int], parts: list[Hashes]) -> tuple[NDArray[np.int64], Hashes, NDArray[np.int64]]:
    starts = np.cumsum([0, *(part.size for part in parts[:-1])])
    return np.array(chosen, dtype=np.int64), np.concatenate(parts), starts.astype(np.int64)


def _simhash_keys(values: Hashes, max_distance: int) -> Hashes:
    layout = _bands(max_distance + 1)
    keys = np.empty((len(layout), values.size), dtype=np.uint64)
    for band, (low, width) in enumerate(layout):
        keys[band] = (values >> np.uint64(low)) & np.uint64((1 << width) - 1)
    return keys


def _check_crowds(keys: Hashes) -> None:
    if bucket_pairs(list(keys)) > _PAIR_LIMIT:
        raise InputError(
            f"{keys.shape[1]} signatures give more than {_PAIR_LIMIT} candidate pairs, expected mostly different texts.",
            hint="Remove exact duplicates first, or ask for a smaller distance.",
        )


def _majorities(hashes: Hashes, starts: NDArray[np.int64]) -> Hashes:
    """64 majority votes per text, ties 0. Eight 8-bit counters share a word, for at most 255 hashes at a time."""
    sizes = np.diff(np.append(starts, hashes.size))
    pieces = -(-sizes // 255)
    owner = np.repeat(np.arange(starts.size), pieces)
    within = np.arange(owner.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    places = starts[owner] + 255 * within
    heads = np.cumsum(pieces) - pieces
    sums = np.empty((starts.size, 8, 8), dtype=np.int64)  # text, byte, bit of the byte
    for bit in range(8):
        lanes = np.add.reduceat((hashes >> np.uint64(bit)) & _LANES, places)
        counts = lanes.astype("<u8").view(np.uint8).reshape(-1, 8)
        sums[:, :, bit] = np.add.reduceat(counts, heads, axis=0, dtype=np.int64)
    votes = (2 * sums > sizes[:, None, None]).reshape(-1, 64)
    return np.packbits(votes, axis=1, bitorder="little").view("<u8").ravel().astype(np.uint64)
