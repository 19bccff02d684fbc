"""People in files: nothing lost, nothing half written, every error with file and line."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import yaml

from personae.core import (
    ConsentError,
    DiskFullError,
    InputError,
    Names,
    Persona,
    SchemaError,
    UnknownKeyError,
    VersionError,
)
from personae.creation import Population, load_gallery, load_people, load_recipe, save_people, write_population

GALLERY = load_gallery()


def test_gallery_is_forty_people_of_all_ages_and_temperaments() -> None:
    ages = [p.get("social.age") for p in GALLERY]
    assert len(GALLERY) == 40
    assert (min(ages), max(ages)) == (9, 91)
    assert len({p.get("social.residence") for p in GALLERY}) == 40
    assert len({p.name for p in GALLERY}) == 40
    for person in GALLERY:
        assert person.synthetic
        assert person.personal.big_five is not None
        assert len(person.personal.big_five.scores()) == 5
        assert person.goals
        assert person.relations
        assert person.timeline
        assert person.style.register_ is not None
        assert 300 < len(person.render()) < 3000
    for domain in ("openness", "extraversion", "agreeableness", "conscientiousness", "neuroticism"):
        scores = [p.get(f"personal.big_five.{domain}") for p in GALLERY]
        assert max(scores) - min(scores) >= 25


@pytest.mark.parametrize("ending", ["jsonl", "json", "yaml"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, ending: str) -> None:
    people = (*GALLERY, *Population("harbour_town", 5, 1))
    file = save_people(people, tmp_path / f"people.{ending}")
    again = load_people(file)
    assert again == people
    assert [p.id for p in again] == [p.id for p in people]
    assert file.read_text("utf-8").count("synthetic") >= len(people)
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_one_person_and_a_people_mapping(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("names: {full: Ana Reis}\n", "utf-8")
    (tmp_path / "one.json").write_text('{"names": {"full": "Ana Reis"}}', "utf-8")
    (tmp_path / "many.json").write_text('{"note": "x", "people": [{"names": {"full": "Ana Reis"}}]}', "utf-8")
    (tmp_path / "many.yaml").write_text("people:\n- names: {full: Ana Reis}\n", "utf-8")
    for file in tmp_path.iterdir():
        assert [p.name for p in load_people(file)] == ["Ana Reis"]


def test_old_schema_versions_are_upgraded(tmp_path: Path) -> None:
    old = {"schema_version": 0, "name": "Ana Reis", "age": 58, "traits": {"openness": 61.0}, "bio": "Nurse."}
    (tmp_path / "old.jsonl").write_text(json.dumps(old) + "\n", "utf-8")
    (person,) = load_people(tmp_path / "old.jsonl")
    assert (person.name, person.get("social.age"), person.get("personal.big_five.openness")) == ("Ana Reis", 58, 61.0)


ANA = '{"names": {"full": "Ana Reis"}}'


@pytest.mark.parametrize(
    ("name", "text", "kind", "words"),
    [
        ("a.jsonl", f"{ANA}\n\n{{bad\n", SchemaError, ["a.jsonl:3", "not valid JSON"]),
        ("a.jsonl", f"{ANA}\n{ANA}\n", InputError, ["a.jsonl:2", "duplicate id", "first on line 1"]),
        ("a.jsonl", f'{ANA}\n{{"nmaes": {{}}}}\n', UnknownKeyError, ["a.jsonl:2", "nmaes", "names"]),
        ("a.jsonl", '{"names": {"full": "A"}, "schema_version": 99}', VersionError, ["a.jsonl:1", "99"]),
        ("a.jsonl", '{"names": {"full": "A"}, "synthetic": false}', ConsentError, ["no consent"]),
        ("a.jsonl", '{"names": {"full": "A"}, "social": {"age": 300}}', SchemaError, ["a.jsonl:1", "0 to 120"]),
        ("a.jsonl", "[1]", SchemaError, ["a.jsonl:1", "expected one mapping"]),
        ("a.json", f"[\n{ANA},\n{ANA}]", InputError, ["a.json:3", "first on line 2"]),
        ("a.json", "[\n{,}]", SchemaError, ["a.json:2"]),
        ("a.yaml", "- names: {full: A}\n- names: {full: A}\n", InputError, ["a.yaml:2", "first on line 1"]),
        ("a.yaml", "- names: {full: A}\n- names: [\n", InputError, ["a.yaml:3", "not valid YAML"]),
        ("a.yaml", "- names: {full: A, full: B}\n", InputError, ["a.yaml:1", "given twice"]),
        ("a.yaml", "- names: {full: A}\n- 7\n", SchemaError, ["a.yaml:2"]),
        ("a.json", "[" * 100_000, SchemaError, ["a.json", "nested too deeply"]),
        ("a.jsonl", "[" * 100_000, SchemaError, ["a.jsonl:1"]),
        ("a.yaml", "[" * 1_200, InputError, ["a.yaml", "nested too deeply"]),
        ("a.csv", "x", InputError, [".csv", ".jsonl"]),
    ],
)
def test_errors_name_file_and_line(
    tmp_path: Path, name: str, text: str, kind: type[InputError], words: list[str]
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(kind) as caught:
        load_people(tmp_path / name)
    for word in words:
        assert word in str(caught.value)


def test_not_utf8_names_line_and_byte(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(ANA.encode() + b'\n{"names": {"full": "Jos\xe9"}}\n')
    with pytest.raises(InputError, match=r"latin.jsonl:2: not UTF-8 \(byte 0xe9"):
        load_people(tmp_path / "latin.jsonl")


def test_hundred_thousand_characters_in_a_field_are_refused_shortly(tmp_path: Path) -> None:
    body = {"names": {"full": "Ana Reis"}, "description": "x" * 100_000}
    (tmp_path / "long.jsonl").write_text(json.dumps(body), "utf-8")
    with pytest.raises(SchemaError, match="description") as caught:
        load_people(tmp_path / "long.jsonl")
    assert len(str(caught.value)) < 2000


def test_edited_people_and_missing_files(tmp_path: Path) -> None:
    body = GALLERY[0].dump()
    body["social"]["age"] = 10
    (tmp_path / "edited.jsonl").write_text(json.dumps(body), "utf-8")
    with pytest.raises(SchemaError, match="edited after it was written"):
        load_people(tmp_path / "edited.jsonl")
    with pytest.raises(InputError, match="no file"):
        load_people(tmp_path / "none.jsonl")


def test_a_population_folder_holds_people_fit_and_recipe(tmp_path: Path) -> None:
    town = Population("harbour_town", 30, 12)
    folder = write_population(town, tmp_path / "out" / "town")
    assert load_people(folder / "people.jsonl") == tuple(town)
    fit = json.loads((folder / "fit.json").read_text("utf-8"))
    assert (fit["n"], fit["seed"], fit["recipe"], fit["hard_quotas_exact"]) == (30, 12, town.hash, True)
    assert sum(row["count"] for row in fit["rows"] if row["margin"] == "district") == 30
    again = load_recipe(folder / "recipe.yaml")
    assert (again.hash, again.n, again.seed) == (town.hash, 30, 12)
    assert tuple(Population(again)) == tuple(town)
    assert yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))["name"] == "harbour_town"
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    write_population(Population("harbour_town", 30, 12), folder)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save_people([Persona(names=Names(full="Ana Reis"))], tmp_path / "p.jsonl")
    old = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="No space left"):
        save_people(GALLERY, file)
    assert file.read_bytes() == old
    assert [f.name for f in tmp_path.iterdir()] == ["p.jsonl"]
