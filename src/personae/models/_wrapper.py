"""What the cache and the recorder share: a model around a model, and notes that an adapter leaves about a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from personae.core import CapabilityError
from personae.models._changes import Anatomy, Change, changeable, view_of
from personae.models._protocol import (
    Capability,
    Determinism,
    Embeddings,
    GenerateRequest,
    Generation,
    Model,
    OnText,
    OptionScores,
    ScoreRequest,
)
from personae.models._requests import fingerprint_hash
from personae.models._shown import PromptForm


@dataclass(slots=True)
class CallNotes:
    """What happened on the way to an answer: tries, neutralised control strings, what a server says about itself."""

    attempt: int = 1
    neutralised: int = 0
    server: dict[str, str] = field(default_factory=dict[str, str])
    faults: dict[str, int] = field(default_factory=dict[str, int])
    """failed tries by kind"""


_current: Final[ContextVar[CallNotes | None]] = ContextVar("personae_call_notes", default=None)


def current_notes() -> CallNotes:
    """The notes of the call being made (a throw-away when nobody records)."""
    return _current.get() or CallNotes()


def start_notes() -> CallNotes:
    """Fresh notes for the call that this task makes next."""
    notes = CallNotes()
    _current.set(notes)
    return notes


class ModelWrapper:
    """A model around `inner` that passes every verb through; subclasses override what they add to."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self._hashed: tuple[Mapping[str, str | int | float | bool], str] | None = None

    @property
    def reference(self) -> str:
        return self.inner.reference

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        return self.inner.fingerprint

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.inner.capabilities

    @property
    def determinism(self) -> Determinism:
        return self.inner.determinism

    @property
    def parallel(self) -> int:
        return self.inner.parallel

    def fingerprint_hash(self) -> str:
        """sha256 of the fingerprint as it is now: an intervention in force changes it."""
        now = self.inner.fingerprint
        if self._hashed is None or (self._hashed[0] is not now and self._hashed[0] != now):
            self._hashed = now, fingerprint_hash(now)
        return self._hashed[1]

    def count_tokens(self, text: str) -> int:
        return self.inner.count_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        return self.inner.prompt_form

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.inner.show_prompt(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        return await asked(self.inner, request, on_text)

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        return await self.inner.score_options(requests)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return await self.inner.embed(texts)

    @property
    def anatomy(self) -> Anatomy:
        return changeable(self.inner).anatomy

    def changed(self, changes: Sequence[Change]) -> ModelWrapper:
        """The changed inner model inside the same wrapper: what it answers is kept under its own fingerprint."""
        return view_of(self, inner=changeable(self.inner).changed(changes), _hashed=None)

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        return self.inner.session(unit)

    async def close(self) -> None:
        await self.inner.close()


async def asked(model: Model, request: GenerateRequest, on_text: OnText | None) -> Generation:
    """Ask a model, with somebody listening or not."""
    return await (model.generate(request) if on_text is None else model.generate(request, on_text=on_text))


def unwrap(model: Model) -> Model:
    """The adapter itself, without cache and recorder."""
    while isinstance(model, ModelWrapper):
        model = model.inner
    return model


def capable(model: Model, capability: Capability) -> None:
    """Make sure that `model` offers `capability`.

    Raises:
        CapabilityError: it does not.
    """
    if capability not in model.capabilities:
        offered = ", ".join(sorted(model.capabilities)) or "nothing"
        raise CapabilityError(
            f"{model.reference!r} cannot {str(capability)!r}; it offers: {offered}.",
            hint="Choose another model with --model, or a study option that does not need this.",
        )
