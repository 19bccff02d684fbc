"""`personae import` and the people side of `personae export`: other tools' files in and out."""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personae.cli._output import Debug, DryRun, Json, Reply, guarded

if TYPE_CHECKING:
    from personae.formats import PeopleExport

File = Annotated[Path, typer.Argument(help="A file of people, a folder of such files, or a dataset folder.")]
Format = Annotated[str, typer.Option("--format", help="Name of the format; auto looks into the file.")]
Mapping = Annotated[
    Path | None, typer.Option("--mapping", help="For tables of your own: YAML, which column is which leaf.")
]
_SHOWN = 12


@guarded
def import_(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="File to write: .jsonl, .json, .yaml, .parquet or .csv.")] = Path(
        "people.jsonl"
    ),
    format: Format = "auto",  # noqa: A002 - the word of the option
    mapping: Mapping = None,
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", help="Go on after rows that do not fit, and write them here with line and reason."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Insist on going on where it ended, without reading people twice; the same call alone begins anew "
            "when the rows before have changed.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over the file named by --out.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read people of another tool's file, and write them as ours. What was read is kept till the end is reached."""
    from personae.core import InputError
    from personae.formats import import_file

    reply = Reply(as_json=as_json)
    if dry_run:
        _counted(reply, file, format, mapping, report=rejected is not None)
        return
    if out.is_file() and not force:
        raise InputError(f"{out}: is there already.", hint="Name another file with --out, or give --force.")
    done = import_file(file, out, format, mapping, rejected=rejected, resume=resume)
    reply.line(f"{file}: {done.format} ({done.reason})")
    if done.anew:
        reply.warn(f"began anew: {done.anew}.")
    if done.resumed:
        reply.line(f"{done.resumed} people were there already")
    data = _summary(reply, done.format, done.reason, done.people, done.rejected, done.twice)
    if done.rejected_path is not None:
        reply.line(f"rejected: {done.rejected_path}")
        data["rejected_file"] = str(done.rejected_path)
    reply.line(f"written: {out}")
    reply.done(data | {"resumed": done.resumed, "out": str(out)})


def _counted(reply: Reply, file: Path, format: str, mapping: Path | None, *, report: bool) -> None:  # noqa: A002
    """Read, count and write nothing."""
    from personae.formats import import_people
    from personae.formats._kept import came_before

    ids = array("Q")
    with tempfile.TemporaryDirectory() as aside:
        log = Path(aside) / "rejected.jsonl"
        with import_people(file, format, mapping, on_error="report" if report else "stop", rejected=log) as people:
            reply.line(f"{file}: {people.format} ({people.reason})")
            ids.extend(int(p.id.removeprefix("p-"), 16) for p in people)
    data = _summary(reply, people.format, people.reason, people.people, people.rejected, came_before(ids))
    reply.done(data | {"dry_run": True})


def _summary(reply: Reply, format: str, reason: str, people: int, rejected: int, twice: int) -> dict[str, Any]:  # noqa: A002
    if twice:
        reply.warn(f"{twice} people are in the file more than once; files of people hold each once.")
    reply.line(f"{people} people, {rejected} rows rejected")
    return {"format": format, "reason": reason, "people": people, "rejected": rejected, "twice": twice}


def export_file(
    file: Path,
    out: Path | None,
    format: str,  # noqa: A002
    *,
    mapping: Path | None,
    anonymise: bool,
    as_json: bool,
) -> None:
    """Write the people of a file in another format, and say what it has no room for."""
    from personae.core import InputError
    from personae.formats import export_people, import_people

    if out is None:
        raise InputError(f"{file}: where to?", hint="Give --out FILE (or a folder, for a dataset).")
    reply = Reply(as_json=as_json)
    with import_people(file) as people:
        done = export_people(people, out, format, mapping=mapping, anonymise=anonymise)
    reply.line(f"{done.people} people as {done.format}")
    for path, n in done.dropped.most_common(_SHOWN):
        reply.line(f"  left out: {path} (of {n})")
    if len(done.dropped) > _SHOWN:
        reply.line(f"  left out: {len(done.dropped) - _SHOWN} more kinds of leaves; --json lists them")
    reply.line(f"written: {out}")
    reply.done(_told(done))


def _told(done: PeopleExport) -> dict[str, Any]:
    return {
        "people": done.people,
        "format": done.format,
        "dropped": dict(done.dropped),
        "redactions": dict(done.redactions),
        "files": [str(done.path / f.name) for f in done.files] or [str(done.path)],
    }
