"""Words of the invented student records and of the defects put into them, by language."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from personae.core import Frozen, InputError
from personae.creation._documents import parse_yaml, shipped, shipped_names

Words = Annotated[tuple[str, ...], Field(min_length=1)]
Pair = tuple[str, str]


class CleanWords(Frozen):
    """What a clean record says; `{…}` in its texts is filled in."""

    names: str
    """the list that names are taken from"""
    syllables: tuple[str, ...] = ()
    """what handles are made of; none: the name"""
    sex: dict[str, str]
    pupil: dict[str, str]
    subjects: Words
    dimension: str
    personality: str
    likes: Words
    social: str
    friends: Words
    adults: Words
    overview: str
    radar: str
    mental: str
    traits: tuple[Pair, ...]
    signs: Words
    coping: Words


class DefectWords(Frozen):
    """What defects say."""

    piaget_young: Words
    piaget_older: Words
    erikson_young: Words
    erikson_older: Words
    kohlberg_young: Words
    kohlberg_middle: Words
    kohlberg_older: Words
    unknown_levels: Words
    diagnoses: Words
    crises: Words
    avoids: Words
    avoiding: str
    teams: Words
    teaming: str
    stock_phrases: Words


class RecordWords(Frozen):
    """All words of student records in one language. `levels` and `academic` run from best to worst."""

    levels: Annotated[tuple[str, ...], Field(min_length=6, max_length=6)]
    academic: Annotated[tuple[str, ...], Field(min_length=4, max_length=4)]
    piaget: Pair
    erikson: Pair
    kohlberg: Pair
    values: dict[str, str]
    creativity: dict[str, str]
    clean: CleanWords
    defects: DefectWords

    @property
    def high(self) -> tuple[str, ...]:
        """The better half of the levels."""
        return self.levels[:3]

    @property
    def low(self) -> tuple[str, ...]:
        """The other half."""
        return self.levels[3:]


@lru_cache(maxsize=4)
def record_words(locale: str) -> RecordWords:
    """The words of a language.

    Raises:
        InputError: none are shipped for it.
    """
    text = shipped("records", f"student.{locale}.yaml")
    if text is None:
        known = ", ".join(name.rpartition(".")[2] for name in shipped_names("records"))
        raise InputError(f"There are no student records in the locale {locale!r}.", hint=f"Locales: {known}.")
    return RecordWords.model_validate(parse_yaml(text, f"student.{locale}"))
