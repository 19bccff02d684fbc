"""Many simulated worlds: does a test find what was planted, and stay silent when nothing was?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from personae.core import InputError, derive_rng
from personae.statistics._proportions import wilson_interval
from personae.statistics._results import Interval, TestResult

World = TypeVar("World")


@dataclass(frozen=True, slots=True)
class WorldCount:
    """How many of `worlds` were flagged (p ≤ alpha); `undefined` gave NaN and count as not flagged."""

    worlds: int
    flagged: int
    undefined: int
    alpha: float

    @property
    def share(self) -> float:
        """Flagged share: the error rate under the null, the power under an effect."""
        return self.flagged / self.worlds

    @property
    def interval(self) -> Interval:
        """Wilson 95 % interval of the share."""
        return wilson_interval(self.flagged, self.worlds)


def worlds(
    n_worlds: int,
    seed: int,
    simulate: Callable[[np.random.Generator], World],
    test: Callable[[World, np.random.Generator], TestResult | float],
    *,
    alpha: float = 0.05,
) -> WorldCount:
    """Simulate `n_worlds` worlds, test each, and count the flagged ones.

    Args:
        n_worlds: at least 1. World i is a pure function of (seed, i).
        seed: root seed.
        simulate: makes one world's data from its own generator.
        test: gives the p-value of one world; it gets a second generator, so that the number of draws a test makes
            never changes the data.
        alpha: a world is flagged when p ≤ alpha.

    >>> worlds(100, 1, lambda rng: rng.random(), lambda p, rng: p).undefined
    0
    """
    if n_worlds < 1:
        raise InputError(f"n_worlds: got {n_worlds!r}, expected at least 1.", hint="1,000 separates .05 from .07.")
    flagged = undefined = 0
    for number in range(n_worlds):
        data = simulate(derive_rng(seed, "world", number))
        result = test(data, derive_rng(seed, "test", number))
        p = result.p if isinstance(result, TestResult) else float(result)
        undefined += math.isnan(p)
        flagged += p <= alpha
    return WorldCount(n_worlds, int(flagged), int(undefined), alpha)


def flagged_bounds(n_worlds: int, rate: float, *, level: float = 0.99) -> Interval:
    """Counts of flagged worlds that a true flagging rate of `rate` gives in at least `level` of all simulations.

    >>> bounds = flagged_bounds(1000, 0.05)
    >>> bounds.low, bounds.high
    (33.0, 69.0)
    """
    from scipy.special import bdtr

    if n_worlds < 1 or not 0 <= rate <= 1:
        raise InputError(f"got {n_worlds!r} worlds and rate {rate!r}.", hint="Expected n ≥ 1 and a share from 0 to 1.")
    tail = (1 - level) / 2
    below = bdtr(np.arange(n_worlds + 1), n_worlds, rate)
    low, high = int((below <= tail).sum()), int((below < 1 - tail).sum())
    return Interval(float(low), float(min(high, n_worlds)), level, "exact binomial")
