"""Reading what an OpenAI-compatible endpoint answered. Nothing is believed before it was checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import ReplyError
from personae.models._keys import redact
from personae.models._protocol import FinishReason, Usage
from personae.models._requests import estimate_tokens

_EXCERPT: Final = 160
_PAGE: Final = "a web page"
_HINT: Final = "Is the URL really that of an OpenAI-compatible API (it often ends in /v1)?"
_FINISH: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "refused",
    "refusal": "refused",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One continuation as the endpoint gave it."""

    text: str
    finish_reason: FinishReason


@dataclass(frozen=True, slots=True)
class TopToken:
    """A likely first token and its natural-log probability."""

    token: str
    logprob: float


def read_body(text: str, url: str) -> dict[str, Any]:
    """The JSON object of a reply.

    Raises:
        ReplyError: a web page, cut-off JSON, something that is not an object, or an error sent with status 200.
    """
    start = text.lstrip()[:15].lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise nonsense(url, _PAGE, text)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise nonsense(url, "cut-off JSON" if start.startswith("{") else "no JSON", text) from error
    if not isinstance(body, dict):
        raise nonsense(url, "JSON that is not an object", text)
    if body.get("error"):
        raise nonsense(url, "an error with a success status", text)
    return body


def read_chat(body: Mapping[str, Any], url: str) -> list[Choice]:
    """The continuations of a chat completion, in the order of their index."""
    out: list[Choice] = []
    for choice in _choices(body, url):
        message = choice.get("message")
        if not isinstance(message, dict):
            raise nonsense(url, "a choice without a message", json.dumps(choice))
        content, refusal = message.get("content"), message.get("refusal")
        if isinstance(refusal, str) and refusal:
            out.append(Choice(refusal, "refused"))
            continue
        if content is not None and not isinstance(content, str):
            raise nonsense(url, "a message whose content is not text", json.dumps(choice))
        text = content or ""
        reason = _FINISH.get(str(choice.get("finish_reason")), "stop")
        out.append(Choice(text, reason if text or reason == "refused" else "empty"))
    return out


def read_top_tokens(body: Mapping[str, Any], url: str) -> list[TopToken] | None:
    """The likeliest first tokens; None when the endpoint gave no log-probabilities at all."""
    logprobs = _choices(body, url)[0].get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return None
    top = content[0].get("top_logprobs")
    if not isinstance(top, list) or not top:
        return None
    try:
        pairs = [TopToken(str(t["token"]), float(t["logprob"])) for t in top]
    except (KeyError, TypeError, ValueError) as error:
        raise nonsense(url, "log-probabilities of an unknown shape", json.dumps(top)) from error
    return [p for p in pairs if not math.isnan(p.logprob)]


def read_echo(body: Mapping[str, Any], url: str, start: int, end: int) -> tuple[float, int] | None:
    """Summed log-probability and number of the tokens that overlap characters [start, end) of the echoed prompt.

    Returns:
        None when the endpoint does not echo prompts with log-probabilities.
    """
    logprobs = _choices(body, url)[0].get("logprobs")
    if not isinstance(logprobs, dict):
        return None
    values, offsets = logprobs.get("token_logprobs"), logprobs.get("text_offset")
    if not isinstance(values, list) or not isinstance(offsets, list) or len(values) != len(offsets) or not offsets:
        return None
    if any(not isinstance(o, int) for o in offsets) or offsets[0] >= start:
        return None  # begins with what was generated: nothing was echoed
    total, count = 0.0, 0
    for k, (value, offset) in enumerate(zip(values, offsets, strict=True)):
        stop = offsets[k + 1] if k + 1 < len(offsets) else max(end, offset + 1)
        if stop <= start or offset >= end:
            continue
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise nonsense(url, "an echoed token without log-probability", json.dumps(values))
        total, count = total + float(value), count + 1
    return (total, count) if count else None


def read_vectors(body: Mapping[str, Any], url: str, count: int) -> NDArray[np.float32]:
    """Unit-length vectors in the order asked, shape (count, dimension)."""
    data: Any = body.get("data")
    if not isinstance(data, list) or len(data) != count:
        raise nonsense(url, f"no list of {count} vectors", json.dumps(body))
    try:
        by_index: dict[int, Any] = {int(d["index"]): d["embedding"] for d in data}
        vectors = np.asarray([by_index[k] for k in range(count)], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise nonsense(url, "vectors of an unknown shape", json.dumps(data)) from error
    norms = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
    if vectors.ndim != 2 or not np.isfinite(norms).all() or not (norms > 0).all():
        raise nonsense(url, "vectors that are ragged, empty or not finite", json.dumps(data))
    return (vectors / norms).astype(np.float32)


def read_usage(body: Mapping[str, Any], prompt_text: str, said: str) -> Usage:
    """Tokens as the endpoint counted them; estimated where it did not say."""
    usage = body.get("usage")
    counts: Mapping[str, Any] = usage if isinstance(usage, dict) else {}
    prompt = _count(counts.get("prompt_tokens"), estimate_tokens(prompt_text))
    details = counts.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens"), 0) if isinstance(details, dict) else 0
    generated = _count(counts.get("completion_tokens"), estimate_tokens(said))
    return Usage(1, prompt, max(0, prompt - cached), generated)


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` (or `retry-after-ms`) asks to wait; `now` is Unix time, for dates."""
    milliseconds = headers.get("retry-after-ms")
    given = headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000.0)
        if given is None:
            return None
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(given)).timestamp() - now
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


@dataclass(slots=True)
class StreamedChat:
    """A chat completion put together from its events."""

    text: str = ""
    refusal: str = ""
    finish_reason: str | None = None
    head: dict[str, Any] = field(default_factory=dict[str, Any])
    """id, model and usage, as a whole reply has them"""

    def take(self, event: Any, url: str) -> str:
        """Add an event; returns the text that came with it.

        Raises:
            ReplyError: an event of another shape, or one that says that something went wrong.
        """
        if not isinstance(event, dict):
            raise nonsense(url, "an event that is not an object", str(event))
        if event.get("error"):
            raise nonsense(url, "an error in its stream", json.dumps(event["error"], default=str))
        self.head |= {name: event[name] for name in ("id", "model", "system_fingerprint", "usage") if event.get(name)}
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise nonsense(url, "an event without choices", json.dumps(event, default=str))
        if not choices:
            return ""  # the last event of many servers holds the usage alone
        choice = choices[0]
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            raise nonsense(url, "an event without a delta", json.dumps(event, default=str))
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = choice["finish_reason"]
        if isinstance(delta.get("refusal"), str):
            self.refusal += delta["refusal"]
        piece = delta.get("content")
        if not isinstance(piece, str):
            return ""
        self.text += piece
        return piece

    def body(self) -> dict[str, Any]:
        """As a server that does not stream would have answered."""
        message = {"content": self.text, "refusal": self.refusal or None}
        return {**self.head, "choices": [{"message": message, "finish_reason": self.finish_reason}]}


def nonsense(url: str, what: str, text: str) -> ReplyError:
    """The error for a reply that cannot be used, with an excerpt. A web page stays one however often it is asked."""
    return ReplyError(
        f"{url!r} answered {what}: {excerpt(text)!r}.", hint=_HINT, transient=what != _PAGE, fault=f"reply: {what}"
    )


def excerpt(text: str) -> str:
    """The beginning of a reply, on one line, without secrets."""
    line = " ".join(redact(text).split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def _choices(body: Mapping[str, Any], url: str) -> list[dict[str, Any]]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(c, dict) for c in choices):
        raise nonsense(url, "no choices", json.dumps(body))
    return sorted(choices, key=lambda c: c["index"] if isinstance(c.get("index"), int) else 0)


def _count(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default
