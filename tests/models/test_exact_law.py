"""The batch law: in exact mode concurrency, the order of units and what ran before never change a result."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from personae.core import MissingError, derive_rng
from personae.models import (
    CallLog,
    GenerateRequest,
    GgufModel,
    Message,
    Sampling,
    ScoreRequest,
    open_model,
    open_replay,
    wrap_model,
)

CALLS = 10
"""of a unit"""
SCHEMA = {"type": "object", "properties": {"calm": {"type": "boolean"}}, "required": ["calm"]}
NAMES = ("Ada", "Ben", "Chloe", "Dev", "Esi")
WORK = ("a baker", "a nurse", "a roofer", "a teacher", "a pilot")
QUESTIONS = ("How was today?", "What do you fear?", "What is on your table?", "Who called?", "Tea or coffee?")
OPTIONS = ("not at all like me", "a little like me", "very much like me")


def requests_of(unit):
    """Ten mixed calls: a talk that grows, closed questions in groups, two draws at once, a bound answer."""
    name, work = NAMES[unit % 5], WORK[unit // 5 % 5]
    system = Message("system", f"You are {name}, {work}, number {unit}. Speak plainly.")
    draw = Sampling(temperature=0.9, top_p=0.95, max_tokens=4)
    talk = [system]
    for turn in range(6):
        talk.append(Message("user", QUESTIONS[(unit + turn) % 5]))
        yield GenerateRequest(tuple(talk), draw, seed=unit * 100 + turn)
        talk.append(Message("assistant", "Well."))
    yield GenerateRequest((system, Message("user", "Say a word.")), draw, seed=unit, n=2)
    yield GenerateRequest((system, Message("user", "Calm?")), Sampling(max_tokens=24), seed=unit, json_schema=SCHEMA)
    for group in range(2):
        yield [
            ScoreRequest((system, Message("user", f"I {verb} people.")), OPTIONS, prefill="This is")
            for verb in ("avoid", "help", "tease")[group:]
        ]


async def answers_of(model, unit):
    out = []
    async with model.session(f"unit/{unit}"):
        for request in requests_of(unit):
            if isinstance(request, list):
                out.append(tuple(s.logprobs for s in await model.score_options(request)))
            else:
                out.append((await model.generate(request)).completions)
    assert len(out) == CALLS
    return out


async def run_all(model, order, limit):
    gate, found = asyncio.Semaphore(limit), {}

    async def one(unit):
        async with gate:
            found[unit] = await answers_of(model, unit)

    await asyncio.gather(*(one(unit) for unit in order))
    return [found[unit] for unit in sorted(found)]


async def warm_up(model):
    """Other work: it leaves states behind that nobody may see."""
    for k in range(8):
        messages = (Message("system", f"You are {NAMES[k % 5]}, {WORK[0]}, number 0. Speak"), Message("user", "Hm?"))
        await model.generate(GenerateRequest(messages, Sampling(max_tokens=6), seed=k))
        await model.score_options([ScoreRequest(messages, OPTIONS[:2])])


def law(make, units):
    """Results of the plain run, and of every other way of running the same units."""
    orders = [range(units), list(reversed(range(units))), derive_rng(1, "order").permutation(units).tolist()]

    async def scene(*steps):
        model = make()
        try:
            return [await step(model) for step in steps]
        finally:
            await model.close()

    plain, again = asyncio.run(scene(*[lambda m: run_all(m, orders[0], 1)] * 2))
    assert again == plain  # twice in a row
    four = asyncio.run(scene(warm_up, lambda m: run_all(m, orders[1], 4)))[1]
    assert four == plain
    sixteen = asyncio.run(scene(lambda m: run_all(m, orders[2], 16)))[0]
    assert sixteen == plain
    return plain


def test_exact_mode_is_exact_on_a_tiny_model(tiny):
    plain = law(lambda: GgufModel("gguf:tiny", tiny, tiny, context=512), 50)
    texts = {c[0].text for unit in plain for c in unit[:6]}
    assert len(texts) > 100  # the law would hold for a model that always says the same


@pytest.mark.model
def test_exact_mode_is_exact_on_the_embedded_model():
    try:
        asyncio.run(open_model("smollm2").close())
    except MissingError as error:
        pytest.skip(str(error))
    plain = law(lambda: open_model("smollm2", cache="off"), 50)
    assert sum(len(unit) for unit in plain) == 500
    assert len({c[0].text for unit in plain for c in unit[:6]}) > 30


def test_batched_mode_replays(tiny, tmp_path):
    """What a batched run answered comes back from its call log, bit by bit, in any order."""
    with CallLog(tmp_path / "calls.sqlite") as log:
        model = wrap_model(GgufModel("gguf:tiny", tiny, tiny, context=512, mode="batched"), log=log)

        async def first():
            try:
                return await run_all(model, range(20), 8)
            finally:
                await model.close()

        said = asyncio.run(first())
    replay = open_replay(tmp_path)

    async def second():
        try:
            return await run_all(replay, list(reversed(range(20))), 3)
        finally:
            await replay.close()

    assert asyncio.run(second()) == said
    assert len({c[0].text for unit in said for c in unit[:6]}) > 40
    assert all(np.isfinite(x) for unit in said for scores in unit[8:] for row in scores for x in row)
