"""Everything a study does not have to do itself: the run folder, resume, progress, preview, report, exports."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
from personae.models import Model, open_model, parse_reference, teach, wrap_model
from personae.reports import write_report
from personae.runs import Caps, Run, Summary, Unit, execute, open_run, progress_for
from personae.studies._base import Bench, Stage, Study, StudySpec, studies

Exactness = Literal["exact", "batched"]
CacheMode = Literal["read_write", "off", "refresh", "replay"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, as the user said it."""

    study: str
    out: Path
    seed: int = 7
    model: str = "smollm2"
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
            f"  personae run show {self.folder}",
            "  personae chat Wanda",
            f"  personae export {self.folder} --formats chat",
        ]

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


async def run_study(order: Order, *, say: Say, note: Say) -> Finished:
    """Run or resume a study to its report.

    Raises:
        InputError: unknown study or settings, or a folder that holds another run.
        RunFailedError: more units failed than allowed, or a cap was reached; the folder stays resumable.
    """
    began, cpu = time.monotonic(), time.process_time()
    study, spec = order.resolve()
    study.check(spec)
    exactness: Exactness = "exact" if order.exactness == "exact" else "batched"
    bare = open_model(order.model, cache="off", mode=exactness)
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
            measured, report, exports = await _fill(order, study, spec, run, bare, say=say, note=note)
            return Finished(
                folder=run.path,
                report=report,
                exports=tuple(exports),
                digest=run.digest(),
                headline=tuple(study.headline(measured)),
                failed=run.count(failed=True),
                seconds=time.monotonic() - began,
                cpu_seconds=time.process_time() - cpu,
            )
    finally:
        await bare.close()


async def _fill(
    order: Order, study: Study, spec: StudySpec, run: Run, bare: Model, *, say: Say, note: Say
) -> tuple[list[Measurement], Path, list[Path]]:
    """Stages, measurements, report, exports."""
    model = wrap_model(bare, cache=_cache(order), log=run.calls)
    try:
        say(study.card().title)
        say(
            f"model {model.reference} ({model.determinism}), seed {order.seed}, "
            f"load {os.getloadavg()[0]:.2f}, into {order.out}"
        )
        await _stages(order, study, spec, run, model, say=say, note=note)
        bench = Bench(model, run, order.seed, spec)
        measured = _measure(study, bench)
        run.complete()  # before the report, which says how the run ended
        report = write_report(study.page(bench, measured), run.path / "report" / "index.html")
        return measured, report, _files(export_run(run, run.path / "exports"))
    finally:
        await model.close()


async def _stages(order: Order, study: Study, spec: StudySpec, run: Run, model: Model, *, say: Say, note: Say) -> None:
    stages: Sequence[Stage] = study.plan(spec, order.seed)
    total = sum(len(s.units) for s in stages)
    calls = sum(s.calls for s in stages)
    say(f"plan: {total} units, about {calls} model calls: " + ", ".join(f"{s.name} {len(s.units)}" for s in stages))
    for stage in stages:
        bench = Bench(model, run, order.seed, spec)

        async def work(unit: Unit, bench: Bench = bench) -> Sequence[Row]:
            return await study.work(unit, bench)

        summary = await _execute(order, run, stage, work, note)
        after = Bench(model, run, order.seed, spec)
        _teach(after)
        for line in study.after(stage, after):
            say(line)
        if summary.failed:
            note(f"{stage.name}: {summary.failed} unit(s) failed: {dict(summary.failures)}")


def _teach(bench: Bench) -> None:
    """Tell a statistical fake who is who; real models never hear of it."""
    for person in bench.people.values():
        if not teach(bench.model, person):
            return


async def _execute(order: Order, run: Run, stage: Stage, work: Callable[[Unit], Any], note: Say) -> Summary:
    return await execute(
        run,
        stage.units,
        work,
        concurrency=order.concurrency,
        max_failure_share=order.max_failure_share,
        caps=Caps(calls=order.max_calls) if order.max_calls else None,
        progress=progress_for(sys.stderr, note),
    )


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
        return {k: head.get(k) for k in _SHOWN} | rows | {"digest": run.digest()}


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


def export_folder(folder: Path, out: Path | None, formats: Sequence[str]) -> list[Path]:
    """Write the datasets of a run.

    Raises:
        UnknownKeyError: a format nobody knows.
    """
    for name in formats:
        if name not in FORMATS:
            raise UnknownKeyError.of(name, FORMATS, where="--formats")
    with open_run(folder) as run:
        wanted: list[Format] = [known for known in FORMATS if known in formats]
        return _files(export_run(run, out or folder / "exports", formats=wanted))


def _files(done: Export) -> list[Path]:
    return [done.folder / f.name for f in done.files]
