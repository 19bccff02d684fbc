"""Settings of the persona_taxonomy study."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from personae.studies._base import StudySpec


class PersonaTaxonomySpec(StudySpec):
    """Without probes and second opinion no model is asked."""

    people: str = Field(
        default="", description="file of people; empty: the shipped labelled personas and seeded defects"
    )
    second_opinion: int = Field(
        default=0, ge=0, description="people whose kind a model is asked as well, by likelihood"
    )
    boundary: int = Field(
        default=0, ge=0, description="people with a boundary who are asked ten questions from beyond it"
    )
    consistency: int = Field(default=0, ge=0, description="people who are asked one fact in five ways")

    @field_validator("people", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value  # a file may be called by a number
