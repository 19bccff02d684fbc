"""Randomness. One root seed; every unit derives its own generator from (root seed, stable key).

The key is hashed, so order, concurrency and the number of draws elsewhere never matter (Seed law).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from personae.core._ids import canonical_json

if TYPE_CHECKING:
    import numpy as np


def derive_seed(root: int, *key: str | int) -> int:
    """A 63-bit seed that depends on `root` and `key` alone."""
    return int.from_bytes(_digest(root, key)[:8], "big") >> 1


def derive_rng(root: int, *key: str | int) -> np.random.Generator:
    """A counter-based generator (Philox) that depends on `root` and `key` alone.

    >>> float(derive_rng(7, "person", 3).random()) == float(derive_rng(7, "person", 3).random())
    True
    """
    import numpy as np

    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(root, key)[:16], "big")))


def _digest(root: int, key: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256(canonical_json([root, *key]).encode()).digest()
