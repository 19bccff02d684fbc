"""Whatever can change an answer is in the key of its call: field by field, so that a new field without a test fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from personae.models import (
    EchoModel,
    GenerateRequest,
    Image,
    Message,
    Sampling,
    ScoreRequest,
    ScriptedModel,
    StatisticalModel,
)
from personae.models import _requests as r

PICTURE = Image(b"\x89PNG\r\n\x1a\n one", "image/png")
SEEN = Message("user", "What is this?", (PICTURE,))
CHAT = (Message("system", "You are Ada."), SEEN)
ASK = GenerateRequest(CHAT, json_schema={"type": "object", "properties": {"a": {}, "b": {}}}, tags={"unit": "u1"})
SCORE = ScoreRequest(CHAT, ("no", "yes"), tags={"unit": "u1"})
PRINT = r.fingerprint_hash({"kind": "a model"})

# Another value for every field of everything that a request is made of.
OTHER: dict[type, dict[str, list[Any]]] = {
    Image: {"data": [PICTURE.data + b"!", b""], "media_type": ["image/webp"]},
    Message: {"role": ["assistant", "system"], "content": ["What is this", "", "What is this? "], "images": [()]},
    Sampling: {
        "temperature": [0.0, 0.7000001],
        "top_p": [0.9, 1.0],
        "top_k": [1],
        "min_p": [0.05],
        "repeat_penalty": [1.1],
        "max_tokens": [127],
        "stop": [("x",), ("",), ("x", "y"), ("y", "x")],
    },
    GenerateRequest: {
        "messages": [(), CHAT[:1], CHAT[1:], CHAT[::-1], (*CHAT, Message("assistant", ""))],
        "sampling": [Sampling(0.1)],
        "seed": [1, -1, 2**63],
        "n": [2],
        "replicate": [1],
        "json_schema": [
            None,
            {},
            {"type": "object", "properties": {"a": {}}},
            {"type": "object", "properties": {"b": {}, "a": {}}},  # properties are written in this order
        ],
        "prefill": ["I", " "],
        "system_default": [True],
        "condition": ["abc"],
    },
    ScoreRequest: {
        "messages": [(), CHAT[:1], CHAT[1:], CHAT[::-1]],
        "options": [("yes", "no"), ("no",), ("no", "yes", ""), ("noyes",)],
        "prefill": ["I"],
        "system_default": [True],
        "condition": ["abc"],
    },
}
NEVER = {(GenerateRequest, "tags"), (ScoreRequest, "tags")}


def changes(part: Any) -> Iterator[tuple[str, Any]]:
    """Copies of `part` with one field changed each."""
    for name, values in OTHER[type(part)].items():
        for k, value in enumerate(values):
            assert getattr(part, name) != value or name == "json_schema"
            yield f"{type(part).__name__}.{name} #{k}", replace(part, **{name: value})


def changed_requests(request: Any) -> dict[str, Any]:
    """Copies of `request` with one thing changed each, in it or in what it is made of."""
    found = dict(changes(request))
    put_in: list[tuple[Any, Callable[[Any], Any]]] = [
        (SEEN, lambda message: replace(request, messages=(CHAT[0], message))),
        (PICTURE, lambda image: replace(request, messages=(CHAT[0], replace(SEEN, images=(image,))))),
    ]
    if isinstance(request, GenerateRequest):
        put_in.append((request.sampling, lambda sampling: replace(request, sampling=sampling)))
    for part, put in put_in:
        found |= {name: put(other) for name, other in changes(part)}
    found["picture on the other message"] = replace(
        request, messages=(replace(CHAT[0], images=(PICTURE,)), replace(SEEN, images=()))
    )
    found["picture twice"] = replace(request, messages=(CHAT[0], replace(SEEN, images=(PICTURE, PICTURE))))
    return found


ASKED, SCORED = changed_requests(ASK), changed_requests(SCORE)


def generate_key(request: GenerateRequest) -> str:
    return r.write_generate(PRINT, request).key


@pytest.mark.parametrize("kind", OTHER, ids=lambda kind: kind.__name__)
def test_every_field_has_a_change_here(kind: type) -> None:
    known = set(OTHER[kind]) | {name for of, name in NEVER if of is kind}
    assert {f.name for f in fields(kind)} == known, "say whether the field can change an answer"
    assert all(OTHER[kind].values())


@pytest.mark.parametrize("change", ASKED)
def test_each_change_of_a_generate_request_is_another_key(change: str) -> None:
    assert generate_key(ASKED[change]) != generate_key(ASK)


def test_all_changes_of_a_generate_request_are_told_apart() -> None:
    keys = {generate_key(request) for request in ASKED.values()}
    assert len(keys) == len(ASKED)


@pytest.mark.parametrize("change", SCORED)
def test_each_change_of_a_score_request_is_another_key(change: str) -> None:
    other = SCORED[change]
    groups = {
        "alone": ([SCORE], [other]),
        "first": ([SCORE, SCORE], [other, SCORE]),
        "last": ([SCORE, SCORE], [SCORE, other]),
        "all": ([SCORE, SCORE], [other, other]),
    }
    keys = {name: tuple(r.write_scores(PRINT, group).key for group in pair) for name, pair in groups.items()}
    assert all(before != after for before, after in keys.values()), keys
    assert len({after for _, after in keys.values()}) == len(groups)


def test_all_changes_of_a_score_request_are_told_apart() -> None:
    assert len({r.write_scores(PRINT, [request]).key for request in SCORED.values()}) == len(SCORED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab"], ["a", "b"]),
        (["a", "b"], ["b", "a"]),
        (["a"], ["a", ""]),
        ([], [""]),
        (['a","b'], ["a", "b"]),
        (["é"], ["e\u0301"]),
    ],
)
def test_texts_to_embed_are_told_apart(one: list[str], other: list[str]) -> None:
    assert r.write_embed(PRINT, one).key != r.write_embed(PRINT, other).key


def test_tags_and_nothing_but_tags_leave_the_key_as_it_is() -> None:
    for tags in ({}, {"unit": "u2"}, {"unit": "u1", "persona": "p-1"}):
        assert generate_key(replace(ASK, tags=tags)) == generate_key(ASK)
        assert r.write_scores(PRINT, [replace(SCORE, tags=tags)]) == r.write_scores(PRINT, [SCORE])
    assert {name for _, name in NEVER} == {"tags"}


@pytest.mark.parametrize("model", [EchoModel(), ScriptedModel(["a"]), StatisticalModel()], ids=lambda m: m.reference)
def test_every_entry_of_a_fingerprint_is_in_the_key(model: Any) -> None:
    known = dict(model.fingerprint)
    assert known
    keys = {r.write_generate(r.fingerprint_hash(known), ASK).key}
    for name, value in known.items():
        for other in ({**known, name: f"{value}!"}, {k: v for k, v in known.items() if k != name}):
            keys.add(r.write_generate(r.fingerprint_hash(other), ASK).key)
    keys.add(r.write_generate(r.fingerprint_hash({**known, "one more": 0}), ASK).key)
    assert len(keys) == 2 * len(known) + 2
    assert r.fingerprint_hash(dict(reversed(known.items()))) == r.fingerprint_hash(known)


def test_kinds_of_values_in_a_fingerprint_are_told_apart() -> None:
    assert len({r.fingerprint_hash({"x": value}) for value in (1, "1", True, 1.5, "true", "")}) == 6


def test_verb_and_format_version_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    verbs = ("generate", "score_options", "embed")
    assert len({r._sealed(PRINT, verb, "{}", ()).key for verb in verbs}) == len(verbs)
    before = (generate_key(ASK), r.write_scores(PRINT, [SCORE]).key, r.write_embed(PRINT, ["a"]).key)
    monkeypatch.setattr(r, "CALL_FORMAT", r.CALL_FORMAT + 1)
    after = (generate_key(ASK), r.write_scores(PRINT, [SCORE]).key, r.write_embed(PRINT, ["a"]).key)
    assert len({*before, *after}) == 6


def test_the_order_of_a_schema_survives_storage() -> None:
    written = r.write_generate(PRINT, ASKED["GenerateRequest.json_schema #3"])
    stored = r.read_generate(written.request, {PICTURE.sha256: PICTURE.data})
    assert stored.json_schema is not None
    assert list(stored.json_schema["properties"]) == ["b", "a"]
