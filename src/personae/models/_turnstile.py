"""Lets units through in the order they came, one per lane, from any event loop and thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError


class Turnstile:
    """First come, first served. An asyncio lock belongs to one loop; this one belongs to none.

    Args:
        lanes: how many may be inside at a time. Who is let in learns the number of their lane.
    """

    def __init__(self, lanes: int = 1) -> None:
        self._guard = threading.Lock()
        self._free = list(range(lanes))
        self._lanes = lanes
        self._queue: deque[Future[int]] = deque()

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._lanes - len(self._free)

    async def acquire(self) -> int:
        """Wait for one's turn; returns the lane. A cancelled waiter leaves the queue and never holds a lane."""
        with self._guard:
            if self._free:
                return self._free.pop(0)
            turn: Future[int] = Future()
            self._queue.append(turn)
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
                turn = self._queue.popleft()
                try:
                    if turn.set_running_or_notify_cancel():
                        turn.set_result(lane)
                        return
                except InvalidStateError:
                    continue
            self._free = sorted((*self._free, lane))
