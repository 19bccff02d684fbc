"""Settings of the spectrum study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from personae.studies._base import StudySpec


class SpectrumSpec(StudySpec):
    """Defaults need no model; `writer=model` and `likelihood=true` are what the embedded preset asks for."""

    profiles: str = Field(default="", description="file of profile answers (JSON or YAML); empty: the shipped people")
    people: int = Field(default=40, ge=4, description="people of the gallery; paper: 45 characters, 80 real people")
    writer: Literal["grammar", "model"] = Field(
        default="grammar", description="who answers 'Who am I?': rules, or the model (embedded or endpoint)"
    )
    each: int = Field(default=10, ge=2, description="statements of each kind; paper: 10 open, 10 hidden")
    likelihood: bool = Field(
        default=False, description="match statements by log-likelihood on the model as well as by vectors"
    )
    scored: int = Field(default=6, ge=2, description="statements per set that are scored by likelihood")
    judge: Literal["none", "options", "json"] = Field(
        default="none", description="the model judges statements beside the own and another's profile: how it answers"
    )
    judged: int = Field(default=2, ge=1, description="statements of each person and subset that are judged")
    round_trip: bool = Field(
        default=False, description="answer the inventory under P, C and SPC and correlate with the profile"
    )
    traits: str = Field(default="ipip30", description="trait inventory: a name, a file, or a key; paper: bfi2s")
    values: str = Field(default="portraits20", description="value inventory (likewise); paper: pvq21")
    traits_text: str = Field(default="", description="file with your wording of a key's items; scoring needs none")
    values_text: str = Field(default="", description="likewise for the values")
    floor: bool = Field(default=False, description="cut means down before naming them, as the released code does")
    centre: bool = Field(default=False, description="grade values against the person's own mean (Schwartz 2003)")
    budget: int = Field(default=700, ge=100, description="most tokens of a profile")
    encoder: Literal["minilm", "hash"] = Field(default="minilm", description="vectors that statements are matched by")
