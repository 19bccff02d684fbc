"""How far the answers of one group lie from those of another, on an ordered scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, Rng, vector
from personae.statistics._distributions import earth_movers_distance, jensen_shannon_divergence
from personae.statistics._resampling import bootstrap_interval
from personae.statistics._results import Estimate

DISTANCES: Final[tuple[str, ...]] = (
    "ks", "wasserstein", "js_divergence", "js_distance", "mean_difference",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScaleDistances:
    """Distances of two distributions over the same ordered categories; 0 means equal.

    `ks` and both Jensen–Shannon values (base 2) run from 0 to 1; `wasserstein` and `mean_difference` are in units of
    the scale. `js_distance` is the square root of `js_divergence`.
    """

    ks: float
    wasserstein: float
    js_divergence: float
    js_distance: float
    mean_difference: float


def ks_statistic(p: ArrayLike, q: ArrayLike) -> float:
    """Largest difference of the cumulative shares of two distributions over ordered categories, 0 to 1.

    >>> ks_statistic([1, 1, 0], [0, 1, 1])
    0.5
    """
    a, b = vector(p, "p"), vector(q, "q")
    if a.size != b.size or min(a.size, float(a.sum()), float(b.sum())) <= 0 or (a < 0).any() or (b < 0).any():
        raise InputError(
            f"p and q: got {a.size} and {b.size} categories, or counts without a sum.",
            hint="Count both over the same list of categories.",
        )
    return float(np.abs(np.cumsum(a / a.sum() - b / b.sum())).max())


def scale_distances(p: ArrayLike, q: ArrayLike, positions: ArrayLike) -> ScaleDistances:
    """All distances between two counts (or shares) over categories that lie at `positions`.

    Args:
        p: counts or shares, shape (categories,).
        q: counts or shares over the same categories.
        positions: scale value of each category, increasing.

    Source: KS of the two empirical distribution functions; Wasserstein-1; Lin 1991 with base 2. Computed on category
    frequencies: binning whole-number answers into narrow bins, as the released DeepPersona code does, makes the
    Jensen–Shannon value depend on the bins.
    """
    where = vector(positions, "positions")
    a, b = vector(p, "p"), vector(q, "q")
    divergence = jensen_shannon_divergence(a, b)
    return ScaleDistances(
        ks=ks_statistic(a, b),
        wasserstein=earth_movers_distance(a, b, positions=where),
        js_divergence=divergence,
        js_distance=math.sqrt(divergence),
        mean_difference=abs(float(where @ (a / a.sum() - b / b.sum()))),
    )


def scale_distance_estimate(
    answers: ArrayLike, humans: ArrayLike, positions: ArrayLike, name: str, *, rng: Rng, draws: int = 500
) -> Estimate:
    """One distance of a group of respondents to human counts, with an interval from redrawing the respondents.

    Args:
        answers: shares each respondent puts on each category, shape (respondents, categories); one-hot for a plain
            answer, probabilities for an answer by option scores.
        humans: counts of the human answers, shape (categories,). They are taken as given: they are many.
        positions: scale value of each category, increasing.
        name: one of `DISTANCES`.
        rng: generator or seed.
        draws: resamples.

    Returns:
        The estimate; the bootstrap of a distance leans away from 0, because noise only adds to it.
    """
    if name not in DISTANCES:
        raise InputError(f"distance {name!r}.", hint=f"One of: {', '.join(DISTANCES)}.")
    table: FloatArray = np.asarray(answers, dtype=np.float64)
    if table.ndim != 2:
        raise InputError(f"answers: got shape {table.shape}, expected (respondents, categories).")

    def value(rows: np.ndarray) -> float:
        return float(getattr(scale_distances(table[rows].sum(axis=0), humans, positions), name))

    return bootstrap_interval(value, len(table), rng=rng, draws=draws)
