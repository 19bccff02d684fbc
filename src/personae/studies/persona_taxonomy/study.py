"""Every person of a file, or of the labelled set: kind, coverage, findings, plan, risks; with a model, three probes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import yaml

from personae.conditioning import Prompt, embody
from personae.core import Conversation, JudgementRow, Measurement, Persona, PersonaRow, ProbeRow, Row
from personae.creation import classify, coverage, kind_opinion, lint_kind, load_people, risk_report
from personae.measures import kind_measurements, probe_measurements
from personae.reports import DataTable, Page, Section, results_section
from personae.runs import Unit
from personae.simulation import boundary_items, consistency_items, probe
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._capabilities import plan_for
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.persona_taxonomy.spec import PersonaTaxonomySpec

RULE: Final = "rule"


@register
class PersonaTaxonomy(Study):
    """See the module docstring; `card.yaml` lists the claims."""

    name: ClassVar[str] = "persona_taxonomy"
    Spec = PersonaTaxonomySpec

    @classmethod
    def shipped(cls, name: str) -> list[dict[str, Any]]:
        """Items of `data/NAME.yaml`."""
        return yaml.safe_load((cls.folder() / "data" / f"{name}.yaml").read_text("utf-8"))["items"]

    def check(self, spec: PersonaTaxonomySpec) -> None:
        """The file is read once before anything starts."""
        if spec.people:
            load_people(spec.people)

    def asks(self, spec: PersonaTaxonomySpec) -> bool:
        """Only the second opinion and the probes ask a model."""
        return bool(spec.second_opinion or spec.boundary or spec.consistency)

    def plan(self, spec: PersonaTaxonomySpec, seed: int) -> Sequence[Stage]:
        """Everybody by rule in one unit, then one unit a person asked."""
        del seed
        stages = [Stage("people", (Unit("people", "people"),), calls=0)]
        asked = {"second_opinion": spec.second_opinion, "boundary": spec.boundary, "consistency": spec.consistency}
        for name, n in asked.items():
            if n:
                units = tuple(Unit(f"{name}/{k}", name, k) for k in range(n))
                stages.append(Stage(name, units, calls=n, needs=("people",)))
        return tuple(stages)

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        if unit.stage == "people":
            return self._people(unit, bench)
        subjects = bench.with_role("subject")
        if unit.stage == "boundary":
            subjects = [p for p in subjects if p.knowledge.boundary]
        step = max(1, len(subjects) // max(1, getattr(bench.spec, unit.stage)))  # spread over the file
        if unit.payload * step >= len(subjects):
            return ()
        person = subjects[unit.payload * step]
        if unit.stage == "second_opinion":
            async with bench.model.session(unit.key):
                told = await kind_opinion(bench.model, person)
            best = "none" if told is None else max(told, key=lambda kind: told[kind])
            value = None if told is None else max(told.values())
            return [_row(unit, person, "second_opinion", "kind", best, value, agreement="option likelihood")]
        items = boundary_items(person) if unit.stage == "boundary" else consistency_items(person, bench.seed)
        empty = Conversation(key=unit.key, participants=(person.name,))
        async with embody(person, Prompt(), bench.model) as actor:
            return await probe(
                actor, empty, items, mode="ecp", moment="first", at=0, unit=unit.key, persona_id=person.id,
                seed=bench.seed,
            )  # fmt: skip

    def _people(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: PersonaTaxonomySpec = bench.spec
        rows: list[Row] = []
        if spec.people:
            for k, person in enumerate(load_people(spec.people)):
                rows += self._looked(unit, person, k, "subject")
            return rows
        for k, item in enumerate(self.shipped("labelled")):
            person = Persona.parse(item["persona"], where=item["id"])
            rows += self._looked(unit, person, k, "subject")
            rows.append(_row(unit, person, "label", item["form"], "+".join(item["label"]), condition=item["split"],
                             agreement="author-labelled"))  # fmt: skip
        for k, item in enumerate(self.shipped("defects")):
            person = Persona.parse(item["persona"], where=item["id"])
            rows += self._looked(unit, person, k, "defect", item["id"])
            rows.append(_row(unit, person, "defect", item["id"], "+".join(item["expect"]), condition=item["id"],
                             agreement="seeded"))  # fmt: skip
        return rows

    def _looked(self, unit: Unit, person: Persona, k: int, role: str, label: str = "rules") -> list[Row]:
        kinds = classify(person)
        risks = risk_report(person, kinds)
        plan = plan_for(person, kinds=kinds, risks=risks)
        rows: list[Row] = [PersonaRow.of(person, unit=unit.key, k=k, role=role)]
        rows.append(_row(unit, person, "kinds", "mix", "+".join(kinds.mix), kinds.confidence))
        for kind in kinds.mix:
            covered = coverage(person, kind)
            rows.append(_row(unit, person, "coverage", kind, "; ".join(covered.blockers) or "complete", covered.score))
        rows += [_row(unit, person, "lint", f.code, f.severity, condition=label) for f in lint_kind(person, kinds)]
        rows += [_row(unit, person, "risk", name, risk.status) for name, risk in risks.items()]
        rows += [
            _row(unit, person, "plan", s.study, "runnable" if s.runnable else "; ".join(s.reasons))
            for s in plan.evaluation_suites
        ]
        return rows

    def measure(self, bench: Bench) -> list[Measurement]:
        """Classifier and linter against labels where there are any; probes where they were asked."""
        shared: dict[str, Any] = {"model": bench.reference, "seed": bench.seed}
        return [
            *kind_measurements(list(bench.run.rows(JudgementRow)), **shared),
            *probe_measurements(bench.run.rows(ProbeRow), **shared),
        ]

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """All numbers: they are few."""
        return [describe(m) for m in measurements]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people, numbers, what rules found, and which studies can run."""
        rows = [r for r in bench.run.rows(JudgementRow) if r.persona_id in {p.id for p in bench.with_role("subject")}]
        return Page(
            "What kind of personas are these, and what can be done with them?",
            f"{len(bench.with_role('subject'))} people, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), DESIGN),
                results_section(list(measurements), section="numbers", title="Against labels, and probes"),
                Section("kinds", "Kinds and findings", [
                    _table(rows, "kinds", ("Mix", "People"), lambda r: "+".join(sorted(r.verdict.split("+"))), "Kinds"),
                    _table(rows, "lint", ("Finding", "People"), lambda r: r.subject, "Findings per kind"),
                    _table(rows, "risk", ("Risk", "People"), lambda r: f"{r.subject}: {r.verdict}", "Risks"),
                    _table(rows, "plan", ("Study", "People"), lambda r: f"{r.subject}: {_SCORE.sub('', r.verdict)}",
                           "Plans"),
                ]),
                *closing_sections(bench),
            ],
        )  # fmt: skip


_SCORE: Final = re.compile(r" \d\.\d+")
"""how sure the rules are of a kind: told for each person, left out where people are counted"""
DESIGN: Final = """
Each person is classified by the evidence their fields hold; a tie is a mix. What the kind needs is compared with what
is there, rules look for missing consent, boundaries, weights and evidence, six risks are looked for, and each
registered study says whether it can run. Without `people` the shipped labelled personas and seeded defects are used.
"""


def _row(
    unit: Unit, person: Persona, judge: str, subject: str, verdict: str, value: float | None = None, *,
    condition: str = "rules", agreement: str = RULE,
) -> JudgementRow:  # fmt: skip
    return JudgementRow(
        unit=unit.key, conversation="", persona_id=person.id, condition=condition, judge=judge, subject=subject,
        verdict=verdict, value=value, agreement=agreement,
    )  # fmt: skip


def _table(
    rows: Sequence[JudgementRow], judge: str, head: tuple[str, str], key: Callable[[JudgementRow], str], title: str
) -> DataTable:
    return DataTable(head, Counter(key(r) for r in rows if r.judge == judge).most_common(), title)
