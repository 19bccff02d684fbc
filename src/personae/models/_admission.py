"""The one admission point in front of an endpoint: rate, concurrency, retries and deadlines live here and nowhere else.

- Rate: a token bucket.
- Concurrency: additive increase, multiplicative decrease. A call that is refused for load halves the window, at most
  once per window of calls; a call that succeeds widens it by 1/window, up to the ceiling.
- `Retry-After` pauses everybody, not only the call that was told so.
- Only transient failures are tried again, with capped exponential backoff and jitter drawn from (seed, call).
- The deadline of a call starts when it first gets a slot: waiting in line costs nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from personae.core import EndpointError, InputError, derive_rng
from personae.models._wrapper import current_notes

T = TypeVar("T")

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]

_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked to bear.

    Attributes:
        parallel: most calls in flight.
        rate: calls per second on average; None for no limit.
        burst: calls that may start at once when the bucket is full.
        retries: how often a transient failure is tried again.
        backoff: seconds before the first retry; doubles each time.
        backoff_cap: longest pause between tries, in seconds (a Retry-After may be longer).
        timeout: seconds for one try.
        deadline: seconds for one call with all its tries, from its first slot.
    """

    parallel: int = 8
    rate: float | None = None
    burst: int = 8
    retries: int = 4
    backoff: float = 0.5
    backoff_cap: float = 30.0
    timeout: float = 120.0
    deadline: float = 300.0

    def __post_init__(self) -> None:
        for name in ("parallel", "burst", "timeout", "deadline", "backoff_cap"):
            if not getattr(self, name) > 0:
                raise InputError(f"Limits: {name} is {getattr(self, name)!r}, expected a number above 0.")
        if self.retries < 0 or self.backoff < 0 or (self.rate is not None and not self.rate > 0):
            raise InputError(f"Limits: retries, backoff and rate cannot be negative, got {self!r}.")


class Admission:
    """Lets calls through to one endpoint.

    Args:
        limits: ceiling and patience.
        seed: of the jitter.
        clock: seconds, monotonic.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self, limits: Limits, *, seed: int = 0, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.limits = limits
        self._seed = seed
        self._clock = clock
        self._sleep = sleep
        self._window = float(limits.parallel)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._bucket = float(limits.burst)
        self._filled = clock()
        self._not_before = -math.inf
        self._halved = -math.inf

    @property
    def window(self) -> float:
        """How many calls may be in flight now."""
        return self._window

    async def run(self, call: Callable[[float], Awaitable[T]], key: str) -> T:
        """Make `call(timeout)` when there is room, again after transient failures.

        Args:
            call: gets the seconds it may take; raises `EndpointError` with `transient` set where a retry may help.
            key: stable name of the call; decides its jitter.

        Raises:
            EndpointError: the last failure, when retries or the deadline are used up or the failure is not transient.
        """
        deadline: float | None = None
        attempt = 0
        while True:
            attempt += 1
            await self._enter()
            started = self._clock()
            deadline = started + self.limits.deadline if deadline is None else deadline
            try:
                answer = await call(min(self.limits.timeout, max(deadline - started, _EPSILON)))
            except EndpointError as error:
                self._learn(error, started)
                pause = self._pause(error, attempt, key)
                late = self._clock() + pause >= deadline
                if not error.transient or attempt > self.limits.retries or late:
                    _say_tries(error, attempt, late=late and error.transient, limits=self.limits)
                    raise
            else:
                self._window = min(float(self.limits.parallel), self._window + 1.0 / self._window)
                notes = current_notes()
                notes.attempt = max(notes.attempt, attempt)
                return answer
            finally:
                self._leave()
            await self._sleep(pause)

    async def _enter(self) -> None:
        while self._in_flight >= max(1, int(self._window + _EPSILON)):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # our turn came as we were cancelled: pass it on
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._in_flight += 1
        try:
            await self._wait_for_rate()
        except BaseException:
            self._leave()
            raise

    async def _wait_for_rate(self) -> None:
        while True:
            now = self._clock()
            wait = self._not_before - now
            if self.limits.rate is not None:
                self._bucket = min(float(self.limits.burst), self._bucket + (now - self._filled) * self.limits.rate)
                self._filled = now
                wait = max(wait, (1.0 - self._bucket) / self.limits.rate)
            if wait <= _EPSILON:
                self._bucket -= 1.0
                return
            await self._sleep(wait)

    def _leave(self) -> None:
        self._in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        room = max(1, int(self._window + _EPSILON)) - self._in_flight
        for turn in list(self._waiting):
            if room <= 0:
                return
            self._waiting.remove(turn)
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_result(None)
                room -= 1

    def _learn(self, error: EndpointError, started: float) -> None:
        if not error.transient:
            return
        if started >= self._halved:  # calls sent before the last cut say nothing about the new window
            self._window = max(1.0, self._window / 2.0)
            self._halved = self._clock()
        if error.retry_after is not None:
            self._not_before = max(self._not_before, self._clock() + error.retry_after)

    def _pause(self, error: EndpointError, attempt: int, key: str) -> float:
        grown = min(self.limits.backoff_cap, self.limits.backoff * 2.0 ** (attempt - 1))
        jitter = float(derive_rng(self._seed, "backoff", key, attempt).uniform(0.5, 1.0))
        return max(grown * jitter, error.retry_after or 0.0)


def _say_tries(error: EndpointError, attempts: int, *, late: bool, limits: Limits) -> None:
    """Add to the message what was tried, for the person who reads it."""
    if attempts == 1 and not late:
        return
    why = f"; another try would not fit in the deadline of {limits.deadline:g} s" if late else ""
    tries = "1 try" if attempts == 1 else f"{attempts} tries"
    error.message = f"{error.message} ({tries}{why})"
    error.args = (error.message,)
