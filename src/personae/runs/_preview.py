"""Before a big job: run a few units for real, and say what the rest will cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from personae.core import InputError
from personae.runs._executor import Execution, Work
from personae.runs._progress import duration
from personae.runs._run import Run
from personae.runs._sync import run_sync
from personae.runs._units import Caps, Unit, usage_since

_LEVEL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Span90:
    """A sum that is still to come: best guess and 90 % prediction interval (None from a single pilot unit)."""

    expected: float
    low: float | None
    high: float | None

    def describe(self, unit: str = "") -> str:
        """`1,200 (900–1,500) calls`."""
        span = "" if self.low is None or self.high is None else f" ({self.low:,.0f}–{self.high:,.0f})"
        return f"{self.expected:,.0f}{span}{f' {unit}' if unit else ''}"


@dataclass(frozen=True, slots=True)
class Preview:
    """What the units that are left will cost, judged by a pilot.

    Times are wall-clock. The pilot runs one unit at a time; `seconds` expects the units in flight to overlap fully on a
    model that takes `parallel` calls at once, and its upper end expects no overlap at all.
    """

    units_total: int
    units_left: int
    pilot: int
    """units measured"""
    failed: int
    """pilot units that failed"""
    parallel: int
    calls: Span90
    prompt_tokens: Span90
    generated_tokens: Span90
    seconds: Span90

    @classmethod
    def total(cls, parts: Sequence[Preview]) -> Preview:
        """Stages that follow one another, added up.

        Ends of intervals are added too, so the sum's cover at least 90 %: stages do not all miss to the same side.
        """
        return cls(
            units_total=sum(p.units_total for p in parts),
            units_left=sum(p.units_left for p in parts),
            pilot=sum(p.pilot for p in parts),
            failed=sum(p.failed for p in parts),
            parallel=max((p.parallel for p in parts), default=1),
            calls=_added([p.calls for p in parts if p.units_left]),
            prompt_tokens=_added([p.prompt_tokens for p in parts if p.units_left]),
            generated_tokens=_added([p.generated_tokens for p in parts if p.units_left]),
            seconds=_added([p.seconds for p in parts if p.units_left]),
        )

    def money(self, *, prompt: float, generated: float) -> Span90:
        """Cost at a price per million prompt and generated tokens, in the currency of the prices."""
        p, g = self.prompt_tokens, self.generated_tokens

        def cost(a: float | None, b: float | None) -> float | None:
            return None if a is None or b is None else (a * prompt + b * generated) / 1e6

        expected = (p.expected * prompt + g.expected * generated) / 1e6
        return Span90(expected, cost(p.low, g.low), cost(p.high, g.high))

    def describe(self) -> str:
        """A few lines for a reader."""
        if not self.units_left:
            return f"all {self.units_total:,} units are done"
        if not self.pilot:
            return f"{self.units_left:,} of {self.units_total:,} units left; no pilot unit was left to judge them by"
        low, high = self.seconds.low, self.seconds.high
        span = "" if low is None or high is None else f" ({duration(low)} to {duration(high)})"
        basis = f"judged by {self.pilot} ({self.failed} of them failed); in brackets 90 % prediction intervals"
        lines = [
            f"{self.units_left:,} of {self.units_total:,} units left, {basis}",
            f"calls: {self.calls.describe()}",
            f"tokens: {self.prompt_tokens.describe('prompt')}, {self.generated_tokens.describe('generated')}",
            f"time: {duration(self.seconds.expected)}{span} at {self.parallel} in parallel",
        ]
        return "\n".join(lines)


async def estimate(
    run: Run,
    pilot_units: Sequence[Unit],
    work: Work,
    *,
    units_total: int,
    parallel: int = 1,
    caps: Caps | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 it is each unit's, not the call's
) -> Preview:
    """Run a few units one at a time, for real (they are committed and never run again), and extrapolate.

    Choose pilot units that stand for the whole; those that are done already are passed over and not judged by.

    Args:
        run: the run they belong to.
        pilot_units: units of one stage, part of the job.
        work: does one unit.
        units_total: units in the whole job, pilot included.
        parallel: calls the model takes at once, or units in flight if fewer (`min(concurrency, model.parallel)`).
        caps: hard limits, as for `execute`.
        timeout: seconds a unit may take.

    Raises:
        BudgetError: a cap is reached.
        InputError: `units_total` is smaller than the pilot.
        MissingError, StorageError, CapabilityError: as for `execute`.
    """
    if units_total < len(pilot_units) or parallel < 1:
        raise InputError(
            f"units_total={units_total!r}, parallel={parallel!r}, expected at least {len(pilot_units)} units "
            "(the pilot is part of them) and parallel from 1."
        )
    seconds: list[float] = []
    spent: list[tuple[int, int, int]] = []
    failed = 0
    for unit in pilot_units:
        if run.done(unit.key):
            continue
        before, start = run.usage, perf_counter()
        summary = await Execution(run, work, caps=caps, timeout=timeout, partial=True).go([unit])
        seconds.append(perf_counter() - start)
        used = usage_since(run.usage, before)
        spent.append((used.calls, used.prompt, used.generated))
        failed += summary.failed
    stages = {unit.stage for unit in pilot_units}
    left = max(0, units_total - sum(run.count(stage) for stage in stages))
    alone = _sum_to_come(seconds, left)
    return Preview(
        units_total=units_total,
        units_left=left,
        pilot=len(seconds),
        failed=failed,
        parallel=parallel,
        calls=_sum_to_come([s[0] for s in spent], left),
        prompt_tokens=_sum_to_come([s[1] for s in spent], left),
        generated_tokens=_sum_to_come([s[2] for s in spent], left),
        seconds=Span90(alone.expected / parallel, None if alone.low is None else alone.low / parallel, alone.high),
    )


def estimate_sync(
    run: Run,
    pilot_units: Sequence[Unit],
    work: Work,
    *,
    units_total: int,
    parallel: int = 1,
    caps: Caps | None = None,
    timeout: float | None = None,
) -> Preview:
    """`estimate`, waiting for the end; also inside a running event loop."""
    return run_sync(
        estimate(run, pilot_units, work, units_total=units_total, parallel=parallel, caps=caps, timeout=timeout)
    )


def _added(spans: Sequence[Span90]) -> Span90:
    expected = math.fsum(s.expected for s in spans)
    lows, highs = [s.low for s in spans], [s.high for s in spans]
    if None in lows or None in highs:
        return Span90(expected, None, None)
    return Span90(expected, math.fsum(x or 0.0 for x in lows), math.fsum(x or 0.0 for x in highs))


def _sum_to_come(seen: Sequence[float], left: int) -> Span90:
    """Sum over `left` more units like those `seen`: left·mean ± t·s·left·sqrt(1/n + 1/left).

    Source: prediction interval for a mean of m future normal values, e.g. Hahn & Meeker 1991, §4.8.
    """
    n = len(seen)
    if not left:
        return Span90(0.0, 0.0, 0.0)
    if not n:
        return Span90(0.0, None, None)
    mean = math.fsum(seen) / n
    if n == 1:
        return Span90(left * mean, None, None)
    from scipy.special import stdtrit

    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in seen) / (n - 1))
    half = float(stdtrit(n - 1, (1 + _LEVEL) / 2)) * spread * left * math.sqrt(1 / n + 1 / left)
    return Span90(left * mean, max(0.0, left * mean - half), left * mean + half)
