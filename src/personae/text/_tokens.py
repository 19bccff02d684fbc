"""Tokenisation for measurement: what counts as a word, a sentence, an n-gram. Not a model's tokeniser."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeVar

from personae.core import InputError

T = TypeVar("T")

_APOSTROPHES: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "′": "'", "＇": "'"})
_MAX_MARKS: Final = 30
"""Unicode's stream-safe limit of combining marks in a row. Beyond it canonical reordering is quadratic."""

_MAY_COMPOSE: Final = re.compile("[\u0300-\u200f\u2027-\U0010ffff]")
"""Text without any of these (western letters, dashes, quotation marks) is in NFC as it stands."""

_IDEOGRAPHS: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_SPACE: Final = re.compile(r"\s+")
_ASCII_WORD: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)+|[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*", re.ASCII)

_ABBREVIATIONS: Final = frozenset(
    re.findall(
        r"\S+",
        "mr mrs ms dr prof rev hon gen col capt sgt lt st sr jr mt ft ave blvd rd dept est fig figs no nos vol vols ed "
        "eds pp cf vs approx inc ltd co corp univ jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e a.m p.m al",
    )
)
_SOFT_ABBREVIATIONS: Final = frozenset(re.findall(r"\S+", "etc a.m p.m inc ltd co corp jr sr u.s u.k ph.d"))
"""Abbreviations that may also end a sentence: a capital after them decides."""

_BOUNDARY: Final = re.compile(r"(?P<stop>[.!?…]{1,64})[\"'”’»)\]]{0,8}(?=\s|$)|(?P<wide>[。！？]{1,64})|(?P<line>\n)")


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A stretch of a text: `text` stands at characters `start` to `end` (end exclusive)."""

    start: int
    end: int
    text: str


def normalise(text: str) -> str:
    """One spelling per text for comparison: NFC, straight apostrophes, case folded, white space collapsed.

    Runs of more than 30 combining marks are left as they are (reordering them takes quadratic time).
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return _SPACE.sub(" ", _compose(text).translate(_APOSTROPHES).casefold()).strip()


def words(text: str) -> list[str]:
    """The words of `text`, lower-cased, in order.

    A word is a run of letters, digits and combining marks of any script, with inner apostrophes kept (`don't`);
    `3.5` and `1,000` are one word. Han characters and kana count one each, since those scripts set no spaces.

    >>> words("Don't pay 3.5 € — it’s free!")
    ["don't", 'pay', '3.5', "it's", 'free']
    """
    plain = _compose(text).translate(_APOSTROPHES).lower()
    return _word_pattern(ascii_only=plain.isascii()).findall(plain)


def word_spans(text: str) -> list[TextSpan]:
    """The words of `text` with their places in it; `TextSpan.text` is lower-cased with straight apostrophes.

    The offsets refer to the text as given, so it is not composed (NFC) first.
    """
    plain = text.translate(_APOSTROPHES)
    found = _word_pattern(ascii_only=plain.isascii()).finditer(plain)
    return [TextSpan(match.start(), match.end(), match.group().lower()) for match in found]


def sentences(text: str) -> list[str]:
    """The sentences of `text`, stripped, none empty.

    A full stop does not end a sentence after an abbreviation (`Dr.`, `e.g.`), after an initial (`J. Smith`) or before a
    lower-case letter; a line break always does.

    >>> sentences("Dr. Lee came at 5 p.m. on Monday. Really? Yes.")
    ['Dr. Lee came at 5 p.m. on Monday.', 'Really?', 'Yes.']
    """
    return [span.text for span in sentence_spans(text)]


def sentence_spans(text: str) -> list[TextSpan]:
    """Like `sentences`, with places in `text`."""
    return list(_iter_sentences(text))


def char_ngrams(text: str, n: int = 3) -> list[str]:
    """All runs of `n` characters of the normalised text, in order.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    plain = normalise(text)
    return [plain[i : i + n] for i in range(len(plain) - n + 1)]


def ngrams(tokens: Sequence[T], n: int) -> list[tuple[T, ...]]:
    """All runs of `n` neighbouring tokens, in order; empty when there are fewer than `n`.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def check_positive(name: str, value: int) -> None:
    """Refuse a count below 1."""
    if value < 1:
        raise InputError(f"{name} {value!r} is not usable, expected a whole number of at least 1.")


def _compose(text: str) -> str:
    if text.isascii() or _MAY_COMPOSE.search(text) is None:
        return text
    runs = groupby(text, key=lambda char: unicodedata.combining(char) != 0)
    if any(marked and sum(1 for _ in run) > _MAX_MARKS for marked, run in runs):
        return text
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=2)
def _word_pattern(*, ascii_only: bool) -> re.Pattern[str]:
    if ascii_only:
        return _ASCII_WORD
    letter = rf"(?:[^\W_{_IDEOGRAPHS}]|[{_mark_ranges()}])"
    return re.compile(rf"\d+(?:[.,]\d+)+|[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]{letter}*(?:'{letter}+)*")


@lru_cache(maxsize=1)
def _mark_ranges() -> str:
    """Ranges of all combining marks. The word class of `re` leaves them out, which would cut Hindi or Thai words."""
    marks = [code for code in range(min(0x20000, sys.maxunicode)) if unicodedata.category(chr(code)).startswith("M")]
    ranges: list[str] = []
    for _, group in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0]):
        run = [code for _, code in group]
        ranges.append(f"\\U{run[0]:08x}-\\U{run[-1]:08x}")
    return "".join(ranges)


def _iter_sentences(text: str) -> Iterator[TextSpan]:
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match.group("stop") and not _ends_sentence(text, match):
            continue
        yield from _stripped(text, start, match.end())
        start = match.end()
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[TextSpan]:
    piece = text[start:end]
    body = piece.strip()
    if body:
        lead = len(piece) - len(piece.lstrip())
        yield TextSpan(start + lead, start + lead + len(body), body)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    follow = _next_letter(text, match.end())
    if follow.islower():
        return False
    if match.group("stop") != ".":
        return True
    before = text[max(0, match.start() - 24) : match.start()].split()
    last = before[-1].lstrip("\"'“‘(«[") if before else ""
    if len(last) == 1 and last.isupper() and last != "I":
        return False
    lowered = last.lower()
    if lowered in _SOFT_ABBREVIATIONS:
        return not follow or follow.isupper()
    if lowered == "no":
        return not follow.isdigit()
    return lowered not in _ABBREVIATIONS


def _next_letter(text: str, start: int) -> str:
    for char in text[start : start + 16]:
        if char.isalnum():
            return char
    return ""
