"""`personae lint`: what contradicts itself in people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer

from personae.cli._output import Debug, Json, Reply, guarded

People = Annotated[
    Path, typer.Argument(help="A file of people: .jsonl, .json or .yaml; or the folder that `create` wrote one in.")
]
PackNames = Annotated[
    list[str] | None,
    typer.Option("--pack", help="A rule pack by name or path; may be repeated. By default those that fit each person."),
]
Most = Annotated[int, typer.Option("--most", min=1, help="How many findings are printed for people to read.")]
FOUND = 2
"""Exit code when somebody has a finding of severity error: what was given is wrong."""


@guarded
def lint(
    file: People,
    pack: PackNames = None,
    most: Most = 200,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find contradictions, impossible ages and template text in people; exit code 2 when there are errors."""
    from personae.creation import lint_many, read_records

    reply = Reply(as_json=as_json)
    bodies: list[Any] = []
    lines: list[int] = []
    file = file / "people.jsonl" if (file / "people.jsonl").is_file() else file
    for line, body in read_records(file):
        lines.append(line)
        bodies.append(body)
    if not bodies:
        reply.warn(f"{file} holds nobody: nothing was checked.")
    rows: list[dict[str, Any]] = []
    with_errors = 0
    for line, body, found in zip(lines, bodies, lint_many(bodies, pack or "auto"), strict=True):
        with_errors += any(f.severity == "error" for f in found)
        rows += [
            {
                "line": line,
                "who": _called(body),
                "severity": f.severity,
                "code": f.code,
                "owner": f.owner,
                "pack": f.pack,
                "fields": list(f.fields),
                "given": dict(f.given),
                "hint": f.hint,
            }
            for f in found
        ]
    for row in rows[:most]:
        given = ", ".join(f"{name} {value}" for name, value in row["given"].items())
        reply.line(
            f"{file}:{row['line']}: {row['severity']} {row['code']} ({row['who']}): {given}. {row['hint'] or ''}"
        )
    if len(rows) > most:
        reply.line(f"and {len(rows) - most} more (--most shows more, --json all)")
    errors = sum(row["severity"] == "error" for row in rows)
    reply.table(
        [{"code": code, "findings": n} for code, n in Counter(r["code"] for r in rows).most_common()],
        ("code", "findings"),
    )
    reply.line(f"{len(bodies)} people, {errors} errors in {with_errors} of them, {len(rows) - errors} warnings")
    reply.done(
        {"people": len(bodies), "errors": errors, "warnings": len(rows) - errors, "with_errors": with_errors,
         "findings": rows}
    )  # fmt: skip
    if errors:
        raise typer.Exit(FOUND)


def _called(body: Any) -> str:
    """What somebody in a file is called, as far as can be told."""
    names = body.get("names") if isinstance(body, dict) else None
    full = names.get("full") if isinstance(names, dict) else None
    full = full.get("value") if isinstance(full, dict) else full
    return shorten(str(full or "no name"), 60, placeholder=" …")
