"""The spasm study on fakes: all tables, honest detectors, exports without contact strings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checks import counts, measured, rows, self_contained, sound_exports

from personae.core import ConversationRow, JudgementRow, PersonaRow, SlotRow, TurnRow
from personae.models import Planted, ScriptedModel, StatisticalModel


def test_every_table_is_there_with_as_many_rows_as_planned(spasm) -> None:
    found = counts(spasm.folder)
    assert found["personas"] == 4
    assert found["conversations"] == 4 * 2 * 2
    assert found["slots"] >= 4
    for table in ("turns", "probes", "judgements", "measurements"):
        assert found[table] > 0
    assert "failures" not in found


def test_rejected_draws_are_drawn_again_and_counted(spasm) -> None:
    slots = rows(spasm.folder, SlotRow)
    assert sum(s.accepted for s in slots) == 4
    assert {s.k for s in slots if s.accepted} == {0, 1, 2, 3}
    assert all(s.rule for s in slots if not s.accepted)
    found = measured(spasm.folder)["schema.rejected"]
    assert found.value == pytest.approx(sum(not s.accepted for s in slots) / len(slots))
    assert found.cluster == "draw"


def test_the_judge_is_checked_before_it_may_decide_anything(spasm) -> None:
    """A statistical fake knows nothing about goodbyes: it must come out below the threshold and decide nothing."""
    (judge,) = (j for j in rows(spasm.folder, JudgementRow) if j.judge == "ended")
    assert judge.verdict == "below threshold"
    assert "nan" not in judge.agreement
    assert "closed_judged" not in {c.end_reason for c in rows(spasm.folder, ConversationRow)}
    kappa = measured(spasm.folder)["termination_judge.kappa"]
    assert kappa.value == judge.value
    assert "author-labelled" in kappa.note


def test_a_judge_that_agrees_with_the_labels_may_veto_an_end(start, answer_with, tmp_path: Path) -> None:
    from personae.text import load_closing_cues

    closing = {i.text: i.closing for i in load_closing_cues()}

    def score(request) -> list[float]:
        text = request.messages[-1].content
        said = next((c for t, c in closing.items() if f"responder: {t}" in text), None)
        if "Transcript:" in text and len(request.options) == 2 and request.options[0] == " Yes":
            return [-0.1, -3.0] if said else [-3.0, -0.1] if said is False else [-1.0, -1.0]
        return [-1.0 - k for k in range(len(request.options))]

    answer_with(lambda: ScriptedModel(None, score))
    run = start("spasm", tmp_path / "run", model="fake:scripted", more={"people": 2, "conversations": 1})
    (judge,) = (j for j in rows(run.folder, JudgementRow) if j.judge == "ended")
    assert judge.verdict == "validated"
    assert judge.value > 0.9


def test_every_conversation_was_audited(spasm) -> None:
    audited = {j.conversation for j in rows(spasm.folder, JudgementRow) if j.judge == "audit"}
    assert audited == {c.conversation for c in rows(spasm.folder, ConversationRow)}
    assert all("not validated by people" in j.agreement for j in rows(spasm.folder, JudgementRow) if j.judge == "audit")


def test_projections_are_paired_by_person_and_seed(spasm) -> None:
    heads = rows(spasm.folder, ConversationRow)
    cells = {(c.persona_id, c.seed, c.condition) for c in heads}
    assert len(cells) == len(heads)
    assert {(p, s) for p, s, c in cells if c == "ecp"} == {(p, s) for p, s, c in cells if c == "concat"}


def test_measurements_have_both_projections_and_their_difference(spasm) -> None:
    found = measured(spasm.folder)
    for name in ("echo_copy", "echo_event", "self_repetition", "role_swap", "utterances", "path_drift"):
        for condition in ("ecp", "concat", "ecp_minus_concat"):
            assert f"{name}.{condition}" in found
    assert found["recoverability.top1.ecp"].n == 4
    assert "hash" in found["recoverability.top1.ecp"].method
    assert {"termination_rules.precision", "termination_rules.recall", "audit.ecp"} <= set(found)


def test_the_report_is_one_page_and_the_exports_are_whole(spasm) -> None:
    text = self_contained(spasm.run.report)
    for section in ("question", "design", "slots", "paired", "details", "conversations", "limits"):
        assert f'id="{section}"' in text, section
    assert "arXiv 2604.09212" in text
    assert {"conversations.jsonl", "chat.jsonl", "sft.jsonl", "people.jsonl"} <= sound_exports(spasm.folder / "exports")


def test_contact_strings_are_redacted_in_exports_and_stay_in_the_evidence(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel(["Write to ana.reis@example.org, I moved last week.", "Who is that?"]))
    run = start("spasm", tmp_path / "run", more={"people": 2, "conversations": 1, "utterances": 4})
    exported = "".join(
        (run.folder / "exports" / name).read_text("utf-8")
        for name in ("conversations.jsonl", "chat.jsonl", "sft.jsonl")
    )
    assert "ana.reis@example.org" not in exported
    found = measured(run.folder)["audit.ecp"]
    assert found.value == 1
    assert "contact_email" in found.note


def test_people_crafted_by_the_model_are_checked_and_fall_back(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel(["As an AI language model I cannot."]))
    more = {"people": 2, "conversations": 1, "utterances": 2, "crafter": "model"}
    run = start("spasm", tmp_path / "run", more=more)
    verdicts = [j.verdict for j in rows(run.folder, JudgementRow) if j.judge == "craft_faults"]
    assert len(verdicts) == 2
    assert "kept" not in verdicts
    for row in rows(run.folder, PersonaRow):
        assert "language model" not in json.loads(row.body)["description"]


def test_without_the_judge_there_is_no_judge_stage(start, tmp_path: Path) -> None:
    more = {"people": 2, "conversations": 1, "utterances": 2, "terminator": "rules"}
    run = start("spasm", tmp_path / "run", more=more)
    assert not [j for j in rows(run.folder, JudgementRow) if j.judge == "ended"]
    assert "termination_judge.kappa" not in measured(run.folder)


def test_planted_copying_shows_in_the_paired_contrast(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: StatisticalModel(planted=Planted(echo={"concat": 0.9}, words=16)))
    run = start("spasm", tmp_path / "run", more={"people": 6, "conversations": 1, "utterances": 6})
    contrast = measured(run.folder)["echo_copy.ecp_minus_concat"]
    assert contrast.interval.high < 0
    assert any(line.startswith("Echo") for line in run.run.headline)


LEAK = "Write to ana.reis@example.org, I moved last week."
SMALL = {"people": 2, "conversations": 1, "utterances": 4, "terminator": "rules"}


def held_again(folder: Path) -> tuple[list[ConversationRow], list[JudgementRow]]:
    tries = [c for c in rows(folder, ConversationRow) if c.condition == "again"]
    return tries, [j for j in rows(folder, JudgementRow) if j.condition == "again"]


def test_a_flagged_conversation_is_held_again_for_the_data_set_and_is_not_measured(
    start, answer_with, tmp_path: Path
) -> None:
    answer_with(
        lambda: ScriptedModel(
            lambda r: LEAK if r.tags.get("condition") == "ecp" else f"It rained for {r.seed % 89} days."
        )
    )
    run = start("spasm", tmp_path / "run", more=SMALL)
    tries, audits = held_again(run.folder)
    assert [c.conversation for c in tries] == ["again/0/0/0", "again/1/0/0"]
    assert [j.verdict for j in audits] == ["clean", "clean"]
    first = {c.persona_id: c.seed for c in rows(run.folder, ConversationRow) if c.condition == "ecp"}
    assert all(c.seed != first[c.persona_id] for c in tries)
    found = measured(run.folder)
    assert found["audit.ecp"].value == 1
    assert found["audit.again"].value == 0
    assert not [name for name in found if name.endswith(".again") and name != "audit.again"]
    assert any("2 ecp conversation(s) were flagged and held again, 2 came out clean" in line for line in run.said)
    exported = [json.loads(line) for line in (run.folder / "exports/conversations.jsonl").read_text().splitlines()]
    kept = {r["conversation_id"] for r in exported if not r["audit"]}
    assert kept == {"again/0/0/0", "again/1/0/0", "dialogue/concat/0/0", "dialogue/concat/1/0"}


def test_what_never_comes_out_clean_is_tried_as_often_as_was_said(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel([LEAK, "Who is that?"]))
    run = start("spasm", tmp_path / "run", more=SMALL | {"regenerate": 3})
    tries, audits = held_again(run.folder)
    assert [c.conversation for c in tries] == [f"again/{k}/0/{a}" for k in (0, 1) for a in (0, 1, 2)]
    assert len({c.seed for c in tries}) == 6
    assert "clean" not in {j.verdict for j in audits}


def test_nothing_is_held_again_where_nothing_was_flagged_or_nobody_asked(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel(lambda r: f"It rained for {r.seed % 89} days."))
    quiet = start("spasm", tmp_path / "quiet", more=SMALL)
    assert held_again(quiet.folder) == ([], [])
    answer_with(lambda: ScriptedModel([LEAK, "Who is that?"]))
    unasked = start("spasm", tmp_path / "unasked", more=SMALL | {"regenerate": 0})
    assert held_again(unasked.folder) == ([], [])


def test_a_person_crafted_by_the_model_is_told_in_those_words_alone(start, answer_with, tmp_path: Path) -> None:
    def reply(request) -> str:
        if request.tags.get("stage") == "craft":
            person = request.messages[-1].content
            facts = dict(line.split(": ", 1) for line in person.splitlines()[1:] if ": " in line)
            job = facts.get("Occupation", "person")
            return f"You are {facts['Name']}, {facts['Age']} years old, and you work as {job}. You love old maps."
        return f"It rained for {request.seed % 89} days."

    answer_with(lambda: ScriptedModel(reply))
    run = start("spasm", tmp_path / "run", more=SMALL | {"crafter": "model"})
    told = {r.persona_id: json.loads(r.body)["description"] for r in rows(run.folder, PersonaRow)}
    assert all("old maps" in text for text in told.values())
    from personae.runs import open_run

    with open_run(run.folder) as folder:
        lines = [r for r in folder.calls.records() if r.tags.get("actor") == "client"]
        systems = {r.tags["persona"]: r.asked().messages[0].content for r in lines}
    assert systems.keys() == told.keys()
    for who, text in systems.items():
        assert text.startswith(f"{told[who]}\n\n")


def test_without_guards_no_line_is_drafted_twice(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: ScriptedModel(["The same line every time, whoever speaks and whatever was said."]))
    for guarded, retries in ((True, True), (False, False)):
        run = start("spasm", tmp_path / f"{guarded}", more=SMALL | {"guarded": guarded, "regenerate": 0})
        assert any(t.retries > 0 for t in rows(run.folder, TurnRow)) is retries
