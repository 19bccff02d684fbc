"""What a study is: a recipe over the rooms, in four verbs, plus a card of claims.

`plan` names the units of each stage; `work` does one unit and returns its evidence rows; `measure` computes from
evidence alone; `page` lays out the report. The driver does everything else (run folder, resume, progress, exports).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError

from personae.core import (
    AUDIT,
    CLEAN,
    Frozen,
    InputError,
    JudgementRow,
    Measurement,
    Persona,
    PersonaKind,
    PersonaRow,
    Registry,
    Row,
    UnknownKeyError,
    schema_error,
)
from personae.models import Model
from personae.reports import Page
from personae.runs import Run, Unit


class StudySpec(Frozen):
    """Settings of a study: defaults are the paper's values where the machine allows, each with its source."""

    @classmethod
    def read(cls, settings: Mapping[str, Any], *, where: str) -> Self:
        """A spec from typed or textual settings (`--set key=value`).

        Raises:
            UnknownKeyError: with the nearest known key.
            SchemaError: a value that does not fit.
        """
        for key in settings:
            if key not in cls.model_fields:
                raise UnknownKeyError.of(key, cls.model_fields, where=where)
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise schema_error(error, where=where) from error


class Claim(Frozen):
    """One claim of the paper: what is checked here and what came out, what needs a larger model, where we deviate."""

    claim: str
    reference: str
    source: str
    checked_here: str
    found: str = ""
    """what our own runs gave, with model, n and interval, whether it reproduced or not; empty: not measured yet"""
    needs_large_model: str = ""
    deviation: str = ""


class Needs(Frozen):
    """What a study needs to run on somebody.

    Args:
        fields: persona paths that must be set; `a | b` means either.
        model: what kind of model: none at all, any that generates or scores, an encoder, or weights to look into.
    """

    fields: tuple[str, ...] = ()
    model: Literal["none", "encoder", "any", "weights"] = "any"


class Card(Frozen):
    """A study's card (`card.yaml`).

    Args:
        kinds: which kinds of persona it is made for (Chen et al. 2024, From Persona to Personalization).
        needs: what it needs to run on somebody.
        cost: model calls per person in words, for planning.
        metrics: names (or name stems) of the measurements it reports.
    """

    name: str
    title: str
    paper: str
    question: str
    capabilities: tuple[str, ...]
    kinds: tuple[PersonaKind, ...] = Field(min_length=1)
    needs: Needs = Needs()
    cost: str
    metrics: tuple[str, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)
    limits: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Units that may run at once; a stage starts when the one before it is committed."""

    name: str
    units: tuple[Unit, ...]
    calls: int
    """model calls it will make at most, for the preview"""
    needs: tuple[str, ...] | None = None
    """stages whose rows its units read; None = all before it. A preview may try a stage once these are finished"""


@dataclass
class Bench:
    """What a unit may use: the model, the run's committed rows, the seed. Made anew by every process."""

    model: Model
    run: Run
    seed: int
    spec: Any

    @cached_property
    def people(self) -> dict[tuple[str, str], Persona]:
        """Committed people by (role, persona id)."""
        return {(r.role, r.persona_id): Persona.parse(r.body) for r in self._rows}

    @cached_property
    def _rows(self) -> tuple[PersonaRow, ...]:
        return tuple(sorted(self.run.rows(PersonaRow), key=lambda r: r.k))

    @cached_property
    def _by_role(self) -> dict[str, list[Persona]]:
        out: dict[str, list[Persona]] = {}
        for row in self._rows:
            out.setdefault(row.role, []).append(self.people[row.role, row.persona_id])
        return out

    @property
    def reference(self) -> str:
        """The model that was asked, as the manifest names it (also when a report is made from a replay)."""
        recorded = self.run.manifest.model
        return str(recorded.get("reference")) if isinstance(recorded, Mapping) else self.model.reference

    @cached_property
    def flagged(self) -> frozenset[str]:
        """Conversations in which a committed audit found something."""
        found = (j for j in self.run.rows(JudgementRow) if j.judge == AUDIT and j.verdict != CLEAN)
        return frozenset(j.conversation for j in found)

    def with_role(self, role: str) -> list[Persona]:
        """Committed people of one role, in the order they were drawn."""
        return list(self._by_role.get(role, ()))


class Study(ABC):
    """One recipe. Subclasses set `name` and `Spec` and fill the four verbs."""

    name: ClassVar[str]
    Spec: ClassVar[type[StudySpec]]

    @classmethod
    def folder(cls) -> Path:
        """Where the study's card, prompts and data lie."""
        import sys

        return Path(str(sys.modules[cls.__module__].__file__)).parent

    @classmethod
    def card(cls) -> Card:
        """The card of claims."""
        return Card.model_validate(yaml.safe_load((cls.folder() / "card.yaml").read_text("utf-8")))

    @classmethod
    def prompt(cls, name: str) -> str:
        """The text of `prompts/NAME.j2` in the study's folder."""
        return (cls.folder() / "prompts" / f"{name}.j2").read_text("utf-8").strip()

    @classmethod
    def data(cls, name: str) -> Path:
        """`data/NAME.yaml` in the study's folder if there is one, else the user's own file of that path."""
        shipped = cls.folder() / "data" / f"{name}.yaml"
        return shipped if shipped.is_file() else Path(name)

    def check(self, spec: Any) -> None:
        """Raise now what would otherwise be missing only when the work is done (an encoder's weights, say)."""
        del spec

    def asks(self, spec: Any) -> bool:
        """Whether any unit asks the model; where none does, the run is made with the model `none`."""
        del spec
        return True

    @abstractmethod
    def plan(self, spec: Any, seed: int) -> Sequence[Stage]:
        """Stages of units. Pure: the same spec and seed give the same plan."""

    @abstractmethod
    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """Do one unit and return its evidence."""

    def after(self, stage: Stage, bench: Bench) -> Sequence[str]:
        """Lines to print when a stage is committed (for instance how the margins fit)."""
        del stage, bench
        return ()

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """The findings in a few plain lines, null results included."""
        del measurements
        return ()

    @abstractmethod
    def measure(self, bench: Bench) -> list[Measurement]:
        """Numbers, from committed evidence alone."""

    @abstractmethod
    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """The report."""


studies: Final[Registry[type[Study]]] = Registry("study")
"""Studies by name. Built-ins are added when this package is imported; others through entry points."""


def register(study: type[Study]) -> type[Study]:
    """Decorator: make a study known by its name."""
    if not study.name.isidentifier():
        raise InputError(f"study name {study.name!r} is not an identifier.", hint="Use letters, digits, underscores.")
    return studies.add(study.name, study)
