"""Overlap and echo: how much of a text comes from another one, and how much it repeats itself."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.text._hashing import code_points
from personae.text._tokens import char_ngrams, check_positive, ngrams, normalise, words

ECHO_RATIO: Final = 0.5
ECHO_MIN_CHARS: Final = 24
"""Shortest common stretch that can be an echo: below it "thank you very much" would count."""

_LOOKS: Final = 32
"""Common blocks that are looked at one by one; texts that loop hold more, and go the general way."""


class Missing(StrEnum):
    """Why a score has no value."""

    TOO_SHORT = "too_short"
    NO_SOURCE = "no_source"
    NO_CONTROL = "no_control"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class TextScore:
    """A number and what it rests on.

    Attributes:
        value: The number, or None when it cannot be had.
        n: How many units (n-grams, words, characters or bytes) it was counted over.
        reason: Why `value` is None, else None.
    """

    value: float | None
    n: int
    reason: Missing | None = None

    def __float__(self) -> float:
        """The value, NaN when missing."""
        return math.nan if self.value is None else self.value


def copy_share(text: str, source: str, n: int = 4) -> TextScore:
    """Share of the word `n`-grams of `text` (each occurrence counts) that also occur in `source`: 0 to 1.

    Missing with `too_short` when `text` has fewer than `n` words. A source of fewer than `n` words holds no n-gram, so
    the share is 0.

    >>> copy_share("so you sell old boats there", "you sell old boats", n=3).value
    0.5

    Raises:
        InputError: `n` is below 1.
    """
    grams = ngrams(words(text), n)
    return _share(grams, set(ngrams(words(source), n)), Missing.TOO_SHORT)


def directional_copy(text: str, previous: str, others: Sequence[str], n: int = 4) -> TextScore:
    """Copying from the partner's previous turn beyond what any other turn would explain: −1 to 1, 0 = no echo.

    copy_share(text, previous) minus the mean of copy_share(text, other) over the control turns `others`, which should
    come from other conversations on similar matters.

    Missing with `too_short` when `text` has fewer than `n` words, with `no_control` when `others` is empty.

    Source: SPASM (arXiv 2604.09212) reports an echo rate by human reading; this estimator is ours.

    Raises:
        InputError: `n` is below 1.
    """
    own = copy_share(text, previous, n)
    if own.value is None:
        return own
    if not others:
        return TextScore(None, own.n, Missing.NO_CONTROL)
    grams = ngrams(words(text), n)
    shares = [float(_share(grams, set(ngrams(words(other), n)), Missing.TOO_SHORT)) for other in others]
    return TextScore(own.value - math.fsum(shares) / len(shares), own.n)


def longest_common_substring(first: str, second: str) -> str:
    """The longest stretch of characters found in both normalised texts; the leftmost in `first` when several."""
    start, length = _longest_common(normalise(first), normalise(second))
    return normalise(first)[start : start + length]


def longest_common_substring_ratio(
    first: str, second: str, *, of: Literal["shorter", "first", "longer"] = "shorter"
) -> TextScore:
    """Length of the longest common stretch of characters over the length of one of the (normalised) texts: 0 to 1.

    Args:
        first: One text.
        second: The other.
        of: Which length divides. `shorter` and `longer` are symmetric; `shorter` also finds a partner's turn that is
            repeated in full inside a longer one.

    Returns:
        The ratio; `n` is the dividing length in characters. Missing with `empty` when either text is blank.
    """
    a, b = normalise(first), normalise(second)
    if not a or not b:
        return TextScore(None, 0, Missing.EMPTY)
    length = _longest_common(a, b)[1]
    whole = {"shorter": min(len(a), len(b)), "first": len(a), "longer": max(len(a), len(b))}[of]
    return TextScore(min(1.0, length / whole), whole)


def is_echo(text: str, previous: str, *, ratio: float = ECHO_RATIO, min_chars: int = ECHO_MIN_CHARS) -> bool:
    """Whether `text` repeats `previous`: a common stretch of more than `ratio` of the shorter turn.

    A stretch below `min_chars` characters never counts, so two equal short turns ("Sure, why not?") are no echo.
    """
    a, b = normalise(text), normalise(previous)
    if not a or not b:
        return False
    return _shares_stretch(a, b, max(min_chars, math.floor(ratio * min(len(a), len(b))) + 1))


def self_repetition(turns: Sequence[str], n: int = 4) -> list[TextScore]:
    """Per turn, the share of its word `n`-grams that the same speaker said in an earlier turn: 0 to 1.

    `turns` holds the turns of one speaker in order. The first turn, and any turn before a first n-gram was said, is
    missing with `no_source`; a turn of fewer than `n` words with `too_short`.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    seen: set[tuple[str, ...]] = set()
    scores: list[TextScore] = []
    for turn in turns:
        grams = ngrams(words(turn), n)
        if grams and not seen:
            scores.append(TextScore(None, len(grams), Missing.NO_SOURCE))
        else:
            scores.append(_share(grams, seen, Missing.TOO_SHORT))
        seen.update(grams)
    return scores


def distinct_n(texts: Sequence[str], n: int = 2) -> TextScore:
    """Different word `n`-grams over all word `n`-grams of `texts`: near 0 = repetitive, 1 = nothing said twice.

    Falls with length by itself: compare equal amounts of text only.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    grams = [gram for text in texts for gram in ngrams(words(text), n)]
    return TextScore(len(set(grams)) / len(grams), len(grams)) if grams else TextScore(None, 0, Missing.TOO_SHORT)


def type_token(tokens: Sequence[str]) -> TextScore:
    """Different tokens over all tokens: 0 to 1. Falls with length by itself."""
    return TextScore(len(set(tokens)) / len(tokens), len(tokens)) if tokens else TextScore(None, 0, Missing.EMPTY)


def compression_ratio(text: str) -> TextScore:
    """Bytes of the text over bytes after zlib (level 9): higher = more redundant. `n` is the raw byte count.

    Below about 200 bytes the fixed overhead pushes the ratio under 1.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return TextScore(len(raw) / len(zlib.compress(raw, 9)), len(raw)) if raw else TextScore(None, 0, Missing.EMPTY)


def jaccard(first: str, second: str, n: int = 3, *, unit: Literal["char", "word"] = "char") -> TextScore:
    """Shared over all different `n`-grams of the two texts: 0 to 1. `n` of the score is the size of the union.

    Missing with `too_short` when neither text has an n-gram.

    Raises:
        InputError: `n` is below 1.
    """
    if unit == "char":
        return _set_jaccard(set(char_ngrams(first, n)), set(char_ngrams(second, n)))
    return _set_jaccard(set(ngrams(words(first), n)), set(ngrams(words(second), n)))


def _set_jaccard(first: set[str] | set[tuple[str, ...]], second: set[str] | set[tuple[str, ...]]) -> TextScore:
    union = len(first | second)
    return TextScore(len(first & second) / union, union) if union else TextScore(None, 0, Missing.TOO_SHORT)


def _share(grams: Sequence[tuple[str, ...]], source: set[tuple[str, ...]], missing: Missing) -> TextScore:
    if not grams:
        return TextScore(None, 0, missing)
    return TextScore(sum(gram in source for gram in grams) / len(grams), len(grams))


def _shares_stretch(first: str, second: str, length: int) -> bool:
    """Whether a stretch of `length` characters stands in both texts: the same answer as `_longest_common`, sooner."""
    if length < 1:
        return True
    if length > min(len(first), len(second)):
        return False
    # Every stretch of `length` holds a whole block that starts at a multiple of half of it.
    step = (length + 1) // 2
    looks = 0
    for start in range(0, len(first) - step + 1, step):
        block = first[start : start + step]
        place = second.find(block)
        while place >= 0:
            if _reach(first, second, start, place, step) >= length:
                return True
            looks += 1
            if looks > _LOOKS:
                return _longest_common(first, second)[1] >= length
            place = second.find(block, place + 1)
    return False


def _reach(first: str, second: str, start: int, place: int, size: int) -> int:
    """Length of the common stretch around the common block at `start` in `first` and `place` in `second`."""
    left = 0
    while left < min(start, place) and first[start - left - 1] == second[place - left - 1]:
        left += 1
    right = size
    while right < min(len(first) - start, len(second) - place) and first[start + right] == second[place + right]:
        right += 1
    return left + right


def _longest_common(first: str, second: str) -> tuple[int, int]:
    """(start in `first`, length) of the longest common substring, exactly, in O(n log² n).

    Substrings of length 2^k of both texts get equal ids when equal (prefix doubling). Doubling stops at the first k
    without a common id; the length is then built from the largest power downwards.
    """
    split = len(first)
    if not split or not second:
        return 0, 0
    codes = np.concatenate([code_points(first), code_points(second)]).astype(np.int64)
    levels = [np.unique(codes, return_inverse=True)[1].astype(np.int64)]
    if not _common(levels[0], split, 1).size:
        return 0, 0
    while 2 ** len(levels) <= min(split, len(second)):
        step = 2 ** (len(levels) - 1)
        doubled = _pair(levels[-1], levels[-1], step)
        if not _common(doubled, split, 2 * step).size:
            break
        levels.append(doubled)
    length = 2 ** (len(levels) - 1)
    ids = levels[-1]
    for level in range(len(levels) - 2, -1, -1):
        extended = _pair(ids, levels[level], length)
        if _common(extended, split, length + 2**level).size:
            ids, length = extended, length + 2**level
    return int(_common(ids, split, length)[0]), length


def _pair(head: NDArray[np.int64], tail: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    if offset >= tail.size:
        return np.zeros(0, dtype=np.int64)
    ahead = tail[offset:]
    size = min(head.size, ahead.size)
    keys = head[:size] * (np.int64(tail.max()) + 1) + ahead[:size]
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _common(ids: NDArray[np.int64], split: int, length: int) -> NDArray[np.int64]:
    """Places in the first text whose substring of `length` (wholly inside it) also starts in the second."""
    left, right = ids[: max(0, split - length + 1)], ids[split:]
    if not left.size or not right.size:
        return np.zeros(0, dtype=np.int64)
    present = np.zeros(int(ids.max()) + 1, dtype=bool)
    present[right] = True
    return np.flatnonzero(present[left])
