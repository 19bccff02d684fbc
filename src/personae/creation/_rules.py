"""Rules as data: which combinations of values cannot be. One language for recipes, schemas, packs and finished people.

A rule names fields and what their values match. It is broken when everything under `when` holds and, in addition,
everything under `forbid` holds, or something under `require` does not. Instead of `forbid` or `require` it may compare
fields, count over a group of them, ask for lists that share nothing, for values that differ, or for a value at all.
A field without a value breaks no rule, but for `present`; a count with unknown values is broken only when no value
could mend it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from personae.core import Frozen, Persona, RecipeError, plain
from personae.creation._columns import Column
from personae.creation._compare import Compare, folded
from personae.creation._match import Match

Severity = Literal["error", "warning"]
_LATER: Final = ("when_count", "when_compare", "compare", "count", "disjoint", "distinct", "present")
"""Forms that a recipe of the first release does not know: left out of a dump while unused, so its hash stays."""
VERDICTS: Final = ("forbid", "require", "compare", "count", "disjoint", "distinct", "present")
_REFERENCE: Final = re.compile(r"@[A-Za-z][\w-]*")
_WIDENED: Final = frozenset({"when", *VERDICTS, *_LATER})


class Count(Frozen):
    """How many of a group of fields match: at least, at most, or both."""

    fields: tuple[str, ...] = Field(min_length=1)
    match: Match
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a count needs at_least or at_most")
        if self.at_least is not None and self.at_least > len(self.fields):
            raise ValueError(f"at_least {self.at_least} of {len(self.fields)} fields can never be met")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self

    def verdict(self, matching: Any, unknown: Any) -> tuple[Any, Any]:
        """(surely met, surely missed) from how many match and how many are unknown; numbers or arrays of them."""
        low = 0 if self.at_least is None else self.at_least
        high = len(self.fields) if self.at_most is None else self.at_most
        met = (matching >= low) & (matching + unknown <= high)
        missed = (matching + unknown < low) | (matching > high)
        return met, missed

    def judge(self, fields: Mapping[str, object]) -> tuple[bool, bool]:
        """(surely met, surely missed) by one combination of values."""
        values = [fields.get(name) for name in self.fields]
        unknown = sum(v is None for v in values)
        return self.verdict(sum(self.match.holds(v) for v in values), unknown)

    def mask(self, columns: Mapping[str, Column]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """`judge` for every row."""
        own = [columns[name] for name in self.fields]
        matching = np.sum([c.holds(self.match) for c in own], axis=0)
        return self.verdict(matching, np.sum([~c.known for c in own], axis=0))


class Distinct(Frozen):
    """How many different values a group of fields has. Unknown values could be anything."""

    fields: tuple[str, ...] = Field(min_length=2)
    at_least: int = Field(default=2, ge=2)


class Rule(Frozen):
    """One declarative predicate.

    Example:
        >>> rule = Rule.model_validate({"code": "teens", "when": {"age": {"max": 17}}, "forbid": {"topic": "pension"}})
        >>> rule.violated({"age": 15, "topic": "pension"}), rule.violated({"age": 50, "topic": "pension"})
        (True, False)
    """

    code: str = Field(min_length=1)
    when: dict[str, Match] = Field(default_factory=dict)
    when_count: tuple[Count, ...] = ()
    when_compare: tuple[Compare, ...] = ()
    forbid: dict[str, Match] = Field(default_factory=dict)
    require: dict[str, Match] = Field(default_factory=dict)
    compare: tuple[Compare, ...] = ()
    """each has to hold"""
    count: tuple[Count, ...] = ()
    """each has to be met"""
    disjoint: tuple[str, ...] = ()
    """lists that share no element (case does not matter)"""
    distinct: tuple[Distinct, ...] = ()
    present: tuple[str, ...] = ()
    """fields that have a value which is not blank"""
    severity: Severity = "error"
    owner: str | None = None
    """who repairs it: the part of a person that the reviser rewrites"""
    hint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        one = {"when_count", "when_compare", "compare", "count", "distinct"}
        return {
            k: [v] if (k in one and isinstance(v, Mapping)) or (k == "present" and isinstance(v, str)) else v
            for k, v in data.items()
        }

    @model_validator(mode="after")
    def _one_verdict(self) -> Self:
        if len(self.verdicts) != 1:
            raise ValueError(
                f"rule {self.code!r} needs either forbid or require, or one of {', '.join(VERDICTS[2:])}; "
                f"given: {', '.join(self.verdicts) or 'none'}"
            )
        if len(self.disjoint) == 1:
            raise ValueError(f"rule {self.code!r}: disjoint needs two fields")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        return {k: v for k, v in body.items() if k not in _LATER or v}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The forms that judge."""
        return tuple(name for name in VERDICTS if getattr(self, name))

    @property
    def beyond_categories(self) -> tuple[str, ...]:
        """Forms of this rule that only whole values can decide, so that no recipe can use it."""
        shapes = {shape for _, _, match in self.matches() for shape in match.shapes}
        return (*(name for name in _LATER if getattr(self, name)), *sorted(shapes))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Every field it looks at, in the order written."""
        return tuple(dict.fromkeys((*self._needed, *self.present, *self._counted)))

    @cached_property
    def _needed(self) -> tuple[str, ...]:
        """Fields without which nothing is decided."""
        compared = (name for c in (*self.when_compare, *self.compare) for name in c.fields)
        return tuple(dict.fromkeys((*self.when, *self.forbid, *self.require, *compared, *self.disjoint)))

    @cached_property
    def needs(self) -> frozenset[str]:
        """`_needed` as a set."""
        return frozenset(self._needed)

    @cached_property
    def _counted(self) -> tuple[str, ...]:
        return tuple(name for part in (*self.when_count, *self.count, *self.distinct) for name in part.fields)

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """Fields under the verdict: what a repair changes."""
        counted = (name for part in (*self.count, *self.distinct) for name in part.fields)
        compared = (name for c in self.compare for name in c.fields)
        return tuple(dict.fromkeys((*self.forbid, *self.require, *compared, *counted, *self.disjoint, *self.present)))

    def violated(self, fields: Mapping[str, object]) -> bool:
        """Whether one combination of values breaks the rule."""
        for name in self._needed:
            if fields.get(name) is None:
                return False
        if not all(match.holds(fields[name]) for name, match in self.when.items()):
            return False
        if not all(c.holds(*(fields[n] for n in c.fields)) for c in self.when_compare):
            return False
        if not all(c.judge(fields)[0] for c in self.when_count):
            return False
        if self.forbid:
            return all(match.holds(fields[name]) for name, match in self.forbid.items())
        if self.require:
            return not all(match.holds(fields[name]) for name, match in self.require.items())
        if self.compare:
            return any(c.fails(*(fields[n] for n in c.fields)) for c in self.compare)
        if self.count:
            return any(c.judge(fields)[1] for c in self.count)
        if self.disjoint:
            lists = [folded(fields[name]) for name in self.disjoint]
            return any(a & b for k, a in enumerate(lists) for b in lists[:k])
        if self.distinct:
            return any(_kinds(fields, part.fields) < part.at_least for part in self.distinct)
        return any(is_blank(fields.get(name)) for name in self.present)

    def mask(self, columns: Mapping[str, Any]) -> NDArray[np.bool_]:
        """`violated` for every row of columns of equal length (NumPy, Arrow, sequences; None and NaN are missing)."""
        own = {name: Column.of(columns[name]) for name in self.fields}
        rows = len(next(iter(own.values())))
        out = np.ones(rows, dtype=np.bool_)
        for name in self._needed:
            out &= own[name].known
        if not out.any():
            return out
        for name, match in self.when.items():
            out &= own[name].holds(match)
        for c in self.when_compare:
            out &= c.mask(own, c.holds)
        for c in self.when_count:
            out &= c.mask(own)[0]
        return out & self._broken(own, rows)

    def _broken(self, own: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
        """Rows that miss what the verdict asks."""
        met = np.ones(rows, dtype=np.bool_)
        for name, match in (*self.forbid.items(), *self.require.items()):
            met &= own[name].holds(match)
        if self.forbid:
            return met
        missed = ~met if self.require else np.zeros(rows, dtype=np.bool_)
        for c in self.compare:
            missed |= c.mask(own, c.fails)
        for c in self.count:
            missed |= c.mask(own)[1]
        for k, name in enumerate(self.disjoint):
            for other in self.disjoint[:k]:
                missed |= own[name].with_other(own[other], lambda a, b: bool(folded(a) & folded(b)))
        for part in self.distinct:
            missed |= _kinds_of_columns([own[n] for n in part.fields]) < part.at_least
        for name in self.present:
            missed |= ~own[name].judge(lambda v: not is_blank(v))
        return missed

    def matches(self) -> Iterable[tuple[str, str, Match]]:
        """(part, field, match) of everything the rule says."""
        for part, body in (("when", self.when), ("forbid", self.forbid), ("require", self.require)):
            for name, match in body.items():
                yield part, name, match

    def combine(self, masks: Mapping[tuple[str, str], NDArray[np.bool_]], rows: int) -> NDArray[np.bool_]:
        """Rows that break the rule, from one mask per (part, field)."""
        applies = np.ones(rows, dtype=np.bool_)
        met = np.ones(rows, dtype=np.bool_)
        for (part, _), mask in masks.items():
            if part == "when":
                applies &= mask
            else:
                met &= mask
        return applies & (met if self.forbid else ~met)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that one combination of values breaks, with the values it looked at."""

    code: str
    severity: Severity
    fields: tuple[tuple[str, object], ...]
    hint: str | None
    owner: str | None = None

    def __str__(self) -> str:
        given = ", ".join(f"{name} {value!r}" for name, value in self.fields)
        return f"{self.code}: {given}" + (f" ({self.hint})" if self.hint else "")


def is_blank(value: object) -> bool:
    """Whether a value is missing, an empty or blank text, or a list of such."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_blank(v) for v in value)
    return value is None


def _kinds(fields: Mapping[str, object], names: Iterable[str]) -> int:
    """Most different values that a group of fields may have."""
    values = [fields.get(name) for name in names]
    return len({str(v).casefold() for v in values if v is not None}) + sum(v is None for v in values)


def _kinds_of_columns(columns: list[Column]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    table = np.empty((len(columns[0]), len(columns)), dtype=np.int64)
    for place, column in enumerate(columns):
        codes = [known.setdefault(str(v).casefold(), len(known)) for v in column.values]
        table[:, place] = np.array([*codes, -1 - place])[column.codes]  # every missing value is a kind of its own
    table.sort(axis=1)
    return 1 + (np.diff(table, axis=1) != 0).sum(axis=1)


def check_fields(rules: Iterable[Rule], fields: Mapping[str, object]) -> tuple[Violation, ...]:
    """Every rule that `fields` breaks, in the order of the rules."""
    known = {name for name, value in fields.items() if value is not None}
    return tuple(
        Violation(rule.code, rule.severity, tuple((n, fields.get(n)) for n in rule.fields), rule.hint, rule.owner)
        for rule in rules
        if rule.needs <= known and rule.violated(fields)
    )


def check_persona(
    rules: Iterable[Rule], persona: Persona, paths: Mapping[str, str] | None = None
) -> tuple[Violation, ...]:
    """Every rule that a finished person breaks.

    Args:
        rules: rules whose fields are names in `paths`, dotted persona paths, or keys of `provenance.cell`.
        persona: the person.
        paths: field name to persona path.

    Returns:
        Violations in the order of the rules; a field the person does not have breaks none.
    """
    chosen = tuple(rules)
    known = paths or {}
    fields: dict[str, object] = {}
    for name in {name for rule in chosen for name in rule.fields}:
        path = known.get(name, name)
        value = persona.get(path) if "." in path else None
        fields[name] = persona.provenance.cell.get(name) if value is None else plain(value)
    return check_fields(chosen, fields)


def expand_groups(
    rules: Any, groups: Mapping[str, Iterable[Any]], where: str, keys: frozenset[str] | None = _WIDENED
) -> Any:
    """Replace `@group` inside the matches of raw rules (with `keys` None: anywhere) by the values of that group.

    Raises:
        RecipeError: a group nobody defined.
    """

    def widen(value: Any) -> Any:
        if isinstance(value, str) and _REFERENCE.fullmatch(value):
            return widen([value])
        if isinstance(value, (list, tuple)):
            out: list[Any] = []
            for item in value:
                if isinstance(item, str) and _REFERENCE.fullmatch(item):
                    if item[1:] not in groups:
                        raise RecipeError(
                            f"{where}: rules name the group {item!r}, which is not defined.",
                            hint=f"Known groups: {', '.join(sorted(groups)) or 'none'}.",
                        )
                    out.extend(groups[item[1:]])
                else:
                    out.append(widen(item) if isinstance(item, Mapping) else item)
            return out
        if isinstance(value, Mapping):
            return {k: widen(v) for k, v in value.items()}
        return value

    if not isinstance(rules, (list, tuple)):
        return rules
    return [
        {k: widen(v) if keys is None or k in keys else v for k, v in rule.items()}
        if isinstance(rule, Mapping)
        else rule
        for rule in rules
    ]
