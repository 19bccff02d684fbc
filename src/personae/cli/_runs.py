"""`personae run`, `report`, `export`: what a run folder holds; `export` takes files of people too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from personae.cli._import import export_file
from personae.cli._output import Debug, Json, Reply, guarded

run_app = typer.Typer(no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="A run folder.")]


@run_app.command("show")
@guarded
def show(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """State, settings, counts and usage of a run."""
    from personae.studies import overview

    reply = Reply(as_json=as_json)
    data = overview(folder)
    for key, value in data.items():
        reply.line(f"{key:>16}: {value}")
    reply.done(data)


@run_app.command("digest")
@guarded
def digest(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """The content digest of the evidence: equal digests, equal evidence."""
    from personae.runs import open_run

    reply = Reply(as_json=as_json)
    with open_run(folder) as run:
        value = run.digest()
    reply.line(value)
    reply.done({"digest": value})


@run_app.command("compare")
@guarded
def compare(first: Folder, second: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Which evidence tables of two runs differ, and by how many rows."""
    from personae.runs import compare as compare_runs
    from personae.runs import open_run

    reply = Reply(as_json=as_json)
    with open_run(first) as run_a, open_run(second) as run_b:
        found = compare_runs(run_a, run_b)
    reply.line("identical" if found.identical else f"different: {found.digest_a} / {found.digest_b}")
    for table in found.different:
        reply.line(
            f"  {table.table}: {table.rows_a} and {table.rows_b} rows, {table.only_a} only in the first, "
            f"{table.only_b} only in the second"
        )
        for row in table.first:
            reply.line(f"    {row.unit}: differs in {', '.join(row.columns)}")
    different = [{"table": t.table, "only_first": t.only_a, "only_second": t.only_b} for t in found.different]
    reply.done({"identical": found.identical, "equal": list(found.equal), "different": different})


@run_app.command("repair")
@guarded
def repair(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Drop damaged parts and queue exactly the units they held, for the next resume."""
    from personae.runs import repair_run

    reply = Reply(as_json=as_json)
    done = repair_run(folder)
    for path in done.files:
        reply.line(f"dropped: {path}")
    reply.line(f"{len(done.units)} unit(s) will run again when the same command is given.")
    reply.done({"dropped": [str(p) for p in done.files], "queued": list(done.units)})


@guarded
def report(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Write the report of a run again from what its folder holds; no weights are needed."""
    from personae.studies import report_run

    reply = Reply(as_json=as_json)
    path = report_run(folder)
    reply.line(f"report: {path}")
    reply.done({"report": str(path)})


@guarded
def export(
    folder: Annotated[Path, typer.Argument(help="A run folder, or a file of people.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; of a run, RUN/exports by default.")] = None,
    formats: Annotated[
        str, typer.Option("--formats", help="Comma-separated: jsonl, chat, sharegpt, sft, csv, parquet.")
    ] = "jsonl,chat,sft,csv,parquet",
    clean: Annotated[
        bool, typer.Option("--clean", help="Leave out conversations in which an audit found something.")
    ] = False,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Replace names by placeholders; of people, drop what identifies too.")
    ] = False,
    format: Annotated[  # noqa: A002 - the word of the option
        str,
        typer.Option("--format", help="Of a file of people: tinytroupe, character_card, parquet, hf_dataset, …"),
    ] = "auto",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Of people, with --format csv: YAML, which column is which leaf.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write datasets of a run with a card and checksums; or the people of a file in another tool's format."""
    from personae.studies import export_folder

    if folder.is_file():
        export_file(folder, out, format, mapping=mapping, anonymise=anonymise, as_json=as_json)
        return
    reply = Reply(as_json=as_json)
    wanted = tuple(f.strip() for f in formats.split(",") if f.strip())
    files = export_folder(folder, out, wanted, clean=clean, anonymise=anonymise)
    for path in files:
        reply.line(f"written: {path}")
    reply.done({"files": [str(p) for p in files]})
