"""What seeded defects are made with: the register of kinds, and small steps on the mapping of a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

Domain = Literal["general", "student", "patient", "customer"]
Body = dict[str, Any]
Rng = np.random.Generator
Operator = Callable[[Body, Rng], bool]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of defect: the domain it is about, and what it does."""

    name: str
    domain: Domain
    about: str
    apply: Operator
    """changes a mapping in place; says whether it could"""
    localised: Callable[[Body, Rng, str], bool] | None = None
    """the same in the words of a locale; None: there are only English ones"""


KINDS: Final[dict[str, Corruption]] = {}


def kind(domain: Domain) -> Callable[[Operator], Operator]:
    def add(operator: Operator) -> Operator:
        name = operator.__name__.removeprefix("_")
        KINDS[name] = Corruption(name, domain, (operator.__doc__ or "").strip(), operator)
        return operator

    return add


def one(rng: Rng, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def between(rng: Rng, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def value_of(leaf: Any) -> Any:
    return leaf["value"] if isinstance(leaf, dict) and "value" in leaf else leaf


def age_of(body: Body) -> int | None:
    return value_of(body.get("social", {}).get("age"))


def grown(body: Body, least: int = 18) -> bool:
    age = age_of(body)
    return age is not None and age >= least and "student" not in body.get("ext", {})


def part_of(body: Body, name: str) -> Body:
    return body.setdefault(name, {})


def append(body: Body, name: str, key: str, words: Any) -> None:
    """Add an element to a list of a section."""
    part = part_of(body, name)
    part[key] = [*part.get(key, ()), words]


def child(body: Body, rng: Rng, low: int = 4, high: int = 12) -> int:
    """Make somebody a child without any of what only grown-ups have."""
    age = between(rng, low, high)
    social = part_of(body, "social")
    for key in ("occupation", "employment", "education", "income", "marital_status", "household", "religion"):
        social.pop(key, None)
    social["age"] = age
    if social.get("gender") in {"woman", "man"}:
        social["gender"] = {"woman": "girl", "man": "boy"}[social["gender"]]
    for key in (
        "relations",
        "timeline",
        "description",
        "goals",
        "attributes",
        "beliefs",
        "context",
        "knowledge",
        "ext",
    ):
        body.pop(key, None)
    body.pop("demonstrations", None)
    body.pop("provenance", None)
    return age


def given_name(body: Body) -> str:
    names = body["names"]
    return str(value_of(names.get("given")) or str(value_of(names["full"])).split()[0])


def full_name(body: Body) -> str:
    return str(value_of(body["names"]["full"]))


def say(body: Body, text: str) -> None:
    """Put a sentence in front of the description, or make it the description."""
    old = value_of(body.get("description"))
    body["description"] = f"{text} {old}" if old else text


def attribute(body: Body, path: str, value: Any) -> None:
    part_of(body, "attributes")[path] = value
