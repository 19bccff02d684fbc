"""The model protocol: frozen values in, frozen values out, one capability flag per verb.

Requests are data. `tags` say who asked (unit, persona, item); they go to the call log and to fakes, and never reach a
prompt or a cache key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError

if TYPE_CHECKING:
    from personae.models._shown import PromptForm

Role = Literal["system", "user", "assistant"]
OnText: TypeAlias = Callable[[str], None]
"""Gets the pieces of a text as it is written, on the event loop's thread"""
FinishReason = Literal["stop", "length", "refused", "empty", "malformed"]
Determinism = Literal["exact", "replay", "none"]


class Capability(StrEnum):
    """What a model can do."""

    GENERATE = "generate"
    SCORE = "score_options"
    EMBED = "embed"
    ACTIVATIONS = "activations"
    INTERVENE = "intervene"
    """activations can be changed in any way"""
    ADD_VECTORS = "add_vectors"
    """constant vectors can be added to the residual stream"""
    TRAIN = "train"
    IMAGES = "images"
    """messages may carry pictures"""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture beside the text of a message, for endpoints that see.

    Attributes:
        data: bytes of the file.
        media_type: such as `image/png`.
    """

    data: bytes = field(repr=False)
    media_type: str

    @property
    def sha256(self) -> str:
        """What stands for it in keys and logs."""
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Image:
        """A picture file; its kind is told by its first bytes.

        Raises:
            InputError: not a PNG, JPEG, GIF or WebP file, or it cannot be read.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read the picture {str(path)!r}: {error}.", hint="Check the path.") from error
        for start, kind in _PICTURES:
            if data.startswith(start) and (kind != "image/webp" or data[8:12] == b"WEBP"):
                return cls(data, kind)
        raise InputError(f"{str(path)!r} is no picture of a known kind.", hint="Give a PNG, JPEG, GIF or WebP file.")


_PICTURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message. Content is text: nothing in it can ever become structure. Images stand before it."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens. `temperature=0` is greedy."""

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int = 128
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Ask for `n` continuations of a chat.

    `system_default=True` leaves a missing system message to the model's template (which may insert its own persona);
    False (the default) means that a missing system message is rendered as no system block at all.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    seed: int = 0
    n: int = 1
    replicate: int = 0
    json_schema: Mapping[str, Any] | None = None
    prefill: str = ""
    """text that the answer is made to start with; not repeated in the completion"""
    system_default: bool = False
    condition: str = ""
    """content hash of the condition the call is made under; part of the cache key"""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for log p(option | messages, prefill) of every option, each text scored whole."""

    messages: tuple[Message, ...]
    options: tuple[str, ...]
    prefill: str = ""
    system_default: bool = False
    condition: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call cost. `prefilled` counts prompt tokens really computed; `prompt` what the prompts hold."""

    calls: int = 1
    prompt: int = 0
    prefilled: int = 0
    generated: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt + other.prompt,
            self.prefilled + other.prefilled,
            self.generated + other.generated,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """One continuation."""

    text: str
    finish_reason: FinishReason
    tokens: int


@dataclass(frozen=True, slots=True)
class Generation:
    """Answer to a GenerateRequest."""

    completions: tuple[Completion, ...]
    usage: Usage
    call: str = ""
    """key of the call in the call log ('' when nothing recorded it)"""
    cached: bool = False

    @property
    def text(self) -> str:
        """Text of the first continuation."""
        return self.completions[0].text

    @property
    def finish_reason(self) -> FinishReason:
        """Finish reason of the first continuation."""
        return self.completions[0].finish_reason


@dataclass(frozen=True, slots=True)
class OptionScores:
    """Answer to a ScoreRequest: summed natural-log probability and token count of each option, in the order asked."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    approximate: bool
    """True when an endpoint could only offer label probabilities"""
    method: str
    usage: Usage
    call: str = ""
    cached: bool = False
    firsts: tuple[float, ...] = ()
    """log-probability of the first token of each option; () where only whole options are known"""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit-length sentence vectors, shape (texts, dimension), float32."""

    vectors: NDArray[np.float32]
    usage: Usage


@runtime_checkable
class Model(Protocol):
    """What every model offers. Ask `capabilities` before calling a verb.

    Raises (all verbs):
        CapabilityError: the verb is not among `capabilities`.
        ModelError: the call failed; `EndpointError.transient` says whether trying again may help.
    """

    @property
    def reference(self) -> str:
        """The reference string that names this model, without secrets."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        """Everything that can change an answer: weights checksum, template, quantisation, engine version, adapters."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def determinism(self) -> Determinism: ...

    @property
    def parallel(self) -> int:
        """How many calls are worth having in flight."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text on its own (an estimate of 4 characters a token where the tokenizer is remote)."""
        ...

    @property
    def prompt_form(self) -> PromptForm:
        """How `show_prompt` shows; a call log keeps it beside the calls."""
        ...

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        """What the model will really get, control tokens visible."""
        ...

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        """Continue a chat.

        With `on_text` and n = 1 the answer is told in pieces as it is written, where an engine can, else in one piece;
        together they are its text.
        """
        ...

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        """Score all requests of one group; shared prefixes are computed once. One group is one canonical shape."""
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings: ...

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        """Hold the model for one unit of work. In exact mode units take turns and each starts from a cleared cache."""
        ...

    async def close(self) -> None:
        """Free the model. Calling a verb afterwards is an error."""
        ...
