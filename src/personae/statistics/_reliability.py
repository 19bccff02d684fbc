"""Reliability of scales: how much of the spread of a sum of items is shared by the items."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, Rng, check_draws, check_level, generator, is_flat, table
from personae.statistics._correlation import correlation_interval
from personae.statistics._factor import OneFactor, fit_one_factor
from personae.statistics._quantiles import expanded_tail, tail_values
from personae.statistics._results import Estimate, Interval, estimate, no_estimate

Missing = Literal["listwise", "pairwise"]

_MIXED = 0.3
"""Loadings of opposite signs beyond this size mean that some items are keyed the other way."""

_LOST = 0.1
"""Share of resamples without a sound factor solution before omega's interval is withheld."""


@dataclass(frozen=True, slots=True)
class OmegaEstimate(Estimate):
    """Omega with the one-factor solution it rests on, in the order of the items (standardised, shape (items,))."""

    loadings: tuple[float, ...] = ()
    uniquenesses: tuple[float, ...] = ()
    converged: bool = False


def cronbach_alpha(items: ArrayLike, *, level: float = 0.95, missing: Missing = "listwise") -> Estimate:
    """Cronbach's alpha with Feldt's interval.

    Args:
        items: persons × items, all keyed in the same direction; NaN is missing.
        level: confidence level.
        missing: "listwise" uses complete persons; "pairwise" uses each covariance's complete pairs, and the smallest
            number of pairs for the interval.

    Returns:
        `n` = persons used, `missing` = persons with a gap under "listwise", empty cells under "pairwise". Negative
        alphas are reported as they are. No variation of the sum gives NaN.

    Source: Cronbach 1951; Feldt, Woodruff & Salih 1987 (interval, F with n − 1 and (n − 1)(k − 1) degrees of freedom).
    """
    check_level(level)
    data = _items(items)
    k, gaps = data.shape[1], np.isnan(data)
    if missing == "listwise":
        rows = data[~gaps.any(axis=1)]
        n, lost = rows.shape[0], int(gaps.any(axis=1).sum())
        covariance = np.cov(rows, rowvar=False) if n >= 2 else None
    else:
        n, lost = _fewest_pairs(data), int(gaps.sum())
        covariance = _pairwise_covariance(data) if n >= 2 else None
    if covariance is None:
        reason = f"{n} complete persons: at least 2 are needed"
        return no_estimate(reason, level=level, method="Feldt", n=n, clusters=n, missing=lost)
    total, own = float(covariance.sum()), float(np.trace(covariance))
    if total <= 1e-12 * max(1.0, own):
        reason = "the sum of the items does not vary over persons"
        return no_estimate(reason, level=level, method="Feldt", n=n, clusters=n, missing=lost)
    alpha = k / (k - 1) * (1 - own / total)
    return estimate(alpha, _feldt(alpha, n, k, level), n=n, clusters=n, missing=lost)


def mcdonald_omega(items: ArrayLike, *, level: float = 0.95, rng: Rng | None = None, draws: int = 200) -> OmegaEstimate:
    """McDonald's omega (total, one factor) from a maximum-likelihood solution.

    Args:
        items: persons × items (at least 3), all keyed in the same direction; persons with a NaN are left out.
        level: confidence level of the interval.
        rng: generator or seed for the interval, a percentile bootstrap over persons; None: no interval, and it says so.
        draws: resamples; each is one factor solution (a few milliseconds).

    Returns:
        NaN with a reason when the solution is unsound: too few persons, a constant item, a singular correlation
        matrix, no convergence, a Heywood case, or items keyed in opposite directions.

    Source: McDonald 1999 eq. 6.20; likelihood and gradient as in Jöreskog 1967.
    """
    check_level(level)
    data = _items(items)
    rows = data[~np.isnan(data).any(axis=1)]
    n, lost, name = rows.shape[0], data.shape[0] - rows.shape[0], "percentile bootstrap over persons"
    fit = _sound_factor(rows)
    if isinstance(fit, str):
        return OmegaEstimate(math.nan, Interval.missing(level, name, fit), n, n, lost, fit)
    if rng is None:
        interval = Interval.missing(level, name, "no interval: pass rng to draw one")
    else:
        check_draws(draws)
        interval = _omega_interval(rows, level, name, generator(rng, "mcdonald_omega"), draws)
    return OmegaEstimate(
        _omega(fit, rows), interval, n, n, lost, interval.reason,
        loadings=tuple(map(float, fit.loadings)), uniquenesses=tuple(map(float, fit.uniquenesses)), converged=True,
    )  # fmt: skip


def split_half(items: ArrayLike, *, first_half: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Correlation of two half sums, stepped up to full length.

    Args:
        items: persons × items; persons with a NaN are left out.
        first_half: booleans, shape (items,), True for the items of the first half; None: odd against even positions.
        level: confidence level; Fisher's interval of the correlation is stepped up.

    Source: Spearman 1910; Brown 1910.
    """
    data = _items(items)
    count = data.shape[1]
    mask = np.arange(count) % 2 == 0 if first_half is None else np.asarray(first_half, dtype=bool)
    if mask.shape != (count,) or mask.all() or not mask.any():
        raise InputError(
            f"first_half: expected {count} booleans with both values among them.", hint="Mark the first half with True."
        )
    rows = data[~np.isnan(data).any(axis=1)]
    lost = data.shape[0] - rows.shape[0]
    halves = correlation_interval(rows[:, mask].sum(axis=1), rows[:, ~mask].sum(axis=1), level=level)
    method = "Fisher, stepped up"
    if math.isnan(halves.value):
        reason = "a half sum does not vary over persons" if rows.shape[0] else "no complete persons"
        return no_estimate(reason, level=level, method=method, n=halves.n, clusters=halves.n, missing=lost)
    low, high = (spearman_brown(end) for end in (halves.interval.low, halves.interval.high))
    interval = Interval(low, high, level, method, halves.interval.reason)
    return estimate(spearman_brown(halves.value), interval, n=halves.n, clusters=halves.n, missing=lost)


def spearman_brown(reliability: float, factor: float = 2.0) -> float:
    """Reliability of a test made `factor` times as long; NaN where the formula has a pole.

    >>> spearman_brown(0.5)
    0.6666666666666666
    """
    bottom = 1 + (factor - 1) * reliability
    return factor * reliability / bottom if bottom > 0 else math.nan


def _items(items: ArrayLike) -> FloatArray:
    data = table(items, "items")
    if data.shape[1] < 2:
        raise InputError(f"items: got {data.shape[1]} columns, expected persons × items.", hint="At least 2 items.")
    return data


def _feldt(alpha: float, n: int, k: int, level: float) -> Interval:
    from scipy.special import fdtri

    if alpha >= 1 - 1e-12:
        return Interval.missing(level, "Feldt", "the items agree perfectly: no spread to estimate from")
    low_df, high_df = n - 1, (n - 1) * (k - 1)
    upper, lower = (float(fdtri(low_df, high_df, share)) for share in ((1 + level) / 2, (1 - level) / 2))
    return Interval(1 - (1 - alpha) * upper, 1 - (1 - alpha) * lower, level, "Feldt")


def _fewest_pairs(data: FloatArray) -> int:
    seen = (~np.isnan(data)).astype(np.float64)
    return int((seen.T @ seen).min())


def _pairwise_covariance(data: FloatArray) -> FloatArray:
    """Each covariance from its own complete pairs, with the means of those pairs."""
    seen = (~np.isnan(data)).astype(np.float64)
    filled = np.where(np.isnan(data), 0.0, data - np.nanmean(data, axis=0))
    pairs = seen.T @ seen
    sums = filled.T @ seen  # sum of item i over the pairs with item j
    return (filled.T @ filled - sums * sums.T / pairs) / (pairs - 1)


def _sound_factor(rows: FloatArray) -> OneFactor | str:
    """The one-factor solution, or why it cannot be trusted."""
    n, k = rows.shape
    if k < 3:
        return f"{k} items: one factor is identified from 3 items on"
    if n <= k:
        return f"{n} complete persons for {k} items: more persons than items are needed"
    constant = [i for i in range(k) if is_flat(rows[:, i])]
    if constant:
        return f"items {constant} do not vary"
    fit = fit_one_factor(np.atleast_2d(np.corrcoef(rows, rowvar=False)))
    if isinstance(fit, str):
        return fit
    signs = [i for i, loading in enumerate(fit.loadings) if loading < -_MIXED]
    if signs and (fit.loadings > _MIXED).any():
        return f"items {signs} load against the others: key all items in the same direction"
    return fit


def _omega(fit: OneFactor, rows: FloatArray) -> float:
    spread = rows.std(axis=0, ddof=1)
    shared = float((fit.loadings * spread).sum()) ** 2
    return shared / (shared + float((fit.uniquenesses * spread**2).sum()))


def _omega_interval(rows: FloatArray, level: float, name: str, rng: np.random.Generator, draws: int) -> Interval:
    n = rows.shape[0]
    values: list[float] = []
    for _ in range(draws):
        drawn = rows[rng.integers(0, n, n)]
        fit = _sound_factor(drawn)
        if not isinstance(fit, str):
            values.append(_omega(fit, drawn))
    if len(values) < (1 - _LOST) * draws:
        lost = draws - len(values)
        return Interval.missing(level, name, f"{lost} of {draws} resamples had no sound factor solution")
    low, high = tail_values(np.asarray(values), expanded_tail(level, n))
    return Interval(low, high, level, name)
