"""Progress: a live line on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_EVERY_SECONDS: Final = 10.0
_EVERY_SHARE: Final = 0.05
_SHORTEST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    """How far an execution is. Told after each commit: what is counted here is on disk."""

    stage: str
    done: int
    failed: int
    skipped: int
    """finished before this execution"""
    total: int | None
    """units in all; None when nobody knows"""
    seconds: float
    tokens: int

    @property
    def seen(self) -> int:
        """Units that need no more work now."""
        return self.done + self.failed + self.skipped

    @property
    def eta(self) -> float | None:
        """Seconds left at the pace of this execution; None when that cannot be said."""
        worked = self.done + self.failed
        if self.total is None or not worked:
            return None
        return max(0, self.total - self.seen) * self.seconds / worked


class Progress(Protocol):
    """Somebody who wants to know. Called in the event loop: be quick."""

    def start(self, status: Status) -> None: ...
    def update(self, status: Status) -> None: ...
    def finish(self, status: Status) -> None:
        """Called once at the end, however the execution ended."""
        ...


class PlainProgress:
    """One line at a time through `write`: every 10 s, or every 5 % when that takes longer than a second."""

    def __init__(self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._last_time = 0.0
        self._last_seen = 0
        self._told = False

    def start(self, status: Status) -> None:
        """Remember where it begins."""
        self._last_time, self._last_seen = self._clock(), status.seen

    def update(self, status: Status) -> None:
        """Write a line if it is time."""
        waited = self._clock() - self._last_time
        share = (status.seen - self._last_seen) / status.total if status.total else 0.0
        if waited >= _EVERY_SECONDS or (share >= _EVERY_SHARE and waited >= _SHORTEST_SECONDS):
            self._line(status)

    def finish(self, status: Status) -> None:
        """Write the last line, unless it was just written."""
        if not self._told or status.seen != self._last_seen:
            self._line(status)

    def _line(self, status: Status) -> None:
        self._last_time, self._last_seen, self._told = self._clock(), status.seen, True
        self._write(describe(status))


class TerminalProgress:
    """A live bar on a terminal (rich): done, total, failures, tokens, time left."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, status: Status) -> None:
        """Show the bar."""
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[line]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(status.stage or "units", total=status.total, line="")
        self._bar.start()
        self.update(status)

    def update(self, status: Status) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            line = describe(status, name=False)
            self._bar.update(
                self._task, completed=status.seen, total=status.total, description=status.stage or "units", line=line
            )

    def finish(self, status: Status) -> None:
        """Leave one plain line in place of the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._console.print(describe(status), highlight=False, markup=False)


def progress_for(stream: TextIO | None = None, write: Callable[[str], None] | None = None) -> Progress:
    """A bar when `stream` (standard error unless given) is a terminal, plain lines otherwise.

    Args:
        stream: where the reader looks.
        write: takes plain lines; writes them to `stream` unless given.
    """
    target = stream or sys.stderr
    if target.isatty():
        from rich.console import Console

        return TerminalProgress(Console(file=target))

    def line(text: str) -> None:
        target.write(f"{text}\n")
        target.flush()

    return PlainProgress(write or line)


def describe(status: Status, *, name: bool = True) -> str:
    """One line: `dialogue: 40/200, 1 failed, 12,345 tokens, 31 s, about 2 min left`."""
    total = f"/{status.total:,}" if status.total is not None else ""
    parts = [f"{status.seen:,}{total}"]
    if status.skipped:
        parts.append(f"{status.skipped:,} from before")
    if status.failed:
        parts.append(f"{status.failed:,} failed")
    if status.tokens:
        parts.append(f"{status.tokens:,} tokens")
    parts.append(duration(status.seconds))
    if status.eta:
        parts.append(f"about {duration(status.eta)} left")
    return f"{status.stage or 'units'}: {', '.join(parts)}" if name else ", ".join(parts)


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
