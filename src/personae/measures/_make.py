"""From estimates to Measurements: the one place where NaN becomes 'no value, because'."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from personae.core import Measurement, Span
from personae.statistics import Estimate, Interval, TestResult

Direction = Literal["higher is better", "lower is better", "neither"]


@dataclass(frozen=True, slots=True)
class Maker:
    """What all measurements of one analysis share."""

    model: str
    seed: int
    cluster: str = "person"
    failures: int = 0

    def estimate(
        self,
        name: str,
        label: str,
        found: Estimate,
        *,
        unit: str,
        method: str,
        direction: Direction = "neither",
        test: TestResult | None = None,
        control: bool = False,
        condition: str | None = None,
        note: str | None = None,
        validated: str = "computed",
    ) -> Measurement:
        """A Measurement of an estimate, with the p-value of `test` if there is one."""
        value = None if math.isnan(found.value) else found.value
        span = to_span(found.interval)
        reason = found.reason or (found.interval.reason if span is None else None)
        missing = f"{found.missing} missing left out. " if found.missing else ""
        return Measurement(
            name=name,
            label=label,
            value=value,
            unit=unit,
            direction=direction,
            n=found.clusters,
            cluster=self.cluster,
            rows=found.n if found.n != found.clusters else None,
            interval=span,
            p=None if test is None or value is None or math.isnan(test.p) else test.p,
            method=method if test is None else f"{method}; {test.method}",
            seed=self.seed,
            model=self.model,
            failures=self.failures,
            condition=condition,
            control=control,
            validated=validated,
            reason=(reason or "no interval could be made") if value is None or span is None else None,
            note=f"{missing}{note or ''}".strip() or None,
        )

    def number(
        self,
        name: str,
        label: str,
        value: float | None,
        *,
        unit: str,
        n: int,
        method: str,
        reason: str,
        direction: Direction = "neither",
        control: bool = False,
        condition: str | None = None,
        note: str | None = None,
    ) -> Measurement:
        """A Measurement that has no interval for a stated reason (a design quantity, one deterministic answer)."""
        return Measurement(
            name=name,
            label=label,
            value=value,
            unit=unit,
            direction=direction,
            n=n,
            cluster=self.cluster,
            method=method,
            seed=self.seed,
            model=self.model,
            failures=self.failures,
            control=control,
            condition=condition,
            reason=reason,
            note=note,
        )


def to_span(interval: Interval) -> Span | None:
    """The interval as stored; None when it could not be made."""
    if not interval.known:
        return None
    return Span(low=interval.low, high=interval.high, level=interval.level, method=interval.method)


def adjusted(measurements: list[Measurement], *, family: str) -> list[Measurement]:
    """The same measurements with Holm-adjusted p-values over all of them that carry a p-value."""
    from personae.statistics import holm

    tested = [k for k, m in enumerate(measurements) if m.p is not None]
    if not tested:
        return measurements
    p = holm([measurements[k].p or 0.0 for k in tested])
    out = list(measurements)
    for k, value in zip(tested, p, strict=True):
        note = f"{out[k].note} " if out[k].note else ""
        out[k] = out[k].model_copy(
            update={"p_adjusted": float(value), "note": f"{note}Holm over {len(tested)} tests ({family})."}
        )
    return out
