"""The executor: units from a lazy iterator, a bounded number at a time, committed in groups.

A unit is finished when its transaction is. Groups are committed at 256 units or after 50 ms, whichever is first: a
crash loses at most that, and what it loses simply runs again. A unit that fails becomes a failure row and is not tried
again in the same execution; the next execution (a resume) tries it again and its new outcome takes the old one's
place. What concerns every unit alike (missing weights, full disk, a model that cannot do what is asked) stops at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from time import perf_counter
from typing import Final, TypeAlias

from personae.core import BudgetError, FailureRow, InputError, PersonaeError, Row, RunFailedError, StorageError
from personae.models import Usage
from personae.runs._failures import failure_row, fatal, root_cause
from personae.runs._manifest import RunState, StageRecord
from personae.runs._progress import Progress, Status
from personae.runs._run import Run
from personae.runs._store import Finished
from personae.runs._units import Caps, Summary, Unit, tokens_of, usage_since

_log: Final = logging.getLogger(__name__)

GROUP_UNITS: Final = 256
GROUP_SECONDS: Final = 0.05

Work: TypeAlias = Callable[[Unit], Awaitable[Sequence[Row]]]
"""Does one unit and returns its evidence rows; each row's `unit` is the unit's key, and so is the key of its seeds."""


class Execution:
    """One call of `execute`. `partial` marks a pilot: its stage is not finished when it ends."""

    def __init__(
        self,
        run: Run,
        work: Work,
        concurrency: int = 1,
        max_failure_share: float = 1.0,
        caps: Caps | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
        *,
        partial: bool = False,
    ) -> None:
        _check(concurrency, max_failure_share, timeout)
        self._run, self._store, self._work = run, run.store, work
        self._concurrency, self._limit, self._caps = concurrency, max_failure_share, caps or Caps()
        self._progress, self._timeout, self._partial = progress, timeout, partial
        self._session = self._store.next_session()
        self._stage = ""
        self._total: int | None = None
        self._units: Iterator[Unit] = iter(())
        self._open: set[str] = set()
        self._ready: list[Finished] = []
        self._waiting = asyncio.Event()
        self._done = self._failed = self._skipped = 0
        self._failures: Counter[str] = Counter()
        self._example = ""
        self._stop: RunFailedError | None = None
        self._started = perf_counter()
        self._noted = 0.0
        self._usage_before = run.usage

    async def go(self, units: Iterable[Unit], total: int | None = None) -> Summary:
        """Do the units."""
        self._total = len(units) if total is None and isinstance(units, Sized) else total
        self._units = iter(units)
        if self._progress is not None:
            self._progress.start(self._status())
        try:
            await self._until_time_is_up()
            self._flush()
        except BaseException as error:
            cause = root_cause(error)
            self._break_off(cause)
            if cause is error:
                raise
            raise cause from cause.__cause__
        finally:
            if self._progress is not None:
                self._progress.finish(self._status())
        return self._end()

    # Workers -----------------------------------------------------------------------------------------------------

    async def _until_time_is_up(self) -> None:
        scope = asyncio.timeout(self._caps.seconds)
        try:
            async with scope:
                await self._all_workers()
        except TimeoutError:
            if not scope.expired():
                raise
            self._stop = self._over_budget("seconds")

    async def _all_workers(self) -> None:
        async with asyncio.TaskGroup() as group:
            committer = group.create_task(self._keep_committing())
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._concurrency):
                    workers.create_task(self._worker())
            committer.cancel()

    async def _worker(self) -> None:
        while self._stop is None:
            taken = self._next()
            if taken is None:
                return
            unit, replaces = taken
            self._stop = self._stop or self._reached_cap()
            if self._stop is not None:
                return
            await self._one(unit, replaces)
            if len(self._ready) >= GROUP_UNITS:
                self._flush()
                # Work that never waits would keep everybody else (Ctrl-C, timers) from their turn.
                await asyncio.sleep(0)

    def _next(self) -> tuple[Unit, int | None] | None:
        """The next unit that is not done, and the id of its failed attempt, if any."""
        for unit in self._units:
            if not self._stage:
                self._stage = unit.stage
                self._note("running", None)
            if unit.key in self._open:
                raise _twice(unit)
            known = self._store.lookup(unit.key)
            if known is not None and known.session == self._session:
                raise _twice(unit)
            if known is None or known.failed:
                self._open.add(unit.key)
                return unit, None if known is None else known.id
            self._skipped += 1
        return None

    async def _one(self, unit: Unit, replaces: int | None) -> None:
        started = perf_counter()
        scope = asyncio.timeout(self._timeout) if self._timeout is not None else None
        try:
            if scope is None:
                rows = tuple(await self._work(unit))
            else:
                async with scope:
                    rows = tuple(await self._work(unit))
            failed = any(isinstance(row, FailureRow) for row in rows)
            encoded = tuple(
                self._store.encode(row, unit.key) for row in rows if not failed or isinstance(row, FailureRow)
            )
            if failed:
                self._note_failure(next(row for row in rows if isinstance(row, FailureRow)))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something inside the unit was cancelled, not we: that is the unit's failure.
            failed, encoded = True, (self._failed_row(unit, error, timed_out=False),)
        except Exception as error:
            stopper = fatal(error, self._run.path)
            if stopper is not None:
                raise stopper from error
            timed_out = scope is not None and scope.expired() and isinstance(error, TimeoutError)
            failed, encoded = True, (self._failed_row(unit, error, timed_out=timed_out),)
        seconds = perf_counter() - started
        self._ready.append(Finished(unit.key, unit.stage, failed, encoded, seconds, replaces))
        self._waiting.set()

    def _failed_row(self, unit: Unit, error: BaseException, *, timed_out: bool) -> tuple[int, str]:
        row = failure_row(unit, error, timeout=self._timeout if timed_out else None)
        _log.debug("unit %r failed", unit.key, exc_info=error)
        self._note_failure(row)
        return self._store.encode(row, unit.key)

    def _note_failure(self, row: FailureRow) -> None:
        self._failures[f"{row.boundary}/{row.code}"] += 1
        self._example = self._example or f"{row.unit!r}: {row.message.rstrip('.')}"

    # Committing --------------------------------------------------------------------------------------------------

    async def _keep_committing(self) -> None:
        while True:
            await self._waiting.wait()
            await asyncio.sleep(GROUP_SECONDS)
            self._flush()

    def _flush(self) -> None:
        """Commit what is ready, calls first. Progress is told afterwards."""
        self._waiting.clear()
        if not self._ready:
            return
        batch, self._ready = self._ready, []
        self._run.flush_calls()
        self._store.commit(batch, self._session)
        for item in batch:
            self._open.discard(item.key)
            self._failed += item.failed
        self._done += sum(not item.failed for item in batch)
        if self._progress is not None:
            self._progress.update(self._status())
        if self._stop is None and self._total is not None and self._failed > self._limit * self._total:
            self._stop = self._over_limit()

    # Limits ------------------------------------------------------------------------------------------------------

    def _reached_cap(self) -> BudgetError | None:
        caps = self._caps
        if caps.seconds is not None and perf_counter() - self._started >= caps.seconds:
            return self._over_budget("seconds")
        if caps.calls is None and caps.tokens is None:
            return None
        used = self._run.usage
        if caps.calls is not None and used.calls >= caps.calls:
            return self._over_budget("calls")
        if caps.tokens is not None and tokens_of(used) >= caps.tokens:
            return self._over_budget("tokens")
        return None

    def _over_budget(self, name: str) -> BudgetError:
        used = self._run.usage
        spent = {"calls": used.calls, "tokens": tokens_of(used), "seconds": round(perf_counter() - self._started, 1)}
        return BudgetError(
            f"the cap of {getattr(self._caps, name):g} {name} stopped stage {self._stage!r} (used: {spent[name]:,}).",
            hint="Everything finished is kept. Give a higher cap and the same command to go on.",
        )

    def _over_limit(self) -> RunFailedError:
        seen = max(self._done + self._failed + self._skipped, 1)
        of = self._total if self._total is not None else seen
        kinds = ", ".join(f"{n} × {kind}" for kind, n in self._failures.most_common(3))
        return RunFailedError(
            f"stage {self._stage!r}: {self._failed:,} of {of:,} units failed ({self._failed / max(of, 1):.0%}), "
            f"allowed are {self._limit:.0%}. {kinds}; first: {self._example}.",
            hint="See table 'failures' of the run. The same command tries failed and unfinished units again.",
        )

    # Ending ------------------------------------------------------------------------------------------------------

    def _end(self) -> Summary:
        seen = self._done + self._failed + self._skipped
        if self._stop is None and self._failed > self._limit * seen:
            self._stop = self._over_limit()
        stop = self._stop
        state: RunState = "completed" if stop is None else "interrupted" if isinstance(stop, BudgetError) else "failed"
        self._note("running" if self._partial and stop is None else state, None if stop is None else stop.message)
        if stop is not None:
            raise stop
        return Summary(
            stage=self._stage,
            done=self._done,
            failed=self._failed,
            skipped=self._skipped,
            seconds=perf_counter() - self._started,
            usage=self._used(),
            failures=tuple(self._failures.most_common()),
        )

    def _break_off(self, cause: BaseException) -> None:
        """Save what can be saved. Whatever goes wrong here, `cause` is what the user gets to see."""
        with suppress(PersonaeError):
            if not isinstance(cause, StorageError):
                self._flush()
        stopped = isinstance(cause, (asyncio.CancelledError, KeyboardInterrupt))
        reason = "stopped by the user" if stopped else f"{type(cause).__name__}: {cause}"[:500]
        try:
            self._note("interrupted", reason)
            self._run.interrupt(reason)
        except PersonaeError as error:
            _log.warning("the manifest could not be written: %s", error)

    def _note(self, state: RunState, reason: str | None) -> None:
        record = StageRecord(
            state=state,
            done=self._done + self._skipped,
            failed=self._failed,
            failure_limit=self._limit,
            reason=reason,
        )
        if self._stage:
            seconds, self._noted = perf_counter() - self._started - self._noted, perf_counter() - self._started
            self._run.note_stage(self._stage, record, seconds=seconds)

    def _used(self) -> Usage:
        return usage_since(self._run.usage, self._usage_before)

    def _status(self) -> Status:
        return Status(
            stage=self._stage,
            done=self._done,
            failed=self._failed,
            skipped=self._skipped,
            total=self._total,
            seconds=perf_counter() - self._started,
            tokens=tokens_of(self._used()),
        )


def _check(concurrency: int, max_failure_share: float, timeout: float | None) -> None:
    if concurrency < 1:
        raise InputError(f"concurrency is {concurrency!r}, expected at least 1.")
    if not 0 <= max_failure_share <= 1:
        raise InputError(f"max_failure_share is {max_failure_share!r}, expected a share from 0 to 1.")
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout is {timeout!r} s, expected more than 0.", hint="Leave it out for none.")


def _twice(unit: Unit) -> InputError:
    return InputError(
        f"unit key {unit.key!r} came twice in stage {unit.stage!r}.",
        hint="Keys must be unique: put everything that tells units apart into them (person, condition, instrument).",
    )
