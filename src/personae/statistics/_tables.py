"""Tables of counts: how far one is from another, and how strongly two labels go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.statistics._arrays import FloatArray, numbers, table


def total_absolute_error(found: ArrayLike, expected: ArrayLike) -> float:
    """Sum of absolute differences of two tables of counts of one shape (TAE); 0 is a perfect fit.

    Source: Voas and Williamson (2001). A person in the wrong cell counts twice: missing here, too many there.

    >>> total_absolute_error([8, 2], [7, 3])
    2.0
    """
    f, e = _pair(found, expected)
    return float(np.abs(f - e).sum())


def srmse(found: ArrayLike, expected: ArrayLike) -> float:
    """Standardised root mean squared error: root mean squared difference of cells over the mean expected cell.

    0 is a perfect fit; NaN when nothing is expected. Shares and counts give the same value when both tables have the
    same total. Source: Knudsen and Fotheringham (1986); used for populations by Pritchard and Miller (2009).

    >>> srmse([3, 1], [2, 2])
    0.5
    """
    f, e = _pair(found, expected)
    mean = float(e.mean())
    return float(np.sqrt(((f - e) ** 2).mean()) / mean) if mean > 0 else float("nan")


def cell_z(found: ArrayLike, shares: ArrayLike) -> FloatArray:
    """Per cell, (found share - expected share) in standard errors of a simple random sample of the found people.

    A cell of which nobody is expected is 0 when it is empty and infinite when it is not.
    Source: Voas and Williamson (2001), the unmodified Z with the expected proportion in its variance.

    Args:
        found: counts.
        shares: expected shares, the same shape; scaled to sum to 1.
    """
    f, e = _pair(found, shares)
    n = float(f.sum())
    if n <= 0 or e.sum() <= 0:
        return np.full(f.shape, np.nan)
    p, t = f / n, e / e.sum()
    error = np.sqrt(t * (1 - t) / n)
    out = np.divide(p - t, error, out=np.zeros_like(p), where=error > 0)
    certain = (error == 0) & (np.abs(p - t) > 1e-12)
    out[certain] = np.sign(p - t)[certain] * np.inf
    return out


def max_cell_z(found: ArrayLike, shares: ArrayLike) -> float:
    """The largest absolute `cell_z`; NaN without people."""
    return float(np.abs(cell_z(found, shares)).max(initial=0.0))


def cramers_v(counts: ArrayLike, *, corrected: bool = False) -> float:
    """Cramér's V of a two-way table of (weighted) counts, 0 to 1; NaN when one side has fewer than two categories.

    Args:
        counts: shape (rows, columns); empty rows and columns are left out.
        corrected: Bergsma's (2013) correction of the upward bias of small samples. The total counts as the number of
            people, so weights must have mean 1.

    >>> round(cramers_v([[10, 0], [0, 10]]), 3), round(cramers_v([[5, 5], [5, 5]]), 3)
    (1.0, 0.0)
    """
    own = table(counts, "counts")
    if np.isnan(own).any() or (own < 0).any():
        raise InputError("counts: holds NaN or a negative number.", hint="Pass counts.")
    own = own[own.sum(axis=1) > 0][:, own.sum(axis=0) > 0]
    n, (r, c) = float(own.sum()), own.shape
    if r < 2 or c < 2:
        return float("nan")
    expected = np.outer(own.sum(axis=1), own.sum(axis=0)) / n
    phi2 = float(((own - expected) ** 2 / expected).sum()) / n
    if not corrected:
        return float(np.sqrt(min(phi2 / (min(r, c) - 1), 1.0)))
    if n <= 1:
        return float("nan")
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    least = min(rows, columns) - 1
    return float(np.sqrt(min(phi2 / least, 1.0))) if least > 0 else float("nan")


def pair_table(
    first: ArrayLike, second: ArrayLike, shape: tuple[int, int], weights: ArrayLike | None = None
) -> FloatArray:
    """Two-way (weighted) counts of two columns of category codes; a negative code is missing and left out."""
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"pair_table: got shapes {a.shape} and {b.shape}.", hint="Pass one code per row in both.")
    known = (a >= 0) & (b >= 0)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)[known]
    flat = np.bincount(a[known] * shape[1] + b[known], weights=w, minlength=shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)


def association_matrix(
    codes: ArrayLike, sizes: tuple[int, ...], weights: ArrayLike | None = None, *, corrected: bool = False
) -> FloatArray:
    """Cramér's V of every pair of columns of category codes, shape (columns, columns), ones on the diagonal.

    Args:
        codes: shape (rows, columns); a negative code is missing, its row is left out of the pairs it is in.
        sizes: categories per column.
        weights: per row; counts of distinct rows, or weights of people.
        corrected: see `cramers_v`.
    """
    own = np.asarray(codes, dtype=np.int64)
    if own.ndim != 2 or own.shape[1] != len(sizes):
        raise InputError(f"association_matrix: codes of shape {own.shape} for {len(sizes)} column(s).")
    out = np.eye(len(sizes))
    for a in range(len(sizes)):
        for b in range(a):
            counts = pair_table(own[:, a], own[:, b], (sizes[a], sizes[b]), weights)
            out[a, b] = out[b, a] = cramers_v(counts, corrected=corrected)
    return out


def _pair(found: ArrayLike, expected: ArrayLike) -> tuple[FloatArray, FloatArray]:
    f, e = numbers(found, "found"), numbers(expected, "expected")
    if f.shape != e.shape or not f.size:
        raise InputError(
            f"found and expected: got shapes {f.shape} and {e.shape}.", hint="Pass two tables of one shape."
        )
    if not (e >= 0).all() or not (f >= 0).all():
        raise InputError("found and expected: a negative count or NaN.", hint="Counts and shares are not negative.")
    return f, e
