from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.models import Message
from personae.models._labels import LabelShares, label_messages, label_shares, pooled_logprobs
from personae.models._replies import TopToken

OPTIONS = ("never", "sometimes", "always")


def _top(**shares: float) -> list[TopToken]:
    return [TopToken(token, math.log(p)) for token, p in shares.items()]


def test_options_are_listed_in_rotation_before_the_question() -> None:
    chat = (Message("system", "You are Ada."), Message("user", "How often?"))
    first, second = (label_messages(chat, OPTIONS, r)[-1].content for r in (0, 1))
    assert first.endswith("A. never\nB. sometimes\nC. always\n\nHow often?\nLetter:")
    assert "A. sometimes\nB. always\nC. never\n" in second
    assert label_messages(chat, OPTIONS, 0)[0] == chat[0]
    assert label_messages(chat[:1], OPTIONS, 0)[-1].role == "user"


def test_as_many_options_as_letters() -> None:
    assert label_messages((), [str(k) for k in range(26)], 0)
    for count in (0, 27):
        with pytest.raises(InputError, match=f"{count} options"):
            label_messages((), [str(k) for k in range(count)], 0)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_letters_are_turned_back_into_options(weights: list[float], rotation: int) -> None:
    n = len(weights)
    rotation %= n
    p = np.array(weights) / sum(weights) * 0.9
    top = [TopToken(f" {chr(65 + place)}", math.log(p[(rotation + place) % n])) for place in range(n)]
    found = label_shares(top, n, rotation)
    assert found is not None
    assert found.shares == pytest.approx(tuple(p / p.sum()))
    assert found.floored == 0


def test_a_liking_for_a_letter_cancels_over_rotations() -> None:
    rotations = [label_shares(_top(A=0.6, B=0.2, C=0.1), 3, r) for r in range(3)]
    pooled = np.exp(pooled_logprobs([r for r in rotations if r is not None]))
    assert pooled == pytest.approx([1 / 3] * 3)


def test_spellings_of_a_letter_add_up_and_words_do_not_count() -> None:
    top = [TopToken("A", math.log(0.3)), TopToken(" A", math.log(0.2)), TopToken("B.", math.log(0.25)),
           TopToken("And", math.log(0.2)), TopToken("a", math.log(0.01))]  # fmt: skip
    found = label_shares(top, 2, 0)
    assert found == LabelShares(pytest.approx((2 / 3, 1 / 3)), 0)


def test_an_unseen_letter_gets_half_of_what_it_could_have_at_most() -> None:
    found = label_shares(_top(A=0.5, B=0.3, x=0.1), 3, 0)  # at most min(.1, 1 − .9)
    assert found is not None
    assert found.floored == 1
    assert found.shares == pytest.approx(tuple(np.array([0.5, 0.3, 0.05]) / 0.85))
    crowded = label_shares(_top(A=0.6, x=0.399), 2, 0)  # at most what is left: .001
    assert crowded is not None
    assert crowded.shares[1] == pytest.approx(0.0005 / 0.6005)


def test_no_letter_at_all_says_nothing() -> None:
    assert label_shares(_top(I=0.9, am=0.05), 3, 0) is None
