"""The first closed question of a persona goes ahead; the rest follow as the server can use what it computed."""

from __future__ import annotations

import asyncio

import pytest

from personae.models import Usage
from personae.models._prefixes import Prefixes

KEPT = Usage(prompt=100, prefilled=10)
COMPUTED = Usage(prompt=100, prefilled=95)
SILENT = Usage(prompt=100, prefilled=100)


class Server:
    """Notes what is in flight for each prefix."""

    def __init__(self, usage: Usage) -> None:
        self.usage, self.inside, self.most, self.order = usage, dict[str, int](), dict[str, int](), list[str]()

    async def answer(self, prefix: str, name: str) -> tuple[str, Usage]:
        self.inside[prefix] = self.inside.get(prefix, 0) + 1
        self.most[prefix] = max(self.most.get(prefix, 0), self.inside[prefix])
        self.order.append(name)
        await asyncio.sleep(0.001)
        self.inside[prefix] -= 1
        return name, self.usage


async def ask(prefixes: Prefixes, server: Server, prefix: str, count: int) -> list[str]:
    calls = [prefixes.run(prefix, lambda k=k: server.answer(prefix, f"{prefix}{k}")) for k in range(count)]
    return [name for name, _ in await asyncio.gather(*calls)]


@pytest.mark.parametrize(("usage", "alone"), [(KEPT, False), (SILENT, False), (COMPUTED, True)])
def test_followers_wait_for_the_first_and_then_go_as_the_server_can(usage: Usage, alone: bool) -> None:
    prefixes, server = Prefixes(), Server(usage)

    async def scene() -> None:
        assert await ask(prefixes, server, "a", 8) == [f"a{k}" for k in range(8)]
        server.most.clear()
        await asyncio.gather(ask(prefixes, server, "b", 6), ask(prefixes, server, "c", 6))

    asyncio.run(scene())
    assert prefixes.one_at_a_time is alone
    assert server.order[:1] == ["a0"]
    assert (server.most["b"] == 1) is alone
    assert server.order[8:10] == ["b0", "c0"]  # personas do not wait for each other
    if not alone:
        assert server.most["b"] == 5  # all but the first at once


def test_a_failed_leader_hands_over() -> None:
    prefixes, server, tried = Prefixes(), Server(KEPT), list[int]()

    async def fails() -> tuple[str, Usage]:
        tried.append(1)
        raise RuntimeError("gone")

    async def scene() -> list[str]:
        broken = asyncio.create_task(prefixes.run("a", fails))
        await asyncio.sleep(0)
        rest = asyncio.create_task(ask(prefixes, server, "a", 4))
        with pytest.raises(RuntimeError, match="gone"):
            await broken
        return await rest

    assert asyncio.run(scene()) == ["a0", "a1", "a2", "a3"]
    assert tried == [1]
    assert server.most["a"] == 3  # a new leader went ahead alone


def test_it_works_in_one_loop_after_another() -> None:
    prefixes, server = Prefixes(), Server(COMPUTED)
    for _ in range(2):
        asyncio.run(ask(prefixes, server, "a", 6))
    assert server.order == [f"a{k}" for k in range(6)] * 2
    assert not prefixes._lines  # nothing is kept when nobody waits
