"""The response cache: answers kept and looked up per second, by one process and by several that share the file.

    python benchmarks/bench_cache.py [--entries N] [--rounds N]

Every process is a fresh one; they start together, and wall-clock time counts, because waiting for each other is what
is measured. Answers are 150 to 410 characters of text with their usage; keys are sha256, so they come in no order. N
entries (20,000 unless given) are put one by one, then looked up at random. "loop" is a model behind the cache, eight
calls of 2 ms at a time, every second one kept already, beside two processes that write as fast as they can; told is by
how much a pause of 1 ms on the same event loop came late. `--entries 1000000 --rounds 1` takes minutes and 2 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from _table import Line, python, show

END = ".end"
WORDS = "the quick fox said that it would rather sleep than run over yet another dog on this very day " * 5


class Told(NamedTuple):
    """What one process measured: operations a second of wall time, microseconds of one, megabytes at most."""

    rate: float
    p50: float
    p99: float
    worst: float
    peak: float


def key(k: int) -> str:
    """Key of call number `k`."""
    return hashlib.sha256(f"call {k}".encode()).hexdigest()


def answer(k: int) -> str:
    """An answer as the cache keeps it."""
    text = f"{k} {WORDS}"[: 150 + int(key(k)[:2], 16)]
    return json.dumps({"completions": [[text, "stop", 60]], "usage": [1, 300, 200, 60]})


def one(verb: str, path: str, first: int, count: int, total: int) -> None:
    """Do `count` operations when a line comes in, and print what was measured; `puts` and `gets` may be ended early."""
    from personae.models import ResponseCache

    if verb == "loop":
        loop(path, count)
        return
    took = array("q")
    with ResponseCache(path) as cache:
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        for k in range(count):
            put = verb.startswith("put")
            name, text = (key(first + k), answer(first + k)) if put else (key((first + k * 7919) % total), "")
            before = time.perf_counter_ns()
            if put:
                cache.put(name, "generate", text)
            else:
                assert cache.get(name) is not None
            took.append(time.perf_counter_ns() - before)
            if verb.endswith("s") and k % 256 == 0 and Path(path + END).exists():
                break
        wall = time.perf_counter() - start
    tell(took, wall)


def tell(took: array[int], wall: float) -> None:
    """Print what these nanoseconds are as `Told`."""
    rate = len(took) / wall
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    ordered = sorted(took)
    micro = [ordered[min(len(took) - 1, int(len(took) * share))] / 1000 for share in (0.5, 0.99, 1.0)]
    print(json.dumps([rate, *micro, int(peak.split()[1]) / 1024]))


def loop(path: str, count: int) -> None:
    """Make `count` calls through a CachedModel when a line comes in; how late a ticker on the same event loop is."""
    import asyncio

    from personae.models import CachedModel, GenerateRequest, Message, ResponseCache, ScriptedModel

    class Remote(ScriptedModel):
        async def generate(self, request: GenerateRequest, **_: object):
            await asyncio.sleep(0.002)
            return await super().generate(request)

    late = array("q")

    async def tick() -> None:
        while True:
            before = time.perf_counter_ns()
            await asyncio.sleep(0.001)
            late.append(max(0, time.perf_counter_ns() - before - 1_000_000))

    async def caller(model: CachedModel, first: int) -> None:
        for k in range(first, count // 2, 8):
            ask = GenerateRequest((Message("user", WORDS),), seed=k)
            await model.generate(ask)
            await model.generate(ask)

    async def scene() -> float:
        model = CachedModel(Remote(["An answer. " * 20]), ResponseCache(path))
        print("ready", flush=True)
        sys.stdin.readline()
        start, ticker = time.perf_counter(), asyncio.create_task(tick())
        await asyncio.gather(*(caller(model, k) for k in range(8)))
        ticker.cancel()
        await model.close()
        return time.perf_counter() - start

    wall = asyncio.run(scene())
    tell(late, wall)


def together(jobs: Sequence[tuple[str, Path, int, int, int]]) -> list[Told]:
    """Run these jobs at once, each in a process of its own; `puts` and `gets` are ended when the others are done."""
    command = [python(__file__, "--one", *map(str, job)) for job in jobs]
    running = [subprocess.Popen(c, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for c in command]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told: dict[int, Told] = {}
    for k in sorted(range(len(jobs)), key=lambda k: jobs[k][0].endswith("s")):
        end = Path(f"{jobs[k][1]}{END}")
        if jobs[k][0].endswith("s"):
            end.touch()
        out, _ = running[k].communicate()
        assert running[k].returncode == 0
        told[k] = Told(*json.loads(out))
    end.unlink(missing_ok=True)
    return [told[k] for k in range(len(jobs))]


def one_round(n: int, folder: Path) -> dict[str, float]:
    """All numbers of one round."""
    found: dict[str, float] = {}
    for processes in (1, 2, 4):
        path, share = folder / f"{processes}.sqlite", n // processes
        start = time.perf_counter()
        told = together([("put", path, k * share, share, n) for k in range(processes)])
        _keep(found, f"put, {processes} proc.", told, time.perf_counter() - start)
        told = together([("get", path, k * share, n // processes, share * processes) for k in range(processes)])
        _keep(found, f"get, {processes} proc.", told, 0.0)
        found[f"bytes, {processes}"] = path.stat().st_size / n
    path = folder / "1.sqlite"
    writers = [("put", path, (1 + k) * n, min(n // 2, 20_000), n) for k in range(2)]
    _keep(found, "get, beside 2 writers", together([*writers, ("gets", path, 0, 10**9, n)])[2:], 0.0)
    writers = [("puts", path, (3 + k) * 10**9, 10**9, n) for k in range(2)]
    _keep(found, "loop, beside 2 writers", together([*writers, ("loop", path, 0, 2000, n)])[2:], 0.0)
    found["vacuum"] = vacuumed(path)
    return found


def vacuumed(path: Path) -> float:
    """Seconds to give space back."""
    from personae.models import ResponseCache

    with ResponseCache(path) as cache:
        start = time.perf_counter()
        cache.vacuum()
        return time.perf_counter() - start


def _keep(found: dict[str, float], what: str, told: Sequence[Told], seconds: float) -> None:
    found[f"{what}/rate"] = sum(t.rate for t in told)
    found[f"{what}/p50"] = mean(t.p50 for t in told)
    found[f"{what}/p99"] = max(t.p99 for t in told)
    found[f"{what}/worst"] = max(t.worst for t in told) / 1000
    found[f"{what}/peak"] = max(t.peak for t in told)
    found[f"{what}/seconds"] = seconds


def lines(rounds: Sequence[dict[str, float]], n: int) -> list[Line]:
    """The table of these rounds."""

    def line(what: str, name: str, unit: str, how: str) -> Line:
        return Line(what, [r[name] for r in rounds], unit, how)

    table = [line(f"fill {n:,}", "put, 1 proc./seconds", "s", "one process, start included")]
    table += [line("one entry", "bytes, 1", "bytes", "size of the file over entries")]
    table += [line("vacuum", "vacuum", "s", "of these entries and what the writers added")]
    kinds = [f"{verb}, {k} proc." for verb in ("put", "get") for k in (1, 2, 4)] + ["get, beside 2 writers"]
    for what in [*kinds, "loop, beside 2 writers"]:
        rate = "all processes together; making keys and answers included" if what in kinds else "pauses of 1 ms"
        table += [
            line(what, f"{what}/rate", "per s", rate),
            line(f"{what}: p50", f"{what}/p50", "µs", "mean over processes" if what in kinds else "too late by"),
            line(f"{what}: p99", f"{what}/p99", "µs", "worst process" if what in kinds else "too late by"),
            line(f"{what}: worst", f"{what}/worst", "ms", "the one slowest operation"),
        ]
    return [*table, line("memory", "get, 1 proc./peak", "MB", "high-water mark of one that looks up")]


def main(n: int, rounds: int) -> None:
    """Measure, print."""
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(one_round(n, Path(folder)))
    show(lines(found, n))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--entries", type=int, default=20_000)
        parser.add_argument("--rounds", type=int, default=3)
        given = parser.parse_args()
        main(given.entries, given.rounds)
