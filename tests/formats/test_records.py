import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import SchemaError, VersionError
from personae.formats import (
    ConversationRecord,
    RecordTurn,
    export_run,
    from_chat,
    read_chat,
    read_conversations,
    read_people,
    record_rows,
    to_chat,
    training_records,
)
from personae.formats._lines import json_line, write_lines

texts = st.text(max_size=30)
fields = st.dictionaries(
    texts,
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.lists(texts, max_size=3),
    max_size=4,
)
turns = st.lists(st.tuples(st.sampled_from(["client", "tested"]), texts, st.none() | texts), max_size=6)


@st.composite
def records(draw: st.DrawFn) -> ConversationRecord:
    said = draw(turns)
    return ConversationRecord(
        persona_id=draw(texts),
        conversation_id=draw(texts),
        persona_fields=draw(fields),
        persona_description=draw(texts),
        turns=tuple(RecordTurn(speaker=s, turn_index=k, text=t, name=n) for k, (s, t, n) in enumerate(said)),
        termination_reason=draw(texts),
        synthetic=draw(st.booleans()),
        condition=draw(st.none() | texts),
        seed=draw(st.none() | st.integers(0, 2**60)),
    )


@settings(max_examples=80, deadline=None)
@given(records(), st.sampled_from(["client", "tested"]))
def test_any_conversation_survives_the_chat_shape(record: ConversationRecord, perspective) -> None:
    chat = to_chat(record, perspective)
    assert from_chat(chat) == record
    spoken = [m.role for m in chat.messages if m.role != "system"]
    assert spoken == ["assistant" if t.speaker == perspective else "user" for t in record.turns]
    assert any(m.role == "system" for m in chat.messages) == (
        perspective == "client" and record.persona_description != ""
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(records(), max_size=3))
def test_any_records_survive_a_file(tmp_path_factory: pytest.TempPathFactory, some: list[ConversationRecord]) -> None:
    path = tmp_path_factory.mktemp("lines") / "c.jsonl"
    assert write_lines(path, some) == len(some)
    assert list(read_conversations(path)) == some
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(some)


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(["client", "tested"]))
def test_training_pairs_never_show_the_answer_and_always_alternate(record: ConversationRecord, speaker) -> None:
    pairs = list(training_records(record, speaker))
    mine = [t for t in record.turns if t.speaker == speaker]
    assert [p.completion[0].content for p in pairs] == [t.text for t in mine][len(mine) - len(pairs) :]
    assert len(mine) - len(pairs) in {0, 1}
    for pair in pairs:
        roles = [m.role for m in pair.prompt]
        assert all(a != b for a, b in pairwise(roles))
        before = [t.text for t in record.turns[: pair.turn_index]]
        assert "\n\n".join(m.content for m in pair.prompt if m.role != "system") == "\n\n".join(before)


def test_records_become_evidence_again(evidence, tmp_path: Path) -> None:
    export_run(evidence, tmp_path, formats=("jsonl",), redact=False)
    for record in read_conversations(tmp_path / "conversations.jsonl"):
        rows = record_rows(record)
        original = [t for t in evidence.turns if t.conversation == record.conversation_id and t.kind == "utterance"]
        kept = ("conversation", "persona_id", "condition", "index", "kind", "speaker", "role", "text")
        assert [t.model_dump(include=set(kept)) for t in rows.turns] == [
            t.model_dump(include=set(kept)) for t in original
        ]
        assert rows.conversation.utterances == 4
        assert rows.conversation.seed == 7
        assert rows.conversation.end_reason == "closing cue"


def test_records_of_the_plain_published_shape_are_read(tmp_path: Path) -> None:
    plain = {
        "persona_id": "p", "conversation_id": "c", "persona_fields": {"age": 41}, "persona_description": "You are 41.",
        "turns": [{"speaker": "client", "turn_index": 0, "text": "Hi"}], "termination_reason": "resolved",
    }  # fmt: skip
    path = tmp_path / "c.jsonl"
    path.write_text("\n" + json.dumps(plain) + "\r\n\n", encoding="utf-8")
    (record,) = read_conversations(path)
    assert record.synthetic is True
    assert record_rows(record).turns[0].speaker == "client"


def test_bare_people_are_read(evidence, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join(row.body for row in evidence.personas), encoding="utf-8")
    assert [p.id for p in read_people(path)] == [row.persona_id for row in evidence.personas]


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'{"a": 1', SchemaError, "line 2: not JSON"),
        (b"[1]", SchemaError, "line 2: got list"),
        (b'"\xff"', SchemaError, r"line 2: not UTF-8 \(byte b'\\xff' at 1\)"),
        (b'{"schema_version": 2}', VersionError, "line 2: record of schema_version 2"),
        (b'{"persona_id": 3}', SchemaError, "line 2: .*problem"),
        (b"[" * 200_000, SchemaError, "line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, body: bytes, error, words: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n" + body + b"\n")
    for read in (read_conversations, read_chat):
        with pytest.raises(error, match=words):
            list(read(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="there is no such file"):
        list(read_people(tmp_path / "none.jsonl"))


def test_a_chat_whose_speakers_do_not_fit_is_refused() -> None:
    record = ConversationRecord(
        persona_id="p", conversation_id="c", persona_fields={}, persona_description="",
        turns=(RecordTurn(speaker="client", turn_index=0, text="a"),), termination_reason="x",
    )  # fmt: skip
    chat = to_chat(record, "client")
    wrong = chat.model_copy(update={"metadata": chat.metadata.model_copy(update={"speakers": ("tested",)})})
    with pytest.raises(SchemaError, match="1 messages do not fit the 1 speakers"):
        from_chat(wrong)


def test_no_character_breaks_a_line() -> None:
    nasty = "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\u2029\ufeff"
    assert len(json_line(nasty).splitlines()) == 1
    assert json.loads(json_line(nasty)) == nasty
