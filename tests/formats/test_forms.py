"""Rating forms as files: nothing of the key is in them, they come back whole, and every slip is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from personae.core import InputError, SchemaError, VersionError
from personae.formats import read_forms, read_key, write_forms
from personae.measures import QUESTIONS, RatingKey, RatingTask, deal_tasks

Change = Callable[[list[list[str]]], object]


@pytest.fixture
def key() -> RatingKey:
    tasks = [
        RatingTask(
            shown={"statement": f'=I am number {k},\nand "so" on; 雪', "person": f"A person; {k}"},
            truth={"fits": "yes" if k % 2 else "no"}, persona_id=f"p-{k // 2}", condition="secret-condition",
            judged=0.5,
        )
        for k in range(12)
    ]  # fmt: skip
    return deal_tasks(tasks, QUESTIONS["fit"], ask="fit", writer="secret-writer", raters=3, each=2, seed=5)


@pytest.fixture
def folder(key: RatingKey, tmp_path: Path) -> Path:
    write_forms(key, tmp_path / "out", tmp_path / "key.json")
    return tmp_path / "out"


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def save(path: Path, rows: list[list[str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return path


def fill(path: Path, answer: str = "yes") -> list[list[str]]:
    head, *body = rows_of(path)
    return [head, *([*row[:-1], answer] for row in body)]


def test_forms_hold_no_source_and_the_key_lies_elsewhere(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["checksums.json", "form_r01.csv", "form_r02.csv", "form_r03.csv", "instructions.md"]
    for path in folder.iterdir():
        text = path.read_text("utf-8")
        assert "secret" not in text
        assert "p-1" not in text
    assert read_key(tmp_path / "key.json") == key
    head, *body = rows_of(folder / "form_r01.csv")
    assert head == ["rater", "task", "statement", "person", "fits"]
    assert [row[1] for row in body] == list(key.forms["r01"])
    assert all(row[2].startswith("'=") and row[-1] == "" for row in body)
    assert write_forms(key, folder, tmp_path / "key.json")  # the same again is no conflict


def test_a_filled_form_and_another_key_are_never_overwritten(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    save(folder / "form_r01.csv", fill(folder / "form_r01.csv"))
    with pytest.raises(InputError, match=r"form_r01\.csv would be overwritten"):
        write_forms(key, folder, tmp_path / "key.json")
    with pytest.raises(InputError, match="there is another key already"):
        write_forms(key.model_copy(update={"seed": 6}), tmp_path / "new", tmp_path / "key.json")
    with pytest.raises(InputError, match="among the forms"):
        write_forms(key, tmp_path / "new", tmp_path / "new" / "deeper" / "key.json")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_filled_forms_come_back_as_spreadsheets_write_them(
    key: RatingKey, folder: Path, tmp_path: Path, delimiter: str
) -> None:
    paths: list[Path] = []
    for k in (1, 2, 3):
        rows = fill(folder / f"form_r0{k}.csv", answer=" YES ")
        rows[0][0] = "\ufeffrater"  # a byte order mark
        paths.append(save(tmp_path / f"{k}.csv", [*rows, [""] * 5], delimiter))
    back = read_forms(paths, key)
    assert len(back) == 24
    assert {r.answers["fits"] for r in back} == {"yes"}
    assert [r.task for r in back[:8]] == list(key.forms["r01"])


def test_columns_may_move_and_texts_may_go(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    rows = [[row[4], row[1], row[0]] for row in fill(folder / "form_r01.csv", "no")]
    assert {r.answers["fits"] for r in read_forms([save(tmp_path / "a.csv", rows)], key)} == {"no"}


def test_partial_forms_are_taken_as_far_as_they_go(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    rows = fill(folder / "form_r01.csv")
    rows[2][-1] = "   "
    back = read_forms([save(tmp_path / "a.csv", rows[:5])], key)
    assert [r.answers["fits"] for r in back] == ["yes", None, "yes", "yes"]


def test_json_lines_go_out_and_come_back(key: RatingKey, tmp_path: Path) -> None:
    write_forms(key, tmp_path / "out", tmp_path / "key.json", form="jsonl")
    path = tmp_path / "out" / "form_r02.jsonl"
    bodies = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert all(b["fits"] is None and b["statement"].startswith("=I am") for b in bodies)
    filled = tmp_path / "mine.jsonl"
    filled.write_text("\n".join(json.dumps(b | {"fits": "no"}) for b in bodies), "utf-8")
    assert {r.answers["fits"] for r in read_forms([filled], key)} == {"no"}
    filled.write_text("[1]", "utf-8")
    with pytest.raises(SchemaError, match="row 1: got list"):
        read_forms([filled], key)


def _drop(rows: list[list[str]]) -> None:
    for row in rows:
        row.pop()


SLIPS: dict[str, tuple[Change, str]] = {
    "a rating that is none": (lambda r: r[2].__setitem__(-1, "maybe"), r"row \d+, column 'fits': 'maybe'.*yes, no"),
    "an unknown task": (lambda r: r[1].__setitem__(1, "t-0"), r"column 'task': 't-0' is no task of this key"),
    "an empty task": (lambda r: r[1].__setitem__(1, ""), r"column 'task': '' is no task of this key"),
    "a strange rater": (lambda r: r[1].__setitem__(0, "r9"), r"column 'rater': 'r9'.*r01, r02, r03"),
    "a task of another": (lambda r: r[1].__setitem__(0, "r02"), r"column 'task': 't-\w+' is not on the form of 'r02'"),
    "a row twice": (lambda r: r.append(list(r[1])), r"column 'task': 't-\w+' of rater 'r01' was given before"),
    "a cell too few": (lambda r: r[3].pop(), r"4 cells for 5 columns"),
    "a cell too many": (lambda r: r[3].append("x"), r"6 cells for 5 columns"),
    "a column lost": (_drop, r"row 1: there is no column 'fits'"),
    "a column twice": (lambda r: r[0].__setitem__(2, "fits"), r"column 'fits' is named twice"),
    "no rows": (list.clear, r"no header"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_every_slip_is_one_error_that_names_its_place(slip: str, key: RatingKey, folder: Path, tmp_path: Path) -> None:
    change, said = SLIPS[slip]
    rows = fill(folder / "form_r01.csv")
    only = {t for t in key.forms["r01"] if t not in key.forms["r02"]}
    rows[1:] = sorted(rows[1:], key=lambda row: row[1] not in only)  # the first row is on no other form
    change(rows)
    with pytest.raises(InputError, match=said) as caught:
        read_forms([save(tmp_path / "a.csv", rows)], key)
    assert "a.csv" in str(caught.value)


def test_one_form_given_twice_is_named(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    one = save(tmp_path / "a.csv", fill(folder / "form_r01.csv"))
    two = save(tmp_path / "b.csv", fill(folder / "form_r01.csv"))
    with pytest.raises(InputError, match=r"b\.csv, row 2, column 'task'.*a\.csv, row 2"):
        read_forms([one, two], key)
    with pytest.raises(InputError, match=r"a\.csv, row 2, column 'task'.*given before"):
        read_forms([one, one], key)
    with pytest.raises(InputError, match="no forms"):
        read_forms([], key)


def test_a_quote_that_nobody_closed(key: RatingKey, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text((folder / "form_r01.csv").read_text("utf-8") + 'r01,"t-1', "utf-8")
    with pytest.raises(SchemaError, match=r"a\.csv, row 10: not valid CSV"):
        read_forms([path], key)


def test_keys_that_are_none(key: RatingKey, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    with pytest.raises(InputError, match="no file"):
        read_key(path)
    path.write_text("{", "utf-8")
    with pytest.raises(SchemaError, match=r"key\.json"):
        read_key(path)
    path.write_text(json.dumps({"ask": "fit"}), "utf-8")
    with pytest.raises(SchemaError, match="questions"):
        read_key(path)
    path.write_text(json.dumps(key.model_dump(mode="json") | {"schema_version": 9}), "utf-8")
    with pytest.raises(VersionError, match="schema_version 9"):
        read_key(path)
