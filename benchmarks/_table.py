"""What the benchmarks share: a table of measured numbers, and CPU time of fresh processes."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Line:
    """One measured number. `values` are its repetitions; the median is shown with the smallest and the largest."""

    what: str
    values: Sequence[float]
    unit: str
    how: str
    target: tuple[Literal["at most", "at least"], float] | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def missed(self) -> bool:
        if self.target is None:
            return False
        side, bound = self.target
        return self.median > bound if side == "at most" else self.median < bound


def show(lines: Sequence[Line]) -> None:
    """Print the machine, the table, and a line for every target that was missed."""
    print(
        f"machine: {machine()}; at the end: load {os.getloadavg()[0]:.2f}, {loop_speed():.0f} ns a turn of a plain loop"
    )
    head = ("what", "median", "range", "unit", "n", "how")
    rows = [head, *((x.what, _n(x.median), _range(x), x.unit, str(len(x.values)), x.how) for x in lines)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    for row in rows:
        cells = [c.rjust(w) if k in {1, 4} else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        print("  ".join(cells).rstrip())
    for line in lines:
        if line.missed and line.target is not None:
            print(f"over the target: {line.what}: {_n(line.median)} {line.unit}, {line.target[0]} {line.target[1]:g}")


def machine() -> str:
    """Cores, processor, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {names[0] if names else platform.machine()}, Python {platform.python_version()}"


def loop_speed() -> float:
    """CPU nanoseconds of one turn of an empty loop: how fast the machine is just now, neighbours included."""
    turns, times = 200_000, list[float]()
    for _ in range(7):
        start = time.process_time()
        for _ in range(turns):
            pass
        times.append(time.process_time() - start)
    return statistics.median(times) / turns * 1e9


def child_cpu(command: Sequence[str]) -> float:
    """User and system CPU seconds of one command in a fresh process.

    Raises:
        CalledProcessError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turn(measures: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Repetitions of several measurements, taken in turn (A B C, C B A, …), so that drift of the machine hits all."""
    values: list[list[float]] = [[] for _ in measures]
    for k in range(rounds):
        order = range(len(measures)) if k % 2 == 0 else reversed(range(len(measures)))
        for index in order:
            values[index].append(measures[index]())
    return values


def python(*arguments: str) -> list[str]:
    """A command that runs this interpreter."""
    return [sys.executable, *arguments]


def _n(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _range(line: Line) -> str:
    return f"{_n(min(line.values))}–{_n(max(line.values))}"
