"""Guards look at a draft before it is said: objections go back as feedback, and the best draft is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from personae.core import Conversation
from personae.text import (
    ai_identity_leak,
    control_tokens,
    is_degenerate,
    is_echo,
    longest_common_substring_ratio,
    prompt_leak,
)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a draft should not be said. `severity` in (0, 1]; the draft with the lowest total is kept if none passes."""

    guard: str
    feedback: str
    severity: float


class Guard(Protocol):
    """Checks one draft."""

    def check(
        self, conversation: Conversation, speaker: str, draft: str, *, private: Sequence[str]
    ) -> Objection | None:
        """An objection, or None. `private` holds the speaker's own system texts, which must not be recited."""
        ...


@dataclass(frozen=True, slots=True)
class Degenerate:
    """Empty lines, loops, no letters, control strings."""

    def check(
        self, conversation: Conversation, speaker: str, draft: str, *, private: Sequence[str]
    ) -> Objection | None:
        """Objects to text that is no utterance at all."""
        del conversation, speaker, private
        kind = is_degenerate(draft)
        if kind is not None:
            return Objection("degenerate", "Say one or two plain sentences.", 1.0)
        if control_tokens(draft):
            return Objection("control_tokens", "Use plain words only.", 0.9)
        return None


@dataclass(frozen=True, slots=True)
class Echo:
    """The draft is mostly somebody's earlier line (see `personae.text.is_echo`); copying oneself counts too."""

    limit: float = 0.5
    window: int = 4

    def check(
        self, conversation: Conversation, speaker: str, draft: str, *, private: Sequence[str]
    ) -> Objection | None:
        """Objects to copying the partner or oneself within the last `window` utterances."""
        del private
        copied = [e for e in conversation.utterances[-self.window :] if is_echo(draft, e.text, ratio=self.limit)]
        if not copied:
            return None
        ratios = [float(longest_common_substring_ratio(draft, e.text)) for e in copied]
        worst = ratios.index(max(ratios))
        guard = "self_repetition" if copied[worst].speaker == speaker else "echo"
        return Objection(guard, "That was said before. Say something new.", 0.6 * ratios[worst])


@dataclass(frozen=True, slots=True)
class Identity:
    """A person does not call themselves a language model, and nobody recites the instructions."""

    def check(
        self, conversation: Conversation, speaker: str, draft: str, *, private: Sequence[str]
    ) -> Objection | None:
        """Objects to AI self-reference and to reciting one's own system text."""
        del conversation, speaker
        if ai_identity_leak(draft):
            return Objection("ai_identity", "Speak as the person you are.", 0.8)
        if prompt_leak(draft, private):
            return Objection("prompt_leak", "Do not recite your description. Answer in your own words.", 0.7)
        return None


def first_objection(
    guards: Sequence[Guard], conversation: Conversation, speaker: str, draft: str, private: Sequence[str]
) -> Objection | None:
    """The first objection any guard raises."""
    for guard in guards:
        objection = guard.check(conversation, speaker, draft, private=private)
        if objection is not None:
            return objection
    return None
