"""What machines leave in a text: markup, code, broken characters, loops, and parts of the prompt that asked for it."""

from __future__ import annotations

import re
from operator import eq
from typing import Final

_MARKS: Final = ("<", "&", "`", "**", "##", '"', "[object")
"""One of these stands in everything that `_MARKUP` finds."""
_MARKUP: Final = re.compile(
    r"</?(?:b|i|u|p|br|hr|div|span|ul|ol|li|strong|em|h[1-6]|table|tr|td|th|html|body|code|pre)(?: [^<>\n]{0,80})? ?/?>"
    r"|&(?:amp|nbsp|lt|gt|quot|apos|ndash|mdash|#\d{2,5});"
    r"|(?:^|\n|[.!?:] )\*\*[A-Z][\w /-]{1,40}:?\*\*:?(?=\s|$)"
    r"|(?:^|\n|[.!?] )#{2,5} (?=[A-Z])[\w ,'’-]{2,60}(?=\n|$|[.:])"
    r"|```"
    r"|(?<![\w\\])\"[A-Za-z_][\w ]{0,30}\" ?: ?(?:\"|\d|\[|\{|true\b|false\b|null\b)"
    r"|\[object Object\]",
)
_BROKEN: Final = re.compile("\ufffd|\u00ef\u00bf\u00bd|\u00e2\u20ac.|[\u00c3\u00c2][\u0080-\u00bf]")
_START: Final = r"(?:^|\n|[.!?] )"
_PROMPTS: Final = tuple(
    (mark, re.compile(pattern, re.IGNORECASE))
    for marks, pattern in (
        (("json",), r"\b(?:output|return|respond with|reply with|answer with) only (?:a |the )?(?:valid )?json\b"),
        (
            ("the voice of",),
            (
                r"\b(?:respond|reply|answer|speak|write) (?:only )?in the voice of"
                r" (?:the|this|your) (?:character|persona|person)\b"
            ),
        ),
        (
            ("the first person", "the second person", "the third person"),
            rf"{_START}(?:write|respond|answer|reply) (?:it |this )?in the (?:first|second|third) person\b",
        ),
        (
            ("that you are an",),
            r"\bdo not (?:mention|reveal|say|admit) that you are an? (?:ai|assistant|language model|chatbot)\b",
        ),
        (
            ("persona", "profile", "biograph", "backstor", "character desc"),
            (
                rf"{_START}(?:please )?(?:generate|create|write|produce) (?:an?|the|one|\d{{1,3}})"
                r" (?:[a-z-]{2,15} ){0,3}?(?:personas?|character descriptions?|character profiles?|biograph(?:y|ies)"
                r"|backstor(?:y|ies)|user profiles?) (?:of|for|about|based on|with|who)\b"
            ),
        ),
        (
            ("note: this", "disclaimer: this"),
            (
                rf"{_START}(?:note|disclaimer): this (?:is|persona is|profile is|character is) an? "
                r"(?:purely |entirely |completely )?(?:fictional|fictitious|synthetic|made-up|generated)\b"
            ),
        ),
        (
            ("this persona", "this profile", "this character description"),
            (
                r"\bthis (?:persona|profile|character description) (?:is|was|has been) "
                r"(?:designed|meant|intended|created|generated|written)\b"
            ),
        ),
        (
            ("sure", "certainly", "of course", "absolutely", "great"),
            (
                rf"{_START}(?:sure|certainly|of course|absolutely|great)[!,.:]"
                r" (?:here(?:['’]s| is| are)|below (?:is|are))\b"
            ),
        ),
        (
            ("persona ", "persona#", "character ", "character#", "profile "),
            rf"{_START}(?:persona|character|profile) ?(?:#\d{{1,4}}|no\. ?\d{{1,4}}|\d{{1,4}} ?(?::|-|–|of \d))",
        ),
    )
    for mark in marks
)
"""What prompts and replies say, each with what stands in it in lower case."""
_LOOP: Final = re.compile(
    r"\b((?!(?:ha|na|la|ho|he|no|oh|da|bla|hey|yeah|tick|tock|boom|ding|woof|meow|cha|chop|knock|honk|beep)\b)\w{2,20})"
    r"(?: \1){4,}\b|\b((?!(?:tick tock|ding dong)\b)\w{1,20} \w{2,20})(?: \2){3,}\b"
    r"|\b(\w{1,20} \w{1,20} \w{2,20})(?: \3){3,}\b",
    re.IGNORECASE,
)
LONGEST_NO_VALUE: Final = 16
_RUNS: Final = ((1, 3), (2, 5), (3, 8))
"""How far apart the words of a loop are the same; of as many in a row one at least is looked at."""
_EMPTY: Final = frozenset({"null", "undefined", "nan", "[object object]"})
_EMPTY_TEXT: Final = _EMPTY | {"n/a", "none", "string", "text", "tbd", "n.a.", "na", "-", "--", "...", "no description"}


def machine_markup(text: str) -> str | None:
    """Tags, headings, entities or code that no reader wants to see."""
    for mark in _MARKS:
        if mark in text:
            found = _MARKUP.search(text)
            return None if found is None else found[0].strip()
    return None


def broken_characters(text: str) -> str | None:
    """Characters that were read in the wrong encoding."""
    if text.isascii():
        return None
    found = _BROKEN.search(text)
    return None if found is None else text[max(0, found.start() - 8) : found.end() + 8].strip()


def prompt_words(text: str) -> str | None:
    """Words of the prompt, or of the reply around the text that was asked for."""
    low = text.lower()
    for mark, pattern in _PROMPTS:
        if mark in low and (found := pattern.search(text)) is not None:
            return found[0].strip()
    return None


def word_loop(text: str) -> str | None:
    """A word said five times in a row, or two or three words four times."""
    words = text.split()
    if not any(any(map(eq, words[::step], words[apart::step])) for apart, step in _RUNS):
        return None
    found = _LOOP.search(text)
    return None if found is None else found[0]


def is_no_value(text: str, *, prose: bool) -> bool:
    """Whether a text is what a program writes for nothing; of `prose` also what a form holds."""
    return len(text) <= LONGEST_NO_VALUE and text.strip().casefold() in (_EMPTY_TEXT if prose else _EMPTY)
