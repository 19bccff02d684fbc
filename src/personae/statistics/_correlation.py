"""Correlations with intervals."""

from __future__ import annotations

import math
from typing import Literal

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
    chunks,
    generator,
    group,
    is_flat,
    midranks,
    same_length,
    vector,
)
from personae.statistics._quantiles import expanded_tail, normal_quantile, tail_values
from personae.statistics._resampling import leave_out_interval
from personae.statistics._results import Estimate, Interval, estimate, no_estimate

CorrelationKind = Literal["pearson", "spearman"]
CorrelationMethod = Literal["fisher", "jackknife", "bootstrap"]

_ONE = 1 - 1e-12
"""A correlation this close to ±1 is perfect up to rounding; its Fisher z is not finite."""

_DEGENERATE = 1e-6


def correlation(x: ArrayLike, y: ArrayLike, *, kind: CorrelationKind = "pearson") -> float:
    """Pearson or Spearman (mid-ranks) correlation of the complete pairs; NaN when either side does not vary.

    >>> correlation([1, 2, 3], [2, 4, 6])
    1.0
    """
    a, b = vector(x, "x"), vector(y, "y")
    same_length(a, b, "x and y")
    seen = ~(np.isnan(a) | np.isnan(b))
    return correlate(a[seen], b[seen], kind)


def correlation_interval(
    x: ArrayLike,
    y: ArrayLike,
    *,
    kind: CorrelationKind = "pearson",
    method: CorrelationMethod = "fisher",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    rng: Rng | None = None,
    draws: int = 2000,
) -> Estimate:
    """Correlation with an interval made on Fisher's z scale.

    Args:
        x: numbers, shape (n,); a pair with a NaN on either side is missing.
        y: numbers, shape (n,).
        kind: "pearson" or "spearman" (mid-ranks).
        method: "fisher" (formula; rows must be independent), "jackknife" (leave out one unit at a time, t), or
            "bootstrap" (units redrawn: studentised for Pearson, widened percentiles with fresh ranks for Spearman).
        clusters: unit of randomisation of each pair, shape (n,); only with "jackknife" and "bootstrap".
        level: confidence level.
        rng: generator or seed; needed by the bootstrap.
        draws: resamples of the bootstrap.

    Returns:
        The estimate. A constant side gives NaN; a perfect correlation, or too few pairs, gives a NaN interval.

    Raises:
        InputError: clusters were given with method "fisher", whose formula counts rows as independent.

    Source: Fisher 1921; Bonett & Wright 2000 (Spearman's variance).
    """
    check_level(level)
    a, b = vector(x, "x"), vector(y, "y")
    same_length(a, b, "x and y")
    if clusters is not None and method == "fisher":
        raise InputError(
            "method='fisher' counts rows as independent, but clusters were given.", hint="Use method='jackknife'."
        )
    codes = group(clusters, a.size, "clusters").codes
    seen = ~(np.isnan(a) | np.isnan(b))
    a, b, units = a[seen], b[seen], group(codes[seen], int(seen.sum()), "clusters")
    n, missing, name = a.size, int((~seen).sum()), f"{method} on Fisher's z"
    value = correlate(a, b, kind)
    if math.isnan(value):
        flat = "no complete pairs" if n == 0 else "x does not vary" if is_flat(a) else "y does not vary"
        return no_estimate(flat, level=level, method=name, n=n, clusters=units.count, missing=missing)
    if abs(value) >= _ONE:
        interval = Interval.missing(level, name, "perfect correlation: its sampling spread cannot be estimated")
    elif units.count < 4:
        interval = Interval.missing(level, name, f"{units.count} units are too few: at least 4 are needed")
    elif method == "fisher":
        interval = _fisher(value, n, kind, level, name)
    elif method == "jackknife":
        interval = _jackknife(a, b, units, kind, value, level, name)
    else:
        check_draws(draws)
        source = generator(rng, "method='bootstrap'")
        make = _studentised if kind == "pearson" else _rank_percentiles
        interval = make(a, b, units, level, source, draws)
    return estimate(value, interval, n=n, clusters=units.count, missing=missing)


def correlate(a: FloatArray, b: FloatArray, kind: CorrelationKind) -> float:
    """Correlation of complete pairs; NaN when either side does not vary."""
    if a.size < 2 or is_flat(a) or is_flat(b):
        return math.nan
    if kind == "spearman":
        a, b = midranks(a), midranks(b)
    u, v = a - a.mean(), b - b.mean()
    return min(1.0, max(-1.0, float(u @ v / math.sqrt(float(u @ u) * float(v @ v)))))


def _fisher(value: float, n: int, kind: CorrelationKind, level: float, name: str) -> Interval:
    spread = math.sqrt((1 + value**2 / 2 if kind == "spearman" else 1.0) / (n - 3))
    half, z = normal_quantile(level) * spread, math.atanh(value)
    return Interval(math.tanh(z - half), math.tanh(z + half), level, name)


def _jackknife(
    a: FloatArray, b: FloatArray, units: Groups, kind: CorrelationKind, value: float, level: float, name: str
) -> Interval:
    rows = (units.codes != unit for unit in range(units.count))
    without = np.asarray([correlate(a[keep], b[keep], kind) for keep in rows])
    if (np.abs(without) >= _ONE).any():
        return Interval.missing(level, name, "one unit alone keeps the correlation from being perfect")
    z = leave_out_interval(math.atanh(value), np.arctanh(without), level, name)
    return Interval(math.tanh(z.low), math.tanh(z.high), level, name, z.reason)


def _moments(a: FloatArray, b: FloatArray, units: Groups) -> FloatArray:
    """Per unit: n, Σx, Σy, Σx², Σy², Σxy of the centred and scaled data, shape (6, units)."""
    u, v = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    columns = (np.ones_like(u), u, v, u * u, v * v, u * v)
    sums = [np.bincount(units.codes, weights=column, minlength=units.count) for column in columns]
    return np.stack(sums).astype(np.float64, copy=False)


def _linearised(moments: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fisher z and its linearised standard error for each row of unit counts, each shape (rows,); NaN where flat.

    The influence of a point on r is z_x z_y − r (z_x² + z_y²) / 2; sums over a unit are linear in its moments.
    """
    n, sx, sy, sxx, syy, sxy = (counts @ moments.T).T
    mx, my = sx / n, sy / n
    vx, vy = sxx / n - mx**2, syy / n - my**2
    good = (vx > _DEGENERATE) & (vy > _DEGENERATE)
    vx, vy = np.where(good, vx, 1.0), np.where(good, vy, 1.0)
    both = np.sqrt(vx * vy)
    r = (sxy / n - mx * my) / both
    good &= np.abs(r) < 1 - _DEGENERATE
    r = np.where(good, r, 0.0)
    weights = np.stack(
        [
            mx * my / both - r / 2 * (mx**2 / vx + my**2 / vy),
            -my / both + r * mx / vx,
            -mx / both + r * my / vy,
            -r / (2 * vx),
            -r / (2 * vy),
            1 / both,
        ],
        axis=1,
    )
    influence = weights @ moments  # (rows, units)
    units = moments.shape[1]
    variance = (counts * influence**2).sum(axis=1) / n**2 * units / (units - 1)
    z, error = np.arctanh(r), np.sqrt(variance) / (1 - r**2)
    good &= error > _DEGENERATE
    return np.where(good, z, np.nan), np.where(good, error, np.nan)


def _studentised(
    a: FloatArray, b: FloatArray, units: Groups, level: float, rng: np.random.Generator, draws: int
) -> Interval:
    name = "studentised bootstrap on Fisher's z"
    moments = _moments(a, b, units)
    z, error = (float(part[0]) for part in _linearised(moments, np.ones((1, units.count))))
    ratios = np.empty(draws)
    start = 0
    for size in chunks(draws, units.count):
        drawn, spread = _linearised(moments, _counts(rng, units.count, size))
        ratios[start : start + size] = (drawn - z) / spread
        start += size
    known = ratios[~np.isnan(ratios)]
    if known.size < 0.95 * draws:
        return Interval.missing(level, name, f"{draws - known.size} of {draws} resamples have no spread: too few units")
    low, high = tail_values(known, (1 - level) / 2)
    return Interval(math.tanh(z - high * error), math.tanh(z - low * error), level, name)


def _rank_percentiles(
    a: FloatArray, b: FloatArray, units: Groups, level: float, rng: np.random.Generator, draws: int
) -> Interval:
    name = "percentile bootstrap"
    xs, ys = (np.unique(side, return_inverse=True)[1] for side in (a, b))
    values = np.empty(draws)
    start = 0
    for size in chunks(draws, a.size):
        weights = _counts(rng, units.count, size)[:, units.codes]  # (size, n)
        values[start : start + size] = _weighted_ranks(weights, xs, ys)
        start += size
    known = values[~np.isnan(values)]
    if known.size < 0.95 * draws:
        return Interval.missing(level, name, f"{draws - known.size} of {draws} resamples have no spread: too few units")
    low, high = tail_values(known, expanded_tail(level, units.count))
    return Interval(low, high, level, name)


def _weighted_ranks(weights: FloatArray, xs: IntArray, ys: IntArray) -> FloatArray:
    """Spearman correlation of each row of integer weights, ranks taken anew within the row; NaN where flat."""
    total = weights.sum(axis=1, keepdims=True)
    centred: list[FloatArray] = []
    for codes in (xs, ys):
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        tied = np.add.reduceat(weights[:, order], starts, axis=1)  # weight of each distinct value
        ranks = (np.cumsum(tied, axis=1) - (tied - 1) / 2)[:, codes]
        centred.append(ranks - (weights * ranks).sum(axis=1, keepdims=True) / total)
    u, v = centred
    top = (weights * u * v).sum(axis=1)
    bottom = (weights * u * u).sum(axis=1) * (weights * v * v).sum(axis=1)
    return np.where(bottom > 0, top / np.sqrt(np.where(bottom > 0, bottom, 1.0)), np.nan)


def _counts(rng: np.random.Generator, units: int, draws: int) -> FloatArray:
    """How often each unit is drawn in samples with replacement, shape (draws, units)."""
    rows = rng.integers(0, units, (draws, units)) + np.arange(draws)[:, None] * units
    return np.bincount(rows.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)
