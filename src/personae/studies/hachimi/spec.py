"""Settings of hachimi."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from personae.creation import StudentSource
from personae.instruments import Baseline
from personae.models import EncoderName
from personae.studies._base import StudySpec


class HachimiSpec(StudySpec):
    """Defaults are the paper's, but for the number of students; each ablation is one setting."""

    people: int | None = Field(
        default=None, ge=1, description="students; None: 200 with the grammar, 8 with a model (paper: 1,000,000)"
    )
    writer: Literal["grammar", "model"] = Field(default="grammar", description="who fills the owners' keys")
    mix: tuple[float, float, float, float] = Field(
        default=(0.25, 0.25, 0.25, 0.25), description="shares of the academic levels, best first; paper: 25 % each"
    )
    attempts: int = Field(default=4, ge=1, description="most attempts at a slot before it is kept as failed; paper: 4")
    rounds: int = Field(default=3, ge=0, description="most deep rounds of revision; paper: 3")
    review: bool = Field(default=False, description="let the model add issues (fast and deep validator)")
    guided: bool = Field(default=True, description="decode paragraphs under patterns that hold the frame of the rules")
    validator: bool = Field(default=True, description="false: first drafts are taken as they are")
    anchors: bool = Field(default=True, description="false: no anti-optimism anchors")
    stratified: bool = Field(default=True, description="false: slots are drawn, not quotas")
    dedup: bool = Field(default=True, description="false: near-copies stay")
    one_shot: bool = Field(default=False, description="one owner of all keys with the same tokens, no revision")
    equal_tokens: bool = Field(
        default=False, description="writer=model: also one-shot drafts of every slot with the tokens its drafts used"
    )
    survey: bool = Field(default=False, description="every accepted student answers the items (200 of a bulk run)")
    items: str = Field(
        default="survey", description="survey items: a name in data/, or a YAML file; those of the codebook are asked"
    )
    codebook: str = Field(
        default="records", description="cohorts and human columns: records, hsb82 or star in data/, or a YAML file"
    )
    humans: str = Field(default="", description="CSV file of real pupils; '' = no comparison")
    least: int = Field(default=5, ge=1, description="fewest of a cohort on either side")
    baseline: Baseline = Field(
        default="actor", description="whose answers to an empty question are taken out: the student's or nobody's"
    )
    persona_tokens: int = Field(default=400, ge=80, description="most tokens of a student's text in the survey")
    encoder: EncoderName = Field(default="hash", description="vectors of the texts, for their diversity")
    phrases: str = Field(default="student.en", description="phrase grammar of the grammar writer")
    bulk_from: int = Field(default=2000, ge=2, description="grammar runs of this size and more go to Parquet parts")

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.equal_tokens and (self.writer != "model" or self.one_shot):
            raise ValueError(
                "equal_tokens compares a model's owners with its one-shot drafts: set writer=model, one_shot=false"
            )
        return self

    @property
    def size(self) -> int:
        """How many students."""
        return self.people or (200 if self.writer == "grammar" else 8)

    def source(self, seed: int) -> StudentSource:
        """The students as columns.

        Raises:
            InputError, RecipeError: shares or phrases that do not fit.
        """
        return StudentSource(
            self.size, seed, mix=self.mix, anchors=self.anchors, stratified=self.stratified, grammar=self.phrases
        )

    @property
    def turns(self) -> int:
        """Turns of the owners at one draft, at most."""
        return 5 * (1 + self.rounds)

    @property
    def bulk(self) -> bool:
        """Whether records are written by columns."""
        return self.writer == "grammar" and self.size >= self.bulk_from


TEMPERATURES = {"enrolment": 0.98, "academic": 0.90, "values": 1.00, "social": 1.02, "health": 0.96}
"""HACHIMI, temperatures of the five agents."""
MAX_TOKENS = {"enrolment": 700, "academic": 600, "values": 900, "social": 1100, "health": 1100}
"""HACHIMI, most tokens of the five agents."""
FAST = (0.1, 450)
DEEP = (0.2, 1100)
"""HACHIMI, temperature and most tokens of the validators."""
