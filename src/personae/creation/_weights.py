"""Weights of records that meet controls on two levels: households by the household, and by the people in them.

The incidence matrix says how often a household counts for each control: 0 or 1 for controls of households, a number of
members for controls of people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from personae.core import InputError
from personae.creation._draws import Floats, Indexes

WeightMethod = Literal["raking", "ipu"]
CLOSE: Final = 1e-8
_STEPS: Final = 200
_LISTED: Final = 6


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control after the fit: what it asks for and what the weights give, in households or people."""

    control: str
    target: float
    found: float

    @property
    def error(self) -> float:
        """Relative error; the absolute one where the target is 0."""
        return (self.found - self.target) / self.target if self.target else self.found


@dataclass(frozen=True, slots=True, eq=False)
class WeightFit:
    """Weights, shape (records,), with what they reach. `rounds` are sweeps over all controls or Newton steps."""

    weights: Floats
    rows: tuple[ControlRow, ...]
    rounds: int
    converged: bool

    @property
    def worst(self) -> float:
        """Largest relative error."""
        return max((abs(row.error) for row in self.rows), default=0.0)


def ipu(
    incidence: Floats,
    targets: Floats,
    weights: Floats | None = None,
    *,
    names: Sequence[str] | None = None,
    rounds: int = 5000,
    close: float = CLOSE,
) -> WeightFit:
    """Iterative proportional updating: scale the records that count for each control in turn, until nothing moves.

    Args:
        incidence: shape (records, controls), not negative.
        targets: shape (controls,), above 0.
        weights: starting weights, shape (records,); 1 each by default.
        names: what to call the controls.
        rounds: most sweeps over all controls.
        close: stop when the largest relative error is below this.

    Raises:
        InputError: negative or NaN numbers, shapes that do not fit, a control that no record counts for.

    It moves all records that count for a control alike, so it may stop short of a solution that `rake_weights` finds
    (when every household holds some of the people asked for); `converged` tells.

    Source: Ye, Konduri, Pendyala, Sana and Waddell (2009), A methodology to match distributions of both household and
    person attributes in the generation of synthetic populations.

    Example:
        >>> fit = ipu(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([10.0, 8.0]))
        >>> fit.weights.round(3).tolist()
        [6.0, 4.0]
    """
    start, labels = _checked(incidence, targets, weights, names)
    if (targets <= 0).any():
        raise InputError("ipu: a target is 0 or negative.", hint="Drop the records that count for a target of 0.")
    out = start.copy()
    columns = [np.flatnonzero(incidence[:, c]) for c in range(len(targets))]
    turn, gap = 0, np.inf
    while turn < rounds and gap >= close:
        turn += 1
        for c, members in enumerate(columns):
            out[members] *= targets[c] / (incidence[members, c] @ out[members])
        gap = float(np.abs(incidence.T @ out / targets - 1).max())
    return WeightFit(out, _report(incidence, targets, out, labels), turn, gap < close)


def rake_weights(
    incidence: Floats, targets: Floats, weights: Floats | None = None, *, names: Sequence[str] | None = None
) -> WeightFit:
    """Generalised raking: the weights nearest to the start (in relative entropy) that meet all controls at once.

    The weights are start x exp(incidence · multipliers); the multipliers are found by Newton's method with halving.
    Controls may repeat each other. Without a solution the multipliers run away, and `converged` is False.

    Source: Deville and Särndal (1992), calibration estimators, with the exponential distance.
    """
    start, labels = _checked(incidence, targets, weights, names)
    scale = np.where(targets != 0, np.abs(targets), np.abs(incidence).T @ start + 1e-12)
    columns = incidence / scale
    goal = targets / scale
    multipliers = np.zeros(len(targets))

    def value(m: Floats) -> float:
        power = columns @ m
        return float("inf") if power.max() > 600 else float(start @ np.exp(power) - goal @ m)

    out, step, here = start.copy(), 0, value(multipliers)
    while step < _STEPS:
        gap = goal - columns.T @ out
        if np.abs(gap).max() < CLOSE:
            break
        step += 1
        curve = columns.T @ (columns * out[:, None])
        move = np.linalg.lstsq(curve + 1e-12 * np.trace(curve) / len(curve) * np.eye(len(curve)), gap, rcond=1e-12)[0]
        rate = 1.0
        while rate > 1e-8 and value(multipliers + rate * move) > here - 1e-4 * rate * float(gap @ move):
            rate /= 2
        if rate <= 1e-8:
            break
        multipliers = multipliers + rate * move
        here = value(multipliers)
        out = start * np.exp(columns @ multipliers)
    gap = float(np.abs(goal - columns.T @ out).max())
    return WeightFit(out, _report(incidence, targets, out, labels), step, gap < 1e-6)


def conflicts(incidence: Floats, targets: Floats, names: Sequence[str]) -> str:
    """Which controls stay short or over, and by how much, for the weights that miss them least; empty if none."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack

    size = len(targets)
    system: Any = hstack([csr_array(incidence.T), eye_array(size), -eye_array(size)]).tocsr()
    relative = 1 / np.where(
        targets != 0, np.abs(targets), np.abs(incidence).max(axis=0) * np.abs(targets).max() + 1e-12
    )
    cost = np.concatenate([np.zeros(len(incidence)), relative, relative])
    answer: Any = linprog(cost, A_eq=system, b_eq=targets, bounds=(0, None), method="highs")
    if not answer.success:
        return ""
    slack = answer.x[-2 * size : -size] - answer.x[-size:]
    told = [c for c in np.argsort(-np.abs(slack * relative)).tolist() if abs(slack[c] * relative[c]) > 1e-6]
    return "; ".join(
        f"{names[c]} {'short' if slack[c] > 0 else 'over'} by {abs(slack[c]):.4g}"
        + (f" of {targets[c]:.4g}" if targets[c] else "")
        for c in told[:_LISTED]
    )


def _checked(
    incidence: Floats, targets: Floats, weights: Floats | None, names: Sequence[str] | None
) -> tuple[Floats, list[str]]:
    records, controls = incidence.shape
    start = np.ones(records) if weights is None else np.asarray(weights, dtype=np.float64)
    labels = [f"control {c}" for c in range(controls)] if names is None else list(names)
    if targets.shape != (controls,) or start.shape != (records,) or len(labels) != controls:
        raise InputError(
            f"weights: incidence {incidence.shape}, targets {targets.shape}, weights {start.shape}, "
            f"{len(labels)} names.",
            hint="One row per record, one column, target and name per control.",
        )
    for what, numbers in (("incidence", incidence), ("targets", targets), ("weights", start)):
        if not np.isfinite(numbers).all() or (what == "weights" and (numbers < 0).any()):
            raise InputError(f"weights: {what} hold NaN, infinity or a negative number.", hint="Correct them.")
    if start.sum() <= 0:
        raise InputError("weights: all starting weights are 0.", hint="Give at least one record a weight.")
    alone = np.flatnonzero((np.abs(incidence[start > 0]).sum(axis=0) == 0) & (targets != 0))
    if len(alone):
        raise InputError(
            f"weights: no record counts for {labels[int(alone[0])]!r}, which asks for {targets[int(alone[0])]:g}.",
            hint="Add records, or set the target to 0.",
        )
    return start, labels


def _report(incidence: Floats, targets: Floats, weights: Floats, names: list[str]) -> tuple[ControlRow, ...]:
    found = incidence.T @ weights
    return tuple(ControlRow(n, float(t), float(f)) for n, t, f in zip(names, targets, found, strict=True))


# Whole households -----------------------------------------------------------------------------------------------------

_PROPOSALS: Final = 512
_BATCHES: Final = 600
_IDLE: Final = 12


def fill_blocks(weights: Floats, block: Indexes, quotas: Indexes, rng: np.random.Generator) -> Indexes:
    """Whole counts of records: per block a systematic sample of `quotas[block]` by weight."""
    counts = np.zeros(len(weights), dtype=np.int64)
    for b in np.flatnonzero(quotas > 0).tolist():
        members = np.flatnonzero(block == b)
        exact = weights[members] / weights[members].sum() * quotas[b]
        floor = np.floor(exact + 1e-9).astype(np.int64)
        left = int(quotas[b] - floor.sum())
        if left > 0:
            rest = np.maximum(exact - floor, 0.0)
            wheel = np.cumsum(rest if rest.sum() > 1e-9 else weights[members])
            points = (np.arange(left) + rng.random()) * (wheel[-1] / left)
            chosen = np.minimum(np.searchsorted(wheel, points, side="right"), len(members) - 1)
            floor = floor + np.bincount(chosen, minlength=len(members))
        counts[members] = floor
    return counts


def improve_counts(
    counts: Indexes, weights: Floats, block: Indexes, incidence: Floats, targets: Floats, rng: np.random.Generator
) -> float:
    """Exchange single records inside their block while the summed squared gap of the controls shrinks. In place.

    Half of the proposals follow the weights, half are even over all records of the block, which helps at the end.

    Args:
        counts: whole numbers, shape (records,).
        weights: shape (records,).
        block: group of each record; exchanges stay inside it, shape (records,).
        incidence: shape (records, controls), already scaled by how much a control matters.
        targets: shape (controls,), scaled likewise.
        rng: proposes the exchanges.

    Returns:
        The summed squared gap that is left.
    """
    usable = np.flatnonzero(weights > 0)
    order = usable[np.argsort(block[usable], kind="stable")]
    ends = np.searchsorted(block[order], np.arange(int(block.max()) + 1), side="right")
    starts = np.concatenate([[0], ends[:-1]])
    wheel = np.cumsum(weights[order])
    tops = wheel[np.maximum(ends - 1, 0)]
    floors = np.concatenate([[0.0], wheel])[starts]
    gap = incidence.T @ counts - targets
    idle = 0
    for _ in range(_BATCHES):
        if idle >= _IDLE or float(gap @ gap) < 1e-9:
            break
        people = np.cumsum(counts)
        out = np.searchsorted(people, rng.integers(0, people[-1], _PROPOSALS), side="right")
        home, u = block[out], rng.random(_PROPOSALS)
        weighted = np.minimum(
            np.searchsorted(wheel, floors[home] + u * (tops[home] - floors[home]), side="right"), ends[home] - 1
        )
        even = starts[home] + np.floor(u * (ends[home] - starts[home])).astype(np.int64)
        into = order[np.where(np.arange(_PROPOSALS) % 2 == 0, weighted, even)]
        step = incidence[into] - incidence[out]
        change = 2 * step @ gap + (step * step).sum(axis=1)
        made = False
        for c in np.argsort(change, kind="stable")[:32].tolist():
            if change[c] >= -1e-9:
                break
            if counts[out[c]] > 0 and float(2 * step[c] @ gap + step[c] @ step[c]) < -1e-9:
                counts[out[c]] -= 1
                counts[into[c]] += 1
                gap = gap + step[c]
                made = True
        idle = 0 if made else idle + 1
    return float(gap @ gap)
