"""Axes: where round numbers lie, and what share of the width a value is at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from personae.reports._numbers import number

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_WHOLE_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in percent of its length."""

    at: str
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis from `low` to `high`, drawn in percent so that text keeps its size on any screen."""

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Percent of the axis length at which `value` lies."""
        return 100 * (value - self.low) / (self.high - self.low)

    def percent(self, value: float, *, flip: bool = False) -> str:
        """`at` as an SVG length; `flip` for the vertical axis, which SVG counts downwards."""
        share = self.at(value)
        return f"{100 - share if flip else share:.2f}%"

    def ticks(self, *, flip: bool = False) -> tuple[Tick, ...]:
        """Round numbers inside the axis."""
        first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if digits and abs(self.step * 10**digits - round(self.step * 10**digits)) > 1e-6:
            digits += 1
        elif not digits and self.step != int(self.step):
            digits = 1
        return tuple(
            Tick(self.percent(k * self.step, flip=flip), number(k * self.step, digits)) for k in range(first, last + 1)
        )


def scale_of(values: Sequence[float], *, include: Sequence[float] = (), intervals: int = 5, pad: float = 0.05) -> Scale:
    """An axis that holds all `values` and `include`, with `pad` of its length free at both ends.

    Whole values (turns, counts) get ticks at whole numbers.
    """
    known = [v for v in (*values, *include) if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    size = max(abs(low), abs(high))
    if high - low <= _SAME * max(size, 1e-3):  # one value, or values that no reader could tell apart
        middle, half = (low + high) / 2, size / 2 if size > _SAME else 0.5
        low, high = middle - half, middle + half
    margin = pad * (high - low)
    rough = (high - low) / intervals
    if all(float(v).is_integer() for v in known):
        return Scale(low - margin, high + margin, _step(max(1.0, rough), _WHOLE_STEPS))
    return Scale(low - margin, high + margin, _step(rough))


def scale_from_zero(values: Sequence[float], *, intervals: int = 4) -> Scale:
    """An axis for bars: starts at zero (or below, for negative values) and ends just beyond the longest."""
    high = max([*values, 0.0])
    low = min([*values, 0.0])
    if high - low <= _SAME:
        high = 1.0
    return Scale(low * 1.04, high * 1.04, _step((high - low) / intervals))


def _step(rough: float, steps: Sequence[float] = _STEPS) -> float:
    size = 10.0 ** math.floor(math.log10(rough))
    return next(s * size for s in steps if s * size >= rough * (1 - 1e-9))
