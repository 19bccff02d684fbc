"""Projections: what one actor sees of a log that is told from nobody's point of view.

Egocentric projection (ECP): for actor i, Psi_i((s_k, c_k)) = (phi_i(s_k), c_k) with phi_i(s) = SELF if s = i else
PARTNER; SELF becomes the assistant role, PARTNER the user role. The partner's persona, system text and private events
never enter. With more than two speakers partners keep their names inside the user turn.

CONCAT is the ablation: one shared transcript whose roles are fixed once for everybody (first participant = user, the
others = assistant), so one side reads its own words under the wrong role. Nothing else differs.

Source: SPASM (arXiv 2604.09212), egocentric context projection; the extension to many speakers is ours.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from personae.core import Conversation, Event
from personae.models import Message

Mode = Literal["ecp", "concat"]
Voice = Literal["self", "partner"]

OPENING: Final = "(The conversation begins. You speak first.)"
"""Stage direction for the one who opens: chat templates want a user turn first."""


class Heard(NamedTuple):
    """One event as an actor perceives it."""

    voice: Voice
    speaker: str
    text: str


def perceives(event: Event, viewer: str) -> bool:
    """Whether `viewer` was there to hear it: own events, public ones, and those addressed to them."""
    return event.kind == "utterance" and (not event.to or viewer in event.to or event.speaker == viewer)


def egocentric(conversation: Conversation, viewer: str) -> tuple[Heard, ...]:
    """The operator Psi: event by event, order and content kept."""
    return tuple(
        Heard("self" if e.speaker == viewer else "partner", e.speaker, e.text)
        for e in conversation.events
        if perceives(e, viewer)
    )


def project(conversation: Conversation, viewer: str, mode: Mode = "ecp") -> tuple[Message, ...]:
    """Chat messages for `viewer`, without any system text.

    Neighbouring events of the same role are one message under ECP. If the first message would be the viewer's own, or
    nothing was said yet, a constant stage direction (`OPENING`) stands before it.
    """
    heard = egocentric(conversation, viewer)
    if mode == "concat":
        first = conversation.participants[0]
        messages = [Message("user" if h.speaker == first else "assistant", h.text) for h in heard]
    else:
        messages = _merged(heard, named=len(conversation.participants) > 2)
    if not messages or messages[0].role == "assistant":
        messages.insert(0, Message("user", OPENING))
    return tuple(messages)


def _merged(heard: tuple[Heard, ...], *, named: bool) -> list[Message]:
    out: list[Message] = []
    for h in heard:
        role = "assistant" if h.voice == "self" else "user"
        text = f"{h.speaker}: {h.text}" if named and h.voice == "partner" else h.text
        if out and out[-1].role == role:
            out[-1] = Message(role, f"{out[-1].content}\n{text}")
        else:
            out.append(Message(role, text))
    return out
