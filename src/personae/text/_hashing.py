"""Stable 64-bit hashes, vectorised. The same on every machine, process and release; never the built-in `hash`."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_STEP: Final = np.uint64(_GOLDEN)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_MASK: Final = (1 << 64) - 1


def hash_text(text: str) -> int:
    """64-bit blake2b of the UTF-8 bytes (lone surrogates passed through)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points of `text` (lone surrogates included), shape (len(text),)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)


def mix(values: Hashes) -> Hashes:
    """Scramble each value so that every input bit reaches every output bit.

    Source: the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
    """
    mixed = values + _STEP
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def window_hashes(units: Hashes, n: int) -> Hashes:
    """One hash per run of `n` neighbouring units, shape (len(units) − n + 1,); empty when there are fewer."""
    count = units.size - n + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    hashed = np.full(count, np.uint64(n), dtype=np.uint64)
    for offset in range(n):
        hashed = mix(hashed ^ units[offset : offset + count])
    return hashed


def text_hashes(text: str, n: int) -> Hashes:
    """One hash per character `n`-gram of `text`. A shorter, non-empty text gives the hash of the whole."""
    units = code_points(text).astype(np.uint64)
    return window_hashes(units, min(n, units.size)) if units.size else units


def stream(seed: int, count: int) -> Hashes:
    """`count` well-spread constants that depend on `seed` alone."""
    start = np.uint64((seed * _GOLDEN + hash_text("personae.text")) & _MASK)
    return mix(np.arange(count, dtype=np.uint64) * _STEP + start)
