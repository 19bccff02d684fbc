import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import canonical_json, content_id, sha256_hex
from personae.core._ids import ID_LENGTH

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_golden_ids():
    # These ids are in files that people keep: a change here breaks them.
    assert canonical_json({"b": [1, 2.0, None], "a": "é"}) == '{"a":"é","b":[1,2.0,null]}'
    assert sha256_hex({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert content_id("p", {"a": 1}) == "p-015abd7f5cc57a2d"


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
@settings(max_examples=60, deadline=None)
def test_key_order_never_counts(value):
    turned = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(turned)
    assert content_id("x", value) == content_id("x", turned)
    assert len(content_id("x", value)) == ID_LENGTH + 2


def test_sets_have_one_spelling_and_tuples_are_lists():
    assert canonical_json({"b", "a"}) == '["a","b"]'
    assert canonical_json((1, 2)) == canonical_json([1, 2])


def test_whole_numbers_and_floats_differ():
    assert canonical_json(1) != canonical_json(1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"deep": [math.nan]}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ValueError, match="NaN"):
        canonical_json(value)


def test_what_json_cannot_say_is_refused():
    with pytest.raises(TypeError):
        canonical_json({"x": object()})


def test_lone_surrogates_have_an_id():
    assert len(sha256_hex("\ud800")) == 64
