"""`personae import` and the people side of `personae export`: other tools' files in and out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personae.cli._output import Debug, DryRun, Json, Reply, guarded

if TYPE_CHECKING:
    from personae.core import Persona
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
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read people of another tool's file, and write them as ours."""
    from personae.formats import export_people, import_people

    reply = Reply(as_json=as_json)
    with tempfile.TemporaryDirectory() as aside:
        log = Path(aside) / "rejected.jsonl" if dry_run else rejected
        report = rejected is not None
        with import_people(file, format, mapping, on_error="report" if report else "stop", rejected=log) as people:
            reply.line(f"{file}: {people.format} ({people.reason})")
            seen = _Seen()
            if dry_run:
                for _ in seen.watch(people):
                    pass
            else:
                export_people(seen.watch(people), out)
    if seen.twice:
        reply.warn(f"{seen.twice} people are in the file more than once; files of people hold each once.")
    reply.line(f"{people.people} people, {people.rejected} rows rejected")
    data: dict[str, Any] = {
        "format": people.format, "reason": people.reason, "people": people.people, "rejected": people.rejected,
        "twice": seen.twice,
    }  # fmt: skip
    if dry_run:
        reply.done(data | {"dry_run": True})
        return
    if people.rejected:
        reply.line(f"rejected: {people.rejected_path}")
        data["rejected_file"] = str(people.rejected_path)
    reply.line(f"written: {out}")
    reply.done(data | {"out": str(out)})


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


class _Seen:
    """Counts people who come more than once."""

    def __init__(self) -> None:
        self.twice = 0
        self._ids: set[int] = set()

    def watch(self, people: Iterable[Persona]) -> Iterator[Persona]:
        """The same people."""
        for person in people:
            key = int(person.id.removeprefix("p-"), 16)
            self.twice += key in self._ids
            self._ids.add(key)
            yield person
