"""What is planted in a statistical model: effects and response styles, each one number or one per condition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from personae.core import InputError

SLOPE: Final = 1.7
"""Makes the logistic follow the normal ogive to within .01."""

PerCondition: TypeAlias = float | Mapping[str, float]
"""One number for all conditions, or condition label → number; labels not named get the parameter's default."""
Effect: TypeAlias = Literal["effect", "noise", "echo", "position", "acquiescence", "acquiescence_sd", "refusal"]
"""What can differ between conditions."""


class _Range(NamedTuple):
    low: float
    high: float
    hint: str


_RANGES: Final[Mapping[str, _Range]] = MappingProxyType({
    "effect": _Range(-math.inf, math.inf, "0 plants none, 1 the full trait"),
    "noise": _Range(0.0, math.inf, "0 plants none"),
    "slope": _Range(0.0, math.inf, f"the default is {SLOPE:g}"),
    "echo": _Range(0.0, 1.0, "0 copies nothing"),
    "words": _Range(0.0, math.inf, "it is a count"),
    "position": _Range(-math.inf, math.inf, "0 plants none, negative is primacy"),
    "acquiescence": _Range(-math.inf, math.inf, "0 plants none"),
    "acquiescence_sd": _Range(0.0, math.inf, "0 makes all people alike"),
    "refusal": _Range(0.0, 1.0, "0 never refuses, 1 always"),
})  # fmt: skip
_PLAIN: Final = frozenset({"slope", "words"})
"""The same under all conditions."""


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted in a statistical model.

    All but `slope` and `words` are one number, or a mapping condition label → number. Labels not named get the default
    given below, which for `effect` is full. The formulas stand in `personae.models._worlds`.

    Attributes:
        effect: share of the trait that reaches the answer: 1 full, 0 none (a null world). Default 1.
        noise: sd of the person-by-item deviate, on the scale of z. Default 0.5.
        slope: discrimination of the graded response model.
        echo: share of the partner's previous words that a line copies, 0 to 1. Default 0.
        words: length of a line.
        position: nats that the last option shown gains over the first: positive for recency, negative for primacy.
            Depends on the order shown, whatever the options mean. Default 0.
        acquiescence: shift of the latent value towards the highest answer, whatever the key of the item; in units of z,
            before reversal. Default 0.
        acquiescence_sd: sd between people of that shift, on the scale of z; a person has one deviate for all items and
            conditions. Default 0.
        refusal: probability that a completion (answer, line or schema value) is a refusal, 0 to 1. Scoring options
            cannot refuse: its distribution is that of an answer, given that there is one. Default 0.

    Raises:
        InputError: a number that is not finite or outside its range.

    >>> planted = Planted(acquiescence={"twin": 0.4})
    >>> planted.under("twin", "acquiescence"), planted.under("self", "acquiescence")
    (0.4, 0.0)
    """

    effect: PerCondition = 1.0
    noise: PerCondition = 0.5
    slope: float = SLOPE
    echo: PerCondition = 0.0
    words: int = 12
    position: PerCondition = 0.0
    acquiescence: PerCondition = 0.0
    acquiescence_sd: PerCondition = 0.0
    refusal: PerCondition = 0.0

    def __post_init__(self) -> None:
        for name in _RANGES:
            value: object = getattr(self, name)
            if not isinstance(value, Mapping) or name in _PLAIN:
                check_planted(name, value)
                continue
            for condition, number in value.items():
                check_planted(name, number, condition=condition)
            # A copy, so that no later change of the caller's mapping goes unchecked.
            object.__setattr__(self, name, dict(value))

    def under(self, condition: str, effect: Effect) -> float:
        """The strength of one effect under one condition."""
        value: PerCondition = getattr(self, effect)
        return value.get(condition, getattr(_DEFAULT, effect)) if isinstance(value, Mapping) else value

    def described(self) -> dict[str, object]:
        """Every parameter by name, for a fingerprint."""
        return {name: getattr(self, name) for name in _RANGES}


def check_planted(name: str, value: object, *, condition: str | None = None) -> None:
    """Raise an InputError unless `value` is a finite number that the parameter `name` can have."""
    low, high, hint = _RANGES[name]
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    ):
        return
    where = "" if condition is None else f" under condition {condition!r}"
    expected = "a finite number"
    if math.isfinite(high):
        expected = f"a number from {low:g} to {high:g}"
    elif math.isfinite(low):
        expected = f"a finite number of at least {low:g}"
    more = "" if name in _PLAIN or condition is not None else ", or a mapping condition label -> number"
    raise InputError(f"planted {name} is {value!r}{where}.", hint=f"Pass {expected}{more}; {hint}.")


_DEFAULT: Final = Planted()
