"""Files that others released: every row of every table and every record of every list comes back as it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from personae.formats import export_people, import_people, sniff

SHARED = Path(__file__).parents[3] / "shared" / "data"
ABSENT = "no released data on this machine"


def found(ending: str) -> list[Any]:
    """Every file with that ending, as parameters; one that is skipped when there is none."""
    files = sorted(SHARED.rglob(f"*.{ending}")) if SHARED.is_dir() else []
    named = [pytest.param(f, id=str(f.relative_to(SHARED))) for f in files]
    return named or [pytest.param(None, marks=pytest.mark.skip(reason=ABSENT))]


def released(*parts: str) -> Path:
    """One of them, or the test is skipped."""
    file = SHARED.joinpath(*parts)
    if not file.is_file():
        pytest.skip(f"{'/'.join(parts)} is not on this machine")
    return file


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def records_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def same(a: Path, b: Path, form: str) -> bool:
    return a.read_bytes() == b.read_bytes() if form == "txt" else records_of(a) == records_of(b)


@pytest.mark.parametrize("file", found("csv"))
def test_every_table_comes_back_under_a_mapping(file: Path, tmp_path: Path) -> None:
    head, *rows = rows_of(file)
    mapping = tmp_path / "m.yaml"
    columns = {head[0]: "attributes.first", head[-1]: {"to": "attributes.last", "as": "text"}}
    mapping.write_text(json.dumps({"columns": columns, "unmapped": "attributes"}), "utf-8")
    people = import_people(file, mapping=mapping)
    done = export_people(people, tmp_path / "out.csv", "csv", mapping=mapping)
    assert (people.people, people.rejected, done.dropped) == (len(rows), 0, {})
    told, *back = rows_of(tmp_path / "out.csv")
    # Columns that no mapping names come after those that it names.
    assert sorted(told) == sorted(head)
    assert [dict(zip(told, r, strict=True)) for r in back] == [dict(zip(head, r, strict=True)) for r in rows]


@pytest.mark.parametrize("file", found("jsonl"))
def test_every_list_of_records_comes_back(file: Path, tmp_path: Path) -> None:
    people = import_people(file, "key_values")
    done = export_people(people, tmp_path / "out.jsonl", "key_values")
    assert (people.rejected, done.dropped) == (0, {})
    assert records_of(tmp_path / "out.jsonl") == records_of(file)


def test_conversations_of_two_personas_come_back(tmp_path: Path) -> None:
    file = released("synthetic_persona_chat", "valid.csv")
    assert sniff(file).format == "synthetic_persona_chat"
    people = import_people(file)
    done = export_people(people, tmp_path / "out.csv", "synthetic_persona_chat")
    assert (people.people, people.rejected, done.dropped) == (2000, 0, {})
    assert rows_of(tmp_path / "out.csv") == rows_of(file)


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_profiles_of_those_conversations_come_back(form: str, tmp_path: Path) -> None:
    _, *rows = rows_of(released("synthetic_persona_chat", "valid.csv"))
    profiles = [[s for s in cell.splitlines() if s.strip()] for row in rows for cell in row[:2]]
    file, out = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    if form == "txt":
        file.write_text("".join("\n".join([*p, "", ""]) for p in profiles), "utf-8")
    else:
        file.write_text("".join(json.dumps(p) + "\n" for p in profiles), "utf-8")
    people = list(import_people(file, "persona_chat"))
    assert len(people) == 2000
    export_people(people, out, "persona_chat")
    assert same(out, file, form)


def one_liners() -> list[tuple[str, list[str]]]:
    """Name and descriptions of everybody whom a released file describes in one line."""
    out: list[tuple[str, list[str]]] = []
    for parts in (("personagym", "questions_v1.json"), ("assistant_axis", "roles.json")):
        file = SHARED.joinpath(*parts)
        if file.is_file():
            body = json.loads(file.read_text("utf-8"))
            lines = list(body) if parts[0] == "personagym" else [
                i["pos"] for role in body.values() for i in role["instruction"]
            ]  # fmt: skip
            out.append(("/".join(parts), lines))
    return out


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_descriptions_in_one_line_come_back(form: str, tmp_path: Path) -> None:
    told = one_liners()
    if not told:
        pytest.skip(ABSENT)
    for name, said in told:
        lines = [" ".join(s.split()) for s in said if s.strip()]  # one default has no instruction
        file, out = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
        file.write_text("".join((s if form == "txt" else json.dumps({"persona": s})) + "\n" for s in lines), "utf-8")
        people = list(import_people(file, "persona_hub"))
        assert [p.get("description") for p in people] == lines, name
        export_people(people, out, "persona_hub")
        assert (
            out.read_text("utf-8") == file.read_text("utf-8") if form == "txt" else records_of(out) == records_of(file)
        )


def test_first_person_constitutions_come_back_as_profiles(tmp_path: Path) -> None:
    rows = records_of(released("character_constitutions", "constitutions.jsonl"))
    profiles: dict[str, list[str]] = {}
    for row in rows:
        profiles.setdefault(row["character"], []).append(row["trait"])
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps({"personality": p}) + "\n" for p in profiles.values()), "utf-8")
    assert sniff(file).format == "persona_chat"
    people = list(import_people(file))
    assert len(people) == len(profiles) == 11
    export_people(people, tmp_path / "out.jsonl", "persona_chat")
    assert records_of(tmp_path / "out.jsonl") == records_of(file)
