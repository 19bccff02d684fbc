"""Means whose uncertainty is that of the units of randomisation, not of the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.statistics._arrays import (
    FloatArray,
    Rng,
    check_draws,
    check_level,
    chunks,
    generator,
    group,
    is_flat,
    same_length,
    vector,
)
from personae.statistics._noncentral import d_interval
from personae.statistics._quantiles import expanded_tail, t_quantile, tail_values
from personae.statistics._results import Estimate, Interval, PairedEstimate, estimate, no_estimate

MeanMethod = Literal["t", "bootstrap-t", "percentile"]
Weighting = Literal["clusters", "observations"]

_DEGENERATE = 1e-9
"""A resample whose standard error is this small a share of the sample's has no spread at all."""


@dataclass(frozen=True, slots=True)
class ClusterMeans:
    """One mean per cluster: `means[i]` over `sizes[i]` observed values of `labels[i]`; `missing` values were NaN."""

    labels: NDArray[np.generic]
    means: FloatArray
    sizes: FloatArray
    missing: int


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Sums and sizes of clusters; their ratio is the mean. Sizes of 1 make it the plain mean of cluster means."""

    sums: FloatArray
    sizes: FloatArray

    @property
    def equal(self) -> bool:
        return bool((self.sizes == self.sizes[0]).all())


def cluster_means(values: ArrayLike, clusters: ArrayLike | None = None) -> ClusterMeans:
    """Mean of the observed values of each cluster, in sorted order of the labels.

    Args:
        values: numbers, shape (n,); NaN or None is missing and left out. A cluster without any value is left out too.
        clusters: unit of randomisation of each value, shape (n,); None makes each value its own cluster.

    >>> cluster_means([1, 3, 5], ["a", "a", "b"]).means.tolist()
    [2.0, 5.0]
    """
    x = vector(values, "values")
    groups = group(clusters, x.size, "clusters")
    seen = ~np.isnan(x)
    sizes = np.bincount(groups.codes[seen], minlength=groups.count).astype(np.float64)
    sums = np.bincount(groups.codes[seen], weights=x[seen], minlength=groups.count)
    keep = sizes > 0
    return ClusterMeans(groups.labels[keep], sums[keep] / sizes[keep], sizes[keep], int(x.size - seen.sum()))


def mean_interval(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    method: MeanMethod = "t",
    weighting: Weighting = "clusters",
    rng: Rng | None = None,
    draws: int = 2000,
) -> Estimate:
    """Mean with an interval over the units of randomisation.

    Args:
        values: numbers, shape (n,); NaN is missing.
        clusters: unit of randomisation of each value; None: every value is its own unit.
        level: share of worlds in which the interval shall hold the true mean.
        method: "t" (Student over clusters; for unequal sizes under "observations" the bias-reduced cluster variance
            CR2 with cautious Satterthwaite degrees of freedom), "bootstrap-t" (studentised, clusters resampled; follows
            skewed data) or "percentile" (with Hesterberg's widening for few clusters).
        weighting: "clusters" estimates the mean of cluster means, "observations" the mean over all rows.
        rng: generator or seed; needed by the two bootstraps.
        draws: resamples of the bootstraps.

    Returns:
        The estimate. Fewer than two clusters, or clusters that do not differ at all, give a NaN interval and say so.

    Source: Bell & McCaffrey 2002 (CR2); Efron & Tibshirani 1993 §12.5 (bootstrap-t); Hesterberg 2015 §5.3 (widening).
    """
    check_level(level)
    data = cluster_means(values, clusters)
    return _mean(data, level=level, method=method, weighting=weighting, rng=rng, draws=draws)


def paired_interval(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    method: MeanMethod = "t",
    weighting: Weighting = "clusters",
    rng: Rng | None = None,
    draws: int = 2000,
) -> PairedEstimate:
    """Mean of the paired differences a − b with its interval and the standardised size d_z.

    Args:
        a: numbers, shape (n,); a pair with a NaN on either side is missing.
        b: numbers, shape (n,), row by row the partner of `a`.
        clusters: unit of randomisation of each pair; None: every pair is its own unit.
        level: confidence level of both intervals.
        method: as in `mean_interval`.
        weighting: as in `mean_interval`; d_z is always over clusters.
        rng: generator or seed; needed by the bootstraps.
        draws: resamples of the bootstraps.

    Source: Lakens 2013 eq. 6 (d_z); its interval inverts the noncentral t distribution.
    """
    check_level(level)
    x, y = vector(a, "a"), vector(b, "b")
    same_length(x, y, "a and b")
    data = cluster_means(x - y, clusters)
    mean = _mean(data, level=level, method=method, weighting=weighting, rng=rng, draws=draws)
    units = data.means.size
    if units < 2 or is_flat(data.means):
        d_z, d_interval_ = math.nan, Interval.missing(level, "noncentral t", mean.reason or "no variation")
    else:
        d_z = float(data.means.mean() / data.means.std(ddof=1))
        d_interval_ = d_interval(d_z, 1 / math.sqrt(units), units - 1, level)
    return PairedEstimate(
        mean.value, mean.interval, mean.n, mean.clusters, mean.missing, mean.reason, d_z=d_z, d_z_interval=d_interval_
    )


def _mean(
    data: ClusterMeans, *, level: float, method: MeanMethod, weighting: Weighting, rng: Rng | None, draws: int
) -> Estimate:
    units, n = int(data.means.size), int(data.sizes.sum())
    name = {"t": "t", "bootstrap-t": "studentised bootstrap", "percentile": "percentile bootstrap"}[method]
    if n == 0:
        return no_estimate("no observed values", level=level, method=name, n=0, clusters=0, missing=data.missing)
    if weighting == "clusters":
        ratio = _Ratio(data.means, np.ones(units))
    else:
        ratio = _Ratio(data.means * data.sizes, data.sizes)
    value = float(ratio.sums.sum() / ratio.sizes.sum())
    if units < 2:
        interval = Interval.missing(level, name, "one cluster: spread between units of randomisation is unknown")
    elif is_flat(data.means):
        interval = Interval.missing(level, name, f"no variation: all {units} clusters have the same mean")
    elif method == "t":
        interval = _t_interval(ratio, value, level, name)
    else:
        check_draws(draws)
        stats = _resample(ratio, value, generator(rng, f"method={method!r}"), draws)
        interval = (
            _studentised(stats, ratio, value, level, name)
            if method == "bootstrap-t"
            else _percentile(stats, units, level, name)
        )
    return estimate(value, interval, n=n, clusters=units, missing=data.missing)


def _t_interval(ratio: _Ratio, value: float, level: float, name: str) -> Interval:
    half = t_quantile(level, _degrees(ratio)) * _standard_error(ratio, value)
    return Interval(value - half, value + half, level, name if ratio.equal else "t with CR2 variance")


def _standard_error(ratio: _Ratio, value: float) -> float:
    """CR2 standard error of the mean; for equal sizes it is sd(cluster means) / sqrt(clusters)."""
    total = float(ratio.sizes.sum())
    residuals = ratio.sums - ratio.sizes * value
    return math.sqrt(float((residuals**2 / (1 - ratio.sizes / total)).sum())) / total


def _degrees(ratio: _Ratio) -> float:
    """Satterthwaite degrees of freedom of the CR2 variance.

    Rows of a cluster may be unrelated or all alike; the smaller of the two answers is taken, since which one holds is
    not known. Both are trace² / squared norm of the covariance of the cluster residuals; sums replace the matrix.
    """
    if ratio.equal:
        return ratio.sizes.size - 1.0
    h = ratio.sizes / ratio.sizes.sum()
    w = h**2 / (1 - h)
    apart = 1 / float((h**2).sum() + w.sum() ** 2 - (w**2).sum())
    s = float((h**2).sum())
    w0, w1, w2 = (float((w * h**power).sum()) for power in (0, 1, 2))
    trace = float((w * (1 - 2 * h + s)).sum())
    own = float((w**2 * ((1 - 2 * h + s) ** 2 - (s - 2 * h) ** 2)).sum())
    alike = trace**2 / (own + w0**2 * s**2 + 2 * w0 * w2 - 4 * s * w0 * w1 + 2 * w1**2)
    return min(apart, alike)


@dataclass(frozen=True, slots=True)
class _Resamples:
    values: FloatArray
    errors: FloatArray


def _resample(ratio: _Ratio, value: float, rng: np.random.Generator, draws: int) -> _Resamples:
    """Means and standard errors of `draws` samples of clusters with replacement, each shape (draws,)."""
    units = ratio.sums.size
    values, errors = np.empty(draws), np.empty(draws)
    start = 0
    for size in chunks(draws, units):
        rows = rng.integers(0, units, (size, units))
        part = slice(start, start + size)
        if ratio.equal:
            drawn = (ratio.sums / ratio.sizes - value)[rows]
            values[part] = drawn.mean(axis=1) + value
            errors[part] = drawn.std(axis=1, ddof=1) / math.sqrt(units)
        else:
            sums, sizes = ratio.sums[rows], ratio.sizes[rows]
            total = sizes.sum(axis=1)
            values[part] = sums.sum(axis=1) / total
            residuals = sums - sizes * values[part][:, None]
            errors[part] = np.sqrt((residuals**2 / (1 - sizes / total[:, None])).sum(axis=1)) / total
        start += size
    return _Resamples(values, errors)


def _studentised(stats: _Resamples, ratio: _Ratio, value: float, level: float, name: str) -> Interval:
    error = _standard_error(ratio, value)
    shifts = stats.values - value
    flat = stats.errors <= _DEGENERATE * error
    shifts[np.abs(shifts) <= _DEGENERATE * error] = 0.0
    ratios = np.where(shifts == 0, 0.0, np.copysign(np.inf, shifts))
    ratios[~flat] = shifts[~flat] / stats.errors[~flat]
    low, high = tail_values(ratios, (1 - level) / 2)
    if math.isinf(low) or math.isinf(high):
        return Interval.missing(level, name, "too few different clusters for a studentised bootstrap: use method='t'")
    return Interval(value - high * error, value - low * error, level, name)


def _percentile(stats: _Resamples, units: int, level: float, name: str) -> Interval:
    low, high = tail_values(stats.values, expanded_tail(level, units))
    return Interval(low, high, level, name)
