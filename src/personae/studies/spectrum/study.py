"""Which part of a profile carries a person: statements under seven subsets, matched with the people they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from personae.conditioning import NoPersona, Prompt, embody
from personae.core import (
    DOMAINS,
    Instrument,
    JudgementRow,
    Measurement,
    Persona,
    PersonaRow,
    ResponseRow,
    Row,
    StatementRow,
    derive_rng,
    derive_seed,
)
from personae.creation import (
    SUBSETS,
    assemble_profile,
    gallery_answers,
    load_gallery,
    load_profiles,
    subset_view,
    write_statements,
)
from personae.instruments import (
    FitJudge,
    administer,
    elicit_statements,
    fit_pairs,
    judge_fit,
    load_inventory,
    score_statements,
    statement_sets,
)
from personae.measures import (
    fit_measurements,
    identity_measurements,
    likelihood_identity_measurements,
    round_trip_measurements,
    statement_measurements,
)
from personae.models import open_encoder
from personae.reports import DataTable, Page, Section, results_section
from personae.runs import Unit
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.spectrum.spec import SpectrumSpec

ASKED: Final = ("P", "C", "SPC")
RULES: Final = "Speak as yourself, in the first person."


@register
class Spectrum(Study):
    """See the module docstring."""

    name: ClassVar[str] = "spectrum"
    Spec = SpectrumSpec

    def asks(self, spec: SpectrumSpec) -> bool:
        """Only statements by a model, likelihoods, a judge and the round trip need one."""
        return spec.writer == "model" or spec.likelihood or spec.round_trip or spec.judge != "none"

    def check(self, spec: SpectrumSpec) -> None:
        """Inventories, profiles and the encoder have to be there."""
        self._inventories(spec)
        open_encoder(spec.encoder)
        self._count(spec)

    def plan(self, spec: SpectrumSpec, seed: int) -> Sequence[Stage]:
        """People; statements of each under each subset; their likelihood under every full profile; the inventory."""
        del seed
        n = self._count(spec)
        told = [Unit(f"statements/{s}/{k}", "statements", (s, k)) for k in range(n) for s in SUBSETS]
        stages = [
            Stage("people", (Unit("people", "people"),), calls=0),
            Stage("statements", tuple(told), calls=len(told) if spec.writer == "model" else 0, needs=("people",)),
        ]
        if spec.likelihood:
            units = [Unit(f"likelihood/{k}", "likelihood", k) for k in (-1, *range(n))]
            stages.append(Stage("likelihood", tuple(units), calls=len(units) * len(SUBSETS)))
        if spec.judge != "none":
            units = [Unit(f"judge/{k}", "judge", k) for k in range(n)]
            each = 1 if spec.judge == "options" else 4 * 2 * spec.judged * len(SUBSETS)
            stages.append(Stage("judge", tuple(units), calls=each * n))
        if spec.round_trip:
            units = [Unit(f"inventory/{s}/{k}", "inventory", (s, k)) for k in range(n) for s in ASKED]
            stages.append(Stage("inventory", tuple(units), calls=len(units), needs=("people",)))
        return stages

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        verbs = {
            "people": self._people, "statements": self._statements, "likelihood": self._likelihood,
            "judge": self._judge, "inventory": self._inventory,
        }  # fmt: skip
        return await verbs[unit.stage](unit, bench)

    @staticmethod
    def _inventories(spec: SpectrumSpec) -> tuple[Instrument, Instrument]:
        traits = load_inventory(spec.traits, spec.traits_text, ask=spec.round_trip)
        return traits, load_inventory(spec.values, spec.values_text)

    @staticmethod
    def _count(spec: SpectrumSpec) -> int:
        return len(load_profiles(spec.profiles)) if spec.profiles else min(spec.people, len(load_gallery()))

    async def _people(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: SpectrumSpec = bench.spec
        traits, values = self._inventories(spec)
        if spec.profiles:
            answers = load_profiles(spec.profiles)
        else:
            answers = gallery_answers(spec.people, traits, values, bench.seed)
        people = [assemble_profile(a, traits, values, floor=spec.floor, centre=spec.centre) for a in answers]
        return [PersonaRow.of(p, unit=unit.key, k=k, role="subject") for k, p in enumerate(people)]

    async def _statements(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        subset, k = unit.payload
        spec: SpectrumSpec = bench.spec
        person = bench.with_role("subject")[k]
        view = subset_view(subset)
        seed = derive_seed(bench.seed, "statements", subset, k) % 2**31
        if spec.writer == "grammar":
            return write_statements(person, view, seed, unit=unit.key, condition=subset, each=spec.each)
        method = Prompt(view=view, budget=spec.budget, rules=RULES)
        async with embody(person, method, bench.model, name="someone", label=subset) as actor:
            return await elicit_statements(actor, seed=seed, unit=unit.key, each=spec.each)

    async def _likelihood(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        k = int(unit.payload)
        spec: SpectrumSpec = bench.spec
        person = None if k < 0 else bench.with_role("subject")[k]
        method = NoPersona(control="empty_system") if person is None else Prompt(budget=spec.budget, rules=RULES)
        rows: list[Row] = []
        async with embody(person, method, bench.model, name="someone", label="SPC" if person else "nobody") as actor:
            said = statement_sets(list(bench.run.rows(StatementRow)), each=(spec.scored + 1) // 2)
            for subset in SUBSETS:
                ids = sorted(p.id for p in bench.with_role("subject"))
                texts = [" ".join(said.get((subset, p), ["I do not know."])) for p in ids]
                seed = derive_seed(bench.seed, "likelihood", subset)
                rows.append(await score_statements(actor, texts, seed=seed, unit=unit.key, item=subset))
        return rows

    async def _inventory(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        subset, k = unit.payload
        spec: SpectrumSpec = bench.spec
        method = Prompt(view=subset_view(subset), budget=spec.budget, rules=RULES)
        person = bench.with_role("subject")[k]
        async with embody(person, method, bench.model, name="someone", label=subset) as actor:
            traits, _ = self._inventories(spec)
            return await administer(actor, traits, seed=derive_seed(bench.seed, "inventory"), unit=unit.key)

    @staticmethod
    async def _judge(unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: SpectrumSpec = bench.spec
        people = bench.with_role("subject")
        beside = people[int(unit.payload)]
        said = list(bench.run.rows(StatementRow))
        pairs = fit_pairs(said, [p.id for p in people], per=spec.judged, seed=bench.seed)
        own = [p for p in pairs if p.profile_id == beside.id]
        judge = FitJudge(bench.model, by="json" if spec.judge == "json" else "options")
        shown = beside.render(subset_view("SPC"), "third_person", spec.budget, bench.model.count_tokens)
        return await judge_fit(judge, own, shown, unit=unit.key, seed=derive_seed(bench.seed, "judge") % 2**31)

    def measure(self, bench: Bench) -> list[Measurement]:
        """Identity under each subset with controls and contrasts; the statements as text; the round trip."""
        spec: SpectrumSpec = bench.spec
        people = bench.with_role("subject")
        statements = sorted(bench.run.rows(StatementRow), key=lambda r: SUBSETS.index(r.condition))
        encoder = open_encoder(spec.encoder)
        writer = bench.reference if spec.writer == "model" else "rules"
        shared: dict[str, Any] = {"model": writer, "seed": bench.seed}
        full = {p.id: p.render(subset_view("SPC"), "second_person") for p in people}
        shown = {(s, p.id): p.render(subset_view(s), "second_person") for s in SUBSETS for p in people}
        out = [
            *identity_measurements(statements, full, encoder.encode, backend=encoder.name, **shared),
            *statement_measurements(statements, shown, **shared),
        ]
        responses = list(bench.run.rows(ResponseRow))
        if spec.likelihood:
            out += likelihood_identity_measurements(responses, model=bench.reference, seed=bench.seed)
        out += fit_measurements(list(bench.run.rows(JudgementRow)), model=bench.reference, seed=bench.seed)
        if spec.round_trip:
            out += round_trip_measurements(
                responses, {p.id: _domains(p) for p in people}, self._inventories(spec)[0], ASKED,
                model=bench.reference, seed=bench.seed,
            )  # fmt: skip
        return out

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """Who is found under which part of the profile, with ceiling and chance."""
        wanted = [f"identity.top1.{s}" for s in (*SUBSETS, "verbatim", "shuffled")]
        wanted += ["judge_fit.told_apart", *(f"judged_fit.{s}" for s in SUBSETS), "judged_fit.exchanged"]
        wanted += [f"round_trip.{s}" for s in ASKED]
        return [describe(m) for name in wanted for m in measurements if m.name == name]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people, ablation table, contrasts, statements, cost, limits."""
        spec: SpectrumSpec = bench.spec
        pairs = [m for m in measurements if "_minus_" in m.name]
        single = [m for m in measurements if m not in pairs]
        own = [m for m in single if m.name.startswith(("identity", "self_consistency"))]
        judged = [m for m in single if m.name.startswith("judge")]
        rest = [m for m in single if m not in own and m not in judged]
        return Page(
            "Which part of a profile carries a person?",
            f"{self._count(spec)} people, seven subsets, statements by {spec.writer}, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), DESIGN),
                results_section(own, section="identity", title="Owner found from statements", reference=None),
                *([results_section(judged, section="judge", title="Judged", reference=None)] if judged else []),
                results_section(pairs, section="contrasts", title="Differences between subsets"),
                results_section(rest, section="statements", title="Statements as text, and the round trip"),
                _examples(bench),
                *closing_sections(bench),
            ],
        )


DESIGN: Final = """
A profile has three parts: the groups somebody belongs to (**S**), two scored inventories told in everyday words
(**P**), and what they love, hate and do on two kinds of days (**C**). Under each of the seven subsets the person
answers "Who am I?" with open and hidden statements, knowing only that subset. Each set of statements is then matched
with the full profiles of everybody. The profile's own text is the ceiling, statements with exchanged owners are chance.
A judge, if there is one, reads single statements beside the speaker's full profile and beside somebody else's.
"""


def _domains(person: Persona) -> dict[str, float]:
    return {s.scale: s.value for s in person.personal.psychometrics if s.scale in DOMAINS}


def _examples(bench: Bench) -> Section:
    person = derive_rng(bench.seed, "example").choice([p.id for p in bench.with_role("subject")])
    rows = [
        (r.condition, r.kind.replace("_", " "), r.text)
        for r in bench.run.rows(StatementRow)
        if r.persona_id == person and r.index < 2
    ]
    return Section(
        "examples", "One person, drawn by seed", [DataTable(("Told", "Self", "Statement"), rows, "Statements")]
    )
