"""One common factor by maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from personae.statistics._arrays import FloatArray

_FLOOR = 0.005
"""Smallest uniqueness the search may reach (the usual bound of maximum-likelihood factor analysis)."""

_SINGULAR = 1e-8


@dataclass(frozen=True, slots=True)
class OneFactor:
    """Standardised loadings and uniquenesses, each shape (items,); the loadings sum to a positive number."""

    loadings: FloatArray
    uniquenesses: FloatArray


def fit_one_factor(correlations: FloatArray) -> OneFactor | str:
    """The one-factor solution of a correlation matrix (items × items), or why there is none.

    The likelihood is maximised over the uniquenesses alone; given them, the loadings are the first eigenvector of the
    matrix scaled by the square roots of the uniquenesses.

    Source: Jöreskog 1967; Lawley & Maxwell 1971 ch. 4.
    """
    from scipy.optimize import minimize

    if float(np.linalg.eigvalsh(correlations)[0]) < _SINGULAR:
        return "the correlation matrix is singular: items repeat each other"
    start = np.clip(0.5 / np.diag(np.linalg.inv(correlations)), _FLOOR, 1.0)

    def loss(uniqueness: FloatArray) -> tuple[float, FloatArray]:
        vector, value, rest = _scaled_eigen(correlations, uniqueness)
        loadings = _loadings(vector, value, uniqueness)
        implied = np.outer(loadings, loadings) + np.diag(uniqueness)
        slope = np.diag(implied - correlations) / uniqueness**2
        return float((rest - np.log(rest) - 1).sum()), slope

    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(_FLOOR, 1.0)] * start.size, options={"maxiter": 1000}
    )
    uniqueness = np.asarray(found.x, dtype=np.float64)
    if not found.success:
        return f"the factor solution did not converge ({found.message})"
    if float(uniqueness.min()) <= _FLOOR * (1 + 1e-6):
        return f"Heywood case: item {int(uniqueness.argmin())} is all factor and no error"
    vector, value, _ = _scaled_eigen(correlations, uniqueness)
    loadings = _loadings(vector, value, uniqueness)
    return OneFactor(loadings if loadings.sum() >= 0 else -loadings, uniqueness)


def _scaled_eigen(correlations: FloatArray, uniqueness: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """First eigenvector and eigenvalue of the matrix scaled by the uniquenesses, and the other eigenvalues."""
    scale = 1 / np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(correlations * np.outer(scale, scale))
    return vectors[:, -1], float(values[-1]), values[:-1]


def _loadings(vector: FloatArray, value: float, uniqueness: FloatArray) -> FloatArray:
    return np.sqrt(uniqueness) * vector * math.sqrt(max(value - 1, 0.0))
