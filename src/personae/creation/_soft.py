"""The compromise between margins that cannot all be met: relative entropy with penalties.

Minimises KL(p | seed) + Σ λ_m KL(p_m | target_m) over distributions p that meet the hard margins exactly, by scaling
one margin after the other (block ascent in the dual): a hard margin multiplies its cells by target / found, a soft one
by (target / found)^(λ / (1 + λ)), both counted without the margin's own multiplier. Newton steps in the dual take over
when that creeps.

Source: Chizat, Peyré, Schmitzer and Vialard (2018), scaling algorithms for unbalanced optimal transport (the same
proximal step, here with margins of any dimension and the total kept at 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.creation._draws import Floats, Indexes, totals

_WARM: Final = 30
_ROUNDS: Final = 3000
_CLOSE: Final = 1e-9
_STEPS: Final = 500
_DAMPED: Final = 1e-13
_NEWTON: Final = 2000
"""Most margin cells for which the second derivatives are kept (32 MB)."""
_OPPOSED: Final = -0.3


@dataclass(frozen=True, slots=True, eq=False)
class SoftFit:
    """Shares (cells,), and per margin the logarithm of its multipliers: what it pulls at."""

    shares: Floats
    logs: list[Floats]
    rounds: int
    converged: bool


def soft_rake(
    weights: Floats, indexes: Sequence[Indexes], targets: Sequence[Floats], penalties: Sequence[float | None]
) -> SoftFit:
    """Distribution nearest to `weights` that meets hard margins (penalty None) and is drawn to the others.

    Args:
        weights: the seed over cells, not negative, shape (cells,).
        indexes: per margin, the margin cell of each cell.
        targets: per margin, shares that sum to 1; a share of 0 stays empty.
        penalties: per margin, λ, or None for a hard one.
    """
    live = weights > 0
    fit = _scale(weights / weights.sum(), [np.zeros(len(t)) for t in targets], indexes, targets, penalties, _WARM)
    if not fit.converged and sum(map(len, targets)) <= _NEWTON:
        logs = _newton(weights[live], fit.logs, [i[live] for i in indexes], targets, penalties)
        start = weights * np.exp(_exponent(logs, indexes, live))
        done = _scale(start / start.sum(), logs, indexes, targets, penalties, _ROUNDS)
        fit = SoftFit(done.shares, done.logs, fit.rounds + done.rounds, done.converged)
    elif not fit.converged:
        fit = _scale(fit.shares, fit.logs, indexes, targets, penalties, _ROUNDS)
    return fit


def _scale(
    shares: Floats,
    logs: list[Floats],
    indexes: Sequence[Indexes],
    targets: Sequence[Floats],
    penalties: Sequence[float | None],
    rounds: int,
) -> SoftFit:
    """One margin after the other, until no multiplier moves."""
    logs = list(logs)
    for turn in range(1, rounds + 1):
        moved = 0.0
        for k, (index, target, penalty) in enumerate(zip(indexes, targets, penalties, strict=True)):
            found = totals(index, shares, len(target))
            live = (found > 0) & (target > 0)
            power = 1.0 if penalty is None else penalty / (1 + penalty)
            bare = np.log(found, where=live, out=np.zeros_like(found)) - logs[k]
            goal = np.log(target, where=live, out=np.zeros_like(target))
            step = np.where(live, power * (goal - bare) - logs[k], 0.0)
            logs[k] = logs[k] + step
            step = step - np.log(float((found[live] * np.exp(step[live])).sum()))  # the total stays 1
            moved = max(moved, float(np.abs(step[live]).max(initial=0.0)))
            shares = shares * np.where(live, np.exp(step), 0.0)[index]
        if moved < _CLOSE:
            return SoftFit(shares / shares.sum(), logs, turn, converged=True)
    return SoftFit(shares / shares.sum(), logs, rounds, converged=False)


def _exponent(logs: Sequence[Floats], indexes: Sequence[Indexes], live: NDArray[np.bool_]) -> Floats:
    total = np.zeros(len(live))
    for index, own in zip(indexes, logs, strict=True):
        total += own[index]
    return np.where(live, total - total[live].max(), 0.0)


def _newton(
    weights: Floats,
    logs: Sequence[Floats],
    indexes: Sequence[Indexes],
    targets: Sequence[Floats],
    penalties: Sequence[float | None],
) -> list[Floats]:
    """Multipliers at the top of the dual, by Newton steps damped after Levenberg; scaling alone creeps on conflicts.

    Dual: Σ_hard target·u - Σ_soft λ Σ target (exp(-u/λ) - 1) - log Σ weights exp(Σ u).
    """
    sizes = [len(t) for t in targets]
    ends = np.cumsum([0, *sizes])
    goal = np.concatenate(targets)
    penalty = np.concatenate([np.full(n, np.inf if p is None else p) for n, p in zip(sizes, penalties, strict=True)])
    soft = np.isfinite(penalty)
    log_weights = np.log(weights)
    reached = np.concatenate([np.bincount(i, minlength=n) > 0 for i, n in zip(indexes, sizes, strict=True)]) & (
        goal > 0
    )

    def state(u: Floats) -> tuple[float, Floats, Floats]:
        """Dual value, shares, and what each margin cell would have by its multiplier alone."""
        exponent = log_weights.copy()
        for k, index in enumerate(indexes):
            exponent += u[ends[k] : ends[k + 1]][index]
        top = float(exponent.max())
        shares = np.exp(exponent - top)
        total = float(shares.sum())
        with np.errstate(over="ignore"):  # a step too far: its value is -inf, and it is not taken
            wanted = goal * np.exp(np.where(soft, -u / np.where(soft, penalty, 1.0), 0.0))
        gain = np.where(soft, -np.where(soft, penalty, 0.0) * (wanted - goal), goal * u)
        return float(gain.sum()) - top - np.log(total), shares / total, wanted

    def slope_at(shares: Floats, wanted: Floats) -> tuple[Floats, Floats]:
        found = np.concatenate([totals(i, shares, n) for i, n in zip(indexes, sizes, strict=True)])
        return found, np.where(reached, wanted - found, 0.0)

    u, damping = np.concatenate(logs), _DAMPED
    value, shares, wanted = state(u)
    found, slope = slope_at(shares, wanted)
    for _ in range(_STEPS):
        if np.abs(slope).max() < 1e-14:
            break
        curve = -np.outer(found, found)
        for a, index in enumerate(indexes):
            for b in range(a + 1):
                both = totals(index * sizes[b] + indexes[b], shares, sizes[a] * sizes[b]).reshape(sizes[a], sizes[b])
                curve[ends[a] : ends[a + 1], ends[b] : ends[b + 1]] += both
                if a != b:
                    curve[ends[b] : ends[b + 1], ends[a] : ends[a + 1]] += both.T
        curve[np.diag_indices(len(u))] += np.where(soft, wanted / np.where(soft, penalty, 1.0), 0.0)
        roots, axes = np.linalg.eigh(curve)
        along = axes.T @ slope
        while damping < 1e6:
            tried = u + axes @ (along / (np.maximum(roots, 0.0) + damping))
            there = state(tried)
            found, ahead = slope_at(there[1], there[2])
            flat = abs(there[0] - value) <= 1e-12 * (1 + abs(value))  # no more to see in the value: go by its slope
            if (there[0] > value and not flat) or (flat and np.abs(ahead).max() < np.abs(slope).max()):
                break
            damping *= 10
        else:
            break
        damping = max(damping / 30, _DAMPED)
        u, (value, shares, wanted), slope = tried, there, ahead
    return [u[ends[k] : ends[k + 1]] for k in range(len(sizes))]


def pulls(fit: SoftFit, indexes: Sequence[Indexes], off: Sequence[bool]) -> list[tuple[int, int, float]]:
    """Pairs of margins, one of them off target, whose multipliers are opposed over the people; strongest first."""
    live = fit.shares > 0
    p = fit.shares[live]
    forces: list[Floats] = []
    for index, logs in zip(indexes, fit.logs, strict=True):
        force = logs[index[live]]
        force = force - (p * force).sum()
        size = float(np.sqrt((p * force**2).sum()))
        forces.append(force / size if size > 1e-9 else np.zeros_like(force))
    out = [
        (b, a, float((p * forces[a] * forces[b]).sum()))
        for a in range(len(forces))
        for b in range(a)
        if off[a] or off[b]
    ]
    return sorted([x for x in out if x[2] < _OPPOSED], key=lambda x: x[2])
