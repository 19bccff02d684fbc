"""A lock that lets units through one at a time, in the order they came, from any event loop and thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError


class Turnstile:
    """First come, first served. An asyncio lock belongs to one loop; this one belongs to none."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._queue: deque[Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for one's turn. A cancelled waiter leaves the queue and never holds the lock."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn: Future[None] = Future()
            self._queue.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except asyncio.CancelledError:
            # Cancelled in the same moment as the turn was given: pass it on.
            if turn.done() and not turn.cancelled():
                self.release()
            else:
                turn.cancel()
            raise

    def release(self) -> None:
        """Let the next one through."""
        with self._guard:
            while self._queue:
                turn = self._queue.popleft()
                try:
                    if turn.set_running_or_notify_cancel():
                        turn.set_result(None)
                        return
                except InvalidStateError:
                    continue
            self._taken = False
