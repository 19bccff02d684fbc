"""Quantiles the intervals of this room share."""

from __future__ import annotations

import math

import numpy as np

from personae.statistics._arrays import FloatArray


def t_quantile(level: float, df: float) -> float:
    """Two-sided quantile of Student's t: the central `level` of it lies within ± this."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def normal_quantile(level: float) -> float:
    """Two-sided quantile of the standard normal."""
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def expanded_tail(level: float, units: int) -> float:
    """Share to cut off each end of a percentile bootstrap of `units` units.

    Resampling few units is too narrow by sqrt((n − 1)/n) and ignores the t tail; both are put back into the share.

    Source: Hesterberg 2015, "What teachers should know about the bootstrap", §5.3.
    """
    from scipy.special import ndtr

    return float(ndtr(-math.sqrt(units / (units - 1)) * t_quantile(level, units - 1)))


def tail_values(draws: FloatArray, tail: float) -> tuple[float, float]:
    """The order statistics of `draws` that leave a share `tail` outside at each end; they err outwards."""
    ordered = np.sort(draws)
    skip = max(0, math.floor((draws.size + 1) * tail) - 1)
    return float(ordered[skip]), float(ordered[draws.size - 1 - skip])
