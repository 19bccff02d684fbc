from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from personae.core import InputError
from personae.models import GenerateRequest, Message, Sampling, ScriptedModel, generate_json, read_json
from personae.models._structured import example, misfit


class Part(BaseModel):
    label: Literal["a", "b"]
    weight: float = Field(ge=0, le=1)


class Whole(BaseModel):
    name: str = Field(min_length=2, max_length=9)
    count: int = Field(ge=3, le=5)
    parts: list[Part] = Field(min_length=2, max_length=3)
    note: str | None = None
    flag: bool


SCHEMA: dict[str, Any] = Whole.model_json_schema()


@given(st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_examples_fit_and_pydantic_agrees(seed: int) -> None:
    value = example(SCHEMA, seed)
    assert misfit(value, SCHEMA) is None
    assert Whole.model_validate(value).count in {3, 4, 5}
    assert example(SCHEMA, seed) == value


GOOD: dict[str, Any] = {
    "name": "Ada", "count": 3, "flag": True, "note": None,
    "parts": [{"label": "a", "weight": 1}, {"label": "b", "weight": 0.5}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "A"}, "name"),
        ({"name": 3}, "type 'string'"),
        ({"count": 6}, "maximum of 5"),
        ({"count": 3.5}, "type 'integer'"),
        ({"count": True}, "type 'integer'"),
        ({"parts": []}, "parts"),
        ({"parts": [{"label": "c", "weight": 1}] * 2}, "one of"),
        ({"parts": [{"label": "a"}] * 2}, "required"),
        ({"note": 3}, "$.note"),
        ({"flag": "yes"}, "type 'boolean'"),
    ],
)
def test_what_does_not_fit_is_named_and_pydantic_agrees(change: dict[str, Any], word: str) -> None:
    assert misfit(GOOD, SCHEMA) is None
    problem = misfit({**GOOD, **change}, SCHEMA)
    assert problem is not None
    assert word in problem
    with pytest.raises(ValueError):
        Whole.model_validate({**GOOD, **change}, strict=True)


def test_unknown_keys_only_where_they_are_forbidden() -> None:
    assert misfit({"x": 1}, {"type": "object", "properties": {}}) is None
    assert misfit({"x": 1}, {"type": "object", "additionalProperties": False}) is not None
    assert misfit(5, {"exclusiveMinimum": 5}) is not None
    assert misfit("x", {"const": "y"}) is not None


def test_text_that_is_not_json_is_a_problem_not_an_error() -> None:
    assert read_json('{"a": 1', {})[1] is not None
    assert read_json("[" * 100000, {})[1] is not None
    assert read_json('{"a": 1}', {"type": "object"}) == ({"a": 1}, None)


def test_a_bad_answer_is_asked_for_again_at_most_k_times() -> None:
    tries: list[int] = []
    shown: list[tuple[str, ...]] = []

    def say(request: GenerateRequest) -> str:
        tries.append(request.seed)
        shown.append(tuple(message.content for message in request.messages))
        return '{"a": 1}' if len(tries) == 3 else "not yet"

    request = GenerateRequest((Message("user", "?"),), seed=7, json_schema={"type": "object"})
    got = asyncio.run(generate_json(ScriptedModel(say), request, repairs=2))
    assert got.value == {"a": 1}
    assert len(got.problems) == 2
    assert got.usage.calls == 3
    assert tries[0] == 7
    assert len(set(tries)) == 3
    assert shown[0] == ("?",)
    assert shown[1][:2] == ("?", "not yet")
    assert "not JSON" in shown[1][2]
    assert len(shown[2]) == 3  # the last bad answer alone: repairs do not pile up
    tries[:] = []
    gave_up = asyncio.run(generate_json(ScriptedModel(say), request, repairs=1))
    assert gave_up.value is None
    assert len(gave_up.problems) == 2


def test_a_prefill_is_part_of_the_value() -> None:
    request = GenerateRequest((Message("user", "?"),), json_schema={"type": "object"}, prefill='{"a":')
    assert asyncio.run(generate_json(ScriptedModel([" 1}"]), request)).value == {"a": 1}


def test_what_was_cut_off_is_asked_for_again_and_not_shown() -> None:
    asked: list[GenerateRequest] = []

    def say(request: GenerateRequest) -> str:
        asked.append(request)
        return '{"a": 1}' if len(asked) == 2 else '{"a": ' + "1" * 4000

    request = GenerateRequest((Message("user", "?"),), Sampling(max_tokens=8), seed=7, json_schema={"type": "object"})
    got = asyncio.run(generate_json(ScriptedModel(say), request, repairs=2))
    assert got.value == {"a": 1}
    assert asked[1].messages == asked[0].messages
    assert asked[1].seed != asked[0].seed


def test_every_keyword_is_checked() -> None:
    assert misfit("ab1", {"type": "string", "pattern": "^[a-z]+$"}) is not None
    assert misfit([1, 1], {"type": "array", "uniqueItems": True}) is not None
    assert misfit(7, {"multipleOf": 2}) is not None
    assert misfit({"a": 1}, {"not": {"required": ["a"]}}) is not None


def test_a_bad_schema_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match="not a JSON schema"):
        misfit(1, {"type": "nonsense"})
    with pytest.raises(InputError, match=r"refers to .*not in it"):
        misfit(1, {"$ref": "http://127.0.0.1:9/outside.json"})
    with pytest.raises(InputError, match="needs a request with a json_schema"):
        asyncio.run(generate_json(ScriptedModel(["1"]), GenerateRequest((Message("user", "?"),))))
