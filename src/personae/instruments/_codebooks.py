"""How a file of real people is read, and how agents get into the same cohorts.

A codebook says which columns make a cohort and how they are coded, which column answers which item, and where the same
label comes from for an agent: a field that its record has, or a sentence that it is told. Nothing is made up for
people: an item without a column has no human side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from personae.core import Frozen, InputError, UnknownKeyError, schema_error
from personae.instruments._load import read_mapping
from personae.instruments._survey_items import HumanColumn, Survey

_CLOSE: Final = 1e-6
"""how far shares may be from summing to 1"""


class CohortColumn(Frozen):
    """One of the columns that make a cohort.

    Args:
        column: name in the header.
        codes: value in the file to label; people with other values are left out.
        groups: label to share of people, lowest values first, for a column of numbers: cut at the file's quantiles.
        field: field of an agent's record that says its label.
        field_codes: value of that field to label; empty: the values are the labels.
        told: label to the sentence that an agent of this cohort is told, for what no record says.
    """

    column: str
    codes: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, float] = Field(default_factory=dict)
    field: str | None = None
    field_codes: dict[str, str] = Field(default_factory=dict)
    told: dict[str, str] = Field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order given."""
        return tuple(dict.fromkeys(self.codes.values())) or tuple(self.groups)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.codes) == bool(self.groups):
            raise ValueError(f"column {self.column!r}: give either `codes` or `groups`")
        if self.groups and (min(self.groups.values()) <= 0 or abs(sum(self.groups.values()) - 1) > _CLOSE):
            raise ValueError(f"column {self.column!r}: shares of `groups` have to be positive and sum to 1")
        if (self.field is None) == (not self.told):
            raise ValueError(f"column {self.column!r}: say where an agent's label comes from, by `field` or by `told`")
        strange = (set(self.told) | set(self.field_codes.values())) - set(self.labels)
        if strange or (self.told and len(self.told) < len(self.labels)):
            raise ValueError(f"column {self.column!r}: labels are {self.labels}; `told` has to name each, no others")
        return self

    def label_of(self, fields: Mapping[str, object]) -> str | None:
        """An agent's label by its record; None when the record says nothing that is a label."""
        value = str(fields.get(self.field or ""))
        label = self.field_codes.get(value) if self.field_codes else value
        return label if label in self.labels else None


class Codebook(Frozen):
    """Cohorts and items of a file of real people.

    Args:
        cohort: columns that make a cohort, crossed.
        items: item id to column of numbers, or to a column with a recoding.
        missing: texts that mean no value.
        source: where the file comes from.
        licence: its licence.
        note: what a reader has to know about it.
    """

    cohort: tuple[CohortColumn, ...] = Field(min_length=1)
    items: dict[str, str | HumanColumn] = Field(min_length=1)
    missing: tuple[str, ...] = ("", "NA", "NaN", ".")
    source: str | None = None
    licence: str | None = None
    note: str | None = None

    @property
    def size(self) -> int:
        """How many cohorts there are."""
        return int(np.prod([len(c.labels) for c in self.cohort]))

    def chosen(self, survey: Survey) -> Survey:
        """The survey with those of its items that people have a column for.

        Raises:
            UnknownKeyError: a column for an item that is not among them, with the nearest one.
        """
        known = {i.id: i for i in survey.items}
        for item in self.items:
            if item not in known:
                raise UnknownKeyError.of(item, known, where="items of the codebook")
        return survey.model_copy(update={"items": tuple(i for i in survey.items if i.id in self.items)})

    def column(self, item: str) -> HumanColumn:
        """Where people's answers to an item are."""
        found = self.items[item]
        return HumanColumn(column=found) if isinstance(found, str) else found

    def cells(self, agents: Sequence[Mapping[str, object]], rng: np.random.Generator) -> list[dict[str, str] | None]:
        """Cohort label by column for every agent; None where its record does not say one.

        Labels that agents are told are dealt out evenly among the agents whose records put them in the same cohorts.

        Args:
            agents: fields of each record.
            rng: deals.
        """
        known = [{c.column: c.label_of(a) for c in self.cohort if c.field is not None} for a in agents]
        told = [c for c in self.cohort if c.field is None]
        hands = list(product(*(c.labels for c in told)))
        out: list[dict[str, str] | None] = [None] * len(agents)
        groups: dict[tuple[str | None, ...], list[int]] = {}
        for k, labels in enumerate(known):
            if None not in labels.values():
                groups.setdefault(tuple(labels.values()), []).append(k)
        for _, members in sorted(groups.items(), key=str):
            deal = rng.permutation(len(hands))
            for place, k in enumerate(rng.permutation(members).tolist()):
                hand = hands[int(deal[place % len(hands)])]
                out[k] = {n: str(v) for n, v in known[k].items()} | {
                    c.column: v for c, v in zip(told, hand, strict=True)
                }
        return out

    def cohort_of(self, cell: Mapping[str, str]) -> str:
        """The cohort of a cell in one word."""
        return " | ".join(cell[c.column] for c in self.cohort)

    def told(self, cell: Mapping[str, str]) -> str:
        """The sentences that an agent of this cell is told."""
        return " ".join(c.told[cell[c.column]] for c in self.cohort if c.told)


def load_codebook(path: str | Path) -> Codebook:
    """A codebook from a YAML or JSON file.

    Raises:
        InputError: it cannot be read.
        SchemaError: it does not fit; every problem is named.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(
            f"There is no codebook {str(path)!r}.", hint="Give the path of a YAML file with `cohort` and `items`."
        )
    try:
        return Codebook.model_validate(dict(read_mapping(file)))
    except ValidationError as error:
        raise schema_error(error, where=file.name, model=Codebook) from error
