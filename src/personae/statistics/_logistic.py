"""Logistic regression with a ridge penalty: the plain linear probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError
from personae.statistics._arrays import same_length, vector

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """A fitted probe: log odds of a row are `row @ weights + intercept`.

    Attributes:
        weights: shape (features,).
        intercept: not penalised.
        rows: used.
        converged: whether the optimiser says so.
    """

    weights: NDArray[np.float64]
    intercept: float
    rows: int
    converged: bool

    def scores(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Log odds of rows of shape (rows, features), shape (rows,)."""
        return np.asarray(rows, dtype=np.float64) @ self.weights + self.intercept


def logistic_fit(rows: ArrayLike, labels: ArrayLike, *, penalty: float = 1.0, rounds: int = 1000) -> LogisticFit:
    """Fit log odds of the label 1, minimising the summed log loss + penalty / 2 · |weights|².

    Where there are more features than rows the fit is done in the span of the rows: the penalised optimum lies there.

    Args:
        rows: finite numbers, shape (rows, features).
        labels: 0 or 1, both present, shape (rows,).
        penalty: above 0; 1 / C in the usual notation of C.
        rounds: most steps of L-BFGS.

    Raises:
        InputError: other shapes or labels, or a penalty of 0 or less.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    y = vector(labels, "labels")
    x = np.asarray(rows, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise InputError(f"rows of shape {x.shape} given, expected finite numbers of shape (rows, features).")
    same_length(x[:, 0] if x.shape[1] else y, y, "rows and labels")
    if set(np.unique(y).tolist()) != {0.0, 1.0}:
        raise InputError(
            f"labels {np.unique(y).tolist()[:5]!r} given, expected both 0 and 1.", hint="A probe needs two kinds."
        )
    if not penalty > 0:
        raise InputError(f"penalty {penalty!r} given, expected above 0.")
    span: NDArray[np.float64] | None = None
    if x.shape[1] > x.shape[0]:
        left, size, right = np.linalg.svd(x, full_matrices=False)
        span, x = right, left * size
    signs = 2 * y - 1

    def loss(both: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = both[:-1]
        margin = signs * (x @ weights + both[-1])
        pull = -signs * expit(-margin)
        value = float(np.logaddexp(0.0, -margin).sum() + penalty / 2 * weights @ weights)
        return value, np.concatenate([x.T @ pull + penalty * weights, [pull.sum()]])

    found = cast(
        "OptimizeResult",
        minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": rounds}),
    )
    both = np.asarray(found.x, dtype=np.float64)
    weights = both[:-1] if span is None else both[:-1] @ span
    return LogisticFit(weights, float(both[-1]), len(y), bool(found.success))
