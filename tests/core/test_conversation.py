import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from personae.core import Conversation, InputError

LINES = st.lists(st.tuples(st.sampled_from(["A", "B"]), st.text(max_size=12)), max_size=8)


def log(lines, key="c"):
    out = Conversation(key=key, participants=("A", "B"))
    for speaker, text in lines:
        out = out.append("utterance", speaker, text)
    return out


@given(LINES, st.text(max_size=5))
@settings(max_examples=50, deadline=None)
def test_appending_never_changes_the_parent(lines, text):
    before = log(lines)
    digest, events = before.digest, before.events
    after = before.append("utterance", "A", text, to=("B",), meta={"k": 1})
    assert before.digest == digest
    assert before.events is events
    assert after.events[:-1] == events
    assert after.events[-1].index == len(events)
    assert after.digest != digest
    assert after.events[-1].to == ("B",)


@given(LINES, st.data())
@settings(max_examples=50, deadline=None)
def test_forks_share_the_past_and_leave_the_parent_alone(lines, data):
    parent = log(lines)
    digest = parent.digest
    at = data.draw(st.integers(0, len(lines)))
    fork = parent.fork(at)
    assert fork.events == parent.events[:at]
    assert fork.parent == digest
    fork.append("utterance", "A", "something else")
    assert parent.digest == digest
    assert parent.fork().events == parent.events


@given(LINES)
@settings(max_examples=30, deadline=None)
def test_the_digest_is_a_function_of_content(lines):
    assert log(lines).digest == log(lines).digest
    assert log(lines).id == log(lines).id
    assert log(lines, "other").digest != log(lines).digest
    assert Conversation.model_validate_json(log(lines).model_dump_json()) == log(lines)


@pytest.mark.parametrize("at", [-1, 3])
def test_a_fork_beyond_the_log_is_an_error(at):
    with pytest.raises(InputError, match="2 events"):
        log([("A", "x"), ("B", "y")]).fork(at)


def test_utterances_and_speakers():
    talk = log([("A", "hi"), ("B", "hello")]).append("note", "stage", "it rains").append("utterance", "A", "bye")
    assert [e.text for e in talk.utterances] == ["hi", "hello", "bye"]
    assert [e.text for e in talk.said_by("A")] == ["hi", "bye"]


def test_a_log_with_gaps_is_refused():
    event = {"index": 1, "kind": "utterance", "speaker": "A", "text": "x"}
    with pytest.raises(ValidationError, match="numbered 0, 1, 2"):
        Conversation(key="c", participants=("A",), events=(event,))
    with pytest.raises(ValidationError, match="kind"):
        log([]).append("shout", "A", "x")


def test_golden_digest():
    assert log([("A", "hi"), ("B", "hello")]).id == "c-5de9d2cc9c0f63cf"
