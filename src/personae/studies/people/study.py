"""People drawn from a recipe, each with a written description; what was asked for, what was drawn, what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Final

from personae.core import JudgementRow, Measurement, PersonaRow, Row, derive_seed
from personae.creation import Crafted, Population, craft_description, describe_people, load_recipe, recipe_from_yaml
from personae.measures import written_measurements
from personae.reports import Page, population_page
from personae.runs import Unit
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe
from personae.studies.people.spec import PeopleSpec

WRITING: Final = "description"
"""judge of rows that say who wrote a description, and why a model's words were refused"""


@register
class People(Study):
    """See the module docstring."""

    name: ClassVar[str] = "people"
    Spec = PeopleSpec

    def asks(self, spec: PeopleSpec) -> bool:
        """Rules need no model."""
        return spec.writer == "model"

    def check(self, spec: PeopleSpec) -> None:
        """The recipe has to be sound."""
        _population(spec.recipe, spec.people, 0)

    def plan(self, spec: PeopleSpec, seed: int) -> Sequence[Stage]:
        """Blocks of people."""
        del seed
        blocks = range(0, spec.people, spec.block)
        units = tuple(Unit(f"people/{k:07d}", "people", k) for k in blocks)
        return (Stage("people", units, calls=spec.people * spec.attempts if spec.writer == "model" else 0),)

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One block: draw, write, keep who wrote and what was refused."""
        spec: PeopleSpec = bench.spec
        population = _population(spec.recipe, spec.people, bench.seed)
        rows: list[Row] = []
        numbers = range(unit.payload, min(unit.payload + spec.block, spec.people))
        people = [population.person(k) for k in numbers]
        phrased = describe_people(people, numbers, seed=bench.seed)
        for k, person, text in zip(numbers, people, phrased, strict=True):
            made = Crafted(text, "grammar", 0)
            if spec.writer == "model":
                seed = derive_seed(bench.seed, WRITING, k)
                made = await craft_description(bench.model, person, seed, attempts=spec.attempts)
            told = person.model_copy(update={"description": made.text})
            rows.append(PersonaRow.of(told, unit=unit.key, k=k, role="subject"))
            rows.append(
                JudgementRow(
                    unit=unit.key, conversation="", persona_id=told.id, condition=spec.writer, judge=WRITING,
                    subject=WRITING, verdict=made.writer, value=float(made.attempts),
                    agreement=", ".join(made.reasons) or "every fact stands in it",
                )
            )  # fmt: skip
        return rows

    def after(self, stage: Stage, bench: Bench) -> Sequence[str]:
        """Fit and writers."""
        spec: PeopleSpec = bench.spec
        fit = _population(spec.recipe, spec.people, bench.seed).fit(bench.with_role("subject"))
        writers = Counter(r.verdict for r in bench.run.rows(JudgementRow) if r.judge == WRITING)
        told = ", ".join(f"{'rules' if who == 'template' else who} {n}" for who, n in sorted(writers.items()))
        return [
            f"{stage.name}: hard quotas {'exact' if fit.hard_exact else 'NOT exact'} over {fit.people:,} people",
            f"descriptions by: {told}",
        ]

    def measure(self, bench: Bench) -> list[Measurement]:
        """Who wrote, and how far people are from the margins; the report compares their texts."""
        spec: PeopleSpec = bench.spec
        fit = _population(spec.recipe, spec.people, bench.seed).fit(bench.with_role("subject"))
        writers = [r for r in bench.run.rows(JudgementRow) if r.judge == WRITING]
        return written_measurements(fit, writers, model=bench.reference, seed=bench.seed)

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """All of it: there is little."""
        return [describe(m) for m in measurements]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """The population's own report, with cost and environment."""
        spec: PeopleSpec = bench.spec
        population = _population(spec.recipe, spec.people, bench.seed)
        people = bench.with_role("subject")
        ends = [s for s in closing_sections(bench) if s.id != "limits"]
        fit = population.fit(people) if people else population.fit()
        return population_page(population, fit, sample=people, measurements=measurements, sections=ends)


@lru_cache(maxsize=2)
def _population(recipe: str, n: int, seed: int) -> Population:
    """Drawn again by every process; the same recipe, n and seed are the same people."""
    return Population(recipe_from_yaml(recipe) if "\n" in recipe else load_recipe(recipe), n=n, seed=seed)
