"""What a deep person carries besides the attributes: `Persona.ext["deep"]`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from personae.core import Frozen, extensions
from personae.creation._value_grammar import Tone

Tier = Literal["near", "mid", "far"]
TIERS: Final[tuple[Tier, ...]] = ("near", "mid", "far")


class LifeAttitude(Frozen):
    """How somebody meets life: in a phrase, in what they do, and what they do when it is too much."""

    attitude: str
    attitude_details: str
    coping_mechanism: str


class KeyEvent(Frozen):
    """Something that happened, and how old the person was."""

    event: str
    age: int = Field(ge=0)


class Story(Frozen):
    """A stretch of life in the first person."""

    theme: str
    text: str
    key_events: tuple[KeyEvent, ...]


class Mark(Frozen):
    """How an attribute got in: how near its leaf lies to the core of the person, and when it was filled."""

    tier: Tier
    order: int = Field(ge=0)


class FailedBatch(Frozen):
    """A batch of leaves that a model did not fill; the grammar's values stand."""

    section: str
    leaves: int
    problem: str


class NarrativeReport(Frozen):
    """How long the narrative is, how long it was to be, and why it is shorter."""

    unit: Literal["words", "characters"]
    least: int
    most: int
    used: int
    complete: bool
    reason: str | None = None


class DeepRecord(Frozen):
    """The core of a deep person, and how its attributes were chosen."""

    taxonomy: str
    """name, version and hash of the tree"""
    sampling: str
    encoder: str
    target: int
    missing: int = 0
    """attributes fewer than asked for: so many leaves do not apply to this person"""
    anchors: dict[str, str | int | float] = Field(default_factory=dict)
    tone: Tone
    values_orientation: str
    life_attitude: LifeAttitude
    stories: tuple[Story, ...]
    interests: tuple[str, ...]
    marks: dict[str, Mark]
    narrative: NarrativeReport | None = None
    sections: dict[str, str] = Field(default_factory=dict)
    failed_batches: tuple[FailedBatch, ...] = ()
    fallbacks: dict[str, str] = Field(default_factory=dict)
    """leaf → why a model's value was not taken"""


extensions.add("deep", DeepRecord)
