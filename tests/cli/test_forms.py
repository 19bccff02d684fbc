"""`personae forms`: out of a run, filled in by hand, and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest


def fill(path: Path, answers: dict[str, dict[str, str]], to: Path) -> Path:
    """Answer every task of a form: task → question → answer."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            own = answers.get(row[1], {})
            writer.writerow([own.get(name, cell) for name, cell in zip(head, row, strict=True)])
    return to


def test_out_of_a_run_and_back(personae: Any, spectrum: Path, tmp_path: Path) -> None:
    made = personae("forms", "make", spectrum, "--ask", "fit", "--tasks", 20, "--out", tmp_path / "out", "--json").data
    assert made["tasks"] == 20
    key = json.loads(Path(made["key"]).read_text("utf-8"))
    assert Path(made["key"]) == spectrum / "keys" / "out.json"
    truths = {t["id"]: t["truth"] for t in key["tasks"]}
    assert all(t["judged"] is not None for t in key["tasks"])
    filled = [fill(tmp_path / "out" / f"form_{r}.csv", truths, tmp_path / f"{r}.csv") for r in ("r01", "r02")]
    back = personae("forms", "read", made["key"], *filled, "--out", tmp_path / "ratings", "--json").data
    values = {m["name"]: m for m in back["measurements"]}
    assert values["ratings.fits.right"]["value"] == 1.0
    assert values["ratings.fits.agreement"]["value"] == 1.0
    assert values["ratings.fits.right"]["failures"] == back["empty"] == made["forms"]["r03"]
    assert "ratings.fits.judge_kappa" in values
    assert back["rows"] == made["forms"]["r01"] + made["forms"]["r02"]
    page = (tmp_path / "ratings" / "index.html").read_text("utf-8")
    assert "Raters agree" in page
    assert len((tmp_path / "ratings" / "ratings.jsonl").read_text("utf-8").splitlines()) == back["rows"]


def test_people_who_rate_themselves_are_named(personae: Any, spectrum: Path, tmp_path: Path) -> None:
    said = personae("forms", "make", spectrum, "--ask", "self", "--conditions", "C, SPC", "--out", tmp_path / "own")
    assert said.code == 0, said.err
    lines = [line for line in said.out.splitlines() if line.startswith("form r")]
    assert len(lines) == 5
    assert all(" for " in line and line.endswith(": 2 tasks") for line in lines)
    assert str(spectrum / "keys" / "own.json") in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--ask", "guess"), "unknown key 'guess'"),
        (("--conditions", "X"), "condition 'X'"),
        (("--raters", "1"), "2 raters per task out of 1"),
        (("--format", "xlsx"), "unknown key 'xlsx'"),
    ],
)
def test_wrong_words_are_one_error(
    personae: Any, spectrum: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    said = personae("forms", "make", spectrum, *words, "--out", tmp_path / "out", "--json")
    assert said.code == 2
    assert told in said.error["message"]


def test_a_run_without_statements_and_a_slip_in_a_form(
    personae: Any, spectrum: Path, folder: Path, tmp_path: Path
) -> None:
    said = personae("forms", "make", folder, "--json")
    assert said.code == 2
    assert "no statements" in said.error["message"]
    made = personae("forms", "make", spectrum, "--key", tmp_path / "k.json", "--out", tmp_path / "out", "--json").data
    key = json.loads((tmp_path / "k.json").read_text("utf-8"))
    wrong = {t: {"believable": "8"} for t in key["forms"]["r01"][1:2]}
    slip = fill(Path(made["folder"]) / "form_r01.csv", wrong, tmp_path / "a.csv")
    said = personae("forms", "read", tmp_path / "k.json", slip, "--out", tmp_path / "ratings", "--json")
    assert said.code == 2
    assert "a.csv, row 3, column 'believable': '8'" in said.error["message"]
    assert not (tmp_path / "ratings").exists()


def test_a_profile_to_fill_in_is_read_by_the_study(personae: Any, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"wording {k}" for k in range(30)), "utf-8")
    file = tmp_path / "me.yaml"
    assert personae("forms", "profile", "--out", file, "--traits", "bfi2s", "--traits-text", words).code == 0
    assert "I am someone who wording 7" in file.read_text("utf-8")
    again = personae("forms", "profile", "--out", file, "--json")
    assert again.code == 2
    assert "is there already" in again.error["message"]
