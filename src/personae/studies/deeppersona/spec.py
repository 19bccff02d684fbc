"""Settings of the deeppersona study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from personae.models import EncoderName
from personae.studies._base import StudySpec


class DeepPersonaSpec(StudySpec):
    """Defaults need no model: people by grammar, ways of choosing attributes side by side."""

    recipe: str = Field(default="us_adults", description="population that anchors come from")
    people: int = Field(default=40, ge=2, description="deep people; paper: 100 per country and condition")
    depth: int = Field(default=250, ge=1, description="attributes a person; paper: 250 to 350, best 200 to 250")
    anchors: str = Field(default="", description="what everybody shares, as age=33,occupation=nurse; '' = nothing")
    # Source of the ratio: the paper says 5:3:2, the released select_attributes 4:4:2.
    sampling: Literal["5:3:2", "4:4:2", "near", "uniform"] = Field(default="5:3:2", description="how leaves are chosen")
    writer: Literal["grammar", "model"] = Field(default="grammar", description="who writes the values")
    batch: int = Field(default=50, ge=1, le=50, description="leaves of one call of the model writer; paper: at most 50")
    encoder: EncoderName = Field(
        default="hash", description="vectors of leaves and cores; paper: text-embedding-ada-002"
    )
    core_vector: Literal["parts", "whole"] = Field(
        default="parts", description="what leaves are ranked by: mean over the core's parts, or its text; paper: whole"
    )
    least_words: int = Field(default=150, ge=0, description="shortest narrative; paper: 150")
    most_words: int = Field(default=400, ge=1, description="longest narrative; paper: 400")
    choices: bool = Field(
        default=True, description="compare ways of choosing leaves and depths, without writing people"
    )
    choice_people: int = Field(default=200, ge=2, description="people of each comparison")
    choice_depth: int = Field(default=100, ge=1, description="depth at which ways of choosing are compared")
    choice_seeds: int = Field(default=3, ge=1, description="seeds of each comparison")
    judge_encoder: EncoderName = Field(default="auto", description="vectors by which incoherence is measured")
    survey: bool = Field(default=False, description="ask the questions of data/citizen.yaml under three conditions")
    questions: str = Field(
        default="citizen", description="citizen, poverty, immigration, or a YAML file of questions with its codebook"
    )
    country: str = Field(
        default="the United States", description="country, or several separated by commas; as the codebook calls them"
    )
    humans: str = Field(default="", description="CSV file of human answers; '' = the distances are left out")
    people_from: Literal["recipe", "humans"] = Field(
        default="recipe", description="anchors from the recipe, or from respondents of the file (never their answers)"
    )
    persona_tokens: int = Field(default=500, ge=50, description="most tokens of a persona's text in the survey")
