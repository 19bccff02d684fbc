"""Lets units through, one per lane, from any event loop and thread: in the order they came, or by what they share."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

Chunks: TypeAlias = Sequence[Sequence[int]]
"""Token ids of a prompt, one group per message"""

_LOOKED_AT: Final = 256
"""waiters who are compared when a lane is free; the others came later"""
_PATIENCE: Final = 64
"""times that the one who waits longest may be passed over"""


@dataclass(slots=True, eq=False)
class _Waiter:
    prompt: Chunks
    turn: Future[int] = field(default_factory=Future[int])


class Turnstile:
    """First come, first served; or, among those who bring a prompt, whoever shares most with what the lane did last.

    An asyncio lock belongs to one loop; this one belongs to none.

    Args:
        lanes: how many may be inside at a time. Who is let in learns the number of their lane.
    """

    def __init__(self, lanes: int = 1) -> None:
        self._guard = threading.Lock()
        self._free = list(range(lanes))
        self._lanes = lanes
        self._queue: deque[_Waiter] = deque()
        self._last: dict[int, Chunks] = {}
        self._passed = 0

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._lanes - len(self._free)

    async def acquire(self, prompt: Chunks = ()) -> int:
        """Wait for one's turn; returns the lane. A cancelled waiter leaves the queue and never holds a lane."""
        with self._guard:
            if self._free:
                lane = self._free.pop(0)
                self._last[lane] = prompt
                return lane
            waiter = _Waiter(prompt)
            self._queue.append(waiter)
        turn = waiter.turn
        try:
            return await asyncio.wrap_future(turn)
        except asyncio.CancelledError:
            # Cancelled in the same moment as the turn was given: pass it on.
            if turn.done() and not turn.cancelled():
                self.release(turn.result())
            else:
                turn.cancel()
            raise

    def release(self, lane: int) -> None:
        """Leave a lane; the next one gets it."""
        with self._guard:
            while self._queue:
                waiter = self._next(self._last.get(lane, ()))
                try:
                    if waiter.turn.set_running_or_notify_cancel():
                        self._last[lane] = waiter.prompt
                        waiter.turn.set_result(lane)
                        return
                except InvalidStateError:
                    continue
            self._free = sorted((*self._free, lane))

    def _next(self, done: Chunks) -> _Waiter:
        best, most = 0, 0
        if done and self._passed < _PATIENCE:
            for place, waiter in enumerate(islice(self._queue, _LOOKED_AT)):
                common = shared(done, waiter.prompt)
                if common > most and not waiter.turn.cancelled():
                    best, most = place, common
        self._passed = self._passed + 1 if best else 0
        waiter = self._queue[best]
        del self._queue[best]
        return waiter


def shared(left: Chunks, right: Chunks) -> int:
    """Tokens of the messages that two prompts both begin with."""
    tokens = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        tokens += len(one)
    return tokens
