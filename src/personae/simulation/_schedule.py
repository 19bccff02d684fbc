"""Who speaks next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from personae.core import Conversation, InputError


class Scheduler(Protocol):
    """Names the next speaker; None ends the scene."""

    def next(self, conversation: Conversation) -> str | None:
        """The name of the next speaker, a pure function of the log."""
        ...


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Everybody in turn, in the order of `participants`. With two participants this is alternation."""

    def next(self, conversation: Conversation) -> str | None:
        """The participant after the last speaker."""
        names = conversation.participants
        spoken = conversation.utterances
        if not spoken:
            return names[0]
        return names[(names.index(spoken[-1].speaker) + 1) % len(names)]


@dataclass(frozen=True, slots=True)
class Alternating(RoundRobin):
    """Two speakers, turn by turn."""

    def next(self, conversation: Conversation) -> str | None:
        """The other one.

        Raises:
            InputError: the scene does not have exactly two participants.
        """
        if len(conversation.participants) != 2:
            raise InputError(
                f"alternation needs two participants, got {conversation.participants!r}.", hint="Use RoundRobin."
            )
        return RoundRobin.next(self, conversation)
