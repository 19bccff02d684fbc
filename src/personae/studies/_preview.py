"""Before a big job: a few units of each stage, done for real in the run's own folder, and what the rest will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from personae.core import FailureRow, RunFailedError, derive_rng
from personae.models import Price, price_of
from personae.runs import Preview, Unit, estimate
from personae.studies._base import Stage
from personae.studies._driver import Job, Order, Say, opened

_PILOT: Final = 4
"""units of a stage; fewer make the interval very wide, more make the preview long"""


@dataclass(frozen=True, slots=True)
class StagePreview:
    """What a stage will still cost; `left` is None when it could not be tried before `waits_for` are finished."""

    stage: str
    units: int
    calls: int
    """model calls of the whole stage at most, as the plan counts them"""
    left: Preview | None
    waits_for: tuple[str, ...] = ()

    def lines(self, price: Price | None) -> list[str]:
        """For a reader."""
        if self.left is None:
            plan = f"{self.units:,} units, at most {self.calls:,} calls"
            return [f"{self.stage}: {plan}; not tried before {' and '.join(self.waits_for)} is done"]
        head, *rest = _lines(self.left, price)
        return [f"{self.stage}: {head}", *(f"  {line}" for line in rest)]

    def as_data(self, price: Price | None) -> dict[str, Any]:
        """For machines."""
        head = {"stage": self.stage, "units": self.units, "planned_calls": self.calls}
        rest = {"waits_for": list(self.waits_for)} if self.left is None else _data(self.left, price)
        return head | rest


@dataclass(frozen=True, slots=True)
class Previewed:
    """What the pilot found."""

    folder: Path
    stages: tuple[StagePreview, ...]
    reference: str
    """of the model"""

    @property
    def total(self) -> Preview:
        """All stages that were tried."""
        return Preview.total([s.left for s in self.stages if s.left is not None])

    def lines(self, price: Price | None = None) -> list[str]:
        """What is left, by stage and in all."""
        price = price or price_of(self.reference)
        untried = [s.stage for s in self.stages if s.left is None]
        name = f"total without {', '.join(untried)}" if untried else "total"
        head, *rest = _lines(self.total, price)
        unknown = "  money: unknown; --price PROMPT,GENERATED, per million tokens, says it"
        money = [f"  price: {price.said}"] if price else [unknown]
        return [
            *(line for stage in self.stages for line in stage.lines(price)),
            f"{name}: {head}",
            *(f"  {line}" for line in rest),
            *(money if rest else ()),
            "",
            f"The pilot's units are part of {self.folder}: the same command without --preview goes on from them.",
        ]

    def as_data(self, price: Price | None = None) -> dict[str, Any]:
        """The same for machines; `money` is null where nobody knows the price."""
        price = price or price_of(self.reference)
        return {
            "folder": str(self.folder),
            "preview": [s.as_data(price) for s in self.stages],
            "total": _data(self.total, price),
        }


async def preview_study(order: Order, *, say: Say, note: Say) -> Previewed:
    """Try every stage whose needs are finished, and judge what is left by that.

    A stage without model calls that a later one needs is done wholly. Everything done here belongs to the run.

    Raises:
        InputError, MissingError: as for `run_study`.
        RunFailedError: every pilot unit of a stage failed, or a cap was reached.
    """
    async with opened(order, say=say) as job:
        stages = job.stages
        found: list[StagePreview] = []
        for at, stage in enumerate(stages):
            needs = stage.needs if stage.needs is not None else tuple(s.name for s in stages[:at])
            waits = tuple(s.name for s in stages[:at] if s.name in needs and _undone(job, s))
            needed = any(s.needs is None or stage.name in s.needs for s in stages[at + 1 :])
            if not waits and not stage.calls and needed and _undone(job, stage):
                await job.execute(stage, say=say, note=note)
            left = None if waits else await _try(job, stage, note)
            found.append(StagePreview(stage.name, len(stage.units), stage.calls, left, waits))
        return Previewed(job.run.path, tuple(found), job.order.model)


def _undone(job: Job, stage: Stage) -> list[Unit]:
    return [unit for unit in stage.units if not job.run.done(unit.key)]


async def _try(job: Job, stage: Stage, note: Say) -> Preview:
    undone = _undone(job, stage)
    pilot = _sample(undone or stage.units, job.order.seed)  # done units are passed over, and are not run again
    if undone:
        note(f"{stage.name}: trying {len(pilot)} of {len(stage.units)} units")
    left = await estimate(
        job.run,
        pilot,
        job.work(),
        units_total=len(stage.units),
        parallel=max(1, min(job.order.concurrency, job.model.parallel)),
        caps=job.caps,
    )
    if left.pilot and left.failed == left.pilot:
        first = next(r for r in job.run.rows(FailureRow) if r.unit in {u.key for u in pilot})
        raise RunFailedError(
            f"stage {stage.name!r}: all {left.pilot} units that were tried failed; {first.unit!r}: {first.message}",
            hint="Nothing can be said about the rest. The same command tries again.",
        )
    return left


def _sample(units: Sequence[Unit], seed: int) -> list[Unit]:
    """A few units, drawn, so that no pattern of the plan (every second one is longer, say) can mislead."""
    if len(units) <= _PILOT:
        return list(units)
    drawn = derive_rng(seed, "preview", units[0].stage, len(units)).choice(len(units), _PILOT, replace=False)
    return [units[k] for k in sorted(drawn.tolist())]


def _lines(left: Preview, price: Price | None) -> list[str]:
    lines = left.describe().splitlines()
    if price and left.units_left:
        cost = left.money(prompt=price.prompt, generated=price.generated)
        span = "" if cost.low is None or cost.high is None else f" ({_amount(cost.low)}–{_amount(cost.high)})"
        lines.append(f"money: {_amount(cost.expected)}{span}")
    return lines


def _amount(money: float) -> str:
    return f"{money:,.2f}" if money >= 1 else f"{money:.2g}"


def _data(left: Preview, price: Price | None) -> dict[str, Any]:
    money = None if price is None else asdict(left.money(prompt=price.prompt, generated=price.generated))
    return asdict(left) | {"money": money}
