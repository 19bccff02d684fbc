"""Settings of the spasm study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from personae.studies._base import StudySpec


class SpasmSpec(StudySpec):
    """Defaults are the embedded size; the paper's own values are 500 people x 10 conversations, 50 utterances."""

    # Source of the schema sizes: SPASM, released run (77 occupations, 50 locations, 110 domains, 12 emotional states).
    schema_name: str = Field(default="spasm_schema", description="schema that people are sampled from")
    people: int = Field(default=20, ge=2, description="people; paper: 500")
    conversations: int = Field(default=1, ge=1, description="conversations per person and projection; paper: 10")
    utterances: int = Field(default=12, ge=2, description="hard cap, both speakers together; paper: 50")
    line_tokens: int = Field(default=48, ge=8, description="most tokens of a line")
    temperature: float = Field(default=0.7, ge=0, description="client and responder; paper: 0.7")
    minimum: int = Field(
        default=2, ge=1, description="rounds before a natural end counts; inferred from the paper's call counts"
    )
    window: int = Field(default=2, ge=1, description="last utterances looked at for closing cues; inferred")
    crafter: Literal["template", "model"] = Field(
        default="template", description="who writes the description; the model's is checked and falls back"
    )
    terminator: Literal["rules", "rules+judge"] = Field(
        default="rules+judge", description="the judge may veto an end that the rules see, never invent one"
    )
    encoder: Literal["minilm", "hash"] = Field(default="minilm", description="vectors of path drift and recoverability")
    retries: int = Field(default=1, ge=0, description="drafts tried again after a guard objects")
    guarded: bool = Field(default=True, description="guards send drafts back; without them the bare projections speak")
    regenerate: int = Field(
        default=2,
        ge=0,
        description="new tries of a flagged ecp conversation, for the data set; paper: until clean",
    )
