"""The demo on fakes: everything is there, what is planted is found, what is not is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checks import counts, measured, rows, self_contained, sound_exports

from personae.core import ConversationRow, FitRow, PersonaRow, ProbeRow, ResponseRow, TurnRow
from personae.models import Planted, StatisticalModel


def test_every_table_is_there_with_as_many_rows_as_planned(demo) -> None:
    found = counts(demo.folder)
    assert found["personas"] == 2 * 8
    assert found["responses"] == (2 * 8 + 2) * 50
    assert found["conversations"] == 2 * 3
    assert found["turns"] >= 6 * 2
    assert found["probes"] > 0
    assert found["fit"] > 0
    assert found["measurements"] > 40
    assert "failures" not in found


def test_people_and_twins_share_demographics_and_swap_traits(demo) -> None:
    people = {r.persona_id: r for r in rows(demo.folder, PersonaRow)}
    twins = [r for r in people.values() if r.role == "twin"]
    assert len(twins) == 8
    for twin in twins:
        one, other = json.loads(people[twin.twin_of].body), json.loads(twin.body)
        assert one["social"] == other["social"]
        assert one["personal"]["big_five"] != other["personal"]["big_five"]


def test_quotas_of_the_recipe_are_exact(demo) -> None:
    hard = [r for r in rows(demo.folder, FitRow) if r.hard]
    assert hard
    assert all(r.count == r.target_count for r in hard)


def test_the_report_is_one_page_and_the_exports_are_whole(demo) -> None:
    text = self_contained(demo.run.report)
    sections = ("question", "design", "people", "traits", "dialogue", "conversations", "failures", "cost", "limits")
    for section in sections:
        assert f'id="{section}"' in text, section
    names = sound_exports(demo.folder / "exports")
    assert {"people.jsonl", "conversations.jsonl", "chat.jsonl", "sft.jsonl", "responses.parquet", "README.md"} <= names


def test_planted_traits_are_found_and_follow_the_traits_not_the_demographics(demo) -> None:
    found = measured(demo.folder)
    for name in ("trait_recovery.self", "trait_recovery.twin", "trait_recovery.swap"):
        m = found[name]
        assert m.value > 0.8
        assert m.interval.low > 0
        assert m.p < 0.05
    control = found["trait_recovery.twin_original"]
    assert control.control
    assert control.interval.low < 0.5 < found["trait_recovery.swap"].interval.low
    assert "Traits recovered from people as themselves: 0.9" in "\n".join(demo.run.headline)


def test_a_null_world_shows_nothing_and_says_so(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: StatisticalModel(planted=Planted(effect=0.0)))
    null = start("demo", tmp_path / "run", more={"talkers": 1})
    found = measured(null.folder)
    for name in ("trait_recovery.self", "trait_recovery.twin", "trait_recovery.swap"):
        assert found[name].interval.low < 0 < found[name].interval.high
        assert found[name].p > 0.05
    assert "(not told from zero)" in null.run.headline[0]


def test_planted_echo_is_found_where_it_was_planted(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: StatisticalModel(planted=Planted(echo={"concat": 0.9}, words=16)))
    run = start("demo", tmp_path / "run", more={"talkers": 6, "turns": 6})
    found = measured(run.folder)
    assert found["echo_copy.concat"].value > 0.1
    assert found["echo_copy.ecp"].value == pytest.approx(0, abs=0.01)
    assert found["echo_copy.ecp_minus_concat"].interval.high < 0


def test_both_projections_of_a_person_share_the_seed_and_differ_in_nothing_else(demo) -> None:
    pairs: dict[str, list[ConversationRow]] = {}
    for row in rows(demo.folder, ConversationRow):
        pairs.setdefault(row.persona_id, []).append(row)
    for pair in pairs.values():
        assert {c.condition for c in pair} == {"ecp", "concat"}
        assert len({c.seed for c in pair}) == 1
        assert len({c.participants for c in pair}) == 1


def test_rows_of_one_person_can_be_found_again(demo) -> None:
    """Independence law: everything that was asked or said belongs to a person, or to nobody by name."""
    people = {r.persona_id for r in rows(demo.folder, PersonaRow)}
    controls = {"template_default", "empty_system"}
    for row in rows(demo.folder, ResponseRow):
        assert row.persona_id in people or (row.persona_id is None and row.condition in controls)
    for kind in (ConversationRow, TurnRow, ProbeRow):
        assert {row.persona_id for row in rows(demo.folder, kind)} <= people


def test_every_answer_leads_to_the_call_that_gave_it(demo) -> None:
    from personae.runs import open_run

    with open_run(demo.folder) as run:
        for row in [*run.rows(ResponseRow)][::97]:
            asked = run.calls.find(row.call).asked()
            assert asked.tags.get("item", row.item) == row.item
            assert len(asked.options) == len(row.probabilities)


def test_too_few_people_give_reasons_instead_of_numbers(start, tmp_path: Path) -> None:
    run = start("demo", tmp_path / "run", more={"people": 2, "talkers": 1, "turns": 2})
    found = measured(run.folder)
    for name in ("trait_recovery.self", "trait_recovery.swap", "trait_recovery.openness"):
        assert found[name].value is None
        assert "2 complete people" in found[name].reason
    assert "trait_recovery.mde" not in found
    self_contained(run.run.report)


def test_a_model_that_says_the_same_to_everything_is_seen_to_say_nothing(start, answer_with, tmp_path: Path) -> None:
    from personae.models import ScriptedModel

    answer_with(lambda: ScriptedModel(["Yes."], lambda request: [-1.0] * len(request.options)))
    run = start("demo", tmp_path / "run", model="fake:scripted", more={"people": 4, "talkers": 1, "turns": 4})
    found = measured(run.folder)
    assert found["answers.zero_variance"].value == 1
    assert found["trait_recovery.self"].value is None
    assert found["trait_recovery.self"].reason
    self_contained(run.run.report)
