"""Read a free-text reply to a closed question: one option, a refusal, or unparsed. Never a guess, never 0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from personae.core import ResponseOption
from personae.text import machine_remark, reply_refusal


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says. `option` indexes the options; `reason` says why there is none."""

    status: Literal["ok", "refused", "unparsed"]
    option: int | None
    value: float | None
    reason: str | None = None


def _any(*choices: str) -> str:
    """A group that matches any of the choices."""
    return f"(?:{'|'.join(choices)})"


_FILLERS: Final = _any(
    "a", "an", "the", "at", "all", "say", "be", "been", "is", "it", "really", "quite", "exactly", "necessarily", "call",
    "myself", "think", "would", "that", "describe", "describes", "as", "am", "are", "i", "i'm", "it's", "choose",
    "pick", "answer", "whether", "if", "with", "so", "sure", "entirely", "completely",
)  # fmt: skip
_NEGATION: Final = re.compile(
    r"(?:\bnot|\bnever|n't|\bhardly|\bwithout|\bfar from|\bother than|\banything but|\brather than|\binstead of"
    rf"|\bcannot|\bno)(?:\s+{_FILLERS})*\s*$"
)
_NUMBER_WORDS: Final = {
    word: k
    for k, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))
}
_DIGITS: Final = _any(r"-?\d+(?:\.\d+)?", *_NUMBER_WORDS)
_NUMBER: Final = rf"(?<![\w.])(?P<n>{_DIGITS})(?!\w)(?!\.\d)"
# A number is an answer only where it could end a clause: "4, because", not "5 years ago".
_ENDS: Final = r"\s*(?:$|[.,;:!?)(\]\-–—/|•]|out of|because\b|as i\b|since\b|and here)"
_CUES: Final = _any(
    "answer", "rating", "score", "number", "option", "choice", "response", "reply", "rate (?:it|this|that|myself)",
    "give (?:it|this|that|myself)", "say", "choose", "pick", "select", "choosing", "picking", "go with", "it's",
    "it is", "is", "be", "=", ":",
)  # fmt: skip
_LINKS: Final = _any(
    "is", "would be", "a", "an", "at", "as", "it", "of", "the", "number", "option", "with", "about", "around"
)
_LEADING: Final = re.compile(rf"^\s*[\[(]?\s*{_NUMBER}(?={_ENDS})")
_CUED: Final = re.compile(rf"(?<!\w){_CUES}(?:\s+{_LINKS})*\s*[:\-=]?\s*[\[(]?{_NUMBER}(?={_ENDS})")
_RATIO: Final = re.compile(rf"{_NUMBER}\s*(?:/|out of)\s*\d+")
_RANGE: Final = re.compile(rf"(?<![\w.]){_DIGITS}\s*(?:-|–|to|or|and)\s*(?:a\s+)?{_DIGITS}(?!\w)")


def parse_reply(text: str, options: Sequence[ResponseOption], *, item: str = "", prefix: str = "") -> ParsedReply:
    """Find the one option that a reply names.

    An option counts when its whole text stands in the reply (longest first, so that "agree" is not found inside
    "strongly agree"), or when the reply states its number (the value of the option) as an answer. Negated options,
    several options, a number that contradicts the text, numbers off the scale or between options are `unparsed`.

    Args:
        text: the reply.
        options: what could be answered.
        item: text of the item; a repetition of it is not read as part of the answer.
        prefix: what the answer was made to start with, in case the reply repeats it.

    Example:
        >>> scale = [ResponseOption(text="disagree", value=1), ResponseOption(text="agree", value=2)]
        >>> parse_reply("I'd say agree.", scale).value, parse_reply("I don't agree", scale).status
        (2.0, 'unparsed')
    """
    plain = _normal(text)
    for repeated in (_normal(item).rstrip(" ."), _normal(prefix)):
        if repeated:
            plain = plain.replace(repeated, " ", 1)
    if not plain.strip(" .,!?;:-\"'"):
        return ParsedReply("unparsed", None, None, "empty reply")
    named, rest, negated = _named(plain, tuple(o.text for o in options))
    if negated:
        return ParsedReply("unparsed", None, None, f"option negated: {options[negated[0]].text!r}")
    refused = reply_refusal(rest)
    if refused and named:
        return ParsedReply("unparsed", None, None, "a refusal beside an option")
    if refused or (not named and machine_remark(rest)):
        return ParsedReply("refused", None, None, "refusal")
    if len(named) > 1:
        return ParsedReply("unparsed", None, None, f"{len(named)} options named")
    return _with_number(named, rest, options)


def _with_number(named: list[int], rest: str, options: Sequence[ResponseOption]) -> ParsedReply:
    """Settle the option from its text and the numbers that are stated as answers."""
    ranges = _RANGE.search(_RATIO.sub(" ", rest))
    # "2 or 3 friends" beside a named option is talk; at the start, or alone, it is the answer.
    if ranges and (not named or not rest[: ranges.start()].strip(" (•")):
        return ParsedReply("unparsed", None, None, "a range of numbers")
    numbers = _numbers(rest)
    if len(numbers) > 1:
        return ParsedReply("unparsed", None, None, f"{len(numbers)} numbers given")
    if numbers:
        by_value = {float(o.value): k for k, o in enumerate(options)}
        option = by_value.get(numbers[0])
        if option is None:
            return ParsedReply("unparsed", None, None, f"{numbers[0]:g} is no option")
        if named and named[0] != option:
            return ParsedReply("unparsed", None, None, f"{numbers[0]:g} contradicts {options[named[0]].text!r}")
        named = [option]
    if not named:
        return ParsedReply("unparsed", None, None, "no option named")
    return ParsedReply("ok", named[0], float(options[named[0]].value))


def _numbers(rest: str) -> list[float]:
    found: dict[float, None] = {}
    for pattern in (_LEADING, _RATIO, _CUED):
        for match in pattern.finditer(rest):
            word = match["n"]
            found[float(_NUMBER_WORDS.get(word, word))] = None
    return list(found)


def _named(plain: str, texts: tuple[str, ...]) -> tuple[list[int], str, list[int]]:
    """Options named in the reply, the reply without them, and options that are negated."""
    named: dict[int, None] = {}
    negated: list[int] = []
    rest = plain
    for option, pattern in _patterns(texts):
        while match := pattern.search(rest):
            if _NEGATION.search(rest[: match.start()]):
                negated.append(option)
            named[option] = None
            rest = f"{rest[: match.start()]} \N{BULLET} {rest[match.end() :]}"
    return list(named), rest, negated


@lru_cache(maxsize=64)
def _patterns(texts: tuple[str, ...]) -> tuple[tuple[int, re.Pattern[str]], ...]:
    """Whole-word patterns of the options, longest first."""
    out: list[tuple[int, re.Pattern[str]]] = []
    for k in sorted(range(len(texts)), key=lambda k: -len(texts[k])):
        words = r"[\s,_-]+".join(re.escape(w) for w in _normal(texts[k]).split())
        out.append((k, re.compile(rf"(?<!\w){words}(?!\w)")))
    return tuple(out)


def _normal(text: str) -> str:
    """Lower case, straight quotes, no emphasis marks, single spaces."""
    out = text.casefold().replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return re.sub(r"\s+", " ", re.sub(r"[*_`#]+", " ", out)).strip()
