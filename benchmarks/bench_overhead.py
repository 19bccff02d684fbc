"""What a trial costs beside the model: one scripted call, recorded and keyed, one response row, one unit each.

    python benchmarks/bench_overhead.py [TRIALS PER_UNIT ROUNDS]

A trial asks a scripted model one closed question with a persona of about 100 tokens in front, through the recorder, and
gives back one row; `PER_UNIT` trials form a unit (a person). Afterwards the same run is resumed with a hundred units
more, and the time until the first of them is asked is taken. Budget: ≤ 100 µs CPU a trial, first question of a resumed
run of a million trials in < 20 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _table import Line, python, show

MICROSECONDS = 100.0
SECONDS = 20.0
MORE = 100
PERSONA = " ".join(f"Fact number {k} about this person is quite ordinary." for k in range(10))


def one(trials: int, per_unit: int, folder: str, more: int) -> None:
    """Run, and print µs CPU a trial, wall s, peak kB, bytes of the folder, wall s until the first call."""
    from personae.core import ResponseRow, Row
    from personae.models import GenerateRequest, Message, Sampling, ScriptedModel, wrap_model
    from personae.runs import Run, Unit, execute_sync

    first: list[float] = []
    began, start = time.perf_counter(), time.process_time()
    system = Message("system", PERSONA)
    drawn = Sampling(temperature=0.0, max_tokens=4)

    def units() -> Iterator[Unit]:
        for k in range(trials // per_unit + more):
            yield Unit(f"person/{k}", "bench")

    def say(request: GenerateRequest) -> str:
        if not first:
            first.append(time.perf_counter() - began)
        return str(1 + request.seed % 5)

    with Run.create_or_resume(folder, study="bench", spec={}, seed=7, model=None, determinism="exact") as run:
        model = wrap_model(ScriptedModel(say), log=run.calls)

        async def work(unit: Unit) -> list[Row]:
            rows: list[Row] = []
            async with model.session(unit.key):
                for k in range(per_unit):
                    asked = Message("user", f"Item {k} of {unit.key}: I like tea. 1 to 5?")
                    tags = {"unit": unit.key, "persona": unit.key, "item": str(k)}
                    answer = await model.generate(GenerateRequest((system, asked), drawn, seed=k, tags=tags))
                    rows.append(
                        ResponseRow(
                            unit=unit.key, persona_id=unit.key, actor="a", condition="c", condition_hash="h",
                            instrument="i", item=str(k), scale="s", key=1, order="ascending", method="free_text",
                            status="ok",
                            value=float(answer.text), keyed=float(answer.text), model="fake:scripted", seed=7,
                            text=answer.text, call=answer.call,
                        )
                    )  # fmt: skip
            return rows

        execute_sync(run, units(), work, total=trials // per_unit + more)
    cpu, wall = time.process_time() - start, time.perf_counter() - began
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(f"{cpu / trials * 1e6:.1f} {wall:.1f} {peak.split()[1]} {size / trials:.1f} {first[0]:.2f}")


def measured(trials: int, per_unit: int, folder: str, more: int = 0) -> list[float]:
    """The numbers of `one`, in a fresh process."""
    command = python(__file__, "--one", str(trials), str(per_unit), folder, str(more))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(part) for part in done.stdout.split()]


def main(trials: int, per_unit: int, rounds: int) -> None:
    """Measure, resume, print."""
    small, large, again = list[list[float]](), list[list[float]](), list[float]()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            small.append(measured(max(per_unit, trials // 10), per_unit, f"{folder}/small"))
            large.append(measured(trials, per_unit, f"{folder}/large"))
            again.append(measured(trials, per_unit, f"{folder}/large", MORE)[4])
    what = f"{trials:,} trials, {per_unit} a unit"
    show(
        [
            Line("trial", [x[0] for x in large], "µs CPU", f"{what}, all of it", ("at most", MICROSECONDS)),
            Line("trial, a tenth", [x[0] for x in small], "µs CPU", f"{trials // 10:,} trials"),
            Line("wall", [x[1] for x in large], "s", what),
            Line("memory that grows", [(b[2] - s[2]) / 1024 for s, b in zip(small, large, strict=True)], "MB",
                 "high-water mark, all trials less a tenth"),
            Line("folder", [x[3] for x in large], "bytes/trial", "call log, tables, manifest"),
            Line("resumed", again, "s", f"until the first of {MORE} more units is asked", ("at most", SECONDS)),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        numbers = [int(a) for a in sys.argv[1:4]]
        main(*(numbers + [50_000, 50, 1][len(numbers) :]))
