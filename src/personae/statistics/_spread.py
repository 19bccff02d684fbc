"""Spread of vectors: Vendi score, mean and nearest cosine, and a plane to look at them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError

_BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class Plane:
    """Vectors seen from their two (or more) widest sides.

    Attributes:
        points: Coordinates, shape (vectors, axes).
        axes: Unit directions in the space of the vectors, shape (axes, dimensions).
        centre: Mean of the vectors, shape (dimensions,).
        explained: Share of the variance along each axis, shape (axes,).
    """

    points: NDArray[np.float64]
    axes: NDArray[np.float64]
    centre: NDArray[np.float64]
    explained: NDArray[np.float64]


def vendi_score(vectors: ArrayLike) -> float:
    """Effective number of different vectors: 1 when all point one way, n when all are orthogonal; NaN without any.

    exp of the entropy of the eigenvalues of K / n, where K holds the cosines. The smaller of the two Gram matrices is
    taken (dimensions or vectors), so that n may be large. Grows with n: compare equal numbers only.

    Source: Friedman & Dieng 2023, definition 3.1.

    >>> round(vendi_score([[1, 0], [0, 2], [3, 0], [0, 4]]), 6)
    2.0

    Raises:
        InputError: not a table of finite numbers, or a row of zeros.
    """
    unit = _units(vectors)
    if not len(unit):
        return math.nan
    gram = unit.T @ unit if unit.shape[0] > unit.shape[1] else unit @ unit.T
    values = np.linalg.eigvalsh(gram / len(unit))
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values))))


def mean_cosine(vectors: ArrayLike) -> float:
    """Mean cosine over all pairs of different rows, without making the pairs; NaN for fewer than two rows.

    Raises:
        InputError: as `vendi_score`.
    """
    unit = _units(vectors)
    n = len(unit)
    if n < 2:
        return math.nan
    total = unit.sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))


def nearest_cosines(vectors: ArrayLike) -> NDArray[np.float64]:
    """Cosine of each row to the nearest other row, shape (n,); NaN when there is no other.

    Exact, n² products in single precision, 1,024 rows at a time.

    Raises:
        InputError: as `vendi_score`.
    """
    unit = _units(vectors).astype(np.float32)
    out = np.full(len(unit), np.nan)
    if len(unit) < 2:
        return out
    for low in range(0, len(unit), _BLOCK):
        cosines = unit[low : low + _BLOCK] @ unit.T
        rows = np.arange(len(cosines))
        cosines[rows, low + rows] = -2
        out[low : low + _BLOCK] = cosines.max(axis=1)
    return np.clip(out, -1.0, 1.0)


def principal_plane(vectors: ArrayLike, axes: int = 2) -> Plane:
    """Projection onto the `axes` directions of largest variance, for looking at.

    Each axis points to where its largest loading is positive, so that the same vectors always give the same picture.
    Directions without variance, and missing ones where there are fewer dimensions, have points at 0.

    Source: principal components by eigenvectors of the covariance matrix (Pearson 1901).

    Raises:
        InputError: not a table of finite numbers, or `axes` below 1.
    """
    table = _table(vectors)
    if axes < 1:
        raise InputError(f"axes {axes!r} given, expected at least 1.")
    size, dimensions = table.shape
    centre = table.mean(axis=0) if size else np.zeros(dimensions)
    values, found = np.linalg.eigh((table - centre).T @ (table - centre))
    order = np.argsort(values)[::-1][:axes]
    kept, total = np.maximum(values[order], 0.0), float(np.maximum(values, 0.0).sum())
    directions = np.zeros((axes, dimensions))
    directions[: order.size] = found[:, order].T
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.where(directions[np.arange(axes), largest] < 0, -1.0, 1.0)[:, None]
    explained = np.zeros(axes)
    if total > 0:
        explained[: order.size] = kept / total
    directions[explained <= 1e-12] = 0.0
    return Plane((table - centre) @ directions.T, directions, centre, explained)


def _table(vectors: ArrayLike) -> NDArray[np.float64]:
    try:
        table = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"vectors: expected a table of numbers ({error}).") from error
    if table.ndim != 2:
        raise InputError(f"vectors of shape {table.shape!r} given, expected (vectors, dimensions).")
    if not np.isfinite(table).all():
        raise InputError("vectors hold a value that is no finite number, expected finite ones.")
    return table


def _units(vectors: ArrayLike) -> NDArray[np.float64]:
    table = _table(vectors)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    if (norms == 0).any():
        row = int(np.flatnonzero(norms[:, 0] == 0)[0])
        raise InputError(f"vector {row} is all zeros, expected a direction.", hint="Leave such rows out.")
    return table / norms
