"""HACHIMI: slots under quotas, five owners on a whiteboard, guards, targeted revision, gate, records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from personae.core import (
    CorpusRow,
    DraftRow,
    FitRow,
    IssueRow,
    Measurement,
    PersonaRow,
    Row,
    SlotRow,
    canonical_json,
)
from personae.creation import (
    BULK_RULE,
    PARAGRAPHS,
    GrammarWriter,
    ModelReviewer,
    ModelWriter,
    Owner,
    RecordsFolder,
    Slot,
    StudentSource,
    compose,
    lexical_duplicates,
    load_pack,
    pack_guard,
    pack_owners,
    read_levels,
    review_schema,
    student_persona,
    student_schemas,
    write_records,
)
from personae.measures import composition_measurements, corpus_measurements, record_measurements
from personae.reports import DataTable, Page, Section, results_section
from personae.runs import Unit
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.hachimi.spec import DEEP, FAST, MAX_TOKENS, TEMPERATURES, HachimiSpec

TARGETS: Final = {
    "grade": "target_grade", "sex": "target_sex", "academic_level": "target_level", "subject_cluster": "target_cluster",
}  # fmt: skip
SHOWN: Final = 200
"""people of a bulk run that are kept as evidence beside the parts"""


@register
class Hachimi(Study):
    """See the module docstring; `card.yaml` lists the claims."""

    name: ClassVar[str] = "hachimi"
    Spec = HachimiSpec

    def __init__(self) -> None:
        self._cache: dict[Any, Any] = {}

    def check(self, spec: HachimiSpec) -> None:
        """Shares and phrases that do not fit are better known first."""
        StudentSource(spec.size, 0, mix=spec.mix, grammar=spec.phrases)

    def asks(self, spec: HachimiSpec) -> bool:
        """The grammar asks nobody."""
        return spec.writer == "model"

    def plan(self, spec: HachimiSpec, seed: int) -> Sequence[Stage]:
        """Attempts at every slot, a gate after each, then the people; or one bulk unit."""
        del seed
        if spec.bulk:
            return (Stage("records", (Unit("records", "records"),), calls=0),)
        stages: list[Stage] = []
        calls = spec.size * (1 if spec.one_shot else 5 * (1 + spec.rounds)) if spec.writer == "model" else 0
        for a in range(spec.attempts):
            units = tuple(Unit(f"student/{k}/{a}", f"attempt-{a}", (k, a)) for k in range(spec.size))
            stages.append(Stage(f"attempt-{a}", units, calls=calls))
            if spec.dedup:
                stages.append(Stage(f"gate-{a}", (Unit(f"gate/{a}", f"gate-{a}", a),), calls=0))
        return (*stages, Stage("people", (Unit("people", "people"),), calls=0))

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        if unit.stage == "records":
            return self._records(unit, bench)
        if unit.stage == "people":
            return self._people(unit, bench)
        if unit.stage.startswith("gate"):
            return self._gate(unit, bench)
        k, attempt = unit.payload
        if k in self._standing(bench, unit.stage):
            return ()
        return await self._draft(unit, bench, k, attempt)

    async def _draft(self, unit: Unit, bench: Bench, k: int, attempt: int) -> Sequence[Row]:
        spec: HachimiSpec = bench.spec
        source, pack = self._source(bench), load_pack("student")
        guard = pack_guard(
            pack, read_levels, skip=lambda code: not spec.anchors and code.startswith("anchor_"), targets=TARGETS
        )
        owners = self._owners(spec)
        async with bench.model.session(unit.key):
            made = await compose(
                _slot(source, k),
                owners,
                GrammarWriter(source) if spec.writer == "grammar" else ModelWriter(bench.model),
                [guard],
                seed=bench.seed,
                attempt=attempt,
                rounds=spec.rounds,
                reviewer=self._reviewer(bench, owners) if spec.review and spec.writer == "model" else None,
                validate=spec.validator,
                one_shot=spec.one_shot,
            )
        return made.rows(unit.key)

    def _owners(self, spec: HachimiSpec) -> tuple[Owner, ...]:
        briefs = {name: self.prompt(name) for name in TEMPERATURES}
        schemas: dict[str, Any] = student_schemas(guided=spec.guided)
        if spec.writer == "grammar":  # it gives levels itself; a model's are read from its paragraphs
            pack = load_pack("student")
            groups = ("value_dimensions", "creativity_dimensions", "health_dimensions")
            schemas |= {f: {"enum": list(pack.vocab["level"].words)} for g in groups for f in pack.groups[g]}
        return pack_owners(load_pack("student"), schemas, briefs, temperatures=TEMPERATURES, max_tokens=MAX_TOKENS)

    def _reviewer(self, bench: Bench, owners: Sequence[Owner]) -> ModelReviewer:
        names = tuple(o.name for o in owners)
        fast, deep = (
            Owner(name=n, keys=review_schema(names), brief=self.prompt(n), temperature=t, max_tokens=most)
            for n, (t, most) in (("fast", FAST), ("deep", DEEP))
        )
        return ModelReviewer(bench.model, fast, deep, names)

    def _source(self, bench: Bench) -> StudentSource:
        spec: HachimiSpec = bench.spec
        key = ("source", bench.seed, spec)
        if key not in self._cache:
            self._cache[key] = StudentSource(
                spec.size, bench.seed, mix=spec.mix, anchors=spec.anchors, stratified=spec.stratified,
                grammar=spec.phrases,
            )  # fmt: skip
        return self._cache[key]

    def _standing(self, bench: Bench, stage: str) -> dict[int, SlotRow]:
        """Accepted drafts by k that no gate has sent back."""
        held = self._cache.get("standing")
        if held is None or held[0] is not bench or held[1] != stage:
            copies = {(i.k, i.attempt) for i in bench.run.rows(IssueRow) if i.code == "near_copy"}
            rows = sorted(bench.run.rows(SlotRow), key=lambda r: r.attempt)
            held = (bench, stage, {r.k: r for r in rows if r.accepted and (r.k, r.attempt) not in copies})
            self._cache["standing"] = held
        return held[2]

    def _gate(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        held = sorted(self._standing(bench, unit.stage).values(), key=lambda r: r.k)
        texts = [" ".join(str(json.loads(r.fields).get(p, "")) for p in PARAGRAPHS) for r in held]
        losers = lexical_duplicates(texts, BULK_RULE).losers
        return [
            IssueRow(
                unit=unit.key, k=held[i].k, attempt=held[i].attempt, round=-1, code="near_copy", owner=None,
                fields=PARAGRAPHS, description="a near-copy of an earlier record", severity="error", source="gate",
            )
            for i in losers.tolist()
        ]  # fmt: skip

    def _people(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        source, held = self._source(bench), self._standing(bench, unit.stage)
        rows: list[Row] = []
        records = [
            read_levels(json.loads(row.fields)) | _targets(source, k) | {"k": k, "attempt": row.attempt}
            for k, row in sorted(held.items())
        ]
        for record in records:
            person = student_persona(record, recipe=source.slots.hash, seed=bench.seed)
            rows.append(PersonaRow.of(person, unit=unit.key, k=int(record["k"]), role="student"))
        if records:
            fields = ("grade", "sex", "target_cluster", "academic_level")
            rows += source.fit({f: [r.get(f) for r in records] for f in fields}, unit=unit.key)
        return rows

    def _records(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        source = self._source(bench)
        report = write_records(source, bench.run.path / "records", dedup=bench.spec.dedup)
        assert report is not None  # noqa: S101 - one shard writes everything
        corpus = RecordsFolder(source, bench.run.path / "records", rule=BULK_RULE if bench.spec.dedup else None)
        people = [student_persona(r, recipe=source.slots.hash, seed=bench.seed) for r in corpus.first(SHOWN)]
        body = canonical_json(report.model_dump(mode="json", exclude={"fit"}) | {"quota_error": report.quota_error})
        return [
            CorpusRow(unit=unit.key, name="records", rows=report.rows, digest=report.digest, report=body),
            *(PersonaRow.of(p, unit=unit.key, k=p.provenance.k or 0, role="student") for p in people),
            *(row.model_copy(update={"unit": unit.key}) for row in report.fit),
        ]

    def measure(self, bench: Bench) -> list[Measurement]:
        """Errors re-checked, quotas, stages, lengths, templates, optimism; rounds and failures; the bulk report."""
        shared: dict[str, Any] = {"model": bench.reference, "seed": bench.seed}
        people = bench.with_role("student")
        fit = list(bench.run.rows(FitRow))
        return [
            *record_measurements(people, load_pack("student"), fit, anchors=bench.spec.anchors, **shared),
            *composition_measurements(
                list(bench.run.rows(SlotRow)), list(bench.run.rows(IssueRow)), list(bench.run.rows(DraftRow)), **shared
            ),
            *corpus_measurements(list(bench.run.rows(CorpusRow)), **shared),
        ]

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """Errors, quotas, optimism."""
        wanted = ("records.hard_errors", "records.quota_error", "records.optimism", "compose.accepted")
        return [describe(m) for name in wanted for m in measurements if m.name == name]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people with quotas, results, issues, failures, cost, environment, limits."""
        codes = Counter(issue.code for issue in bench.run.rows(IssueRow))
        table = DataTable(("Issue", "Times"), codes.most_common(), "Issues of all rounds")
        return Page(
            "Do student records meet their quotas and the theory behind them?",
            f"{bench.spec.size} students, writer {bench.spec.writer}, {bench.reference}, seed {bench.seed}",
            [
                *opening_sections(bench, self.card(), DESIGN),
                results_section(list(measurements), section="records", title="Records"),
                *([Section("issues", "Issues", [table])] if codes else []),
                *closing_sections(bench),
            ],
        )


DESIGN: Final = """
Every slot fixes grade, sex, subject cluster and academic level. Five owners write their keys in order; each sees the
slot and the draft, nothing else. Guards object in every round, the owner they name revises, and what cannot be repaired
is kept as failed while its slot is tried again. A gate over the whole corpus sends later near-copies back.
"""


def _slot(source: StudentSource, k: int) -> Slot:
    codes = source.slot_codes(np.array([k], dtype=np.int64))
    fixed: dict[str, str | int] = {name: str(column.texts()[0]) for name, column in codes.items()}
    return Slot(k=k, fixed=fixed | {"grade": int(fixed["grade"])})


def _targets(source: StudentSource, k: int) -> dict[str, str | int]:
    return {TARGETS[name]: value for name, value in _slot(source, k).fixed.items()}
