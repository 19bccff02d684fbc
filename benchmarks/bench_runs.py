"""What the executor costs beside the work: CPU per trivial unit, and memory that grows with the number of units.

    python benchmarks/bench_runs.py [SMALL LARGE ROUNDS]

Each size runs in processes of its own (10,000 and 100,000 units, three times in turn, unless given). A unit derives a
generator from its key, draws one number and returns one row. CPU time covers executor, seeds, validation, staging,
commits and the final compaction; memory is the high-water mark of the resident set. Budget: ≤ 200 µs a unit, ≤ 20 MB
between the sizes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _table import Line, python, show

MICROSECONDS = 200.0
MEGABYTES = 20.0


def one(n: int) -> None:
    """Run `n` units and print CPU microseconds per unit and the high-water mark in kB."""
    from personae.core import FitRow, Row, derive_rng
    from personae.runs import Run, Unit, execute_sync

    def units() -> Iterator[Unit]:
        for k in range(n):
            yield Unit(f"trial/{k}", "bench")

    async def work(unit: Unit) -> list[Row]:
        draw = float(derive_rng(7, unit.key).random())
        return [FitRow(unit=unit.key, margin="m", cell="c", target_share=draw, target_count=1.0, count=1, hard=False)]

    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        with Run.create_or_resume(folder, study="bench", spec={}, seed=7, model=None, determinism="exact") as run:
            summary = execute_sync(run, units(), work, total=n)
        cpu = time.process_time() - start
    assert summary.done == n
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"{cpu / n * 1e6:.1f} {peak.split()[1]}")


def measured(n: int) -> tuple[float, float]:
    """CPU microseconds per unit and megabytes at most, of `n` units in a fresh process."""
    done = subprocess.run(python(__file__, "--one", str(n)), check=True, stdout=subprocess.PIPE, text=True)
    micro, peak = done.stdout.split()
    return float(micro), float(peak) / 1024


def main(small: int, large: int, rounds: int) -> None:
    """Measure both sizes in turn, print."""
    pairs = [(measured(small), measured(large)) for _ in range(rounds)]
    show(
        [
            Line(f"unit, of {small:,}", [s[0] for s, _ in pairs], "µs CPU", "executor, seed, row, commit, compaction"),
            Line(f"unit, of {large:,}", [b[0] for _, b in pairs], "µs CPU", "the same", ("at most", MICROSECONDS)),
            Line(f"memory, {small:,}", [s[1] for s, _ in pairs], "MB", "high-water mark of the process"),
            Line(f"memory, {large:,}", [b[1] for _, b in pairs], "MB", "the same"),
            Line("memory that grows", [b[1] - s[1] for s, b in pairs], "MB", "difference", ("at most", MEGABYTES)),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
    else:
        numbers = [int(a) for a in sys.argv[1:4]]
        main(*(numbers + [10_000, 100_000, 3][len(numbers) :]))
