"""Servers that speak the dialect with an accent: the hosted API, vLLM and llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from personae.core import CapabilityError, EndpointError
from personae.models import GenerateRequest, Message, Model, OpenAIModel, Sampling, ScoreRequest

pytest.importorskip("openai")

CHAT = (Message("system", "You are Ada."), Message("user", "Hi"))
QUESTION = ScoreRequest((CHAT[0], Message("user", "I talk a lot.")), ("very inaccurate", "neither", "very accurate"))


def used(url: str, use: Callable[[Model], Awaitable[Any]], name: str = "tiny") -> Any:
    async def scene() -> Any:
        model = OpenAIModel(name, url)
        try:
            return await use(model)
        finally:
            await model.close()

    return asyncio.run(scene())


def test_the_name_of_the_limit_is_learnt_once(endpoint) -> None:
    endpoint.shape = "openai"

    async def use(model: Model) -> None:
        for k in range(3):
            await model.generate(GenerateRequest(CHAT, Sampling(max_tokens=9), seed=k))
        await model.score_options([QUESTION])

    used(endpoint.url, use)
    limits = [next(k for k in body if k.startswith("max_")) for body in endpoint.bodies()]
    assert limits == ["max_tokens", *["max_completion_tokens"] * (len(limits) - 1)]
    assert len(limits) == 1 + 3 + 3  # one lesson, three answers, three rotations of the letters


def test_a_stream_learns_it_too(endpoint) -> None:
    endpoint.shape, heard = "openai", []
    answer = used(endpoint.url, lambda m: m.generate(GenerateRequest(CHAT), on_text=heard.append))
    assert "".join(heard) == answer.text
    assert answer.text.startswith("reply ")


def test_what_a_strict_server_does_not_know_is_said_and_not_left_out(endpoint) -> None:
    endpoint.shape = "openai"
    with pytest.raises(EndpointError, match="Unrecognized request argument supplied: top_k"):
        used(endpoint.url, lambda m: m.generate(GenerateRequest(CHAT, Sampling(top_k=4))))


def test_the_penalty_goes_by_both_names(endpoint) -> None:
    endpoint.shape = "vllm"
    used(endpoint.url, lambda m: m.generate(GenerateRequest(CHAT, Sampling(repeat_penalty=1.2))))
    body = endpoint.bodies()[0]
    assert (body["repeat_penalty"], body["repetition_penalty"]) == (1.2, 1.2)


@pytest.mark.parametrize(("shape", "approximate"), [("openai", True), ("vllm", False), ("llama.cpp", True)])
def test_options_are_scored_as_exactly_as_the_server_can(endpoint, shape: str, approximate: bool) -> None:
    endpoint.shape = shape
    endpoint.model = "tiny"
    (scores,) = used(endpoint.url, lambda m: m.score_options([QUESTION]))
    assert scores.approximate is approximate
    assert max(range(3), key=lambda k: scores.logprobs[k]) == (
        1 if shape == "vllm" else 2
    )  # the echo likes short words


def test_a_server_that_serves_another_name_says_so_once(endpoint) -> None:
    endpoint.shape = "vllm"
    with pytest.raises(EndpointError, match="`big` does not exist"):
        used(endpoint.url, lambda m: m.generate(GenerateRequest(CHAT)), name="big")
    assert len(endpoint.requests) == 1


def test_one_choice_at_a_time_where_a_server_wants_it(endpoint) -> None:
    endpoint.shape = "llama.cpp"
    answer = used(endpoint.url, lambda m: m.generate(GenerateRequest(CHAT, n=3)))
    assert len({c.text for c in answer.completions}) == 3
    assert [body.get("n", 1) for body in endpoint.bodies()] == [3, 1, 1, 1]


def test_no_echo_is_a_missing_capability_where_it_was_asked_for(endpoint) -> None:
    endpoint.shape = "llama.cpp"

    async def scene() -> None:
        model = OpenAIModel("tiny", endpoint.url, score_method="echo")
        try:
            await model.score_options([QUESTION])
        finally:
            await model.close()

    with pytest.raises(CapabilityError, match="does not echo"):
        asyncio.run(scene())
