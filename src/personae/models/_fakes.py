"""Scripted models: answers from a list, a function or a hash, in microseconds. They need nothing and never vary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, TypeAlias

from personae.core import ModelError, canonical_json, sha256_hex
from personae.models._embed import HashEncoder
from personae.models._protocol import (
    Capability,
    Completion,
    Determinism,
    Embeddings,
    FinishReason,
    GenerateRequest,
    Generation,
    Message,
    OnText,
    OptionScores,
    Sampling,
    ScoreRequest,
    Usage,
)
from personae.models._requests import estimate_tokens
from personae.models._shown import PLAIN_FORM, PromptForm
from personae.models._structured import example

Replies: TypeAlias = Sequence[str] | Callable[[GenerateRequest], str]
Scores: TypeAlias = Callable[[ScoreRequest], Sequence[float]]

_VERBS: Final = frozenset({Capability.GENERATE, Capability.SCORE, Capability.EMBED, Capability.IMAGES})
_OPENERS: Final = (
    "I see what you mean.",
    "That makes sense to me.",
    "Honestly, I had not thought of it that way.",
    "It has been on my mind as well.",
    "Let me think about that.",
    "Well, it depends.",
    "You have a point there.",
    "I am not so sure.",
    "Thanks for asking.",
    "That sounds about right.",
    "Hm, good question.",
    "I felt the same last week.",
)
_BODIES: Final = (
    "My {place} taught me to take things slowly.",
    "I would rather talk about the {place} than worry.",
    "Yesterday I spent an hour at the {place} and it helped.",
    "We could start with the {place} and see how it goes.",
    "Most days I keep to the {place} and a few good friends.",
    "There is always something to fix at the {place}.",
    "My sister says the {place} suits me better than an office.",
    "I keep a small notebook about the {place}.",
    "It is hard to explain, but the {place} matters to me.",
    "What I want is a quiet evening near the {place}.",
)
_PLACES: Final = (
    "garden", "workshop", "library", "harbour", "kitchen", "market", "river", "school", "station", "studio",
    "bakery", "clinic", "farm", "gym", "museum", "orchard",
)  # fmt: skip
_QUESTIONS: Final = (
    "How about you?",
    "What would you do?",
    "Does that sound familiar?",
    "What happened next?",
    "Would you try it again?",
    "",
    "",
    "",
)
_CLOSINGS: Final = (
    "Thank you for the talk. Goodbye!",
    "I have to go now, take care. Bye!",
    "It was good talking to you. See you soon, goodbye.",
)
_CLOSING_SHARE: Final = 0.2
"""Share of replies that close the talk, once there has been some talk."""
_SMALL_TALK: Final = 4


class ScriptedModel:
    """A model that answers from a script; exact, because an answer is a pure function of its request.

    Args:
        replies: a list (a chat that holds k assistant messages gets reply k, round and round), a function of the
            request, or None for short plausible sentences drawn by hashing seed and messages; some say goodbye.
        scores: a function that returns one log-probability per option, or None for hashed ones.
        reference: what the model calls itself.
    """

    def __init__(
        self, replies: Replies | None = None, scores: Scores | None = None, *, reference: str = "fake:scripted"
    ) -> None:
        self._replies = replies
        self._scores = scores
        self._reference = reference
        self._encoder = HashEncoder()
        self._open = True
        self._fingerprint: dict[str, str | int | float | bool] = {
            "kind": "fake",
            "reference": reference,
            "version": 1,
            "replies": _name_of(replies),
            "scores": _name_of(scores),
        }

    @property
    def reference(self) -> str:
        return self._reference

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        return self._fingerprint

    @property
    def capabilities(self) -> frozenset[Capability]:
        return _VERBS

    @property
    def determinism(self) -> Determinism:
        return "exact"

    @property
    def parallel(self) -> int:
        return 64

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        return PLAIN_FORM

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        self._check_open()
        completions = tuple(finished(self._text(request, k), request.sampling) for k in range(request.n))
        if on_text is not None:
            on_text(completions[0].text)
        prompt = _prompt_tokens(request.messages)
        return Generation(completions, Usage(1, prompt, prompt, sum(c.tokens for c in completions)))

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        self._check_open()
        return tuple(self._score(request) for request in requests)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self._check_open()
        tokens = sum(map(estimate_tokens, texts))
        return Embeddings(self._encoder.encode(texts), Usage(1, tokens, tokens))

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        self._open = False

    def _text(self, request: GenerateRequest, index: int) -> str:
        replies = self._replies
        if replies is None:
            if request.json_schema is not None:
                pick = int.from_bytes(_digest(request.messages, request.seed, request.replicate, index)[:8], "big")
                return canonical_json(example(request.json_schema, pick))
            return small_talk(request, index)
        if callable(replies):
            return replies(request)
        said = sum(m.role == "assistant" for m in request.messages)
        return replies[(said + index + request.replicate) % len(replies)]

    def _score(self, request: ScoreRequest) -> OptionScores:
        if self._scores is not None:
            logprobs = tuple(float(s) for s in self._scores(request))
            if len(logprobs) != len(request.options):
                raise ModelError(
                    f"{self._reference}: the script gave {len(logprobs)} scores for {len(request.options)} options."
                )
        else:
            root = hashlib.blake2b(_digest(request.messages, request.prefill), digest_size=16)
            logprobs = tuple(_hashed_logprob(root, option) for option in request.options)
        prompt = _prompt_tokens(request.messages)
        tokens = tuple(max(1, estimate_tokens(option)) for option in request.options)
        return OptionScores(logprobs, tokens, approximate=False, method="scripted", usage=Usage(1, prompt, prompt))

    def _check_open(self) -> None:
        if not self._open:
            raise ModelError(f"{self._reference!r} is closed.", hint="Open the model again.")


class EchoModel(ScriptedModel):
    """A model that says what was last said to it, and prefers the option that shares most words with it."""

    def __init__(self) -> None:
        super().__init__(_repeat, _overlap, reference="fake:echo")


def small_talk(request: GenerateRequest, index: int = 0) -> str:
    """A short plausible reply, drawn by hashing seed and messages."""
    digest = _digest(request.messages, request.seed, request.replicate, index)
    if len(request.messages) >= _SMALL_TALK and digest[0] < 256 * _CLOSING_SHARE:
        return _CLOSINGS[digest[1] % len(_CLOSINGS)]
    body = _BODIES[digest[2] % len(_BODIES)].format(place=_PLACES[digest[3] % len(_PLACES)])
    question = _QUESTIONS[digest[4] % len(_QUESTIONS)]
    return f"{_OPENERS[digest[1] % len(_OPENERS)]} {body} {question}".rstrip()


def finished(text: str, sampling: Sampling) -> Completion:
    """`text` cut at the first stop string and at the token limit, as a model would have ended it."""
    reason: FinishReason = "stop"
    for stop in sampling.stop:
        if stop and (at := text.find(stop)) >= 0:
            text = text[:at]
    if len(text) > 4 * sampling.max_tokens:
        text, reason = text[: 4 * sampling.max_tokens], "length"
    if not text:
        reason = "empty"
    return Completion(text, reason, estimate_tokens(text))


def _repeat(request: GenerateRequest) -> str:
    return next((m.content for m in reversed(request.messages) if m.role == "user"), "")


def _overlap(request: ScoreRequest) -> list[float]:
    words = set(" ".join(m.content for m in request.messages if m.role == "user").lower().split())
    return [float(len(words & set(option.lower().split()))) - 10.0 for option in request.options]


def _name_of(script: Replies | Scores | None) -> str:
    if script is None:
        return "hashed"
    if callable(script):
        return f"{getattr(script, '__module__', '')}.{getattr(script, '__qualname__', type(script).__name__)}"
    return sha256_hex(list(script))


def _digest(messages: Sequence[Message], *rest: str | int) -> bytes:
    parts = [*(f"{m.role}\x1f{m.content}" for m in messages), *map(str, rest)]
    parts += [image.sha256 for m in messages for image in m.images]
    return hashlib.blake2b("\x1e".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _hashed_logprob(root: hashlib.blake2b, option: str) -> float:
    own = root.copy()
    own.update(option.encode("utf-8", "surrogatepass"))
    return -0.5 - 6.0 * int.from_bytes(own.digest()[:4], "big") / 2**32


def _prompt_tokens(messages: Sequence[Message]) -> int:
    return sum((len(m.content) + 3) // 4 + 4 for m in messages)
