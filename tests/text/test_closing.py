import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, SchemaError
from personae.text import CueKind, closing_cue, evaluate_closing_cues, load_closing_cues

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)


def test_labelled_set_is_large_balanced_and_split():
    items = load_closing_cues()
    assert len(items) >= 120
    for split in ("dev", "test"):
        labels = [item.closing for item in items if item.split == split]
        assert 0.4 <= sum(labels) / len(labels) <= 0.6
    assert len({item.text for item in items}) == len(items)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_precision_and_recall(split):
    result = evaluate_closing_cues(split)
    assert result.n == 80
    assert result.precision is not None
    assert result.recall is not None
    assert result.precision >= 0.90
    assert result.recall >= 0.85
    assert len(result.wrong) == result.false_positives + result.false_negatives


@pytest.mark.parametrize(
    ("text", "kind", "cue"),
    [
        ("Thanks, that solved it. Bye!", CueKind.FAREWELL, "Bye!"),
        ("Well, I have to go. See you on Friday.", CueKind.FAREWELL, "See you on Friday."),
        ("I’m all set, thank you.", CueKind.THANKS_RESOLVED, "thank you"),
        ("Enjoy your weekend, Ana!", CueKind.WELL_WISH, "Enjoy your weekend"),
    ],
)
def test_kind_and_place(text, kind, cue):
    found = closing_cue(text)
    assert found is not None
    assert (found.kind, found.text) == (kind, cue)
    assert text[found.start : found.end] == cue


@pytest.mark.parametrize(
    "text",
    [
        "She said goodbye to her brother.",
        'He wrote "bye" and left.',
        "Bye, whispered the wind, and the door closed. The house was empty again.",
        "Thank you so much! What should I do next?",
        "Goodbye! Wait, do you have one more minute?",
        "Thanks for your help, but it still does not work.",
        "We say bye to them every morning at the school gate.",
        "",
    ],
)
def test_silent_inside_stories_and_before_questions(text):
    assert closing_cue(text) is None


def test_a_returned_wish_needs_a_wish():
    assert closing_cue("You too!") is not None
    assert closing_cue("You too!", "Have a great day!") is not None
    assert closing_cue("You too!", "Nice to meet you.") is None
    assert closing_cue("You too, bye!", "Nice to meet you.") is not None


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_never_fails_and_points_into_the_text(text):
    for turn in (text, f"{text} Bye!", f"{text}\nThank you, that's all."):
        found = closing_cue(turn)
        assert found is None or turn[found.start : found.end] == found.text


@given(ANY_TEXT)
@settings(max_examples=80, deadline=None)
def test_a_question_after_the_cue_keeps_it_open(text):
    assert closing_cue(f"{text}\nGoodbye!\nWhat did you mean by that?") is None


@pytest.mark.parametrize(
    "piece", ["bye ", "Bye. ", "bye, and ", "have a a ", "I have to go to a. ", "'", "\"'", "Goodbye my " * 3]
)
def test_hundred_thousand_characters_are_quick(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    closing_cue(text)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("gap", ["", ". "])
def test_near_misses_do_not_backtrack_for_long(gap):
    for word in ("now ", "so ", "my friend ", "A ", "until then ", "and ", "have to "):
        start = time.process_time()
        closing_cue(("goodbye " + word * 45)[:395] + "~" + gap)
        closing_cue((word * 90)[:395] + "~" + gap)
        assert time.process_time() - start < 0.5


def test_own_sets_are_read_and_bad_ones_refused(tmp_path):
    path = tmp_path / "own.yaml"
    item = "{id: a, split: test, closing: true, group: x, previous: '', text: 'Bye!'}"
    path.write_text(f"schema_version: 1\nlicense: CC0\nitems: [{item}]\n", encoding="utf-8")
    result = evaluate_closing_cues("test", load_closing_cues(path))
    assert (result.true_positives, result.n) == (1, 1)
    assert evaluate_closing_cues("dev", load_closing_cues(path)).recall is None
    path.write_text(f"schema_version: 1\nlicense: CC0\nitems: [{item}, {item}]\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="same id"):
        load_closing_cues(path)
    path.write_text("schema_version: 9\nitems: [1]\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="labelled set"):
        load_closing_cues(path)
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(SchemaError):
        load_closing_cues(path)
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(InputError):
        load_closing_cues(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_closing_cues(tmp_path / "missing.yaml")
