"""Spread of a categorical distribution, and distances between two."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, vector


def entropy(counts: ArrayLike, *, base: float = 2.0, normalised: bool = False) -> float:
    """Shannon entropy of counts or shares, in units of log `base` (2: bits).

    Args:
        counts: numbers of at least 0, shape (categories,), empty categories included; scaled to sum to 1.
        base: above 1.
        normalised: divide by the logarithm of the number of categories, so that 1 is uniform; NaN for one category.

    >>> entropy([1, 1, 1, 1])
    2.0
    """
    p = _shares(counts, "counts")
    if base <= 1:
        raise InputError(f"base: got {base!r}, expected a number above 1.", hint="2 gives bits, math.e nats.")
    seen = p[p > 0]
    value = max(0.0, -float(seen @ np.log(seen)))
    if normalised:
        return value / math.log(p.size) if p.size > 1 else math.nan
    return value / math.log(base)


def jensen_shannon_divergence(p: ArrayLike, q: ArrayLike, *, base: float = 2.0) -> float:
    """Jensen–Shannon divergence (not its square root); with base 2 from 0 (equal) to 1 (no overlap).

    Args:
        p: counts or shares, shape (categories,).
        q: counts or shares over the same categories.
        base: of the logarithm, above 1.

    Source: Lin 1991.
    """
    a, b = _pair(p, q)
    middle = (a + b) / 2
    mixed = entropy(middle, base=base)
    return max(0.0, mixed - (entropy(a, base=base) + entropy(b, base=base)) / 2)


def total_variation_distance(p: ArrayLike, q: ArrayLike) -> float:
    """Half the summed absolute differences of shares, from 0 (equal) to 1 (no overlap).

    >>> total_variation_distance([1, 1], [1, 0])
    0.5
    """
    a, b = _pair(p, q)
    return min(1.0, float(np.abs(a - b).sum()) / 2)


def earth_movers_distance(p: ArrayLike, q: ArrayLike, *, positions: ArrayLike | None = None) -> float:
    """Wasserstein-1 distance of two distributions over ordered categories.

    Args:
        p: counts or shares, shape (categories,), in order.
        q: counts or shares over the same categories.
        positions: where the categories lie, increasing; None: 0, 1, 2, … (the distance is then in steps).
    """
    a, b = _pair(p, q)
    if positions is None:
        gaps = np.ones(a.size - 1)
    else:
        where = vector(positions, "positions")
        gaps = np.diff(where)
        if where.size != a.size or not (gaps > 0).all():
            raise InputError(
                f"positions: got {where.tolist()!r:.80} for {a.size} categories.",
                hint="Give one per category, increasing.",
            )
    return float(np.abs(np.cumsum(a - b)[:-1]) @ gaps)


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = _shares(p, "p"), _shares(q, "q")
    if a.size != b.size:
        raise InputError(
            f"p and q: got {a.size} and {b.size} categories.", hint="Count both over the same list of categories."
        )
    return a, b


def _shares(counts: ArrayLike, name: str) -> FloatArray:
    values = vector(counts, name)
    if np.isnan(values).any() or (values < 0).any():
        raise InputError(f"{name}: holds negative or missing counts.", hint="Counts and shares are numbers from 0 up.")
    total = float(values.sum())
    if total == 0:
        raise InputError(
            f"{name}: sums to 0, so it has no distribution.", hint="Report the measure as missing instead."
        )
    return values / total
