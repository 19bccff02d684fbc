"""The lock that lets units through in order, from any loop and thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from personae.models._turnstile import Turnstile, shared


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


def order_of(prompts, first, lanes=1):
    """Who gets in, in turn, when all wait behind `first`."""

    async def scene():
        lock, order = Turnstile(lanes), []

        async def unit(prompt):
            lane = await lock.acquire(prompt)
            order.append(prompt)
            await asyncio.sleep(0)
            lock.release(lane)

        held = await lock.acquire(first)
        tasks = []
        for prompt in prompts:
            tasks.append(asyncio.create_task(unit(prompt)))
            await asyncio.sleep(0)
        lock.release(held)
        await asyncio.gather(*tasks)
        return order

    return asyncio.run(scene())


def test_prompts_that_begin_alike_follow_each_other():
    people = [((k, k, k),) for k in range(3)]
    asked = [(*person, (9, item)) for item in range(4) for person in people]  # item-major, as a careless caller asks
    got = order_of(asked, (*people[1], (9, 7)))
    assert [prompt[0] for prompt in got] == [p[0] for k in (1, 0, 2) for p in [people[k]] * 4]
    assert sorted(got) == sorted(asked)


def test_who_shares_nothing_is_not_passed_over_for_ever():
    mine, other = ((1, 2, 3),), ((7, 8),)
    got = order_of([other, *[mine] * 200], mine)
    assert got.index(other) == 64
    assert len(got) == 201


def test_shared_counts_tokens_of_whole_messages():
    assert shared([(1, 2), (3,)], [(1, 2), (4,)]) == 2
    assert shared([(1, 2)], [(1, 2), (4,)]) == 2
    assert shared([(1, 5)], [(1, 2)]) == 0
