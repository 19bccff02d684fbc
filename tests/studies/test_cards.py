"""Cards and shape of every study: what a card names exists, and a study is wiring only."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

from personae.core import InputError, SchemaError, UnknownKeyError
from personae.studies import Card, Study, StudySpec, register, studies

ROOT = Path(__file__).parents[2]
NAMES = tuple(studies)
FORBIDDEN = {"torch", "socket", "scipy", "statistics", "httpx", "requests", "openai", "urllib"}


def imports(file: Path) -> set[str]:
    """Full names of all modules a file imports, wherever it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def test_both_studies_are_registered_through_the_door_plug_ins_use() -> None:
    assert {"demo", "spasm"} <= set(NAMES)
    assert all(issubclass(studies.get(name), Study) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_claims_with_sources_and_limits(name: str) -> None:
    card = studies.get(name).card()
    assert card.name == name
    assert card.question.endswith("?")
    assert card.limits
    for claim in card.claims:
        assert claim.reference
        assert claim.source
        assert claim.checked_here


@pytest.mark.parametrize("name", NAMES)
def test_capabilities_on_a_card_can_be_imported(name: str) -> None:
    for capability in studies.get(name).card().capabilities:
        room, _, thing = capability.partition(".")
        module = import_module(f"personae.{room}")
        assert thing in module.__all__, capability
        assert getattr(module, thing) is not None


@pytest.mark.parametrize("name", NAMES)
def test_tests_on_a_card_exist(name: str) -> None:
    for test in studies.get(name).card().tests:
        file = ROOT / test
        assert file.is_file(), test
        assert re.search(r"^def test_", file.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_wiring_only(name: str) -> None:
    folder = studies.get(name).folder()
    assert len((folder / "study.py").read_text("utf-8").splitlines()) <= 250
    assert (folder / "README.md").is_file()
    others = {f"personae.studies.{other}" for other in NAMES if other != name}
    for file in folder.rglob("*.py"):
        found = imports(file)
        assert not {i for i in found if i.split(".")[0] in FORBIDDEN}, file
        assert not {i for i in found if i.startswith("personae.statistics")}, "statistics belong to measures"
        assert not {i for i in found for other in others if i == other or i.startswith(f"{other}.")}, file


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_described_and_has_a_default(name: str) -> None:
    fields = studies.get(name).Spec.model_fields
    assert fields
    for key, field in fields.items():
        assert field.description, key
        assert not field.is_required(), key


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_pure_and_its_keys_are_unique(name: str) -> None:
    study = studies.get(name)()
    spec = study.Spec.read({"people": 5}, where="here")
    plan = study.plan(spec, 1)
    assert plan == study.plan(spec, 1)
    keys = [unit.key for stage in plan for unit in stage.units]
    assert len(set(keys)) == len(keys)
    assert all(unit.stage == stage.name for stage in plan for unit in stage.units)


def test_settings_are_checked_with_the_nearest_key() -> None:
    class Spec(StudySpec):
        people: int = 3

    with pytest.raises(UnknownKeyError, match="Did you mean 'people'") as caught:
        Spec.read({"peopel": 3}, where="settings of x")
    assert "settings of x" in str(caught.value)
    with pytest.raises(SchemaError, match="people"):
        Spec.read({"people": "three"}, where="settings of x")
    assert Spec.read({"people": "4"}, where="x").people == 4


def test_a_name_that_is_no_identifier_is_refused() -> None:
    with pytest.raises(InputError, match="not an identifier"):
        register(type("Odd", (Study,), {"name": "no name"}))


def test_a_card_without_claims_is_no_card() -> None:
    with pytest.raises(ValidationError):
        Card(name="x", title="x", paper="x", question="x?", capabilities=("creation.Population",), claims=())
