"""Fields that have to be read: elements of a list chosen by what they say, numbers, levels and phrases in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from personae.core import Frozen
from personae.creation._columns import Column, Combinations
from personae.creation._match import may_say, phrases, says
from personae.creation._patterns import safe_pattern
from personae.creation._told import asserted, texts_with, without_quotations

Read = Literal["text", "numbers", "first", "number", "level", "said", "captures", "keys", "texts", "sentences", "own"]
_STOP: Final = re.compile(r"[,.;!?\n]")
_UNITS: Final = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELLED: Final = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<unit>{'|'.join(_UNITS[:9])}))?"
    rf"|(?P<small>{'|'.join(sorted(_UNITS, key=len, reverse=True))}))(?=[\s-]years?\b|[,.;!?]|$|[\s-]+years?"
    r"|\s(?:last|this|in|children|kids|sons|daughters|hours|cigarettes|(?:grown|young|small|little|adult|lovely)\s)\b)",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,6})?|[0-9]{1,15}(?:\.[0-9]{1,6})?")
_READY: Final = frozenset({"texts", "sentences", "own"})
_DIGIT: Final = re.compile(r"\d")
_LISTS: Final = ("path", "own", "keys", "only", "unless", "patterns", "term", "scale")
LONGEST_READ: Final = 20_000
"""Most characters of one text that are read."""
_MOST_KEYS: Final = 4096
OWN: Final = "@"
"""What stands for the own name in a text that is read."""


class Reading(Frozen):
    """How a field is read from what stands at one or more paths.

    Args:
        path: dotted paths of a person (`relations`, `social.age`, `ext.student.values`); texts of all are read. Of a
            pack also the name of a field above that reads `texts`, `sentences` or `own`: what many fields are read
            from is then made ready once.
        own: paths of the own name; it is read as `@`, so that patterns can tell the person from others.
        keys: of a mapping (`attributes`), only what stands under keys that say one of these phrases.
        where: of a list of records, only those whose keys say one of these phrases.
        like: of a list of records, only those whose keys match these patterns.
        take: the key of a record that is read.
        only: only texts that say one of these phrases.
        unless: no texts (or records) that say one of these phrases.
        read: `text` (as it stands: the first one, or of a list all), `numbers` (all that `patterns` capture), `first`
            (the first of them), `number` (the first number, thousands marks dropped), `captures` (the words that
            `patterns` capture), `said` (the phrases of `term` that are said), `level` (the word of `scale` beside
            one of `term`), `keys` (the keys of a mapping), `texts` (all, with the own name as `@` and without what
            they quote), `sentences` (of such texts, in English, what is said for certain) or `own` (of those, the ones
            that are about the person and nobody else).
            `captures` and `said` give an empty list for a text that holds none.
        patterns: regular expressions with a group for what is wanted (see `safe_pattern`).
        term: phrases for what a level is about, or that may be said.
        scale: level words.
        within: most characters between a term and its level.
        spelled: read numbers written in words of this language (up to ninety-nine) like digits.
        default: what the field holds when nothing was found.
    """

    path: tuple[str, ...] = Field(min_length=1)
    own: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    like: dict[str, str] = Field(default_factory=dict)
    take: str | None = None
    only: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    read: Read = "text"
    patterns: tuple[str, ...] = ()
    term: tuple[str, ...] = ()
    scale: tuple[str, ...] = ()
    within: int = Field(default=24, ge=0, le=200)
    spelled: Literal["en"] | None = None
    default: float | str | None = None

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.read in {"numbers", "first", "captures"} and not self.patterns:
            raise ValueError(f"read: {self.read} needs patterns")
        if (self.read == "level" and not (self.term and self.scale)) or (self.read == "said" and not self.term):
            raise ValueError(f"read: {self.read} needs term" + (" and scale" if self.read == "level" else ""))
        for pattern in self.patterns:
            if safe_pattern(pattern).groups < 1:
                raise ValueError(f"{pattern!r} has no group for what is wanted")
        for pattern in self.like.values():
            safe_pattern(pattern)
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path it needs: what is read, then the own name."""
        return (*self.path, *self.own)

    @property
    def ready(self) -> bool:
        """Whether other fields can be read from this one."""
        return self.read in _READY

    def of(self, *values: Any) -> Any:
        """What the field holds, from the values at `paths`; None when there is nothing to read."""
        if self._keyed and isinstance(values[0], dict) and not self._asked_of(values[0]):
            return self.default
        for value in values[: len(self.path)]:
            if value is not None:
                break
        else:
            return self.default
        found = self._read(values)
        return self.default if found is None else found

    @cached_property
    def _all_texts(self) -> bool:
        """Whether every text at its paths is wanted as it stands."""
        return not (self.own or self.keys or self.where or self.like or self.take or self.only or self.unless)

    @cached_property
    def _keyed(self) -> bool:
        """Whether it reads one mapping, under some keys only."""
        return len(self.path) == 1 and not self.own and bool(self.keys) and self.read != "keys"

    @cached_property
    def _of_texts(self) -> bool:
        """Whether it reads one list of texts, of which it wants those that say something."""
        alone = len(self.path) == 1 and self.path[0].isidentifier()
        return alone and bool(self.only) and not (self.own or self.keys or self.where or self.like or self.take)

    def _of(self, given: Any) -> list[Any]:
        """Of one list of texts those that are wanted."""
        try:
            texts = texts_with(given, self.only) if isinstance(given, tuple) else None
        except (TypeError, AttributeError):
            texts = None
        if texts is None:  # something else than texts stands there
            return [*self._texts(given, ())]
        return [text for text in texts if not (self.unless and says(text, self.unless))]

    def column(self, bases: Sequence[Column], met: dict[object, Any]) -> Column:
        """`of` for every row of columns of the values at `paths`; `met` keeps combinations for readings alike."""
        if self.default is None:
            if self.keys:
                bases = [self._asked_column(base, met) if base.of_mappings else base for base in bases]
            if not any(base.values for base in bases[: len(self.path)]):
                return Column.missing(len(bases[0]))
            if len(bases) == 1:
                return bases[0].map(self.of)
        if self.keys:
            return Combinations.of(bases).map(self.of)
        if self.paths not in met:
            met[self.paths] = Combinations.of(bases)
        combinations: Combinations = met[self.paths]
        return combinations.map(self.of)

    def _read(self, values: tuple[Any, ...]) -> Any:
        if self.read == "level" and len(values) == 1 and isinstance(values[0], str) and self._all_texts:
            return self._level(values[0][:LONGEST_READ])
        given = values[: len(self.path)]
        if self.read == "keys":
            return tuple(str(k) for v in given if isinstance(v, Mapping) for k in v) or None
        names = values[len(self.path) :]
        if self._of_texts:
            texts: list[Any] = self._of(given[0])
        else:
            texts = [t for value in given for t in self._texts(value, names)]
        if not texts:
            return None
        if self.read == "text":
            return tuple(texts) if any(isinstance(v, (list, tuple)) for v in given) else texts[0]
        told = [self._named(str(t)[:LONGEST_READ], names) for t in texts]
        if self.ready:
            return self._ready(told)
        if self.spelled is not None:
            told = [_SPELLED.sub(_in_digits, text) for text in told]
        if self.read == "numbers":
            return tuple(n for text in told for n in self._numbers(text)) or None
        if self.read == "said":
            return tuple(dict.fromkeys(w for text in told for w in self._said(text)))
        if self.read == "captures":
            return tuple(dict.fromkeys(word for text in told for word in self._captures(text)))
        return next((v for text in told if (v := self._first(text)) is not None), None)

    def _ready(self, told: list[str]) -> tuple[str, ...] | None:
        """Texts from which other fields are read."""
        plain = [without_quotations(text) for text in told]
        if self.read == "texts":
            return tuple(plain)
        return tuple(s for text in plain for s, own in asserted(text) if own or self.read == "sentences") or None

    def _texts(self, value: Any, names: tuple[Any, ...]) -> Iterable[Any]:
        """The texts (or numbers) at one path that are wanted."""
        if self.keys and isinstance(value, Mapping):
            value = tuple(value[k] for k in self._asked_of(value))
        for item in value if isinstance(value, (list, tuple)) else (value,):
            chosen = self._chosen(item, names) if self.take is not None or self.where or self.like else item
            for text in chosen if isinstance(chosen, (list, tuple)) else (chosen,):
                if text is not None and self._wanted(text):
                    yield text

    @cached_property
    def _known_keys(self) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        return {}

    def _asked_column(self, base: Column, met: dict[object, Any]) -> Column:
        """A column of mappings in which those without a key that is asked for are missing."""
        place = ("keys", id(base))
        if place not in met:
            met[place] = {tuple(v) if isinstance(v, Mapping) else None for v in base.values}
        kinds: set[tuple[Any, ...] | None] = met[place]
        asked = [names is None or bool(self._asked_of(dict.fromkeys(names))) for names in kinds]
        if not any(asked):
            return Column.missing(len(base))
        return base if all(asked) else base.map(self._with_asked)

    def _with_asked(self, given: Any) -> Any:
        """A mapping if it has a key that is asked for; anything else as it is."""
        return None if isinstance(given, Mapping) and not self._asked_of(given) else given

    def _asked_of(self, given: Any) -> tuple[Any, ...]:
        """Keys of a mapping that say one of `keys`; the same keys come in person after person, so it is kept."""
        known, names = self._known_keys, tuple(given)
        if names not in known:
            if len(known) >= _MOST_KEYS:
                known.clear()
            known[names] = tuple(name for name in names if says(re.sub(r"[._]+", " ", str(name)), self.keys))
        return known[names]

    def _chosen(self, record: Any, names: tuple[Any, ...]) -> Any:
        if not isinstance(record, Mapping):
            return None
        for key, words in self.where.items():
            if not says(str(record.get(key) or ""), words):
                return None
        for key, pattern in self.like.items():
            if safe_pattern(pattern).search(self._named(str(record.get(key) or ""), names)) is None:
                return None
        if self.unless and says(" ".join(str(v) for v in record.values()), self.unless):
            return None
        return record if self.take is None else record.get(self.take)

    def _wanted(self, text: Any) -> bool:
        if not self.only and not self.unless:
            return True
        words = str(text)
        return (not self.only or says(words, self.only)) and not (self.unless and says(words, self.unless))

    @staticmethod
    def _named(text: str, names: Iterable[Any]) -> str:
        """The text with the own name, whole or in parts, written as `@`."""
        known = tuple(str(n) for n in names if n)
        return _named(text, known) if known else text

    def _first(self, text: str) -> float | str | None:
        if self.read == "level":
            return self._level(text)
        if self.read == "number":
            found = _NUMBER.search(text)
            return float(found[0].replace(",", "")) if found else None
        return next(iter(self._numbers(text)), None)

    def _said(self, text: str) -> list[str]:
        if not may_say(text, self.term):
            return []
        return [_spelt(found[0], self.term) for found in phrases(self.term).finditer(text)]

    def _captures(self, text: str) -> list[str]:
        if self.read == "numbers" and _DIGIT.search(text) is None:
            return []
        found = [m for p in self.patterns for m in safe_pattern(p).finditer(text)]
        words = (next((g for g in m.groups() if g), "") for m in sorted(found, key=re.Match.start))
        return [w.strip() for w in words if w.strip()]

    def _numbers(self, text: str) -> list[float]:
        found = ((w.rstrip("kK"), 1000.0 if w[-1] in "kK" else 1.0) for w in self._captures(text))
        return [float(w.replace(",", "")) * by for w, by in found if _NUMBER.fullmatch(w)]

    @cached_property
    def _terms(self) -> re.Pattern[str]:
        return phrases(self.term)

    @cached_property
    def _levels(self) -> re.Pattern[str]:
        return phrases(self.scale)

    @cached_property
    def _longest_level(self) -> int:
        return max(map(len, self.scale))

    def _level(self, text: str) -> str | None:
        """The level said nearest after the first mention of the term that has one, as the scale spells it."""
        if not may_say(text, self.term):
            return None
        levels = self._levels
        for term in self._terms.finditer(text):
            stop = _STOP.search(text, term.end())
            end = min(stop.start() if stop else len(text), term.end() + self.within + self._longest_level)
            found = levels.search(text, term.end(), end)
            if found is not None and found.start() - term.end() <= self.within:
                return _spelt(found[0], self.scale)
        return None


@lru_cache(maxsize=8192)
def _named(text: str, names: tuple[str, ...]) -> str:
    """A text with the own name as `@`: many readings of one person begin with it."""
    low = text.casefold()
    return _own(names).sub(OWN, text) if any(word.casefold() in low for word in _name_words(names)) else text


def _name_words(names: tuple[str, ...]) -> set[str]:
    """Names, whole and in parts."""
    return {n.strip() for name in names for n in (name, *name.split()) if len(n.strip()) > 1}


@lru_cache(maxsize=4096)
def _own(names: tuple[str, ...]) -> re.Pattern[str]:
    spelt = sorted(_name_words(names), key=lambda w: (-len(w), w))
    if not spelt:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<![\w@])(?:{'|'.join(map(re.escape, spelt))})(?!\w)", re.IGNORECASE)


def _in_digits(found: re.Match[str]) -> str:
    if found["small"]:
        return str(_UNITS.index(found["small"].lower()) + 1)
    unit = _UNITS.index(found["unit"].lower()) + 1 if found["unit"] else 0
    return str(20 + 10 * _TENS.index(found["tens"].lower()) + unit)


def _spelt(found: str, words: tuple[str, ...]) -> str:
    """The word of a list that a text means."""
    return _by_bare(words).get(_bare(found), found)


@lru_cache(maxsize=256)
def _by_bare(words: tuple[str, ...]) -> Mapping[str, str]:
    return {_bare(word): word for word in reversed(words)}


@lru_cache(maxsize=4096)
def _bare(word: str) -> str:
    return re.sub(r"[\s-]+", " ", word).casefold().strip()
