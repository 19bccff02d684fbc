"""The audit: every scanner finds what is planted, and nothing where nothing is."""

from __future__ import annotations

import pytest

from personae.core import ConversationRow, Names, Persona, Social, TurnRow
from personae.simulation import audit_rows

ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse", residence="Lisbon"))
RULES = ("You have come to talk with someone about what is on your mind. Speak as yourself, in the first person.",)
CLEAN = ("I have slept badly for weeks.", "What keeps you awake?", "My brother moved away.", "That must be hard.")


def conversation(*lines: str, key: str = "talk", condition: str = "ecp", speakers: str = "cr", **more):
    names = {"c": "client", "r": "responder"}
    head = ConversationRow(
        unit=key,
        conversation=key,
        digest="",
        participants=("client", "responder"),
        persona_id=ANA.id,
        condition=condition,
        seed=1,
        utterances=len(lines),
        end_reason="turn_cap",
        **more,
    )
    turns = [
        TurnRow(
            unit=key,
            conversation=key,
            persona_id=ANA.id,
            condition=condition,
            index=k,
            kind="utterance",
            speaker=names[speakers[k % len(speakers)]],
            role=names[speakers[k % len(speakers)]],
            text=text,
        )
        for k, text in enumerate(lines)
    ]
    return head, turns


def findings(*talks) -> list[tuple[str, str, str]]:
    heads, turns = [t[0] for t in talks], [turn for t in talks for turn in t[1]]
    rows = audit_rows(heads, turns, {ANA.id: ANA}, rules=RULES, unit="audit")
    assert all(r.judge == "audit" and r.unit == "audit" and r.persona_id == ANA.id for r in rows)
    assert all("not validated by people" in r.agreement for r in rows)
    return [(r.conversation, r.verdict, r.subject) for r in rows]


def test_a_good_conversation_is_clean() -> None:
    assert findings(conversation(*CLEAN)) == [("talk", "clean", "conversation")]


def test_a_person_may_decline_to_say() -> None:
    found = findings(conversation(CLEAN[0], CLEAN[1], "I'd rather not say.", CLEAN[3]))
    assert found == [("talk", "clean", "conversation")]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("   ", "empty_turn"),
        ("no no no no no no no no", "degenerate"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("As an AI language model, I cannot sleep.", "ai_identity"),
        ("You have come to talk with someone about what is on your mind. Speak as yourself.", "prompt_leak"),
        ("You are Ana Reis. You are 58 years old. You work as a nurse. You live in Lisbon.", "prompt_leak"),
        ("Good night. <|im_end|>", "control_tokens"),
        ("Write to ana.reis@example.org.", "contact_email"),
    ],
)
def test_each_scanner_finds_its_own_and_says_where(line: str, verdict: str) -> None:
    found = findings(conversation(CLEAN[0], CLEAN[1], line, CLEAN[3]))
    assert ("talk", verdict, "2") in found
    assert ("talk", "clean", "conversation") not in found


def test_who_speaks_twice_in_a_row_is_seen() -> None:
    assert findings(conversation(*CLEAN, speakers="ccr")) == [("talk", "no_alternation", "conversation")]


def test_a_conversation_without_a_word_is_seen() -> None:
    assert findings(conversation()) == [("talk", "no_turns", "conversation")]


def test_exact_duplicates_within_a_condition_name_the_first() -> None:
    found = findings(
        conversation(*CLEAN, key="b"), conversation(*CLEAN, key="a"), conversation(*CLEAN, key="c", condition="concat")
    )
    assert found == [
        ("a", "clean", "conversation"),
        ("b", "duplicate_of_a", "conversation"),
        ("c", "clean", "conversation"),
    ]


def test_forks_are_left_out() -> None:
    assert findings(conversation(*CLEAN), conversation(*CLEAN, key="fork", parent="x")) == [
        ("talk", "clean", "conversation")
    ]


def test_order_of_rows_does_not_matter_and_several_findings_are_several_rows() -> None:
    head, turns = conversation("Mail me: a.b@example.org or c.d@example.org.", " ", "Fine, thank you very much.")
    one = audit_rows([head], turns, {}, rules=RULES, unit="u")
    assert one == audit_rows([head], turns[::-1], {}, rules=RULES, unit="u")
    assert [r.verdict for r in one] == ["contact_email", "contact_email", "empty_turn"]
