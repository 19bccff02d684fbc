from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest

from personae.core import ModelError
from personae.models import EchoModel, GenerateRequest, Message, Sampling, ScoreRequest, ScriptedModel

CHAT = (Message("system", "You are Ada."), Message("user", "Hi"))


def _say(model: ScriptedModel, request: GenerateRequest) -> str:
    return asyncio.run(model.generate(request)).text


def test_a_list_is_read_by_the_length_of_the_chat_not_by_the_order_of_calls() -> None:
    model = ScriptedModel(["one", "two"])
    longer = GenerateRequest((*CHAT, Message("assistant", "one"), Message("user", "go on")))
    assert [_say(model, longer), _say(model, GenerateRequest(CHAT)), _say(model, longer)] == ["two", "one", "two"]


def test_a_function_sees_the_request() -> None:
    assert _say(ScriptedModel(lambda r: r.messages[-1].content.upper()), GenerateRequest(CHAT)) == "HI"


def test_the_default_script_depends_on_seed_and_messages_alone() -> None:
    model = ScriptedModel()
    texts = {_say(model, GenerateRequest(CHAT, seed=s)) for s in range(30)}
    assert len(texts) > 20
    a = GenerateRequest(CHAT, seed=1, tags={"unit": "a"}, condition="x")
    assert _say(model, a) == _say(ScriptedModel(), GenerateRequest(CHAT, seed=1))
    several = asyncio.run(model.generate(GenerateRequest(CHAT, n=5)))
    assert len({c.text for c in several.completions}) > 1
    assert len(several.completions) == 5


def test_the_default_script_says_goodbye_now_and_then_but_not_at_once() -> None:
    model = ScriptedModel()
    long = (*CHAT, Message("assistant", "Hello"), Message("user", "How are you?"))

    def closings(messages: tuple[Message, ...]) -> int:
        texts = [_say(model, GenerateRequest(messages, seed=s)).lower() for s in range(300)]
        return sum("bye" in t for t in texts)

    assert closings(CHAT) == 0
    assert 30 <= closings(long) <= 95  # share .2


def test_stops_and_limits_end_a_reply() -> None:
    model = ScriptedModel(["one two. three four"])
    stopped = asyncio.run(model.generate(GenerateRequest(CHAT, Sampling(stop=(" three", ".")))))
    assert (stopped.text, stopped.finish_reason) == ("one two", "stop")
    cut = asyncio.run(model.generate(GenerateRequest(CHAT, Sampling(max_tokens=2))))
    assert (len(cut.text), cut.finish_reason) == (8, "length")
    assert asyncio.run(ScriptedModel([""]).generate(GenerateRequest(CHAT))).finish_reason == "empty"


def test_a_schema_is_met() -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["calm", "cross"]}, "age": {"type": "integer"}}}
    moods = Counter(
        json.loads(_say(ScriptedModel(), GenerateRequest(CHAT, seed=s, json_schema=schema)))["mood"] for s in range(40)
    )
    assert set(moods) == {"calm", "cross"}


def test_scores_by_hash_and_by_function() -> None:
    request = ScoreRequest(CHAT, ("no", "maybe", "yes"))
    (hashed,) = asyncio.run(ScriptedModel().score_options([request]))
    (again,) = asyncio.run(ScriptedModel().score_options([ScoreRequest(CHAT, ("yes", "maybe", "no"))]))
    assert hashed.logprobs == again.logprobs[::-1]
    assert len(set(hashed.logprobs)) == 3
    assert not hashed.approximate
    (given,) = asyncio.run(ScriptedModel(scores=lambda r: [len(o) for o in r.options]).score_options([request]))
    assert given.logprobs == (2.0, 5.0, 3.0)
    with pytest.raises(ModelError, match="1 scores for 3"):
        asyncio.run(ScriptedModel(scores=lambda r: [0.0]).score_options([request]))


def test_echo_repeats_and_agrees() -> None:
    model = EchoModel()
    assert _say(model, GenerateRequest((*CHAT, Message("assistant", "no")))) == "Hi"
    (scores,) = asyncio.run(model.score_options([ScoreRequest((Message("user", "I like red tea"),), ("red", "blue"))]))
    assert scores.logprobs[0] > scores.logprobs[1]


def test_fingerprints_tell_scripts_apart() -> None:
    prints = [ScriptedModel().fingerprint, ScriptedModel(["a"]).fingerprint, ScriptedModel(["b"]).fingerprint]
    assert len({json.dumps(dict(p), sort_keys=True) for p in prints}) == 3


def test_closed_means_closed() -> None:
    model = ScriptedModel()
    asyncio.run(model.close())
    with pytest.raises(ModelError, match="closed"):
        asyncio.run(model.generate(GenerateRequest(CHAT)))


@pytest.mark.parametrize("model", [ScriptedModel(["hello there"]), ScriptedModel()])
def test_an_answer_takes_microseconds(model: ScriptedModel) -> None:
    requests = [GenerateRequest(CHAT, seed=s) for s in range(2000)]

    async def block() -> float:
        start = time.process_time()
        for request in requests:
            await model.generate(request)
        return (time.process_time() - start) / len(requests)

    assert min(asyncio.run(block()) for _ in range(5)) < 30e-6
