"""Tests by re-randomisation: what was assigned by chance is assigned again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import (
    FloatArray,
    IntArray,
    Rng,
    check_draws,
    chunks,
    generator,
    group,
    is_flat,
    midranks,
    numbers,
    same_length,
    vector,
)
from personae.statistics._correlation import CorrelationKind
from personae.statistics._means import cluster_means
from personae.statistics._results import Alternative, TestResult

_TIE = 1e-10
"""Statistics closer than this share of their scale count as equal: sums in another order differ by rounding."""


def sign_flip_test(
    differences: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    alternative: Alternative = "two-sided",
    rng: Rng | None = None,
    draws: int = 2000,
    exact_up_to: int = 16,
) -> TestResult:
    """Paired randomisation test: under the null each unit's difference could as well have the other sign.

    Args:
        differences: paired differences, shape (n,); NaN is missing.
        clusters: unit of randomisation of each difference; signs are flipped for the means of whole clusters.
        alternative: sign of the mean difference that speaks against the null.
        rng: generator or seed; needed beyond `exact_up_to` non-zero differences.
        draws: random sign vectors; the observed one is counted too.
        exact_up_to: with at most this many non-zero differences all sign vectors are enumerated.

    Returns:
        Statistic = mean difference over units. No observed value gives p = NaN.

    Source: Fisher 1935; Phipson & Smyth 2010 for (1 + k) / (1 + draws).
    """
    check_draws(draws)
    data = cluster_means(differences, clusters)
    n = int(data.means.size)
    if n == 0:
        return _no_test("sign flip", alternative, data.missing, "no observed differences")
    moving = data.means[data.means != 0]  # flipping a zero changes nothing
    total = float(moving.sum())
    exact = moving.size <= exact_up_to
    if exact:
        sums = np.zeros(1)
        for value in moving:
            sums = np.concatenate([sums + value, sums - value])
    else:
        sums = _flipped_sums(moving, generator(rng, "sign_flip_test"), draws)
    hits = _hits(sums, total, float(np.abs(moving).sum()), alternative)
    p = hits / sums.size if exact else (1 + hits) / (1 + draws)
    return TestResult(
        total / n, p, n, "exact sign flip" if exact else "Monte Carlo sign flip", alternative,
        draws=None if exact else draws, missing=data.missing,
    )  # fmt: skip


def permutation_test_correlation(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    strata: ArrayLike | None = None,
    kind: CorrelationKind = "pearson",
    alternative: Alternative = "two-sided",
    rng: Rng,
    draws: int = 2000,
) -> TestResult:
    """Test of a correlation by reassigning `y` to `x`.

    Args:
        x: numbers, shape (n,); without groups a pair with a NaN is missing and left out.
        y: numbers, shape (n,).
        groups: unit of randomisation of each row. The rows of a group change places as one block, in their order, so
            each group needs the same number of rows (for instance one row per trait, in the same order) and no gaps.
        strata: label of each row; units are exchanged only within their stratum. Constant within a group.
        kind: "pearson" or "spearman".
        alternative: sign of the correlation that speaks against the null; "two-sided" measures from the exact mean of
            the permutation distribution, which is not 0 when blocks or strata differ in level.
        rng: generator or seed.
        draws: random permutations; the observed one is counted too.

    Returns:
        Statistic = correlation over all rows; n = units exchanged. A constant side gives p = NaN and says so.
    """
    check_draws(draws)
    a, b = vector(x, "x"), vector(y, "y")
    same_length(a, b, "x and y")
    seen = ~(np.isnan(a) | np.isnan(b))
    missing = int((~seen).sum())
    if groups is not None and missing:
        raise InputError(
            f"groups move as whole blocks, but {missing} pairs are missing.", hint="Drop incomplete groups first."
        )
    a, b = a[seen], b[seen]
    layers = group(strata, seen.size, "strata").codes[seen] if strata is not None else None
    name = f"permutation of {kind} correlation"
    if a.size < 2 or is_flat(a) or is_flat(b):
        reason = "fewer than two complete pairs" if a.size < 2 else "x or y does not vary"
        return _no_test(name, alternative, missing, reason)
    if kind == "spearman":
        a, b = midranks(a), midranks(b)
    a, b = a - a.mean(), b - b.mean()
    order, units = _blocks(groups, a.size)
    u, v = a[order].reshape(units, -1), b[order].reshape(units, -1)
    layer = _block_strata(layers, order, units)
    scale = math.sqrt(float(a @ a) * float(b @ b))
    observed = float((u * v).sum()) / scale
    centre = _permutation_mean(u, v, layer) / scale if alternative == "two-sided" else 0.0
    source, hits = generator(rng, "permutation_test_correlation"), 0
    for size in chunks(draws, a.size):
        values = v[_permutations(source, units, size, layer)].reshape(size, -1) @ u.ravel() / scale
        hits += _hits(values - centre, observed - centre, 1.0, alternative)
    return TestResult(observed, (1 + hits) / (1 + draws), units, name, alternative, draws=draws, missing=missing)


def permutation_test(
    statistic: Callable[[FloatArray, FloatArray], float],
    x: ArrayLike,
    y: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    alternative: Alternative = "two-sided",
    rng: Rng,
    draws: int = 2000,
) -> TestResult:
    """Test of any statistic of two paired tables by reassigning the rows of `y` to those of `x`.

    Args:
        statistic: called as statistic(x, y) with y's rows in another order; NaN is not allowed.
        x: numbers, shape (units, …).
        y: numbers, shape (units, …).
        strata: label of each unit; units are exchanged only within their stratum.
        alternative: "two-sided" doubles the smaller tail, so the statistic needs no symmetry.
        rng: generator or seed.
        draws: random permutations; the statistic is called this many times.

    Raises:
        InputError: the statistic was NaN, on the data or on a permutation.
    """
    check_draws(draws)
    a, b = numbers(x, "x"), numbers(y, "y")
    same_length(a, b, "x and y")
    n = a.shape[0]
    layer = group(strata, n, "strata").codes if strata is not None else None
    observed = float(statistic(a, b))
    source = generator(rng, "permutation_test")
    orders = (row for size in chunks(draws, n) for row in _permutations(source, n, size, layer))
    values = np.asarray([float(statistic(a, b[order])) for order in orders])
    if math.isnan(observed) or np.isnan(values).any():
        raise InputError("permutation_test: the statistic gave NaN.", hint="Leave out missing rows before the test.")
    scale = max(abs(observed), float(np.abs(values).max()), 1e-300)
    return TestResult(
        observed, _tail_p(values, observed, scale, alternative), n, "permutation", alternative, draws=draws
    )


def permutation_test_two_sample(
    a: ArrayLike,
    b: ArrayLike,
    clusters_a: ArrayLike | None = None,
    clusters_b: ArrayLike | None = None,
    *,
    statistic: Literal["welch", "mean"] = "welch",
    alternative: Alternative = "two-sided",
    rng: Rng,
    draws: int = 2000,
) -> TestResult:
    """Test of two independent samples by reassigning units to samples.

    Args:
        a: numbers, shape (n,); NaN is missing.
        b: numbers, shape (m,).
        clusters_a: unit of randomisation of each value of `a`; means of whole clusters are compared.
        clusters_b: the same for `b`. A unit belongs to one sample; the labels of the two are never matched.
        statistic: "welch" compares t statistics, which stays near its level when the spreads differ; "mean" compares
            differences of means and is exact when only the assignment is random.
        alternative: sign of mean(a) − mean(b) that speaks against the null.
        rng: generator or seed.
        draws: random assignments; the observed one is counted too.

    Source: Janssen 1997 (studentised permutation).
    """
    check_draws(draws)
    first, second = cluster_means(a, clusters_a), cluster_means(b, clusters_b)
    n, m = int(first.means.size), int(second.means.size)
    missing, name = first.missing + second.missing, f"two-sample permutation ({statistic})"
    if min(n, m) < 2:
        return _no_test(name, alternative, missing, f"{n} and {m} units: at least 2 in each sample are needed")
    pooled = np.concatenate([first.means, second.means])
    if is_flat(pooled):
        return _no_test(name, alternative, missing, "no variation: all units have the same value")
    pooled = pooled - pooled.mean()
    measure = _welch if statistic == "welch" else _mean_difference
    observed = float(measure(pooled[None, :], n)[0])
    source, above, below = generator(rng, "permutation_test_two_sample"), 0, 0
    for size in chunks(draws, n + m):
        values = measure(source.permuted(np.tile(pooled, (size, 1)), axis=1), n)
        slack = _TIE * (abs(observed) if math.isfinite(observed) else 0.0)
        above += int((values >= observed - slack).sum())
        below += int((values <= observed + slack).sum())
    tails = {"greater": above, "less": below, "two-sided": min(above, below)}
    p = (1 + tails[alternative]) / (1 + draws)
    p = min(1.0, 2 * p) if alternative == "two-sided" else p
    return TestResult(observed, p, n + m, name, alternative, draws=draws, missing=missing)


def _mean_difference(rows: FloatArray, n: int) -> FloatArray:
    return rows[:, :n].mean(axis=1) - rows[:, n:].mean(axis=1)


def _welch(rows: FloatArray, n: int) -> FloatArray:
    """Welch's t of each row; without any spread inside the samples it is ±inf, or 0 for equal means."""
    a, b = rows[:, :n], rows[:, n:]
    shift = a.mean(axis=1) - b.mean(axis=1)
    error = np.sqrt(a.var(axis=1, ddof=1) / a.shape[1] + b.var(axis=1, ddof=1) / b.shape[1])
    flat = error <= _TIE * np.abs(rows).max(axis=1)
    limit = np.where(np.abs(shift) <= _TIE * np.abs(rows).max(axis=1), 0.0, np.copysign(np.inf, shift))
    return np.where(flat, limit, shift / np.where(flat, 1.0, error))


def _flipped_sums(values: FloatArray, rng: np.random.Generator, draws: int) -> FloatArray:
    """Sums of `values` under random signs, shape (draws,): one random bit per value."""
    width = -(-values.size // 8)
    sums: list[FloatArray] = []
    for size in chunks(draws, values.size):
        raw = np.frombuffer(rng.bytes(size * width), dtype=np.uint8).reshape(size, width)
        bits = np.unpackbits(raw, axis=1, count=values.size)
        sums.append(2 * (bits.astype(np.float64) @ values) - values.sum())
    return np.concatenate(sums)


def _hits(values: FloatArray, observed: float, scale: float, alternative: Alternative) -> int:
    """How many `values` speak against the null at least as loudly as `observed`."""
    slack = _TIE * scale
    if alternative == "two-sided":
        return int((np.abs(values) >= abs(observed) - slack).sum())
    return int((values >= observed - slack).sum() if alternative == "greater" else (values <= observed + slack).sum())


def _tail_p(values: FloatArray, observed: float, scale: float, alternative: Alternative) -> float:
    if alternative != "two-sided":
        return (1 + _hits(values, observed, scale, alternative)) / (1 + values.size)
    rarer = min(_hits(values, observed, scale, "greater"), _hits(values, observed, scale, "less"))
    return min(1.0, 2 * (1 + rarer) / (1 + values.size))


def _permutations(rng: np.random.Generator, n: int, draws: int, strata: IntArray | None) -> IntArray:
    """Random orders of n units, shape (draws, n); with strata each unit takes the place of one of its stratum."""
    rows = np.broadcast_to(np.arange(n, dtype=np.intp), (draws, n))
    if strata is None:
        return rng.permuted(rows, axis=1)
    out = np.empty((draws, n), dtype=np.intp)
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        out[:, places] = rng.permuted(np.broadcast_to(places, (draws, places.size)), axis=1)
    return out


def _blocks(groups: ArrayLike | None, n: int) -> tuple[IntArray, int]:
    """Order of rows that puts the rows of each group together, and the number of groups."""
    if groups is None:
        return np.arange(n, dtype=np.intp), n
    units = group(groups, n, "groups")
    sizes = np.bincount(units.codes)
    if (sizes != sizes[0]).any():
        raise InputError(
            f"groups: blocks have {sizes.min()} to {sizes.max()} rows, expected the same number in each.",
            hint="Drop incomplete groups, or test one row per group.",
        )
    return np.argsort(units.codes, kind="stable").astype(np.intp, copy=False), units.count


def _block_strata(strata: IntArray | None, order: IntArray, units: int) -> IntArray | None:
    if strata is None:
        return None
    laid = strata[order].reshape(units, -1)
    if (laid != laid[:, :1]).any():
        raise InputError("strata: differ within a group.", hint="Give every row of a group the same stratum.")
    return laid[:, 0]


def _permutation_mean(u: FloatArray, v: FloatArray, strata: IntArray | None) -> float:
    """Mean over all permutations of Σ u · permuted v."""
    layers = [slice(None)] if strata is None else [strata == layer for layer in np.unique(strata)]
    return sum(float(u[part].sum(axis=0) @ v[part].mean(axis=0)) for part in layers)


def _no_test(method: str, alternative: Alternative, missing: int, reason: str) -> TestResult:
    return TestResult(math.nan, math.nan, 0, method, alternative, missing=missing, reason=reason)
