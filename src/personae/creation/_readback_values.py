# ruff: noqa: E501, C901, PLR0912 - patterns unbroken; one case for each kind of value
"""Values of read-back: what the words behind a pattern come to, and whether they give away more than was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from personae.creation._readback_grammar import NAME, NUM, PatternRule
from personae.creation._readback_words import COLOURS, NOT_TRADES, PEOPLES, PETS, SPECIAL, TONGUES, TRADES

Value: TypeAlias = str | int
VAGUE: Final = re.compile(
    r"(?:it|that|this|those|these|them|him|her|you|your|yours|me|myself|how|what|when|where|who|the (?:way|idea|sound of)|"
    r"everything|nothing|something|anything|to (?:hear|know|see you|meet you|say|think|help)|all|one|doing that|being|so|"
    r"my (?:life|job))\b",
    re.IGNORECASE,
)


def gives_away(value: str, path: str, special: frozenset[str]) -> bool:
    """Whether a value holds a word of a category that was not asked for."""
    things = path.startswith(
        ("attributes.home", "attributes.body", "attributes.possessions", "attributes.favourite", "names")
    )
    for category, words in SPECIAL.items():
        if category in special:
            continue
        text = COLOURS.sub("", value) if things and category == "ethnicity" else value
        if words.search(text):
            return True
    return False


def given_away(text: str, special: frozenset[str]) -> bool:
    """Whether `text` holds a word of a special category that was not asked for."""
    return gives_away(text, "", special)


_LOOSE: Final = re.compile(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", re.IGNORECASE)


def listed_values(path: str, text: str, start: int) -> Iterator[tuple[str, Value, int, int]]:
    """Each entry of a list, with its place."""
    place = 0
    for piece in [*_LOOSE.finditer(text), None]:
        high = piece.start() if piece else len(text)
        value = text[place:high].strip()
        if value and not VAGUE.match(value) and len(value.split()) <= 9 and len(value) > 1:
            yield path, value, start + place, start + high
        elif place == 0:
            return
        place = piece.end() if piece else high


_NOT_NAMES: Final = frozenset(
    [
        "sorry",
        "sure",
        "fine",
        "good",
        "great",
        "happy",
        "sad",
        "tired",
        "here",
        "back",
        "done",
        "ready",
        "busy",
        "glad",
        "not",
        "so",
        "very",
        "just",
        "really",
        "also",
        "okay",
        "ok",
        "yes",
        "no",
        "new",
        "old",
        "young",
        "tall",
        "short",
        "single",
        "married",
        "divorced",
        "widowed",
        "engaged",
        "retired",
        "unemployed",
        "vegan",
        "vegetarian",
        "it",
        "that",
        "this",
        "a",
        "an",
        "the",
        "in",
        "on",
        "at",
        "from",
        "into",
        "all",
        "well",
        "lucky",
        "excited",
        "bored",
        "hungry",
        "home",
        "alone",
        "nervous",
        "afraid",
        "scared",
        "human",
        "male",
        "female",
    ]
)


def noun_values(rule: PatternRule, text: str, start: int) -> Iterator[tuple[str, Value, int, int]]:
    """Names, places, trades, animals, kin and special categories, each by its own way of reading."""
    end = start + len(text)
    match rule.how:
        case "proper":
            parts = text.split()
            if (
                all(p[:1].isupper() for p in parts)
                and not given_away(text, frozenset())
                and not any(p.casefold() in PEOPLES | TRADES | _NOT_NAMES or p.casefold() in TONGUES for p in parts)
            ):
                yield rule.path, text, start, end
        case "place":
            yield from _place(rule.path, text, start)
        case "trade":
            yield from _trade(rule.path, text, start, strict=True)
        case "job":
            yield from _trade(rule.path, text, start, strict=False)
        case "teach":
            if text.split(maxsplit=1)[0].casefold() not in {"me", "you", "my", "myself", "him", "her", "people"}:
                yield rule.path, f"teacher of {text}", start, end
        case "pets":
            for pet in re.finditer(
                rf"(?:(?:\w+ ){{0,2}})\b(?P<p>{PETS})\b(?! (?:food|shop|sitter|store|person|allerg))",
                text,
                re.IGNORECASE,
            ):
                yield rule.path, pet["p"].casefold(), start + pet.start("p"), start + pet.end("p")
        case "siblings":
            kin = rf"(?:(?:{NUM}|an?|older|younger|little|big|twin|half|step) )*(?P<k>sisters?|brothers?|siblings?|twin|roommates?|boyfriend|girlfriend|wife|husband|fiancee?)\b"
            for one in re.finditer(kin, text, re.IGNORECASE):
                value = re.sub(r"^an? ", "", one[0])
                yield f"relations.{one['k'].casefold()}", value, start + one.start(), start + one.end()
        case "health" | "religion" | "politics" | "orientation" | "ethnicity":
            hit = SPECIAL[rule.how].search(text)
            if hit is not None and (rule.how != "health" or len(text.split()) <= 6):
                value = text if rule.how in {"health", "ethnicity"} else hit[0]
                yield rule.path, value, start, end
        case _:
            return


def _place(path: str, text: str, start: int) -> Iterator[tuple[str, Value, int, int]]:
    proper = re.match(rf"(?:the )?{NAME}(?:, [A-ZÀ-Þ][\w-]+)?", text)
    if proper is None and (
        text[:1].islower() and not re.match(r"(?:a|an|the|my|our|this|here|there|love|peace|one|constant|fear)\b", text)
    ):
        proper = re.match(r"[a-z][\w'-]+(?: [a-z][\w'-]+){0,2}$", text)
    if proper is not None:
        yield path, proper[0], start, start + proper.end()


def _trade(path: str, text: str, start: int, *, strict: bool) -> Iterator[tuple[str, Value, int, int]]:
    """A job title: the words up to its head, which is a known trade, or ends like one."""
    tokens = list(re.finditer(r"[\w'-]+", text))[:5]
    head = None
    for k, token in enumerate(tokens):
        word = token[0].casefold()
        if word in {"at", "in", "for", "from", "by", "with", "who", "and", "of", "on", "the", "to"}:
            break
        if word.removesuffix("'s") != word or word in NOT_TRADES:
            head = None if word in NOT_TRADES else head
            break
        if word in TRADES or (re.search(r"(?:er|or|ist|ian|man|woman|smith|eer)$", word) and len(word) > 4):
            head = k
    if head is None and not strict and tokens:
        value = " ".join(text.split()[:5])
        yield path, value, start, start + len(value)
    elif head is not None:
        high = tokens[head].end()
        value = re.sub(r"^(?:good|great|proud|full[- ]time|part[- ]time|professional|very good|an?) ", "", text[:high])
        yield path, value, start + high - len(value), start + high
