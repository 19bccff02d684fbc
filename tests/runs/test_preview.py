"""The pilot is real work, and its extrapolation covers what follows."""

import asyncio
from pathlib import Path

import pytest

from personae.core import BudgetError, InputError, ReplyError, derive_rng
from personae.models import GenerateRequest, Message, RecordedModel, ScriptedModel
from personae.runs import Caps, Preview, Span90, estimate, estimate_sync, execute_sync
from personae.runs._preview import _sum_to_come


def _asking(run, fit):
    model = RecordedModel(ScriptedModel(["one two three"]), run.calls)

    async def work(unit):
        if unit.payload == 2:
            raise ReplyError("no")
        for turn in range(3):
            await model.generate(GenerateRequest((Message("user", f"{unit.key} {turn}"),), tags={"unit": unit.key}))
        await asyncio.sleep(0.002)
        return [fit(unit.key)]

    return work


def test_pilot_units_are_committed_and_extrapolated(start, fit, units, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    work = _asking(run, fit)
    preview = estimate_sync(run, units(5), work, units_total=100, parallel=2)
    assert (preview.units_total, preview.units_left, preview.pilot, preview.failed) == (100, 96, 5, 1)
    # Four units of three calls and one of none: the mean is 2.4.
    assert preview.calls.expected == pytest.approx(96 * 2.4)
    assert preview.calls.low < 96 * 2.4 < preview.calls.high
    assert preview.seconds.expected > 0
    assert preview.seconds.high > preview.seconds.expected
    assert preview.generated_tokens.expected > 0
    cost = preview.money(prompt=1.0, generated=2.0)
    expected = (preview.prompt_tokens.expected + 2 * preview.generated_tokens.expected) / 1e6
    assert cost.expected == pytest.approx(expected)
    text = preview.describe()
    assert "96 of 100 units left, judged by 5 (1 of them failed)" in text
    assert "calls: 230" in text
    assert run.manifest.stages["trial"].state == "running"
    summary = execute_sync(run, units(100), work)
    assert (summary.skipped, summary.done) == (4, 95)
    assert run.complete() == "completed"
    after = asyncio.run(estimate(run, units(2), work, units_total=99))
    assert after.units_left == 0
    assert after.describe() == "all 99 units are done"


def test_a_cap_holds_for_the_pilot(start, fit, units, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with pytest.raises(BudgetError, match="cap of 4 calls"):
        estimate_sync(run, units(5), _asking(run, fit), units_total=5, caps=Caps(calls=4))
    assert run.count() == 2


def test_stages_add_up() -> None:
    def part(left: int, low: float | None, high: float | None) -> Preview:
        span = Span90(10.0 * (left > 0), low, high)
        return Preview(9, left, 3, 1, 2, calls=span, prompt_tokens=span, generated_tokens=span, seconds=span)

    total = Preview.total([part(3, 8, 12), part(0, None, None), part(4, 9, 14)])
    assert (total.units_total, total.units_left, total.pilot, total.failed, total.parallel) == (27, 7, 9, 3, 2)
    assert total.calls == total.seconds == Span90(20, 17, 26)
    assert Preview.total([part(3, 8, 12), part(1, None, None)]).calls == Span90(20, None, None)
    assert Preview.total([]).describe() == "all 0 units are done"


def test_a_pilot_alone_is_not_a_completed_run(start, fit, units, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        estimate_sync(run, units(2), _asking(run, fit), units_total=10)
    assert run.state == "interrupted"


def test_single_pilot_unit_has_no_interval(start, fit, units, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    preview = estimate_sync(run, units(1), _asking(run, fit), units_total=4)
    assert preview.calls.expected == 9
    assert preview.calls.low is None
    assert preview.calls.high is None
    assert "calls: 9\n" in preview.describe()
    with pytest.raises(InputError, match="units_total=1"):
        estimate_sync(run, units(2), _asking(run, fit), units_total=1)


def test_interval_covers_nine_sums_of_ten() -> None:
    rng = derive_rng(11, "preview")
    hits = 0
    for _ in range(2000):
        draws = rng.normal(10, 3, size=5 + 20)
        span = _sum_to_come(draws[:5].tolist(), 20)
        hits += span.low <= draws[5:].sum() <= span.high
    # Binomial(2000, .9): 1800 ± 4 standard deviations of 13.4.
    assert 1746 <= hits <= 1854
