"""SPASM: people from a schema, crafted, talk under ECP and CONCAT with paired seeds; audit, measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from personae.conditioning import Prompt
from personae.core import (
    CLEAN,
    ConversationRow,
    JudgementRow,
    Measurement,
    PersonaRow,
    ProbeRow,
    Row,
    SlotRow,
    TurnRow,
    derive_seed,
)
from personae.creation import SchemaSampler, craft_description
from personae.instruments import YesNoJudge, validate_closing_judge
from personae.measures import (
    audit_measurements,
    closing_rule_measurements,
    dialogue_measurements,
    drift_measurements,
    path_drift_measurements,
    recoverability_measurements,
    rejection_measurement,
    talks,
)
from personae.models import Sampling, open_encoder
from personae.reports import DataTable, Page, Section, results_section
from personae.runs import Unit
from personae.simulation import Dialogue, Mode, audit_rows, converse, converse_until_clean
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.spasm.spec import SpasmSpec

MODES: Final[tuple[Mode, ...]] = ("ecp", "concat")
AGAIN: Final = "again"
"""stage and condition of conversations held again because an audit flagged them; for the data set, not measured"""
QUESTION: Final = "Have the two speakers said goodbye, so that the conversation is over?"


@register
class Spasm(Study):
    """See the module docstring; `card.yaml` lists the claims."""

    name: ClassVar[str] = "spasm"
    Spec = SpasmSpec

    @classmethod
    def rules(cls) -> tuple[str, str]:
        """How the client and the responder are told to behave."""
        return cls.prompt("client"), cls.prompt("responder")

    def check(self, spec: SpasmSpec) -> None:
        """The encoder is asked last and may be missing: better known first."""
        open_encoder(spec.encoder)

    def plan(self, spec: SpasmSpec, seed: int) -> Sequence[Stage]:
        """People, the judge's check, conversations in pairs, the audit."""
        del seed
        people = [Unit(f"people/{k}", "people", k) for k in range(spec.people)]
        pairs = [
            Unit(f"dialogue/{mode}/{k}/{c}", "dialogue", (mode, k, c))
            for k in range(spec.people)
            for c in range(spec.conversations)
            for mode in MODES
        ]
        stages = [Stage("people", tuple(people), calls=len(people) if spec.crafter == "model" else 0)]
        if spec.terminator == "rules+judge":
            stages.append(Stage("judge", (Unit("judge", "judge"),), calls=1))
        stages.append(Stage("dialogue", tuple(pairs), calls=len(pairs) * (spec.utterances + 3)))
        stages.append(Stage("audit", (Unit("audit", "audit"),), calls=0))
        if spec.regenerate:
            again = [
                Unit(f"again/{u.payload[1]}/{u.payload[2]}", AGAIN, u.payload) for u in pairs if u.payload[0] == "ecp"
            ]
            stages.append(Stage(AGAIN, tuple(again), calls=len(again) * (spec.utterances + 3) * spec.regenerate))
        return tuple(stages)

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        if unit.stage == "people":
            return await self._person(unit, bench)
        if unit.stage == "judge":
            return await validate_closing_judge(_judge(bench), unit=unit.key)
        if unit.stage == "audit":
            conversations, turns = list(bench.run.rows(ConversationRow)), list(bench.run.rows(TurnRow))
            people = {p.id: p for p in bench.with_role("client")}
            return audit_rows(conversations, turns, people, rules=self.rules(), unit=unit.key)
        if unit.stage == AGAIN:
            return await self._again(unit, bench)
        return await self._dialogue(unit, bench)

    async def _person(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: SpasmSpec = bench.spec
        sampler = SchemaSampler(spec.schema_name, bench.seed)
        person = sampler.person(unit.payload)
        rows: list[Row] = list(sampler.slots(unit.payload, unit=unit.key))
        if spec.crafter == "model":
            async with bench.model.session(unit.key):
                written = await craft_description(bench.model, person, derive_seed(bench.seed, unit.key))
            rows.append(
                JudgementRow(
                    unit=unit.key,
                    conversation="",
                    persona_id=person.id,
                    condition="crafter",
                    judge="craft_faults",
                    subject="description",
                    verdict=str(written.reason or "kept"),
                    agreement="rule",
                )
            )
            person = person.model_copy(update={"description": written.text})
        rows.append(PersonaRow.of(person, unit=unit.key, k=unit.payload, role="client"))
        return rows

    async def _dialogue(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        mode, k, c = unit.payload
        people = bench.with_role("client")
        scene, seed = self._scene(bench), derive_seed(bench.seed, "talk", k, c)
        return await converse(scene, people[k], bench.model, mode=mode, unit=unit.key, seed=seed, pool=people)

    def _scene(self, bench: Bench) -> Dialogue:
        """The scene, the same under both projections."""
        spec: SpasmSpec = bench.spec
        client, responder = self.rules()
        sampling = Sampling(temperature=spec.temperature, max_tokens=spec.line_tokens)
        return Dialogue(
            client=Prompt(cue_style="written" if spec.crafter == "model" else "second_person", rules=client),
            responder=Prompt(rules=responder),
            client_sampling=sampling,
            responder_sampling=sampling,
            utterances=spec.utterances,
            minimum=spec.minimum,
            window=spec.window,
            retries=spec.retries,
            guarded=spec.guarded,
            judge=_validated(bench) if spec.terminator == "rules+judge" else None,
        )

    async def _again(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        mode, k, c = unit.payload
        if f"dialogue/{mode}/{k}/{c}" not in bench.flagged:
            return ()
        people = bench.with_role("client")
        return await converse_until_clean(
            replace(self._scene(bench), probes=False),
            people[k],
            bench.model,
            tries=bench.spec.regenerate,
            rules=self.rules(),
            mode=mode,
            unit=unit.key,
            seed=derive_seed(bench.seed, "talk", k, c),
            pool=people,
            label=AGAIN,
        )

    def after(self, stage: Stage, bench: Bench) -> Sequence[str]:
        """How often the rules rejected a draw; how the judge agrees with the labelled set."""
        if stage.name == "people":
            slots = list(bench.run.rows(SlotRow))
            rejected = [s.rule for s in slots if not s.accepted]
            common = ", ".join(f"{rule} {n}" for rule, n in Counter(rejected).most_common(3))
            return [
                f"people: {bench.spec.people} accepted of {len(slots)} draws; most broken rules: {common or 'none'}"
            ]
        if stage.name == AGAIN:
            tried = {c.unit for c in bench.run.rows(ConversationRow) if c.condition == AGAIN}
            clean = {j.unit for j in bench.run.rows(JudgementRow) if j.condition == AGAIN and j.verdict == CLEAN}
            return [f"audit: {len(tried)} ecp conversation(s) were flagged and held again, {len(clean)} came out clean"]
        if stage.name == "judge":
            agreement = next((j.agreement for j in bench.run.rows(JudgementRow) if j.judge == "ended"), "unvalidated")
            return [f"judge: {agreement}"]
        return ()

    def measure(self, bench: Bench) -> list[Measurement]:
        """Echo, repetition, swaps, drift, recoverability, endings, audit; paired where both projections exist."""
        shared: dict[str, Any] = {"model": bench.reference, "seed": bench.seed}
        conversations = [c for c in bench.run.rows(ConversationRow) if c.condition in MODES]
        turns = [t for t in bench.run.rows(TurnRow) if t.condition in MODES]
        judgements = list(bench.run.rows(JudgementRow))
        people = {p.id: p for p in bench.with_role("client")}
        encoder = open_encoder(bench.spec.encoder)
        said = talks(conversations, turns)
        return [
            *dialogue_measurements(conversations, turns, people, **shared),
            *drift_measurements(
                list(bench.run.rows(ProbeRow)), seeds={c.conversation: c.seed for c in conversations}, **shared
            ),
            *path_drift_measurements(said, encoder.encode, backend=encoder.name, **shared),
            *recoverability_measurements(said, encoder.encode, backend=encoder.name, **shared),
            *closing_rule_measurements(judgements, **shared),
            *audit_measurements(judgements, list(bench.run.rows(ConversationRow)), **shared),
            rejection_measurement(list(bench.run.rows(SlotRow)), **shared),
        ]

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """The paired contrasts, whichever way they went."""
        return [describe(m) for m in measurements if m.name.endswith("ecp_minus_concat")]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people, results, conversations, failures, cost, environment, limits."""
        paired = [m for m in measurements if m.name.endswith("ecp_minus_concat")]
        rest = [m for m in measurements if m not in paired]
        slots = Counter(s.rule or "accepted" for s in bench.run.rows(SlotRow))
        table = DataTable(("Outcome or rule broken", "Draws"), slots.most_common(), "Draws of the schema")
        return Page(
            "Does each side need its own view of the conversation?",
            f"{bench.spec.people} people, {bench.reference}, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), DESIGN),
                Section(
                    "slots", "Sampling", [table], "Combinations that the plausibility rules rejected were drawn again."
                ),
                results_section(paired, section="paired", title="ECP against CONCAT, paired by person and seed"),
                results_section(rest, section="details", title="Each projection, detector, audit"),
                *closing_sections(bench),
            ],
        )


DESIGN: Final = """
People are drawn from a schema; combinations that are not plausible are drawn again. Each person then talks with a
responder under two projections with **the same seed for every line**: `ecp` shows each side the conversation from its
own side, `concat` shows both one transcript with fixed roles. Prompts, guards and stops are the same.

Echo is copying of the partner beyond control turns from other conversations; self-repetition is reported beside it.
Drift is asked on forks of the log at the first, middle and last client line, by option likelihood; the log never knows.
"""


def _judge(bench: Bench) -> YesNoJudge:
    """The end judge, before anybody knows how well it agrees with the labelled set."""
    return YesNoJudge(bench.model, QUESTION, name="ended", score_name="ended")


def _validated(bench: Bench) -> YesNoJudge | None:
    """The end judge with its measured agreement; None (rules alone decide) when it is under its threshold."""
    found = next((j for j in bench.run.rows(JudgementRow) if j.judge == "ended"), None)
    return _judge(bench).validated(found.agreement) if found and found.verdict == "validated" else None
