"""Many conversations at once on the embedded model, batched, beside the bare engine at its best.

    python benchmarks/bench_dialogue.py [CONVERSATIONS TURNS PAIRS PAIR_TURNS]

Two people of the gallery talk; all conversations run at once through scene, actor, recorder and call log. The bare
engine gets the very prompts that were recorded, one thread a conversation, straight into its server: first slots and
threads are swept, then the best shape runs in turn with ours. Occupancy is the time integral of calls inside the
engine, over slots and wall time from the first call to the last. Own Python is CPU of the event loop's thread, plus all
CPU of the threads that hand calls to the engine (its own parsing and writing of JSON included: an upper bound).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from _table import Line, show

from personae.conditioning import Prompt, embody
from personae.core import MissingError
from personae.creation import load_gallery
from personae.models import CallLog, GgufModel, Sampling, weights_path, wrap_model
from personae.models._server import EngineServer
from personae.simulation import Scene, TurnCap, sessions, simulate

OCCUPANCY = 0.95
OWN = 0.2
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=32)
SWEEP = (8, 16, 32)

Call = tuple[Sequence[int], Sampling, int]


class Watch:
    """Counts what goes into the engine while it is open."""

    def __init__(self) -> None:
        self._lock, self._plain = threading.Lock(), EngineServer.complete
        self.calls: list[tuple[str, Call]] = []
        self.area = self.cpu = 0.0
        self.inside = self.generated = self.prefilled = 0
        self.first = self.last = 0.0

    def __enter__(self) -> Self:
        def complete(server: EngineServer, ids: Sequence[int], sampling: Sampling, **more: Any) -> Any:
            self._step(1)
            start = time.thread_time()
            try:
                done, computed = self._plain(server, ids, sampling, **more)
            finally:
                self._step(-1, time.thread_time() - start)
            with self._lock:
                self.generated += done.tokens
                self.prefilled += computed
                self.calls.append((str(ids[:200]), (ids, sampling, int(more["seed"]))))
            return done, computed

        EngineServer.complete = complete
        return self

    def __exit__(self, *exc: object) -> None:
        EngineServer.complete = self._plain

    def _step(self, change: int, cpu: float = 0.0) -> None:
        with self._lock:
            now = time.perf_counter()
            self.first = self.first or now
            self.area += self.inside * (now - self.last) if self.last else 0.0
            self.inside += change
            self.last, self.cpu = now, self.cpu + cpu

    @property
    def wall(self) -> float:
        return self.last - self.first


def ours(count: int, turns: int, seed: int, threads: int | None, slots: int | None) -> dict[str, Any]:
    """Hold the conversations; returns what was seen."""
    people = load_gallery()

    async def one(model: Any, k: int) -> None:
        pair = people[k % len(people)], people[(k + 7) % len(people)]
        async with (
            embody(pair[0], Prompt(), model, sampling=SAMPLING) as a,
            embody(pair[1], Prompt(), model, sampling=SAMPLING) as b,
            sessions((a, b), f"talk/{k}"),
        ):
            log = await simulate(Scene((a, b), stop=TurnCap(turns)), key=f"talk/{k}", seed=seed + k)
            assert len(log.utterances) == turns

    async def all_of_them(folder: str) -> dict[str, Any]:
        paths = weights_path("smollm2", "generate"), weights_path("smollm2", "score")
        bare = GgufModel("smollm2", *paths, mode="batched", threads=threads, slots=slots, context=1024)
        with CallLog(Path(folder) / "calls.sqlite") as log, Watch() as watch:
            model = wrap_model(bare, log=log)
            start = time.thread_time()
            await asyncio.gather(*(one(model, k) for k in range(count)))
            loop = time.thread_time() - start
            await model.close()
        return {
            "occupancy": watch.area / watch.wall / min(count, bare.parallel),
            "own": 1000 * (loop + watch.cpu) / watch.generated,
            "loop": 1000 * loop / watch.generated,
            "speed": watch.generated / watch.wall,
            "generated": watch.generated,
            "prefilled": watch.prefilled,
            "calls": [call for _, call in watch.calls],
            "slots": bare.parallel,
        }

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(all_of_them(folder))


def bare(talks: Sequence[Sequence[Call]], slots: int, threads: int) -> float:
    """Tokens a second of the engine's server alone, with the same prompts: a thread a conversation."""
    path = weights_path("smollm2", "generate")
    server = EngineServer(path, parallel=slots, context=1024, threads=threads, keep_prompts=True)
    try:

        def talk(calls: Sequence[Call]) -> int:
            return sum(server.complete(ids, how, seed=seed)[0].tokens for ids, how, seed in calls)

        start = time.perf_counter()
        with ThreadPoolExecutor(len(talks)) as pool:
            tokens = sum(pool.map(talk, talks))
        return tokens / (time.perf_counter() - start)
    finally:
        server.close()


def by_talk(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls of one conversation each, in order: a prompt continues the longest earlier prompt with the same start."""
    talks: dict[tuple[int, ...], list[Call]] = {}
    for call in calls:
        talks.setdefault(tuple(call[0][:80]), []).append(call)
    return [sorted(t, key=lambda call: len(call[0])) for t in talks.values()]


def main(count: int, turns: int, pairs: int, pair_turns: int) -> None:
    """Measure, print."""
    try:
        weights_path("smollm2", "generate")
    except MissingError:
        print("skipped: no weights (run: personae models get smollm2)")
        return
    small = ours(count, pair_turns, 0, None, None)
    talks = by_talk(small["calls"])
    cores = os.cpu_count() or 1
    shapes = [(slots, threads) for threads in sorted({1, cores}) for slots in SWEEP]
    sweep = {shape: bare(talks, *shape) for shape in shapes}
    for (slots, threads), speed in sweep.items():
        print(f"bare engine, {slots} slots, {threads} threads: {speed:.0f} tokens/s generated")
    best = max(sweep, key=sweep.__getitem__)
    mine, theirs = list[float](), list[float]()
    for k in range(pairs):
        steps = [lambda k=k: mine.append(ours(count, pair_turns, 100 * k, best[1], best[0])["speed"]),
                 lambda: theirs.append(bare(talks, *best))]  # fmt: skip
        for step in steps if k % 2 == 0 else reversed(steps):
            step()
    whole = ours(count, turns, 1, best[1], best[0])
    what = f"{count} conversations × {turns} turns, {best[0]} slots, {best[1]} threads"
    lines = [
        Line("occupancy", [whole["occupancy"]], "of 1", what, ("at least", OCCUPANCY)),
        Line("own Python", [whole["own"]], "ms/token", "loop and handing over, upper bound", ("at most", OWN)),
        Line("of it the loop", [whole["loop"]], "ms/token", "scene, actor, prompt, recorder, call log"),
        Line("speed", [whole["speed"]], "tokens/s", f"generated; {whole['generated']:,} of them, {what}"),
        Line("prompt computed", [whole["prefilled"]], "tokens", what),
    ]
    if pairs:
        sized = f"{count} × {pair_turns} turns"
        ratio = [a / b for a, b in zip(mine, theirs, strict=True)]
        lines += [
            Line("ours", mine, "tokens/s", f"generated, {sized}"),
            Line("bare engine at its best", theirs, "tokens/s", f"{best[0]} slots, {best[1]} threads, same prompts"),
            Line("ours / bare", ratio, "times", "pairs in turn"),
        ]
    show(lines)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:5]]
    main(*(numbers + [32, 8, 7, 2][len(numbers) :]))
