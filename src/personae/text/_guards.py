"""Guards against dialogues that go in circles and turns that say nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from personae.core import InputError
from personae.text._tokens import char_ngrams, check_positive, normalise, words


class StuckReason(StrEnum):
    """How a dialogue is stuck."""

    REPEATED = "repeated"
    ALTERNATING = "alternating"
    SPEAKER_LOOP = "speaker_loop"


class DegenerateReason(StrEnum):
    """Why a turn says nothing."""

    EMPTY = "empty"
    NO_LETTERS = "no_letters"
    ONE_TOKEN = "one_token"  # noqa: S105
    LINE_LOOP = "line_loop"
    PHRASE_LOOP = "phrase_loop"
    CHARACTER_RUN = "character_run"


_LONGEST_PERIOD: Final = 24
_MIN_REPEATS: Final = 4
_MIN_LINES: Final = 3
_LINE_SHARE: Final = 0.6
_LOOP_SHARE: Final = 0.5
_CHARACTER_RUN: Final = re.compile(r"([^\s.…_*=\-])\1{23,}")


def near_identical(first: str, second: str, threshold: float = 0.9) -> bool:
    """Whether two turns are the same but for details: Dice coefficient of their character 3-grams ≥ `threshold`.

    Texts too short for a 3-gram must be equal after normalisation; two blank texts are identical.
    """
    a, b = normalise(first), normalise(second)
    if a == b:
        return True
    left, right = char_ngrams(a, 3), char_ngrams(b, 3)
    total = len(left) + len(right)
    # No more can be shared than the shorter text has: most turns differ enough in length alone.
    if not left or not right or 2 * min(len(left), len(right)) / total < threshold:
        return False
    return 2 * (Counter(left) & Counter(right)).total() / total >= threshold


def is_stuck(turns: Sequence[str], *, repeats: int = 3, threshold: float = 0.9) -> StuckReason | None:
    """How the end of a two-party dialogue is stuck, or None when it moves on.

    `repeated`: the last `repeats` turns are near-identical. `alternating`: the last 2 · (`repeats` − 1) turns are
    A B A B …. `speaker_loop`: the last speaker said nearly the same in each of the last `repeats` own turns, whatever
    the partner answered.

    Args:
        turns: Texts of all turns, speakers taking turns.
        repeats: How often something must be said, at least 2.
        threshold: Dice coefficient above which turns count as the same.

    Raises:
        InputError: `repeats` is below 2 or `threshold` outside 0..1.
    """
    if repeats < 2:
        raise InputError(f"repeats {repeats!r} is not usable, expected at least 2.")
    if not 0 < threshold <= 1:
        raise InputError(f"threshold {threshold!r} is not usable, expected above 0 and at most 1.")

    def same(back: Sequence[int]) -> bool:
        return len(turns) >= max(back) and all(
            near_identical(turns[-back[0]], turns[-place], threshold) for place in back[1:]
        )

    if same(range(1, repeats + 1)):
        return StuckReason.REPEATED
    span = 2 * (repeats - 1)
    if repeats > 2 and same(range(1, span, 2)) and same(range(2, span + 1, 2)):
        return StuckReason.ALTERNATING
    if same(range(1, 2 * repeats, 2)):
        return StuckReason.SPEAKER_LOOP
    return None


def is_degenerate(text: str) -> DegenerateReason | None:
    """Why `text` says nothing, or None when it is usable.

    `empty`: nothing but white space. `no_letters`: no letter of any script. `one_token`: one word four or more times
    and nothing else. `line_loop`: one line makes up at least 60 % of the lines, three or more times. `phrase_loop`: the
    text ends in a phrase of up to 24 words said four or more times in a row, half the words or more. `character_run`:
    one character 24 or more times in a row.
    """
    if not text.strip():
        return DegenerateReason.EMPTY
    if not any(char.isalpha() for char in text):
        return DegenerateReason.NO_LETTERS
    tokens = words(text)
    if len(tokens) >= _MIN_REPEATS and len(set(tokens)) == 1:
        return DegenerateReason.ONE_TOKEN
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    most = Counter(lines).most_common(1)[0][1]
    if most >= _MIN_LINES and most >= _LINE_SHARE * len(lines):
        return DegenerateReason.LINE_LOOP
    if trailing_loop(tokens) >= _LOOP_SHARE * max(1, len(tokens)):
        return DegenerateReason.PHRASE_LOOP
    return DegenerateReason.CHARACTER_RUN if _CHARACTER_RUN.search(text) else None


def trailing_loop(tokens: Sequence[str], repeats: int = _MIN_REPEATS) -> int:
    """How many tokens at the end belong to one phrase (up to 24 tokens) said `repeats` or more times; 0 = no loop.

    Raises:
        InputError: `repeats` is below 1.
    """
    check_positive("repeats", repeats)
    longest = 0
    for period in range(1, min(_LONGEST_PERIOD, len(tokens) // repeats) + 1):
        place = len(tokens) - 1
        while place >= period and tokens[place] == tokens[place - period]:
            place -= 1
        covered = len(tokens) - 1 - place + period
        if covered >= repeats * period:
            longest = max(longest, covered)
    return longest
