"""The people study: descriptions by rules and by models, and what becomes of words that do not keep the facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from personae.core import JudgementRow, MeasurementRow, Persona, PersonaRow
from personae.runs import open_run

if TYPE_CHECKING:
    from loopback import Endpoint

Start = Callable[..., Any]


def evidence(folder: Path) -> tuple[dict[str, float | None], list[JudgementRow], list[Persona]]:
    with open_run(folder) as run:
        values = {r.measurement.name: r.measurement.value for r in run.rows(MeasurementRow)}
        people = [Persona.parse(r.body) for r in sorted(run.rows(PersonaRow), key=lambda r: r.k)]
        return values, list(run.rows(JudgementRow)), people


def test_rules_write_everybody_and_quotas_hold(start: Start, tmp_path: Path) -> None:
    told = start("people", tmp_path / "a")
    values, judged, people = evidence(told.folder)
    assert len(people) == 12
    assert {j.verdict for j in judged} == {"grammar"}
    assert all(p.name in str(p.description) for p in people)
    assert "written_by_model" not in values
    assert any("hard quotas exact" in line for line in told.said)
    assert start("people", tmp_path / "b", more={"block": 5}).folder.exists()
    assert [p.id for p in evidence(tmp_path / "b")[2]] == [p.id for p in people]


def test_an_endpoint_writes_and_its_words_are_checked(start: Start, tmp_path: Path, endpoint: Endpoint) -> None:
    def reply(body: dict[str, Any]) -> str:
        facts = dict(line.split(": ", 1) for line in body["messages"][-1]["content"].splitlines() if ": " in line)
        if len(endpoint.requests) % 3 == 0:
            return "You are somebody else entirely."
        job = facts.get("Occupation", "")
        return f"You are {facts['Name']}. You are {facts.get('Age', '')} years old. You work as {job}. You like rain."

    endpoint.reply = reply
    told = start("people", tmp_path / "a", model=f"openai:tiny-1@{endpoint.url}", more={"writer": "model"})
    values, judged, _ = evidence(told.folder)
    written = [j for j in judged if j.verdict == "model"]
    assert values["written_by_model"] == len(written) / 12
    assert written
    refused = [j for j in judged if "name_missing" in j.agreement]
    assert refused


@pytest.mark.model
def test_on_the_embedded_model(start: Start, tmp_path: Path) -> None:
    more = {"writer": "model", "people": 2, "attempts": 1}
    values, judged, people = evidence(start("people", tmp_path / "a", model="smollm2", more=more, cache="off").folder)
    assert len(people) == len(judged) == 2
    assert values["written_by_model"] is not None
