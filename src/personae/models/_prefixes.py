"""Closed questions of one persona share nearly all of their prompt: the first goes ahead, so that a server has it.

Some servers keep what they computed for all their slots, others only for the slot that computed it. On the first kind
the rest may follow all at once; on the second each of them would compute the prompt again in a slot of its own, so they
go one after another, and other personas fill the other slots. Which kind it is is learnt from what the server counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from personae.models._protocol import Usage

T = TypeVar("T")

_HALF: Final = 0.5
_MISSES: Final = 3
"""followers that computed most of their prompt before a server counts as of the second kind"""


@dataclass(slots=True)
class _Line:
    """Calls with one prefix, in one event loop."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    led: bool = False
    users: int = 0


class Prefixes:
    """Lets calls with the same prefix through, after the first of them.

    >>> Prefixes().one_at_a_time
    False
    """

    def __init__(self) -> None:
        self.one_at_a_time = False
        self._lines: dict[tuple[int, str], _Line] = {}
        self._misses = 0

    async def run(self, prefix: str, call: Callable[[], Awaitable[tuple[T, Usage]]]) -> tuple[T, Usage]:
        """Make `call`, which tells what it cost, when its turn has come."""
        key = id(asyncio.get_running_loop()), prefix
        line = self._lines.setdefault(key, _Line())
        line.users += 1
        try:
            async with line.lock:
                if self.one_at_a_time or not line.led:
                    answer = await call()
                    line.led = True
                    return answer
            answer = await call()
            self._learn(answer[1])
            return answer
        finally:
            line.users -= 1
            if not line.users:
                del self._lines[key]

    def _learn(self, usage: Usage) -> None:
        """A follower was answered. A server that never says what it kept is left as it is."""
        if 0 < usage.prefilled < usage.prompt:
            kept = 1 - usage.prefilled / usage.prompt
            self._misses = self._misses + 1 if kept < _HALF else 0
            self.one_at_a_time = self.one_at_a_time or self._misses >= _MISSES
