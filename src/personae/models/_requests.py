"""Requests and answers as JSON, and the key of a call: sha256 over everything that can change its answer.

In the key: model fingerprint, verb, messages, sampling, schema, seed, n, replicate, prefill, system_default, condition,
options, format version. Never in the key: tags.

A group of score requests is one call, because the group is the shape in which it is computed; what its members share is
written once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from personae.core import CorruptRunError, canonical_json
from personae.models._protocol import (
    Completion,
    Embeddings,
    GenerateRequest,
    Generation,
    Image,
    Message,
    OptionScores,
    Sampling,
    ScoreRequest,
    Usage,
)

CALL_FORMAT: Final = 2
"""Version of what is written here. A new version makes every old key a miss."""

Verb: TypeAlias = Literal["generate", "score_options", "embed"]

# ASCII only: lone surrogates in a text survive, and SQLite never sees what it cannot store.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
# A schema keeps its order: engines write an object's properties in the order in which its schema names them.
_encode_schema: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=dict).encode


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it is stored: its key and the JSON of its request."""

    key: str
    request: str
    parts: tuple[str, ...] = ()
    """the request in pieces, those that come again in every turn of a conversation apart; () = not taken apart"""


def fingerprint_hash(fingerprint: Mapping[str, str | int | float | bool]) -> str:
    """sha256 of a model fingerprint, 64 hex characters."""
    return hashlib.sha256(canonical_json(dict(fingerprint)).encode("utf-8", "surrogatepass")).hexdigest()


def write_generate(fingerprint: str, request: GenerateRequest) -> WrittenCall:
    """The stored form of a generate call to the model whose fingerprint hash is `fingerprint`."""
    # Written by hand, because a turn of a conversation repeats all earlier ones: they are encoded once. The result is
    # the JSON that the encoder would give, keys sorted (but for the schema's).
    messages = tuple(map(_message_json, request.messages))
    schema = "null" if request.json_schema is None else _encode_schema(request.json_schema)
    before = f'{{"condition":{_text_json(request.condition)},"json_schema":{schema},"messages":['
    after = (
        f'],"n":{int(request.n)},"prefill":{_text_json(request.prefill)},"replicate":{int(request.replicate)},'
        f'"sampling":{_sampling_json(request.sampling)},"seed":{int(request.seed)},'
        f'"system_default":{"true" if request.system_default else "false"}}}'
    )
    return _sealed(fingerprint, "generate", f"{before}{','.join(messages)}{after}", (before, *messages, after))


def write_scores(fingerprint: str, requests: Sequence[ScoreRequest]) -> WrittenCall:
    """The stored form of one group of score requests."""
    shared = _shared_messages(requests)
    same_options = len({r.options for r in requests}) == 1
    items = [
        {
            "condition": r.condition,
            "messages": [_pair(m) for m in r.messages[shared:]],
            "prefill": r.prefill,
            "system_default": r.system_default,
            **({} if same_options else {"options": r.options}),
        }
        for r in requests
    ]
    body: dict[str, Any] = {"requests": items}
    if requests:
        body["shared_messages"] = [_pair(m) for m in requests[0].messages[:shared]]
        if same_options:
            body["shared_options"] = requests[0].options
    return _written(fingerprint, "score_options", body)


def write_embed(fingerprint: str, texts: Sequence[str]) -> WrittenCall:
    """The stored form of one batch of texts to embed."""
    return _written(fingerprint, "embed", {"texts": list(texts)})


def read_generate(text: str, pictures: Mapping[str, bytes] | None = None) -> GenerateRequest:
    """The generate request whose stored form is `text` (tags and pictures are kept elsewhere)."""
    body = json.loads(text)
    sampling = dict(body["sampling"])
    sampling["stop"] = tuple(sampling["stop"])
    return GenerateRequest(
        messages=_messages(body["messages"], pictures or {}),
        sampling=Sampling(**sampling),
        seed=body["seed"],
        n=body["n"],
        replicate=body["replicate"],
        json_schema=body["json_schema"],
        prefill=body["prefill"],
        system_default=body["system_default"],
        condition=body["condition"],
    )


def read_scores(text: str, pictures: Mapping[str, bytes] | None = None) -> tuple[ScoreRequest, ...]:
    """The group of score requests whose stored form is `text`."""
    body = json.loads(text)
    shared = body.get("shared_messages", [])
    return tuple(
        ScoreRequest(
            messages=_messages([*shared, *item["messages"]], pictures or {}),
            options=tuple(item.get("options", body.get("shared_options", ()))),
            prefill=item["prefill"],
            system_default=item["system_default"],
            condition=item["condition"],
        )
        for item in body["requests"]
    )


def write_generation(answer: Generation) -> str:
    """JSON of an answer; `call` and `cached` describe the asking and are left out."""
    return _encode(
        {
            "completions": [[c.text, c.finish_reason, c.tokens] for c in answer.completions],
            "usage": _usage(answer.usage),
        }
    )


def read_generation(text: str, *, call: str, cached: bool) -> Generation:
    """The answer written by `write_generation`."""
    try:
        body = json.loads(text)
        completions = tuple(Completion(t, reason, n) for t, reason, n in body["completions"])
        return Generation(completions, Usage(*body["usage"]), call, cached)
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(call) from error


def write_option_scores(answers: Sequence[OptionScores]) -> str:
    """JSON of the answers to one group."""
    return _encode([[a.logprobs, a.tokens, a.approximate, a.method, _usage(a.usage), a.firsts] for a in answers])


def read_option_scores(text: str, *, call: str, cached: bool) -> tuple[OptionScores, ...]:
    """The answers written by `write_option_scores`; member k is called `<key>#k`."""
    try:
        return tuple(
            OptionScores(
                tuple(map(float, logs)),
                tuple(tokens),
                approx,
                method,
                Usage(*usage),
                f"{call}#{k}",
                cached,
                tuple(map(float, firsts)),
            )
            for k, (logs, tokens, approx, method, usage, firsts) in enumerate(json.loads(text))
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(call) from error


def write_embeddings(answer: Embeddings) -> str:
    """JSON of sentence vectors: shape, and little-endian float32 in base 64."""
    data = base64.b64encode(np.ascontiguousarray(answer.vectors, dtype="<f4").tobytes()).decode("ascii")
    return _encode({"data": data, "shape": list(answer.vectors.shape), "usage": _usage(answer.usage)})


def read_embeddings(text: str, *, call: str) -> Embeddings:
    """The vectors written by `write_embeddings`."""
    try:
        body = json.loads(text)
        vectors = np.frombuffer(base64.b64decode(body["data"]), dtype="<f4").reshape(body["shape"])
        return Embeddings(vectors.astype(np.float32), Usage(*body["usage"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(call) from error


def estimate_tokens(text: str) -> int:
    """Four characters a token, at least one for a text that is not empty."""
    return (len(text) + 3) // 4


def _written(fingerprint: str, verb: Verb, body: dict[str, Any]) -> WrittenCall:
    return _sealed(fingerprint, verb, _encode(body), ())


def _sealed(fingerprint: str, verb: Verb, request: str, parts: tuple[str, ...]) -> WrittenCall:
    head = f"personae-call/{CALL_FORMAT}\n{fingerprint}\n{verb}\n"
    return WrittenCall(hashlib.sha256((head + request).encode("ascii")).hexdigest(), request, parts)


@lru_cache(maxsize=1024)
def _message_json(message: Message) -> str:
    return _encode(_pair(message))


def _pair(message: Message) -> list[Any]:
    """A message as it is stored: role, content, and what stands for its pictures."""
    pair: list[Any] = [message.role, message.content]
    return [*pair, [[i.media_type, i.sha256] for i in message.images]] if message.images else pair


@lru_cache(maxsize=256)
def _text_json(text: str) -> str:
    return _encode(text)


@lru_cache(maxsize=256)
def _sampling_json(sampling: Sampling) -> str:
    # Floats throughout: 1 and 1.0 ask for the same thing.
    return _encode(
        {
            "max_tokens": sampling.max_tokens,
            "min_p": float(sampling.min_p),
            "repeat_penalty": float(sampling.repeat_penalty),
            "stop": list(sampling.stop),
            "temperature": float(sampling.temperature),
            "top_k": sampling.top_k,
            "top_p": float(sampling.top_p),
        }
    )


def _shared_messages(requests: Sequence[ScoreRequest]) -> int:
    if not requests:
        return 0
    first = requests[0].messages
    count = min(len(r.messages) for r in requests)
    for k in range(count):
        if any(r.messages[k] != first[k] for r in requests):
            return k
    return count


def _messages(pairs: Sequence[Sequence[Any]], pictures: Mapping[str, bytes]) -> tuple[Message, ...]:
    return tuple(
        Message(pair[0], pair[1], tuple(Image(pictures[sha], kind) for kind, sha in (pair[2] if len(pair) > 2 else ())))
        for pair in pairs
    )


def pictures_in(text: str) -> tuple[str, ...]:
    """sha256 of the pictures that a stored request names."""
    if '"image/' not in text:
        return ()
    body = json.loads(text)
    pairs = [*body.get("messages", ()), *body.get("shared_messages", ())]
    pairs += [pair for item in body.get("requests", ()) for pair in item["messages"]]
    return tuple(dict.fromkeys(sha for pair in pairs if len(pair) > 2 for _, sha in pair[2]))


def _usage(usage: Usage) -> list[int]:
    return [usage.calls, usage.prompt, usage.prefilled, usage.generated]


def _unreadable(call: str) -> CorruptRunError:
    return CorruptRunError(
        f"the stored answer of call {call!r} cannot be read.",
        hint="The file is damaged: delete it if it is the cache, restore it (or repeat the run) if it is calls.sqlite.",
    )
