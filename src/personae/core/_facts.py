"""Leaves. Every leaf of a persona is a plain value, or a Fact: the same value with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo

TEXT_LIMIT: Final = 20_000
"""Longest text of one leaf, in characters (about 5,000 tokens: more never fits beside a conversation)."""

Text: TypeAlias = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]
Scalar: TypeAlias = Text | int | float | bool


_ATOMS: Final = frozenset({str, int, float, bool})


class Frozen(BaseModel):
    """Base of everything stored: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields replaced. Cached values (content ids) stay with the original."""
        copied = super().model_copy(update=update, deep=deep)
        values = vars(copied)
        for name in values.keys() - type(copied).model_fields.keys():
            if isinstance(getattr(type(copied), name, None), cached_property):
                values.pop(name)
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """As usual, without asking what cannot change: pydantic copies some defaults for every person."""
        copied = self.__copy__()
        values = vars(copied)
        for name, value in values.items():
            if value is not None and value != () and type(value) not in _ATOMS:
                values[name] = deepcopy(value, memo)
        return copied


class PII(StrEnum):
    """How directly a leaf points at one living person."""

    NONE = "none"
    QUASI = "quasi"
    """identifies only together with others: age, town, occupation"""
    DIRECT = "direct"
    """identifies alone: full name, address, phone number"""
    SENSITIVE = "sensitive"
    """health, religion, politics, sexuality"""


class Visibility(StrEnum):
    """Who may see a leaf when the persona is rendered."""

    PUBLIC = "public"
    """a stranger would learn it"""
    PRIVATE = "private"
    """only the person (and the model that plays them)"""
    HIDDEN = "hidden"
    """nobody in the scene: bookkeeping for the researcher"""


class Source(Frozen):
    """Where a value comes from."""

    kind: str = Field(examples=["census", "model", "author", "user", "survey", "rule"])
    ref: str | None = None
    """document, message id, table cell, model fingerprint"""
    licence: str | None = None


class Fact(Frozen):
    """A value with its provenance. A Fact without any metadata is the same as its plain value."""

    value: Scalar | tuple[Scalar, ...]
    source: Source | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    valid_from: str | None = None
    valid_to: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    pii: PII | None = None


_FACT_KEYS: Final = frozenset(Fact.model_fields)
T = TypeVar("T")


def _sugar(value: object, info: ValidationInfo) -> object:
    """Turn a mapping that looks like a fact into one; drop the wrapper when it says nothing."""
    del info
    if isinstance(value, Mapping) and "value" in value and set(value) <= _FACT_KEYS:
        value = Fact.model_validate(dict(value))
    if isinstance(value, Fact) and not value.model_dump(exclude={"value"}, exclude_defaults=True):
        return value.value
    return value


Leaf: TypeAlias = Annotated[Fact | T, BeforeValidator(_sugar)]
TextLeaf: TypeAlias = Annotated[Fact | Text, BeforeValidator(_sugar)]
IntLeaf: TypeAlias = Annotated[Fact | int, BeforeValidator(_sugar)]
FloatLeaf: TypeAlias = Annotated[Fact | float, BeforeValidator(_sugar)]
AnyLeaf: TypeAlias = Annotated[Fact | Scalar | tuple[Scalar, ...], BeforeValidator(_sugar)]


def plain(leaf: Any) -> Any:
    """The value of a leaf, whether or not it is a Fact."""
    return leaf.value if isinstance(leaf, Fact) else leaf


def visibility_of(leaf: object) -> Visibility:
    """PUBLIC unless the leaf is a Fact that says otherwise."""
    return leaf.visibility if isinstance(leaf, Fact) else Visibility.PUBLIC
