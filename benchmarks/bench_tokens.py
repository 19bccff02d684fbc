"""What the embedded model costs beside the model: our own Python per token, and prompt tokens saved by sharing.

    python benchmarks/bench_tokens.py [PAIRS TOKENS]

Own Python is CPU of the whole process minus CPU inside the engine's C functions, both in the same run (one engine
thread, so that the engine computes where it is called). As a check from outside, the same prompt ids are continued for
the same number of tokens by us and by the engine's own server, in turn; the difference is shown with its spread, and is
dominated by the engine and by the machine. Target: 0.2 ms of own Python per token.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _table import Line, in_turn, show

from personae.conditioning import Prompt, embody
from personae.core import MissingError
from personae.creation import load_gallery
from personae.instruments import administer, load_instrument
from personae.models import CallLog, GenerateRequest, GgufModel, Message, Sampling, weights_path, wrap_model
from personae.models._native import library

TARGET = 0.2
STORY = "Tell me a very long story about a lighthouse keeper, with many details."


@contextmanager
def inside_engine() -> Generator[Callable[[], float]]:
    """CPU seconds spent inside the engine's functions while the block runs."""
    lib, spent = library(), [0.0]
    plain: dict[str, Any] = {name: found for name, found in vars(lib).items() if name.startswith("llama_")}

    def timed(function: Any) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments)
            finally:
                spent[0] += time.thread_time() - start

        return call

    for name, function in plain.items():
        setattr(lib, name, timed(function))
    try:
        yield lambda: spent[0]
    finally:
        for name, function in plain.items():
            setattr(lib, name, function)


def story(tokens: int, seed: int, *, greedy: bool) -> GenerateRequest:
    """A prompt that is answered at length."""
    sampling = Sampling(temperature=0.0 if greedy else 0.7, top_p=1.0 if greedy else 0.95, max_tokens=tokens)
    return GenerateRequest((Message("user", STORY),), sampling, seed=seed)


class Bench:
    """The model, the engine's server on the same file, and the loop they run in."""

    def __init__(self, folder: Path, tokens: int) -> None:
        from personae.models._server import EngineServer

        self.tokens = tokens
        paths = weights_path("smollm2", "generate"), weights_path("smollm2", "score")
        self.bare = GgufModel("smollm2", *paths, threads=1)
        self.log = CallLog(folder / "calls.sqlite")
        self.model = wrap_model(self.bare, log=self.log)
        self.server = EngineServer(paths[0], parallel=1, context=2048, threads=1, keep_prompts=False)
        self.runner = asyncio.Runner()
        self.seed = 0

    def own_python(self) -> float:
        """Milliseconds of our Python per token: prompt, loop, text, call log."""
        self.seed += 1
        with inside_engine() as engine:
            start = time.process_time()
            answer = self.runner.run(self._unit(story(self.tokens, self.seed, greedy=False)))
            spent = time.process_time() - start - engine()
        return 1000 * spent / answer

    def through_us(self) -> float:
        """Milliseconds of CPU per token, greedy, through `GgufModel`."""
        start = time.process_time()
        count = self.runner.run(self._unit(story(self.tokens, 0, greedy=True)))
        return 1000 * (time.process_time() - start) / count

    def through_server(self) -> float:
        """The same prompt ids through the engine's own loop."""
        request = story(self.tokens, 0, greedy=True)
        ids = [token for chunk in self.bare.prompt_tokens(request) for token in chunk]
        start = time.process_time()
        completion, _ = self.server.complete(ids, request.sampling, seed=0)
        return 1000 * (time.process_time() - start) / completion.tokens

    def group(self) -> tuple[float, float, float]:
        """One inventory of one person: CPU seconds, prompt tokens computed, prompt tokens of one call per option."""
        before = {record.seq for record in self.log.records()}
        start = time.process_time()
        self.runner.run(self._administer())
        spent = time.process_time() - start
        used = [r.usage for r in self.log.records() if r.seq not in before and r.verb == "score_options"]
        return spent, sum(u.prefilled for u in used), sum(u.prompt for u in used)

    async def _unit(self, request: GenerateRequest) -> int:
        async with self.model.session("bench"):
            return (await self.model.generate(request)).usage.generated

    async def _administer(self) -> None:
        self.seed += 1
        person = load_gallery()[self.seed]
        async with embody(person, Prompt(), self.model) as actor:
            await administer(actor, load_instrument("ipip50"), seed=7)

    def close(self) -> None:
        """Free everything."""
        self.runner.run(self.model.close())
        self.runner.close()
        self.server.close()
        self.log.close()


def main(pairs: int, tokens: int) -> None:
    """Measure, print."""
    try:
        weights_path("smollm2", "generate")
        weights_path("smollm2", "score")
    except MissingError:
        print("skipped: no weights (run: personae models get smollm2)")
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), tokens)
        try:
            bench.through_us()  # loads the model, which must not be timed
            in_turn([bench.own_python, bench.through_us, bench.through_server], 1)
            own, ours, theirs = in_turn([bench.own_python, bench.through_us, bench.through_server], pairs)
            bench.group()
            groups = [bench.group() for _ in range(3)]
        finally:
            bench.close()
    spent, computed, naive = (list(column) for column in zip(*groups, strict=True))
    how = f"{tokens} tokens, prompt computed too, one engine thread"
    show(
        [
            Line("own Python", own, "ms/token", f"process minus engine, {how}, call log", ("at most", TARGET)),
            Line("GgufModel, all", ours, "ms/token", f"CPU, greedy, {how}"),
            Line("engine's server, all", theirs, "ms/token", f"CPU, greedy, {how}"),
            Line("difference", [a - b for a, b in zip(ours, theirs, strict=True)], "ms/token", "pairs in turn"),
            Line("inventory", spent, "CPU s", "50 items × 5 options, prior included, one engine thread"),
            Line("tokens computed", computed, "tokens", "one group"),
            Line("tokens, naive", naive, "tokens", "one prompt per option, same requests"),
            Line("naive / computed", [n / c for n, c in zip(naive, computed, strict=True)], "times", "per group"),
        ]
    )


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:3]]
    main(numbers[0] if numbers else 7, numbers[1] if len(numbers) > 1 else 96)
