"""Agreement of two raters and quality of a classifier."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, IntArray, check_level, group, midranks, same_length, vector
from personae.statistics._proportions import wilson_interval
from personae.statistics._quantiles import normal_quantile
from personae.statistics._resampling import leave_out_interval
from personae.statistics._results import Estimate, Interval, estimate, no_estimate

KappaWeights = Literal["none", "linear", "quadratic"]
Label = Hashable


@dataclass(frozen=True, slots=True)
class ClassifierScores:
    """Counts and rates of a yes/no classifier; a rate without cases is NaN and says so. `missing` = unlabelled rows."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    missing: int
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    accuracy: Estimate
    f1: Estimate


def cohen_kappa(
    a: Sequence[Label] | np.ndarray,
    b: Sequence[Label] | np.ndarray,
    *,
    weights: KappaWeights = "none",
    categories: Sequence[Label] | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Cohen's kappa of two raters.

    Args:
        a: one label per case; None or NaN is missing.
        b: the other rater's labels, case by case.
        weights: "linear" or "quadratic" give partial credit by distance in the order of `categories`.
        categories: all labels in their order; None: the labels seen, sorted.
        clusters: unit of randomisation of each case; the interval is then a jackknife over clusters.
        level: confidence level.

    Returns:
        The estimate. If both raters use one and the same label only, kappa is undefined: NaN with a reason.

    Source: Cohen 1960, 1968; Fleiss, Cohen & Everitt 1969 (large-sample variance).
    """
    check_level(level)
    first, second, names = _two_ratings(a, b, categories)
    seen = (first >= 0) & (second >= 0)
    n, lost, k = int(seen.sum()), int((~seen).sum()), len(names)
    x, y = first[seen], second[seen]
    units = n if clusters is None else group(group(clusters, seen.size, "clusters").codes[seen], n, "clusters").count
    name = "large-sample" if clusters is None else "jackknife t"
    credit = _credit(weights, k)
    counts = _cross(x, y, k)
    value = _kappa(counts, credit)
    if math.isnan(value):
        reason = "no case rated by both" if n == 0 else "both raters used one and the same label"
        return no_estimate(reason, level=level, method=name, n=n, clusters=units, missing=lost)
    if clusters is None:
        interval = _kappa_interval(value, counts / n, credit, n, level, name)
    elif units < 2:
        interval = Interval.missing(level, name, "one cluster: spread between units of randomisation is unknown")
    else:
        codes = group(group(clusters, seen.size, "clusters").codes[seen], n, "clusters").codes
        without = [_kappa(counts - _cross(x[codes == u], y[codes == u], k), credit) for u in range(units)]
        interval = _clipped(leave_out_interval(value, np.asarray(without), level, name), -1.0, 1.0)
    return estimate(value, interval, n=n, clusters=units, missing=lost)


def classifier_scores(
    labels: Sequence[Label] | np.ndarray,
    predictions: Sequence[Label] | np.ndarray,
    *,
    positive: Label = True,
    level: float = 0.95,
) -> ClassifierScores:
    """Precision, recall, specificity, accuracy and F1 with score intervals; cases must be independent.

    Args:
        labels: the truth, one per case; None or NaN is missing.
        predictions: the classifier's answers; None or NaN (no answer) is missing and counted, never wrong or right.
        positive: the label that counts as yes; everything else is no.
        level: confidence level.

    Source: Wilson 1927. F1 = 2J / (1 + J) with J = TP / (TP + FP + FN), a proportion: its interval is carried over.
    """
    truth, answer = list(labels), list(predictions)
    if len(truth) != len(answer):
        raise InputError(f"got {len(truth)} labels and {len(answer)} predictions.", hint="Pass one of each per case.")
    pairs = [(t == positive, p == positive) for t, p in zip(truth, answer, strict=True) if not (_none(t) or _none(p))]
    tp, fp, fn, tn = (pairs.count(cell) for cell in ((True, True), (False, True), (True, False), (False, False)))
    lost = len(truth) - len(pairs)

    def rate(hits: int, of: int, nothing: str) -> Estimate:
        if of == 0:
            return no_estimate(nothing, level=level, method="Wilson", n=0, clusters=0, missing=lost)
        return estimate(hits / of, wilson_interval(hits, of, level=level), n=of, clusters=of, missing=lost)

    overlap = rate(tp, tp + fp + fn, "no positive labels or predictions")
    ends = Interval(
        _f1(overlap.interval.low), _f1(overlap.interval.high), level, "Wilson on TP / (TP + FP + FN)", overlap.reason
    )
    return ClassifierScores(
        tp, fp, fn, tn, lost,
        precision=rate(tp, tp + fp, "no positive predictions"),
        recall=rate(tp, tp + fn, "no positive labels"),
        specificity=rate(tn, tn + fp, "no negative labels"),
        accuracy=rate(tp + tn, len(pairs), "no labelled cases"),
        f1=Estimate(_f1(overlap.value), ends, overlap.n, overlap.clusters, lost, overlap.reason),
    )  # fmt: skip


def auc(scores: ArrayLike, labels: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Chance that a positive case scores above a negative one (ties count half), with DeLong's interval on logits.

    Args:
        scores: numbers, shape (n,); NaN is missing.
        labels: 1 for positive, 0 for negative, NaN for missing, shape (n,).
        level: confidence level.

    Source: Mann & Whitney 1947; DeLong, DeLong & Clarke-Pearson 1988.
    """
    check_level(level)
    x, y = vector(scores, "scores"), vector(labels, "labels")
    same_length(x, y, "scores and labels")
    seen = ~(np.isnan(x) | np.isnan(y))
    if not np.isin(y[seen], (0.0, 1.0)).all():
        raise InputError("labels: expected only 0, 1 and missing.", hint="Mark positive cases with 1.")
    x, y, lost = x[seen], y[seen], int((~seen).sum())
    positive, negative, name = x[y == 1], x[y == 0], "DeLong on logits"
    p, q, n = positive.size, negative.size, x.size
    if min(p, q) == 0:
        reason = f"{p} positive and {q} negative cases: both are needed"
        return no_estimate(reason, level=level, method=name, n=n, clusters=n, missing=lost)
    ranks = midranks(np.concatenate([positive, negative]))
    above = (ranks[:p] - midranks(positive)) / q  # share of negatives below each positive
    below = 1 - (ranks[p:] - midranks(negative)) / p  # share of positives above each negative
    value = float(above.mean())
    if min(p, q) < 2:
        interval = Interval.missing(level, name, "one case of a kind: its spread is unknown")
    elif not 0 < value < 1:
        interval = Interval.missing(level, name, "perfect separation: the spread cannot be estimated")
    else:
        error = math.sqrt(float(above.var(ddof=1)) / p + float(below.var(ddof=1)) / q)
        half = normal_quantile(level) * error / (value * (1 - value))
        logit = math.log(value / (1 - value))
        if error == 0:
            interval = Interval.missing(level, name, "no variation: all scores are tied")
        else:
            interval = Interval(_logistic(logit - half), _logistic(logit + half), level, name)
    return estimate(value, interval, n=n, clusters=n, missing=lost)


def _two_ratings(
    a: Sequence[Label] | np.ndarray, b: Sequence[Label] | np.ndarray, categories: Sequence[Label] | None
) -> tuple[IntArray, IntArray, list[Label]]:
    first, second = list(a), list(b)
    if len(first) != len(second):
        raise InputError(f"got {len(first)} and {len(second)} ratings.", hint="Pass both raters' labels case by case.")
    known = {label for label in (*first, *second) if not _none(label)}
    if categories is None:
        try:
            names = sorted(known)  # pyright: ignore[reportArgumentType] - mixed labels are reported below
        except TypeError as error:
            raise InputError("labels of several kinds cannot be sorted.", hint="Pass categories=[…].") from error
    else:
        names = list(categories)
        strange = known - set(names)
        if strange:
            raise InputError(f"labels {sorted(map(str, strange))!r} are not among the categories {names!r}.")
    place = {label: i for i, label in enumerate(names)}
    one, two = (np.asarray([-1 if _none(v) else place[v] for v in side], dtype=np.intp) for side in (first, second))
    return one, two, names


def _credit(weights: KappaWeights, k: int) -> FloatArray:
    """Credit of each pair of categories, 1 on the diagonal, shape (k, k)."""
    if weights == "none" or k < 2:
        return np.eye(k)
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / (k - 1)
    return 1 - (distance if weights == "linear" else distance**2)


def _cross(x: IntArray, y: IntArray, k: int) -> FloatArray:
    return np.bincount(x * k + y, minlength=k * k).reshape(k, k).astype(np.float64)


def _kappa(counts: FloatArray, credit: FloatArray) -> float:
    n = float(counts.sum())
    if n == 0:
        return math.nan
    shares = counts / n
    chance = float(credit.ravel() @ np.outer(shares.sum(axis=1), shares.sum(axis=0)).ravel())
    return (float((credit * shares).sum()) - chance) / (1 - chance) if chance < 1 - 1e-12 else math.nan


def _kappa_interval(value: float, shares: FloatArray, credit: FloatArray, n: int, level: float, name: str) -> Interval:
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(rows @ credit @ columns)
    mean_credit = (credit @ columns)[:, None] + (rows @ credit)[None, :]
    spread = float((shares * (credit - mean_credit * (1 - value)) ** 2).sum()) - (value - chance * (1 - value)) ** 2
    if spread <= 1e-12:
        return Interval.missing(level, name, f"kappa of {value:.3g} on {n} cases leaves no spread to estimate from")
    half = normal_quantile(level) * math.sqrt(spread / n) / (1 - chance)
    return _clipped(Interval(value - half, value + half, level, name), -1.0, 1.0)


def _clipped(interval: Interval, low: float, high: float) -> Interval:
    if not interval.known:
        return interval
    return Interval(max(low, interval.low), min(high, interval.high), interval.level, interval.method)


def _none(label: Label) -> bool:
    return label is None or label != label  # noqa: PLR0124 - NaN is not equal to itself


def _f1(overlap: float) -> float:
    return 2 * overlap / (1 + overlap)


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0
