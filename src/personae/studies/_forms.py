"""Rating forms out of a run and back: what `personae forms` does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personae.core import (
    InputError,
    JudgementRow,
    Measurement,
    Persona,
    PersonaRow,
    StatementRow,
    UnknownKeyError,
    replace_file,
)
from personae.formats import ExportedFile, json_line, read_forms, read_key, write_forms
from personae.measures import ASKS, QUESTIONS, Ask, RatingKey, deal_tasks, rating_measurements, rating_tasks
from personae.reports import ratings_page, write_report
from personae.runs import open_run

_SHOWN: Final = "social+personal+context"


@dataclass(frozen=True, slots=True)
class FormsMade:
    """Forms that were written, and where their key lies."""

    key: RatingKey
    folder: Path
    key_file: Path
    files: tuple[ExportedFile, ...]
    names: Mapping[str, str]
    """rater → name, where people rate themselves"""


@dataclass(frozen=True, slots=True)
class FormsRead:
    """What came back on forms, and where it was written."""

    measurements: tuple[Measurement, ...]
    rows: int
    """rows of all files"""
    empty: int
    """cells that were given out and not answered, whole forms and rows included"""
    files: tuple[Path, ...]


def make_forms(
    run_folder: Path,
    out: Path | None = None,
    *,
    ask: str = "match",
    key_file: Path | None = None,
    raters: int = 3,
    each: int = 2,
    limit: int | None = 40,
    conditions: Sequence[str] = (),
    seed: int = 7,
    form: str = "csv",
) -> FormsMade:
    """Blind rating forms about what the people of a run said of themselves.

    Args:
        run_folder: a run that holds statements.
        out: folder to hand out; `RUN/exports/forms_ASK` by default.
        ask: `match`, `fit` or `self`; see `personae.measures.Ask`.
        key_file: where the key goes, never among the forms; `RUN/keys/FOLDER.json` by default.
        raters: how many people rate (`self`: each person of the run).
        each: raters per task.
        limit: tasks in all; None: as many as there are.
        conditions: keep these alone; empty: all.
        seed: of the choice of tasks, their order and their places.
        form: csv or jsonl.

    Raises:
        InputError: the run holds no statements, or too few people; see `write_forms` for the files.
    """
    if ask not in ASKS:
        raise UnknownKeyError.of(ask, ASKS, where="--ask")
    protocol: Ask = next(a for a in ASKS if a == ask)
    with open_run(run_folder) as run:
        people = [Persona.parse(r.body) for r in run.rows(PersonaRow)]
        statements = list(run.rows(StatementRow))
        verdicts = list(run.rows(JudgementRow))
    if not statements:
        raise InputError(f"{run_folder}: the run holds no statements.", hint="Forms are about runs like spectrum's.")
    said = {s.persona_id for s in statements}
    profiles = {p.id: p.render(_SHOWN, "list") for p in people if p.id in said}
    tasks = rating_tasks(
        protocol, statements, profiles, seed=seed, verdicts=verdicts, conditions=conditions, limit=limit
    )
    key = deal_tasks(
        tasks, QUESTIONS[protocol], ask=ask, writer=statements[0].writer, raters=raters, each=each, seed=seed
    )
    folder = out or run_folder / "exports" / f"forms_{ask}"
    target = key_file or run_folder / "keys" / f"{folder.name}.json"
    files = write_forms(key, folder, target, form=form)
    known = {p.id: p.name for p in people}
    return FormsMade(key, folder, target, files, {rater: known[p] for rater, p in key.people.items()})


def read_back(key_file: Path, forms: Sequence[Path], out: Path) -> FormsRead:
    """Filled forms as measurements: `ratings.jsonl`, `measurements.json` and a page into a folder.

    Args:
        key_file: the key of the forms.
        forms: filled files; partial ones count as far as they go.
        out: folder to write.

    Raises:
        InputError: a form that does not fit, named by file, row and column; nothing is written then.
    """
    key = read_key(key_file)
    ratings = read_forms(forms, key)
    found = rating_measurements(ratings, key)
    asked = sum(map(len, key.forms.values())) * len(key.questions)
    given = sum(a is not None for r in ratings for a in r.answers.values())
    lines = "".join(json_line(r.model_dump(mode="json")) + "\n" for r in ratings)
    body = json.dumps([m.model_dump(mode="json") for m in found], ensure_ascii=False, indent=1)
    files = (
        replace_file(out / "ratings.jsonl", [lines.encode()]),
        replace_file(out / "measurements.json", [body.encode(), b"\n"]),
        write_report(ratings_page(key, ratings, found), out / "index.html"),
    )
    return FormsRead(tuple(found), len(ratings), asked - given, files)
