"""How many slots, lanes and threads this machine is fastest with: measured once, kept, and used from then on.

Kept in `$PERSONAE_HOME/tuning.json` (else `~/.cache/personae/tuning.json`), by machine, engine and weights file. Lanes
never change an answer, and exact mode keeps one thread whatever is found here; slots can (batched mode promises replay
alone), so they are part of a model's fingerprint.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from personae.core import InputError, derive_rng, replace_file
from personae.models._generator import Generator
from personae.models._ggufile import Header, read_header
from personae.models._home import home_dir
from personae.models._native import NativeModel, default_threads, engine_version
from personae.models._protocol import Sampling
from personae.models._server import EngineServer

_FILE: Final = "tuning.json"
_SCHEMA: Final = 1
_SLOTS: Final = (1, 2, 4, 8, 16, 32)
_FIRST_SLOTS: Final = 8
_PROMPT: Final = 64
_ANSWER: Final = 24
_REQUESTS: Final = 32
_REPEATS: Final = 3
_ENOUGH: Final = 0.97
"""share of the best speed that a smaller number of slots must reach to be taken: slots cost memory"""
_CONTEXT: Final = 2048


class Trial(BaseModel):
    """One way of running the engine, and what it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: int = Field(ge=1)
    """slots in batched mode, lanes in exact mode"""
    threads: int = Field(ge=1)
    per_second: float
    """tokens, prompt and answer, by wall time; median of the repeats"""


class Tuning(BaseModel):
    """What is fastest on one machine for one weights file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: int = Field(ge=1, le=256)
    threads: int = Field(ge=1, le=1024)
    """of the engine in batched mode"""
    lanes: int = Field(ge=1, le=256)
    """units side by side in exact mode"""
    measured: date
    load: float
    """load average before the measurement"""
    batched: tuple[Trial, ...] = ()
    exact: tuple[Trial, ...] = ()

    @property
    def quiet_threads(self) -> int:
        """Threads to use now: one where other work has the cores, whatever was best on a quiet machine."""
        return self.threads if default_threads() > 1 else 1


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = _SCHEMA
    tunings: dict[str, Tuning] = {}


def tuning_file() -> Path:
    """Where tunings are kept."""
    return home_dir() / _FILE


def tuning_of(weights: Path) -> Tuning | None:
    """What was measured for this file on this machine; None when nothing was, or another engine was measured.

    Raises:
        InputError: the file of tunings cannot be read.
    """
    try:
        key = _key(weights)
    except OSError:
        return None
    return _read().tunings.get(key)


def tune(weights: Path, say: Callable[[str], None] = lambda _: None, *, requests: int = _REQUESTS) -> Tuning:
    """Measure and keep. Takes one to three minutes for the embedded model; let nothing else run meanwhile.

    Work: `requests` prompts of 64 random tokens that share nothing, 24 tokens of answer each. First threads are tried
    at eight slots, then slots at the best number of threads, then lanes; each three times, in turn.

    Args:
        weights: the file that generates.
        say: is told what was found.
        requests: fewer make it faster and noisier.

    Raises:
        ModelError: the engine refused the file.
    """
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > 1:
        say(f"load average is {load:.1f}: other work runs here, so what is measured now will be too low")
    header = read_header(weights)
    prompts = _prompts(weights, requests)
    most = _most_slots(header)
    first = min(_FIRST_SLOTS, most)
    by_threads = _trials(weights, prompts, [(first, threads) for threads in _threads(cores)], say)
    threads = max(by_threads, key=lambda trial: trial.per_second).threads
    others = [(slots, threads) for slots in _SLOTS if slots <= most and slots != first]
    trials = sorted([*by_threads, *_trials(weights, prompts, others, say)], key=lambda t: (t.threads, t.slots))
    same = [t for t in trials if t.threads == threads]
    best = max(t.per_second for t in same)
    slots = min(t.slots for t in same if t.per_second >= _ENOUGH * best)
    lanes = _lanes(weights, prompts[: max(4, requests // 4)], cores, say)
    found = Tuning(
        slots=slots, threads=threads, lanes=max(lanes, key=lambda t: t.per_second).slots,
        measured=datetime.now(UTC).date(), load=round(load, 2), batched=tuple(trials), exact=tuple(lanes),
    )  # fmt: skip
    kept = _read()
    body = _Kept(tunings={**kept.tunings, _key(weights): found})
    path = tuning_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, [body.model_dump_json(indent=2).encode(), b"\n"])
    return found


def _trials(
    weights: Path, prompts: Sequence[Sequence[int]], shapes: Sequence[tuple[int, int]], say: Callable[[str], None]
) -> list[Trial]:
    seconds: dict[tuple[int, int], list[float]] = {shape: [] for shape in shapes}
    tokens = sum(len(prompt) + _ANSWER for prompt in prompts)
    for _ in range(_REPEATS):
        for slots, threads in shapes:
            server = EngineServer(weights, parallel=slots, context=_CONTEXT, threads=threads, keep_prompts=False)
            try:
                seconds[slots, threads].append(_serve(server, prompts, slots))
            finally:
                server.close()
    out = [Trial(slots=s, threads=t, per_second=round(tokens / median(v), 1)) for (s, t), v in seconds.items()]
    for trial in out:
        say(f"batched, {trial.slots:>2} slots, {trial.threads} threads: {trial.per_second:,.0f} tokens/s")
    return out


def _serve(server: EngineServer, prompts: Sequence[Sequence[int]], slots: int) -> float:
    sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=_ANSWER)
    server.complete(prompts[0][:8], Sampling(temperature=0.0, max_tokens=1), seed=0)
    start = time.perf_counter()
    with ThreadPoolExecutor(slots) as pool:
        for call in [pool.submit(server.complete, ids, sampling, seed=0) for ids in prompts]:
            call.result()
    return time.perf_counter() - start


def _lanes(weights: Path, prompts: Sequence[Sequence[int]], cores: int, say: Callable[[str], None]) -> list[Trial]:
    model = NativeModel(weights)
    tokens = sum(len(prompt) + _ANSWER for prompt in prompts)
    shapes = [(lanes, max(1, cores // lanes)) for lanes in _powers(min(4, cores))]
    seconds: dict[tuple[int, int], list[float]] = {shape: [] for shape in shapes}
    try:
        for _ in range(_REPEATS):
            for lanes, threads in shapes:
                generators = [Generator(model, context=_CONTEXT, threads=threads) for _ in range(lanes)]
                try:
                    seconds[lanes, threads].append(_in_lanes(generators, prompts))
                finally:
                    for generator in generators:
                        generator.close()
    finally:
        model.close()
    out = [Trial(slots=n, threads=t, per_second=round(tokens / median(v), 1)) for (n, t), v in seconds.items()]
    for trial in out:
        say(f"exact,   {trial.slots:>2} lanes, {trial.threads} threads: {trial.per_second:,.0f} tokens/s")
    return out


def _in_lanes(generators: Sequence[Generator], prompts: Sequence[Sequence[int]]) -> float:
    sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=_ANSWER)

    def unit(lane: int) -> None:
        for prompt in prompts[lane :: len(generators)]:
            generators[lane].generate([tuple(prompt)], sampling, seed=0)

    start = time.perf_counter()
    with ThreadPoolExecutor(len(generators)) as pool:
        list(pool.map(unit, range(len(generators))))
    return time.perf_counter() - start


def _prompts(weights: Path, count: int) -> list[list[int]]:
    model = NativeModel(weights, vocab_only=True)
    size = model.n_tokens
    model.close()
    # The lowest ids are control and byte tokens in the common vocabularies.
    ids = derive_rng(0, "tuning").integers(min(500, size // 2), size, size=(count, _PROMPT))
    return [[int(token) for token in row] for row in ids]


def _threads(cores: int) -> list[int]:
    return sorted({*_powers(cores), cores})


def _powers(most: int) -> list[int]:
    def powers() -> Iterator[int]:
        power = 1
        while power <= most:
            yield power
            power *= 2

    return list(powers())


def _most_slots(header: Header) -> int:
    """Slots whose prompts fit into half of the free memory."""
    heads = header.integer("attention.head_count", 1)
    width = header.integer("embedding_length", 1) // heads
    per_token = 2 * header.integer("block_count", 1) * header.integer("attention.head_count_kv", heads)
    per_token *= header.integer("attention.key_length", width) + header.integer("attention.value_length", width)
    free = _free_memory()
    if free is None:
        return _FIRST_SLOTS
    return int(np.clip(free // 2 // (per_token * _CONTEXT), 1, _SLOTS[-1]))


def _free_memory() -> int | None:
    """Bytes that programs may still take."""
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def _key(weights: Path) -> str:
    return f"{_machine()} | {engine_version()} | {weights.name} {weights.stat().st_size}"


@cache
def _machine() -> str:
    """Kind of processor and number of cores."""
    name = ""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        name = platform.processor()
    return f"{name or platform.machine()} x{os.cpu_count()}"


def _read() -> _Kept:
    path = tuning_file()
    try:
        text = path.read_bytes()
    except OSError:
        return _Kept()
    try:
        kept = _Kept.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"{str(path)!r} is not a file of tunings.", hint="Delete it, and run: personae doctor --tune"
        ) from error
    return kept if kept.schema_version == _SCHEMA else _Kept()
