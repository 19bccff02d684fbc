"""`personae demo` and `personae study`."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from personae.cli._output import Debug, DryRun, Json, Model, Out, Reply, Seed, guarded, note

if TYPE_CHECKING:
    from personae.models import Price as TokenPrice
    from personae.studies import Order

study_app = typer.Typer(no_args_is_help=True)

Exactness = Annotated[
    str, typer.Option("--exactness", help="exact: one canonical shape, bit-equal again; batched: faster, replayable.")
]
Cache = Annotated[str, typer.Option("--cache", help="Answers of earlier runs: read_write, off, refresh, replay.")]
Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, help="Units in flight; never changes an exact result.")
]
MaxCalls = Annotated[int | None, typer.Option("--max-calls", min=1, help="Hard cap on model calls.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Do a few units of each stage, say what the rest will cost, and stop there.")
]
Price = Annotated[
    str | None,
    typer.Option("--price", help="For --preview: price of a million tokens, PROMPT,GENERATED, such as 0.15,0.60."),
]


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
    preview: Preview = False,
    price: Price = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The main job: people from a real population talk, answer and are measured; a report says what happened."""
    from personae.studies import Order

    settings: dict[str, Any] = {}
    if people is not None:
        settings["people"] = people
    if turns is not None:
        settings["turns"] = turns
    order = Order(
        study="demo",
        out=out,
        seed=seed,
        model=model,
        settings=settings,
        exactness=exactness,
        cache=cache,
        concurrency=concurrency,
        max_calls=max_calls,
    )
    _go(Reply(as_json=as_json), order, dry_run=dry_run, preview=preview, price=price)


@study_app.command("list")
@guarded
def list_(
    people: Annotated[
        Path | None,
        typer.Option("--for", help="A file of people: say for each study on how many it can run, and why not."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Studies: kinds of persona, needs, cost, the capabilities they use, and the tests that prove them."""
    from personae.studies import card_of, studies

    reply = Reply(as_json=as_json)
    rows: list[dict[str, Any]] = []
    for name in studies:
        card = card_of(name)
        rows.append(
            {
                "name": name,
                "paper": card.paper,
                "claims": len(card.claims),
                "kinds": list(card.kinds),
                "needs": card.needs.model_dump(mode="json"),
                "cost": card.cost,
                "metrics": list(card.metrics),
                "capabilities": ", ".join(card.capabilities),
                "tests": ", ".join(card.tests),
                "title": card.title,
            }
        )
    fits = _fits(people) if people is not None else {}
    for row in rows:
        reply.line(f"{row['name']}: {row['title']} ({row['paper']})")
        reply.line(f"    kinds  {', '.join(row['kinds'])}")
        reply.line(f"    needs  {', '.join(row['needs']['fields']) or 'nothing'}; model: {row['needs']['model']}")
        reply.line(f"    cost   {row['cost']}")
        reply.line(f"    uses   {row['capabilities']}")
        reply.line(f"    tests  {row['tests']}")
        if row["name"] in fits:
            row["for"] = fits[row["name"]]
            reply.line(f"    for    {row['for']['runnable']} of {row['for']['people']} people")
            for reason, count in row["for"]["reasons"].items():
                reply.line(f"           {count} cannot: {reason}")
    reply.done({"studies": rows})


def _fits(file: Path) -> dict[str, dict[str, Any]]:
    """For each study: on how many people of a file it can run, and the reasons why not with their counts."""
    from personae.creation import load_people
    from personae.studies import plan_for

    out: dict[str, dict[str, Any]] = {}
    for person in load_people(file):
        for option in plan_for(person).evaluation_suites:
            told = out.setdefault(option.study, {"people": 0, "runnable": 0, "reasons": {}})
            told["people"] += 1
            told["runnable"] += option.runnable
            for reason in option.reasons:
                told["reasons"][reason] = told["reasons"].get(reason, 0) + 1
    return out


@study_app.command("show")
@guarded
def show(name: str, as_json: Json = False, debug: Debug = False) -> None:
    """A study's card (claims, sources, limits) and its settings."""
    import yaml

    from personae.studies import studies

    reply = Reply(as_json=as_json)
    study = studies.get(name)
    card = study.card()
    settings = {k: f.get_default(call_default_factory=True) for k, f in study.Spec.model_fields.items()}
    reply.line(yaml.safe_dump(card.model_dump(), sort_keys=False, allow_unicode=True, width=100).rstrip())
    reply.line("settings (--set key=value):")
    for key, value in settings.items():
        field = study.Spec.model_fields[key]
        closed = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        words = f" of {' | '.join(map(str, closed))}" if closed else ""
        reply.line(f"  {key} = {value!r}{words}  {field.description or ''}".rstrip())
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
    preview: Preview = False,
    price: Price = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a study; the same call again resumes it."""
    import yaml

    from personae.core import InputError
    from personae.studies import Order

    given: dict[str, Any] = {}
    for pair in settings or []:
        key, mark, value = pair.partition("=")
        if not mark:
            raise InputError(f"--set {pair!r} is not key=value.", hint="Example: --set people=12")
        given[key.strip()] = yaml.safe_load(value)
    order = Order(
        study=name,
        out=out,
        seed=seed,
        model=model,
        settings=given,
        exactness=exactness,
        cache=cache,
        concurrency=concurrency,
        max_calls=max_calls,
    )
    _go(Reply(as_json=as_json), order, dry_run=dry_run, preview=preview, price=price)


def _go(reply: Reply, order: Order, *, dry_run: bool, preview: bool, price: str | None) -> None:
    import asyncio

    from personae.core import InputError
    from personae.studies import plan_of, preview_study, run_study

    if dry_run and preview:
        raise InputError("--dry-run and --preview were given.", hint="--dry-run does nothing, --preview a little.")
    if price is not None and not preview:
        raise InputError(f"--price {price!r} was given without --preview.", hint="Give both, or neither.")
    if dry_run:
        plan = plan_of(order)
        for stage in plan:
            reply.line(f"{stage['stage']:>12}: {stage['units']} units, {stage['calls']} model calls")
        reply.done({"plan": plan, "dry_run": True})
        return
    if preview:
        asked = _price(price)
        found = asyncio.run(preview_study(order, say=reply.line, note=note))
        reply.line()
        for line in found.lines(asked):
            reply.line(line)
        reply.done(found.as_data(asked))
        return
    finished = asyncio.run(run_study(order, say=reply.line, note=note))
    reply.line()
    for line in finished.lines():
        reply.line(line)
    if finished.failed:
        reply.warn(f"{finished.failed} unit(s) failed, see the report. The same command tries them again.")
    reply.done(finished.as_data())


def _price(text: str | None) -> TokenPrice | None:
    """`0.15,0.60`: a million prompt tokens, a million generated ones."""
    from personae.core import InputError
    from personae.models import Price as TokenPrice

    if text is None:
        return None
    try:
        prompt, generated = (float(part) for part in text.split(","))
    except ValueError:
        prompt = generated = -1.0
    if not (0 <= prompt < inf and 0 <= generated < inf):
        raise InputError(f"--price {text!r}, expected two numbers from 0.", hint="Example: --price 0.15,0.60")
    return TokenPrice(prompt=prompt, generated=generated, date=datetime.now(UTC).date())
