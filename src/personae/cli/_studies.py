"""`personae demo` and `personae study`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from personae.cli._output import Debug, DryRun, Json, Model, Out, Reply, Seed, guarded, note
from personae.core import InputError

study_app = typer.Typer(no_args_is_help=True)

Exactness = Annotated[
    str, typer.Option("--exactness", help="exact: one canonical shape, bit-equal again; batched: faster, replayable.")
]
Cache = Annotated[str, typer.Option("--cache", help="Answers of earlier runs: read_write, off, refresh, replay.")]
Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, help="Units in flight; never changes an exact result.")
]
MaxCalls = Annotated[int | None, typer.Option("--max-calls", min=1, help="Hard cap on model calls.")]


@guarded
def demo(
    out: Out = Path("demo-run"),
    seed: Seed = 7,
    people: Annotated[int | None, typer.Option("--people", min=2, help="How many people (24).")] = None,
    turns: Annotated[int | None, typer.Option("--turns", min=2, help="Most utterances of a conversation.")] = None,
    model: Model = "smollm2",
    exactness: Exactness = "exact",
    cache: Cache = "read_write",
    concurrency: Concurrency = 4,
    max_calls: MaxCalls = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The main job: people from a real population talk, answer and are measured; a report says what happened."""
    settings: dict[str, Any] = {}
    if people is not None:
        settings["people"] = people
    if turns is not None:
        settings["turns"] = turns
    reply = Reply(as_json=as_json)
    _run(reply, "demo", out, seed, model, settings, exactness, cache, concurrency, max_calls, dry_run=dry_run)


@study_app.command("list")
@guarded
def list_(as_json: Json = False, debug: Debug = False) -> None:
    """Studies, the capabilities they use, and the tests that prove them."""
    from personae.studies import studies

    reply = Reply(as_json=as_json)
    rows: list[dict[str, Any]] = []
    for name in studies:
        card = studies.get(name).card()
        rows.append(
            {
                "name": name,
                "paper": card.paper,
                "claims": len(card.claims),
                "capabilities": ", ".join(card.capabilities),
                "tests": ", ".join(card.tests),
                "title": card.title,
            }
        )
    for row in rows:
        reply.line(f"{row['name']}: {row['title']} ({row['paper']})")
        reply.line(f"    uses   {row['capabilities']}")
        reply.line(f"    tests  {row['tests']}")
    reply.done({"studies": rows})


@study_app.command("show")
@guarded
def show(name: str, as_json: Json = False, debug: Debug = False) -> None:
    """A study's card (claims, sources, limits) and its settings."""
    from personae.studies import studies

    reply = Reply(as_json=as_json)
    study = studies.get(name)
    card = study.card()
    settings = {k: f.get_default(call_default_factory=True) for k, f in study.Spec.model_fields.items()}
    reply.line(yaml.safe_dump(card.model_dump(), sort_keys=False, allow_unicode=True, width=100).rstrip())
    reply.line("settings (--set key=value):")
    for key, value in settings.items():
        about = study.Spec.model_fields[key].description or ""
        reply.line(f"  {key} = {value!r}  {about}".rstrip())
    reply.done({"card": card.model_dump(), "settings": settings})


@study_app.command("run")
@guarded
def run(
    name: str,
    out: Out,
    seed: Seed = 7,
    model: Model = "smollm2",
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, as `study show` lists them.")] = None,
    exactness: Exactness = "exact",
    cache: Cache = "read_write",
    concurrency: Concurrency = 4,
    max_calls: MaxCalls = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a study; the same call again resumes it."""
    given: dict[str, Any] = {}
    for pair in settings or []:
        key, mark, value = pair.partition("=")
        if not mark:
            raise InputError(f"--set {pair!r} is not key=value.", hint="Example: --set people=12")
        given[key.strip()] = yaml.safe_load(value)
    reply = Reply(as_json=as_json)
    _run(reply, name, out, seed, model, given, exactness, cache, concurrency, max_calls, dry_run=dry_run)


def _run(
    reply: Reply,
    name: str,
    out: Path,
    seed: int,
    model: str,
    settings: dict[str, Any],
    exactness: str,
    cache: str,
    concurrency: int,
    max_calls: int | None,
    *,
    dry_run: bool,
) -> None:
    from personae.studies import Order, plan_of, run_study

    order = Order(
        study=name,
        out=out,
        seed=seed,
        model=model,
        settings=settings,
        exactness=exactness,
        cache=cache,
        concurrency=concurrency,
        max_calls=max_calls,
    )
    if dry_run:
        plan = plan_of(order)
        for stage in plan:
            reply.line(f"{stage['stage']:>12}: {stage['units']} units, {stage['calls']} model calls")
        reply.done({"plan": plan, "dry_run": True})
        return
    finished = asyncio.run(run_study(order, say=reply.line, note=note))
    reply.line()
    for line in finished.lines():
        reply.line(line)
    if finished.failed:
        reply.warn(f"{finished.failed} unit(s) failed, see the report. The same command tries them again.")
    reply.done(finished.as_data())
