"""Rating forms: files that people fill in, the key that stays at home, and the way back with every slip named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import ValidationError

from personae.core import (
    InputError,
    SchemaError,
    UnknownKeyError,
    VersionError,
    canonical_json,
    replace_file,
    schema_error,
)
from personae.formats._files import ExportedFile, ExportFolder
from personae.formats._lines import json_line
from personae.formats._reading import Broken, json_lines, parse_json, whole_text
from personae.formats._tables import write_csv
from personae.measures import Rating, RatingKey, RatingQuestion

FormFormat: TypeAlias = Literal["csv", "jsonl"]
FORM_FORMATS: Final[tuple[FormFormat, ...]] = get_args(FormFormat)
_VERSION: Final = 1
_SHOWN: Final = 60


def write_forms(
    key: RatingKey, folder: str | Path, key_file: str | Path, *, form: str = "csv"
) -> tuple[ExportedFile, ...]:
    """Write a form for every rater, with instructions, into a folder to hand out; and the key somewhere else.

    Args:
        key: who rates what (`personae.measures.deal_tasks`).
        folder: gets `form_RATER.csv` (or `.jsonl`) and `instructions.md`; nothing in it says where a text comes from.
        key_file: JSON file for the key, outside `folder`.
        form: of the files. A CSV cell that a spreadsheet would run as a formula gets a leading quote.

    Raises:
        InputError: the key would lie among the forms, or a file there was changed (filled in, say) since.
        StorageError: the folder cannot be written.
    """
    root, target = Path(folder), Path(key_file)
    if form not in FORM_FORMATS:
        raise UnknownKeyError.of(form, FORM_FORMATS, where="formats of forms")
    if root.resolve() in target.resolve().parents:
        raise InputError(
            f"the key {str(target)!r} would lie among the forms.", hint="Keep it apart: raters get that folder."
        )
    body = canonical_json(key.model_dump(mode="json")).encode() + b"\n"
    if target.exists() and target.read_bytes() != body:
        raise InputError(
            f"{target}: there is another key already, and forms of it may be out.",
            hint="Name another file for the key, or move the old one away.",
        )
    with ExportFolder(root) as out:
        for rater in key.forms:
            name, rows = f"form_{rater}.{form}", list(_rows(key, rater))
            if form == "csv":
                out.done(name, write_csv(out.stage(name), rows, key.columns))
            else:
                text = "".join(json_line(row) + "\n" for row in rows)
                out.stage(name).write_text(text, encoding="utf-8", newline="\n")
                out.done(name, len(rows))
        out.stage("instructions.md").write_text(_instructions(key, form), encoding="utf-8")
        files = out.commit()
    replace_file(target, [body])
    return files


def read_key(path: str | Path) -> RatingKey:
    """The key that `write_forms` wrote.

    Raises:
        InputError: no such file.
        SchemaError: it does not fit; every problem is named.
        VersionError: it was written by a newer release.
    """
    file = Path(path)
    body: Any = parse_json(whole_text(file), str(file))
    if isinstance(body, dict) and body.get("schema_version", _VERSION) != _VERSION:
        raise VersionError(
            f"{file}: key of schema_version {body['schema_version']!r}; this release reads {_VERSION}.",
            hint="Upgrade personae: pip install -U personae",
        )
    try:
        return RatingKey.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=str(file), model=RatingKey) from error


def read_forms(paths: Sequence[str | Path], key: RatingKey) -> tuple[Rating, ...]:
    """Filled forms. Cells and rows may be left out, and so may whole forms: what is there is taken.

    Columns are found by name and may stand in any order; the texts are not looked at. CSV may use commas, semicolons or
    tabs, as spreadsheets like.

    Args:
        paths: CSV (`.csv`, `.tsv`) or JSON Lines files, in any number.
        key: what was given out.

    Raises:
        InputError: a column is missing, a row has another number of cells, an unknown rater or task, a task of somebody
            else's form, an answer that is none of the question's, a task answered twice. The first such cell is named
            by file, row and column; nothing is taken then.
    """
    if not paths:
        raise InputError("no forms were given.", hint="Name the filled files.")
    given = {rater: set(form) for rater, form in key.forms.items()}
    seen: dict[tuple[str, str], str] = {}
    out: list[Rating] = []
    for path in map(Path, paths):
        for line, cells in _cells(path, key):
            where = f"{path}, row {line}"
            rating = _rating(cells, key, given, where)
            before = seen.get((rating.rater, rating.task))
            if before is not None:
                raise InputError(
                    f"{where}, column 'task': {rating.task!r} of rater {rating.rater!r} was given before ({before}).",
                    hint="Keep one of the two rows, and name every file once.",
                )
            seen[rating.rater, rating.task] = where
            out.append(rating)
    return tuple(out)


def _rows(key: RatingKey, rater: str) -> Iterator[dict[str, Any]]:
    tasks = {t.id: t for t in key.tasks}
    for task in key.forms[rater]:
        yield {
            "rater": rater, "task": task, **tasks[task].shown, **dict.fromkeys(q.name for q in key.questions)
        }  # fmt: skip


def _instructions(key: RatingKey, form: str) -> str:
    how = "a spreadsheet or a text editor" if form == "csv" else "a text editor: put your answer in place of `null`"
    asked = [f"- **{q.name}**: {q.text} Answers: {', '.join(q.answers)}." for q in key.questions]
    return "\n".join(
        [
            "# How to rate",
            "",
            "Open your own form (the letter and number in its name are yours) in " + how + ".",
            "Each row is one task. Read its texts and fill in:",
            "",
            *asked,
            "",
            "Leave a cell empty when you cannot say. Do not change the columns `rater` and `task`, and do not look at",
            "the form of somebody else.",
            "",
        ]
    )


def _cells(path: Path, key: RatingKey) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows with their numbers; rows without anything in them are left out."""
    needed = [*key.columns[:2], *(q.name for q in key.questions)]
    for number, row in _json_rows(path) if path.suffix.lower() == ".jsonl" else _csv_rows(path, needed):
        _all_there(needed, row, f"{path}, row {number}")
        if any(str(v).strip() for v in row.values() if v is not None):
            yield number, row


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for found in json_lines(path):
        if isinstance(found, Broken):
            raise found.error
        if not isinstance(found.document, dict):
            kind = type(found.document).__name__
            raise SchemaError(f"{path}, row {found.line}: got {kind}, expected one JSON object.")
        yield found.line, found.document


def _csv_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows as a spreadsheet numbers them, the header being 1: a cell of several lines is one row all the same."""
    text = whole_text(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[str] | None = None
    number = 0
    try:
        for number, cells in enumerate(rows, start=1):
            where = f"{path}, row {number}"
            if columns is None:
                columns = cells
                _all_there(needed, columns, where)
                if twice := [c for c in columns if columns.count(c) > 1]:
                    raise SchemaError(f"{where}: column {twice[0]!r} is named twice.", hint="Rename one of them.")
            elif any(c.strip() for c in cells):
                if len(cells) != len(columns):
                    raise SchemaError(_miscounted(cells, columns, where), hint="A stray delimiter or quote, or a cut?")
                yield number, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise SchemaError(
            f"{path}, row {number + 1}: not valid CSV ({error}).", hint="Quotes inside a quoted cell are doubled."
        ) from error
    if columns is None:
        raise SchemaError(f"{path}, row 1: there is no header.", hint="Fill in the form as it was given out.")


def _miscounted(cells: Sequence[str], columns: Sequence[str], where: str) -> str:
    told = f"{where}: {len(cells)} cells for {len(columns)} columns"
    if len(cells) < len(columns):
        return f"{told}; nothing stands for column {columns[len(cells)]!r}."
    return f"{told}; more follows after column {columns[-1]!r}."


def _all_there(needed: Sequence[str], columns: Sequence[str] | Mapping[str, Any], where: str) -> None:
    for name in needed:
        if name not in columns:
            raise SchemaError(
                f"{where}: there is no column {name!r}; found: {', '.join(columns)[: _SHOWN * 3]}.",
                hint="Fill in the form as it was given out, and keep its header.",
            )


def _delimiter(text: str) -> str:
    """What separates the columns of the header: spreadsheets write semicolons in much of the world."""
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _rating(cells: Mapping[str, Any], key: RatingKey, given: Mapping[str, set[str]], where: str) -> Rating:
    rater, task = (_text(cells[name]) for name in ("rater", "task"))
    if rater not in given:
        raise InputError(f"{where}, column 'rater': {rater!r}.", hint=f"The key knows: {', '.join(given)}.")
    if task not in given[rater]:
        known = any(task in form for form in given.values())
        what = f"is not on the form of {rater!r}" if known else "is no task of this key"
        raise InputError(
            f"{where}, column 'task': {task!r} {what}.", hint="Was the cell changed, or is it a form of another key?"
        )
    return Rating(rater=rater, task=task, answers={q.name: _answer(cells[q.name], q, where) for q in key.questions})


def _answer(cell: Any, question: RatingQuestion, where: str) -> str | None:
    text = _text(cell)
    if not text:
        return None
    try:
        return question.answers[question.code(text)]
    except ValueError:
        raise InputError(
            f"{where}, column {question.name!r}: {text[:_SHOWN]!r}.",
            hint=f"Expected one of {', '.join(question.answers)}, or nothing.",
        ) from None


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
