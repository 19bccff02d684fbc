"""Linear programmes about margins: which cells they force to zero, and what keeps them from being met together."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.creation._draws import Floats, Indexes

_FLOOR: Final = 1e-6
_LARGEST: Final = 200_000
_LISTED: Final = 6


def forced_zeros(indexes: list[Indexes], targets: list[Floats]) -> NDArray[np.bool_]:
    """Cells that are 0 in every table that meets the margins.

    Each cell is split into a first part of at most 1e-6 and a rest; the largest total of first parts leaves 0 exactly
    where nothing else is possible. Nothing is reported when the margins cannot be met or the table is very large.

    Args:
        indexes: per margin, the margin cell of each cell, shape (cells,).
        targets: per margin, the shares.
    """
    from scipy.optimize import linprog
    from scipy.sparse import hstack

    cells = len(indexes[0])
    if cells > _LARGEST:
        return np.zeros(cells, dtype=np.bool_)
    system = margin_system(indexes, [len(t) for t in targets])
    bounds: Any = np.array([[0.0, _FLOOR]] * cells + [[0.0, np.inf]] * cells)
    both: Any = hstack([system, system]).tocsr()
    cost = np.concatenate([-np.ones(cells), np.zeros(cells)])
    answer: Any = linprog(cost / _FLOOR, A_eq=both, b_eq=np.concatenate(targets), bounds=bounds, method="highs")
    return answer.x[:cells] < _FLOOR * 1e-3 if answer.success else np.zeros(cells, dtype=np.bool_)


def unmet(names: list[str], indexes: list[Indexes], targets: list[Floats]) -> str:
    """Which margin cells stay short or over, and by what share, in the table that misses the margins least.

    Args:
        names: what to call the cells of all margins, in order.
        indexes: per margin, the margin cell of each cell, shape (cells,).
        targets: per margin, the shares.
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, hstack

    goal = np.concatenate(targets)
    size = len(goal)
    stacked = margin_system(indexes, [len(t) for t in targets])
    system: Any = hstack([stacked, eye_array(size), -eye_array(size)]).tocsr()
    cost = np.concatenate([np.zeros(stacked.shape[1]), np.ones(2 * size)])
    answer: Any = linprog(cost, A_eq=system, b_eq=goal, bounds=(0, None), method="highs")
    if not answer.success:
        return ""
    slack = answer.x[-2 * size : -size] - answer.x[-size:]
    order = [c for c in np.argsort(-np.abs(slack)).tolist() if abs(slack[c]) > 1e-6]
    return "; ".join(
        f"{names[c]} {'short' if slack[c] > 0 else 'over'} by {abs(slack[c]):.4f}" for c in order[:_LISTED]
    )


def margin_system(indexes: list[Indexes], sizes: list[int]) -> Any:
    """Sparse 0/1 matrix (all margin cells, cells): which cells each margin cell adds up."""
    from scipy.sparse import coo_array, vstack

    return vstack(
        [
            coo_array((np.ones(len(i)), (i, np.arange(len(i)))), shape=(size, len(i)))
            for i, size in zip(indexes, sizes, strict=True)
        ]
    ).tocsr()
