"""Measurement: a number that says where it comes from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from personae.core._facts import Frozen


class Span(Frozen):
    """An interval and how it was made."""

    low: float
    high: float
    level: float = Field(default=0.95, gt=0, lt=1)
    method: str


class Measurement(Frozen):
    """A named number with unit, direction, n, interval, method, seed, model, failures and evidence.

    A value that could not be computed is None and says why in `reason`; it is never 0.
    """

    name: str
    label: str
    value: float | None
    unit: str
    direction: Literal["higher is better", "lower is better", "neither"] = "neither"
    n: int = Field(ge=0)
    cluster: str
    """unit of randomisation that `n` counts"""
    rows: int | None = None
    """evidence rows behind it, when there are more rows than clusters"""
    interval: Span | None = None
    p: float | None = None
    """p-value of the test named in `method`, unadjusted"""
    p_adjusted: float | None = None
    method: str
    seed: int
    model: str
    failures: int = Field(default=0, ge=0)
    condition: str | None = None
    control: bool = False
    """True for a control: it should show nothing"""
    validated: str = "computed"
    """for judged numbers: agreement with a labelled set, or 'unvalidated'"""
    evidence: tuple[str, ...] = ()
    reason: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _honest(self) -> Self:
        if self.value is None and not self.reason:
            raise ValueError(f"measurement {self.name!r} has no value: say why in `reason`")
        if self.value is not None and self.interval is None and not self.reason:
            raise ValueError(
                f"measurement {self.name!r} has no interval: give one, or say in `reason` why there is none"
            )
        return self
