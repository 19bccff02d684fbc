"""The persona_taxonomy study and the registry of what can run on whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checks import measured, rows, self_contained

from personae.core import JudgementRow, PersonaRow, ProbeRow
from personae.creation import has_field, load_people, without_field
from personae.studies import card_of, model_level, plan_for, studies

EXAMPLES = Path(__file__).parents[2] / "examples" / "people"
NAMES = tuple(studies)
ASKED = {"boundary": 3, "consistency": 4, "second_opinion": 5}


@pytest.fixture(scope="module")
def taxonomy(start, tmp_path_factory: pytest.TempPathFactory):
    return start("persona_taxonomy", tmp_path_factory.mktemp("kinds") / "run")


def test_a_run_without_probes_asks_nobody(taxonomy) -> None:
    assert taxonomy.run.model == "none"
    found = measured(taxonomy.folder)
    assert found["kinds.accuracy.test"].value > 0.9
    assert found["kinds.accuracy.test"].n == 96
    assert found["lint.precision"].value == found["lint.recall"].value == 1
    assert 0 <= found["kinds.calibration_error"].value < 0.1
    assert {r.role for r in rows(taxonomy.folder, PersonaRow)} == {"subject", "defect"}
    page = self_contained(taxonomy.run.report)
    assert "Kinds and findings" in page
    assert "this one is character" in page
    assert not re.search(r"this one is \w+ 0\.", page), "people who fail for one reason are counted together"
    assert ("character+demographic" in page) != ("demographic+character" in page), "a mix has no order"


def test_probes_and_second_opinion_are_evidence(start, tmp_path: Path) -> None:
    run = start("persona_taxonomy", tmp_path / "run", more=ASKED)
    probes = rows(run.folder, ProbeRow)
    assert sum(p.group == "boundary" for p in probes) == 30
    assert sum(p.group == "consistency" for p in probes) == 20
    assert sum(r.judge == "second_opinion" for r in rows(run.folder, JudgementRow)) == 5
    found = measured(run.folder)
    assert found["boundary.unknown"].n == 3
    assert found["consistency.same"].n == 4
    assert found["kinds.second_opinion"].model == "fake:statistical"
    again = start("persona_taxonomy", tmp_path / "again", more=ASKED, concurrency=1)
    assert again.run.digest == run.run.digest


def test_ones_own_people_have_no_labels_and_still_a_report(start, tmp_path: Path) -> None:
    run = start("persona_taxonomy", tmp_path / "run", more={"people": str(EXAMPLES / "spasm.yaml")})
    assert measured(run.folder) == {}
    verdicts = {r.subject: r.verdict for r in rows(run.folder, JudgementRow) if r.judge == "plan"}
    assert verdicts["spasm"] == "runnable"
    assert "personal.big_five is not set" in verdicts["demo"]


@pytest.mark.model
def test_the_embedded_model_is_probed(start, tmp_path: Path) -> None:
    more = {"boundary": 2, "consistency": 2, "second_opinion": 2}
    run = start("persona_taxonomy", tmp_path / "run", model="smollm2", more=more, cache="off")
    assert 0 < measured(run.folder)["boundary.unknown"].value < 1


# The registry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_study_has_an_example_person_on_whom_it_can_run(name: str) -> None:
    file = EXAMPLES / f"{name}.yaml"
    assert file.is_file(), f"add {file.name}: somebody on whom {name} can run"
    for person in load_people(file):
        assert name in plan_for(person).runnable


@pytest.mark.parametrize("name", ["demo", "spasm"])
def test_an_example_is_for_its_own_study(name: str) -> None:
    (person,) = load_people(EXAMPLES / f"{name}.yaml")
    others = {"demo", "spasm"} - {name}
    assert not others & set(plan_for(person).runnable)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_needed_field_a_study_goes_and_says_why(name: str) -> None:
    (person, *_) = load_people(EXAMPLES / f"{name}.yaml")
    for expression in card_of(name).needs.fields:
        if "names.full" in expression:
            continue
        poorer = person
        for path in (p.strip() for p in expression.split("|")):
            poorer = without_field(poorer, path)
        assert not has_field(poorer, expression)
        option = next(o for o in plan_for(poorer).evaluation_suites if o.study == name)
        assert not option.runnable
        assert expression in option.missing
        assert any(expression in reason for reason in option.reasons)
        assert any(expression in need for need in plan_for(poorer).data_needed)


def test_the_model_at_hand_decides_too() -> None:
    (person,) = load_people(EXAMPLES / "demo.yaml")
    assert "demo" in plan_for(person, model="smollm2").runnable
    blocked = next(o for o in plan_for(person, model="none").evaluation_suites if o.study == "demo")
    assert not blocked.runnable
    assert blocked.reasons == ("needs a model of level 'any'; 'none' is 'none'",)
    assert model_level("openai:x@http://localhost:1/v1") == "any"
    assert model_level("encoder:hash") == "encoder"


def test_a_study_for_another_kind_is_blocked_with_the_kind() -> None:
    (nan,) = load_people(EXAMPLES / "persona_taxonomy.yaml")
    plan = plan_for(nan)
    assert plan.runnable == ("persona_taxonomy",)
    assert any("made for demographic" in r for o in plan.evaluation_suites for r in o.reasons)
