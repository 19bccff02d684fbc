"""`personae import`, and `personae export` of a file of people."""

from __future__ import annotations

import json
from pathlib import Path

from personae.creation import load_people

PEOPLE = Path(__file__).parents[2] / "examples" / "people"


def test_import_and_export_give_the_file_back(personae, tmp_path: Path) -> None:
    said = personae("import", str(PEOPLE / "tinytroupe.json"), "--out", str(tmp_path / "p.jsonl"), "--json")
    assert said.code == 0
    assert said.data["format"] == "tinytroupe"
    assert (said.data["people"], said.data["rejected"], said.data["twice"]) == (1, 0, 0)
    assert [p.name for p in load_people(tmp_path / "p.jsonl")] == ["Oda Brekke"]
    said = personae(
        "export", str(tmp_path / "p.jsonl"), "--format", "tinytroupe", "--out", str(tmp_path / "o.json"), "--json"
    )
    assert said.data["dropped"] == {}
    assert json.loads((tmp_path / "o.json").read_text("utf-8")) == json.loads(
        (PEOPLE / "tinytroupe.json").read_text("utf-8")
    )


def test_import_with_a_mapping_and_rejections(personae, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text((PEOPLE / "table.csv").read_text("utf-8") + "4,Sten,M,old,Umeå,Sami,no,\n", "utf-8")
    words = ("import", str(file), "--mapping", str(PEOPLE / "table.yaml"), "--out", str(tmp_path / "p.jsonl"))
    said = personae(*words)
    assert said.code == 2
    assert "t.csv:5: column 'Age': 'old' is no whole number" in said.err
    assert not (tmp_path / "p.jsonl").exists()
    said = personae(*words, "--rejected", str(tmp_path / "bad.jsonl"))
    assert said.code == 0
    assert "3 people, 1 rows rejected" in said.out
    assert json.loads((tmp_path / "bad.jsonl").read_text("utf-8"))["line"] == 5
    assert len(load_people(tmp_path / "p.jsonl")) == 3


def test_import_goes_on_after_the_fix(personae, tmp_path: Path) -> None:
    file, out = tmp_path / "a.jsonl", tmp_path / "p.jsonl"
    lines = [json.dumps({"persona": f"Somebody who keeps {k} bees."}) for k in range(40)]
    file.write_text("\n".join([*lines[:25], "no", *lines[26:]]), "utf-8")
    said = personae("import", str(file), "--out", str(out), "--json")
    assert said.code == 2
    assert "a.jsonl:26" in said.envelope["error"]["message"]
    assert "The 25 people before it are kept in" in said.envelope["error"]["suggestion"]
    file.write_text("\n".join(lines), "utf-8")
    said = personae("import", str(file), "--out", str(out), "--resume", "--json")
    assert (said.data["people"], said.data["resumed"]) == (40, 25)
    assert [p.get("description") for p in load_people(out)] == [json.loads(x)["persona"] for x in lines]
    said = personae("import", str(file), "--out", str(out), "--resume", "--force")
    assert said.code == 2
    assert "nothing is kept there" in said.err


def test_people_that_are_there_are_not_written_over(personae, tmp_path: Path) -> None:
    file, out = tmp_path / "a.jsonl", tmp_path / "p.jsonl"
    file.write_text('{"persona": "x"}\n', "utf-8")
    out.write_text("mine\n", "utf-8")
    said = personae("import", str(file), "--out", str(out))
    assert said.code == 2
    assert "is there already" in said.err
    assert "--force" in said.err
    assert out.read_text("utf-8") == "mine\n"
    assert personae("import", str(file), "--out", str(out), "--dry-run").code == 0
    assert personae("import", str(file), "--out", str(out), "--force").code == 0
    assert len(load_people(out)) == 1


def test_import_begins_anew_when_the_file_changed(personae, tmp_path: Path) -> None:
    file, out = tmp_path / "a.jsonl", tmp_path / "p.jsonl"
    file.write_text('{"persona": "x"}\nno\n', "utf-8")
    assert personae("import", str(file), "--out", str(out)).code == 2
    file.write_text('{"persona": "z"}\n{"persona": "y"}\n', "utf-8")
    said = personae("import", str(file), "--out", str(out), "--json")
    assert (said.data["people"], said.data["resumed"]) == (2, 0)
    assert "began anew" in said.envelope["warnings"][0]


def test_a_dry_run_counts_and_writes_nothing(personae, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"persona": "x"}\nno\n{"persona": "x"}\n', "utf-8")
    out, bad = tmp_path / "p.jsonl", tmp_path / "bad.jsonl"
    said = personae("import", str(file), "--out", str(out), "--rejected", str(bad), "--dry-run", "--json")
    assert said.data["dry_run"] is True
    assert (said.data["people"], said.data["rejected"], said.data["twice"]) == (2, 1, 1)
    assert said.envelope["warnings"] == ["1 people are in the file more than once; files of people hold each once."]
    assert [f.name for f in tmp_path.iterdir() if f.is_file()] == ["a.jsonl"]


def test_export_names_what_is_left_out(personae, tmp_path: Path) -> None:
    out = tmp_path / "cards.json"
    said = personae("export", str(PEOPLE / "people.jsonl"), "--format", "character_card", "--out", str(out))
    assert said.code == 0
    assert "  left out: names.family (of 2)\n" in said.out
    assert len(json.loads(out.read_text("utf-8"))) == 2
    assert personae("export", str(PEOPLE / "people.jsonl")).code == 2
    said = personae("export", str(PEOPLE / "people.jsonl"), "--format", "tinytrope", "--out", str(out))
    assert "Did you mean 'tinytroupe'?" in said.err


def test_a_dataset_folder_goes_out_and_comes_in(personae, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    said = personae("export", str(PEOPLE / "people.jsonl"), "--format", "hf_dataset", "--out", str(folder), "--json")
    assert {Path(f).name for f in said.data["files"]} == {"README.md", "train-00000-of-00001.parquet"}
    said = personae("import", str(folder), "--out", str(tmp_path / "p.jsonl"), "--json")
    assert said.data["people"] == 2
    assert load_people(tmp_path / "p.jsonl") == load_people(PEOPLE / "people.jsonl")
