"""Do items of the same label lie together? Retrieval and geometry from similarities and distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, Groups, check_level, group, table
from personae.statistics._means import mean_interval
from personae.statistics._proportions import proportion_interval
from personae.statistics._results import Estimate


@dataclass(frozen=True, slots=True)
class RetrievalEstimate(Estimate):
    """Share of queries answered, the share that chance gives on the same labels, and each query's own score."""

    chance: float = math.nan
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SilhouetteEstimate(Estimate):
    """Mean silhouette width and each item's own (NaN for an item without company), in the order given."""

    widths: tuple[float, ...] = ()


def top_k_accuracy(similarity: ArrayLike, labels: ArrayLike, *, k: int = 1, level: float = 0.95) -> RetrievalEstimate:
    """Leave-one-out retrieval: is an item of the same label among the k most similar other items?

    Args:
        similarity: item × item, larger is closer, no NaN; the diagonal is not used.
        labels: one label per item, shape (n,).
        k: how many neighbours are looked at.
        level: confidence level; labels are the clusters of a `proportion_interval` (of a `mean_interval` under ties).

    Returns:
        Mean over items that have a companion; the others are `missing`. Ties in similarity count by the chance that a
        random order of the tied items puts a companion among the k, so constant similarities score chance.
    """
    check_level(level)
    near, groups = _square(similarity, labels, "similarity")
    n = groups.codes.size
    if k < 1:
        raise InputError(f"k: got {k!r}, expected at least 1 neighbour.", hint="Use 1 or 10.")
    same = groups.codes[:, None] == groups.codes[None, :]
    others = ~np.eye(n, dtype=bool)
    near = np.where(others, near, -np.inf)
    companions = same.sum(axis=1) - 1
    alone = companions == 0
    if k >= n - 1:
        scores = np.ones(n)
    else:
        cut = np.partition(near, n - k, axis=1)[:, n - k, None]
        above, tied = near > cut, (near == cut) & others
        sure = (above & same).any(axis=1)
        places, pool = k - above.sum(axis=1), tied.sum(axis=1)
        scores = np.where(sure, 1.0, 1 - _chance_of_none(pool, (tied & same).sum(axis=1), places))
    chance = 1 - _chance_of_none(np.full(n, n - 1), companions, np.full(n, min(k, n - 1)))
    scores = np.where(alone, np.nan, scores)
    whole = bool(np.isin(scores[~alone], (0.0, 1.0)).all())  # without ties every score is a yes or a no
    mean = (
        proportion_interval(scores, groups.codes, level=level)
        if whole
        else mean_interval(scores, groups.codes, level=level, weighting="observations")
    )
    return RetrievalEstimate(
        mean.value, mean.interval, mean.n, mean.clusters, mean.missing, mean.reason,
        chance=math.nan if alone.all() else float(chance[~alone].mean()), scores=tuple(map(float, scores)),
    )  # fmt: skip


def silhouette(distances: ArrayLike, labels: ArrayLike, *, level: float = 0.95) -> SilhouetteEstimate:
    """Mean silhouette width: (b − a) / max(a, b), from −1 (among strangers) to 1 (well apart).

    Args:
        distances: item × item, at least 0, no NaN; the diagonal is not used.
        labels: one label per item, shape (n,); at least two different ones.
        level: confidence level; t over labels with the cluster variance of `mean_interval`.

    Returns:
        a = mean distance to companions, b = smallest mean distance to another label. An item without companions has
        no width and counts as missing (the original gives it 0); so does one at distance 0 to everything.

    Source: Rousseeuw 1987.
    """
    check_level(level)
    far, groups = _square(distances, labels, "distances")
    if (far < 0).any():
        raise InputError("distances: holds negative values.", hint="Turn similarities s into distances, such as 1 − s.")
    if groups.count < 2:
        raise InputError("labels: only one label, so nothing lies apart.", hint="Pass items of at least two labels.")
    n, rows = groups.codes.size, np.arange(groups.codes.size)
    member = np.zeros((n, groups.count))
    member[rows, groups.codes] = 1.0
    sizes = member.sum(axis=0)
    sums = np.where(np.eye(n, dtype=bool), 0.0, far) @ member  # (n, labels)
    company = sizes[groups.codes] - 1
    inside = sums[rows, groups.codes] / np.maximum(company, 1)
    means = sums / sizes
    means[rows, groups.codes] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    sound = (company > 0) & (larger > 0)
    widths = np.where(sound, (outside - inside) / np.where(larger > 0, larger, 1.0), np.nan)
    mean = mean_interval(widths, groups.codes, level=level, weighting="observations")
    return SilhouetteEstimate(
        mean.value, mean.interval, mean.n, mean.clusters, mean.missing, mean.reason, widths=tuple(map(float, widths))
    )


def _square(matrix: ArrayLike, labels: ArrayLike, name: str) -> tuple[FloatArray, Groups]:
    values = table(matrix, name)
    n = values.shape[0]
    if values.shape != (n, n) or n < 2:
        raise InputError(f"{name}: got shape {values.shape}, expected items × items.", hint="At least 2 items.")
    if np.isnan(values[~np.eye(n, dtype=bool)]).any():
        raise InputError(f"{name}: holds NaN outside the diagonal.", hint="Leave out items without a vector.")
    return values, group(labels, n, "labels")


def _chance_of_none(pool: np.ndarray, good: np.ndarray, places: np.ndarray) -> FloatArray:
    """Chance that none of `good` items is among `places` drawn from `pool` without replacement, elementwise."""
    from scipy.special import gammaln

    bad = pool - good
    possible = (bad >= places) & (places > 0)
    b, p, d = np.where(possible, bad, 0), np.where(possible, pool, 0), np.where(possible, places, 0)
    log = gammaln(b + 1.0) - gammaln(b - d + 1.0) - gammaln(p + 1.0) + gammaln(p - d + 1.0)
    return np.where(possible, np.exp(log), np.where(places > 0, 0.0, 1.0))
