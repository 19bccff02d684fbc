"""Contracts between rooms. Concrete classes live below; only shapes are promised here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from personae.core._conversation import Conversation
    from personae.core._persona import Persona
    from personae.models import Message, Model

CountTokens = Callable[[str], int]
"""Number of model tokens of a text."""


@runtime_checkable
class Condition(Protocol):
    """How a persona reaches a model. Composable with `+`, always undone.

    Kinds apply in a fixed order: adapter, steering, memory, prompt.
    """

    @property
    def hash(self) -> str:
        """Content hash; part of every cache key of calls made under this condition."""
        ...

    @property
    def order(self) -> int:
        """0 adapter, 1 steering, 2 memory, 3 prompt."""
        ...

    @property
    def system_default(self) -> bool:
        """True only for the control that leaves the system message to the model's template."""
        ...

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """What this condition adds to the system text; None = nothing (not even an empty message)."""
        ...

    def attach(self, model: Model) -> AbstractAsyncContextManager[Model]:
        """The model under this condition; leaving restores it bit for bit."""
        ...


@runtime_checkable
class Actor(Protocol):
    """Someone who can observe, act and answer. Sees a projection, never the log."""

    @property
    def name(self) -> str:
        """Name by which the log knows this actor."""
        ...

    @property
    def persona(self) -> Persona | None:
        """Who it is; None for a control without persona."""
        ...

    @property
    def model(self) -> Model | None:
        """The model behind it; None for a human or a script."""
        ...

    @property
    def condition(self) -> str:
        """Label of the condition, as evidence rows carry it."""
        ...

    @property
    def condition_hash(self) -> str:
        """Content hash of the condition; goes into every request."""
        ...

    @property
    def system_default(self) -> bool:
        """True for the control that leaves the system message to the model's template."""
        ...

    def context(self) -> tuple[Message, ...]:
        """The system messages that stand before anything said to this actor; () for none."""
        ...

    async def act(self, messages: Sequence[Message], *, seed: int, tags: Mapping[str, str] | None = None) -> Reply:
        """Say the next line. `messages` is this actor's projection; its own system text is added here."""
        ...


class Reply(Protocol):
    """What an actor said, and how it ended."""

    @property
    def text(self) -> str: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def call(self) -> str | None:
        """Key of the recorded call, if a model was asked."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Scores a piece of evidence. `agreement` is printed beside every number it makes."""

    @property
    def name(self) -> str: ...
    @property
    def agreement(self) -> str:
        """Agreement with a labelled set, e.g. `'kappa .81 [.70, .90], n = 120'`, or `'unvalidated'`."""
        ...

    async def judge(self, conversation: Conversation, *, seed: int) -> dict[str, Any]:
        """A mapping of score names to values."""
        ...
