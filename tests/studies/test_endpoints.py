"""The studies of creation on an endpoint: schemas go out, answers that fit come back, and what fails is kept."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from checks import measured, rows

from personae.core import FailureRow, IssueRow, PersonaRow, ProbeRow, ResponseRow, SlotRow
from personae.models._structured import example

if TYPE_CHECKING:
    from loopback import Endpoint


def answers(body: dict[str, Any]) -> str:
    """Whatever the schema asks for, made from the prompt; without a schema, a word."""
    pick = zlib.crc32(json.dumps(body["messages"]).encode())
    form = body.get("response_format", {}).get("json_schema")
    return json.dumps(example(form["schema"], pick)) if form else f"word {pick}"


@pytest.fixture
def served(endpoint: Endpoint) -> str:
    """Reference of an endpoint that answers by schema and knows prompt log-probabilities."""
    endpoint.reply = answers
    endpoint.echoes = True
    return f"openai:tiny-1@{endpoint.url}"


def test_hachimi_keeps_every_slot_it_could_not_fill(start, tmp_path: Path, served: str, endpoint: Endpoint) -> None:
    more = {"people": 3, "writer": "model", "attempts": 2, "rounds": 1}
    run = start("hachimi", tmp_path / "run", model=served, more=more)
    slots = rows(run.folder, SlotRow)
    accepted = {s.k for s in slots if s.accepted}
    assert {p.k for p in rows(run.folder, PersonaRow)} == accepted
    assert {s.k for s in slots} == {0, 1, 2}
    assert all(s.attempt == 1 or s.accepted or (s.k, 1) in {(t.k, t.attempt) for t in slots} for s in slots)
    assert rows(run.folder, IssueRow)
    assert any("response_format" in body for body in endpoint.bodies())


@pytest.mark.parametrize("echoes", [True, False])
def test_hachimi_asks_an_endpoint_its_survey(
    start, tmp_path: Path, served: str, endpoint: Endpoint, echoes: bool
) -> None:
    """With prompt log-probabilities, and without them by labels."""
    endpoint.echoes = echoes
    more = {"people": 4, "survey": True, "codebook": "star"}
    run = start("hachimi", tmp_path / "run", model=served, more=more)
    answers = rows(run.folder, ResponseRow)
    assert {(r.item, r.status) for r in answers} >= {("mathematics", "ok"), ("reading", "ok")}
    assert len(answers) == 4 * 2
    assert {r.approximate for r in answers} == {not echoes}
    asked = json.dumps(endpoint.requests[-1][1])
    assert "Your school stands" in asked
    assert "Your family" in asked
    assert not rows(run.folder, FailureRow)


def test_deeppersona_takes_values_that_fit_and_says_who_wrote(start, tmp_path: Path, served: str) -> None:
    more = {"people": 2, "depth": 20, "writer": "model", "choices": False, "survey": True, "encoder": "hash"}
    run = start("deeppersona", tmp_path / "run", model=served, more=more)
    assert len(rows(run.folder, PersonaRow)) >= 2
    assert rows(run.folder, ResponseRow)
    assert not rows(run.folder, FailureRow)


def test_persona_taxonomy_probes_an_endpoint(start, tmp_path: Path, served: str) -> None:
    run = start("persona_taxonomy", tmp_path / "run", model=served, more={"boundary": 2, "consistency": 2})
    assert {p.group for p in rows(run.folder, ProbeRow)} == {"boundary", "consistency"}
    assert measured(run.folder)["boundary.unknown"].n == 2
