"""The OpenAI-compatible HTTP adapter: chat, option scoring and embeddings over any endpoint that speaks the dialect.

What an endpoint cannot promise, and what is done instead:
- Token ids cannot be sent, so control strings in content are broken up (see `_neutral`); the log counts them.
- The chat template is the server's. A chat without system message gets an empty one, unless `system_default` asks for
  the template's own: that is as near to "no system block" as an endpoint comes.
- `prefill` is sent as a trailing assistant message, which most local servers continue (for vLLM the two flags that make
  it continue are sent too); hosted APIs may start over instead. A reply that repeats the prefill has it removed.
- Option scoring: echoed prompt log-probabilities of a plain transcript where the server offers them (asked once), else
  letters (see `_labels`), marked approximate.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, TypeVar

from personae.core import CapabilityError, InputError, MissingDependencyError, ReplyError, derive_seed
from personae.models._admission import Clock, Limits, Sleep
from personae.models._keys import remember_secret
from personae.models._labels import LABELS_VERSION, LabelShares, label_messages, label_shares, pooled_logprobs
from personae.models._neutral import NEUTRALISE_VERSION, neutralise
from personae.models._prefixes import Prefixes
from personae.models._protocol import (
    Capability,
    Completion,
    Determinism,
    Embeddings,
    FinishReason,
    GenerateRequest,
    Generation,
    OnText,
    OptionScores,
    ScoreRequest,
    Usage,
)
from personae.models._replies import (
    Choice,
    StreamedChat,
    TopToken,
    read_chat,
    read_echo,
    read_top_tokens,
    read_usage,
    read_vectors,
)
from personae.models._requests import estimate_tokens
from personae.models._shown import MESSAGES, PromptForm, WireMessage, wire_messages
from personae.models._structured import read_json
from personae.models._transport import DEFAULT_URL, StatusError, Transport
from personae.models._wrapper import current_notes

ScoreMethod: TypeAlias = Literal["auto", "echo", "labels"]

_UNSUPPORTED: Final = frozenset({400, 404, 405, 422, 501})
_TOP_TOKENS: Final = 20
_FEW_TOP_TOKENS: Final = 5
_SEED_MASK: Final = 2**31 - 1
_LIMITS: Final = ("max_tokens", "max_completion_tokens")

T = TypeVar("T")


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        name: what the endpoint calls the model.
        base_url: without secrets; `/v1` is added to a bare host. Several, for servers of the same model: calls are
            balanced over them, and one that cannot be reached is left alone for a while.
        api_key: default: `PERSONAE_API_KEY`, else `OPENAI_API_KEY`, from the environment.
        limits: admission limits.
        seed: of the retry jitter.
        score_method: `auto` asks the server once whether it echoes log-probabilities.
        rotations: label rotations per item; default all of them.
        clock: seconds, for tests.
        sleep: waits, for tests.

    Raises:
        MissingDependencyError: the `openai` package is not installed.
    """

    def __init__(
        self,
        name: str,
        base_url: str | Sequence[str] = DEFAULT_URL,
        *,
        api_key: str | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        score_method: ScoreMethod = "auto",
        rotations: int | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        if find_spec("openai") is None:
            raise MissingDependencyError.of("openai", "openai")
        if api_key is not None:
            remember_secret(api_key)
        self._name = name
        self._given = (base_url,) if isinstance(base_url, str) else tuple(base_url)
        if not self._given:
            raise InputError(f"the endpoint of {name!r} has no address.", hint="Give at least one base URL.")
        self._limits = limits or Limits()
        self._transport = Transport(
            name, self._given, key=api_key, limits=self._limits, seed=seed, clock=clock, sleep=sleep
        )
        self._score_method: ScoreMethod = score_method
        self._rotations = rotations
        self._echoes = {"auto": None, "echo": True, "labels": False}[score_method]
        # Newer hosted models know only the second name, other servers only the first.
        self._limit = _LIMITS[self._hosted]
        self._top_tokens = _TOP_TOKENS
        self._one_by_one = False
        self._prefixes = Prefixes()

    @property
    def _url(self) -> str:
        return self._transport.url

    @property
    def _hosted(self) -> bool:
        """The hosted API knows some words that other servers do not, and the other way round."""
        return self._given == (DEFAULT_URL,)

    @property
    def reference(self) -> str:
        return f"openai:{self._name}" if self._hosted else f"openai:{self._name}@{','.join(self._given)}"

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        return {
            "kind": "openai",
            "name": self._name,
            "url": self._url,
            "query": json.dumps(dict(self._transport.query), sort_keys=True),
            "neutralise": NEUTRALISE_VERSION,
            "labels": LABELS_VERSION,
            "score_method": self._score_method,
            "rotations": self._rotations or 0,
        }

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE, Capability.SCORE, Capability.EMBED, Capability.IMAGES})

    @property
    def determinism(self) -> Determinism:
        return "replay"

    @property
    def parallel(self) -> int:
        return self._limits.parallel * len(self._given)

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        """The messages as sent; the template that joins them is the server's and cannot be seen."""
        return MESSAGES

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        """Continue a chat; with `on_text` a single continuation is heard as it is written."""
        messages, count = wire_messages(request.messages, request.prefill, system_default=request.system_default)
        current_notes().neutralised += count
        if on_text is not None and request.n == 1:
            choices, usage = await self._streamed(request, messages, on_text)
        else:
            choices, usage = await self._chat_choices(request, messages)
            if on_text is not None:
                on_text(choices[0].text)
        # The endpoint counts tokens of the whole reply only.
        counted = usage.generated if len(choices) == 1 else None
        completions = tuple(_completion(c, request, counted) for c in choices[: request.n])
        return Generation(completions, usage)

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        """Score each request; see the module's docstring for the two methods.

        Raises:
            CapabilityError: the endpoint offers no log-probabilities at all.
            ReplyError: not one letter is among the likely tokens of an item.
        """
        if requests and self._echoes is None:
            self._echoes = await self._probe_echo()
        if self._echoes:
            return tuple(await _together([self._score_by_echo(r) for r in requests]))
        return await self._score_by_labels(requests)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Vectors from the embeddings endpoint, made unit length.

        Raises:
            CapabilityError: the endpoint makes no embeddings.
        """
        clean = [neutralise(t) for t in texts]
        current_notes().neutralised += sum(c.count for c in clean)
        body = {"model": self._name, "input": [c.text for c in clean], "encoding_format": "float"}

        def read(reply: dict[str, Any]) -> Embeddings:
            return Embeddings(read_vectors(reply, self._url, len(texts)), read_usage(reply, "".join(texts), ""))

        try:
            return await self._transport.post("/embeddings", body, read)
        except StatusError as error:
            if error.status in {404, 405, 501}:
                raise CapabilityError(
                    f"{self._url!r} offers no embeddings for {self._name!r}: {error.message}"
                ) from error
            raise

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        await self._transport.close()

    # Generation ------------------------------------------------------------------------------------------------------

    async def _streamed(
        self, request: GenerateRequest, messages: list[WireMessage], on_text: OnText
    ) -> tuple[list[Choice], Usage]:
        body = {**self._chat_body(request, messages), "seed": _wire_seed(request, 0)}

        async def send(body: dict[str, Any]) -> StreamedChat:
            return await self._transport.stream("/chat/completions", body, on_text, prefix=_prefix(messages))

        told = await self._limited(send, body)
        reply = told.body()
        return read_chat(reply, self._url), read_usage(reply, json.dumps(messages), told.text)

    async def _chat_choices(self, request: GenerateRequest, messages: list[WireMessage]) -> tuple[list[Choice], Usage]:
        """At least `n` choices. Servers that give fewer than asked, or refuse `n`, are asked again."""
        body = self._chat_body(request, messages)
        choices: list[Choice] = []
        usage = Usage(calls=0)
        while len(choices) < request.n:
            missing = 1 if self._one_by_one else request.n - len(choices)
            asked = {**body, "seed": _wire_seed(request, len(choices))}
            try:
                got, used = await self._chat(asked if missing == 1 else {**asked, "n": missing}, messages)
            except StatusError as error:
                if missing == 1 or error.status not in _UNSUPPORTED:
                    raise
                got, used = await self._chat(asked, messages)
                self._one_by_one = True  # it answered once `n` was left out
            choices.extend(got)
            usage += used
        return choices, usage

    async def _chat(self, body: dict[str, Any], messages: list[WireMessage]) -> tuple[list[Choice], Usage]:
        def read(reply: dict[str, Any]) -> tuple[list[Choice], Usage]:
            got = read_chat(reply, self._url)
            return got, read_usage(reply, json.dumps(messages), "".join(c.text for c in got))

        async def send(body: dict[str, Any]) -> tuple[list[Choice], Usage]:
            return await self._transport.post("/chat/completions", body, read, prefix=_prefix(messages))

        return await self._limited(send, body)

    async def _limited(self, send: Callable[[dict[str, Any]], Awaitable[T]], body: dict[str, Any]) -> T:
        """Send; where the server asks for the other name of the token limit, send that from now on."""
        name = next(name for name in _LIMITS if name in body)
        other = _LIMITS[1 - _LIMITS.index(name)]
        try:
            return await send(body)
        except StatusError as error:
            if error.status not in {400, 422} or other not in error.message:
                raise
        self._limit = other
        return await send({other if key == name else key: value for key, value in body.items()})

    def _chat_body(self, request: GenerateRequest, messages: list[WireMessage]) -> dict[str, Any]:
        s = request.sampling
        body: dict[str, Any] = {
            "model": self._name,
            "messages": messages,
            self._limit: s.max_tokens,
            "temperature": s.temperature,
            "top_p": s.top_p,
        }
        if s.stop:
            body["stop"] = list(s.stop)
        # Not part of the common dialect: sent only when asked for, so that strict servers do not refuse.
        # The penalty has two names, and servers ignore the one that they do not know.
        extras = {
            "top_k": (s.top_k, 0), "min_p": (s.min_p, 0.0), "repeat_penalty": (s.repeat_penalty, 1.0),
            "repetition_penalty": (s.repeat_penalty, 1.0),
        }  # fmt: skip
        body.update({name: value for name, (value, neutral) in extras.items() if value != neutral})
        if request.prefill and not self._hosted:
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        if request.json_schema is not None:
            schema = json.loads(json.dumps(request.json_schema, default=dict))
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        return body

    # Option scoring --------------------------------------------------------------------------------------------------

    async def _probe_echo(self) -> bool:
        """Does the completions endpoint give log-probabilities of the prompt?"""
        text = "One two three"
        body = _echo_body(self._name, text)
        try:
            found = await self._transport.post("/completions", body, lambda r: read_echo(r, self._url, 3, len(text)))
        except StatusError as error:
            if error.status in _UNSUPPORTED:
                return False
            raise
        except ReplyError:
            return False
        return found is not None

    async def _score_by_echo(self, request: ScoreRequest) -> OptionScores:
        prefix, count = _transcript(request)
        current_notes().neutralised += count

        async def one(option: str) -> tuple[float, int, Usage]:
            clean = neutralise(option)
            current_notes().neutralised += clean.count
            text = f"{prefix} {clean.text.strip()}"

            def read(reply: dict[str, Any]) -> tuple[tuple[float, int] | None, Usage]:
                return read_echo(reply, self._url, len(prefix), len(text)), read_usage(reply, text, "")

            body = _echo_body(self._name, text)
            found, used = await self._transport.post("/completions", body, read, prefix=prefix)
            if found is None:
                raise CapabilityError(
                    f"{self._url!r} does not echo log-probabilities of the prompt.",
                    hint="Use score_method='auto' (or 'labels').",
                )
            return *found, used

        scored = await _together([one(o) for o in request.options])
        return OptionScores(
            logprobs=tuple(s[0] for s in scored),
            tokens=tuple(s[1] for s in scored),
            approximate=False,
            method="echo of a plain transcript",
            usage=sum((s[2] for s in scored), Usage(calls=0)),
        )

    async def _score_by_labels(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        counts = [min(len(r.options), self._rotations or len(r.options)) for r in requests]
        # Rotation by rotation: requests that follow each other share the list of options too.
        plan = [(k, r) for r in range(max(counts, default=0)) for k in range(len(requests)) if r < counts[k]]
        asked = [self._ask_label(requests[k], r * len(requests[k].options) // counts[k]) for k, r in plan]
        found: list[list[tuple[LabelShares | None, Usage]]] = [[] for _ in requests]
        for (k, _), answer in zip(plan, await _together(asked), strict=True):
            found[k].append(answer)
        return tuple(self._by_labels(len(r.options), answers) for r, answers in zip(requests, found, strict=True))

    def _by_labels(self, n: int, answers: Sequence[tuple[LabelShares | None, Usage]]) -> OptionScores:
        useful = [shares for shares, _ in answers if shares is not None]
        if not useful:
            raise ReplyError(
                f"{self._url!r}: not one of the letters A to {chr(64 + n)} is among the {self._top_tokens} likeliest "
                f"first tokens of {self._name!r}, in any of {len(answers)} orders of the options.",
                hint="This model does not answer by letter: ask by free text, or use a local model (exact scoring).",
            )
        floored = sum(r.floored for r in useful)
        method = f"letters, {len(useful)} of {len(answers)} rotations, {floored} of {n * len(useful)} floored"
        usage = sum((u for _, u in answers), Usage(calls=0))
        return OptionScores(pooled_logprobs(useful), (1,) * n, approximate=True, method=method, usage=usage)

    async def _ask_label(self, request: ScoreRequest, rotation: int) -> tuple[LabelShares | None, Usage]:
        chat = label_messages(request.messages, request.options, rotation)
        messages, count = wire_messages(chat, "", system_default=request.system_default)
        current_notes().neutralised += count
        body: dict[str, Any] = {
            "model": self._name, "messages": messages, self._limit: 1, "temperature": 0.0, "seed": 0, "logprobs": True,
        }  # fmt: skip

        def read(reply: dict[str, Any]) -> tuple[list[TopToken] | None, Usage]:
            return read_top_tokens(reply, self._url), read_usage(reply, json.dumps(messages), "")

        async def ask(top: int) -> tuple[list[TopToken] | None, Usage]:
            async def send(body: dict[str, Any]) -> tuple[list[TopToken] | None, Usage]:
                return await self._transport.post("/chat/completions", body, read, prefix=_prefix(messages))

            return await self._limited(send, {**body, "top_logprobs": top})

        async def try_both() -> tuple[list[TopToken] | None, Usage]:
            try:
                return await ask(self._top_tokens)
            except StatusError as error:
                if error.status not in _UNSUPPORTED or self._top_tokens == _FEW_TOP_TOKENS:
                    raise
            answer = await ask(_FEW_TOP_TOKENS)
            self._top_tokens = _FEW_TOP_TOKENS
            return answer

        top, used = await self._prefixes.run(_prefix(messages), try_both)
        if not top:
            raise CapabilityError(
                f"{self._url!r} gives no log-probabilities for {self._name!r}: closed questions cannot be scored.",
                hint="Administer by free text instead, or use a local model.",
            )
        return label_shares(top, len(request.options), rotation), used


async def _together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(w) for w in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [t.result() for t in tasks]


def _transcript(request: ScoreRequest) -> tuple[str, int]:
    """The chat as plain text up to where the option begins (its template is not ours to know)."""
    names = {"system": "Instructions", "user": "Question", "assistant": "Answer"}
    clean = [(names[m.role], neutralise(m.content)) for m in request.messages if m.content]
    prefill = neutralise(request.prefill)
    text = "\n\n".join([*(f"{name}: {c.text}" for name, c in clean), f"Answer: {prefill.text}".rstrip()])
    return text, prefill.count + sum(c.count for _, c in clean)


def _echo_body(name: str, text: str) -> dict[str, Any]:
    # One token is generated because some servers refuse to generate none; it lies behind the text and is not counted.
    return {"model": name, "prompt": text, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}


def _completion(choice: Choice, request: GenerateRequest, tokens: int | None) -> Completion:
    text = choice.text
    if request.prefill and text.startswith(request.prefill):
        text = text[len(request.prefill) :]
    reason: FinishReason = choice.finish_reason
    if request.json_schema is not None and reason not in {"refused", "empty"}:
        _, problem = read_json(request.prefill + text, request.json_schema)
        reason = reason if problem is None else "malformed"
    return Completion(text, reason, estimate_tokens(text) if tokens is None else tokens)


def _wire_seed(request: GenerateRequest, drawn: int) -> int:
    """A seed that servers with 32-bit seeds accept; another one per replicate and per top-up."""
    if request.replicate == 0 and drawn == 0 and 0 <= request.seed <= _SEED_MASK:
        return request.seed
    return derive_seed(request.seed, "wire", request.replicate, drawn) & _SEED_MASK


def _prefix(messages: Sequence[WireMessage]) -> str:
    """What calls of one persona have in common: the system message, and the first words after it."""
    return "".join(str(m["content"]) for m in messages[:1])
