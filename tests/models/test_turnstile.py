"""The lock that lets units through in order, from any loop and thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from personae.models._turnstile import Turnstile


def test_first_come_first_served():
    async def scene():
        lock, order = Turnstile(), []

        async def unit(name):
            lane = await lock.acquire()
            order.append(name)
            await asyncio.sleep(0)
            lock.release(lane)

        held = await lock.acquire()
        tasks = []
        for name in range(8):
            tasks.append(asyncio.create_task(unit(name)))
            await asyncio.sleep(0)
        lock.release(held)
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scene()) == list(range(8))


@pytest.mark.parametrize("lanes", [1, 3])
def test_one_per_lane_across_loops_and_threads(lanes):
    lock, inside, most, passed = Turnstile(lanes), [set()], [0], [0]

    async def units():
        for _ in range(25):
            lane = await lock.acquire()
            assert lane not in inside[0]
            inside[0].add(lane)
            most[0] = max(most[0], len(inside[0]))
            await asyncio.sleep(0)
            inside[0].remove(lane)
            passed[0] += 1
            lock.release(lane)

    async def loop():
        await asyncio.gather(*(units() for _ in range(3)))

    threads = [threading.Thread(target=lambda: asyncio.run(loop())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (most[0], passed[0]) == (lanes, 300)
    assert lock.inside == 0


@pytest.mark.parametrize("late", [False, True])
def test_who_is_cancelled_gives_the_turn_on(late):
    async def scene():
        lock = Turnstile()
        held = await lock.acquire()
        waiter = asyncio.create_task(lock.acquire())
        follower = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        if late:
            lock.release(held)
            waiter.cancel()
        else:
            waiter.cancel()
            await asyncio.sleep(0)
            lock.release(held)
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await asyncio.wait_for(follower, 5)
        lock.release(follower.result())
        await asyncio.wait_for(lock.acquire(), 5)

    asyncio.run(scene())
