"""A survey: every question under both orders, and the empty context with or without the person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from personae.conditioning import Prompt, answer_survey
from personae.core import Names, Persona
from personae.instruments import load_survey
from personae.models import ScriptedModel
from personae.studies.hachimi import Hachimi

SURVEY = load_survey(Path(Hachimi.folder()) / "data" / "survey.yaml")
ITEMS = SURVEY.items[:3]
THREE = SURVEY.model_copy(update={"items": ITEMS})


@pytest.mark.parametrize("baseline", ["actor", "nobody"])
def test_questions_are_asked_one_by_one_and_the_empty_one_by_whom_it_is_said(baseline: str) -> None:
    asked = []

    def scores(request) -> list[float]:
        asked.append(request)
        return [-float(k) for k in range(len(request.options))]

    rows = asyncio.run(
        answer_survey(
            Persona(names=Names(full="Bo Lind")), THREE, Prompt(), ScriptedModel(lambda r: "", scores),
            label="survey", seed=1, unit="u", baseline=baseline,
        )
    )  # fmt: skip
    assert [r.item for r in rows] == [i.id for i in ITEMS]
    assert {(r.condition, r.status, r.method) for r in rows} == {("survey", "ok", "score")}
    assert len(asked) == len(ITEMS) * 4
    empty = [r for r in asked if not r.tags["item"]]
    assert len(empty) == len(ITEMS) * 2
    assert all(("Bo Lind" in r.messages[0].content) is (baseline == "actor") for r in empty)
    assert all("Bo Lind" in r.messages[0].content for r in asked if r.tags["item"])
