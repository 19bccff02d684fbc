"""Comparing two fields, or a field with a number: numbers, dates as exact as written, words, table look-ups."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from personae.core import Frozen

if TYPE_CHECKING:
    from personae.creation._columns import Column, Mask

Op = Literal["<", "<=", ">", ">=", "==", "!=", "shares"]
Kind = Literal["number", "date", "word"]
Range = tuple[float, float]
_DATE: Final = re.compile(r"\s*(-?\d{1,4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ].{0,32})?)?)?\s*")
_MIRROR: Final[Mapping[str, Op]] = {">": "<", ">=": "<="}


class Compare(Frozen):
    """One field against another, or a number: `left op factor · right · times + offset`, give or take `tolerance`.

    A value may be a range: a year is all its days, a grade is the ages its table gives. A comparison fails only when
    no value inside the ranges meets it, and holds only when every one does. Lists are compared element by element: it
    fails when any element fails. What cannot be read as `kind` neither holds nor fails.

    Args:
        left: a field.
        op: `<`, `<=`, `>`, `>=`, `==` or `!=`; of words also `shares` (a word of four letters or more is part of a
            word of the other side; a side without one counts whole).
        right: another field.
        value: a number (or a word) in place of `right`.
        factor: what the right side is multiplied by.
        times: another field, or several, that the right side is multiplied by.
        offset: added to the right side (days, for dates).
        tolerance: by how much it may be missed (days, for dates).
        table: what a word of `right` stands for, as a number or `[lowest, highest]`; of `left` with `table_of: left`.
        kind: how both are read: `number`, `date` (ISO, also `2001` or `2001-05`) or `word` (case does not matter).
    """

    left: str
    op: Op
    right: str | None = None
    value: float | str | None = None
    factor: float = 1.0
    times: str | tuple[str, ...] | None = None
    offset: float = 0.0
    tolerance: float = Field(default=0.0, ge=0)
    table: dict[str, tuple[float, float]] | None = None
    table_of: Literal["left", "right"] = "right"
    kind: Kind = "number"

    @field_validator("table", mode="before")
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {str(k): [v, v] if isinstance(v, (int, float)) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _two_sides(self) -> Self:
        if (self.right is None) == (self.value is None):
            raise ValueError(f"compare {self.left!r} {self.op}: needs either right (a field) or value")
        plain = not (self.offset or self.tolerance or self.times) and self.factor == 1
        if self.kind == "word" and not (plain and self.op in {"==", "!=", "shares"}):
            raise ValueError("words can be compared by ==, != and shares only")
        if self.kind != "word" and self.op == "shares":
            raise ValueError("shares is about words: write kind: word")
        for word, (low, high) in (self.table or {}).items():
            if low > high:
                raise ValueError(f"table: {word!r} runs from {low:g} to {high:g}")
        return self

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields it needs."""
        return tuple(name for name in (self.left, self.right, *self._factors) if name is not None)

    @property
    def _factors(self) -> tuple[str, ...]:
        return (self.times,) if isinstance(self.times, str) else self.times or ()

    def holds(self, *values: object) -> bool:
        """Whether it surely holds, for every element of a list. Values are those of `fields`."""
        verdicts = self._verdicts(values)
        return bool(verdicts) and all(v is True for v in verdicts)

    def fails(self, *values: object) -> bool:
        """Whether it surely fails, for any element of a list."""
        return any(v is False for v in self._verdicts(values))

    def mask(self, columns: Mapping[str, Column], test: Callable[..., bool]) -> Mask:
        """`holds` or `fails` (given as `test`) for every row; rows with a missing value fail the test."""
        own = [columns[name] for name in self.fields]
        known = np.logical_and.reduce([column.known for column in own])
        return known & type(own[0]).together(own, lambda *v: None not in v and test(*v)).judge(bool)

    def _verdicts(self, values: tuple[object, ...]) -> list[bool | None]:
        rest = list(values[1:])
        right = self.value if self.right is None else rest.pop(0)
        return [self._verdict(a, b, rest) for a in _items(values[0]) for b in _items(right)]

    def _verdict(self, left: object, right: object, factors: list[object]) -> bool | None:
        if self.kind == "word":
            if self.op == "shares":
                return _share(_fold(left), _fold(right))
            return (_fold(left) == _fold(right)) == (self.op == "==")
        one = self._range(left, mapped=self.table_of == "left")
        two = self._range(right, mapped=self.table_of == "right")
        numbers = [_number(value) for value in factors]
        if one is None or two is None or None in numbers:
            return None
        by = math.prod(n[0] for n in numbers if n is not None) * self.factor
        ends = sorted(end * by + self.offset for end in two)
        two = (ends[0], ends[1])
        op = self.op
        if op in _MIRROR:
            op, one, two = _MIRROR[op], two, one
        return _judge(op, one, two, self.tolerance)

    def _range(self, value: object, *, mapped: bool) -> Range | None:
        if mapped and self.table is not None:
            return self.table.get(str(value))
        return date_range(str(value)) if self.kind == "date" else _number(value)


def _judge(op: str, one: Range, two: Range, slack: float) -> bool | None:
    if op == "<=":
        return True if one[1] <= two[0] + slack else False if one[0] > two[1] + slack else None
    if op == "<":
        return True if one[1] < two[0] + slack else False if one[0] >= two[1] + slack else None
    apart = one[0] > two[1] + slack or two[0] > one[1] + slack
    same = one[1] - two[0] <= slack and two[1] - one[0] <= slack
    if op == "==":
        return False if apart else True if same else None
    return True if apart else False if same else None


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)


def _fold(value: object) -> str:
    return " ".join(str(value).casefold().split())


def folded(value: object) -> frozenset[str]:
    """The elements of a list (or the one value) as words whose case and blanks do not matter; blank ones dropped."""
    return frozenset(w for v in _items(value) if v is not None and (w := _fold(v)))


_WORD: Final = re.compile(r"\w{4,}")


def _share(left: str, right: str) -> bool:
    """Whether a word of four letters or more on one side is part of a word on the other; what has none counts whole."""
    return any(w in right for w in _WORD.findall(left) or [left]) or any(
        w in left for w in _WORD.findall(right) or [right]
    )


def _number(value: object) -> Range | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
        return None
    return float(value), float(value)


@lru_cache(maxsize=65_536)
def date_range(text: str) -> Range | None:
    """First and last day that a written ISO date, month or year may mean, as day numbers; None for anything else.

    >>> low, high = date_range("2001-02")
    >>> high - low
    27.0
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last_month = month or 12
        last = date(year or 0, last_month, day or calendar.monthrange(year or 0, last_month)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None
    return float(first.toordinal()), float(last.toordinal())
