"""What of somebody's messages a model may see: everything but the sentences that tell of what nobody asked for.

A sentence that holds a word of a special category (see `SPECIAL`) is left out before a request is made, so neither the
model nor a call log gets it. That is as much as rules can see: what is only implied ("they
keep me on the ward until Friday") goes through, and so does what the next sentence adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from personae.creation._readback_values import given_away
from personae.text import sentence_spans

LEFT_OUT: Final = "[left out]"
"""what stands in the place of a sentence"""
Messages: TypeAlias = tuple[tuple[str, str, str | None], ...]
"""(id, text, when) of each message"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a model gets it. `hidden` are the places in `text` that it does not get, in order."""

    source: str
    text: str
    when: str | None
    hidden: tuple[tuple[int, int], ...]

    @property
    def prompt(self) -> str:
        """The words for a prompt."""
        parts, at = list[str](), 0
        for low, high in self.hidden:
            parts += [self.text[at:low], LEFT_OUT]
            at = high
        return "".join((*parts, self.text[at:]))

    def clear(self) -> Iterator[tuple[int, int]]:
        """Places of what is left, in order."""
        at = 0
        for low, high in (*self.hidden, (len(self.text), len(self.text))):
            if self.text[at:low].strip():
                yield at, low
            at = high

    def find(self, quote: str) -> int:
        """Where `quote` stands in what is left; -1 when it does not."""
        places = (self.text.find(quote, low, high) for low, high in self.clear())
        return next((at for at in places if at >= 0), -1)


def shown(messages: Messages, special: frozenset[str]) -> tuple[Shown, ...]:
    """The messages without sentences that tell of a category which is not in `special`.

    >>> shown((("m", "I bake. I am Catholic. I row.", None),), frozenset())[0].prompt
    'I bake. [left out] I row.'
    """
    return tuple(Shown(source, text, when, _hidden(text, special)) for source, text, when in messages)


def _hidden(text: str, special: frozenset[str]) -> tuple[tuple[int, int], ...]:
    if not given_away(text, special):
        return ()
    places = [(s.start, s.end) for s in sentence_spans(text) if given_away(text[s.start : s.end], special)]
    merged: list[tuple[int, int]] = []
    for low, high in places:
        if merged and not text[merged[-1][1] : low].strip():
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    found = Shown("", text, None, tuple(merged))
    # A word that goes over the end of a sentence: nothing is left of the message.
    return found.hidden if not given_away(found.prompt, special) else ((0, len(text)),)
