"""Conversation: a perspective-free, append-only log of events. It forks at any event; nobody ever edits it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from personae.core._errors import InputError
from personae.core._facts import Frozen
from personae.core._ids import content_id, sha256_hex

EventKind = Literal["utterance", "action", "note", "intervention", "end"]


class Event(Frozen):
    """Something that happened in a scene, told from nobody's point of view.

    `to`: names of those who can perceive it; empty means everybody in the scene.
    """

    index: int = Field(ge=0)
    kind: EventKind
    speaker: str
    text: str
    to: tuple[str, ...] = ()
    meta: dict[str, Any] = Field(default_factory=dict)
    """bookkeeping (guard retries, stop reason, call key); never shown to an actor"""


class Conversation(Frozen):
    """An append-only log. `append` and `fork` return new values; the parent never changes."""

    key: str
    """stable name of the unit it belongs to"""
    participants: tuple[str, ...]
    events: tuple[Event, ...] = ()
    parent: str | None = None
    """digest of the log this one was forked from"""

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if any(event.index != k for k, event in enumerate(self.events)):
            raise ValueError(f"conversation {self.key!r}: events must be numbered 0, 1, 2 … in order")
        return self

    def append(
        self, kind: EventKind, speaker: str, text: str, *, to: tuple[str, ...] = (), meta: dict[str, Any] | None = None
    ) -> Conversation:
        """This log with one more event."""
        event = Event(index=len(self.events), kind=kind, speaker=speaker, text=text, to=to, meta=meta or {})
        return self.model_copy(update={"events": (*self.events, event)})

    def fork(self, at: int | None = None, *, key: str | None = None) -> Conversation:
        """A new log that shares the first `at` events (all of them by default) and remembers its parent.

        Raises:
            InputError: `at` is negative or beyond the end.
        """
        if at is not None and not 0 <= at <= len(self.events):
            raise InputError(
                f"fork: at={at!r} of a conversation with {len(self.events)} events.",
                hint=f"Use 0 to {len(self.events)}.",
            )
        events = self.events if at is None else self.events[:at]
        return Conversation(
            key=key or f"{self.key}/fork@{len(events)}",
            participants=self.participants,
            events=events,
            parent=self.digest,
        )

    @cached_property
    def utterances(self) -> tuple[Event, ...]:
        """What was said, in order."""
        return tuple(e for e in self.events if e.kind == "utterance")

    def said_by(self, speaker: str) -> tuple[Event, ...]:
        """What `speaker` said, in order."""
        return tuple(e for e in self.events if e.kind == "utterance" and e.speaker == speaker)

    @property
    def digest(self) -> str:
        """sha256 over key, participants and events."""
        return sha256_hex(self.model_dump(mode="json"))

    @property
    def id(self) -> str:
        """Short content id `c-<16 hex>`."""
        return content_id("c", self.model_dump(mode="json"))
