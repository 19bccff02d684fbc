"""`personae create`: people from a recipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from personae.cli._output import Debug, DryRun, Json, Model, Out, Reply, guarded, note

if TYPE_CHECKING:
    from personae.creation import PeopleFormat, Population, PopulationFit
    from personae.creation import Recipe as PopulationRecipe
    from personae.studies import Order

Source = Annotated[
    str | None,
    typer.Argument(
        help="A recipe file (YAML), or a shipped one: us_adults, us_adults_rich, harbour_town. Left out with --resume."
    ),
]
RecipeSeed = Annotated[
    int | None, typer.Option("--seed", help="The same seed gives the same people; the recipe's own by default.")
]
Number = Annotated[int | None, typer.Option("--n", min=1, help="How many people; the recipe's own number by default.")]
Quotas = Annotated[
    list[str] | None,
    typer.Option(
        "--quota",
        help="A hard quota, such as 'sex: female=.6, male=.4'; may be given several times. Other margins of these "
        "variables become soft.",
    ),
]
Rarity = Annotated[
    float | None,
    typer.Option("--rarity", help="Above 1: rare people become commoner (with weights); below 1: fewer of them."),
]
Strata = Annotated[
    str | None,
    typer.Option(
        "--strata",
        help="As many people in every combination of these (with weights): 'sex x age_band'. Margins of these "
        "variables become soft.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="jsonl (the usual one): whole people; parquet: columns in parts, for many."),
]
Shard = Annotated[str, typer.Option("--shard", help="I/M: write every M-th part only, beginning with the I-th (0/1).")]
Writer = Annotated[
    str,
    typer.Option(
        "--writer",
        help="Who writes each description: none; grammar (phrases); model (embedded, --model); endpoint (openai:…).",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on in --out with all that it was begun with: recipe, n, seed, writer.")
]


_MOST_CELLS: Final = 40
"""cells printed one by one"""
_WATCHED: Final = 20_000
"""people from which on it is told how far the writing is"""
_MODEL: Final = "smollm2"


@guarded
def create(
    out: Out,
    recipe: Source = None,
    n: Number = None,
    seed: RecipeSeed = None,
    quotas: Quotas = None,
    rarity: Rarity = None,
    strata: Strata = None,
    form: Format = None,
    shard: Shard = "0/1",
    writer: Writer = "none",
    model: Model = _MODEL,
    resume: Resume = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw people from a recipe, say how well the margins fit, and write a report."""
    from personae.creation import Population, load_recipe, with_quotas, with_strata

    reply = Reply(as_json=as_json)
    given = {"a recipe": recipe, "--n": n, "--seed": seed, "--quota": quotas, "--rarity": rarity, "--strata": strata}
    if resume and (order := _run_to_go_on(out, given, writer, model)):
        _run(order, reply, dry_run=dry_run)
        return
    shards = _checked(form, shard, writer, model)
    source = _begun(out, given) if resume else recipe
    if source is None:
        raise _input("no recipe is named.", "personae create us_adults --out people, or --resume.")
    loaded = load_recipe(source)
    asked = with_strata(with_quotas(loaded, quotas or []), strata)
    population = Population(asked, n=n, seed=seed, rarity=rarity)
    reply.line(f"{asked.title or asked.name}: {len(population):,} people, seed {population.seed}, {population.hash}")
    if asked.note:
        reply.line(f"note: {shorten(asked.note, 300, placeholder=' …')}")
    _conflicts(population, loaded, reply)
    if writer != "none":
        _run(_order(population, out, writer, model), reply, dry_run=dry_run)
        return
    kind: PeopleFormat = "parquet" if form == "parquet" or (form is None and resume and _columns(out)) else "jsonl"
    if dry_run:
        _told_beforehand(population, kind, reply)
        return
    whole = _written(population, out, kind, shards)
    fit = population.fit()
    rows = _fit_rows(population, fit.rows)
    _print_fit(reply, rows, fit)
    reply.line(f"hard quotas: {'exact' if fit.hard_exact else 'NOT exact'}")
    report = _reported(population, fit, out) if whole else None
    reply.line(f"written: {out}" if whole else f"written: parts of shard {shard} in {out}")
    if report is not None:
        reply.line(f"report:  {report}")
    reply.done(
        {
            "people": len(population), "recipe": population.hash, "seed": population.seed, "fit": rows,
            "hard_quotas_exact": fit.hard_exact, "folder": str(out), "report": str(report) if report else None,
        }
    )  # fmt: skip


def _input(message: str, hint: str) -> Exception:
    from personae.core import InputError

    return InputError(message, hint=hint)


def _checked(form: str | None, shard: str, writer: str, model: str) -> tuple[int, int]:
    """The shard; what can be refused is refused before anything is fitted."""
    index, slash, of = shard.partition("/")
    if form not in {None, "jsonl", "parquet"}:
        raise _input(f"--format {form!r}.", "Use jsonl or parquet.")
    if not slash or not index.isdecimal() or not of.isdecimal() or not int(index) < int(of):
        raise _input(f"--shard {shard!r}, expected I/M with 0 <= I < M.", "0/2 and 1/2 are the two halves.")
    if writer not in {"none", "grammar", "model", "endpoint"}:
        raise _input(f"--writer {writer!r}.", "Use none, grammar, model or endpoint.")
    if writer == "endpoint" and not model.startswith("openai:"):
        raise _input(f"--writer endpoint with --model {model!r}.", "Name it: --model openai:NAME@URL.")
    return int(index), int(of)


# Going on ------------------------------------------------------------------------------------------------------------


def _begun(out: Path, given: Mapping[str, object]) -> str:
    """The recipe that a folder was begun with."""
    kept = out / "recipe.yaml"
    _nothing_else(out, given)
    if not kept.is_file():
        raise _input(f"nothing to go on with: there is no {kept}.", "Give the recipe and leave out --resume.")
    return str(kept)


def _nothing_else(out: Path, given: Mapping[str, object]) -> None:
    named = [name for name, value in given.items() if value is not None and value is not False]
    if named:
        words = f"{' and '.join(named)} {'are' if named[1:] else 'is'}"
        raise _input(
            f"--resume goes on with what {out} holds, but {words} named too.",
            "Leave it out to go on; or leave out --resume and take another folder.",
        )


def _run_to_go_on(out: Path, given: Mapping[str, object], writer: str, model: str) -> Order | None:
    """The order of the run that a folder holds; None when it holds no run."""
    from personae.runs import open_run
    from personae.studies import Order

    if not (out / "manifest.json").is_file():
        return None
    with open_run(out) as run:
        kept = run.manifest
    if kept.study != "people":
        raise _input(f"{out} holds a run of {kept.study!r}.", f"Go on with it: personae study run {kept.study} …")
    reference = kept.model.get("reference", "none") if isinstance(kept.model, dict) else str(kept.model)
    named = {**given, "another --writer": writer not in {"none", kept.spec["writer"]} and reference == "none"}
    _nothing_else(out, {**named, "another --model": model not in {_MODEL, reference}})
    return Order(study="people", out=out, seed=kept.seed, model=reference, settings=kept.spec)


def _columns(out: Path) -> bool:
    """Whether a folder was begun with columns alone."""
    return (out / "people").is_dir() and not (out / "people.parts").is_dir() and not (out / "people.jsonl").is_file()


# Writing -------------------------------------------------------------------------------------------------------------


def _told_beforehand(population: Population, kind: PeopleFormat, reply: Reply) -> None:
    from personae.creation import expected_bytes

    size = expected_bytes(population, kind)
    twice = " (half of it for good)" if kind == "jsonl" else ""
    reply.line(f"would write about {size / 1e9:,.3f} GB as {kind}{twice}; nothing was written")
    reply.done({"people": len(population), "recipe": population.hash, "bytes": size, "dry_run": True})


def _written(population: Population, out: Path, kind: PeopleFormat, shards: tuple[int, int]) -> bool:
    """Write the people; whether all of them are there."""
    from personae.creation import write_population
    from personae.runs import Status, progress_for

    if len(population) < _WATCHED:
        write_population(population, out, format=kind, shards=shards)
        return (out / "fit.json").is_file()
    began, progress = time.monotonic(), progress_for(sys.stderr, note)
    last: Status | None = None

    def told(done: int, total: int) -> None:
        nonlocal last
        status = Status("people", done, 0, 0, total, time.monotonic() - began, 0)
        (progress.start if last is None else progress.update)(status)
        last = status

    try:
        write_population(population, out, format=kind, shards=shards, told=told)
    finally:
        if last is not None:
            progress.finish(last)
    return (out / "fit.json").is_file()


def _reported(population: Population, fit: PopulationFit, out: Path) -> Path:
    from personae.reports import population_page, write_report

    return write_report(population_page(population, fit), out / "report" / "index.html")


def _order(population: Population, out: Path, writer: str, model: str) -> Order:
    """People with written descriptions: a run of the `people` study, which survives anything."""
    from personae.studies import Order

    by = "grammar" if writer == "grammar" else "model"
    settings = {"recipe": population.recipe.to_yaml(), "people": population.n, "writer": by}
    return Order(study="people", out=out, seed=population.seed, model=model, settings=settings)


def _run(order: Order, reply: Reply, *, dry_run: bool) -> None:
    import asyncio

    from personae.studies import plan_of, run_study

    if dry_run:
        rows = plan_of(order)
        reply.table(rows, ("stage", "units", "calls"))
        reply.done({"stages": rows, "dry_run": True})
        return
    done = asyncio.run(run_study(order, say=reply.line, note=note))
    for line in done.lines():
        reply.line(line)
    reply.done(done.as_data())


def _conflicts(population: Population, loaded: PopulationRecipe, reply: Reply) -> None:
    """Say which margins are no longer met, and which are no longer exact."""
    hard = {m.vars for m in population.recipe.margins if m.hard}
    softened = [m.name for m in loaded.margins if m.hard and m.vars not in hard]
    if softened:
        reply.warn(f"no longer exact, because a quota or the strata speak of the same people: {', '.join(softened)}.")
    report = population.recipe.fitted.report
    for margin in report.margins:
        if report.soft and margin.distance > 0.005:
            reply.warn(
                f"margin {margin.name} gives way to others: {margin.distance:.1%} of people stand elsewhere "
                f"(worst: {margin.worst}, {margin.gap:+.1%})."
            )


def _print_fit(reply: Reply, rows: list[dict[str, Any]], fit: PopulationFit) -> None:
    """Every cell of a small recipe; one line per margin of a large one (fit.json and the report hold the cells)."""
    if len(rows) <= _MOST_CELLS and not fit.weighted:
        reply.table(rows, ("margin", "cell", "asked", "got", "people", "quota"))
        return
    lines: list[dict[str, Any]] = []
    for name, distance in fit.distance.items():
        own = [r for r in fit.rows if r.margin == name]
        worst = max(own, key=lambda r: abs(r.count - r.target_count))
        weighted = fit.weighted.get(name)
        lines.append(
            {
                "margin": name,
                "cells": len(own),
                "quota": "exact" if own[0].hard else "soft",
                "people elsewhere": f"{distance:.2%}{' (rounding)' if own[0].hard and distance >= 5e-5 else ''}",
                "by weight": f"{weighted.distance:.2%}" if weighted else "",
                "furthest cell": f"{worst.cell}: asked {worst.target_count:,.1f}, got {worst.count:,}",
            }
        )
    weights = ("by weight",) if fit.weighted else ()
    reply.table(lines, ("margin", "cells", "quota", "people elsewhere", *weights, "furthest cell"))
    if fit.effective is not None:
        reply.line(
            f"rare ones were drawn more often on purpose; weights make up for it: {fit.people:,} people tell as much "
            f"of the population as {fit.effective:,.0f} drawn evenly"
        )


def _fit_rows(population: Population, rows: Any) -> list[dict[str, Any]]:
    return [
        {
            "margin": c.margin,
            "cell": c.cell,
            "asked": f"{c.target_share:.1%}",
            "got": f"{c.count / len(population):.1%}",
            "people": c.count,
            "quota": "exact" if c.hard else "soft",
        }
        for c in rows
    ]
