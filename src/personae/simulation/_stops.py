"""When a scene ends, and how the reason is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from personae.core import Conversation, Judge
from personae.text import closing_cue, is_stuck


class Stop(Protocol):
    """A reason to end. Stops are asked in order after every utterance; the first reason given is recorded."""

    async def reason(self, conversation: Conversation, *, seed: int) -> str | None:
        """A short name of the reason, or None to go on."""
        ...


@dataclass(frozen=True, slots=True)
class TurnCap:
    """The hard cap: `limit` utterances in all."""

    limit: int

    async def reason(self, conversation: Conversation, *, seed: int) -> str | None:
        """`turn_cap` once the limit is reached."""
        del seed
        return "turn_cap" if len(conversation.utterances) >= self.limit else None


@dataclass(frozen=True, slots=True)
class Closing:
    """Natural end: closing cues in the last `window` utterances, confirmed by a judge if there is one.

    Looks only after `minimum` rounds, and only after a line of `after` (the responder), so that nobody is cut off.
    The judge is asked only where the rules fire: it can veto an end, never invent one.

    Source: SPASM, termination step; `minimum` and `window` are configurable there and inferred here.
    """

    after: str
    minimum: int = 2
    window: int = 2
    judge: Judge | None = None

    async def reason(self, conversation: Conversation, *, seed: int) -> str | None:
        """`closed` (rules alone) or `closed_judged` (rules and judge)."""
        spoken = conversation.utterances
        rounds = len(spoken) // len(conversation.participants)
        if rounds < self.minimum or not spoken or spoken[-1].speaker != self.after:
            return None
        recent = [e.text for e in spoken[-self.window :]]
        before = [e.text for e in spoken[-self.window - 1 : -1]]
        if not any(closing_cue(text, previous) for text, previous in zip(recent, before, strict=False)):
            return None
        if self.judge is None:
            return "closed"
        verdict = await self.judge.judge(conversation, seed=seed)
        return "closed_judged" if verdict["ended"] >= 0.5 else None


@dataclass(frozen=True, slots=True)
class Stuck:
    """The last lines say the same thing again, by one speaker or both: nothing new will come."""

    repeats: int = 3

    async def reason(self, conversation: Conversation, *, seed: int) -> str | None:
        """`stuck` when the end of the log loops (see `personae.text.is_stuck`)."""
        del seed
        texts = [e.text for e in conversation.utterances[-2 * self.repeats :]]
        return "stuck" if is_stuck(texts, repeats=self.repeats) else None


@dataclass(frozen=True)
class FirstOf:
    """Several stops, asked in order."""

    stops: Sequence[Stop] = field(default_factory=tuple)

    async def reason(self, conversation: Conversation, *, seed: int) -> str | None:
        """The first reason any of them gives."""
        for stop in self.stops:
            found = await stop.reason(conversation, seed=seed)
            if found is not None:
                return found
        return None
