"""Proportions: intervals that stay honest at 0 and at 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import check_level, group, vector
from personae.statistics._means import mean_interval
from personae.statistics._quantiles import normal_quantile, t_quantile
from personae.statistics._results import Estimate, Interval, estimate, no_estimate


def wilson_interval(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Score interval of a proportion of independent trials. n = 0 gives a NaN interval.

    Source: Wilson 1927.

    >>> interval = wilson_interval(0, 10)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.2775)
    """
    check_level(level)
    _check_counts(successes, n)
    return _score_interval(successes, n, normal_quantile(level), level, "Wilson")


def proportion_interval(values: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95) -> Estimate:
    """Share of ones with a score interval whose sample size is deflated for clustering.

    Args:
        values: 0, 1 or missing (NaN), shape (n,).
        clusters: unit of randomisation of each value, shape (n,); None: every value.
        level: confidence level.

    Returns:
        The estimate. When every value is the same, clustering cannot be estimated and each cluster counts as one
        trial; with one cluster the interval is NaN.

    Source: effective sample size as in Korn & Graubard 1998, put into Wilson's formula, with the t quantile.
    """
    check_level(level)
    x = vector(values, "values")
    seen = ~np.isnan(x)
    if not np.isin(x[seen], (0.0, 1.0)).all():
        raise InputError("values: expected only 0, 1 and missing.", hint="For other numbers use mean_interval.")
    n, missing = int(seen.sum()), int((~seen).sum())
    labels = None if clusters is None else group(clusters, x.size, "clusters").codes[seen]
    method = "Wilson" if clusters is None else "Wilson with effective n"
    if n == 0:
        return no_estimate("no observed values", level=level, method=method, n=0, clusters=0, missing=missing)
    share = float(x[seen].mean())
    if labels is None:
        interval = wilson_interval(share * n, n, level=level)
        return estimate(share, interval, n=n, clusters=n, missing=missing)
    mean = mean_interval(x[seen], labels, level=level, weighting="observations")
    units = mean.clusters
    if units < 2:
        return estimate(share, Interval.missing(level, method, mean.reason or ""), n=n, clusters=units, missing=missing)
    quantile = t_quantile(level, units - 1)
    if share in (0.0, 1.0):
        effective = float(units)
    elif not mean.interval.known:  # every cluster has the same mixed share: no more spread than independent trials
        effective = float(n)
    else:
        half = mean.interval.width / 2
        effective = min(float(n), share * (1 - share) * (quantile / half) ** 2)
    interval = _score_interval(share * effective, effective, quantile, level, method)
    return estimate(share, interval, n=n, clusters=units, missing=missing)


def proportion_upper_bound(successes: int, n: int, *, level: float = 0.95) -> float:
    """Exact one-sided upper bound of a proportion (Clopper–Pearson); NaN when n = 0.

    >>> round(proportion_upper_bound(0, 20), 4)
    0.1391
    """
    from scipy.special import betaincinv

    check_level(level)
    _check_counts(successes, n)
    if n == 0:
        return math.nan
    return 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, level))


def rule_of_three(n: int, *, level: float = 0.95) -> float:
    """Upper bound of a proportion after 0 successes in n trials: −ln(1 − level) / n, about 3 / n; never above 1.

    Source: Hanley & Lippman-Hand 1983. It lies slightly above the exact bound. NaN when n = 0.
    """
    check_level(level)
    _check_counts(0, n)
    return math.nan if n == 0 else min(1.0, -math.log(1 - level) / n)


def _score_interval(successes: float, n: float, z: float, level: float, method: str) -> Interval:
    if n == 0:
        return Interval.missing(level, method, "no trials")
    share, z2 = successes / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Interval(low, high, level, method)


def _check_counts(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise InputError(f"got {successes!r} successes in {n!r} trials.", hint="Expected 0 ≤ successes ≤ n.")
