"""HACHIMI: slots under quotas, five owners on a whiteboard, guards, targeted revision, gate, records, survey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from personae.conditioning import Prompt, answer_survey
from personae.core import CorpusRow, FitRow, Measurement, ResponseRow, Row, SlotRow, derive_seed
from personae.creation import (
    DraftLog,
    GrammarWriter,
    ModelReviewer,
    ModelWriter,
    StudentSource,
    bulk_students,
    compose,
    finished_students,
    load_pack,
    near_copy_issues,
    one_shot_drafts,
    respondent_rows,
    standing_drafts,
    student_guard,
    student_owners,
    student_slot,
    student_text,
)
from personae.instruments import Codebook, Survey, load_codebook, load_survey
from personae.measures import (
    agent_answers,
    cohort_measurements,
    cohort_table,
    composition_measurements,
    corpus_measurements,
    encoded_diversity,
    equal_token_measurements,
    read_cohorts,
    record_measurements,
)
from personae.models import open_encoder
from personae.reports import DataTable, Page, Section, cohorts_section, grouped_results
from personae.runs import Unit
from personae.studies._base import Bench, Stage, Study, register
from personae.studies._pages import closing_sections, describe, opening_sections
from personae.studies.hachimi.spec import DEEP, FAST, MAX_TOKENS, TEMPERATURES, HachimiSpec

SHOWN: Final = 200
"""people of a bulk run that are kept as evidence beside the parts"""
SAMPLE: Final = 500
"""texts whose diversity is measured"""
BASELINE: Final = "one_shot"
ASKED: Final = "respondent"


@register
class Hachimi(Study):
    """See the module docstring; `card.yaml` lists the claims."""

    name: ClassVar[str] = "hachimi"
    Spec = HachimiSpec

    def __init__(self) -> None:
        self._cache: dict[Any, Any] = {}
        self._read: Any = None

    def check(self, spec: HachimiSpec) -> None:
        """Shares, phrases, encoder, codebook and human file are looked at before anything is made."""
        spec.source(0)
        open_encoder(spec.encoder)
        if spec.survey:
            _, book = self._survey_of(spec)
            if spec.humans:
                read_cohorts(spec.humans, book)

    def asks(self, spec: HachimiSpec) -> bool:
        """The grammar asks nobody; the survey asks."""
        return spec.writer == "model" or spec.survey

    def plan(self, spec: HachimiSpec, seed: int) -> Sequence[Stage]:
        """Attempts at every slot, a gate after each, the baseline, the people; or one bulk unit. Then the survey."""
        del seed
        stages: list[Stage] = []
        if spec.bulk:
            stages.append(Stage("records", (Unit("records", "records"),), calls=0))
        else:
            calls = spec.size * (1 if spec.one_shot else spec.turns) if spec.writer == "model" else 0
            for a in range(spec.attempts):
                units = tuple(Unit(f"student/{k}/{a}", f"attempt-{a}", (k, a)) for k in range(spec.size))
                stages.append(Stage(f"attempt-{a}", units, calls=calls))
                if spec.dedup:
                    stages.append(Stage(f"gate-{a}", (Unit(f"gate/{a}", f"gate-{a}", a),), calls=0))
            if spec.equal_tokens:
                units = tuple(Unit(f"{BASELINE}/{k}", BASELINE, k) for k in range(spec.size))
                stages.append(Stage(BASELINE, units, calls=spec.size * spec.turns * spec.attempts))
            stages.append(Stage("people", (Unit("people", "people"),), calls=0))
        if spec.survey:
            stages.append(Stage("cohorts", (Unit("cohorts", "cohorts"),), calls=0))
            asked = min(spec.size, SHOWN) if spec.bulk else spec.size
            units = tuple(Unit(f"survey/{k}", "survey", k) for k in range(asked))
            stages.append(Stage("survey", units, calls=asked * len(self._survey_of(spec)[0].items)))
        return tuple(stages)

    async def work(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        """One unit of any stage."""
        match unit.stage:
            case "records":
                folder = bench.run.path / "records"
                return bulk_students(self._source(bench), folder, dedup=bench.spec.dedup, shown=SHOWN, unit=unit.key)
            case "people":
                return finished_students(self._source(bench), self._standing(unit, bench), unit=unit.key)
            case "cohorts":
                _, book = self._survey_of(bench.spec)
                return respondent_rows(bench.with_role("student"), book, seed=bench.seed, unit=unit.key, role=ASKED)
            case "survey":
                return await self._survey(unit, bench)
            case "one_shot":
                return await self._draft(unit, bench, unit.payload)
            case stage if stage.startswith("gate"):
                return near_copy_issues(self._standing(unit, bench), unit=unit.key)
            case _:
                k, attempt = unit.payload
                return () if k in self._standing(unit, bench) else await self._draft(unit, bench, k, attempt)

    async def _draft(self, unit: Unit, bench: Bench, k: int, attempt: int | None = None) -> Sequence[Row]:
        """A draft by the owners; without an attempt, one-shot drafts with as many tokens as they used for the slot."""
        spec: HachimiSpec = bench.spec
        source, model = self._source(bench), spec.writer == "model"
        slot, guards = student_slot(source, k), [student_guard(anchors=spec.anchors)]
        writer = ModelWriter(bench.model) if model else GrammarWriter(source)
        owners = student_owners(
            {name: self.prompt(name) for name in TEMPERATURES}, temperatures=TEMPERATURES, max_tokens=MAX_TOKENS,
            guided=spec.guided, own_levels=not model,
        )  # fmt: skip
        checks = {"fast": (self.prompt("fast"), *FAST), "deep": (self.prompt("deep"), *DEEP)}
        async with bench.model.session(unit.key):
            if attempt is None:
                tokens, most = self._logs(bench, unit.stage)[0].tokens.get(k, 0), spec.turns * spec.attempts
                made = await one_shot_drafts(slot, owners, writer, guards, seed=bench.seed, tokens=tokens, most=most)
                return [row for draft in made for row in draft.rows(unit.key)]
            draft = await compose(
                slot, owners, writer, guards, seed=bench.seed, attempt=attempt, rounds=spec.rounds,
                reviewer=ModelReviewer.of(bench.model, owners, **checks) if spec.review and model else None,
                validate=spec.validator, one_shot=spec.one_shot,
            )  # fmt: skip
        return draft.rows(unit.key)

    def _source(self, bench: Bench) -> StudentSource:
        return self._once(("source", bench.seed, bench.spec), lambda: bench.spec.source(bench.seed))

    def _survey_of(self, spec: HachimiSpec) -> tuple[Survey, Codebook]:
        """The items that the codebook has a column for, and the codebook."""
        files = self.data(spec.items), self.data(spec.codebook)
        survey, book = self._once(files, lambda: (load_survey(files[0]), load_codebook(files[1])))
        return book.chosen(survey), book

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def _logs(self, bench: Bench, stage: str = "") -> tuple[DraftLog, DraftLog]:
        """Drafts by the owners with what the gates said, and one-shot drafts at equal tokens; read once a stage."""
        if self._read is None or self._read[0] is not bench or self._read[1] != stage:
            logs = DraftLog.of(bench.run).parted(f"{BASELINE}/")
            self._read = (bench, stage, logs, standing_drafts(logs[0]))
        return self._read[2]

    def _standing(self, unit: Unit, bench: Bench) -> dict[int, SlotRow]:
        self._logs(bench, unit.stage)
        return self._read[3]

    async def _survey(self, unit: Unit, bench: Bench) -> Sequence[Row]:
        spec: HachimiSpec = bench.spec
        survey, _ = self._survey_of(spec)
        method = Prompt(cue_style="written", budget=spec.persona_tokens, rules=self.prompt("survey"))
        people = bench.with_role(ASKED)
        if unit.payload >= len(people):  # fewer were accepted than asked for
            return ()
        return await answer_survey(
            people[unit.payload], survey, method, bench.model, label="survey", seed=derive_seed(bench.seed, "survey"),
            unit=unit.key, baseline=spec.baseline,
        )  # fmt: skip

    def _answers(self, bench: Bench) -> Any:
        """Agents' answers by cohort, and people's where there is a file."""
        _, book = self._survey_of(bench.spec)
        agents = agent_answers(bench.with_role(ASKED), list(bench.run.rows(ResponseRow)), book)
        return agents, read_cohorts(bench.spec.humans, book) if bench.spec.humans else None

    def measure(self, bench: Bench) -> list[Measurement]:
        """Errors, quotas, optimism, diversity; rounds and failures; the bulk; equal tokens; cohorts."""
        spec: HachimiSpec = bench.spec
        shared: dict[str, Any] = {"model": bench.reference if spec.writer == "model" else "none", "seed": bench.seed}
        people, (owners, alone) = bench.with_role("student"), self._logs(bench)
        fit = list(bench.run.rows(FitRow))
        out = [
            *record_measurements(people, load_pack("student"), fit, anchors=spec.anchors, **shared),
            *composition_measurements(owners, **shared),
            *corpus_measurements(list(bench.run.rows(CorpusRow)), **shared),
            *encoded_diversity([student_text(p) for p in people], open_encoder(spec.encoder), sample=SAMPLE, **shared),
        ]
        out += equal_token_measurements(owners, alone, **shared) if spec.equal_tokens else []
        if spec.survey and spec.humans:
            agents, human = self._answers(bench)
            out += cohort_measurements(human, agents, model=bench.reference, seed=bench.seed, least=spec.least)
        return out

    def headline(self, measurements: Sequence[Measurement]) -> Sequence[str]:
        """Errors, quotas, optimism; what was compared, whichever way it went."""
        wanted = ("hard_errors", "quota_error", "optimism", "filled", "accepted", "pipeline_minus_one_shot")
        picked = [m for name in wanted for m in measurements if m.name.endswith(f".{name}")]
        return [describe(m) for m in [*picked, *(m for m in measurements if m.name.startswith("cohorts."))]]

    def page(self, bench: Bench, measurements: Sequence[Measurement]) -> Page:
        """Question, design, people with quotas, results, issues, failures, cost, environment, limits."""
        sections = grouped_results(measurements, GROUPS)
        if bench.spec.survey:
            sections.append(cohorts_section(*cohort_table(*self._answers(bench))))
        if codes := Counter(issue.code for issue in self._logs(bench)[0].issues):
            table = DataTable(("Issue", "Times"), codes.most_common(), "Issues of all rounds")
            sections.append(Section("issues", "Issues", [table]))
        return Page(
            "Do student records meet their quotas and the theory behind them?",
            f"{bench.spec.size} students, writer {bench.spec.writer}, {bench.reference}, seed {bench.seed}",
            [*opening_sections(bench, self.card(), DESIGN), *sections, *closing_sections(bench)],
        )


DESIGN: Final = """
Every slot fixes grade, sex, subject cluster and academic level. Five owners write their keys in order; each sees the
slot and the draft, nothing else. Guards object in every round, the owner they name revises, and what cannot be repaired
is kept as failed while its slot is tried again. A gate over the whole corpus sends later near-copies back.

In the survey every accepted student answers each question by option likelihood, and only means of cohorts are compared.
"""

GROUPS: Final = (
    ("records", "Records", ("records.", "compose.", "corpus.")),
    ("diversity", "Diversity of texts", ("diversity.",)),
    ("equal-tokens", "Owners and one-shot drafts with equal tokens", ("equal_tokens.",)),
    ("cohorts", "Cohorts of agents and of people", ("cohorts.",)),
)
