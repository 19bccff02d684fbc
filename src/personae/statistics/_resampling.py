"""Intervals for any statistic, by leaving out or redrawing whole units of randomisation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import (
    FloatArray,
    Groups,
    IntArray,
    Rng,
    check_draws,
    check_level,
    generator,
    group,
    is_flat,
)
from personae.statistics._quantiles import expanded_tail, t_quantile, tail_values
from personae.statistics._results import Estimate, Interval, estimate, no_estimate

Statistic = Callable[[IntArray], float]
"""Maps row numbers (with repeats) to the number they give; NaN where it is undefined."""

_FEW = 0.05
"""Share of resamples a statistic may be undefined on before the interval is withheld."""


def jackknife_interval(
    statistic: Statistic, n: int, clusters: ArrayLike | None = None, *, level: float = 0.95
) -> Estimate:
    """Statistic on all rows with a t interval from leaving out one unit of randomisation at a time.

    Args:
        statistic: called with an array of row numbers; must be smooth in the data (a mean, a ratio, a correlation;
            not a median).
        n: number of rows.
        clusters: unit of randomisation of each row, shape (n,); None: every row.
        level: confidence level.

    Source: Efron & Tibshirani 1993 §11.5; t with (units − 1) degrees of freedom.

    >>> round(jackknife_interval(lambda rows: float(rows.mean()), 9).interval.high, 3)
    6.105
    """
    check_level(level)
    groups, rows = _groups(n, clusters)
    value = float(statistic(rows))
    units, name = groups.count, "jackknife t"
    if math.isnan(value):
        return no_estimate("the statistic is undefined on all rows", level=level, method=name, n=n, clusters=units)
    if units < 2:
        reason = "one cluster: spread between units of randomisation is unknown"
        return estimate(value, Interval.missing(level, name, reason), n=n, clusters=units)
    without = np.asarray([float(statistic(rows[groups.codes != unit])) for unit in range(units)])
    return estimate(value, leave_out_interval(value, without, level, name), n=n, clusters=units)


def leave_out_interval(value: float, without: FloatArray, level: float, name: str) -> Interval:
    """Student interval around `value` from the values with one unit left out, shape (units,)."""
    units = without.size
    if np.isnan(without).any():
        return Interval.missing(level, name, "the statistic is undefined once a unit is left out: too few units")
    if is_flat(without):
        return Interval.missing(level, name, f"no variation: leaving out any of {units} units changes nothing")
    half = t_quantile(level, units - 1) * math.sqrt((units - 1) * float(without.var()))
    return Interval(value - half, value + half, level, name)


def bootstrap_interval(
    statistic: Statistic,
    n: int,
    clusters: ArrayLike | None = None,
    *,
    strata: ArrayLike | None = None,
    level: float = 0.95,
    rng: Rng,
    draws: int = 2000,
) -> Estimate:
    """Statistic on all rows with a percentile interval from redrawing whole units of randomisation.

    Args:
        statistic: called with an array of row numbers in which the rows of a unit drawn twice stand twice.
        n: number of rows.
        clusters: unit of randomisation of each row, shape (n,); None: every row.
        strata: group of each row whose size is fixed by design (countries), shape (n,); units are redrawn inside
            their own. None: no such groups.
        level: confidence level; tails are widened for few units as Hesterberg 2015 §5.3 proposes.
        rng: generator or seed.
        draws: resamples; the statistic is called this many times.
    """
    check_level(level)
    check_draws(draws)
    groups, rows = _groups(n, clusters)
    value = float(statistic(rows))
    units, name = groups.count, "percentile bootstrap"
    if math.isnan(value):
        return no_estimate("the statistic is undefined on all rows", level=level, method=name, n=n, clusters=units)
    if units < 2:
        reason = "one cluster: spread between units of randomisation is unknown"
        return estimate(value, Interval.missing(level, name, reason), n=n, clusters=units)
    members = np.split(np.argsort(groups.codes, kind="stable"), np.cumsum(np.bincount(groups.codes))[:-1])
    source = generator(rng, "bootstrap_interval")
    blocks = [np.arange(units)] if strata is None else _blocks(groups, strata, n)
    if strata is not None and min(block.size for block in blocks) < 2:
        reason = "a stratum holds one unit of randomisation: spread inside it is unknown"
        return estimate(value, Interval.missing(level, name, reason), n=n, clusters=units)
    picks = np.concatenate([block[source.integers(0, block.size, (draws, block.size))] for block in blocks], axis=1)
    values = np.asarray([float(statistic(np.concatenate([members[unit] for unit in row]))) for row in picks])
    free = units - len(blocks) + 1
    return estimate(value, _percentiles(values, free, level, name), n=n, clusters=units)


def _blocks(groups: Groups, strata: ArrayLike, n: int) -> list[IntArray]:
    """Units of each stratum."""
    own = group(strata, n, "strata")
    first = np.unique(groups.codes, return_index=True)[1]
    if (own.codes != own.codes[first][groups.codes]).any():
        raise InputError("a unit of randomisation lies in two strata.", hint="Make strata of whole units.")
    return [np.flatnonzero(own.codes[first] == code) for code in range(own.count)]


def _percentiles(values: FloatArray, units: int, level: float, name: str) -> Interval:
    known = values[~np.isnan(values)]
    if known.size < (1 - _FEW) * values.size:
        lost = values.size - known.size
        return Interval.missing(level, name, f"the statistic is undefined on {lost} of {values.size} resamples")
    if is_flat(known):
        return Interval.missing(level, name, "no variation: every resample gives the same value")
    low, high = tail_values(known, expanded_tail(level, units))
    return Interval(low, high, level, name)


def _groups(n: int, clusters: ArrayLike | None) -> tuple[Groups, IntArray]:
    if n < 1:
        raise InputError(
            f"n: got {n!r}, expected at least one row.", hint="Check that the evidence table is not empty."
        )
    return group(clusters, n, "clusters"), np.arange(n, dtype=np.intp)
