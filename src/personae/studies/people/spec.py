"""Settings of the people study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from personae.studies._base import StudySpec


class PeopleSpec(StudySpec):
    """Who is drawn, and who writes about them."""

    recipe: str = Field(default="us_adults", description="shipped recipe, path of a YAML file, or YAML itself")
    people: int = Field(default=24, ge=1, description="people")
    writer: Literal["grammar", "model"] = Field(
        default="grammar", description="a phrase grammar, or the model, whose words are checked against the facts"
    )
    attempts: int = Field(default=2, ge=1, description="texts asked of the model before the rules write")
    block: int = Field(default=8, ge=1, description="people per unit of work")
