"""`personae create`: people from a recipe."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personae.cli._output import Debug, DryRun, Json, Model, Out, Reply, Seed, guarded, note

if TYPE_CHECKING:
    from personae.creation import Population, PopulationFit

Recipe = Annotated[
    str | None,
    typer.Argument(help="A recipe file (YAML) or the name of a shipped recipe; may be left out with --resume."),
]
Number = Annotated[int | None, typer.Option("--n", min=1, help="How many people; the recipe's own number by default.")]
Quotas = Annotated[
    list[str] | None,
    typer.Option("--quota", help="A hard quota, such as 'sex: female=.6, male=.4'; may be given several times."),
]
Rarity = Annotated[
    float | None,
    typer.Option("--rarity", help="Above 1: rare people become commoner (with weights); below 1: fewer of them."),
]
Strata = Annotated[
    str | None, typer.Option("--strata", help="As many people in every combination of these: 'sex x age_band'.")
]
Format = Annotated[str, typer.Option("--format", help="jsonl: whole people; parquet: columns in parts, for many.")]
Shard = Annotated[str, typer.Option("--shard", help="I/M: write every M-th part only, beginning with the I-th (0/1).")]
Writer = Annotated[
    str,
    typer.Option(
        "--writer",
        help="Who writes each description: none; grammar (phrases); model (embedded, --model); endpoint (openai:…).",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on in --out with the recipe, n and seed that it was begun with.")
]


_MOST_CELLS = 40
"""cells printed one by one"""


@guarded
def create(
    out: Out,
    recipe: Recipe = None,
    n: Number = None,
    seed: Seed = 7,
    quotas: Quotas = None,
    rarity: Rarity = None,
    strata: Strata = None,
    form: Format = "jsonl",
    shard: Shard = "0/1",
    writer: Writer = "none",
    model: Model = "smollm2",
    resume: Resume = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw people from a recipe, say how well the margins fit, and write a report."""
    from personae.creation import Population, load_recipe, with_quotas
    from personae.reports import population_page, write_report

    reply = Reply(as_json=as_json)
    source = _begun(out, recipe, resume=resume)
    loaded = with_quotas(load_recipe(source), quotas or [])
    population = Population(
        loaded,
        n=loaded.n if resume else n,
        seed=loaded.seed if resume else seed,
        rarity=rarity,
        strata={"vars": strata.split(" x "), "allocation": "equal"} if strata else None,
    )
    reply.line(f"{loaded.title or loaded.name}: {len(population):,} people, seed {population.seed}, {population.hash}")
    if loaded.note:
        reply.line(f"note: {shorten(loaded.note, 300, placeholder=' …')}")
    _conflicts(population, reply)
    if dry_run:
        reply.done({"people": len(population), "recipe": population.hash, "dry_run": True})
        return
    if writer != "none":
        _described(population, out, writer, model, reply)
        return
    folder, whole = _written(population, out, form, shard)
    fit = population.fit()
    rows = _fit_rows(population, fit.rows)
    _print_fit(reply, rows, fit)
    reply.line(f"hard quotas: {'exact' if fit.hard_exact else 'NOT exact'}")
    report = write_report(population_page(population, fit), folder / "report" / "index.html") if whole else None
    reply.line(f"written: {folder}" if whole else f"written: parts of shard {shard} in {folder}")
    if report is not None:
        reply.line(f"report:  {report}")
    reply.done(
        {
            "people": len(population), "recipe": population.hash, "seed": population.seed, "fit": rows,
            "hard_quotas_exact": fit.hard_exact, "folder": str(folder), "report": str(report) if report else None,
        }
    )  # fmt: skip


def _begun(out: Path, recipe: str | None, *, resume: bool) -> str:
    """The recipe to draw from: the one named, or the one the folder was begun with."""
    from personae.core import InputError

    kept = out / "recipe.yaml"
    if not resume:
        if recipe is None:
            raise InputError("no recipe is named.", hint="personae create us_adults --out people, or --resume.")
        return recipe
    if recipe is not None:
        raise InputError(f"--resume goes on with what {out} holds, but a recipe is named too ({recipe!r}).")
    if not kept.is_file():
        raise InputError(f"nothing to go on with: there is no {kept}.", hint="Give the recipe and leave out --resume.")
    return str(kept)


def _written(population: Population, out: Path, form: str, shard: str) -> tuple[Path, bool]:
    """Write the people; the folder, and whether all of them are there."""
    from personae.core import InputError
    from personae.creation import write_population

    index, slash, of = shard.partition("/")
    if form not in {"jsonl", "parquet"}:
        raise InputError(f"--format {form!r}.", hint="Use jsonl or parquet.")
    if not slash or not index.isdigit() or not of.isdigit():
        raise InputError(f"--shard {shard!r}, expected I/M such as 0/4.")
    folder = write_population(
        population, out, format="jsonl" if form == "jsonl" else "parquet", shards=(int(index), int(of))
    )
    return folder, (folder / "fit.json").is_file()


def _described(population: Population, out: Path, writer: str, model: str, reply: Reply) -> None:
    """People with written descriptions: a run of the `people` study, which survives anything."""
    import asyncio

    from personae.core import InputError
    from personae.studies import Order, run_study

    if writer not in {"grammar", "model", "endpoint"}:
        raise InputError(f"--writer {writer!r}.", hint="Use none, grammar, model or endpoint.")
    if writer == "endpoint" and not model.startswith("openai:"):
        raise InputError(f"--writer endpoint with --model {model!r}.", hint="Name it: --model openai:NAME@URL.")
    by = "grammar" if writer == "grammar" else "model"
    settings = {"recipe": population.recipe.to_yaml(), "people": population.n, "writer": by}
    order = Order(study="people", out=out, seed=population.seed, model=model, settings=settings)
    done = asyncio.run(run_study(order, say=reply.line, note=note))
    for line in done.lines():
        reply.line(line)
    reply.done(done.as_data())


def _conflicts(population: Population, reply: Reply) -> None:
    report = population.recipe.fitted.report
    for margin in report.margins:
        if report.soft and margin.distance > 0.005:
            reply.warn(
                f"margin {margin.name} gives way to others: {margin.distance:.1%} of people stand elsewhere "
                f"(worst: {margin.worst}, {margin.gap:+.1%})."
            )


def _print_fit(reply: Reply, rows: list[dict[str, Any]], fit: PopulationFit) -> None:
    """Every cell of a small recipe; one line per margin of a large one (fit.json and the report hold the cells)."""
    if len(rows) <= _MOST_CELLS:
        reply.table(rows, ("margin", "cell", "asked", "got", "people", "quota"))
        return
    lines: list[dict[str, Any]] = []
    for name, distance in fit.distance.items():
        own = [r for r in fit.rows if r.margin == name]
        worst = max(own, key=lambda r: abs(r.count - r.target_count))
        lines.append(
            {
                "margin": name,
                "cells": len(own),
                "quota": "exact" if own[0].hard else "soft",
                "people elsewhere": f"{distance:.2%}",
                "furthest cell": f"{worst.cell}: asked {worst.target_count:,.1f}, got {worst.count:,}",
            }
        )
    reply.table(lines, ("margin", "cells", "quota", "people elsewhere", "furthest cell"))


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
