"""The one admission point in front of an endpoint: rate, concurrency, retries and deadlines live here and nowhere else.

- Rate: a token bucket.
- Concurrency: additive increase, multiplicative decrease. A call that is refused for load, or not answered in time,
  halves the window, at most once per window of calls; a call that succeeds widens it by 1/window, up to the ceiling.
- `Retry-After` pauses everybody, not only the call that was told so.
- Only transient failures are tried again, with capped exponential backoff and jitter drawn from (seed, call).
- The deadline of a call starts when it first gets a slot: waiting in line costs nothing.
- Several addresses each have a gate of their own. A call goes to the one that its prefix belongs to (so that servers
  find it in their caches), unless that one is busier than the others, or rests because nobody could reach it.
- A circuit breaker: when calls fail in a row, all their tries included, no further one is made.
"""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from personae.core import EndpointDownError, EndpointError, InputError, ReplyError, derive_rng
from personae.models._wrapper import current_notes

T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], Awaitable[object]]
Call: TypeAlias = Callable[[int, float], Awaitable[T]]
"""Gets the number of an address and the seconds it may take."""

_EPSILON: Final = 1e-9
_LOAD: Final = frozenset({"timeout", "status 408", "status 429", "status 503", "status 529"})
"""Faults that say that a server has too much to do."""

_UNEVEN: Final = 0.25
"""Share of its window by which a gate may be busier than the idlest one and still get the calls of its prefixes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked to bear.

    Attributes:
        parallel: most calls in flight, for each address.
        rate: calls per second on average, for each address; None for no limit.
        burst: calls that may start at once when the bucket is full.
        retries: how often a transient failure is tried again.
        backoff: seconds before the first retry; doubles each time.
        backoff_cap: longest pause between tries, in seconds (a Retry-After may be longer).
        timeout: seconds for one try.
        deadline: seconds for one call with all its tries, from its first slot.
        rest: seconds that an address which could not be reached is left alone, when there are others.
        breaker: calls that fail in a row, with all their tries, before no further one is made.
    """

    parallel: int = 8
    rate: float | None = None
    burst: int = 8
    retries: int = 6
    backoff: float = 0.5
    backoff_cap: float = 30.0
    timeout: float = 120.0
    deadline: float = 300.0
    rest: float = 15.0
    breaker: int = 10

    def __post_init__(self) -> None:
        for name in ("parallel", "burst", "timeout", "deadline", "backoff_cap", "breaker"):
            if not getattr(self, name) > 0:
                raise InputError(f"Limits: {name} is {getattr(self, name)!r}, expected a number above 0.")
        if self.retries < 0 or self.backoff < 0 or self.rest < 0 or (self.rate is not None and not self.rate > 0):
            raise InputError(f"Limits: retries, backoff, rest and rate cannot be negative, got {self!r}.")


class Gate:
    """What is in flight to one address, and how much may be."""

    def __init__(self, limits: Limits, clock: Clock, sleep: Sleep) -> None:
        self._limits, self._clock, self._sleep = limits, clock, sleep
        self.window = float(limits.parallel)
        self.rests_until = -math.inf
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._bucket = float(limits.burst)
        self._filled = clock()
        self._not_before = -math.inf
        self._halved = -math.inf

    @property
    def load(self) -> float:
        """Calls in flight and waiting, as a share of the window."""
        return (self._in_flight + len(self._waiting)) / max(1.0, self.window)

    async def enter(self) -> None:
        """Wait for room, and for the rate."""
        while self._in_flight >= max(1, int(self.window + _EPSILON)):
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
            self.leave()
            raise

    def leave(self) -> None:
        """Make room."""
        self._in_flight -= 1
        self._wake()

    def succeeded(self) -> None:
        """A call went well: a little more may be in flight."""
        self.window = min(float(self._limits.parallel), self.window + 1.0 / self.window)

    def learn(self, error: EndpointError | ReplyError, started: float) -> None:
        """A call failed."""
        if not isinstance(error, EndpointError) or not error.transient:
            return
        # Calls sent before the last cut say nothing about the new window; other faults say nothing about load.
        if started >= self._halved and error.fault in _LOAD:
            self.window = max(1.0, self.window / 2.0)
            self._halved = self._clock()
        if error.retry_after is not None:
            self._not_before = max(self._not_before, self._clock() + error.retry_after)
        if error.fault == "connection":
            self.rests_until = self._clock() + self._limits.rest

    async def _wait_for_rate(self) -> None:
        while True:
            now = self._clock()
            wait = self._not_before - now
            if self._limits.rate is not None:
                self._bucket = min(float(self._limits.burst), self._bucket + (now - self._filled) * self._limits.rate)
                self._filled = now
                wait = max(wait, (1.0 - self._bucket) / self._limits.rate)
            if wait <= _EPSILON:
                self._bucket -= 1.0
                return
            await self._sleep(wait)

    def _wake(self) -> None:
        room = max(1, int(self.window + _EPSILON)) - self._in_flight
        for turn in list(self._waiting):
            if room <= 0:
                return
            self._waiting.remove(turn)
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_result(None)
                room -= 1


class Admission:
    """Lets calls through to one endpoint, which may have several addresses.

    Args:
        limits: ceiling and patience.
        addresses: how many there are.
        seed: of the jitter.
        clock: seconds, monotonic.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        addresses: int = 1,
        seed: int = 0,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.limits = limits
        self.gates = [Gate(limits, clock, sleep) for _ in range(addresses)]
        self._seed, self._clock, self._sleep = seed, clock, sleep
        self._failed_in_a_row = 0
        self._last = ""

    @property
    def window(self) -> float:
        """How many calls may be in flight now, to all addresses together."""
        return sum(gate.window for gate in self.gates)

    async def run(self, call: Call[T], key: str, *, prefix: str = "") -> T:
        """Make `call` when there is room, again after transient failures.

        Args:
            call: raises `EndpointError` or `ReplyError` with `transient` set where a retry may help.
            key: stable name of the call; decides its jitter.
            prefix: calls with the same one go to the same address where they can.

        Raises:
            EndpointDownError: too many calls have failed in a row; nothing was sent.
            EndpointError, ReplyError: the last failure, when retries or the deadline are used up or the failure is not
                transient.
        """
        self._check_circuit()
        try:
            answer = await self._tries(call, key, prefix)
        except (EndpointError, ReplyError) as error:
            if not isinstance(error, EndpointDownError):
                self._failed_in_a_row += 1
                self._last = error.message
            raise
        self._failed_in_a_row = 0
        return answer

    async def _tries(self, call: Call[T], key: str, prefix: str) -> T:
        deadline: float | None = None
        attempt = 0
        notes = current_notes()
        while True:
            attempt += 1
            place = self._choose(prefix)
            gate = self.gates[place]
            await gate.enter()
            started = self._clock()
            deadline = started + self.limits.deadline if deadline is None else deadline
            try:
                self._check_circuit()
                answer = await call(place, min(self.limits.timeout, max(deadline - started, _EPSILON)))
            except EndpointDownError:
                raise
            except (EndpointError, ReplyError) as error:
                gate.learn(error, started)
                notes.faults[error.fault] = notes.faults.get(error.fault, 0) + 1
                notes.attempt = max(notes.attempt, attempt)
                pause = self._pause(error, attempt, key)
                late = self._clock() + pause >= deadline
                if not error.transient or attempt > self.limits.retries or late:
                    _say_tries(error, attempt, late=late and error.transient, limits=self.limits)
                    raise
            else:
                gate.succeeded()
                notes.attempt = max(notes.attempt, attempt)
                return answer
            finally:
                gate.leave()
            await self._sleep(pause)

    def _choose(self, prefix: str) -> int:
        """The address that the prefix belongs to; the idlest one where that is resting or clearly busier."""
        if len(self.gates) == 1:
            return 0
        now = self._clock()
        awake = [k for k, gate in enumerate(self.gates) if gate.rests_until <= now]
        if not awake:
            return min(range(len(self.gates)), key=lambda k: (self.gates[k].rests_until, k))
        idlest = min(awake, key=lambda k: (self.gates[k].load, k))
        home = zlib.crc32(prefix.encode("utf-8", "surrogatepass")) % len(self.gates)
        if home in awake and self.gates[home].load <= self.gates[idlest].load + _UNEVEN:
            return home
        return idlest

    def _check_circuit(self) -> None:
        if self._failed_in_a_row >= self.limits.breaker:
            raise EndpointDownError(
                f"{self._failed_in_a_row} calls failed in a row, so no more are made; the last one: {self._last}",
                hint="Finished work is kept. When the endpoint is well again, give the same command to go on.",
                fault="circuit open",
            )

    def _pause(self, error: EndpointError | ReplyError, attempt: int, key: str) -> float:
        told = error.retry_after if isinstance(error, EndpointError) else None
        if error.fault == "connection" and len(self.gates) > 1 and attempt < len(self.gates):
            return 0.0  # another address may be well
        grown = min(self.limits.backoff_cap, self.limits.backoff * 2.0 ** (attempt - 1))
        jitter = float(derive_rng(self._seed, "backoff", key, attempt).uniform(0.5, 1.0))
        return max(grown * jitter, told or 0.0)


def _say_tries(error: EndpointError | ReplyError, attempts: int, *, late: bool, limits: Limits) -> None:
    """Add to the message what was tried, for the person who reads it."""
    if attempts == 1 and not late:
        return
    why = f"; another try would not fit in the deadline of {limits.deadline:g} s" if late else ""
    tries = "1 try" if attempts == 1 else f"{attempts} tries"
    error.message = f"{error.message} ({tries}{why})"
    error.args = (error.message,)
