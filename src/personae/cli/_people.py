"""`personae create`: people from a recipe."""

from __future__ import annotations

from textwrap import shorten
from typing import Annotated, Any

import typer

from personae.cli._output import Debug, DryRun, Json, Out, Reply, Seed, guarded

Recipe = Annotated[str, typer.Argument(help="A recipe file (YAML) or the name of a shipped recipe.")]
Number = Annotated[int | None, typer.Option("--n", min=1, help="How many people; the recipe's own number by default.")]


@guarded
def create(
    recipe: Recipe,
    out: Out,
    n: Number = None,
    seed: Seed = 7,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw people from a recipe and print how well the margins fit."""
    from personae.creation import Population, load_recipe, write_population

    reply = Reply(as_json=as_json)
    loaded = load_recipe(recipe)
    population = Population(loaded, n=n, seed=seed)
    reply.line(f"{loaded.title or loaded.name}: {len(population)} people, seed {seed}, recipe {loaded.hash}")
    if loaded.note:
        reply.line(f"note: {shorten(loaded.note, 300, placeholder=' …')}")
    if dry_run:
        reply.done({"people": len(population), "recipe": loaded.hash, "dry_run": True})
        return
    written = write_population(population, out)
    fit: list[dict[str, Any]] = [
        {
            "margin": c.margin,
            "cell": c.cell,
            "asked": f"{c.target_share:.1%}",
            "got": f"{c.count / len(population):.1%}",
            "people": c.count,
            "quota": "exact" if c.hard else "soft",
        }
        for c in population.fit().rows
    ]
    reply.table(fit, ("margin", "cell", "asked", "got", "people", "quota"))
    reply.line(f"written: {written}")
    reply.done({"people": len(population), "recipe": loaded.hash, "seed": seed, "fit": fit, "folder": str(written)})
