"""Which attention heads tell two kinds of prompts apart, and the shifts along them.

Source: Personality Alignment (arXiv 2408.11779 §4), after inference-time intervention (arXiv 2306.03341 §3.1): a
logistic probe for each head, the heads with the best accuracy, a unit vector along the difference of class means, and
the spread of the projections as its length. Here the probe's accuracy is cross-validated; the published code averages
training and validation accuracy of one split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, derive_rng
from personae.models import Anatomy, Site
from personae.statistics import logistic_fit
from personae.steering._directions import Floats
from personae.steering._operations import Head


@dataclass(frozen=True, slots=True)
class HeadProbe:
    """What one head says about the labels.

    Attributes:
        block, head: 0-based.
        accuracy: cross-validated.
        shift: along the difference of class means, as long as the spread (sd) of all rows along it: (head size,).
    """

    block: int
    head: int
    accuracy: float
    shift: Head


def split_heads(values: Floats, anatomy: Anatomy) -> Floats:
    """Values at `heads` sites of shape (rows, sites, heads · head size) as (rows, sites, heads, head size)."""
    rows, sites, size = values.shape
    if size != anatomy.size("heads"):
        raise InputError(f"{size} numbers a site, expected {anatomy.heads} heads of {anatomy.head_size}.")
    return values.reshape(rows, sites, anatomy.heads, anatomy.head_size)


def probe_heads(
    values: Floats,
    labels: NDArray[np.bool_],
    sites: Sequence[Site],
    anatomy: Anatomy,
    *,
    seed: int,
    folds: int = 5,
    penalty: float = 1.0,
) -> tuple[HeadProbe, ...]:
    """A probe for every head, best first (ties by block and head).

    Args:
        values: at `heads` sites, shape (rows, sites, heads · head size).
        labels: shape (rows,), both kinds.
        sites: of the second axis.
        anatomy: of the model.
        seed: of the folds, which are the same for all heads and hold both kinds.
        folds: rows are learnt from in all but one and judged in that one.
        penalty: of the probe; 1 / C.

    Raises:
        InputError: fewer than 2 rows of a kind, or other shapes.
    """
    parts = split_heads(values, anatomy).astype(np.float64)
    marks = np.asarray(labels, dtype=np.bool_)
    few = int(min(marks.sum(), (~marks).sum()))
    if few < 2:
        raise InputError(
            f"{few} row of one kind, expected at least 2 of each.", hint="Answer more items off the middle."
        )
    count = min(folds, few)
    fold = np.empty(len(marks), dtype=np.int64)
    for kind in (True, False):
        where = np.flatnonzero(marks == kind)
        order = derive_rng(seed, "probe folds", int(kind)).permutation(len(where))
        fold[where[order]] = np.arange(len(where)) % count
    out: list[HeadProbe] = []
    for j, site in enumerate(sites):
        for head in range(anatomy.heads):
            rows = parts[:, j, head]
            right = 0
            for part in range(count):
                away = fold == part
                fit = logistic_fit(rows[~away], marks[~away].astype(np.float64), penalty=penalty)
                right += int(((fit.scores(rows[away]) > 0) == marks[away]).sum())
            out.append(HeadProbe(site.block, head, right / len(marks), head_shift(rows, marks, site.block, head)))
    return tuple(sorted(out, key=lambda p: (-p.accuracy, p.block, p.head)))


def head_shift(rows: NDArray[np.float64], labels: NDArray[np.bool_], block: int, head: int) -> Head:
    """Unit difference of class means times the sd of all rows along it; rows of shape (rows, head size)."""
    gap = rows[labels].mean(axis=0) - rows[~labels].mean(axis=0)
    unit = gap / max(float(np.linalg.norm(gap)), 1e-12)
    return Head(block, head, (unit * float((rows @ unit).std())).astype(np.float32))
