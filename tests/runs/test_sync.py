"""The blocking twins do what the async verbs do, with and without a loop around them."""

import asyncio
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from personae.runs import execute, execute_sync, run_sync


async def _thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_without_a_loop_it_stays_in_the_thread() -> None:
    assert run_sync(_thread()) == threading.current_thread().name


def test_inside_a_loop_it_takes_a_thread() -> None:
    value = ContextVar("value", default=0)

    async def seen() -> int:
        return value.get()

    async def main() -> tuple[str, int]:
        value.set(5)
        return run_sync(_thread()), run_sync(seen())

    assert asyncio.run(main()) == ("personae-sync", 5)


def test_errors_come_through() -> None:
    async def bad() -> None:
        raise LookupError("gone")

    async def main() -> None:
        run_sync(bad())

    for call in (lambda: run_sync(bad()), lambda: asyncio.run(main())):
        with pytest.raises(LookupError, match="gone"):
            call()


def test_interrupt_while_waiting_cancels_the_coroutine(monkeypatch) -> None:
    cleaned, begun = [], threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    join, calls = threading.Thread.join, []

    def interrupted(self, timeout=None):
        calls.append(1)
        if len(calls) == 1:
            begun.wait()
            raise KeyboardInterrupt
        return join(self, timeout)

    async def main() -> None:
        monkeypatch.setattr(threading.Thread, "join", interrupted)
        try:
            run_sync(long())
        finally:
            monkeypatch.undo()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert cleaned == [True]


def test_twins_agree(start, fit, units, tmp_path: Path) -> None:
    async def work(unit):
        await asyncio.sleep(0)
        return [fit(unit.key)]

    async def awaited() -> None:
        with start(tmp_path / "a") as run:
            await execute(run, units(20), work)
            digests.append(run.digest())

    async def nested() -> None:
        with start(tmp_path / "b") as run:
            execute_sync(run, units(20), work)
            digests.append(run.digest())

    digests: list[str] = []
    asyncio.run(awaited())
    asyncio.run(nested())
    with start(tmp_path / "c") as run:
        execute_sync(run, units(20), work)
        digests.append(run.digest())
    assert len(set(digests)) == 1
    assert len(digests) == 3
