"""What a text says of its person for certain, sentence by sentence: no quotations, no wishes, nothing of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

_QUOTED: Final = re.compile(
    r"“[^”\n]{2,400}”|„[^“”\n]{2,400}[“”]|«[^»\n]{2,400}»|(?<!\w)\"[^\"\n]{2,400}\"(?!\w)"
    r"|(?<!\w)‘[^‘\n]{2,400}?’(?!\w)|(?<!\w)'(?=\w)[^'\n]{1,400}(?:'\w[^'\n]{0,200}){0,4}'(?!\w)"
)
_QUOTES: Final = ("“", "„", "«", '"', "‘", "'")
_ELLIPSIS: Final = "…"
_END: Final = re.compile(r"(?<=[.!?…])[\"”’)]{0,2}\s{1,9}|\n\s{0,9}|;\s{1,9}")
_UNSURE: Final = re.compile(
    r"\b(?:(?<!\bis )(?<!\bam )(?<!are )(?<!was )(?<!were )(?<!get )(?<!got )used to"
    r"|formerly|in former (?:days|years)|no longer|any ?more\b|until|till|before that|years ago when"
    r"|one day|pretend(?:s|ed|ing)?|imagin(?:e|es|ed|ing|ary)|in jest|for fun|as a joke|jok(?:es|ed|ing)"
    r"|as if|says that|said that|by mistake|in the (?:novel|film|movie|play|story|song))\b",
    re.IGNORECASE,
)
"""A sentence with one of these says nothing for certain about how things are now."""
_MODAL: Final = re.compile(
    r"(?:^|[, ])(?:and |but |or |who |which |that )?(?:(?:@|I|he|she|you|they|we) )?"
    r"(?:(?:would|could|might|should|may (?:be|have|one)|wish(?:es|ed)?|hop(?:e|es|ed|ing)|dream(?:s|ed|t|ing)?"
    r"|want(?:s|ed|ing)?"
    r"|plan(?:s|ned|ning)? (?:to|on)|longs? (?:to|for)|if|unless|whether|maybe|perhaps|when (?:@|I|he|she|you|they)"
    r"|as an? (?:child|boy|girl|kid|teenager|young)|before (?:@|I|he|she|you|they|that|this)"
    r"|will|almost|nearly|wonders?|fears?|afraid|feels? like|acts? like|cried like|dressed as|plays? (?:the|an?))\b"
    r"|(?:I|he|she|you|they|we)[’'](?:d|ll)\b)",
    re.IGNORECASE,
)
"""What comes after one of these is a wish, a condition or the past; what stands before it holds."""
_KIN: Final = (
    "mother|father|mum|mom|dad|parents?|husband|wife|partner|spouse|girlfriend|boyfriend|fianc[eé]e?|son|sons|daughter"
    "|daughters|child|children|kids?|brothers?|sisters?|siblings?|twin|grandmother|grandfather|grandma|grandpa"
    "|grandparents|grandson|granddaughter|uncle|aunt|cousins?|nephew|niece|stepson|stepdaughter|stepmother|stepfather"
    "|godmother|godfather|friends?|neighbou?rs?|boss|colleagues?|landlord|landlady|teacher|coach|flatmate|roommate"
    "|dentist|baker|nurse|doctor|man|woman|boy|girl|lady|gentleman|guy|people|crew|team|company|students?|pupils?"
    "|clients?|patients? of|somebody|someone|everybody|everyone|nobody"
)
_ACQUAINTED: Final = (
    "friends?|neighbou?rs?|colleagues?|cousins?|uncle|aunt|brothers?|sisters?|parents|boss|landlord|landlady|flatmate"
    "|roommate|[a-z]{2,12} next door|rest|others?"
)
_OTHER: Final = re.compile(
    rf"^(?:and |but |so |then |once |today |now )?(?:(?:(?:his|her|my|your|their|our|one of [\w’']{{2,10}}|@[’']s)"
    rf" (?:(?!(?:who|is|was|has|have|of|am|are)\b)[\w’'-]{{1,20}},? ){{0,3}}?(?:{_KIN})\b"
    rf"|(?:an?|the) (?:(?!(?:who|is|was|has|have|of|am|are)\b)[\w’'-]{{1,20}} ){{0,2}}?(?:{_ACQUAINTED})\b)"
    r"(?! (?:and (?:I|@|he|she|you)\b|at heart))|(?:somebody|someone|everybody|everyone|nobody|people)\b)",
    re.IGNORECASE,
)
_OWN: Final = re.compile(
    r"^(?:and |but |so |then |once |today |now |at |as )?(?:@|I\b|you\b|[^,]{2,40}, (?:@|I|you)\b)", re.IGNORECASE
)
_FOLLOWING: Final = re.compile(
    r"^(?:and |but |so |then |today |now )?(?:he|she|they|him|his|her|their)\b", re.IGNORECASE
)
_ANOTHER: Final = re.compile(
    rf"^(?:an?|the) (?:{_KIN})\b (?:@|he|she|I|you|they|whom|named|called|next)\b", re.IGNORECASE
)
_ADVERBS: Final = re.compile(
    r"(?:(?<=[\w,’'@] )|^)(?:now|currently|also|often|usually|happily|regularly|actually|really|mostly|already|today"
    r"|lately|nowadays|these days|at the moment|at present|in truth|of course|as always|even|gladly"
    r"|proudly),? (?=[\w@])",
    re.IGNORECASE,
)
"""Words between a subject and its verb, or before both, that change nothing."""
_WORDS: Final = re.compile(r"[^\W_]+")


def without_quotations(text: str) -> str:
    """A text without what it quotes; a text that is all quotation stays."""
    if not any(mark in text for mark in _QUOTES):
        return text
    rest = _QUOTED.sub(_ELLIPSIS, text)
    return rest if any(map(str.isalpha, rest)) else text


@lru_cache(maxsize=8192)
def asserted(text: str) -> tuple[tuple[str, bool], ...]:
    """The sentences of an English text that say something for certain, and whether each is about its person alone.

    The person is written as `@`, `I`, `you` or as a pronoun; nobody else is called by that.

    Example:
        >>> asserted("I hope to have a dog. My mother is blind. She drives. @ is 40, and would like to be 30.")
        (('My mother is blind.', False), ('@ is 40,', True))
    """
    out: list[tuple[str, bool]] = []
    of_another = False
    for sentence in _END.split(text):
        words = _ADVERBS.sub("", sentence.strip())
        if not words:
            continue
        if _OTHER.match(words):
            of_another = True
        elif of_another and _FOLLOWING.match(words):
            continue
        elif _OWN.match(words) or not _FOLLOWING.match(words):
            of_another = False
        if _UNSURE.search(words) or _ANOTHER.match(words):
            continue
        modal = _MODAL.search(words)
        sure = words if modal is None else words[: modal.start() + (words[modal.start()] == ",")]
        if sure.strip():
            out.append((sure, not of_another))
    return tuple(out)


class Index(NamedTuple):
    """The words of some texts, in lower case, and which texts hold each."""

    words: frozenset[str]
    places: Mapping[str, set[int]]


@lru_cache(maxsize=4096)
def index_of(texts: tuple[str, ...]) -> Index:
    """Where each word stands: most readings look for words that no text of a person holds."""
    places: dict[str, set[int]] = {}
    for place, text in enumerate(texts):
        for word in _WORDS.findall(text.lower()):
            places.setdefault(word, set()).add(place)
    return Index(frozenset(places), places)


@lru_cache(maxsize=1024)
def first_words(phrases: tuple[str, ...]) -> frozenset[str]:
    """The first word of each phrase, in lower case: without one of them none is said."""
    return frozenset(found[0].lower() for phrase in phrases if (found := _WORDS.search(phrase)))


def texts_with(texts: tuple[str, ...], phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Texts that hold the first word of one of these phrases."""
    words, (held, places) = first_words(phrases), index_of(texts)
    if words.isdisjoint(held):
        return ()
    wanted = set[int]().union(*(places[word] for word in words & held))
    return tuple(texts[place] for place in sorted(wanted))
