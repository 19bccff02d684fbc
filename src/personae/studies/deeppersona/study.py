"""DeepPersona: deep people, ways of choosing their attributes, and the national-citizen protocol."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from personae.conditioning import Prompt, answer_survey
from personae.core import (
    Condition,
    InputError,
    Measurement,
    Persona,
    PersonaRow,
    ResponseRow,
    Row,
    SlotRow,
    derive_seed,
)
from personae.creation import (
    DeepPeople,
    NarrativeBudget,
    Population,
    Sampling,
    parse_anchors,
    respondent_people,
    write_values,
)
from personae.instruments import Survey, load_survey
from personae.measures import (
    choice_measurements,
    choice_rows,
    chosen_tables,
    citizen_measurements,
    depth_measurements,
    in_country,
    read_humans,
)
from personae.models import open_encoder
from personae.reports import Page, grouped_results
from personae.runs import Unit
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.deeppersona.spec import DeepPersonaSpec

NOBODY: Final = "no_persona"
CITIZEN: Final = "country"
DEEP: Final = "deep"
MIXED: Final[Sampling] = "5:3:2"
SAMPLINGS: Final[tuple[Sampling, ...]] = ("5:3:2", "near", "uniform")
DEPTHS: Final = (10, 50, 100, 200, 300)
RULES: Final = "Answer the question as yourself, with one of the answers given."


@register
class DeepPersona(Study):
    """See above; `card.yaml` lists the claims."""

    name: ClassVar[str] = "deeppersona"
    Spec = DeepPersonaSpec

    def asks(self, spec: DeepPersonaSpec) -> bool:
        """Only the model writer and the survey ask."""
        return spec.writer == "model" or spec.survey

    def check(self, spec: DeepPersonaSpec) -> None:
        """Encoders, anchors, budget and the human file are looked at before anything is made."""
        open_encoder(spec.encoder)
        parse_anchors(spec.anchors)
        if spec.least_words > spec.most_words:
            raise InputError(
                f"least_words {spec.least_words} is above most_words {spec.most_words}.", hint="Swap them."
            )
        survey = _survey(spec.questions)
        if spec.people_from == "humans":
            if not spec.humans:
                raise InputError("people_from=humans, and no file of them.", hint="Set humans=FILE.csv.")
            for place in range(len(_countries(spec))):
                _crowd(spec.model_dump_json(), 0, place)
        elif len(_countries(spec)) > 1:
            raise InputError("several countries, and one recipe for all.", hint="Set people_from=humans.")
        if spec.humans:
            read_humans(Path(spec.humans), survey, _countries(spec))

    def plan(self, spec: DeepPersonaSpec, seed: int) -> Sequence[Stage]:
        """People one by one; choices by way, depth and seed; three conditions of the survey."""
        del seed
        countries = range(len(_countries(spec)))
        batches = -(-spec.depth // spec.batch) + 6
        crowd = [(place, k) for place in countries for k in range(spec.people)]
        calls = len(crowd) * batches * 2 if spec.writer == "model" else 0
        stages = [Stage("people", tuple(Unit(f"people/{k}", "people", c) for k, c in enumerate(crowd)), calls=calls)]
        if spec.choices:
            units = [Unit(f"choice/{r}", "choice", r) for r in range(spec.choice_seeds)]
            stages.append(Stage("choice", tuple(units), calls=0, needs=()))
        if spec.survey:
            asked = [Unit(f"survey/{NOBODY}", "survey", (NOBODY, 0, None))]
            asked += [Unit(f"survey/{CITIZEN}/{place}", "survey", (CITIZEN, place, None)) for place in countries]
            asked += [Unit(f"survey/{DEEP}/{k}", "survey", (DEEP, c[0], k)) for k, c in enumerate(crowd)]
            calls = len(asked) * len(_survey(spec.questions).items)
            stages.append(Stage("survey", tuple(asked), calls=calls, needs=("people",)))
        return tuple(stages)

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        if unit.stage == "people":
            return await self._person(unit, bench)
        if unit.stage == "choice":
            return self._choice(unit, bench)
        return await self._survey(unit, bench)

    async def _person(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: DeepPersonaSpec = bench.spec
        place, k = unit.payload
        person = _crowd(spec.model_dump_json(), bench.seed, place)[k]
        if spec.writer == "model":
            async with bench.model.session(unit.key):
                person = await write_values(
                    bench.model, person, derive_seed(bench.seed, unit.key), batch=spec.batch, budget=_budget(spec)
                )
        return [PersonaRow.of(person, unit=unit.key, k=place * spec.people + k, role="subject")]

    def _choice(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: DeepPersonaSpec = bench.spec
        seed = derive_seed(bench.seed, "choice", unit.payload)
        population = Population(spec.recipe, n=spec.choice_people, seed=seed)
        encoder = open_encoder(spec.encoder)
        compared: list[tuple[Sampling, int]] = [(s, spec.choice_depth) for s in SAMPLINGS]
        compared.extend((MIXED, depth) for depth in DEPTHS)
        crowds = [
            DeepPeople(population, depth=depth, sampling=sampling, encoder=encoder, budget=None)
            for sampling, depth in dict.fromkeys(compared)
        ]
        return choice_rows(crowds, unit.payload, judge=open_encoder(spec.judge_encoder), unit=unit.key)

    async def _survey(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        condition, place, k = unit.payload
        spec: DeepPersonaSpec = bench.spec
        country, survey = _countries(spec)[place], _survey(spec.questions)
        person = None if k is None else bench.with_role("subject")[k]
        method: Condition = Prompt(cue_style="written", budget=spec.persona_tokens, rules=RULES)
        if k is None:
            method = Prompt(rules=f"You are a citizen of {country}. {RULES}" if condition == CITIZEN else RULES)
        label = condition if condition == NOBODY else in_country(condition, country)
        seed = derive_seed(bench.seed, "survey")
        return await answer_survey(person, survey, method, bench.model, label=label, seed=seed, unit=unit.key)

    def after(self, stage: Stage, bench: Bench) -> Sequence[str]:
        """How deep the people are."""
        if stage.name != "people":
            return ()
        people = bench.with_role("subject")
        depths = [len(p.ext["deep"]["marks"]) for p in people]
        failed = sum(len(p.ext["deep"]["failed_batches"]) for p in people)
        return [f"people: {len(people)} with {min(depths)} to {max(depths)} attributes; {failed} batch(es) failed"]

    def measure(self, bench: Bench) -> list[Measurement]:
        """Depth and consistency of people, ways of choosing, distances to human answers."""
        shared: dict[str, Any] = {"model": bench.reference, "seed": bench.seed}
        spec: DeepPersonaSpec = bench.spec
        out = depth_measurements(bench.with_role("subject"), **shared)
        out += choice_measurements(chosen_tables(list(bench.run.rows(SlotRow))), **shared)
        responses = list(bench.run.rows(ResponseRow))
        if responses and spec.humans:
            survey = _survey(spec.questions)
            humans = read_humans(Path(spec.humans), survey, _countries(spec)).answers
            controls = (NOBODY, CITIZEN)
            out += citizen_measurements(responses, survey.items, humans, deep=DEEP, controls=controls, **shared)
        return out

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """The main numbers, whichever way they went."""
        wanted = ("depth.attributes", "depth.violations", "tone.negative")
        stems = ("choice.coverage_at_10.532_minus", "choice.jaccard.532_minus", "choice.incoherence.532_minus")
        picked = [m for m in measurements if m.name in wanted or m.name.startswith(stems)]
        told = (m for m in measurements if m.name.count(".") == 2 and ".deep_minus" in m.name)
        return [describe(m) for m in [*picked, *told]]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people, results, failures, cost, environment, limits."""
        spec: DeepPersonaSpec = bench.spec
        groups = (
            ("depth", "Depth, consistency and tone", ("depth.", "tone.", "uniqueness.", "source.")),
            ("choice", "Ways of choosing attributes", ("choice.",)),
            ("citizens", "Distance to people's answers", ("citizen.",)),
        )
        design = DESIGN
        if spec.survey and not spec.humans:
            design += "\nNo file of human answers was given, so the answers are recorded but no distance is computed.\n"
        return Page(
            "Are deep people deep, unlike each other, and like real citizens?",
            f"{spec.people} people from {spec.recipe}, {bench.reference}, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), design),
                *grouped_results(measurements, groups),
                *closing_sections(bench),
            ],
        )


DESIGN: Final = """
Anchors come from a population. A core follows: one value in a tone drawn from three, an attitude, stories with dated
events, interests. Leaves of a taxonomy are ranked by their nearness to the core, cut into thirds and drawn 5:3:2, and
filled in an order in which every value knows all that it depends on.

Ways of choosing are compared on the same people, over seeds, without writing them. In the survey the same questions
are answered by option likelihood by nobody, by "a citizen of" the country, and by every person.
"""


@lru_cache(maxsize=4)
def _survey(name: str) -> Survey:
    shipped = DeepPersona.folder() / "data" / f"{name}.yaml"
    return load_survey(shipped if shipped.is_file() else Path(name))


def _countries(spec: DeepPersonaSpec) -> list[str]:
    return list(dict.fromkeys(filter(None, (c.strip() for c in spec.country.split(",")))))


def _budget(spec: DeepPersonaSpec) -> NarrativeBudget:
    return NarrativeBudget(least=spec.least_words, most=spec.most_words)


@lru_cache(maxsize=64)
def _crowd(settings: str, seed: int, place: int) -> DeepPeople:
    spec = DeepPersonaSpec.model_validate_json(settings)
    country = _countries(spec)[place]
    people: Population | list[Persona] = Population(spec.recipe, n=spec.people, seed=seed)
    if spec.people_from == "humans":
        told = read_humans(Path(spec.humans), _survey(spec.questions), _countries(spec)).people[country]
        people = respondent_people(told, country, spec.people, seed)
    return DeepPeople(
        people,
        depth=spec.depth,
        anchors=parse_anchors(spec.anchors),
        sampling=spec.sampling,
        encoder=open_encoder(spec.encoder),
        core_vector=spec.core_vector,
        budget=_budget(spec),
        seed=seed,
    )
