"""`personae population`: crowds side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from personae.cli._output import Debug, Json, Reply, Seed, guarded
from personae.cli._who import find_people

population_app = typer.Typer(no_args_is_help=True)

Side = Annotated[str, typer.Argument(help="A people file, a folder that `create` or a study wrote, or a recipe.")]


@population_app.command("compare")
@guarded
def compare(
    a: Side,
    b: Side,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for a report of the comparison.")] = None,
    n: Annotated[int, typer.Option("--n", min=2, help="People drawn where a recipe is named.")] = 2000,
    path: Annotated[
        list[str] | None, typer.Option("--path", help="Compare this persona path too; may be given several times.")
    ] = None,
    seed: Seed = 7,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Two populations: shares of every variable, what goes with what, how far they are apart. B is the reference."""
    from personae.core import InputError
    from personae.measures import compare_populations, people_columns
    from personae.reports import comparison_page, write_report

    reply = Reply(as_json=as_json)
    crowds = [find_people(side, n=n, seed=seed) for side in (a, b)]
    for side, people in zip((a, b), crowds, strict=True):
        if not people:
            raise InputError(f"{side} holds nobody.", hint="Give a file, folder or recipe with people.")
    sides = [people_columns(people, path or []) for people in crowds]
    found = compare_populations(sides[0], sides[1])
    reply.line(f"A: {a}, {found.people[0]:,} people; B: {b}, {found.people[1]:,} people")
    rows: list[dict[str, Any]] = []
    for v in sorted(found.variables, key=lambda v: -v.distance):
        worst = max(range(len(v.values)), key=lambda k: abs(v.differences[k]), default=None)
        rows.append(
            {
                "variable": v.name,
                "distance": f"{v.distance:.3f}",
                "most different value": v.values[worst] if worst is not None else "",
                "in A": f"{v.shares[0][worst]:.1%}" if worst is not None else "",
                "in B": f"{v.shares[1][worst]:.1%}" if worst is not None else "",
            }
        )
    reply.table(rows, ("variable", "distance", "most different value", "in A", "in B"))
    reply.line("distance: half the summed absolute difference of shares, 0 to 1")
    if found.pairs:
        mean = f"{found.mean_srmse:.3f} over {len(found.pairs)}"
        reply.line(f"pairs: SRMSE of A's two-way tables against B's (0: the same), mean {mean}")
    weighted = [name for name, columns in zip(("A", "B"), sides, strict=True) if "weight" in columns]
    if weighted:
        reply.line(f"counted by their weights: the people of {' and '.join(weighted)}")
    report = write_report(comparison_page(found, a, b), out / "index.html") if out is not None else None
    if report is not None:
        reply.line(f"report: {report}")
    reply.done(
        {
            "people": list(found.people), "variables": rows, "mean_srmse": found.mean_srmse,
            "pairs": [{"names": list(p.names), "v": list(p.v), "srmse": p.srmse} for p in found.pairs],
            "report": str(report) if report else None,
        }
    )  # fmt: skip
