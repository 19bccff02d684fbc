"""Learning a direction from two sets of activations, with held-out validity and controls beside it.

    difference  mean of the positive rows − mean of the negative rows
    pca         first principal axis of the positive and negative rows of each pair around the pair's mean
    logistic    weights of a ridge-penalised linear probe

Source: difference of means: Rimsky et al. (arXiv 2312.06681 §3.1); pca of pairs: Zou et al. (arXiv 2310.01405 §3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, derive_rng
from personae.models import Site
from personae.statistics import Estimate, auc, logistic_fit
from personae.steering._directions import Direction, Floats, Note
from personae.steering._extract import Extracted

Method: TypeAlias = Literal["difference", "pca", "logistic"]

_METHODS: Final = ("difference", "pca", "logistic")


@dataclass(frozen=True, slots=True)
class Learned:
    """A direction and what speaks for it.

    Attributes:
        direction: learnt from all rows.
        held_out: block to how well a direction learnt from the other folds tells positive from negative rows (AUC).
        shuffled: block to the AUCs of the same on shuffled labels, ascending: what is found where nothing is.
        controls: random directions of the same lengths, and directions learnt from shuffled labels; named
            `random-0 …` and `shuffled-0 …`.
    """

    direction: Direction
    held_out: dict[int, Estimate]
    shuffled: dict[int, tuple[float, ...]]
    controls: tuple[Direction, ...]

    def p_value(self, block: int) -> float:
        """Share of shuffled labels that do at least as well, the real ones counted in."""
        found = self.held_out[block].value
        null = self.shuffled[block]
        return (1 + sum(v >= found for v in null)) / (1 + len(null))


def learn_direction(
    name: str,
    positive: Extracted,
    negative: Extracted,
    *,
    method: Method = "difference",
    seed: int,
    folds: int = 5,
    shuffles: int = 19,
    random: int = 5,
    penalty: float = 1.0,
) -> Learned:
    """Learn a direction at every site and say how well it holds on rows it has not seen.

    Args:
        name: what it stands for.
        positive: rows with more of it. Where there are as many negative ones, row k belongs to row k of those.
        negative: rows with less, at the same sites.
        method: see the module's docstring.
        seed: of folds, shuffles and random directions.
        folds: rows are learnt from in all but one fold and judged in that one.
        shuffles: relabellings for the null (within pairs where there are pairs, else within folds); 0 = none.
        random: random directions among the controls.
        penalty: of `logistic`.

    Raises:
        InputError: other sites, fewer than 2 rows of a kind, or `pca` without pairs.
    """
    _check(name, positive, negative, method)
    sites = positive.sites
    pairs = len(positive.values) == len(negative.values)
    rows = np.concatenate([positive.values, negative.values])
    labels = np.repeat([True, False], [len(positive.values), len(negative.values)])
    pair = np.concatenate([np.arange(len(positive.values)), np.arange(len(negative.values))])
    fold = _folds(len(positive.values), len(negative.values), min(folds, len(positive.values)), seed, pairs=pairs)

    def learn(marks: NDArray[np.bool_], site: int, seen: NDArray[np.bool_]) -> Floats:
        return _vector(rows[seen, site], marks[seen], pair[seen], method, penalty)

    def judged(marks: NDArray[np.bool_], site: int) -> Estimate:
        scores = np.full(len(rows), np.nan)
        for part in np.unique(fold):
            away = fold == part
            vector = learn(marks, site, ~away).astype(np.float64)
            scores[away] = rows[away, site].astype(np.float64) @ vector / max(float(np.linalg.norm(vector)), 1e-12)
        return auc(scores, marks.astype(np.float64))

    everything = np.ones(len(rows), dtype=np.bool_)
    relabelled = [_relabelled(labels, fold, derive_rng(seed, "shuffle", name, k), pairs=pairs) for k in range(shuffles)]
    vectors = {s.block: learn(labels, k, everything) for k, s in enumerate(sites)}
    norms = {s.block: float((positive.norms[k] + negative.norms[k]) / 2) for k, s in enumerate(sites)}
    notes: dict[str, Note] = {
        "method": method, "positive": len(positive.values), "negative": len(negative.values),
        "tokens": int(positive.tokens.sum() + negative.tokens.sum()), "seed": seed, "folds": int(fold.max()) + 1,
    }  # fmt: skip
    direction = Direction(name, vectors, sites[0].part, norms, positive.model, notes)
    null = [
        Direction(
            f"shuffled-{k}", {s.block: learn(marks, j, everything) for j, s in enumerate(sites)}, sites[0].part, norms
        )
        for k, marks in enumerate(relabelled[:random])
    ]
    return Learned(
        direction,
        {s.block: judged(labels, k) for k, s in enumerate(sites)},
        {s.block: tuple(sorted(judged(marks, k).value for marks in relabelled)) for k, s in enumerate(sites)},
        (*random_directions(direction, random, seed=seed), *(_of_length(d, direction) for d in null)),
    )


def random_directions(like: Direction, count: int, *, seed: int) -> tuple[Direction, ...]:
    """Directions drawn evenly from the sphere, with the blocks, lengths and norms of another."""
    out: list[Direction] = []
    for k in range(count):
        rng = derive_rng(seed, "random direction", like.name, k)
        drawn = {b: rng.standard_normal(like.size).astype(np.float32) for b in like.blocks}
        made = Direction(f"random-{k}", drawn, like.part, like.norms, like.model, {"method": "random", "seed": seed})
        out.append(_of_length(made, like))
    return tuple(out)


def _of_length(direction: Direction, like: Direction) -> Direction:
    unit = direction.unit()
    vectors = {b: unit.at(b) * np.float32(np.linalg.norm(like.at(b))) for b in like.blocks}
    return Direction(direction.name, vectors, like.part, like.norms, like.model, direction.notes)


def _vector(rows: Floats, labels: NDArray[np.bool_], pair: NDArray[np.int64], method: Method, penalty: float) -> Floats:
    wide = rows.astype(np.float64)
    positive, negative = wide[labels], wide[~labels]
    difference = positive.mean(axis=0) - negative.mean(axis=0)
    if method == "difference":
        return difference.astype(np.float32)
    if method == "logistic":
        return logistic_fit(wide, labels.astype(np.float64), penalty=penalty).weights.astype(np.float32)
    # Around its pair's mean the one row is the other turned round: the axis of the half differences, not centred.
    halves = (positive[np.argsort(pair[labels])] - negative[np.argsort(pair[~labels])]) / 2
    axis = np.linalg.svd(halves, full_matrices=False)[2][0]
    turned = axis if axis @ difference >= 0 else -axis
    return (turned * np.linalg.norm(difference)).astype(np.float32)


def _relabelled(
    labels: NDArray[np.bool_], fold: NDArray[np.int64], rng: np.random.Generator, *, pairs: bool
) -> NDArray[np.bool_]:
    """Labels exchanged within pairs, or within folds: both kinds stay as many in every fold as they are."""
    if pairs:
        half = len(labels) // 2
        swap = rng.random(half) < 0.5
        return np.concatenate([labels[:half] ^ swap, labels[half:] ^ swap])
    out = labels.copy()
    for part in np.unique(fold):
        here = fold == part
        out[here] = rng.permutation(labels[here])
    return out


def _folds(positive: int, negative: int, folds: int, seed: int, *, pairs: bool) -> NDArray[np.int64]:
    first = derive_rng(seed, "folds", "positive").permutation(np.arange(positive) % folds)
    second = first if pairs else derive_rng(seed, "folds", "negative").permutation(np.arange(negative) % folds)
    return np.concatenate([first, second]).astype(np.int64)


def _check(name: str, positive: Extracted, negative: Extracted, method: str) -> None:
    if positive.sites != negative.sites or len({s.part for s in positive.sites}) != 1:
        raise InputError(
            f"{name!r}: positive rows at {_told(positive.sites)}, negative at {_told(negative.sites)}; expected the "
            "same sites of one part."
        )
    if method not in _METHODS:
        raise InputError(f"method is {method!r}, expected one of {', '.join(_METHODS)}.")
    few = min(len(positive.values), len(negative.values))
    if few < 2:
        raise InputError(f"{name!r}: {few} row of one kind, expected at least 2.", hint="Give more prompts.")
    if method == "pca" and len(positive.values) != len(negative.values):
        raise InputError(
            f"{name!r}: {len(positive.values)} positive and {len(negative.values)} negative rows; pca takes pairs.",
            hint="Use method='difference' for rows that are no pairs.",
        )


def _told(sites: Sequence[Site]) -> str:
    return ", ".join(f"{s.part} {s.block}" for s in sites)
