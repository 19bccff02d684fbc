"""Noncentral t: intervals of standardised differences and power of t tests."""

from __future__ import annotations

import math
from collections.abc import Callable

from personae.statistics._results import Interval

_FAR = 200.0
"""Beyond this |t| (more with many degrees of freedom) the normal part of a noncentral t is lost in its chi part."""

_NO_OTHER_SIDE = 5.0
"""Above this noncentrality the wrong tail holds less than Φ(−5) = 3e-7, and its computation breaks down."""

_STEPS = 80
"""Bisection steps: the bracket ends 2^-80 of its width, below rounding."""


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of a function that is negative at `low` and positive at `high`."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def d_interval(d: float, scale: float, df: float, level: float, factor: float = 1.0) -> Interval:
    """Interval of a standardised difference whose t statistic is d / `scale`; both ends are multiplied by `factor`."""
    t = d / scale
    low, high = _noncentrality(t, df, (1 + level) / 2), _noncentrality(t, df, (1 - level) / 2)
    if math.isnan(low) or math.isnan(high):
        return Interval.missing(
            level, "noncentral t", f"t = {t:.3g} with {df:g} degrees of freedom has no finite bounds"
        )
    return Interval(low * scale * factor, high * scale * factor, level, "noncentral t")


def t_power(noncentrality: float, df: float, alpha: float, sides: int) -> float:
    """Chance that a t test of size `alpha` rejects; two-sided counts both tails."""
    from scipy.special import nctdtr, stdtrit

    cut = float(stdtrit(df, 1 - alpha / sides))
    upper = 1 - float(nctdtr(df, noncentrality, cut))
    if sides == 1 or noncentrality > _NO_OTHER_SIDE:
        return upper
    return upper + float(nctdtr(df, noncentrality, -cut))


def _noncentrality(t: float, df: float, share: float) -> float:
    """The noncentrality under which a share `share` of t statistics falls below `t`; NaN when out of reach."""
    from scipy.special import chdtri, nctdtr, ndtri

    if t < 0:
        return -_noncentrality(-t, df, 1 - share)
    if t > _FAR * max(1.0, math.sqrt(df / 50)):  # t ≈ noncentrality · sqrt(df / chi²)
        return t * math.sqrt(float(chdtri(df, share)) / df)

    def miss(noncentrality: float) -> float:
        return share - float(nctdtr(df, noncentrality, t))

    low = -float(ndtri(share)) - 1e-6  # P(T ≤ t) ≥ P(T ≤ 0) = Φ(−noncentrality)
    high = max(t, low) + 4 * math.sqrt(1 + t * t / (2 * df))
    for _ in range(12):
        if miss(high) > 0:
            return bisect(miss, low, high)
        high *= 2
    return math.nan
