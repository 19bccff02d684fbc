"""Who computes when, on an engine in this process: lanes for units in exact mode, slots for calls in batched mode.

    exact      a unit holds a lane from its first call to its last; lanes are given in the order units came
    batched    calls run in several slots at once; nothing is held; a free slot goes to the call whose prompt
               shares most with what was computed there

Lanes and concurrency decide who waits, never what is computed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from personae.models._turnstile import Chunks, Turnstile

T = TypeVar("T")

_inside: ContextVar[tuple[_Ticket, ...]] = ContextVar("personae_lanes", default=())


@dataclass(slots=True, eq=False)
class _Ticket:
    """Says that the task that carries it holds a lane of `lanes`."""

    lanes: Lanes
    lane: int
    valid: bool = True

    def opens(self, lanes: Lanes) -> bool:
        return self.valid and self.lanes is lanes


class Lanes:
    """Worker threads of one model.

    Args:
        count: units side by side in exact mode, calls side by side in batched mode.
        exact: see the module's docstring.
        name: of the threads.
        check: raises when the model is closed; called before every call.
    """

    def __init__(self, count: int, *, exact: bool, name: str, check: Callable[[], None]) -> None:
        self.count, self._exact, self._check = count, exact, check
        self._turnstile = Turnstile(count)
        # A cancelled call may run on for a moment: one thread per lane keeps the next one off its engine.
        self._workers = [ThreadPoolExecutor(1, f"{name}-lane-{k}") for k in range(count if exact else 1)]
        self._slots = None if exact else ThreadPoolExecutor(count, f"{name}-slots")

    @property
    def inside(self) -> int:
        """Units that hold a lane now, or calls in slots."""
        return self._turnstile.inside

    @asynccontextmanager
    async def session(self, begin: Callable[[int], None]) -> AsyncGenerator[None]:
        """Hold a lane for one unit; `begin(lane)` clears what an earlier unit left there.

        Inner sessions join the outer. In batched mode nothing is held.
        """
        outer = _inside.get()
        if not self._exact or any(ticket.opens(self) for ticket in outer):
            yield
            return
        lane = await self._turnstile.acquire()
        ticket = _Ticket(self, lane)
        _inside.set((*outer, ticket))
        try:
            await self.call(lambda lane, _: begin(lane))
            yield
        finally:
            # Tasks that were started inside and still run have the ticket in their context: it opens nothing now.
            ticket.valid = False
            _inside.set(tuple(held for held in _inside.get() if held is not ticket))
            self._turnstile.release(lane)

    async def call(self, work: Callable[[int, threading.Event], T], *, alone: bool = False, prompt: Chunks = ()) -> T:
        """Run engine work off the event loop: in exact mode on the caller's lane, or on the next free one.

        Args:
            work: gets the lane, and an event that is set when the caller was cancelled.
            alone: in batched mode, do it on the one worker thread and not in a slot.
            prompt: what will be computed, for the choice of who gets a free slot.
        """
        self._check()
        held = next((ticket.lane for ticket in _inside.get() if ticket.opens(self)), None)
        waits = held is None and (self._exact or not alone)
        lane = await self._turnstile.acquire(() if self._exact else prompt) if waits else held or 0
        stop = threading.Event()
        try:
            self._check()
            pool = self._workers[lane] if alone or self._slots is None else self._slots
            return await asyncio.get_running_loop().run_in_executor(pool, work, lane, stop)
        except asyncio.CancelledError:
            stop.set()
            raise
        finally:
            if waits:
                self._turnstile.release(lane)

    async def drain(self) -> None:
        """Wait until what runs now has ended."""
        await asyncio.gather(*(asyncio.wrap_future(pool.submit(int)) for pool in self._pools))

    async def close(self) -> None:
        """End the threads."""
        for pool in self._pools:
            await asyncio.to_thread(pool.shutdown)

    @property
    def _pools(self) -> list[ThreadPoolExecutor]:
        return [*self._workers, *([self._slots] if self._slots else [])]
