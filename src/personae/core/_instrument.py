"""Instrument: items, response format, scoring key, norms, licence."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from personae.core._facts import Frozen
from personae.core._ids import content_id


class ResponseOption(Frozen):
    """One answer: the text that is scored or parsed, and its value before keying."""

    text: str
    value: float


class Item(Frozen):
    """One question. `key` is 1 (as worded) or -1 (reversed)."""

    id: str
    text: str
    scale: str
    facet: str | None = None
    key: Literal[1, -1] = 1


class ScaleNorm(Frozen):
    """Mean and sd of a scale (mean of keyed items) in a named reference sample."""

    mean: float
    sd: float = Field(gt=0)
    alpha: float | None = None
    n: int


class Norms(Frozen):
    """Norms of an instrument in one reference sample."""

    sample: str
    source: str
    scales: dict[str, ScaleNorm]


class Instrument(Frozen):
    """Items with one shared response format."""

    schema_version: Literal[1] = 1
    name: str
    title: str
    language: str = "en"
    licence: str
    source: str
    instructions: str
    """said once before the items; shared by all of them"""
    stem: str = "{item}"
    """how one item is shown; `{item}` is replaced by its text"""
    answer_prefix: str = ""
    """what the answer starts with, before the option text"""
    options: tuple[ResponseOption, ...]
    scales: dict[str, str]
    """scale code -> its name, e.g. `{"E": "extraversion"}`"""
    items: tuple[Item, ...]
    norms: tuple[Norms, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        ids = [i.id for i in self.items]
        if len(set(ids)) != len(ids):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise ValueError(f"item ids given twice: {twice}")
        unknown = sorted({i.scale for i in self.items} - set(self.scales))
        if unknown:
            raise ValueError(f"items name scales that `scales` does not list: {unknown}")
        if not self.items:
            raise ValueError("an instrument needs at least one item")
        if len(self.options) < 2:
            raise ValueError("an instrument needs at least two response options")
        if len({o.text for o in self.options}) != len(self.options) or self.low == self.high:
            raise ValueError("response options need different texts and at least two different values")
        if "{item}" not in self.stem:
            raise ValueError(f"stem {self.stem!r} does not say where the item goes: put {{item}} into it")
        return self

    @cached_property
    def id(self) -> str:
        """Content id `i-<16 hex>`."""
        return content_id("i", self.model_dump(mode="json"))

    @property
    def low(self) -> float:
        """Lowest option value."""
        return min(o.value for o in self.options)

    @property
    def high(self) -> float:
        """Highest option value."""
        return max(o.value for o in self.options)
