import math
import time
from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import (
    Missing,
    compression_ratio,
    copy_share,
    directional_copy,
    distinct_n,
    is_echo,
    jaccard,
    longest_common_substring,
    longest_common_substring_ratio,
    normalise,
    self_repetition,
    type_token,
    words,
)

ANY_TEXT = st.text(alphabet=st.characters(), max_size=120)
SMALL = st.text(alphabet="ab c", max_size=60)

CLIENT = [
    "My landlord keeps the deposit and I do not know what to write to him",
    "The contract ran out in March and the flat was clean when I left it",
    "He says the kitchen wall needs paint but I have pictures from that day",
]
RESPONDER = [
    "A short letter with a clear date usually moves such people quite fast",
    "Put the handover protocol next to your claim and mention both by number",
    "Photographs with visible dates are strong evidence before a small court",
]


def turns_of(log):
    return [
        (i, turn, log[i - 1], [t for j, t in enumerate(log) if j not in (i - 1, i)]) for i, turn in enumerate(log) if i
    ]


def mean_echo(log, controls):
    return float(np.mean([float(directional_copy(t, p, controls)) for _, t, p, _ in turns_of(log)]))


def test_everyone_in_own_words_is_zero_echo_and_a_mirror_is_one():
    own = [turn for pair in zip(CLIENT, RESPONDER, strict=True) for turn in pair]
    controls = ["An entirely different talk about sailing boats on a windy lake", "Bread needs time and a hot oven"]
    assert mean_echo(own, controls) == 0.0
    mirror = [turn for turn in CLIENT for _ in range(2)]
    replies = [float(directional_copy(mirror[i], mirror[i - 1], controls)) for i in range(1, len(mirror), 2)]
    assert replies == [1.0, 1.0, 1.0]


def test_half_mirror_lies_in_between():
    def half(turn, own):
        copied, fresh = words(turn), words(own)
        return " ".join(copied[: len(copied) // 2] + fresh[len(fresh) // 2 :])

    values = [
        float(directional_copy(half(c, r), c, ["nothing in common with either of them"]))
        for c, r in zip(CLIENT, RESPONDER, strict=True)
    ]
    assert all(0.2 < value < 0.6 for value in values)


def test_common_phrases_are_taken_off_by_the_controls():
    phrase = "thank you very much for all that you do for us"
    assert copy_share(phrase, phrase).value == 1.0
    assert directional_copy(phrase, phrase, [phrase]).value == 0.0
    assert directional_copy(phrase, "something else was said here", [phrase]).value == -1.0


def test_missing_values_carry_their_reason():
    assert copy_share("only three words", "only three words").reason is Missing.TOO_SHORT
    assert copy_share("one two three four", "short").value == 0.0
    assert directional_copy("one two three four", "one two three four", []).reason is Missing.NO_CONTROL
    assert longest_common_substring_ratio(" ", "a").reason is Missing.EMPTY
    assert type_token([]).reason is Missing.EMPTY
    assert distinct_n(["a"], 2).reason is Missing.TOO_SHORT
    assert compression_ratio("").reason is Missing.EMPTY
    assert math.isnan(float(copy_share("a", "b")))


def test_copy_share_counts_each_occurrence():
    score = copy_share("so you sell old boats there", "you sell old boats", n=3)
    assert (score.value, score.n) == (0.5, 4)


@given(ANY_TEXT, ANY_TEXT, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_shares_are_bounded_and_full_on_themselves(a, b, n):
    score = copy_share(a, b, n)
    assert (score.value is None) == (len(words(a)) < n)
    if score.value is not None:
        assert 0 <= score.value <= 1
        assert copy_share(a, a, n).value == 1.0
        value = directional_copy(a, b, [a, b], n).value
        assert value is not None
        assert -1 <= value <= 1


def brute_force(a, b):
    return max((j - i for i in range(len(a)) for j in range(i + 1, len(a) + 1) if a[i:j] in b), default=0)


@given(SMALL, SMALL)
@settings(max_examples=120, deadline=None)
def test_longest_common_substring_is_exact(a, b):
    found = longest_common_substring(a, b)
    left, right = normalise(a), normalise(b)
    assert len(found) == brute_force(left, right)
    assert found in left
    assert found in right
    match = SequenceMatcher(None, left, right, autojunk=False).find_longest_match()
    assert match.size == len(found)
    if found:
        assert left.index(found) == min(i for i in range(len(left)) if left[i : i + len(found)] in right)


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_substring_ratio_laws(a, b):
    for of in ("shorter", "longer"):
        assert longest_common_substring_ratio(a, b, of=of) == longest_common_substring_ratio(b, a, of=of)
    for of in ("shorter", "first", "longer"):
        value = longest_common_substring_ratio(a, b, of=of).value
        assert value is None or 0 <= value <= 1
        if normalise(a):
            assert longest_common_substring_ratio(a, a, of=of).value == 1.0
    assert is_echo(a, b) == is_echo(b, a)


def test_echo_event_needs_a_long_and_large_common_stretch():
    turn = "My landlord keeps the deposit and does not answer."
    assert is_echo("You say: my landlord keeps the deposit and does not answer. That is bad.", turn)
    assert not is_echo("Thank you very much!", "Thank you very much!")
    assert not is_echo("Has your landlord given any reason for keeping it?", turn)


@given(
    st.text("ab c", max_size=50),
    st.tuples(*[st.text("ab c", max_size=20)] * 4),
    st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    st.integers(0, 30),
)
@settings(max_examples=150, deadline=None)
def test_an_echo_is_a_long_common_stretch(
    core: str, around: tuple[str, str, str, str], ratio: float, minimum: int
) -> None:
    a, b = around[0] + core + around[1], around[2] + core + around[3]
    share = longest_common_substring_ratio(a, b)
    length = len(longest_common_substring(a, b))
    expected = share.value is not None and length >= minimum and length > ratio * share.n
    assert is_echo(a, b, ratio=ratio, min_chars=minimum) == expected
    assert longest_common_substring_ratio("abcdef", "abcxyz").value == 0.5


def test_self_repetition_looks_back_only():
    turns = ["I keep bees on the roof", "and I keep bees on the roof", "no", "I keep bees on the roof"]
    scores = self_repetition(turns)
    assert scores[0].reason is Missing.NO_SOURCE
    assert scores[1].value == 0.75
    assert scores[2].reason is Missing.TOO_SHORT
    assert scores[3].value == 1.0
    assert [s.value for s in self_repetition(CLIENT)[1:]] == [0.0, 0.0]


@given(st.lists(ANY_TEXT, max_size=6))
@settings(max_examples=80, deadline=None)
def test_self_repetition_of_a_prefix_does_not_change(turns):
    whole = self_repetition(turns, 2)
    assert len(whole) == len(turns)
    for cut in range(len(turns)):
        assert self_repetition(turns[:cut], 2) == whole[:cut]


def test_diversity_measures():
    assert distinct_n(["a b a b"], 2).value == pytest.approx(2 / 3)
    assert type_token(["a", "b", "a", "a"]).value == 0.5
    loose, tight = compression_ratio("abc " * 500), compression_ratio("".join(map(chr, range(500, 2500))))
    assert float(loose) > 20 > 2 > float(tight)


@given(ANY_TEXT, ANY_TEXT, st.sampled_from(["char", "word"]))
@settings(max_examples=100, deadline=None)
def test_jaccard_laws(a, b, unit):
    assert jaccard(a, b, 2, unit=unit) == jaccard(b, a, 2, unit=unit)
    value = jaccard(a, a, 2, unit=unit).value
    assert value in (None, 1.0)
    other = jaccard(a, b, 2, unit=unit).value
    assert other is None or 0 <= other <= 1


def test_sizes_below_one_are_refused():
    for call in (lambda: copy_share("a", "b", 0), lambda: self_repetition(["a"], 0), lambda: distinct_n([], 0)):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("text", ["word soup " * 10_000, "a" * 100_000])
def test_long_texts_are_quick(text):
    other = text[:-1] + "\U0001f600"
    start = time.process_time()
    copy_share(text, other)
    self_repetition([text, other])
    compression_ratio(text)
    distinct_n([text])
    assert time.process_time() - start < 2.0
    start = time.process_time()
    assert longest_common_substring_ratio(text, other).value == pytest.approx(1.0, abs=1e-3)
    assert time.process_time() - start < 3.0
