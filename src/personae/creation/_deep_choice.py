"""Which leaves of the taxonomy a person is told in: near, mid and far from the core, and what stands for the core.

Source: DeepPersona (arXiv 2511.07338), progressive attribute sampling, and the released `select_attributes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.creation._draws import Floats
from personae.creation._taxonomy import ROOTS
from personae.models import Encoder

Sampling = Literal["5:3:2", "4:4:2", "near", "uniform"]
SAMPLINGS: Final[tuple[Sampling, ...]] = ("5:3:2", "4:4:2", "near", "uniform")
_RATIOS: Final[dict[Sampling, tuple[float, float]]] = {"5:3:2": (0.5, 0.3), "4:4:2": (0.4, 0.4)}
"""shares of the near and the mid third; the far one gets the rest. The paper says 5:3:2, its released code 4:4:2"""

LEAST_PER_ROOT: Final = 10

CoreVector = Literal["parts", "whole"]
CORE_VECTORS: Final[tuple[CoreVector, ...]] = ("parts", "whole")

_KEPT: Final = 16_384
"""parts whose vectors are kept: 25 MB at 384 dimensions"""


class CoreVectors:
    """Vectors of cores, by the parts they are made of.

    `parts` is the mean of the parts' vectors, so a phrase that many people share is encoded once; `whole` encodes
    the parts joined to one text, each person anew. Both depend on the own parts alone: what is kept only saves time.

    Source: DeepPersona embeds the core profile as one text (`whole`). A mean weighs every part alike, however long.
    """

    def __init__(self, encoder: Encoder, how: CoreVector) -> None:
        self.encoder, self.how = encoder, how
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, cores: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """Unit vectors of cores given by their parts, shape (cores, dimension)."""
        if self.how == "whole":
            return self.encoder.encode([core_text(parts) for parts in cores])
        new = [part for part in dict.fromkeys(p for parts in cores for p in parts) if part not in self._known]
        if len(self._known) + len(new) > _KEPT:
            self._known.clear()
            new = list(dict.fromkeys(p for parts in cores for p in parts))
        if new:
            self._known.update(zip(new, self.encoder.encode(new), strict=True))
        out = np.empty((len(cores), self.encoder.dimension), dtype=np.float32)
        for row, parts in enumerate(cores):
            mean = np.mean([self._known[p] for p in parts], axis=0, dtype=np.float64)
            out[row] = mean / (np.linalg.norm(mean) or 1.0)
        return out


def core_text(parts: Sequence[str]) -> str:
    """The parts of a core as one text."""
    return "; ".join(parts)


def choose_leaves(
    cosines: Floats, roots: NDArray[np.int64], keys: Floats, depth: int, sampling: Sampling
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the leaves that apply are told.

    Every root aims at max(10, depth times its share of the leaves); within it leaves are ranked by cosine, cut into
    thirds and drawn without replacement in the ratio of `sampling`; a third that is too small is made up from the
    root's other leaves, then too many are dropped and too few filled up from all leaves, at random.

    Args:
        cosines: similarity of each leaf to the core, shape (leaves,).
        roots: root of each leaf, 0 to 11.
        keys: uniform draws of the leaves; the smallest go first.
        depth: how many to choose.
        sampling: see `Sampling`.

    Returns:
        Positions of the chosen leaves, and the third (0 near, 1 mid, 2 far) of every leaf.

    Source: DeepPersona, progressive attribute sampling and the released `select_attributes`.
    """
    size = len(cosines)
    sizes = np.bincount(roots, minlength=len(ROOTS))
    starts = np.cumsum(sizes) - sizes
    by_cosine = np.lexsort((-cosines, roots))
    rank = np.empty(size, dtype=np.int64)
    rank[by_cosine] = np.arange(size) - starts[roots[by_cosine]]
    tier = rank * 3 // np.maximum(sizes[roots], 1)
    target = np.minimum(np.maximum(LEAST_PER_ROOT, np.round(depth * sizes / max(size, 1))).astype(np.int64), sizes)
    if sampling == "near":
        taken = rank < target[roots]
    elif sampling == "uniform":
        taken = _first(keys, roots, len(ROOTS)) < target[roots]
    else:
        near, mid = _RATIOS[sampling]
        wanted = np.stack([np.round(near * target), np.round(mid * target)], axis=1).astype(np.int64)
        quota = np.concatenate([wanted, (target - wanted.sum(axis=1))[:, None]], axis=1)
        taken = _first(keys, roots * 3 + tier, 3 * len(ROOTS)) < quota[roots, tier]
        short = target - np.bincount(roots[taken], minlength=len(ROOTS))
        spare = ~taken
        taken[spare] |= _first(keys[spare], roots[spare], len(ROOTS)) < short[roots[spare]]
    # The same draw again, scrambled: what is dropped or added must not depend on the place within a third.
    again = (keys * 9973.0) % 1.0
    inside = np.flatnonzero(taken)
    if len(inside) > depth:
        inside = inside[np.argsort(again[inside], kind="stable")[:depth]]
    elif len(inside) < min(depth, size):
        outside = np.flatnonzero(~taken)
        order = np.argsort(rank[outside] if sampling == "near" else again[outside], kind="stable")
        inside = np.concatenate([inside, outside[order[: min(depth, size) - len(inside)]]])
    return np.sort(inside), tier


def _first(keys: Floats, groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Place of each element within its group, by key."""
    order = np.lexsort((keys, groups))
    sizes = np.bincount(groups, minlength=count)
    starts = np.cumsum(sizes) - sizes
    out = np.empty(len(keys), dtype=np.int64)
    out[order] = np.arange(len(keys)) - starts[groups[order]]
    return out
