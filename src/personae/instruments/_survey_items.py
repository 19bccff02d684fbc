"""Single survey questions, each with its own scale, and where the answers of people to them stand in a file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from personae.core import Frozen, Instrument, Item, ResponseOption, SchemaError, schema_error


class HumanColumn(Frozen):
    """Where the human answers are: a column of a CSV file, and what its values mean.

    Args:
        column: name in the header.
        recode: value in the file → category; values not named are missing. Empty: the values are the categories.
        group: option value → category, where people were offered fewer answers than the model.
    """

    column: str
    recode: dict[str, float] = Field(default_factory=dict)
    group: dict[float, float] = Field(default_factory=dict)


class SurveyItem(Frozen):
    """One question with its answers, least to most, and what it is compared with."""

    id: str
    topic: str
    text: str
    options: tuple[ResponseOption, ...] = Field(min_length=2)
    human: HumanColumn | None = None

    @model_validator(mode="after")
    def _grouped(self) -> Self:
        if self.human and self.human.group and set(self.human.group) != {o.value for o in self.options}:
            raise ValueError(f"item {self.id!r}: `group` has to name every option value")
        return self

    @cached_property
    def categories(self) -> tuple[float, ...]:
        """Values that answers are compared on, increasing."""
        group = self.human.group if self.human else {}
        return tuple(sorted({group.get(o.value, o.value) for o in self.options}))

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Category index of each option."""
        group = self.human.group if self.human else {}
        return tuple(self.categories.index(group.get(o.value, o.value)) for o in self.options)

    def instrument(self, *, source: str, licence: str) -> Instrument:
        """The question as an instrument of one item."""
        return Instrument(
            name=self.id,
            title=self.topic,
            licence=licence,
            source=source,
            instructions="Please answer the question with one of these answers: {options}.",
            stem="{item}\n",
            answer_prefix="Answer:",
            options=self.options,
            scales={"S": self.topic},
            items=(Item(id=self.id, text=self.text, scale="S", key=1),),
        )


class PersonColumn(Frozen):
    """A column that says who answered.

    Args:
        column: name in the header.
        recode: value in the file → value of the field; values not named are unknown. Empty: the values as they stand.
    """

    column: str
    recode: dict[str, str] = Field(default_factory=dict)


class Respondents(Frozen):
    """Codebook of a file of human answers: who answered where, and what is known of them.

    Args:
        country: the column of the country; None: the file holds one country.
        countries: value of that column → how the country is called in a prompt; others keep their name.
        where: column → values of the rows that count (a wave, a year); other rows are left out.
        weight: the column of survey weights; None: every row counts alike.
        people: field of a persona (`social.age`) → the column that holds it.
    """

    country: str | None = None
    countries: dict[str, str] = Field(default_factory=dict)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    weight: str | None = None
    people: dict[str, PersonColumn] = Field(default_factory=dict)


class Survey(Frozen):
    """Questions, and the codebook of the file that holds people's answers to them."""

    items: tuple[SurveyItem, ...] = Field(min_length=1)
    respondents: Respondents = Respondents()
    source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _different(self) -> Self:
        ids = [item.id for item in self.items]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"item {twice[0]!r} is there twice")
        return self


def load_survey(path: Path) -> Survey:
    """The questions and the codebook of a YAML file.

    Raises:
        SchemaError: it does not fit; every problem is named.
    """
    try:
        body = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SchemaError(
            f"{path.name}: cannot be read ({error}).", hint="Give a YAML file of survey items."
        ) from error
    if not isinstance(body, dict) or "items" not in body:
        raise SchemaError(f"{path.name}: holds no items.", hint="List the questions under `items:`.")
    try:
        return Survey.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=path.name, model=Survey) from error
