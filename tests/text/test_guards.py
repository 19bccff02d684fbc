import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import DegenerateReason, StuckReason, is_degenerate, is_stuck, near_identical, trailing_loop

ANY_TEXT = st.text(alphabet=st.characters(), max_size=120)

LIVELY = ["How are the bees?", "Restless, a storm is near.", "Will you close the hives?", "Before dark, yes."]
LOOP = "I am sorry, I do not understand what you mean."


def test_reasons():
    assert is_stuck(LIVELY) is None
    assert is_stuck([*LIVELY, LOOP, LOOP + "!", LOOP.lower()]) is StuckReason.REPEATED
    assert is_stuck([*LIVELY, "After you.", "No, after you, please!", "After you.", "No, after you, please!"]) is (
        StuckReason.ALTERNATING
    )
    assert is_stuck([LOOP, "Try again.", LOOP, "Let us say it in another way.", LOOP]) is StuckReason.SPEAKER_LOOP
    assert is_stuck([LOOP, LOOP]) is None
    assert is_stuck([LOOP, LOOP], repeats=2) is StuckReason.REPEATED
    assert is_stuck([]) is None


@given(st.lists(ANY_TEXT, max_size=6), ANY_TEXT)
@settings(max_examples=80, deadline=None)
def test_three_equal_turns_are_always_stuck_whatever_came_before(history, turn):
    assert is_stuck([*history, turn, turn, turn]) is StuckReason.REPEATED


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_near_identity_is_symmetric_and_reflexive(a, b):
    assert near_identical(a, b) == near_identical(b, a)
    assert near_identical(a, a)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", DegenerateReason.EMPTY),
        (" \n\t", DegenerateReason.EMPTY),
        ("... !!! 42", DegenerateReason.NO_LETTERS),
        ("🥐🥐", DegenerateReason.NO_LETTERS),
        ("no no no, no", DegenerateReason.ONE_TOKEN),
        ("I like tea.\nI like tea.\nI like tea.\nIndeed.", DegenerateReason.LINE_LOOP),
        ("Well, " + "and then I go home " * 6, DegenerateReason.PHRASE_LOOP),
        ("Nooo" + "o" * 40, DegenerateReason.CHARACTER_RUN),
        ("Yes.", None),
        ("No, no, no!", None),
        ("Go home. Go home. Then we can talk about the rest of it.", None),
        ("Wait...................................... what", None),
        ("Ana says hi.\nBo says hi.\nCy says hi.", None),
        ("你好，我是老师。", None),
    ],
)
def test_degenerate(text, reason):
    assert is_degenerate(text) is reason


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_degenerate_never_fails_and_a_tenfold_text_is_always_degenerate(text):
    is_degenerate(text)
    assert is_degenerate((text + "\n") * 10) is not None


def test_trailing_loop_counts_tokens():
    assert trailing_loop(["x", "a", "b", "a", "b", "a", "b", "a", "b"]) == 8
    assert trailing_loop(["a", "b", "a", "b", "a", "b"]) == 0
    assert trailing_loop(["a"] * 5) == 5
    assert trailing_loop([]) == 0


def test_bad_arguments_are_refused():
    for call in (
        lambda: is_stuck(["a"], repeats=1),
        lambda: is_stuck(["a"], threshold=0),
        lambda: trailing_loop([], 0),
    ):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("piece", ["a", "ab ", "x\n", "one two three four five ", "."])
def test_long_texts_are_quick(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    is_degenerate(text)
    is_stuck([text, text + "b", text])
    assert time.process_time() - start < 1.0
