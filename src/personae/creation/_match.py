"""What one value has to be: a word, a number, a place on a scale, a list, or a text of a certain shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from personae.core import Frozen
from personae.creation._patterns import safe_pattern

_WORD_LISTS: Final = frozenset({"values", "not", "not_", "scale", "any_of", "none_of"})
_LATER: Final = (
    "scale", "at_least", "at_most", "pattern", "any_of", "none_of", "one_paragraph",
    "min_chars", "max_chars", "min_items", "max_items", "every",
)  # fmt: skip
"""Forms that a recipe of the first release does not know: left out of a dump while unused, so its hash stays."""
_SHAPES: Final = ("one_paragraph", "min_chars", "max_chars", "min_items", "max_items", "every")
_JOIN: Final = re.compile(r"[\s-]+")
_BREAK: Final = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")


class Match(Frozen):
    """What a value has to be; everything it says must hold. Written short: a word or a list is `values`.

    Args:
        values: it is one of these words.
        not: it is none of these words.
        min: it is a number, not below this.
        max: it is a number, not above this.
        scale: words from worst to best, which `at_least` and `at_most` speak of; other words match nothing.
        at_least: it stands here on the scale, or higher.
        at_most: it stands here on the scale, or lower.
        pattern: a regular expression is found in it; repeats must be bounded (see `safe_pattern`).
        any_of: one of these phrases is said, as whole words, whatever the case; a hyphen joins words into one.
        none_of: none of these phrases is said.
        one_paragraph: whether it is one paragraph (no line break inside).
        min_chars: it has at least so many characters, blanks at the ends not counted.
        max_chars: it has at most so many characters.
        min_items: it is a list with at least so many elements.
        max_items: it is a list with at most so many elements.
        every: of a list, every element must match instead of any one.
    """

    values: tuple[str, ...] | None = None
    not_: tuple[str, ...] | None = Field(default=None, alias="not")
    min: float | None = None
    max: float | None = None
    scale: tuple[str, ...] | None = None
    at_least: str | None = None
    at_most: str | None = None
    pattern: str | None = None
    any_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] | None = None
    one_paragraph: bool | None = None
    min_chars: int | None = Field(default=None, ge=0)
    max_chars: int | None = Field(default=None, ge=0)
    min_items: int | None = Field(default=None, ge=0)
    max_items: int | None = Field(default=None, ge=0)
    every: bool = False

    model_config = Frozen.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, (str, int, float, bool)):
            data = [data]
        if isinstance(data, (list, tuple)):
            data = {"values": data}
        if isinstance(data, Mapping):
            return {
                k: [str(x) for x in v]
                if k in _WORD_LISTS and isinstance(v, (list, tuple))
                else str(v)
                if k in {"at_least", "at_most"} and isinstance(v, (int, float))
                else v
                for k, v in data.items()
            }
        return data

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields if name not in {"scale", "every"}):
            raise ValueError("a match needs values, not, min or max, or another of its forms")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing can match")
        ends = [w for w in (self.at_least, self.at_most) if w is not None]
        if bool(ends) != (self.scale is not None):
            raise ValueError("at_least and at_most need a scale, and a scale needs one of them")
        for word in ends:
            if word not in (self.scale or ()):
                raise ValueError(f"{word!r} does not stand on the scale {', '.join(self.scale or ())}")
        if self.pattern is not None:
            safe_pattern(self.pattern)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        return {k: v for k, v in body.items() if k not in _LATER or (v is not None and v is not False)}

    @property
    def words(self) -> tuple[str, ...]:
        """Every value it names."""
        return (*(self.values or ()), *(self.not_ or ()))

    @property
    def ranged(self) -> bool:
        """Whether it compares numbers."""
        return self.min is not None or self.max is not None

    @property
    def wordy(self) -> bool:
        """Whether it says something about a word as such, and so about a category label."""
        forms = (self.values, self.not_, self.scale, self.pattern, self.any_of, self.none_of)
        return any(form is not None for form in forms)

    @property
    def shapes(self) -> tuple[str, ...]:
        """Forms about the shape of a text or list, which no category can decide."""
        return tuple(name for name in _SHAPES if (said := getattr(self, name)) is not None and said is not False)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {word: place for place, word in enumerate(self.scale or ())}

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        low = 0 if self.at_least is None else self._places[self.at_least]
        return low, len(self._places) - 1 if self.at_most is None else self._places[self.at_most]

    def holds(self, value: object) -> bool:
        """Whether one value matches; a list matches when any of its elements does; None never does."""
        if value is None:
            return False
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._list_holds(tuple(value))
        if self.min_items is not None or self.max_items is not None:
            return False
        return self._word_holds(str(value)) and (not self.ranged or self._in_range(value))

    def _list_holds(self, items: tuple[object, ...]) -> bool:
        if not (self.min_items or 0) <= len(items) <= (len(items) if self.max_items is None else self.max_items):
            return False
        inner = self._element
        if inner is None:
            return True
        return all(inner.holds(v) for v in items) if self.every else any(inner.holds(v) for v in items)

    @cached_property
    def _element(self) -> Match | None:
        """What the elements of a list have to be; None when only their number matters."""
        if self.min_items is None and self.max_items is None:
            return self
        body = self.model_dump(exclude={"min_items", "max_items", "every"}, exclude_none=True)
        return Match.model_validate(body) if body else None

    def _word_holds(self, word: str) -> bool:
        if (self.values is not None and word not in self.values) or (self.not_ is not None and word in self.not_):
            return False
        if self.scale is not None:
            place = self._places.get(word)
            if place is None or not self._bounds[0] <= place <= self._bounds[1]:
                return False
        if self.any_of is not None and not says(word, self.any_of):
            return False
        if self.none_of is not None and says(word, self.none_of):
            return False
        if self.pattern is not None and safe_pattern(self.pattern).search(word) is None:
            return False
        return not (self.one_paragraph is not None or self.min_chars is not None or self.max_chars is not None) or (
            self._shaped(word.strip())
        )

    def _shaped(self, text: str) -> bool:
        if self.one_paragraph is not None and self.one_paragraph != (_BREAK.search(text) is None):
            return False
        return (self.min_chars is None or len(text) >= self.min_chars) and (
            self.max_chars is None or len(text) <= self.max_chars
        )

    def _in_range(self, value: object) -> bool:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return False
        if not isinstance(value, (int, float)):
            return False
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def mask(self, column: NDArray[Any]) -> NDArray[np.bool_]:
        """`holds` for every value of a column: each distinct value is judged once."""
        from personae.creation._columns import Column

        return Column.of(column).holds(self)


def phrases(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of these phrases as whole words; the longest at a place wins.

    A hyphen belongs to its word: "middle" is not found inside "upper-middle". Blanks and hyphens inside a phrase are
    the same, so "upper-middle" also finds "upper middle".
    """
    return _phrases(tuple(words))


def says(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of these phrases is said in a text, as whole words, whatever the case."""
    return may_say(text, words) and _phrases(words).search(text) is not None


def may_say(text: str, words: tuple[str, ...]) -> bool:
    """Whether the letters of one of these phrases stand in a text: a quick no, before the slow yes of `says`."""
    flat = _flat(text)
    for word in _flat_words(words):  # noqa: SIM110 - faster than `any`
        if word in flat:
            return True
    return False


@lru_cache(maxsize=4096)
def _flat(text: str) -> str:
    return _JOIN.sub(" ", text.lower())


@lru_cache(maxsize=4096)
def _flat_words(words: tuple[str, ...]) -> tuple[str, ...]:
    flat = sorted({f for w in words if (f := _flat(w).strip())}, key=len)
    return tuple(w for k, w in enumerate(flat) if not any(short in w for short in flat[:k]))


@lru_cache(maxsize=4096)
def _phrases(words: tuple[str, ...]) -> re.Pattern[str]:
    spelt = sorted({w.strip() for w in words if w.strip()}, key=lambda w: (-len(w), w))
    if not spelt:
        return re.compile(r"(?!)")
    body = "|".join(r"[\s-]{1,3}".join(re.escape(p) for p in re.split(r"[\s-]+", w)) for w in spelt)
    return re.compile(rf"(?<![\w-])(?:{body})(?![\w-])", re.IGNORECASE)
