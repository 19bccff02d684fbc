"""Noncentral t: intervals of standardised differences and power of t tests."""

from __future__ import annotations

import math
from collections.abc import Callable

from personae.statistics._results import Interval

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
    return upper + float(nctdtr(df, noncentrality, -cut)) if sides == 2 else upper


def _noncentrality(t: float, df: float, share: float) -> float:
    """The noncentrality under which a share `share` of t statistics falls below `t`; NaN when out of reach."""
    from scipy.special import nctdtr

    def miss(noncentrality: float) -> float:
        return share - float(nctdtr(df, noncentrality, t))

    reach = 4 * math.sqrt(1 + t * t / (2 * df))
    for _ in range(12):
        if miss(t - reach) < 0 < miss(t + reach):
            return bisect(miss, t - reach, t + reach)
        reach *= 2
    return math.nan
