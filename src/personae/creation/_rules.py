"""Rules as data: which combinations of values cannot be. One language for recipes, schemas and finished people.

A rule names fields and what their values match. It is broken when everything under `when` holds and, in addition,
everything under `forbid` holds, or something under `require` does not. A field without a value breaks no rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from personae.core import Frozen, Persona, RecipeError, plain

Severity = Literal["error", "warning"]


class Match(Frozen):
    """What a value has to be: one of `values`, none of `not`, and between `min` and `max` (both included).

    Written short: a word or a list is `values`.
    """

    values: tuple[str, ...] | None = None
    not_: tuple[str, ...] | None = Field(default=None, alias="not")
    min: float | None = None
    max: float | None = None

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
                k: [str(x) for x in v] if k in {"values", "not", "not_"} and isinstance(v, (list, tuple)) else v
                for k, v in data.items()
            }
        return data

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.values is None and self.not_ is None and self.min is None and self.max is None:
            raise ValueError("a match needs values, not, min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing can match")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Every value it names."""
        return (*(self.values or ()), *(self.not_ or ()))

    @property
    def ranged(self) -> bool:
        """Whether it compares numbers."""
        return self.min is not None or self.max is not None

    def holds(self, value: object) -> bool:
        """Whether one value matches; a list matches when any of its elements does; None never does."""
        if value is None:
            return False
        if isinstance(value, (list, tuple, set, frozenset)):
            return any(self.holds(v) for v in value)
        word = str(value)
        if (self.values is not None and word not in self.values) or (self.not_ is not None and word in self.not_):
            return False
        if not self.ranged:
            return True
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
        distinct, inverse = np.unique(column, return_inverse=True)
        judged = np.fromiter((self.holds(v) for v in distinct.tolist()), dtype=np.bool_, count=len(distinct))
        return judged[inverse.reshape(column.shape)]


class Rule(Frozen):
    """One declarative predicate.

    Example:
        >>> rule = Rule.model_validate({"code": "teens", "when": {"age": {"max": 17}}, "forbid": {"topic": "pension"}})
        >>> rule.violated({"age": 15, "topic": "pension"}), rule.violated({"age": 50, "topic": "pension"})
        (True, False)
    """

    code: str = Field(min_length=1)
    when: dict[str, Match] = Field(default_factory=dict)
    forbid: dict[str, Match] = Field(default_factory=dict)
    require: dict[str, Match] = Field(default_factory=dict)
    severity: Severity = "error"
    owner: str | None = None
    """who repairs it: the part of a person that the reviser rewrites"""
    hint: str | None = None

    @model_validator(mode="after")
    def _one_verdict(self) -> Self:
        if bool(self.forbid) == bool(self.require):
            raise ValueError(f"rule {self.code!r} needs either forbid or require")
        return self

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Every field it looks at, in the order written."""
        return tuple(dict.fromkeys((*self.when, *self.forbid, *self.require)))

    def violated(self, fields: Mapping[str, object]) -> bool:
        """Whether one combination of values breaks the rule."""
        if any(fields.get(name) is None for name in self.fields):
            return False
        if not all(match.holds(fields[name]) for name, match in self.when.items()):
            return False
        if self.forbid:
            return all(match.holds(fields[name]) for name, match in self.forbid.items())
        return not all(match.holds(fields[name]) for name, match in self.require.items())

    def mask(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """`violated` for every row of columns of equal length that hold no missing values."""
        rows = len(next(iter(columns.values())))
        return self.combine({(part, name): match.mask(columns[name]) for part, name, match in self.matches()}, rows)

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

    def __str__(self) -> str:
        given = ", ".join(f"{name} {value!r}" for name, value in self.fields)
        return f"{self.code}: {given}" + (f" ({self.hint})" if self.hint else "")


def check_fields(rules: Iterable[Rule], fields: Mapping[str, object]) -> tuple[Violation, ...]:
    """Every rule that `fields` breaks, in the order of the rules."""
    return tuple(
        Violation(rule.code, rule.severity, tuple((name, fields[name]) for name in rule.fields), rule.hint)
        for rule in rules
        if rule.violated(fields)
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


def expand_groups(rules: Any, groups: Mapping[str, Iterable[Any]], where: str) -> Any:
    """Replace `@group` inside the matches of raw rules by the values of that group.

    Raises:
        RecipeError: a group nobody defined.
    """

    def widen(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("@"):
            return widen([value])
        if isinstance(value, (list, tuple)):
            out: list[Any] = []
            for item in value:
                if isinstance(item, str) and item.startswith("@"):
                    if item[1:] not in groups:
                        raise RecipeError(
                            f"{where}: rules name the group {item!r}, which is not defined.",
                            hint=f"Known groups: {', '.join(sorted(groups)) or 'none'}.",
                        )
                    out.extend(groups[item[1:]])
                else:
                    out.append(item)
            return out
        if isinstance(value, Mapping):
            return {k: widen(v) for k, v in value.items()}
        return value

    if not isinstance(rules, (list, tuple)):
        return rules
    return [
        {k: widen(v) if k in {"when", "forbid", "require"} else v for k, v in rule.items()}
        if isinstance(rule, Mapping)
        else rule
        for rule in rules
    ]
