"""Batch law, failure law, limits, and what stops a run at once."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personae.core import (
    BudgetError,
    CapabilityError,
    EndpointError,
    FailureRow,
    FitRow,
    InputError,
    MissingWeightsError,
    ReplyError,
    RunFailedError,
    SchemaError,
    SlotRow,
    StorageError,
    VersionError,
    derive_rng,
)
from personae.models import GenerateRequest, Message, RecordedModel, Sampling, ScriptedModel, Usage
from personae.runs import Caps, Run, Unit, execute, execute_sync, open_run


def _work(fit, *, bad=()):
    """A unit that waits a little, returns a seeded number of rows, and fails if its payload is in `bad`."""

    async def work(unit):
        rng = derive_rng(7, unit.key)
        for _ in range(int(rng.integers(0, 3))):
            await asyncio.sleep(0)
        if unit.payload in bad:
            raise ReplyError(f"nothing usable for {unit.key}")
        return [fit(unit.key, k) for k in range(int(rng.integers(0, 4)))]

    return work


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.integers(0, 2**32), concurrency=st.sampled_from([1, 2, 8, 40]), part_rows=st.sampled_from([3, 7, 999]))
def test_batch_law(tmp_path_factory, fit, units, order, concurrency, part_rows) -> None:
    """Concurrency, arrival order and the size of parts change nothing."""
    digests, tables = [], []
    asked = {"study": "t", "spec": {}, "seed": 7, "model": None, "determinism": "exact"}
    shuffled = np.random.Generator(np.random.PCG64(order)).permutation(25)
    for sequence, workers, rows in (range(25), 1, 999), (shuffled, concurrency, part_rows):
        folder = tmp_path_factory.mktemp("run")
        todo = [units(25)[k] for k in sequence]
        with Run.create_or_resume(folder, **asked, part_rows=rows) as run:
            execute_sync(run, todo, _work(fit, bad={3, 17}), concurrency=workers)
            digests.append(run.digest())
            tables.append(run.table("fit"))
    assert digests[0] == digests[1]
    assert tables[0] == tables[1]


def test_failure_law(start, fit, units, tmp_path: Path) -> None:
    errors = {
        0: EndpointError("down"),
        1: ReplyError("nonsense"),
        2: SchemaError("no such field"),
        3: ValueError("at 0x7f00deadbeef"),
        4: KeyError("x"),
    }

    async def work(unit):
        if unit.payload in errors:
            raise errors[unit.payload]
        if unit.payload == 5:
            FitRow.model_validate({"unit": unit.key})
        if unit.payload == 6:
            return [fit("somebody else")]
        if unit.payload == 7:
            await asyncio.sleep(60)
        if unit.payload == 8:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0, ReplyError))
                raise ReplyError("inside a group")
        if unit.payload == 9:
            return [FailureRow(unit=unit.key, stage="s", boundary="tool", code="search", message="m"), fit(unit.key)]
        if unit.payload == 10:
            raise asyncio.CancelledError
        if unit.payload == 11:
            return None
        if unit.payload == 12:
            return [{"unit": unit.key}]
        if unit.payload == 13:
            return (fit(unit.key) for _ in range(1))
        return [fit(unit.key)]

    with start(tmp_path / "run") as run:
        summary = execute_sync(run, units(30), work, max_failure_share=0.5, timeout=0.2)
        rows = {r.unit[-2:]: r for r in run.rows(FailureRow)}
    assert (summary.done, summary.failed, summary.skipped, summary.failure_share) == (17, 13, 0, 13 / 30)
    assert {k: (r.boundary, r.code) for k, r in rows.items()} == {
        "00": ("provider", "endpoint"),
        "01": ("provider", "reply"),
        "02": ("parse", "schema"),
        "03": ("user_code", "ValueError"),
        "04": ("user_code", "KeyError"),
        "05": ("parse", "ValidationError"),
        "06": ("user_code", "input"),
        "07": ("provider", "timeout"),
        "08": ("provider", "reply"),
        "09": ("tool", "search"),
        "10": ("user_code", "CancelledError"),
        "11": ("user_code", "TypeError"),
        "12": ("user_code", "input"),
    }
    assert rows["03"].message == "at 0x…"
    assert rows["07"].message == "no result after 0.2 s"
    assert dict(summary.failures)["provider/reply"] == 2
    reader = open_run(tmp_path / "run")
    assert reader.state == "completed"
    assert reader.manifest.failure_share == pytest.approx(13 / 30)
    # Of a failed unit only the failure is kept: never a row, never a zero.
    assert len(reader.table("fit")) == 17
    reader.close()


def test_too_many_failures_end_as_failed_and_resume_mends(start, fit, units, tmp_path: Path) -> None:
    said = r"3 of 20 units failed \(15%\), allowed are 10%\. 3 × provider/reply"
    with pytest.raises(RunFailedError, match=said) as caught, start(tmp_path / "run") as run:
        execute_sync(run, iter(units(20)), _work(fit, bad={1, 2, 3}))
    assert caught.value.exit_code == 6
    assert not isinstance(caught.value, BudgetError)
    reader = open_run(tmp_path / "run")
    assert reader.state == "failed"
    assert reader.count() == 17
    assert reader.count(failed=True) == 3
    reader.close()
    tried = []

    async def second(unit):
        tried.append(unit.payload)
        return await _work(fit, bad={3})(unit)

    with start(tmp_path / "run") as run:
        summary = execute_sync(run, units(20), second, concurrency=1)
    assert tried == [1, 2, 3]
    assert (summary.done, summary.failed, summary.skipped) == (2, 1, 17)
    reader = open_run(tmp_path / "run")
    assert reader.state == "completed"
    assert [r["unit"] for r in reader.table("failures")] == ["trial/0003"]
    reader.close()
    with start(tmp_path / "whole") as run:
        execute_sync(run, units(20), _work(fit, bad={3}))
    assert run_digest(tmp_path / "run") == run_digest(tmp_path / "whole")


def run_digest(folder: Path) -> str:
    run = open_run(folder)
    try:
        return run.digest()
    finally:
        run.close()


def test_a_failed_run_that_is_caught_is_not_completed(start, fit, units, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        with pytest.raises(RunFailedError):
            execute_sync(run, units(4), _work(fit, bad={0}))
        execute_sync(run, units(2, "later"), _work(fit))
    assert run.state == "failed"
    assert run.manifest.stages["later"].state == "completed"


def test_hopeless_run_stops_early(start, fit, units, tmp_path: Path) -> None:
    tried = []

    async def work(unit):
        tried.append(unit.key)
        raise ReplyError("no")

    with start(tmp_path / "run") as run, pytest.raises(RunFailedError):
        execute_sync(run, units(5000), work, concurrency=1, max_failure_share=0.02)
    # 101 failures of 5,000 decide it; a group of 256 is committed before anybody counts.
    assert len(tried) == 256


@pytest.mark.parametrize(
    "error", [MissingWeightsError("m"), CapabilityError("c"), StorageError("s"), VersionError("v"), OSError(28, "full")]
)
def test_what_concerns_everybody_stops_at_once(start, fit, units, tmp_path: Path, error: Exception) -> None:
    async def work(unit):
        if unit.payload == 5:
            raise error
        return [fit(unit.key)]

    run = start(tmp_path / "run")
    with pytest.raises(StorageError if isinstance(error, OSError) else type(error)):
        execute_sync(run, units(1000), work, concurrency=1)
    assert run.manifest.state == "interrupted"
    assert run.count(failed=True) == 0
    assert run.count() == (0 if isinstance(error, (StorageError, OSError)) else 5)


def test_key_given_twice(start, fit, units, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with pytest.raises(InputError, match="'trial/0000' came twice"):
        execute_sync(run, [*units(300), units(1)[0]], _work(fit), concurrency=1)
    with pytest.raises(InputError, match="came twice"):
        execute_sync(run, [Unit("x", "s"), Unit("x", "s")], _work(fit), concurrency=2)
    with pytest.raises(InputError, match="concurrency is 0"):
        execute_sync(run, [], _work(fit), concurrency=0)
    with pytest.raises(InputError, match="max_failure_share is 2"):
        execute_sync(run, [], _work(fit), max_failure_share=2)
    with pytest.raises(InputError, match="timeout is 0"):
        execute_sync(run, [], _work(fit), timeout=0)


def test_units_are_taken_lazily_and_bounded(start, fit, tmp_path: Path) -> None:
    taken = running = most = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Unit(f"u{taken}", "s")

    async def work(unit):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return [fit(unit.key)]

    run = start(tmp_path / "run")
    with pytest.raises(BudgetError, match=r"cap of 0\.3 seconds"):
        execute_sync(run, endless(), work, concurrency=4, caps=Caps(seconds=0.3))
    assert most == 4
    assert taken - 5 <= run.count() <= taken
    assert run.complete() == "interrupted"


def test_error_in_the_plan_is_raised_as_it_is(start, fit, units, tmp_path: Path) -> None:
    def broken():
        yield from units(3)
        raise LookupError("no such person")

    run = start(tmp_path / "run")
    with pytest.raises(LookupError, match="no such person"):
        execute_sync(run, broken(), _work(fit), concurrency=1)
    assert run.manifest.state == "interrupted"
    assert run.count() == 3


def _asking(run: Run, fit):
    model = RecordedModel(ScriptedModel(["a b c"]), run.calls)

    async def work(unit):
        request = GenerateRequest(
            (Message("user", f"say {unit.key}"),), Sampling(max_tokens=4), tags={"unit": unit.key}
        )
        answer = await model.generate(request)
        assert answer.call
        return [fit(unit.key, cell=answer.text)]

    return work


def test_caps_on_calls_and_tokens_count_the_whole_run(start, fit, units, tmp_path: Path) -> None:
    said = r"cap of 7 calls stopped stage 'trial' \(used: 7\)"
    with pytest.raises(BudgetError, match=said), start(tmp_path / "run") as run:
        execute_sync(run, units(20), _asking(run, fit), concurrency=1, caps=Caps(calls=7))
    assert run.state == "interrupted"
    assert run.manifest.usage.calls == 7
    assert run.manifest.units_done == 7
    with start(tmp_path / "run") as run:
        assert run.usage.calls == 7
        used = run.usage.prompt + run.usage.generated
        assert used > 0
        with pytest.raises(BudgetError, match="tokens stopped"):
            execute_sync(run, units(20), _asking(run, fit), concurrency=1, caps=Caps(tokens=used + 1))
        assert run.count() == 8
        summary = execute_sync(run, units(20), _asking(run, fit), concurrency=1, caps=Caps(calls=20))
        assert summary.usage.calls == 12
        assert summary.skipped == 8
        assert {r.unit for r in run.calls.records()} == {u.key for u in units(20)}
    assert run.state == "completed"


def test_calls_are_durable_before_the_unit_that_made_them(start, fit, units, tmp_path: Path, monkeypatch) -> None:
    run = start(tmp_path / "run")
    order = []
    flush, commit = run.calls.flush, run.store.commit
    monkeypatch.setattr(run.calls, "flush", lambda: (order.append("calls"), flush())[1])
    monkeypatch.setattr(run.store, "commit", lambda *a: (order.append("units"), commit(*a))[1])
    execute_sync(run, units(3), _asking(run, fit))
    assert "units" in order
    assert all(order[k - 1] == "calls" for k, what in enumerate(order) if what == "units")


def test_slow_units_are_committed_while_others_run(start, fit, tmp_path: Path) -> None:
    async def main() -> None:
        run = start(tmp_path / "run")
        gate = asyncio.Event()

        async def work(unit):
            if unit.payload:
                await gate.wait()
            return [fit(unit.key)]

        todo = [Unit("quick", "s", 0), Unit("slow", "s", 1)]
        task = asyncio.create_task(execute(run, todo, work))
        async with asyncio.timeout(20):
            while not run.done("quick"):  # noqa: ASYNC110 a commit sets no event
                await asyncio.sleep(0.01)
        assert not run.done("slow")
        gate.set()
        assert (await task).done == 2

    asyncio.run(main())


def test_cancelled_execution_keeps_what_is_finished(start, fit, units, tmp_path: Path) -> None:
    async def main() -> None:
        run = start(tmp_path / "run")
        stuck = asyncio.Event()

        async def work(unit):
            if unit.payload == 3:
                stuck.set()
                await asyncio.sleep(60)
            return [fit(unit.key)]

        task = asyncio.create_task(execute(run, units(10), work, concurrency=1))
        await stuck.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert run.count() == 3
        assert run.manifest.state == "interrupted"
        assert run.manifest.reason == "stopped by the user"

    asyncio.run(main())


def test_integer_too_long_for_a_column_fails_its_unit(start, tmp_path: Path) -> None:
    async def work(unit):
        return [SlotRow(unit=unit.key, k=unit.payload, attempt=0, accepted=True, rule=None, fields="9" * 30)]

    todo = [Unit("fits", "s", 2**63 - 1), Unit("long", "s", 2**63)]
    with start(tmp_path / "run") as run:
        execute_sync(run, todo, work, max_failure_share=0.5)
        assert [r["k"] for r in run.table("slots")] == [2**63 - 1]
        assert "does not fit 64 bits" in run.table("failures")[0]["message"]


def test_summary_of_nothing(start, fit, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        summary = execute_sync(run, [], _work(fit))
    assert summary.units == 0
    assert summary.failure_share == 0
    assert summary.usage == Usage(calls=0)
    assert run.state == "completed"
