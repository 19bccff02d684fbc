"""Is a query matched with its own candidate? Accuracy and reciprocal rank of a score table with known partners."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, IntArray, Rng, check_level, table
from personae.statistics._means import mean_interval
from personae.statistics._proportions import proportion_interval
from personae.statistics._resampling import bootstrap_interval
from personae.statistics._results import Estimate
from personae.statistics._retrieval import RetrievalEstimate


def matching_accuracy(scores: ArrayLike, partner: ArrayLike, *, k: int = 1, level: float = 0.95) -> RetrievalEstimate:
    """Share of queries whose partner is among the k best candidates.

    Args:
        scores: query × candidate, larger is closer, no NaN.
        partner: column of each query's own candidate, shape (queries,).
        k: how many candidates are looked at.
        level: confidence level; each query is a unit of randomisation.

    Returns:
        Ties count by the chance that a random order puts the partner among the k, so constant scores give chance
        (k / candidates).
    """
    check_level(level)
    values, own = _table(scores, partner)
    candidates = values.shape[1]
    if not 1 <= k <= candidates:
        raise InputError(f"k: got {k!r}, expected 1 to {candidates} candidates.")
    above, tied = _rivals(values, own)
    hits = np.clip((k - above) / (tied + 1.0), 0.0, 1.0)
    whole = bool(np.isin(hits, (0.0, 1.0)).all())
    mean = proportion_interval(hits, level=level) if whole else mean_interval(hits, level=level)
    return RetrievalEstimate(
        mean.value, mean.interval, mean.n, mean.clusters, mean.missing, mean.reason,
        chance=k / candidates, scores=tuple(map(float, hits)),
    )  # fmt: skip


def mean_reciprocal_rank(scores: ArrayLike, partner: ArrayLike, *, rng: Rng, level: float = 0.95) -> Estimate:
    """Mean of 1 / rank of each query's partner, from 1 / candidates to 1; interval by bootstrap over queries.

    Tied candidates share their ranks: the reciprocal is averaged over them.

    Args:
        scores: query × candidate, larger is closer, no NaN.
        partner: column of each query's own candidate, shape (queries,).
        rng: generator or seed.
        level: confidence level.
    """
    values, own = _table(scores, partner)
    above, tied = _rivals(values, own)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, values.shape[1] + 1))])
    reciprocal = (harmonic[above + tied + 1] - harmonic[above]) / (tied + 1)
    return bootstrap_interval(lambda rows: float(reciprocal[rows].mean()), len(reciprocal), level=level, rng=rng)


def _table(scores: ArrayLike, partner: ArrayLike) -> tuple[FloatArray, IntArray]:
    values = table(scores, "scores")
    own = np.asarray(partner, dtype=np.intp)
    if own.shape != (values.shape[0],) or (own < 0).any() or (own >= values.shape[1]).any():
        raise InputError(
            f"partner: expected one column (0 to {values.shape[1] - 1}) for each of {values.shape[0]} rows."
        )
    if np.isnan(values).any():
        raise InputError("scores: holds NaN.", hint="Leave out queries that could not be scored.")
    return values, own


def _rivals(values: FloatArray, own: IntArray) -> tuple[IntArray, IntArray]:
    """How many candidates stand above each query's partner, and how many beside it."""
    mine = values[np.arange(len(own)), own][:, None]
    return (values > mine).sum(axis=1), (values == mine).sum(axis=1) - 1
