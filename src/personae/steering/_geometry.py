"""Geometry of persona space: the axis from roles to the default character, its plane, and cosines beside their nulls.

Source: The Assistant Axis (arXiv 2601.10387): role vectors are means over replies in role, the axis is the mean of the
default vectors minus the mean of the role vectors (each role counts once), persona space is the PCA of the centred role
vectors without scaling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError, derive_rng
from personae.models import Part
from personae.statistics import Plane, principal_plane
from personae.steering._directions import Direction, Floats

Vectors: TypeAlias = Mapping[str, Floats]
"""Names to vectors of shape (blocks, size)."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """A cosine and what chance gives.

    Attributes:
        block: 0-based.
        cosine: of the two directions.
        null: absolute cosines of random directions with the second, ascending.
        p: share of the null at least as large in size, the real one counted in.
    """

    block: int
    cosine: float
    null: tuple[float, ...]

    @property
    def p(self) -> float:
        """Two-sided."""
        return (1 + sum(v >= abs(self.cosine) for v in self.null)) / (1 + len(self.null))


def contrast_axis(
    default: ArrayLike,
    roles: ArrayLike,
    *,
    name: str = "assistant",
    blocks: Sequence[int] | None = None,
    part: Part = "block",
    norms: Mapping[int, float] | None = None,
    model: str = "",
) -> Direction:
    """Mean of the default vectors − mean of the role vectors at every block; positive is more like the default.

    Args:
        default: vectors of the default character, shape (variants, blocks, size) or (blocks, size).
        roles: one vector a role, however many replies it stands for, shape (roles, blocks, size).
        name: of the direction.
        blocks: 0-based numbers of the second axis; None = from 0.
        part: see `Direction`.
        norms: see `Direction`.
        model: see `Direction`.

    Raises:
        InputError: other shapes.

    >>> contrast_axis([[3.0, 0.0]], [[[1.0, 2.0]], [[1.0, -2.0]]]).at(0).tolist()
    [2.0, 0.0]
    """
    own = np.asarray(default, dtype=np.float64)
    own = own[None] if own.ndim == 2 else own
    others = np.asarray(roles, dtype=np.float64)
    if own.ndim != 3 or others.ndim != 3 or own.shape[1:] != others.shape[1:] or not len(own) or not len(others):
        raise InputError(
            f"default of shape {own.shape} and roles of shape {others.shape}, expected (variants, blocks, size) and "
            "(roles, blocks, size)."
        )
    numbers = range(own.shape[1]) if blocks is None else blocks
    gap = (own.mean(axis=0) - others.mean(axis=0)).astype(np.float32)
    notes = {"method": "default minus roles", "default": len(own), "roles": len(others)}
    return Direction(name, dict(zip(numbers, gap, strict=True)), part, dict(norms or {}), model, notes)


def persona_space(roles: ArrayLike, *, axes: int | None = None) -> Plane:
    """Principal axes of role vectors at one block, centred and not scaled: shape (roles, size) in.

    `explained` holds the share of variance of each axis; `axes_for` counts how many reach a share.
    """
    table = np.asarray(roles, dtype=np.float64)
    most = min(len(table) - 1, table.shape[1]) if table.ndim == 2 else 1
    return principal_plane(table, axes=max(1, min(axes or most, most)))


def axes_for(explained: ArrayLike, share: float) -> int:
    """How many principal axes reach a share of the variance (0 where all together do not).

    >>> axes_for([0.5, 0.3, 0.2], 0.8)
    2
    """
    reached = np.cumsum(np.asarray(explained, dtype=np.float64)) >= share - 1e-12
    return int(reached.argmax()) + 1 if reached.any() else 0


def align(first: Direction, second: Direction, *, seed: int, draws: int = 1000) -> tuple[Alignment, ...]:
    """Cosine of two directions at every block both have, beside random directions.

    Random unit vectors in `size` dimensions have cosines of about 1 / √size; activations are not spread evenly, so a
    null of shuffled labels (`Learned.controls`) is the harder one: see `align_among`.
    """
    cosines = first.cosine(second)
    out: list[Alignment] = []
    for block, cosine in cosines.items():
        drawn = derive_rng(seed, "alignment", block).standard_normal((draws, first.size))
        unit = second.unit().at(block).astype(np.float64)
        null = np.sort(np.abs(drawn @ unit) / np.linalg.norm(drawn, axis=1))
        out.append(Alignment(block, cosine, tuple(null.tolist())))
    return tuple(out)


def align_among(first: Direction, second: Direction, controls: Sequence[Direction]) -> tuple[Alignment, ...]:
    """The same beside given control directions in place of the first: shuffled labels, other traits."""
    if not controls:
        raise InputError("no control directions to compare with.", hint="Use align(...), which draws its own.")
    null = [control.cosine(second) for control in controls]
    return tuple(
        Alignment(block, cosine, tuple(sorted(abs(c[block]) for c in null)))
        for block, cosine in first.cosine(second).items()
    )


@dataclass(frozen=True, slots=True)
class SplitHalf:
    """Agreement of an axis with itself.

    Attributes:
        block: 0-based.
        cosine: of the axes of the two halves.
        null: cosines when default and roles are put together and split at random, ascending.
        p: share of the null at least as large, the real one counted in.
    """

    block: int
    cosine: float
    null: tuple[float, ...]

    @property
    def p(self) -> float:
        """One-sided."""
        return (1 + sum(v >= self.cosine for v in self.null)) / (1 + len(self.null))


def split_half_cosine(
    default: tuple[ArrayLike, ArrayLike],
    roles: tuple[ArrayLike, ArrayLike],
    *,
    block: int,
    seed: int,
    shuffles: int = 200,
) -> SplitHalf:
    """Cosine of the axes of two halves (odd and even questions), beside those of random divisions into two groups.

    Args:
        default: vectors of the default character in each half, shape (variants, size).
        roles: vectors of the roles in each half, same roles in the same order, shape (roles, size).
        block: which block they belong to.
        seed: of the shuffles.
        shuffles: random divisions of default and roles together, the same in both halves.

    Raises:
        InputError: halves of different shapes.
    """
    own, others = [[np.asarray(x, dtype=np.float64) for x in pair] for pair in (default, roles)]
    if own[0].shape != own[1].shape or others[0].shape != others[1].shape:
        raise InputError("the halves differ in shape.", hint="Leave out roles that have too few replies in one half.")
    together = [np.concatenate([a, b]) for a, b in zip(own, others, strict=True)]
    count, size = len(own[0]), len(together[0])
    null: list[float] = []
    for k in range(shuffles):
        order = derive_rng(seed, "split half", block, k).permutation(size)
        null.append(_cosine(*(t[order[:count]].mean(axis=0) - t[order[count:]].mean(axis=0) for t in together)))
    real = _cosine(*(t[:count].mean(axis=0) - t[count:].mean(axis=0) for t in together))
    return SplitHalf(block, real, tuple(sorted(null)))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300))
