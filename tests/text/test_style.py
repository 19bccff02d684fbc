import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from personae.core import InputError
from personae.text import STYLE_FEATURES, cosine, standardise, style_vector

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)
VECTORS = arrays(np.float64, 6, elements=st.floats(-1e300, 1e300, allow_nan=False))


def named(text):
    return dict(zip(STYLE_FEATURES, style_vector(text), strict=True))


def test_features_of_a_small_text():
    found = named("I don't know. Do you? WOW, that is 7 times better!")
    assert found["sentence_length"] == pytest.approx(11 / 3)
    assert found["questions"] == pytest.approx(1 / 3)
    assert found["exclamations"] == pytest.approx(1 / 3)
    assert found["contractions"] == pytest.approx(1 / 11)
    assert found["capitalised_words"] == pytest.approx(1 / 11)
    assert found["numbers"] == pytest.approx(1 / 11)
    assert found["negations"] == pytest.approx(1 / 11)
    assert found["first_singular"] == pytest.approx(1 / 11)
    assert found["second_person"] == pytest.approx(1 / 11)
    assert found["commas"] == pytest.approx(1 / 11)
    assert found["full_stops"] == pytest.approx(1 / 11)
    assert len(set(STYLE_FEATURES)) == len(STYLE_FEATURES)


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_vectors_are_finite_and_not_negative_or_wholly_missing(text):
    vector = style_vector(text)
    assert vector.shape == (len(STYLE_FEATURES),)
    assert np.isnan(vector).all() or (np.isfinite(vector).all() and (vector >= 0).all())


def test_repeating_a_text_keeps_its_rates():
    text = "I never said that, did I? Well, maybe so!\n"
    once, thrice = style_vector(text), style_vector(text * 3)
    apart = [name for name, a, b in zip(STYLE_FEATURES, once, thrice, strict=True) if not math.isclose(a, b)]
    assert apart == ["type_token"]


def test_style_tells_two_writers_apart():
    loud = ["Wow! You really must see it! So good!", "Oh my! You are so very kind! Really!", "Yes! Go! You can do it!"]
    dry = [
        "The committee examined the proposal with considerable attention, although certain reservations remained.",
        "In the municipality of the northern district, the administration published the regulations.",
        "The documentation of the procedure, as described in the appendix, is complete.",
    ]
    table = standardise([style_vector(text) for text in loud + dry])
    within = [cosine(table[i], table[j]) for i, j in ((0, 1), (0, 2), (3, 4), (3, 5))]
    across = [cosine(table[i], table[j]) for i in range(3) for j in range(3, 6)]
    assert min(within) > max(across)


@given(VECTORS, VECTORS, st.floats(0.01, 100))
@settings(max_examples=100, deadline=None)
def test_cosine_laws(a, b, factor):
    value = cosine(a, b)
    if not a.any() or not b.any():
        assert math.isnan(value)
        return
    assert -1 <= value <= 1
    assert value == cosine(b, a)
    assert cosine(a, a) == pytest.approx(1)
    assert cosine(a, -a) == pytest.approx(-1)
    assert cosine(a / 1e10 * factor, b) == pytest.approx(value, abs=1e-9) or not (a / 1e10 * factor).any()


def test_cosine_of_unusable_vectors():
    assert math.isnan(cosine([1.0, math.nan], [1.0, 1.0]))
    assert math.isnan(cosine([math.inf, 1.0], [1.0, 1.0]))
    assert cosine([1, 0], [0, 1]) == 0
    with pytest.raises(InputError):
        cosine([1.0], [1.0, 2.0])


def test_standardise():
    table = standardise([[1.0, 5.0, math.nan], [3.0, 5.0, 2.0], [math.nan, 5.0, 4.0]])
    assert table[:2, 0].tolist() == [-1, 1]
    assert table[:, 1].tolist() == [0, 0, 0]
    assert np.isnan(table[[2, 0], [0, 2]]).all()
    with pytest.raises(InputError):
        standardise([1.0, 2.0])


def test_long_texts_are_quick():
    for piece in ("word, ", ".", "don't! ", "é "):
        text = piece * (100_000 // len(piece))
        start = time.process_time()
        style_vector(text)
        assert time.process_time() - start < 1.0
