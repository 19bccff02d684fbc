"""Which studies can run on somebody, and what is missing where one cannot: every study's card is its entry.

A study runs on a persona when its kinds meet the persona's, its fields are set, and the model at hand is of the level
it needs. Nothing is registered twice: a new study appears here through its card alone.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from personae.core import Frozen, Persona, PersonaKind
from personae.creation import PersonaKinds, RiskReport, classify, coverage, has_field, lint_kind, risk_report
from personae.models import parse_reference
from personae.studies._base import Card, studies

Level: TypeAlias = Literal["none", "encoder", "any", "weights"]
_OFFERS: Final[dict[Level, frozenset[str]]] = {
    "none": frozenset({"none", "encoder"}),
    "encoder": frozenset({"none", "encoder"}),
    "any": frozenset({"none", "encoder", "any"}),
    "weights": frozenset({"none", "encoder", "any", "weights"}),
}
"""levels a model satisfies; the encoder is a part of its own and needs no language model"""
_BUILDS: Final[tuple[tuple[PersonaKind, str, str, str], ...]] = (
    ("demographic", "one-line prompt", "conditioning.Prompt", "names.full"),
    ("demographic", "crowd of a population", "creation.Population", "provenance.recipe"),
    ("demographic", "prompt with traits", "conditioning.Prompt", "personal.big_five"),
    ("character", "prompt with description", "conditioning.Prompt", "description"),
    ("character", "prompt with examples and boundary", "creation.character_prompt", "demonstrations | style.examples"),
    ("individualized", "prompt with preferences", "conditioning.Prompt", "context.likes | context.dislikes"),
    ("individualized", "read-back from messages", "creation.read_back", "evidence"),
    ("individualized", "evidence added over time", "creation.individualize", "evidence"),
)
"""ways of building an agent that exist here: kind, name, capability, field needed"""


class BuildOption(Frozen):
    """A way of building an agent from the persona."""

    kind: PersonaKind
    name: str
    capability: str
    runnable: bool
    missing: tuple[str, ...]


class StudyOption(Frozen):
    """A registered study and whether it can run on the persona; `reasons` says why not, a line each."""

    study: str
    title: str
    kinds: tuple[PersonaKind, ...]
    model: Level
    cost: str
    metrics: tuple[str, ...]
    runnable: bool
    missing: tuple[str, ...]
    reasons: tuple[str, ...]
    command: tuple[str, ...]
    """the words of the command line that runs it"""


class RiskCheck(Frozen):
    """A risk that needs looking after."""

    risk: str
    status: str
    mitigations: tuple[str, ...]


class Plan(Frozen):
    """What can be done with a persona now, and what it would need for the rest."""

    persona: str
    kinds: PersonaKinds
    construction_options: tuple[BuildOption, ...]
    evaluation_suites: tuple[StudyOption, ...]
    risk_checks: tuple[RiskCheck, ...]
    data_needed: tuple[str, ...]

    @property
    def runnable(self) -> tuple[str, ...]:
        """Studies that can run now."""
        return tuple(s.study for s in self.evaluation_suites if s.runnable)


def model_level(reference: str) -> Level:
    """What kind of model a reference names: weights where we hold them, else any; `none` is none.

    >>> model_level("none"), model_level("smollm2"), model_level("fake:statistical")
    ('none', 'weights', 'any')
    """
    kind = parse_reference(reference).kind
    if kind == "none":
        return "none"
    if kind == "encoder":
        return "encoder"
    return "any" if kind in {"openai", "fake", "replay"} else "weights"


def plan_for(
    persona: Persona,
    *,
    model: str | None = None,
    kinds: PersonaKinds | None = None,
    risks: RiskReport | None = None,
) -> Plan:
    """Which studies, ways of building and checks fit a persona; `model` is the reference at hand, None: any model.

    `kinds` and `risks` save making them again.
    """
    found = kinds or classify(persona)
    looked = risks or risk_report(persona, found)
    level: Level = "weights" if model is None else model_level(model)
    suites = tuple(_option(card, persona, found, level, model) for card in _cards())
    builds = tuple(_build(persona, *row) for row in _BUILDS if row[0] in found.mix)
    blocked = [b for kind in found.mix for b in coverage(persona, kind).blockers]
    blocked += [
        f.hint for f in lint_kind(persona, found) if f.hint and f.severity == "error" and f.code.endswith("no_evidence")
    ]
    blocked += [f"study {s.study}: {path} is not set" for s in suites for path in s.missing]
    return Plan.model_construct(
        persona=persona.id,
        kinds=found,
        construction_options=builds,
        evaluation_suites=suites,
        risk_checks=tuple(
            RiskCheck.model_construct(risk=name, status=risk.status, mitigations=risk.mitigations)
            for name, risk in looked.items()
            if risk.status != "nothing found"
        ),
        data_needed=tuple(dict.fromkeys(blocked)),
    )


def _cards() -> list[Card]:
    return [card_of(name) for name in studies]


_CARDS: Final[dict[type, Card]] = {}


def card_of(name: str) -> Card:
    """The card of a registered study, read once."""
    study = studies.get(name)
    if study not in _CARDS:
        _CARDS[study] = study.card()
    return _CARDS[study]


def _option(card: Card, persona: Persona, found: PersonaKinds, level: Level, model: str | None) -> StudyOption:
    missing = tuple(path for path in card.needs.fields if not has_field(persona, path))
    reasons = [f"{path} is not set" for path in missing]
    if not set(card.kinds) & set(found.mix):
        share = ", ".join(f"{k} {found.weights[k]:.2f}" for k in found.mix)
        reasons.append(f"made for {' and '.join(card.kinds)} personas; this one is {share}")
    if card.needs.model not in _OFFERS[level]:
        reasons.append(f"needs a model of level {card.needs.model!r}; {model!r} is {level!r}")
    command = ("personae", "study", "run", card.name, "--out", f"{card.name}-run")
    return StudyOption.model_construct(
        study=card.name,
        title=card.title,
        kinds=card.kinds,
        model=card.needs.model,
        cost=card.cost,
        metrics=card.metrics,
        runnable=not reasons,
        missing=missing,
        reasons=tuple(reasons),
        command=command if model is None else (*command, "--model", model),
    )


def _build(persona: Persona, kind: PersonaKind, name: str, capability: str, needs: str) -> BuildOption:
    there = has_field(persona, needs)
    return BuildOption.model_construct(
        kind=kind, name=name, capability=capability, runnable=there, missing=() if there else (needs,)
    )
