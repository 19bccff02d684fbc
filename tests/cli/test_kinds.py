"""`personae persona` and what `personae study list` says of needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from personae.creation import load_gallery

PEOPLE = Path(__file__).parents[2] / "examples" / "people"


@pytest.mark.parametrize("verb", ["classify", "plan", "risk"])
def test_people_are_told_in_lines_and_in_json(personae, verb: str) -> None:
    said = personae("persona", verb, PEOPLE / "demo.yaml")
    assert said.code == 0, said.err
    assert said.out.startswith("Rosa Ferreira: demographic")
    (row,) = personae("persona", verb, PEOPLE / "demo.yaml", "--json").data["people"]
    assert row["name"] == "Rosa Ferreira"


def test_a_plan_in_json_says_what_can_run(personae) -> None:
    (row,) = personae("persona", "plan", PEOPLE / "demo.yaml", "--model", "none", "--json").data["people"]
    assert "persona_taxonomy" in row["runnable"]
    assert "demo" not in row["runnable"]


def test_a_file_that_is_not_there(personae) -> None:
    said = personae("persona", "classify", "nobody.yaml", "--json")
    assert said.code == 2
    assert "nobody.yaml" in said.error["message"]


def test_the_schema_describes_every_gallery_person(personae) -> None:
    schema = personae("persona", "schema", "--json").data["schema"]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for person in load_gallery():
        body = person.dump()
        body.pop("id")
        assert not list(validator.iter_errors(body)), person.name


def test_study_list_tells_kinds_needs_and_for_whom(personae) -> None:
    listed = personae("study", "list")
    assert "kinds  demographic" in listed.out
    assert "model: any" in listed.out
    found = personae("study", "list", "--for", PEOPLE / "spasm.yaml", "--json").data["studies"]
    told = {s["name"]: s for s in found}
    assert told["spasm"]["for"] == {"people": 1, "runnable": 1, "reasons": {}}
    assert told["demo"]["for"]["reasons"] == {"personal.big_five is not set": 1}
    assert told["demo"]["needs"] == {"fields": ["names.full", "personal.big_five"], "model": "any"}
