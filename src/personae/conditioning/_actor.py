"""The concrete actors: a conditioned persona on a model, a person at a keyboard, a script."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from personae.core import Condition, Persona
from personae.models import FinishReason, GenerateRequest, Message, Model, Sampling


@dataclass(frozen=True, slots=True)
class Said:
    """What an actor said."""

    text: str
    finish_reason: FinishReason = "stop"
    call: str | None = None


@dataclass(frozen=True)
class ConditionedActor:
    """Persona + condition + model. Make one with `embody`, which enters and leaves the condition.

    `label` names the condition in evidence rows (`self`, `twin`, `ecp` …); it has no effect on what the model gets.
    """

    name: str
    persona: Persona | None
    method: Condition
    model: Model
    label: str = "self"
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def condition(self) -> str:
        """Label of the condition."""
        return self.label

    @property
    def condition_hash(self) -> str:
        """Content hash of the condition, computed once."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        return self.method.hash

    @property
    def system_default(self) -> bool:
        """Whether the template may insert its own system text."""
        return self.method.system_default

    @cached_property
    def _context(self) -> tuple[Message, ...]:
        text = self.method.system(self.persona, self.model.count_tokens)
        return () if text is None else (Message("system", text),)

    def context(self) -> tuple[Message, ...]:
        """The system message of this actor, rendered once."""
        return self._context

    def request(
        self, messages: Sequence[Message], *, seed: int, tags: Mapping[str, str] | None = None
    ) -> GenerateRequest:
        """The exact request `act` sends."""
        return GenerateRequest(
            messages=(*self.context(), *messages),
            sampling=self.sampling,
            seed=seed,
            system_default=self.system_default,
            condition=self.condition_hash,
            tags=tags or {},
        )

    async def act(self, messages: Sequence[Message], *, seed: int, tags: Mapping[str, str] | None = None) -> Said:
        """Say the next line. `messages` is this actor's projection without its system text."""
        answer = await self.model.generate(self.request(messages, seed=seed, tags=tags))
        return Said(answer.text.strip(), answer.finish_reason, answer.call or None)


@asynccontextmanager
async def embody(
    persona: Persona | None,
    condition: Condition,
    model: Model,
    *,
    name: str | None = None,
    label: str = "self",
    sampling: Sampling | None = None,
) -> AsyncGenerator[ConditionedActor]:
    """Put a persona on a model for the length of a block; the model is as it was afterwards (Undo law)."""
    async with condition.attach(model) as conditioned:
        yield ConditionedActor(
            name=name or (persona.name if persona else label),
            persona=persona,
            method=condition,
            model=conditioned,
            label=label,
            sampling=sampling or Sampling(),
        )


Ask = Callable[[Sequence[Message]], str | Awaitable[str]]


@dataclass(frozen=True)
class ExternalActor:
    """Somebody whose lines come from outside: a person at a keyboard, a test script, another program.

    `ask` gets the projection and returns the line, at once or as an awaitable.
    """

    name: str
    ask: Ask
    persona: Persona | None = None
    condition: str = "external"
    condition_hash: str = "external"
    system_default: bool = False

    @property
    def model(self) -> Model | None:
        """Nobody's model."""
        return None

    def context(self) -> tuple[Message, ...]:
        """Nothing is said to an outsider beforehand."""
        return ()

    async def act(self, messages: Sequence[Message], *, seed: int, tags: Mapping[str, str] | None = None) -> Said:
        """Ask for the next line."""
        del seed, tags
        line = self.ask(messages)
        return Said(await line if inspect.isawaitable(line) else line)
