"""Settings of the demo."""

from __future__ import annotations

from pydantic import Field

from personae.studies._base import StudySpec


class DemoSpec(StudySpec):
    """Sized to run in about ten minutes on two idle cores with the embedded model; `people` and `turns` scale it."""

    recipe: str = Field(default="us_adults", description="recipe of the population")
    people: int = Field(default=24, ge=2, description="people drawn; each answers as themselves and as a twin")
    instrument: str = Field(default="ipip50", description="inventory that everybody answers")
    talkers: int | None = Field(
        default=None, ge=1, description="people who also hold conversations; None = half of them, at most 12"
    )
    turns: int = Field(default=8, ge=2, description="most utterances of a conversation, both speakers together")
    line_tokens: int = Field(default=40, ge=8, description="most tokens of a line")

    @property
    def talking(self) -> int:
        """How many people hold conversations."""
        return min(self.people, self.talkers if self.talkers is not None else max(1, min(12, self.people // 2)))
