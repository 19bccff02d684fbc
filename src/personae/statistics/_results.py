"""What the functions of this room give back: values with interval and n, and the reason when something is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A range and how it was made. Both ends are NaN when it could not be made; `reason` then says why."""

    low: float
    high: float
    level: float
    method: str
    reason: str | None = None

    @classmethod
    def missing(cls, level: float, method: str, reason: str) -> Interval:
        """The interval that could not be made."""
        return cls(math.nan, math.nan, level, method, reason)

    @property
    def known(self) -> bool:
        """True when both ends are numbers."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    @property
    def width(self) -> float:
        """`high - low`; NaN when missing."""
        return self.high - self.low

    def contains(self, value: float) -> bool:
        """True when `value` lies inside, ends included. A missing interval contains nothing."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    `n` counts the observations used, `clusters` the units of randomisation behind them, `missing` the observations
    (or pairs) that were NaN and left out. `reason` says why the value or its interval is NaN.
    """

    value: float
    interval: Interval
    n: int
    clusters: int
    missing: int = 0
    reason: str | None = None

    def within(self, low: float, high: float) -> Self:
        """The same, its interval cut to what the number can be at all: a mean of shares lies between 0 and 1.

        >>> Estimate(0.5, Interval(-5.9, 6.9, 0.95, "t"), 10, 2).within(0, 1).interval
        Interval(low=0, high=1, level=0.95, method='t', reason=None)
        """
        if not self.interval.known:
            return self
        cut = replace(self.interval, low=max(low, self.interval.low), high=min(high, self.interval.high))
        return replace(self, interval=cut)


@dataclass(frozen=True, slots=True)
class PairedEstimate(Estimate):
    """Mean paired difference; `d_z` is the mean over the standard deviation of the units' differences."""

    d_z: float = math.nan
    d_z_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """A statistic and its p-value; `n` counts the units that were exchanged or compared.

    `draws` is None for exact and formula tests; Monte Carlo p-values are (1 + k) / (1 + draws) and never 0.
    """

    __test__: ClassVar[bool] = False  # the name would make test runners collect this class

    statistic: float
    p: float
    n: int
    method: str
    alternative: Alternative = "two-sided"
    draws: int | None = None
    df: float | None = None
    missing: int = 0
    reason: str | None = None


def no_estimate(reason: str, *, level: float, method: str, n: int, clusters: int, missing: int = 0) -> Estimate:
    """The estimate that could not be made."""
    return Estimate(math.nan, Interval.missing(level, method, reason), n, clusters, missing, reason)


def estimate(value: float, interval: Interval, *, n: int, clusters: int, missing: int = 0) -> Estimate:
    """An estimate whose reason is the one its interval gives, if any."""
    return Estimate(value, interval, n, clusters, missing, interval.reason)
