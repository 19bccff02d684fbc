"""What the executor costs beside the work: CPU per trivial unit, and memory that grows with the number of units.

    python benchmarks/bench_runs.py [SMALL LARGE]

Each size runs in a process of its own (10,000 and 100,000 units unless given). A unit derives a generator from its key,
draws one number and returns one row. CPU time covers executor, seeds, validation, staging, commits and the final
compaction; memory is the high-water mark of the resident set. Budget: ≤ 200 µs a unit, ≤ 20 MB between the sizes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"


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


def main(small: int, large: int) -> int:
    """Measure both sizes, print, and say whether the budget holds."""
    results: dict[int, tuple[float, float]] = {}
    for n in (small, large):
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(n)],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        )
        micro, peak = done.stdout.split()
        results[n] = (float(micro), float(peak) / 1024)
        print(f"{n:>9,} units: {results[n][0]:6.1f} µs CPU a unit, {results[n][1]:6.1f} MB at most")
    growth = results[large][1] - results[small][1]
    print(f"memory between the two: {growth:+.1f} MB")
    good = results[large][0] <= 200 and growth <= 20
    print("within budget" if good else "OVER BUDGET (≤ 200 µs a unit, ≤ 20 MB)")
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
    else:
        sizes = [int(a) for a in sys.argv[1:3]] or [10_000, 100_000]
        sys.exit(main(sizes[0], sizes[-1]))
