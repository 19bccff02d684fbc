"""Option scoring where an endpoint gives no prompt log-probabilities: one letter per option, and which letter is next.

The options are listed under letters, in every rotation, so that a liking for a letter or a place cancels. In one
rotation the probability of an option is that of its letter among all letters; over rotations probabilities are
averaged. The endpoint names only its likeliest tokens: a letter that is not among them has at most the probability of
the last one named, and at most what is left over; it is given half of that bound, and counted as floored in the
method's name. The result is approximate: it is what the model says about letters, not the likelihood of the option
texts. `prefill` has no place in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from personae.core import InputError
from personae.models._protocol import Message
from personae.models._replies import TopToken

LABELS_VERSION: Final = "letters-2"
_TINY: Final = 1e-12
_AROUND: Final = " \t\n.):*\"'(▁Ġ"


@dataclass(frozen=True, slots=True)
class LabelShares:
    """Probability of each option in one rotation, and how many letters had to be floored."""

    shares: tuple[float, ...]
    floored: int


def label_messages(messages: Sequence[Message], options: Sequence[str], rotation: int) -> tuple[Message, ...]:
    """The chat with the options listed under letters, beginning with option number `rotation`.

    The list stands before the question: what all questions of a persona share comes first.

    Raises:
        InputError: more options than letters, or none.
    """
    if not 1 <= len(options) <= len(ascii_uppercase):
        raise InputError(f"{len(options)} options cannot be labelled: expected 1 to {len(ascii_uppercase)}.")
    shown = [options[(rotation + k) % len(options)] for k in range(len(options))]
    listed = "\n".join(f"{letter}. {text.strip()}" for letter, text in zip(ascii_uppercase, shown, strict=False))
    ask = f"Answer with the letter of one option and nothing else.\n{listed}"
    if messages and messages[-1].role == "user":
        return (*messages[:-1], Message("user", f"{ask}\n\n{messages[-1].content}\nLetter:"))
    return (*messages, Message("user", f"{ask}\nLetter:"))


def label_shares(top: Sequence[TopToken], options: int, rotation: int) -> LabelShares | None:
    """Probabilities of the options (in their own order) from the likeliest first tokens.

    Returns:
        None when not one letter is among them: this rotation says nothing.
    """
    letters = ascii_uppercase[:options]
    mass = dict.fromkeys(letters, 0.0)
    for token in top:
        letter = token.token.strip(_AROUND)
        if letter in mass and len(letter) == 1:
            mass[letter] += math.exp(min(0.0, token.logprob))
    if not any(mass.values()):
        return None
    named = [math.exp(min(0.0, t.logprob)) for t in top]
    bound = min(*named, max(0.0, 1.0 - sum(named)))
    floored = sum(value == 0.0 for value in mass.values())
    values = [value or max(bound / 2.0, _TINY) for value in mass.values()]
    total = sum(values)
    # The letter at place k stands for option (rotation + k) mod n.
    shares = [0.0] * options
    for place, value in enumerate(values):
        shares[(rotation + place) % options] = value / total
    return LabelShares(tuple(shares), floored)


def pooled_logprobs(rotations: Sequence[LabelShares]) -> tuple[float, ...]:
    """Log of the mean probability of each option over rotations."""
    count = len(rotations)
    return tuple(math.log(max(sum(p) / count, _TINY)) for p in zip(*(r.shares for r in rotations), strict=True))
