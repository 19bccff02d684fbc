"""Pilots of whole studies: nothing is tried before what it reads is finished, and nothing is wasted."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from personae.core import BudgetError, ConversationRow, JudgementRow, ModelError, PersonaRow, RunFailedError
from personae.models import StatisticalModel
from personae.runs import Unit, open_run
from personae.studies import Order, Previewed, preview_study
from personae.studies._driver import Finished
from personae.studies._preview import _sample


def preview(study: str, out: Path, settings, **order) -> tuple[Previewed, list[str]]:
    noted: list[str] = []
    order = {"concurrency": 8, "model": "fake:statistical"} | order
    found = asyncio.run(
        preview_study(Order(study, out, settings=settings, **order), say=noted.append, note=noted.append)
    )
    return found, noted


SPASM = {"people": 4, "conversations": 2, "utterances": 6, "encoder": "hash"}


def test_a_stage_waits_for_what_it_reads(tmp_path: Path, start, spasm) -> None:
    found, _ = preview("spasm", tmp_path / "run", SPASM)
    by_name = {s.stage: s for s in found.stages}
    assert list(by_name) == ["people", "judge", "dialogue", "audit", "again"]
    assert by_name["audit"].left is None
    assert by_name["audit"].waits_for == ("dialogue",)
    assert by_name["dialogue"].left.units_left == 16 - 4
    assert by_name["people"].left.units_left == by_name["judge"].left.units_left == 0
    assert any(line.startswith("audit: 1 units, at most 0 calls; not tried before dialogue") for line in found.lines())
    assert any(line.startswith("total without audit, again: 12 of ") for line in found.lines())
    assert found.as_data()["preview"][-2]["waits_for"] == ["dialogue"]
    with open_run(found.folder) as run:
        assert len(list(run.rows(PersonaRow))) == 4
        assert len(list(run.rows(ConversationRow))) == 4
        assert not [j for j in run.rows(JudgementRow) if j.unit == "audit"]
    assert start("spasm", tmp_path / "run").run.digest == spasm.run.digest


def test_people_that_cost_calls_are_tried_and_hold_back_the_rest(tmp_path: Path) -> None:
    found, _ = preview("spasm", tmp_path / "run", SPASM | {"people": 6, "crafter": "model"})
    people, *rest = found.stages
    assert (people.left.pilot, people.left.units_left) == (4, 2)
    assert [s.left for s in rest] == [None] * 4
    assert [s.waits_for for s in rest][:2] == [("people",), ("people", "judge")]
    assert found.total == people.left.total([people.left])


def test_a_pilot_that_only_fails_is_an_error(tmp_path: Path, answer_with) -> None:
    class Broken(StatisticalModel):
        async def score_options(self, requests):
            raise ModelError("the server coughed.")

    answer_with(Broken)
    with pytest.raises(RunFailedError, match=r"stage 'inventory': all 4 units .* the server coughed"):
        preview("demo", tmp_path / "run", {"people": 4, "turns": 2})


def test_a_cap_holds_for_the_pilot_too(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="cap of 2 calls"):
        preview("demo", tmp_path / "run", {"people": 4, "turns": 2}, max_calls=2)


def test_the_sample_is_drawn_and_the_same_again() -> None:
    units = [Unit(f"u/{k}", "s") for k in range(40)]
    first = _sample(units, 7)
    assert first == _sample(units, 7)
    assert len({u.key for u in first}) == 4
    assert _sample(units[:3], 7) == units[:3]
    seen = Counter(units.index(u) % 2 for seed in range(200) for u in _sample(units, seed))
    # Binomial(800, .5): 400 ± 4 standard deviations of 14.
    assert abs(seen[0] - 400) < 57


def test_the_chat_at_the_end_names_one_person_and_a_model_that_can_talk(demo) -> None:
    def chat(**changes: object) -> str:
        fields = {name: getattr(demo.run, name) for name in Finished.__slots__} | changes
        return next((line for line in Finished(**fields).lines() if "personae chat" in line), "")

    folder = demo.folder
    assert chat(model="smollm2", person="Ana O'Hara") == f"  personae chat 'Ana O'\"'\"'Hara' --from {folder}"
    assert chat(model="openai:m@http://h/v1", person="3").endswith(
        f"chat 3 --from {folder} --model openai:m@http://h/v1"
    )
    assert chat(model="replay:old", person="3").endswith(f"chat 3 --from {folder}")
    assert chat(person=None) == ""
