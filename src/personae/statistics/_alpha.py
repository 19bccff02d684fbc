"""Agreement of any number of raters who need not have rated everything."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, IntArray, Rng, group, table
from personae.statistics._resampling import bootstrap_interval
from personae.statistics._results import Estimate, no_estimate

AlphaMetric: TypeAlias = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(
    ratings: ArrayLike,
    *,
    metric: AlphaMetric = "nominal",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    rng: Rng,
    draws: int = 2000,
) -> Estimate:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what raters with the same habits agree on by chance.

    Args:
        ratings: items × raters, numbers (codes of categories, or points of a scale); NaN is missing.
        metric: how far two ratings are apart: `nominal` (same or not), `ordinal` (by ranks) or `interval` (squared).
        clusters: unit of randomisation of each item, shape (items,); None: every item.
        level: confidence level of a percentile bootstrap over units.
        rng: generator or seed.
        draws: resamples.

    Returns:
        The estimate. `n` counts items with at least two ratings, `missing` those with fewer, which say nothing about
        agreement. When everybody gave one and the same rating, alpha is undefined: NaN with a reason.

    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability; items instead of pairs are redrawn.
    """
    values = table(ratings, "ratings")
    pairable = (~np.isnan(values)).sum(axis=1) >= 2
    lost = int((~pairable).sum())
    units = None if clusters is None else group(clusters, values.shape[0], "clusters").codes[pairable]
    kept = values[pairable]
    n, name = kept.shape[0], "percentile bootstrap"
    if n == 0:
        return no_estimate("no item was rated twice", level=level, method=name, n=0, clusters=0, missing=lost)
    points = np.unique(kept[~np.isnan(kept)])
    tables = np.stack([_coincidences(row, points) for row in kept])  # (items, points, points)

    def statistic(rows: IntArray) -> float:
        return _alpha(tables[rows].sum(axis=0), points, metric)

    found = bootstrap_interval(statistic, n, units, level=level, rng=rng, draws=draws)
    reason = "everybody gave one and the same rating" if math.isnan(found.value) else found.reason
    return Estimate(found.value, found.interval, found.n, found.clusters, lost, reason)


def _coincidences(row: FloatArray, points: FloatArray) -> FloatArray:
    """Pairs of ratings that one item got, each weighted by 1 / (ratings − 1), shape (points, points)."""
    counts = (row[:, None] == points[None, :]).sum(axis=0).astype(np.float64)
    return (np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1)


def _alpha(pairs: FloatArray, points: FloatArray, metric: AlphaMetric) -> float:
    totals = pairs.sum(axis=1)
    distance = _distance(points, totals, metric)
    expected = float(totals @ distance @ totals) / (float(totals.sum()) - 1)
    return math.nan if expected <= 0 else 1 - float((pairs * distance).sum()) / expected


def _distance(points: FloatArray, totals: FloatArray, metric: AlphaMetric) -> FloatArray:
    if metric == "nominal":
        return 1.0 - np.eye(points.size)
    if metric == "ordinal":
        ranks = np.cumsum(totals) - totals / 2  # ratings below, and half of those beside
        return np.subtract.outer(ranks, ranks) ** 2
    if metric == "interval":
        return np.subtract.outer(points, points) ** 2
    raise InputError(f"metric: got {metric!r}.", hint="Use nominal, ordinal or interval.")
