"""A model under terms of its own: shown, asked, refused, accepted. No weights are fetched here."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from personae.cli import _models
from personae.core import LicenceError, MissingWeightsError
from personae.models import open_model
from personae.models._known import KNOWN
from personae.models._weights import WeightsManifest

ROOT = Path(__file__).parents[2]
TERMS = KNOWN["gemma3-270m"].terms


@pytest.fixture
def accepted(monkeypatch):
    """What `get_weights` was told about acceptance; it fetches nothing."""
    told: list[bool] = []

    def get(name: str, progress: object, *, force: bool, accept_licence: bool) -> WeightsManifest:
        told.append(accept_licence)
        if KNOWN[name].terms and not accept_licence:
            raise LicenceError("not accepted")
        return WeightsManifest(schema_version=1, name=name, source="", source_sha256="", licence="", files={})

    monkeypatch.setattr("personae.models.get_weights", get)
    return told


@pytest.fixture
def terminal(monkeypatch):
    """Somebody sits there, and gives this answer."""

    def answers(answer: bool) -> list[str]:
        asked: list[str] = []
        monkeypatch.setattr(_models, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
        monkeypatch.setattr(_models.typer, "confirm", lambda text, default: bool(asked.append(text)) or answer)
        return asked

    return answers


@pytest.mark.parametrize("more", [(), ("--json",), ("--force",)])
def test_without_a_terminal_one_error_says_what_to_do(personae, tmp_path, more) -> None:
    said = personae("models", "get", "gemma3-270m", *more)
    assert said.code == 3
    told = " ".join((said.error["message"], said.error["suggestion"])) if "--json" in more else said.err
    force = " --force" if "--force" in more else ""
    for part in ("Gemma Terms of Use", "not an open-source licence", TERMS, f"gemma3-270m{force} --accept-licence"):
        assert part in told
    assert not list(tmp_path.rglob("*.gguf"))


def test_the_flag_accepts_and_nobody_is_asked(personae, accepted, terminal) -> None:
    asked = terminal(False)
    assert personae("models", "get", "gemma3-270m", "--accept-licence", "--json").code == 0
    assert (accepted, asked) == ([True], [])


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 3)])
def test_at_a_terminal_the_terms_are_shown_and_asked(personae, accepted, terminal, answer, code) -> None:
    asked = terminal(answer)
    said = personae("models", "get", "gemma3-270m")
    assert said.code == code
    assert TERMS in said.err
    assert "not an open-source licence" in said.err
    assert (accepted, len(asked)) == ([answer], 1)


def test_json_never_asks(personae, accepted, terminal) -> None:
    asked = terminal(True)
    assert personae("models", "get", "gemma3-270m", "--json").error["code"] == "licence"
    assert asked == []


@pytest.mark.parametrize(("force", "questions"), [((), 0), (("--force",), 1)])
def test_what_is_here_is_asked_for_only_when_fetched_anew(
    personae, accepted, terminal, monkeypatch, force, questions
) -> None:
    row = SimpleNamespace(name="gemma3-270m", title="Gemma", licence="Terms", terms=TERMS, present=True)
    monkeypatch.setattr("personae.models.list_weights", lambda: (row,))
    asked = terminal(True)
    personae("models", "get", "gemma3-270m", *force)
    assert len(asked) == questions


def test_an_open_licence_is_not_asked_about(personae, accepted, terminal) -> None:
    asked = terminal(True)
    assert personae("models", "get", "smollm2").code == 0
    assert (accepted, asked) == ([False], [])


@pytest.mark.parametrize("reference", ["gemma3-270m", "hf:gemma3-270m"])
def test_opening_it_without_its_weights_gives_the_command(reference) -> None:
    with pytest.raises(MissingWeightsError, match="Run: personae models get gemma3-270m"):
        open_model(reference)


def test_list_and_doctor_name_the_terms(personae) -> None:
    rows = {row["name"]: row for row in personae("models", "list", "--json").data["models"]}
    assert rows["gemma3-270m"]["licence"] == "Gemma Terms of Use"
    parts = {part["part"]: part for part in personae("doctor", "--json").data["parts"]}
    assert "optional" in parts["weights: gemma3-270m"]["for"]
    assert parts["weights: gemma3-270m"]["fix"] == "personae models get gemma3-270m"


def test_nothing_fetches_it_unasked() -> None:
    files = [ROOT / "Makefile", *ROOT.glob(".*/**/*.y*ml"), *ROOT.glob(".*.y*ml")]
    assert not [path for path in files if re.search("gemma", path.read_text("utf-8"), re.IGNORECASE)]
