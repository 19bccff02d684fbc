"""Everything a study does not have to do itself: the run folder, resume, progress, report, exports."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from personae.core import (
    ConversationRow,
    FailureRow,
    InputError,
    Measurement,
    MeasurementRow,
    PersonaRow,
    ResponseRow,
    Row,
    TurnRow,
    UnknownKeyError,
)
from personae.formats import FORMATS, Export, Format, export_run
from personae.models import Bill, Model, open_model, parse_reference, teach, wrap_model
from personae.reports import write_report
from personae.runs import Caps, Run, Unit, Work, execute, open_run, progress_for
from personae.studies._base import Bench, Stage, Study, StudySpec, studies

Exactness = Literal["exact", "batched"]
CacheMode = Literal["read_write", "off", "refresh", "replay"]
Say = Callable[[str], None]

MODEL: Final = "smollm2"
"""What every command asks unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, as the user said it."""

    study: str
    out: Path
    seed: int = 7
    model: str = MODEL
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    exactness: str = "exact"
    cache: str = "read_write"
    concurrency: int = 4
    max_calls: int | None = None
    max_failure_share: float = 0.1

    def __post_init__(self) -> None:
        for name, value, known in (
            ("--exactness", self.exactness, get_args(Exactness)),
            ("--cache", self.cache, get_args(CacheMode)),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r}.", hint=f"Use one of: {', '.join(known)}.")

    def resolve(self) -> tuple[Study, StudySpec]:
        """The study and its checked settings."""
        study = studies.get(self.study)()
        return study, study.Spec.read(self.settings, where=f"settings of {self.study}")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run left behind."""

    folder: Path
    report: Path
    exports: tuple[Path, ...]
    digest: str
    headline: tuple[str, ...]
    failed: int
    """units that failed, fewer than the run allows"""
    seconds: float
    cpu_seconds: float
    model: str
    """reference of the model, as the user said it"""
    person: str | None = None
    """somebody who was drawn in this run: the name, or the number where the name is not theirs alone"""
    talked: bool = True
    """whether there are conversations"""

    def lines(self) -> list[str]:
        """The closing words: what was found, where it lies, what to try next."""
        return [
            *self.headline,
            "",
            f"report   {self.report}",
            f"exports  {self.exports[0].parent if self.exports else '–'}",
            f"digest   {self.digest}",
            f"time     {self.seconds:.0f} s wall, {self.cpu_seconds:.0f} s CPU, load {os.getloadavg()[0]:.2f}",
            "",
            "next:",
            *(f"  {shlex.join(words)}" for words in self._next()),
        ]

    def _next(self) -> list[list[str]]:
        folder = str(self.folder)
        lines = [
            ["personae", "run", "show", folder],
            ["personae", "export", folder, "--formats", "chat" if self.talked else "jsonl"],
        ]
        if self.person is not None:
            # A replay knows no new conversation, so a chat goes to the model that commands ask anyway.
            usual = self.model in {MODEL, "none"} or self.model.startswith("replay:")
            model = [] if usual else ["--model", self.model]
            lines.insert(1, ["personae", "chat", self.person, "--from", folder, *model])
        return lines

    def as_data(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "folder": str(self.folder),
            "report": str(self.report),
            "exports": [str(p) for p in self.exports],
            "digest": self.digest,
            "headline": list(self.headline),
            "failed_units": self.failed,
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
        }


def plan_of(order: Order) -> list[dict[str, Any]]:
    """Stages with their units and calls; nothing is run."""
    study, spec = order.resolve()
    parse_reference(order.model)
    return [{"stage": s.name, "units": len(s.units), "calls": s.calls} for s in study.plan(spec, order.seed)]


@dataclass(frozen=True, slots=True)
class Job:
    """A study whose run folder and model are open."""

    order: Order
    study: Study
    spec: StudySpec
    run: Run
    model: Model

    @property
    def stages(self) -> Sequence[Stage]:
        """What is to be done."""
        return self.study.plan(self.spec, self.order.seed)

    @property
    def caps(self) -> Caps | None:
        """Hard limits."""
        return Caps(calls=self.order.max_calls) if self.order.max_calls else None

    def bench(self) -> Bench:
        """What units may use now. Tells a statistical fake who is who; real models never hear of it."""
        bench = Bench(self.model, self.run, self.order.seed, self.spec)
        for person in bench.people.values():
            if not teach(self.model, person):
                break
        return bench

    def work(self) -> Work:
        """How a unit is done, with what is committed by now."""
        bench = self.bench()

        async def work(unit: Unit) -> Sequence[Row]:
            return await self.study.work(unit, bench)

        return work

    async def execute(self, stage: Stage, *, say: Say, note: Say) -> None:
        """Do all of a stage, and say what came of it."""
        summary = await execute(
            self.run,
            stage.units,
            self.work(),
            concurrency=self.order.concurrency,
            max_failure_share=self.order.max_failure_share,
            caps=self.caps,
            progress=progress_for(sys.stderr, note),
        )
        for line in self.study.after(stage, self.bench()):
            say(line)
        if summary.failed:
            note(f"{stage.name}: {summary.failed} unit(s) failed: {dict(summary.failures)}")


@asynccontextmanager
async def opened(order: Order, *, say: Say) -> AsyncGenerator[Job, None]:
    """The order's run folder, begun or resumed, and its model; both are closed at the end."""
    study, spec = order.resolve()
    study.check(spec)
    exactness: Exactness = "exact" if order.exactness == "exact" else "batched"
    bare = open_model(order.model if study.asks(spec) else "none", cache="off", mode=exactness)
    try:
        run = Run.create_or_resume(
            order.out,
            study=study.name,
            spec=spec.model_dump(mode="json"),
            seed=order.seed,
            model={"reference": bare.reference, **bare.fingerprint},
            determinism=bare.determinism,
        )
        with run:
            model = wrap_model(bare, cache=_cache(order), log=run.calls)
            try:
                say(study.card().title)
                say(
                    f"model {model.reference} ({model.determinism}), seed {order.seed}, "
                    f"load {os.getloadavg()[0]:.2f}, into {order.out}"
                )
                yield Job(order, study, spec, run, model)
            finally:
                await model.close()
    finally:
        await bare.close()


async def run_study(order: Order, *, say: Say, note: Say) -> Finished:
    """Run or resume a study to its report.

    Raises:
        InputError: unknown study or settings, or a folder that holds another run.
        RunFailedError: more units failed than allowed, or a cap was reached; the folder stays resumable.
    """
    began, cpu = time.monotonic(), time.process_time()
    async with opened(order, say=say) as job:
        study, run = job.study, job.run
        await _stages(job, say=say, note=note)
        bench = job.bench()
        measured = _measure(study, bench)
        run.complete()  # before the report, which says how the run ended
        report = write_report(study.page(bench, measured), run.path / "report" / "index.html")
        exports = _files(export_run(run, run.path / "exports"))
        return Finished(
            folder=run.path,
            report=report,
            exports=tuple(exports),
            digest=run.digest(),
            headline=tuple(study.headline(measured)),
            failed=run.count(failed=True),
            seconds=time.monotonic() - began,
            cpu_seconds=time.process_time() - cpu,
            model=order.model if study.asks(job.spec) else "none",
            person=_somebody(run),
            talked=any(True for _ in run.rows(ConversationRow)),
        )


async def _stages(job: Job, *, say: Say, note: Say) -> None:
    stages = job.stages
    total = sum(len(s.units) for s in stages)
    calls = sum(s.calls for s in stages)
    say(f"plan: {total} units, about {calls} model calls: " + ", ".join(f"{s.name} {len(s.units)}" for s in stages))
    for stage in stages:
        await job.execute(stage, say=say, note=note)


def _somebody(run: Run) -> str | None:
    """Whom to talk with: the first person drawn, in words that name nobody else."""
    drawn = sorted((r for r in run.rows(PersonaRow) if r.twin_of is None), key=lambda r: r.k)
    if not drawn:
        return None
    name = drawn[0].name
    alone = sum(name.casefold() == r.name.casefold() for r in drawn) == 1
    return name if alone else str(drawn[0].k)


def _measure(study: Study, bench: Bench) -> list[Measurement]:
    """Measurements from committed rows; stored as a unit that replaces itself, so they are never older than them."""
    rows = [MeasurementRow(unit="measure", measurement=m) for m in study.measure(bench)]
    bench.run.record("measure", rows, stage="measure")
    return [row.measurement for row in rows]


def _cache(order: Order) -> CacheMode:
    """The cache mode asked for; fakes and replays are cheaper than any cache."""
    if order.model.startswith(("fake:", "replay:")):
        return "off"
    return next(known for known in get_args(CacheMode) if known == order.cache)


# Reading finished runs -----------------------------------------------------------------------------------------------


_SHOWN: Final = ("study", "state", "reason", "model", "seed", "determinism", "spec", "started", "finished", "usage")
_COUNTED: Final[dict[str, type[Row]]] = {
    "people": PersonaRow,
    "responses": ResponseRow,
    "conversations": ConversationRow,
    "turns": TurnRow,
    "measurements": MeasurementRow,
    "failures": FailureRow,
}


def overview(folder: Path) -> dict[str, Any]:
    """What `personae run show` prints."""
    with open_run(folder) as run:
        tables = run.tables()
        rows = {name: tables.get(row.table, 0) for name, row in _COUNTED.items()}
        head = run.manifest.model_dump(mode="json") | {"state": run.state}
        model = run.manifest.model
        reference = str(model.get("reference", "")) if isinstance(model, Mapping) else str(model)
        cost = {"cost": Bill.of(reference, run.usage).amount} if reference else {}
        return {k: head.get(k) for k in _SHOWN} | rows | cost | {"digest": run.digest()}


def report_run(folder: Path) -> Path:
    """Write the report of a run again from what it holds: measurements are read, no weights are needed."""
    with open_run(folder) as run:
        study = studies.get(run.manifest.study)()
        spec = study.Spec.read(run.manifest.spec, where=str(folder))
        bench = Bench(_named(run), run, run.manifest.seed, spec)
        measured = [r.measurement for r in run.rows(MeasurementRow)]
        return write_report(study.page(bench, measured), folder / "report" / "index.html")


def _named(run: Run) -> Model:
    """A model that answers from the run's own call log: enough for a report, and no weights are needed."""
    return open_model(f"replay:{run.path}", cache="off")


def export_folder(
    folder: Path, out: Path | None, formats: Sequence[str], *, clean: bool = False, anonymise: bool = False
) -> list[Path]:
    """Write the datasets of a run; see `personae.formats.export_run`.

    Raises:
        UnknownKeyError: a format nobody knows.
    """
    for name in formats:
        if name not in FORMATS:
            raise UnknownKeyError.of(name, FORMATS, where="--formats")
    with open_run(folder) as run:
        wanted: list[Format] = [known for known in FORMATS if known in formats]
        target = out or folder / "exports"
        return _files(export_run(run, target, formats=wanted, clean=clean, anonymise=anonymise))


def _files(done: Export) -> list[Path]:
    return [done.folder / f.name for f in done.files]
