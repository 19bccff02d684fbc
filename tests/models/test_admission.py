from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from personae.core import EndpointError, InputError
from personae.models import Admission, Limits


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def _admission(time: Time, seed: int = 0, **limits: object) -> Admission:
    return Admission(Limits(**limits), seed=seed, clock=time, sleep=time.sleep)  # type: ignore[arg-type]


def _failing(times: int, **error: object) -> tuple[list[float], Callable[[int, float], Awaitable[str]]]:
    seen: list[float] = []

    async def call(place: int, seconds: float) -> str:
        seen.append(seconds)
        if len(seen) <= times:
            raise EndpointError("busy", **{"transient": True, **error})  # type: ignore[arg-type]
        return "ok"

    return seen, call


def test_transient_failures_are_tried_again_with_growing_capped_pauses() -> None:
    time = Time()
    seen, call = _failing(4)
    assert asyncio.run(_admission(time, retries=4, backoff=1.0, backoff_cap=3.0).run(call, "k")) == "ok"
    assert len(seen) == 5
    assert [0.5 * b <= s <= b for s, b in zip(time.slept, (1.0, 2.0, 3.0, 3.0), strict=True)] == [True] * 4


def test_jitter_depends_on_seed_and_call_alone() -> None:
    def pauses(seed: int, key: str) -> list[float]:
        time = Time()
        asyncio.run(_admission(time, seed=seed).run(_failing(3)[1], key))
        return time.slept

    assert pauses(1, "a") == pauses(1, "a")
    assert pauses(1, "a") != pauses(2, "a")
    assert pauses(1, "a") != pauses(1, "b")


def test_other_failures_are_not_tried_again() -> None:
    time = Time()
    seen, call = _failing(9, transient=False)
    with pytest.raises(EndpointError, match=r"^busy$"):
        asyncio.run(_admission(time).run(call, "k"))
    assert len(seen) == 1
    assert time.slept == []


def test_retries_end_and_say_how_many() -> None:
    seen, call = _failing(9)
    with pytest.raises(EndpointError, match=r"busy \(3 tries\)"):
        asyncio.run(_admission(Time(), retries=2).run(call, "k"))
    assert len(seen) == 3


def test_the_deadline_bounds_all_tries_together() -> None:
    time = Time()

    async def slow(place: int, seconds: float) -> str:
        time.now += seconds
        raise EndpointError("slow", transient=True)

    with pytest.raises(EndpointError, match="deadline of 10 s"):
        asyncio.run(_admission(time, timeout=4.0, deadline=10.0, retries=50).run(slow, "k"))
    assert time.now <= 10.0


def test_a_try_gets_no_more_time_than_is_left() -> None:
    time = Time()
    given: list[float] = []

    async def call(place: int, seconds: float) -> str:
        given.append(seconds)
        time.now += seconds
        raise EndpointError("slow", transient=True)

    with pytest.raises(EndpointError):
        asyncio.run(_admission(time, timeout=6.0, deadline=10.0, backoff=0.1).run(call, "k"))
    assert given[0] == 6.0
    assert given[1] < 4.0


def test_retry_after_pauses_everybody() -> None:
    time = Time()
    admission = _admission(time, backoff=0.1)
    starts: list[float] = []

    async def told() -> None:
        await admission.run(_failing(1, retry_after=7.0)[1], "told")

    async def other() -> None:
        async def call(place: int, seconds: float) -> None:
            starts.append(time.now)

        await admission.run(call, "other")

    async def scene() -> None:
        await told()
        await other()

    asyncio.run(scene())
    assert starts[0] >= 7.0


def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    time = Time()
    with pytest.raises(EndpointError, match="deadline") as caught:
        asyncio.run(_admission(time, deadline=5.0).run(_failing(1, retry_after=60.0)[1], "k"))
    assert time.slept == []
    assert caught.value.retry_after == 60.0


def test_the_rate_is_kept_after_the_burst() -> None:
    time = Time()
    admission = _admission(time, rate=2.0, burst=3, parallel=100)
    starts: list[float] = []

    async def call(place: int, seconds: float) -> None:
        starts.append(time.now)

    async def scene() -> None:
        for k in range(9):
            await admission.run(call, str(k))

    asyncio.run(scene())
    assert starts[:3] == [0.0, 0.0, 0.0]
    assert starts[3:] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def test_never_more_in_flight_than_the_window() -> None:
    admission = _admission(Time(), parallel=3)
    now = most = 0

    async def call(place: int, seconds: float) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(3):
            await asyncio.sleep(0)
        now -= 1

    async def scene() -> None:
        await asyncio.gather(*(admission.run(call, str(k)) for k in range(20)))

    asyncio.run(scene())
    assert most == 3


def test_the_window_halves_once_per_crowd_and_grows_back_slowly() -> None:
    time = Time()
    admission = _admission(time, parallel=8, retries=0)
    gate = asyncio.Event()

    async def refused(place: int, seconds: float) -> None:
        await gate.wait()
        time.now += 0.001
        raise EndpointError("busy", transient=True, fault="status 429")

    async def fine(place: int, seconds: float) -> None:
        time.now += 0.001

    async def scene() -> None:
        crowd = [asyncio.create_task(admission.run(refused, str(k))) for k in range(8)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*crowd, return_exceptions=True)
        assert admission.window == 4.0
        await admission.run(fine, "x")
        assert admission.window == 4.25
        for k in range(40):
            await admission.run(fine, str(k))
        assert admission.window == 8.0

    asyncio.run(scene())


def test_a_cancelled_waiter_leaves_no_gap() -> None:
    admission = _admission(Time(), parallel=1)
    gate = asyncio.Event()
    done: list[str] = []

    async def scene() -> None:
        async def hold(place: int, seconds: float) -> None:
            await gate.wait()

        async def note(name: str) -> None:
            done.append(name)

        first = asyncio.create_task(admission.run(hold, "a"))
        await asyncio.sleep(0)
        second = asyncio.create_task(admission.run(lambda k, t: note("b"), "b"))
        third = asyncio.create_task(admission.run(lambda k, t: note("c"), "c"))
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        await asyncio.gather(first, third)
        await admission.run(lambda k, t: note("d"), "d")

    asyncio.run(scene())
    assert done == ["c", "d"]


@pytest.mark.parametrize("bad", [{"parallel": 0}, {"rate": 0.0}, {"deadline": -1.0}, {"retries": -1}])
def test_limits_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Limits"):
        Limits(**bad)  # type: ignore[arg-type]
