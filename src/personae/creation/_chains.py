# ruff: noqa: E501 - patterns and word lists are read by the line
"""What people say of themselves in one message: patterns of sentences, lexicons, chains with the words behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from personae.core import Frozen, RecipeError
from personae.creation._documents import parse_yaml, shipped
from personae.creation._taxonomy import slug
from personae.text import sentence_spans

Special = Literal["health", "religion", "orientation", "politics"]
SPECIAL: Final[tuple[Special, ...]] = ("health", "religion", "orientation", "politics")

_ADVERBS: Final = r"(?:(?:also|really|just|still|always|usually|often|sometimes|currently|mostly|even|only|very much|absolutely|do) )*"
_I: Final = r"\bi(?:'m| am|'ve been| have been)?"
_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    ("age", r"\bi(?:'m| am)(?: now)? (\d{1,3})(?: years old\b|[.!,]|$)"),
    ("place", r"\bi (?:live|grew up|was born|was raised|come from|am from|reside)(?: in| on| near| at)? ([^.!?,;]+)"),
    ("place", r"\bi(?:'m| am) (?:originally )?from ([^.!?,;]+)"),
    ("work", rf"\bi {_ADVERBS}work(?:ed)? (?:as|at|in|for|with)(?: an?| the)? ([^.!?,;]+)"),
    ("work", r"\bi(?:'m| am) (?:working|employed) (?:as|at|in|for)(?: an?| the)? ([^.!?,;]+)"),
    ("study", rf"\bi(?:'m| am)? ?{_ADVERBS}(?:study|studied|studying|majored in|majoring in|learning|teach myself|speak) ([^.!?,;]+)"),
    ("dislike", rf"\bi {_ADVERBS}(?:hate|dislike|can't stand|cannot stand|don't like|do not like|don't enjoy) ([^.!?,;]+)"),
    ("fear", r"\bi(?:'m| am) (?:\w+ )?(?:afraid|scared|terrified) of ([^.!?,;]+)"),
    ("allergy", r"\bi(?:'m| am) allergic to ([^.!?,;]+)"),
    ("like", rf"\bi(?:'m| am)? ?{_ADVERBS}(?:love|like|enjoy|adore|prefer|am into|'m into|into|am fond of|am obsessed with)(?: to| doing| playing| eating| watching| going)? ([^.!?,;]+)"),
    ("favourite", r"\bmy favou?rite (?!part|thing)([a-z ]{3,24}?) (?:is|are|was)\b(?: the| an?)? ?([^.!?,;]*)"),
    ("media", rf"\bi {_ADVERBS}(?:read|watch|listen to) ([^.!?,;]+)"),
    ("do", rf"\bi {_ADVERBS}(?:play|practice|practise|do|go|drink|eat|ride|drive|collect|cook|bake|grow|own|keep|paint|sing) ([^.!?,;]+)"),
    ("have", rf"\bi(?:'ve)? {_ADVERBS}(?:have|got|own|adopted|raise|raised)(?: got)?(?: an?| two| three| four| five| \d+| several| many| some)? ([^.!?,;]+)"),
    ("am", rf"\bi(?:'m| am| was| became) {_ADVERBS}(?:an? |the )?([^.!?,;]+)"),
    ("my", r"\bmy ([^.!?,;]+)"),
    ("value", r"\bi (?:believe in|value|care about|stand for) ([^.!?,;]+)"),
    ("value", r"([a-z ]{4,30}) (?:is|are) (?:very |really |most )?important to me\b"),
)  # fmt: skip
_OPEN: Final = {
    "like": ("hobbies", "likes"),
    "dislike": ("hobbies", "dislikes"),
    "fear": ("psychology", "fears"),
    "allergy": ("physical_health", "allergies"),
}
"""Where what no lexicon knows goes; kinds not named here need a lexicon"""
_ONLY: Final[dict[str, frozenset[str]]] = {
    "work": frozenset({"occupation", "workplace"}),
    "study": frozenset({"field_of_study", "languages", "level"}),
    "fear": frozenset({"fears"}),
    "value": frozenset({"guiding", "environment", "religion", "politics"}),
    "my": frozenset({"family", "children", "partner", "friends", "pets"}),
}
"""Branches that a kind of sentence may speak of; others may speak of any that takes it"""
_SAID_AS: Final[dict[str, frozenset[str]]] = {
    "occupation": frozenset({"work", "am"}), "workplace": frozenset({"work"}), "guiding": frozenset({"value"}),
    "fears": frozenset({"fear"}), "friends": frozenset({"have", "my"}), "family": frozenset({"have", "my"}),
    "children": frozenset({"have", "my"}), "partner": frozenset({"have", "my"}), "life_stage": frozenset({"am"}),
    "marital_status": frozenset({"am"}), "temperament": frozenset({"am"}), "orientation": frozenset({"am"}),
    "home": frozenset({"have", "do"}), "transport": frozenset({"have", "do"}), "level": frozenset({"have", "study", "am"}),
    "field_of_study": frozenset({"study", "like", "dislike"}), "appearance": frozenset({"have", "am"}),
    "languages": frozenset({"study"}), "conditions": frozenset({"have", "am"}), "pets": frozenset({"have", "my", "like", "do"}),
}  # fmt: skip
"""Kinds of sentence that a branch is read from; branches not named here are read from any"""
_FAVOURITE: Final = {
    "color": ("lifestyle", "clothing", "favourite_colour"), "colour": ("lifestyle", "clothing", "favourite_colour"),
    "food": ("lifestyle", "food_preferences", "favourite_food"), "meal": ("lifestyle", "food_preferences", "favourite_food"),
    "band": ("media", "music", "favourite_band"), "singer": ("media", "music", "favourite_singer"),
    "song": ("media", "music", "favourite_song"), "book": ("media", "reading", "favourite_book"),
    "author": ("media", "reading", "favourite_author"), "movie": ("media", "screen", "favourite_film"),
    "film": ("media", "screen", "favourite_film"), "show": ("media", "screen", "favourite_show"),
    "sport": ("hobbies", "sports", "favourite_sport"), "team": ("hobbies", "sports", "favourite_team"),
    "season": ("hobbies", "outdoors", "favourite_season"), "animal": ("lifestyle", "pets", "favourite_animal"),
    "holiday": ("culture", "traditions", "favourite_holiday"), "subject": ("education", "field_of_study", "favourite_subject"),
    "drink": ("lifestyle", "drinks", "favourite_drink"), "game": ("hobbies", "games", "favourite_game"),
}  # fmt: skip
_NOT_ABOUT_ME: Final = re.compile(r"\b(wish i|if i|would i|could i|do you|are you|should i|can i|did i|pretend)\b")
_LEADING: Final = re.compile(
    r"^(?:(?:an?|the|my|your|some|any|to|of|in|on|at|for|with|lot|lots|all|very|really|little|own|new|old|big|small) )+"
)
_TAIL: Final = re.compile(
    r"\b(?:and|but|because|so|when|while|with|at|on|in|for|that|which|who|since|after|before|too|as well|every|sometimes|"
    r"myself|very much|a lot|now|today|right now|by|from|is|are|was|if|than|though|about|to|of|or|as|me|it|you|them|him|her)\b.*$"
)
_DOING: Final = re.compile(
    r"^(?:looking|going|trying|caught|planning|thinking|hoping|about|sorry|glad|happy|not|in |so )"
)
_VERBS: Final = re.compile(
    r"^(?:(?:be|being|do|doing|go|going|get|getting|see|seeing|have|having|make|making|try|trying|take|taking|watch|watching|read|reading|play|playing|eat|eating|spend|spending|use|using|learn|learning|work|working|think|thinking|say|know|how|when|what|why|where|that|it|i|so|those) )+|^(?:being|play|do|read|see|going|eat|watch|time)$"
)
_EMPTY: Final = frozenset(
    {
        "",
        "it",
        "that",
        "this",
        "them",
        "you",
        "things",
        "thing",
        "stuff",
        "one",
        "fun",
        "good",
        "lot",
        "something",
        "anything",
        "too",
        "what",
        "how",
        "kind",
        "sure",
        "not",
        "those",
        "these",
        "way",
        "bit",
        "names",
        "time",
        "people",
        "part",
        "idea",
        "part_of",
        "sound",
        "different_things",
        "new_things",
        "everything",
        "place",
        "places",
        "day",
    }
)


class MinedExample(Frozen):
    """Where a chain was read: message id, place in its text, and the words."""

    message: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """An attribute from general to specific, with the words it was read from."""

    steps: tuple[str, ...]
    conversation: str
    example: MinedExample
    special: Special | None = None

    @property
    def path(self) -> str:
        """The chain as a dotted path."""
        return ".".join(self.steps)


def extract_chains(conversation: str, message: str, text: str) -> list[Chain]:
    """Chains that the shipped patterns and lexicons read in one message, in order, each path once."""
    out: dict[tuple[str, ...], Chain] = {}
    for steps, special, start, end in found_chains(text):
        example = MinedExample(message=message, start=start, end=end, text=text[start:end][:120])
        out.setdefault(steps, Chain(steps, conversation, example, special))
    return list(out.values())


def found_chains(text: str) -> Iterator[tuple[tuple[str, ...], Special | None, int, int]]:
    for span in sentence_spans(text):
        sentence = span.text.lower().replace("’", "'")
        if sentence.endswith("?") or _NOT_ABOUT_ME.search(sentence):
            continue
        for kind, pattern in _compiled():
            for match in pattern.finditer(sentence):
                at = span.start + match.start(), span.start + match.end()
                for steps, special in _place(kind, match):
                    yield steps, special, *at


def _place(kind: str, match: re.Match[str]) -> Iterator[tuple[tuple[str, ...], Special | None]]:
    if kind == "age":
        if int(match.group(1)) <= 120:
            yield ("demographics", "identity", "age"), None
        return
    if kind == "place":
        yield ("demographics", "home", "place_of_residence" if "born" not in match.group(0) else "birthplace"), None
        return
    if kind == "favourite":
        chain = _FAVOURITE.get(match.group(1).strip().split()[-1])
        if chain is not None:
            yield chain, None
        return
    phrase = match.group(1).strip()
    if kind in {"am", "my"}:
        phrase = "" if _DOING.match(phrase) else _TAIL.sub("", phrase)
    hit = False
    for where, special, word in _known(phrase):
        if (kind in _ONLY and where[1] not in _ONLY[kind]) or kind not in _SAID_AS.get(where[1], {kind}):
            continue
        hit = True
        yield (*where, slug(word)), special
    if not hit and kind in _OPEN:
        name = _head(phrase)
        if name:
            yield (*_OPEN[kind], name), "health" if kind == "allergy" else None


def _known(phrase: str) -> Iterator[tuple[tuple[str, str], Special | None, str]]:
    """Lexicon words in a phrase, longest first; a word inside a longer one does not count again."""
    taken = [False] * len(phrase)
    for pattern in _lexicon_patterns():
        for match in pattern.finditer(phrase):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                yield from _lexicon()[match.group(0)]


def _head(phrase: str) -> str:
    """Up to three words that name a thing; '' when there are none."""
    words = _TAIL.sub("", _LEADING.sub("", _VERBS.sub("", _LEADING.sub("", phrase)))).strip()
    name = slug(" ".join(words.split()[:3]))
    return "" if name in _EMPTY or len(name) < 3 or name.isdigit() else name


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, list[tuple[tuple[str, str], Special | None, str]]]:
    text = shipped("taxonomy", "mining.yaml")
    if text is None:
        raise RecipeError("the lexicons of the miner are not in the package.", hint="Install it again.")
    out: dict[str, list[tuple[tuple[str, str], Special | None, str]]] = {}
    for entry in parse_yaml(text, "mining", error=RecipeError)["lexicons"]:
        root, branch = entry["where"]
        for word in entry["words"]:
            for form in {word, *_forms(word)}:
                out.setdefault(form, []).append(((root, branch), entry.get("special"), word))
    return out


def _forms(word: str) -> tuple[str, ...]:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return (word[:-1] + "ies",)
    if word.endswith(("s", "ing")):
        return ()
    return (word + ("es" if word.endswith(("x", "ch", "sh")) else "s"),)


@lru_cache(maxsize=1)
def _lexicon_patterns() -> tuple[re.Pattern[str], ...]:
    by_length: dict[int, list[str]] = {}
    for form in _lexicon():
        by_length.setdefault(len(form.split()), []).append(form)
    return tuple(
        re.compile(r"\b(?:" + "|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True)) + r")\b")
        for _, forms in sorted(by_length.items(), reverse=True)
    )
