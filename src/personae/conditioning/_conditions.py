"""Ways to put a persona on a model. `+` composes them; leaving undoes them.

A prompt condition only adds text, so undoing it is doing nothing: the model never changed. Conditions that touch the
model (adapters, steering) return another `Model` from `attach` and restore the first on exit. Composition sorts its
parts by `order` (adapter, steering, memory, prompt), so `a + b` and `b + a` are the same condition with the same hash.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, Literal

from personae.core import Condition, CountTokens, CueStyle, Frozen, InputError, Persona, View, content_id
from personae.models import Model
from personae.steering import Operation, clamps, steered

ORDER: Final = {"adapter": 0, "steering": 1, "memory": 2, "prompt": 3}


@asynccontextmanager
async def _unchanged(model: Model) -> AsyncGenerator[Model]:
    yield model


class _Composable(Frozen):
    """What all conditions share: composition and a hash of their content."""

    @property
    def order(self) -> int:
        return ORDER["prompt"]

    @property
    def system_default(self) -> bool:
        """Whether the template may insert its own system text; a condition that speaks replaces it."""
        return False

    @property
    def hash(self) -> str:
        """Content hash of the condition: its kind and all its settings."""
        return content_id("cond", {"kind": type(self).__name__, **self.model_dump(mode="json")})

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """Nothing."""
        del persona, count_tokens

    def attach(self, model: Model) -> AbstractAsyncContextManager[Model]:
        """The model itself: text conditions leave weights and activations alone."""
        return _unchanged(model)

    def __add__(self, other: Condition) -> Composition:
        return compose(self, other)


class Prompt(_Composable):
    """The persona as system text.

    Args:
        view, cue_style: see `Persona.render`.
        budget: most tokens of persona text, in the model's own tokens; None = no limit.
        rules: how to behave, said after the persona (the same for every person of a condition).

    Example:
        >>> from personae.core import Names
        >>> Prompt(cue_style="list").system(Persona(names=Names(full="Bo Lind")), len)
        'Name: Bo Lind'
    """

    view: View = "self"
    cue_style: CueStyle = "second_person"
    budget: int | None = 400
    rules: str = ""

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """Persona text and rules; for nobody, the rules alone."""
        told = "" if persona is None else persona.render(self.view, self.cue_style, self.budget, count_tokens)
        return "\n\n".join(part for part in (told, self.rules) if part) or None


class NoPersona(_Composable):
    """The two no-persona controls.

    `template_default` leaves the system message to the model's template, which may insert a persona of its own;
    `empty_system` sends a system message with nothing in it.
    """

    control: Literal["template_default", "empty_system"]

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """Nothing, or the empty text."""
        del persona, count_tokens
        return "" if self.control == "empty_system" else None

    @property
    def system_default(self) -> bool:
        """True when the template may speak."""
        return self.control == "template_default"


class Steer:
    """Operations on the activations of the model, on everybody alike; says nothing.

    `Prompt() + Steer(Add(direction, 0.1))` puts a persona on a model both ways. Of several, those that hold a
    projection at a bound (`Floor`, `Ceil`, `Ablate`) come after those that only move it. The model itself never
    changes: under the condition it is another one, with another fingerprint.

    Args:
        operations: in the order in which they are done.

    Raises:
        InputError: none is given.
    """

    def __init__(self, *operations: Operation) -> None:
        if not operations:
            raise InputError(
                "Steer() without operations does nothing.", hint="Give Add(direction, strength) or others."
            )
        self.operations = operations

    @property
    def order(self) -> int:
        """After adapters, before memory and prompt."""
        return ORDER["steering"]

    @property
    def hash(self) -> str:
        """Content hash over all operations, in their order."""
        return content_id("cond", {"kind": "Steer", "operations": [o.label for o in self.operations]})

    @property
    def system_default(self) -> bool:
        """True: alone, it leaves the system message to the template."""
        return True

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """Nothing."""
        del persona, count_tokens

    @asynccontextmanager
    async def attach(self, model: Model) -> AsyncGenerator[Model]:
        """The model with the operations in force.

        Raises:
            CapabilityError: its activations are out of reach, or its engine cannot do that.
            InputError: an operation does not fit the network.
        """
        yield steered(model, *self.operations)

    def __add__(self, other: Condition) -> Composition:
        return compose(self, other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steer) and other.hash == self.hash

    def __hash__(self) -> int:
        return hash(self.hash)


class Composition:
    """Several conditions at once, in canonical order."""

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self.parts = tuple(sorted(parts, key=_place))

    @property
    def order(self) -> int:
        return min(p.order for p in self.parts)

    @property
    def hash(self) -> str:
        """Hash over the hashes of the parts, in canonical order."""
        return content_id("cond", [p.hash for p in self.parts])

    @property
    def system_default(self) -> bool:
        """True only if no part says anything."""
        return all(p.system_default for p in self.parts)

    def system(self, persona: Persona | None, count_tokens: CountTokens) -> str | None:
        """What the parts say, one paragraph each."""
        said = [text for p in self.parts if (text := p.system(persona, count_tokens)) is not None]
        return "\n\n".join(t for t in said if t) if said else None

    @asynccontextmanager
    async def attach(self, model: Model) -> AsyncGenerator[Model]:
        """Enter the parts in order; leave them in reverse, also when something fails."""
        async with AsyncExitStack() as stack:
            for part in self.parts:
                model = await stack.enter_async_context(part.attach(model))
            yield model

    def __add__(self, other: Condition) -> Composition:
        return compose(self, other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Composition) and other.hash == self.hash

    def __hash__(self) -> int:
        return hash(self.hash)


def _place(part: Condition) -> tuple[int, bool, str]:
    return part.order, isinstance(part, Steer) and clamps(part.operations), part.hash


def compose(*conditions: Condition) -> Composition:
    """The conditions as one; compositions inside are flattened."""
    parts: list[Condition] = []
    for condition in conditions:
        parts += condition.parts if isinstance(condition, Composition) else (condition,)
    return Composition(tuple(parts))
