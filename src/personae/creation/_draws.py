"""Counter-based randomness over whole arrays: keyed uniforms, normals and permutations.

A draw depends on (key, k, attempt, lane) alone, so one person and a million people go through the same code and get the
same values, in any order and in any number of shards.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Indexes: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Words: TypeAlias = NDArray[np.uint64]

# Odd constants of the SplitMix64 generator (Steele, Lea and Flood 2014): increment and the two multipliers.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2: Final = np.uint64(0x94D049BB133111EB)
_ROUNDS: Final = 8


def mix(words: Words) -> Words:
    """The SplitMix64 finaliser: a bijection of 64-bit words whose outputs look unrelated."""
    words = (words ^ (words >> np.uint64(30))) * _MULTIPLY_1
    words = (words ^ (words >> np.uint64(27))) * _MULTIPLY_2
    return words ^ (words >> np.uint64(31))


def uniforms(key: int, k: Indexes, attempt: int, lanes: int) -> Floats:
    """Uniform draws in (0, 1), shape (len(k), lanes); row i depends on (key, k[i], attempt) alone."""
    root = mix(np.array([key & 0xFFFF_FFFF_FFFF_FFFF], dtype=np.uint64))
    state = mix(root ^ mix((k.astype(np.uint64) + np.uint64(1)) * _STEP))
    state = mix(state + mix(np.array([attempt + 1], dtype=np.uint64) * _MULTIPLY_2))
    steps = np.arange(1, lanes + 1, dtype=np.uint64) * _STEP
    words = mix(mix(state[:, None] + steps[None, :]) + _MULTIPLY_1)
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(draws: Floats) -> Floats:
    """Standard normals from uniforms of shape (rows, 2m), by Box and Muller; shape (rows, 2m)."""
    half = draws.shape[1] // 2
    radius = np.sqrt(-2.0 * np.log(draws[:, :half]))
    angle = 2.0 * np.pi * draws[:, half : 2 * half]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def permute(values: Indexes, size: int, key: int | Words) -> Indexes:
    """A keyed permutation of range(size), applied to each of `values`.

    A Feistel network on the smallest even number of bits that holds `size`; results outside the range walk on along
    their cycle until they fall inside, which takes at most four steps on average.

    Args:
        values: whole numbers in [0, size).
        size: length of the range.
        key: one key, or one key per value.
    """
    if size <= 1:
        return np.zeros_like(values)
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = np.array([key & 0xFFFF_FFFF_FFFF_FFFF], dtype=np.uint64) if isinstance(key, int) else key
    keys = np.broadcast_to(mix(keys), values.shape)
    out = values.astype(np.uint64)
    walking = np.arange(len(values))
    while len(walking):
        left, right = out[walking] >> half, out[walking] & low
        for turn in range(_ROUNDS):
            step = mix(np.array([turn + 1], dtype=np.uint64) * _STEP)
            left, right = right, left ^ (mix(mix(right + step) ^ keys[walking]) & low)
        out[walking] = (left << half) | right
        walking = walking[out[walking] >= np.uint64(size)]
    return out.astype(np.int64)


def pick(draws: Floats, weights: Floats) -> Indexes:
    """Index of the category each uniform draw falls into; `weights` need not sum to 1."""
    edges = np.cumsum(weights) / weights.sum()
    return np.minimum(np.searchsorted(edges, draws, side="right"), len(weights) - 1).astype(np.int64)


def totals(index: Indexes, weights: Floats | Indexes, size: int) -> Floats:
    """Summed weights of each index, shape (size,)."""
    return np.bincount(index, weights=weights, minlength=size).astype(np.float64)
