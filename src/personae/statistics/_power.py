"""Power of the tests of this room, and the smallest effect a given n can find."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from personae.core import InputError
from personae.statistics._noncentral import bisect, t_power

EffectKind = Literal["paired", "independent", "correlation", "proportions"]
Sides = Literal[1, 2]

_LARGEST_D = 64.0
_LARGEST_R = 1 - 1e-9
_FIRST_TRY = 1e-3


def power_mean(effect: float, n: int, *, n_other: int | None = None, alpha: float = 0.05, sides: Sides = 2) -> float:
    """Power of a t test of a standardised mean difference; NaN when n is too small to test at all.

    Args:
        effect: d_z of paired differences, or Cohen's d of two samples.
        n: units (pairs), or units of the first sample.
        n_other: units of the second sample; None means a paired (or one-sample) test.
        alpha: size of the test.
        sides: 1 tests in the direction of `effect`.

    Source: noncentral t distribution (Cohen 1988 ch. 2).

    >>> round(power_mean(0.5, 34), 3)
    0.808
    """
    _check_test(alpha, sides)
    size = abs(effect) if sides == 2 else effect
    if n_other is None:
        return t_power(size * math.sqrt(n), n - 1, alpha, sides) if n >= 2 else math.nan
    if min(n, n_other) < 2:
        return math.nan
    return t_power(size * math.sqrt(n * n_other / (n + n_other)), n + n_other - 2, alpha, sides)


def power_correlation(effect: float, n: int, *, alpha: float = 0.05, sides: Sides = 2) -> float:
    """Power to find a correlation of `effect` in n independent pairs; NaN for n < 4.

    Source: Fisher's z with standard error 1 / sqrt(n − 3); its expectation includes the bias term r / (2 (n − 1)).
    """
    from scipy.special import ndtr

    _check_test(alpha, sides)
    if not -1 < effect < 1:
        raise InputError(f"effect: got correlation {effect!r}.", hint="Expected a value between -1 and 1.")
    if n < 4:
        return math.nan
    size = abs(effect) if sides == 2 else effect
    shift = (math.atanh(size) + size / (2 * (n - 1))) * math.sqrt(n - 3)
    cut = _cut(alpha, sides)
    return float(ndtr(shift - cut)) + (float(ndtr(-shift - cut)) if sides == 2 else 0.0)


def power_proportions(
    first: float, second: float, n: int, *, n_other: int | None = None, alpha: float = 0.05, sides: Sides = 2
) -> float:
    """Power of the score test of two independent proportions; NaN for n = 0.

    Args:
        first: true proportion of the first sample (n trials).
        second: true proportion of the second sample (`n_other` trials, n if None).
        n: trials of the first sample.
        n_other: trials of the second sample.
        alpha: size of the test.
        sides: 1 tests in the direction second > first.

    Source: Fleiss, Levin & Paik 2003 §4.2, pooled variance under the null, without continuity correction.
    """
    from scipy.special import ndtr

    _check_test(alpha, sides)
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise InputError(f"got proportions {first!r} and {second!r}.", hint="Expected shares from 0 to 1.")
    other = n if n_other is None else n_other
    if min(n, other) < 1:
        return math.nan
    pooled = (n * first + other * second) / (n + other)
    null = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other))
    true = math.sqrt(first * (1 - first) / n + second * (1 - second) / other)
    shift, cut = second - first, _cut(alpha, sides) * null
    if true == 0:
        return float(abs(shift) > cut if sides == 2 else shift > cut)
    upper = float(ndtr((shift - cut) / true))
    return upper + (float(ndtr((-shift - cut) / true)) if sides == 2 else 0.0)


def minimum_detectable_effect(
    kind: EffectKind,
    n: int,
    *,
    n_other: int | None = None,
    baseline: float | None = None,
    direction: Literal["up", "down"] = "up",
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Sides = 2,
) -> float:
    """The smallest true effect that a test with n units finds with the given power; NaN when none is that large.

    Args:
        kind: "paired" (d_z of n pairs), "independent" (Cohen's d), "correlation" (r of n pairs), or "proportions"
            (absolute change from `baseline`).
        n: units of randomisation (of the first sample), not rows.
        n_other: units of the second sample for "independent" and "proportions"; None means n.
        baseline: proportion of the first sample, required for "proportions".
        direction: whether the second proportion is searched above or below the baseline; the answer is positive.
        alpha: size of the test.
        power: chance of finding the effect, above alpha.
        sides: 1 or 2.

    >>> round(minimum_detectable_effect("paired", 24), 2)
    0.6
    """
    if not alpha < power < 1:
        raise InputError(f"power: got {power!r}, expected a share between alpha ({alpha!r}) and 1.", hint="Try 0.8.")
    other = n if n_other is None else n_other
    if kind == "proportions":
        if baseline is None or not 0 <= baseline <= 1:
            raise InputError(f"baseline: got {baseline!r}.", hint="Give the first sample's proportion, from 0 to 1.")
        start = baseline if direction == "up" else 1 - baseline  # the test is the same for complements
        largest = 1 - start

        def reach(size: float) -> float:
            return power_proportions(start, min(1.0, start + size), n, n_other=other, alpha=alpha, sides=sides)
    elif kind == "correlation":
        largest = _LARGEST_R

        def reach(size: float) -> float:
            return power_correlation(size, n, alpha=alpha, sides=sides)
    else:
        largest = _LARGEST_D

        def reach(size: float) -> float:
            second = None if kind == "paired" else other
            return power_mean(size, n, n_other=second, alpha=alpha, sides=sides)

    return _smallest(reach, largest, power)


def _smallest(reach: Callable[[float], float], largest: float, power: float) -> float:
    high = min(_FIRST_TRY, largest)
    while not reach(high) >= power:  # from below: far beyond the answer the noncentral t is slow and underflows
        if high >= largest:
            return math.nan
        high = min(2 * high, largest)
    return bisect(lambda size: reach(size) - power, 0.0, high)


def _cut(alpha: float, sides: int) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / sides))


def _check_test(alpha: float, sides: int) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"alpha: got {alpha!r}, expected a share between 0 and 1.", hint="0.05 is usual.")
    if sides not in (1, 2):
        raise InputError(f"sides: got {sides!r}.", hint="Use 1 or 2.")
