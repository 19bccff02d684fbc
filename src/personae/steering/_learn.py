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

_FEW: Final = 12
"""Groups but one up to which all their exchanges are listed."""

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
    groups: Sequence[int] | None = None,
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
        groups: a number for each pair; pairs of one group (made with one system text) are alike, so they are never
            learnt from and judged at once, and change labels together. G groups have no p below 2 / 2^G.
        folds: rows are learnt from in all but one fold and judged in that one.
        shuffles: relabellings for the null (of groups, of pairs, or else within folds); 0 = none.
        random: random directions among the controls.
        penalty: of `logistic`.

    Raises:
        InputError: other sites, fewer than 2 rows of a kind, `pca` or groups without pairs, or a single group.
    """
    _check(name, positive, negative, method)
    sites = positive.sites
    rows = np.concatenate([positive.values, negative.values])
    labels = np.repeat([True, False], [len(positive.values), len(negative.values)])
    pair: NDArray[np.int64] = np.concatenate([np.arange(len(positive.values)), np.arange(len(negative.values))])
    group = _groups(groups, len(positive.values), len(negative.values), name)
    fold = _folds(group, folds, seed)

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
    relabelled = _relabelled(labels, fold, group, shuffles, derive_rng(seed, "shuffle", name))
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


def _groups(groups: Sequence[int] | None, positive: int, negative: int, name: str) -> list[NDArray[np.int64]]:
    """Group of every row, for the positive and the negative ones; the same array where they are pairs."""
    if groups is None:
        own = np.arange(positive)
        return [own, own] if positive == negative else [own, np.arange(negative)]
    if positive != negative or len(groups) != positive:
        raise InputError(
            f"{name!r}: {len(groups)} groups for {positive} positive and {negative} negative rows; expected one for "
            "each pair."
        )
    found = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if found.max() < 1:
        raise InputError(f"{name!r}: all pairs are of one group; nothing is left to judge on.", hint="Give more texts.")
    return [found, found]


def _relabelled(
    labels: NDArray[np.bool_],
    fold: NDArray[np.int64],
    group: list[NDArray[np.int64]],
    count: int,
    rng: np.random.Generator,
) -> list[NDArray[np.bool_]]:
    """Labels exchanged in whole groups of pairs, or within folds: both kinds stay as many in every fold.

    Of few groups every exchange is taken once at most; exchanging all of them is no other labelling and never taken.
    """
    if group[0] is group[1]:
        own = group[0]
        return [labels ^ np.concatenate([s[own], s[own]]) for s in _swaps(int(own.max()) + 1, count, rng)]
    out: list[NDArray[np.bool_]] = []
    for _ in range(count):
        made = labels.copy()
        for part in np.unique(fold):
            here = fold == part
            made[here] = rng.permutation(labels[here])
        out.append(made)
    return out


def _swaps(groups: int, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which groups are exchanged, shape (at most count, groups); the first never is."""
    free = groups - 1
    if free <= _FEW:
        codes = 1 + rng.permutation(2**free - 1)[:count]
        bits = (codes[:, None] >> np.arange(free)) & 1
    else:
        bits = rng.integers(0, 2, (count, free))
    return np.hstack([np.zeros((len(bits), 1), dtype=np.bool_), bits.astype(np.bool_)])


def _folds(group: list[NDArray[np.int64]], folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of every row; whole groups, as even as can be."""
    sides: list[NDArray[np.int64]] = []
    for side, own in zip(("positive", "negative"), group, strict=True):
        if sides and own is group[0]:
            sides.append(sides[0])
            continue
        count = int(own.max()) + 1
        most = min(folds, int(group[0].max()) + 1)
        sides.append(derive_rng(seed, "folds", side).permutation(np.arange(count) % most)[own])
    return np.concatenate(sides).astype(np.int64)


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
