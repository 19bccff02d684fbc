"""The main job in one command: a population answers, talks, and is measured with controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from personae.conditioning import NoPersona, Prompt, embody
from personae.core import (
    Condition,
    ConversationRow,
    FitRow,
    Measurement,
    Persona,
    PersonaRow,
    ProbeRow,
    ResponseRow,
    Row,
    TurnRow,
    derive_rng,
    derive_seed,
)
from personae.creation import Population, SchemaSampler, load_recipe, situate, swapped_trait_twins
from personae.instruments import administer, load_instrument
from personae.measures import (
    dialogue_measurements,
    drift_measurements,
    intended_against_answered,
    trait_measurements,
    trait_table,
)
from personae.models import Sampling
from personae.reports import Page, Point, ScatterChart, Section, results_section
from personae.runs import Unit
from personae.simulation import Dialogue, Mode, converse
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.demo.spec import DemoSpec

CONTROLS: Final = ("template_default", "empty_system")
MODES: Final[tuple[Mode, ...]] = ("ecp", "concat")
CLIENT_RULES: Final = (
    "You have come to talk with someone about what is on your mind. Speak as yourself, in the first person. One or two "
    "short sentences at a time. When you have nothing more to say, thank them and say goodbye."
)
RESPONDER_RULES: Final = (
    "You are talking with someone who has something on their mind. Listen and ask short questions. One or two short "
    "sentences at a time. When they say goodbye, say goodbye too."
)


@register
class Demo(Study):
    """See the module docstring."""

    name: ClassVar[str] = "demo"
    Spec = DemoSpec

    def plan(self, spec: DemoSpec, seed: int) -> Sequence[Stage]:
        """People; inventory as self, twin and nobody; conversations under both projections."""
        del seed
        asked = [Unit(f"inventory/{c}", "inventory", (c, None)) for c in CONTROLS]
        asked += [Unit(f"inventory/{c}/{k}", "inventory", (c, k)) for k in range(spec.people) for c in ("self", "twin")]
        talks = [Unit(f"dialogue/{m}/{k}", "dialogue", (m, k)) for k in range(spec.talking) for m in MODES]
        return (
            Stage("people", (Unit("people", "people"),), calls=0),
            Stage("inventory", tuple(asked), calls=len(asked), needs=("people",)),
            Stage("dialogue", tuple(talks), calls=len(talks) * (spec.turns + 3), needs=("people",)),
        )

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        if unit.stage == "people":
            return self._people(unit, bench)
        if unit.stage == "inventory":
            return await self._inventory(unit, bench)
        return await self._dialogue(unit, bench)

    def _people(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: DemoSpec = bench.spec
        population = Population(load_recipe(spec.recipe), n=spec.people, seed=bench.seed)
        sampler = SchemaSampler("spasm_schema", bench.seed)
        people = [situate(person, sampler, k) for k, person in enumerate(population)]
        twins = swapped_trait_twins(people, derive_rng(bench.seed, "twins"))
        rows: list[Row] = []
        for k, (person, twin) in enumerate(zip(people, twins, strict=True)):
            rows.append(PersonaRow.of(person, unit=unit.key, k=k, role="subject"))
            rows.append(PersonaRow.of(twin, unit=unit.key, k=k, role="twin", twin_of=person.id))
        return [*rows, *population.fit(people, unit=unit.key).rows]

    async def _inventory(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        label, k = unit.payload
        method: Condition = Prompt() if k is not None else NoPersona(control=label)
        person = None if k is None else bench.with_role("twin" if label == "twin" else "subject")[k]
        instrument = load_instrument(bench.spec.instrument)
        async with embody(person, method, bench.model, label=label) as actor:
            return await administer(actor, instrument, seed=derive_seed(bench.seed, "inventory"), unit=unit.key)

    async def _dialogue(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        mode, k = unit.payload
        spec: DemoSpec = bench.spec
        people = bench.with_role("subject")
        sampling = Sampling(temperature=0.7, max_tokens=spec.line_tokens)
        dialogue = Dialogue(
            client=Prompt(rules=CLIENT_RULES),
            responder=Prompt(rules=RESPONDER_RULES),
            client_sampling=sampling,
            responder_sampling=sampling,
            utterances=spec.turns,
            moments=("first", "last"),
        )
        return await converse(
            dialogue,
            people[k],
            bench.model,
            mode=mode,
            unit=unit.key,
            seed=derive_seed(bench.seed, "talk", k),
            pool=people,
        )

    def after(self, stage: Stage, bench: Bench) -> Sequence[str]:
        """How the margins fit, once people exist."""
        if stage.name != "people":
            return ()
        rows = list(bench.run.rows(FitRow))
        worst = max((abs(r.count - r.target_count) for r in rows if r.hard), default=0.0)
        lines = [
            (
                f"people: {bench.spec.people} drawn from {bench.spec.recipe}; "
                f"hard quotas off by at most {worst:.0f} person(s)"
            )
        ]
        lines += [
            f"  {r.margin:<22} {r.cell:<28} asked {r.target_share:6.1%}  got {r.count / bench.spec.people:6.1%}"
            for r in rows
            if r.hard
        ]
        return lines

    def measure(self, bench: Bench) -> list[Measurement]:
        """Trait recovery with its controls; echo, swaps and drift with paired contrasts."""
        people, twins = _people_and_twins(bench)
        instrument = load_instrument(bench.spec.instrument)
        shared: dict[str, Any] = {"model": bench.reference, "seed": bench.seed}
        conversations = list(bench.run.rows(ConversationRow))
        return [
            *trait_measurements(list(bench.run.rows(ResponseRow)), people, twins, instrument, **shared),
            *dialogue_measurements(conversations, list(bench.run.rows(TurnRow)), {p.id: p for p in people}, **shared),
            *drift_measurements(list(bench.run.rows(ProbeRow)), **shared),
        ]

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """The main numbers, whichever way they went."""
        wanted = (
            "trait_recovery.self",
            "trait_recovery.swap",
            "echo_copy.ecp_minus_concat",
            "role_swap.ecp_minus_concat",
        )
        return [describe(m) for name in wanted for m in measurements if m.name == name]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people, results, conversations, failures, cost, environment, limits."""
        traits = [m for m in measurements if m.name.startswith(("trait_", "persona_", "reliability", "answers"))]
        talk = [m for m in measurements if m not in traits]
        return Page(
            "Do people from a population stay themselves on this model?",
            f"{bench.spec.people} people from {bench.spec.recipe}, {bench.reference}, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), DESIGN),
                results_section(traits, section="traits", title="Traits: given and answered"),
                _scatter(bench),
                results_section(talk, section="dialogue", title="Conversations: egocentric against shared transcript"),
                *closing_sections(bench),
            ],
        )


DESIGN: Final = """
Each person answers the inventory by option likelihood **as themselves** and as a **twin** with the same demographics
and somebody else's traits. Two controls answer once without a persona: the template's own default text, and an empty
system message.

Some people also talk with a responder about their day, twice with the same seeds: once each side sees the
conversation from its own side (`ecp`), once both see one shared transcript with fixed roles (`concat`). Nothing else
differs. On forks of the log, at the first and last line, the client answers closed questions about its record.
"""


def _people_and_twins(bench: Bench) -> tuple[list[Persona], dict[str, Persona]]:
    twins = {r.twin_of: bench.people["twin", r.persona_id] for r in bench.run.rows(PersonaRow) if r.twin_of}
    return bench.with_role("subject"), twins


def _scatter(bench: Bench) -> Section:
    people, _ = _people_and_twins(bench)
    traits = {p.id: p.personal.big_five.scores() for p in people if p.personal.big_five}
    instrument = load_instrument(bench.spec.instrument)
    table = trait_table(list(bench.run.rows(ResponseRow)), traits, instrument, "self")
    names = {p.id: p.name for p in people}
    points = [Point(x, y, f"{names[who]}, {domain}", domain) for who, domain, x, y in intended_against_answered(table)]
    chart = ScatterChart(
        points, "given T-score", "answered scale mean", "Given against answered traits, one mark per person and domain"
    )
    return Section("scatter", "Every person, every domain", [chart])
