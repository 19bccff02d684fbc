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
            await lock.acquire()
            order.append(name)
            await asyncio.sleep(0)
            lock.release()

        await lock.acquire()
        tasks = []
        for name in range(8):
            tasks.append(asyncio.create_task(unit(name)))
            await asyncio.sleep(0)
        lock.release()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scene()) == list(range(8))


def test_one_at_a_time_across_loops_and_threads():
    lock, inside, most, passed = Turnstile(), [0], [0], [0]

    async def units():
        for _ in range(25):
            await lock.acquire()
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            await asyncio.sleep(0)
            inside[0] -= 1
            passed[0] += 1
            lock.release()

    async def loop():
        await asyncio.gather(*(units() for _ in range(3)))

    threads = [threading.Thread(target=lambda: asyncio.run(loop())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (most[0], passed[0]) == (1, 300)


@pytest.mark.parametrize("late", [False, True])
def test_who_is_cancelled_gives_the_turn_on(late):
    async def scene():
        lock = Turnstile()
        await lock.acquire()
        waiter = asyncio.create_task(lock.acquire())
        follower = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        if late:
            lock.release()
            waiter.cancel()
        else:
            waiter.cancel()
            await asyncio.sleep(0)
            lock.release()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await asyncio.wait_for(follower, 5)
        lock.release()
        await asyncio.wait_for(lock.acquire(), 5)

    asyncio.run(scene())
