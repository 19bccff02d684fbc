"""`personae forms`: what people fill in. A profile of themselves; blind rating forms, out of a run and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from personae.cli._output import Debug, Json, Reply, Seed, guarded

forms_app = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A run folder that holds statements (spectrum).")]
KeyFile = Annotated[Path, typer.Argument(help="The key that `forms make` wrote.")]
Filled = Annotated[list[Path], typer.Argument(help="Filled forms: .csv, .tsv or .jsonl.")]


@forms_app.command("make")
@guarded
def make(
    folder: Folder,
    ask: Annotated[
        str,
        typer.Option(
            "--ask",
            help="match: whose statements are these, of four people? fit: was it this person, yes or no? "
            "self: people rate what was said in their name.",
        ),
    ] = "match",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to hand out; RUN/exports/forms_ASK by default.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="File for the key, not for raters; RUN/keys/FOLDER.json by default."),
    ] = None,
    raters: Annotated[int, typer.Option("--raters", min=1, help="How many people rate.")] = 3,
    each: Annotated[int, typer.Option("--each", min=1, help="Raters per task; two or more show agreement.")] = 2,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Tasks in all, evenly over conditions.")] = 40,
    conditions: Annotated[
        str, typer.Option("--conditions", help="Comma-separated conditions to keep (S,C,SPC); all by default.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    seed: Seed = 7,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write shuffled forms without sources, one per rater, and the key apart from them."""
    from personae.studies import make_forms

    reply = Reply(as_json=as_json)
    kept = tuple(c.strip() for c in conditions.split(",") if c.strip())
    made = make_forms(
        folder, out, ask=ask, key_file=key, raters=raters, each=each, limit=tasks, conditions=kept, seed=seed, form=form
    )
    for rater, form_tasks in made.key.forms.items():
        who = f" for {made.names[rater]}" if rater in made.names else ""
        reply.line(f"form {rater}{who}: {len(form_tasks)} tasks")
    reply.line(f"hand out: {made.folder}")
    reply.line(f"keep:     {made.key_file}")
    reply.done(
        {
            "folder": str(made.folder),
            "key": str(made.key_file),
            "files": [f.name for f in made.files],
            "forms": {rater: len(form_tasks) for rater, form_tasks in made.key.forms.items()},
            "tasks": len(made.key.tasks),
            "names": dict(made.names),
        }
    )


@forms_app.command("read")
@guarded
def read(
    key: KeyFile,
    filled: Filled,
    out: Annotated[Path, typer.Option("--out", help="Folder for ratings, measurements and a page.")] = Path("ratings"),
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read filled forms back: agreement, accuracy against chance, ratings by condition, the model judge beside them."""
    from personae.studies import describe, read_back

    reply = Reply(as_json=as_json)
    done = read_back(key, filled, out)
    for m in done.measurements:
        reply.line(describe(m))
    reply.line(f"{done.rows} rows, {done.empty} cells without an answer")
    for path in done.files:
        reply.line(f"written: {path}")
    reply.done(
        {
            "rows": done.rows,
            "empty": done.empty,
            "measurements": [m.model_dump(mode="json") for m in done.measurements],
            "files": [str(p) for p in done.files],
        }
    )


@forms_app.command("profile")
@guarded
def profile(
    out: Annotated[Path, typer.Option("--out", help="YAML file to write.")] = Path("profile.yaml"),
    traits: Annotated[
        str, typer.Option("--traits", help="Trait inventory: a name, a file, or a key (bfi2s).")
    ] = "ipip30",
    values: Annotated[
        str, typer.Option("--values", help="Value inventory: a name, a file, or a key (pvq21).")
    ] = "portraits20",
    traits_text: Annotated[Path | None, typer.Option("--traits-text", help="Your wording of a key's items.")] = None,
    values_text: Annotated[Path | None, typer.Option("--values-text", help="Likewise for the values.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write an empty questionnaire about oneself; filled in, `study run spectrum --set profiles=FILE` reads it."""
    from personae.core import InputError, replace_file
    from personae.creation import blank_profile
    from personae.instruments import load_inventory

    reply = Reply(as_json=as_json)
    if out.exists():
        raise InputError(f"{str(out)!r} is there already.", hint="Somebody may have filled it in: name another file.")
    text = blank_profile(load_inventory(traits, traits_text), load_inventory(values, values_text))
    replace_file(out, [text.encode()])
    reply.line(f"written: {out}")
    reply.done({"file": str(out)})
