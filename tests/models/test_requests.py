from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import CorruptRunError
from personae.models import (
    Completion,
    Embeddings,
    GenerateRequest,
    Generation,
    Message,
    OptionScores,
    Sampling,
    ScoreRequest,
    Usage,
)
from personae.models import _requests as r

PRINT = r.fingerprint_hash({"kind": "fake"})
ASK = GenerateRequest((Message("system", "You are Ada."), Message("user", "Hi")), seed=3, tags={"unit": "u1"})
SCORE = ScoreRequest((Message("system", "You are Ada."), Message("user", "Q1")), ("no", "yes"), tags={"item": "1"})

FACTORS: dict[str, Callable[[GenerateRequest], GenerateRequest]] = {
    "content": lambda q: replace(q, messages=(*q.messages[:-1], Message("user", "Hi "))),
    "role": lambda q: replace(q, messages=(*q.messages[:-1], Message("assistant", "Hi"))),
    "message": lambda q: replace(q, messages=q.messages[1:]),
    "temperature": lambda q: replace(q, sampling=replace(q.sampling, temperature=0.1)),
    "top_p": lambda q: replace(q, sampling=replace(q.sampling, top_p=0.5)),
    "top_k": lambda q: replace(q, sampling=replace(q.sampling, top_k=5)),
    "min_p": lambda q: replace(q, sampling=replace(q.sampling, min_p=0.1)),
    "repeat_penalty": lambda q: replace(q, sampling=replace(q.sampling, repeat_penalty=1.1)),
    "max_tokens": lambda q: replace(q, sampling=replace(q.sampling, max_tokens=5)),
    "stop": lambda q: replace(q, sampling=replace(q.sampling, stop=("x",))),
    "schema": lambda q: replace(q, json_schema={"type": "string"}),
    "seed": lambda q: replace(q, seed=4),
    "n": lambda q: replace(q, n=2),
    "replicate": lambda q: replace(q, replicate=1),
    "prefill": lambda q: replace(q, prefill="I"),
    "system_default": lambda q: replace(q, system_default=True),
    "condition": lambda q: replace(q, condition="abc"),
}


@pytest.mark.parametrize("factor", FACTORS)
def test_every_factor_of_generation_changes_the_key(factor: str) -> None:
    assert r.write_generate(PRINT, FACTORS[factor](ASK)).key != r.write_generate(PRINT, ASK).key


@pytest.mark.parametrize(
    "other",
    [
        replace(SCORE, options=("no", "yes!")),
        replace(SCORE, options=("yes", "no")),
        replace(SCORE, prefill="I say"),
        replace(SCORE, system_default=True),
        replace(SCORE, condition="abc"),
        replace(SCORE, messages=SCORE.messages[:1]),
    ],
)
def test_every_factor_of_scoring_changes_the_key(other: ScoreRequest) -> None:
    assert r.write_scores(PRINT, [other]).key != r.write_scores(PRINT, [SCORE]).key
    # also in company, where options and messages may be shared or not
    assert r.write_scores(PRINT, [SCORE, other]).key != r.write_scores(PRINT, [SCORE, SCORE]).key


def test_model_verb_and_group_change_the_key() -> None:
    assert r.write_generate(r.fingerprint_hash({"kind": "x"}), ASK).key != r.write_generate(PRINT, ASK).key
    assert r.write_scores(PRINT, [SCORE]).key != r.write_scores(PRINT, [SCORE, SCORE]).key
    assert r.write_embed(PRINT, ["ab"]).key != r.write_embed(PRINT, ["a", "b"]).key


def test_tags_never_change_the_key_and_are_not_in_the_request() -> None:
    tagged = replace(ASK, tags={"unit": "other", "persona": "p-secret"})
    assert r.write_generate(PRINT, tagged) == r.write_generate(PRINT, ASK)
    assert r.write_scores(PRINT, [replace(SCORE, tags={"item": "2"})]) == r.write_scores(PRINT, [SCORE])


def test_equal_numbers_make_equal_keys() -> None:
    one = replace(ASK, sampling=Sampling(temperature=1))
    assert r.write_generate(PRINT, one) == r.write_generate(PRINT, replace(ASK, sampling=Sampling(temperature=1.0)))


texts = st.text(max_size=12)  # hypothesis leaves surrogates out; they have a test of their own
messages = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=4).map(tuple)


@given(messages, texts, st.integers(0, 2**63 - 1), st.lists(texts, max_size=2).map(tuple))
@settings(max_examples=40, deadline=None)
def test_generate_requests_survive_storage(
    chat: tuple[Message, ...], prefill: str, seed: int, stop: tuple[str, ...]
) -> None:
    request = GenerateRequest(chat, Sampling(stop=stop), seed, prefill=prefill, json_schema={"type": "string"})
    call = r.write_generate(PRINT, request)
    assert r.read_generate(call.request) == request
    # One spelling: what the encoder would write, keys sorted, nothing between.
    assert call.request == json.dumps(json.loads(call.request), sort_keys=True, separators=(",", ":"))
    assert call.request.replace(",", "") == "".join(call.parts).replace(",", "")


@given(
    st.lists(st.builds(ScoreRequest, messages, st.lists(texts, min_size=1, max_size=3).map(tuple), texts), max_size=4)
)
@settings(max_examples=40, deadline=None)
def test_score_groups_survive_storage(group: list[ScoreRequest]) -> None:
    assert r.read_scores(r.write_scores(PRINT, group).request) == tuple(group)


def test_a_shared_prefix_is_written_once() -> None:
    system = Message("system", "You are Ada. " * 50)
    group = [ScoreRequest((system, Message("user", f"Q{k}")), ("no", "yes")) for k in range(50)]
    assert r.write_scores(PRINT, group).request.count("You are Ada. " * 50) == 1


def test_lone_surrogates_can_be_keyed_and_stored() -> None:
    request = replace(ASK, messages=(Message("user", "broken \ud83d half"),))
    call = r.write_generate(PRINT, request)
    assert call.request.isascii()
    assert r.read_generate(call.request).messages == request.messages


def test_answers_survive_storage_bit_for_bit() -> None:
    generation = Generation((Completion("hé\n", "length", 3),), Usage(1, 2, 3, 4))
    assert r.read_generation(r.write_generation(generation), call="k", cached=True) == replace(
        generation, call="k", cached=True
    )
    scores = OptionScores((-0.1, -1e-17), (1, 2), approximate=True, method="m", usage=Usage())
    assert r.read_option_scores(r.write_option_scores([scores]), call="k", cached=False) == (
        replace(scores, call="k#0"),
    )
    vectors = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    back = r.read_embeddings(r.write_embeddings(Embeddings(vectors, Usage())), call="k")
    assert np.array_equal(back.vectors, vectors)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"completions": 3, "usage": []}', json.dumps({"completions": [[1]]})])
def test_a_damaged_answer_is_a_clear_error(text: str) -> None:
    with pytest.raises(CorruptRunError, match="cannot be read"):
        r.read_generation(text, call="k", cached=True)
