"""What every model promises, whatever stands behind it."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from personae.core import CapabilityError, MissingWeightsError, ModelError, canonical_json
from personae.models import (
    CachedModel,
    CallLog,
    Capability,
    EchoModel,
    GenerateRequest,
    GgufModel,
    HfModel,
    Message,
    Model,
    OpenAIModel,
    RecordedModel,
    ResponseCache,
    Sampling,
    ScoreRequest,
    ScriptedModel,
    StatisticalModel,
    capable,
    open_model,
    open_replay,
    wrap_model,
)

CHAT = (Message("system", "You are Ada, a baker."), Message("user", "Hello! How are you?"))
OPTIONS = ("very inaccurate", "neither", "very accurate")
TAGS = {"unit": "u", "condition": "self", "item": "i1", "scale": "extraversion", "key": "1"}
ASK = GenerateRequest(CHAT, Sampling(max_tokens=12, temperature=0.0), seed=11, tags=TAGS)
GROUP = tuple(
    ScoreRequest((CHAT[0], Message("user", f"I talk a lot, {k}. How accurate?")), OPTIONS, tags=TAGS) for k in range(3)
)
Opener = Callable[[], Model]


async def _use_everything(model: Model) -> None:
    for k in range(3):
        for seed in (11, 12):
            await model.generate(replace(ASK, seed=seed, n=k + 1))
    await model.generate(replace(ASK, system_default=True, messages=CHAT[1:]))
    await model.score_options(GROUP)
    await model.score_options(GROUP[:1])
    await model.embed(["one text", "another text"])
    await model.embed(["one text"])


@pytest.fixture(
    params=["scripted", "echo", "statistical", "http", "http-openai", "http-vllm", "http-llama.cpp", "http-engine",
            "recorded", "cached", "replay", "hf", "hf-batched", "gguf", "gguf-batched",
            pytest.param("smollm2", marks=pytest.mark.model)]
)  # fmt: skip
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    def fixture(name: str) -> Any:
        return request.getfixturevalue(name)

    def gguf(mode: Literal["exact", "batched"]) -> Model:
        return GgufModel("gguf:tiny", fixture("tiny"), fixture("tiny"), mode=mode, threads=1, context=512)

    def recorded() -> Model:
        return RecordedModel(ScriptedModel(), CallLog(tmp_path / "calls.sqlite"))

    def replay() -> Model:
        with CallLog(tmp_path / "replayed" / "calls.sqlite") as log:
            asyncio.run(_use_everything(RecordedModel(ScriptedModel(), log)))
        return open_replay(tmp_path / "replayed")

    def embedded() -> Model:
        try:
            return open_model("smollm2", cache="off")
        except MissingWeightsError as error:
            pytest.skip(str(error))

    def speaking(shape: str) -> Model:
        endpoint = fixture("endpoint")
        endpoint.shape = shape
        endpoint.model = {"openai": "tiny-2026-01-31", "vllm": "tiny", "llama.cpp": "/models/tiny-q8_0.gguf"}[shape]
        return OpenAIModel("tiny", endpoint.url)

    openers: dict[str, Opener] = {
        "scripted": ScriptedModel,
        "echo": EchoModel,
        "statistical": StatisticalModel,
        "http": lambda: OpenAIModel("tiny", fixture("endpoint").url),
        "http-openai": lambda: speaking("openai"),
        "http-vllm": lambda: speaking("vllm"),
        "http-llama.cpp": lambda: speaking("llama.cpp"),
        "http-engine": lambda: OpenAIModel("tiny", fixture("tiny_engine")),
        "hf": lambda: HfModel("hf:tiny", fixture("hf_folder"), threads=1),
        "hf-batched": lambda: HfModel("hf:tiny", fixture("hf_folder"), threads=1, mode="batched"),
        "gguf": lambda: gguf("exact"),
        "gguf-batched": lambda: gguf("batched"),
        "recorded": recorded,
        "cached": lambda: CachedModel(ScriptedModel(), ResponseCache(tmp_path / "c.sqlite")),
        "replay": replay,
        "smollm2": embedded,
    }
    return openers[request.param]


@asynccontextmanager
async def _opened(model: Model) -> AsyncIterator[Model]:
    try:
        yield model
    finally:
        await model.close()
        log = getattr(model, "_log", None)
        if isinstance(log, CallLog):
            log.close()


def _run(opener: Opener, use: Callable[[Model], Any]) -> Any:
    model = opener()

    async def scene() -> Any:
        async with _opened(model) as opened:
            return await use(opened)

    return asyncio.run(scene())


def test_it_is_a_model_and_says_who_it_is(opener: Opener) -> None:
    async def use(model: Model) -> None:
        assert isinstance(model, Model)
        assert ":" in model.reference or model.reference == "smollm2"
        assert model.fingerprint
        assert canonical_json(dict(model.fingerprint)) == canonical_json(dict(model.fingerprint))
        assert all(isinstance(v, (str, int, float, bool)) for v in model.fingerprint.values())
        assert model.determinism in {"exact", "replay", "none"}
        assert model.parallel >= 1
        assert model.capabilities

    _run(opener, use)


def test_generation(opener: Opener) -> None:
    async def use(model: Model) -> None:
        capable(model, Capability.GENERATE)
        answer = await model.generate(ASK)
        assert len(answer.completions) == 1
        assert answer.text == answer.completions[0].text
        assert answer.finish_reason in {"stop", "length", "refused", "empty", "malformed"}
        assert answer.completions[0].tokens >= 0
        assert answer.usage.calls >= 1
        three = await model.generate(replace(ASK, n=3))
        assert len(three.completions) == 3

    _run(opener, use)


def test_an_exact_model_is_a_function_of_the_request(opener: Opener) -> None:
    async def use(model: Model) -> None:
        first = await model.generate(ASK)
        async with model.session("u"):
            again = await model.generate(ASK)
        assert again.text == first.text
        one = await model.score_options(GROUP)
        async with model.session("v"):
            two = await model.score_options(GROUP)
        # What a server kept of the first group may change the last digits of the second.
        near = 0.0 if model.determinism == "exact" else 0.05
        for a, b in zip(one, two, strict=True):
            assert a.logprobs == pytest.approx(b.logprobs, abs=near, rel=0.0)

    _run(opener, use)


def test_what_is_told_on_the_way_is_the_answer(opener: Opener) -> None:
    async def use(model: Model) -> None:
        told: list[str] = []
        answer = await model.generate(ASK, on_text=told.append)
        await asyncio.sleep(0)
        assert "".join(told) == answer.text
        stop = answer.text[2:4]
        if stop.strip() and "fake" not in model.reference and "replay" not in model.reference:
            told.clear()
            cut = await model.generate(replace(ASK, sampling=replace(ASK.sampling, stop=(stop,))), on_text=told.append)
            await asyncio.sleep(0)
            assert "".join(told) == cut.text

    _run(opener, use)


def test_unused_tags_never_change_an_answer(opener: Opener) -> None:
    async def use(model: Model) -> None:
        first = await model.generate(ASK)
        other = await model.generate(replace(ASK, tags={**TAGS, "note": "something else"}))
        assert other.text == first.text

    _run(opener, use)


def test_option_scores(opener: Opener) -> None:
    async def use(model: Model) -> None:
        capable(model, Capability.SCORE)
        answers = await model.score_options(GROUP)
        assert len(answers) == len(GROUP)
        for scores in answers:
            assert len(scores.logprobs) == len(scores.tokens) == len(OPTIONS)
            assert all(math.isfinite(x) and x <= 1e-6 for x in scores.logprobs)
            assert all(t >= 1 for t in scores.tokens)
            assert scores.method
        assert await model.score_options([]) == ()

    _run(opener, use)


def test_vectors(opener: Opener) -> None:
    async def use(model: Model) -> None:
        if Capability.EMBED not in model.capabilities:
            with pytest.raises(CapabilityError):
                await model.embed(["one text"])
            return
        try:
            both = (await model.embed(["one text", "another text"])).vectors
        except CapabilityError:
            assert model.reference.startswith("openai:")  # an endpoint is only found out by asking
            return
        assert both.ndim == 2
        assert both.dtype == np.float32
        assert np.linalg.norm(both, axis=1) == pytest.approx([1.0, 1.0], abs=1e-4)
        assert (await model.embed(["one text"])).vectors[0] == pytest.approx(both[0], abs=1e-3)

    _run(opener, use)


def test_tokens_and_prompts(opener: Opener) -> None:
    async def use(model: Model) -> None:
        assert model.count_tokens("") == 0
        assert 0 < model.count_tokens("short") < model.count_tokens("a much longer text " * 20)
        for request in (ASK, GROUP[0]):
            shown = model.show_prompt(request)
            assert "You are Ada, a baker." in shown
            assert request.messages[-1].content in shown
        assert "scale" not in model.show_prompt(ASK)

    _run(opener, use)


def test_a_call_log_and_a_replay_show_prompts_as_the_model_does(opener: Opener, tmp_path: Path) -> None:
    shown: list[str] = []

    async def use(model: Model) -> None:
        with CallLog(tmp_path / "again.sqlite") as log:
            recorded = wrap_model(model, log=log)
            answer = await recorded.generate(ASK)
            scores = await recorded.score_options(GROUP)
            shown.extend(model.show_prompt(r) for r in (ASK, *GROUP))
            found = [log.find(key) for key in (answer.call, *(s.call for s in scores))]
            assert [record.prompt() for record in found if record is not None] == shown

    _run(opener, use)
    replay = open_replay(tmp_path / "again.sqlite")
    assert [replay.show_prompt(r) for r in (ASK, *GROUP)] == shown
    asyncio.run(replay.close())


def test_missing_capabilities_are_named(opener: Opener) -> None:
    async def use(model: Model) -> None:
        for capability in Capability:
            if capability in model.capabilities:
                capable(model, capability)
            else:
                with pytest.raises(CapabilityError, match=capability.value):
                    capable(model, capability)

    _run(opener, use)


def test_closed_means_closed(opener: Opener) -> None:
    async def use(model: Model) -> None:
        await model.close()
        with pytest.raises(ModelError):
            await model.generate(replace(ASK, seed=99))

    _run(opener, use)


def test_fingerprints_hold_no_secret(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAE_API_KEY", "a-very-secret-key")

    async def use(model: Model) -> None:
        await model.generate(ASK)
        assert "very-secret" not in json.dumps([model.reference, dict(model.fingerprint), model.show_prompt(ASK)])

    _run(opener, use)
