"""Standardised mean differences."""

from __future__ import annotations

import math
from typing import Literal

from numpy.typing import ArrayLike

from personae.statistics._arrays import check_level, is_flat, same_length, vector
from personae.statistics._means import cluster_means
from personae.statistics._noncentral import d_interval
from personae.statistics._results import Estimate, estimate, no_estimate


def cohen_d(
    a: ArrayLike,
    b: ArrayLike,
    clusters_a: ArrayLike | None = None,
    clusters_b: ArrayLike | None = None,
    *,
    design: Literal["independent", "paired"] = "independent",
    hedges: bool = False,
    level: float = 0.95,
) -> Estimate:
    """Cohen's d of mean(a) − mean(b) with a noncentral t interval.

    Args:
        a: numbers, shape (n,); NaN is missing.
        b: numbers, shape (m,); under "paired" the partner of `a`, row by row.
        clusters_a: unit of randomisation of each value of `a` (of each pair under "paired"); means of whole clusters
            are compared, and the unit of d is the spread between clusters.
        clusters_b: the same for `b`; only under "independent".
        design: "independent" divides by the pooled standard deviation, "paired" by that of the differences (d_z).
        hedges: multiply value and interval by Hedges' small-sample correction.
        level: confidence level.

    Source: Cohen 1988; Hedges 1981 (exact gamma form); Steiger & Fouladi 1997 (interval).
    """
    check_level(level)
    name = "noncentral t"
    if design == "paired":
        x, y = vector(a, "a"), vector(b, "b")
        same_length(x, y, "a and b")
        data = cluster_means(x - y, clusters_a)
        n, units, lost = int(data.sizes.sum()), int(data.means.size), data.missing
        if units < 2 or is_flat(data.means):
            reason = f"{units} units: at least 2 are needed" if units < 2 else "the differences do not vary"
            return no_estimate(reason, level=level, method=name, n=n, clusters=units, missing=lost)
        d, scale, df = float(data.means.mean() / data.means.std(ddof=1)), 1 / math.sqrt(units), units - 1
    else:
        first, second = cluster_means(a, clusters_a), cluster_means(b, clusters_b)
        p, q = int(first.means.size), int(second.means.size)
        n, units, lost = int(first.sizes.sum() + second.sizes.sum()), p + q, first.missing + second.missing
        if min(p, q) < 2 or (is_flat(first.means) and is_flat(second.means)):
            few = f"{p} and {q} units: at least 2 in each sample are needed"
            reason = few if min(p, q) < 2 else "no variation inside either sample"
            return no_estimate(reason, level=level, method=name, n=n, clusters=units, missing=lost)
        df = p + q - 2
        pooled = math.sqrt((float(first.means.var(ddof=1)) * (p - 1) + float(second.means.var(ddof=1)) * (q - 1)) / df)
        d, scale = float(first.means.mean() - second.means.mean()) / pooled, math.sqrt(1 / p + 1 / q)
    factor = hedges_correction(df) if hedges else 1.0
    return estimate(d * factor, d_interval(d, scale, df, level, factor), n=n, clusters=units, missing=lost)


def hedges_correction(df: float) -> float:
    """Factor that makes Cohen's d unbiased: Γ(df/2) / (√(df/2) Γ((df − 1)/2)); NaN for df ≤ 1.

    >>> round(hedges_correction(10), 4)
    0.9227
    """
    if df <= 1:
        return math.nan
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
