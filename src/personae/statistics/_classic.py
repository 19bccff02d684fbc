"""Tests by formula, and corrections for testing many times."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, is_flat, vector
from personae.statistics._means import cluster_means
from personae.statistics._results import Alternative, TestResult


def exact_mcnemar(b: int, c: int, *, alternative: Alternative = "two-sided") -> TestResult:
    """Exact test of paired yes/no outcomes from the two discordant counts.

    Args:
        b: pairs with yes only under the first condition.
        c: pairs with yes only under the second.
        alternative: "greater" speaks for more b than c.

    Returns:
        Statistic = b, n = b + c. Without discordant pairs p = 1: the data hold nothing against the null.

    Source: McNemar 1947, binomial form.

    >>> exact_mcnemar(1, 9).p
    0.021484375
    """
    from scipy.special import bdtr

    if b < 0 or c < 0 or int(b) != b or int(c) != c:
        raise InputError(f"got discordant counts {b!r} and {c!r}.", hint="Both must be whole numbers of at least 0.")
    n = int(b + c)
    reason = None if n else "no discordant pairs"
    at_most = float(bdtr(int(b), n, 0.5)) if n else 1.0
    at_least = float(bdtr(int(c), n, 0.5)) if n else 1.0  # symmetric: P(X ≥ b) = P(X ≤ c)
    tails = {"less": at_most, "greater": at_least, "two-sided": min(1.0, 2 * min(at_most, at_least))}
    return TestResult(float(b), tails[alternative], n, "exact McNemar", alternative, reason=reason)


def welch_t_test(
    a: ArrayLike,
    b: ArrayLike,
    clusters_a: ArrayLike | None = None,
    clusters_b: ArrayLike | None = None,
    *,
    alternative: Alternative = "two-sided",
) -> TestResult:
    """Two independent samples, unequal spreads allowed.

    Args:
        a: numbers, shape (n,); NaN is missing.
        b: numbers, shape (m,).
        clusters_a: unit of randomisation of each value of `a`; cluster means are compared.
        clusters_b: the same for `b`.
        alternative: sign of mean(a) − mean(b) that speaks against the null.

    Returns:
        Statistic = t, n = units in both samples. Fewer than two units in a sample, or no spread, give p = NaN.

    Source: Welch 1947.
    """
    from scipy.special import stdtr

    first, second = cluster_means(a, clusters_a), cluster_means(b, clusters_b)
    n, m, missing = int(first.means.size), int(second.means.size), first.missing + second.missing
    reason = None
    if min(n, m) < 2:
        reason = f"{n} and {m} units: at least 2 in each sample are needed"
    elif is_flat(first.means) and is_flat(second.means):
        reason = "no variation inside either sample"
    if reason:
        return TestResult(math.nan, math.nan, n + m, "Welch t", alternative, missing=missing, reason=reason)
    va, vb = float(first.means.var(ddof=1)) / n, float(second.means.var(ddof=1)) / m
    t = float(first.means.mean() - second.means.mean()) / math.sqrt(va + vb)
    df = (va + vb) ** 2 / (va**2 / (n - 1) + vb**2 / (m - 1))
    tails = {"less": stdtr(df, t), "greater": stdtr(df, -t), "two-sided": 2 * stdtr(df, -abs(t))}
    return TestResult(t, float(tails[alternative]), n + m, "Welch t", alternative, df=df, missing=missing)


def holm(p: ArrayLike) -> FloatArray:
    """Holm's adjusted p-values, in the order given: reject those ≤ alpha to keep the family-wise error at alpha.

    NaN (a test that could not be made) stays NaN and does not count as a test.

    Source: Holm 1979.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    count = int((~np.isnan(values)).sum())  # NaN sorts last
    scaled = values[order[:count]] * np.arange(count, 0, -1)
    return _placed(np.maximum.accumulate(scaled), order[:count], values.size)


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    """Benjamini–Hochberg adjusted p-values, in the order given: reject those ≤ q to keep the false discoveries at q.

    NaN stays NaN and does not count as a test. Valid for independent or positively dependent tests.

    Source: Benjamini & Hochberg 1995.
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    count = int((~np.isnan(values)).sum())
    scaled = values[order[:count]] * count / np.arange(1, count + 1)
    return _placed(np.minimum.accumulate(scaled[::-1])[::-1], order[:count], values.size)


def _p_values(p: ArrayLike) -> FloatArray:
    values = vector(p, "p")
    known = values[~np.isnan(values)]
    if ((known < 0) | (known > 1)).any():
        raise InputError(f"p: holds values outside 0 to 1 ({known.min():g} to {known.max():g}).", hint="Pass p-values.")
    return values


def _placed(adjusted: FloatArray, order: np.ndarray, size: int) -> FloatArray:
    out = np.full(size, np.nan)
    out[order] = np.minimum(adjusted, 1.0)
    return out
