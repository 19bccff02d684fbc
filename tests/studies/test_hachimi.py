"""The hachimi study: no model with the grammar, failures kept with one, ablations that change what they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checks import counts, measured, rows, self_contained, sound_exports

from personae.core import DraftRow, InputError, IssueRow, PersonaRow, SlotRow
from personae.models import ScriptedModel
from personae.runs import open_run
from personae.studies import Order, plan_of, run_study
from personae.studies.hachimi import Hachimi


def test_the_grammar_asks_nobody_and_fills_every_slot(hachimi) -> None:
    assert hachimi.run.model == "none"
    found = measured(hachimi.folder)
    assert found["records.hard_errors"].value == 0
    assert found["records.quota_error"].value == 0
    assert found["records.kl.academic_level"].value == pytest.approx(0)
    assert counts(hachimi.folder)["personas"] == 24
    assert {d.calls for d in rows(hachimi.folder, DraftRow)} == {0}
    assert found["records.hard_errors"].interval is not None
    for name in ("distinct_2", "self_bleu_2", "vendi"):
        assert found[f"diversity.{name}"].n == 24
        assert found[f"diversity.{name}"].interval is not None


def test_the_report_and_the_exports_are_whole(hachimi) -> None:
    text = self_contained(hachimi.run.report)
    assert "Do student records meet" in text
    assert 'id="diversity"' in text
    assert sound_exports(hachimi.folder / "exports")


def test_a_model_that_never_answers_fails_every_slot_and_nothing_crashes(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel(lambda request: "I would rather tell you a story."))
    more = {"people": 3, "writer": "model", "attempts": 2, "rounds": 1}
    run = start("hachimi", tmp_path / "run", model="fake:scripted", more=more)
    slots = rows(run.folder, SlotRow)
    assert sorted((s.k, s.attempt) for s in slots) == [(k, a) for k in range(3) for a in (0, 1)]
    assert not any(s.accepted for s in slots)
    assert rows(run.folder, PersonaRow) == []
    assert {i.code for i in rows(run.folder, IssueRow)} >= {"unparsed", "missing"}
    assert measured(run.folder)["compose.parse_failures"].value == 1.0


def test_a_slot_that_failed_is_tried_again_and_the_quota_holds(start, answer_with, tmp_path: Path) -> None:
    """The first attempt at each slot is spoilt; the second is a good record for the same slot."""
    from personae.creation import StudentSource, record_rows

    source = StudentSource(4, 7)
    import numpy as np

    records = record_rows(source.columns(np.arange(4)))
    spoilt: set[str] = set()

    def reply(request) -> str:
        keys = list(request.json_schema["properties"])
        k = int(request.tags["k"])
        body = {key: records[k][key] for key in keys}
        if "mental_health" in keys and k not in spoilt:
            spoilt.add(k)
            body["mental_health"] += " A doctor diagnosed an anxiety disorder."
        return json.dumps(body, default=int)

    answer_with(lambda: ScriptedModel(reply))
    more = {"people": 4, "writer": "model", "attempts": 2, "rounds": 0, "guided": False}
    run = start("hachimi", tmp_path / "run", model="fake:scripted", more=more, concurrency=1)
    slots = rows(run.folder, SlotRow)
    assert [s.accepted for s in sorted(slots, key=lambda s: (s.attempt, s.k))] == [False] * 4 + [True] * 4
    assert {s.rule for s in slots if not s.accepted} == {"R12_not_diagnostic"}
    assert measured(run.folder)["records.quota_error"].value == 0
    assert counts(run.folder)["personas"] == 4


def test_one_shot_drafts_get_the_tokens_that_the_owners_used(start, answer_with, tmp_path: Path) -> None:
    """The owners' first drafts are spoilt in one paragraph and repaired; a draft of everything is always spoilt."""
    import numpy as np

    from personae.creation import StudentSource, record_rows

    records = record_rows(StudentSource(6, 7).columns(np.arange(6)))

    def reply(request) -> str:
        body = {key: records[int(request.tags["k"])][key] for key in request.json_schema["properties"]}
        if "mental_health" in body and (request.tags["owner"] == "everything" or request.tags["round"] == "0"):
            body["mental_health"] += " A doctor diagnosed an anxiety disorder."
        return json.dumps(body, default=int)

    answer_with(lambda: ScriptedModel(reply))
    more = {"people": 6, "writer": "model", "attempts": 1, "rounds": 1, "guided": False, "equal_tokens": True}
    run = start("hachimi", tmp_path / "run", model="fake:scripted", more=more)
    found = measured(run.folder)
    assert found["equal_tokens.hard_errors.pipeline"].value == 0
    assert found["equal_tokens.hard_errors.one_shot"].value == 1
    assert found["equal_tokens.hard_errors.pipeline_minus_one_shot"].value == -1
    assert found["equal_tokens.first_draft_errors.pipeline"].value == 1
    assert found["equal_tokens.tokens.one_shot"].value >= found["equal_tokens.tokens.pipeline"].value
    # The baseline is evidence of its own: neither people nor the fate of drafts count it.
    assert counts(run.folder)["personas"] == 6
    assert found["compose.accepted"].n == 6
    assert found["compose.accepted"].value == 1
    assert {s.unit.split("/")[0] for s in rows(run.folder, SlotRow)} == {"student", "one_shot"}
    assert 'id="equal-tokens"' in self_contained(run.run.report)


def test_bulk_runs_write_parts_and_say_what_the_check_found(start, tmp_path: Path) -> None:
    run = start("hachimi", tmp_path / "run", more={"people": 120, "bulk_from": 100})
    found = measured(run.folder)
    assert (found["corpus.errors"].value, found["corpus.quota_error"].value) == (0, 0)
    assert found["corpus.errors"].n == 120
    assert (run.folder / "records" / "part-00000.parquet").is_file()
    with open_run(run.folder) as opened:
        assert opened.tables()["personas"] == 120


def test_without_strata_the_quotas_are_missed(start, tmp_path: Path) -> None:
    run = start("hachimi", tmp_path / "run", more={"stratified": False})
    found = measured(run.folder)
    assert found["records.quota_error"].value > 0
    assert found["records.kl.grade"].value > 0


def test_without_anchors_records_are_more_pleasant(start, tmp_path: Path, hachimi) -> None:
    run = start("hachimi", tmp_path / "run", more={"anchors": False})
    assert measured(run.folder)["records.optimism"].value > measured(hachimi.folder)["records.optimism"].value


def test_the_plan_counts_calls_only_for_a_model() -> None:
    assert sum(s["calls"] for s in plan_of(Order("hachimi", Path("x")))) == 0
    asked = plan_of(Order("hachimi", Path("x"), settings={"writer": "model"}))
    assert asked[0]["units"] == 8
    assert asked[0]["calls"] == 8 * 5 * 4
    assert not Hachimi().asks(Hachimi.Spec())


@pytest.mark.model
def test_the_embedded_model_goes_through_with_two(tmp_path: Path) -> None:
    import asyncio

    settings = {"people": 2, "writer": "model", "attempts": 1, "rounds": 1}
    order = Order("hachimi", tmp_path / "run", settings=settings)
    asyncio.run(run_study(order, say=lambda _: None, note=lambda _: None))
    found = measured(tmp_path / "run")
    assert found["compose.tokens"].value > 100
    assert found["compose.parse_failures"].value < 1


def test_a_bad_mix_is_refused(start, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mix"):
        start("hachimi", tmp_path / "run", more={"mix": [1, -1, 1, 1], "bulk_from": 2})
