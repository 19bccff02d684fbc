"""Rule packs: one meaning for one person, for a mapping of fields and for columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from personae.core import RecipeError, UnknownKeyError
from personae.creation import Compare, Match, Reading, Recipe, Rule, RulePack, load_pack, load_recipe, pack_names
from personae.creation._columns import Column
from personae.creation._compare import date_range
from personae.creation._patterns import safe_pattern

LEVELS = ("low", "fairly low", "middle", "upper-middle", "fairly high", "high")


def objects(column: list[object]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array([*column, None], dtype=object)[:-1]


def pack(**body: object) -> RulePack:
    return RulePack.of({"name": "p", "domain": "d", "fields": {"a": "social.age", "b": "attributes.b"}, **body})


@pytest.mark.parametrize(
    ("match", "value", "holds"),
    [
        ({"scale": LEVELS, "at_most": "middle"}, "middle", True),
        ({"scale": LEVELS, "at_most": "middle"}, "upper-middle", False),
        ({"scale": LEVELS, "at_least": "upper-middle"}, "high", True),
        ({"scale": LEVELS, "at_least": "low"}, "splendid", False),
        ({"any_of": ["middle"]}, "It is upper-middle.", False),
        ({"any_of": ["middle"]}, "In the MIDDLE.", True),
        ({"any_of": ["upper-middle"]}, "upper middle", True),
        ({"any_of": ["high"]}, "highly", False),
        ({"none_of": ["high"]}, "a highway", True),
        ({"pattern": "a{1,3}b"}, "xaab", True),
        ({"one_paragraph": True}, "one\ntwo", False),
        ({"one_paragraph": True}, "one two\n", True),
        ({"min_chars": 3}, " ab ", False),
        ({"max_chars": 3}, "abc", True),
        ({"min_items": 2}, ["a"], False),
        ({"min_items": 1, "values": ["a"]}, ["b", "a"], True),
        ({"values": ["a"], "every": True}, ["b", "a"], False),
        ({"max_items": 0}, [], True),
        ({"min_items": 1}, "a", False),
    ],
)
def test_what_a_value_has_to_be(match: object, value: object, holds: bool) -> None:
    assert Match.model_validate(match).holds(value) is holds


@pytest.mark.parametrize(
    "match",
    [
        {"at_least": "x"},
        {"scale": ["a", "b"]},
        {"scale": ["a"], "at_least": "b"},
        {"pattern": "(a+)+"},
        {"every": True},
    ],
)
def test_a_match_that_says_nothing_is_refused(match: object) -> None:
    with pytest.raises(ValidationError):
        Match.model_validate(match)


@pytest.mark.parametrize(
    "pattern",
    ["(a|aa){1,40}$", "a+", ".*", "(a{1,9}){1,9}(b|c)", "(x)\\1", "a" * 2000, "(", "(?:a?){40}" + "a" * 40],
)
def test_a_pattern_that_may_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|expression|repeats|ways|refers"):
        safe_pattern(pattern)


@pytest.mark.parametrize(
    ("compare", "left", "right", "holds", "fails"),
    [
        ({"op": "<="}, 3, 4, True, False),
        ({"op": "<="}, 5, 4, False, True),
        ({"op": "<=", "offset": 1}, 5, 4, True, False),
        ({"op": "<=", "tolerance": 1}, 5, 4, True, False),
        ({"op": ">", "tolerance": 0}, 5, 5, False, True),
        ({"op": "=="}, "x", 4, False, False),
        ({"op": "==", "table": {"1": [6, 7]}, "tolerance": 1}, 8, "1", False, False),
        ({"op": "==", "table": {"1": [6, 7]}, "tolerance": 1}, 9, "1", False, True),
        ({"op": "==", "table": {"1": [6, 7]}}, 9, "2", False, False),
        ({"op": "<=", "kind": "date"}, "2001-05-03", "2001", False, False),
        ({"op": "<=", "kind": "date"}, "2002-05", "2001", False, True),
        ({"op": "<=", "kind": "date"}, "2001-02-30", "2001", False, False),
        ({"op": "==", "kind": "word"}, "Ada ", "ada", True, False),
        ({"op": "!=", "kind": "word"}, "Ada", "ada", False, True),
        ({"op": "<="}, [1, 9], 4, False, True),
    ],
)
def test_comparisons(compare: dict[str, object], left: object, right: object, holds: bool, fails: bool) -> None:
    made = Compare.model_validate({"left": "l", "right": "r", **compare})
    assert (made.holds(left, right), made.fails(left, right)) == (holds, fails)


def test_a_date_is_as_exact_as_it_is_written() -> None:
    low, high = date_range("2000") or (0, 0)
    assert high - low == 365
    assert date_range("99999") is None
    assert date_range("next week") is None


RULES = [
    {"code": "forbid", "when": {"a": {"max": 3}}, "forbid": {"w": ["x"]}},
    {"code": "require", "when": {"w": ["x", "y"]}, "require": {"a": {"min": 2}}},
    {"code": "compare", "compare": {"left": "a", "op": "<=", "right": "c", "offset": 1}},
    {"code": "when_compare", "when_compare": {"left": "a", "op": "<", "value": 3}, "require": {"w": "x"}},
    {"code": "count", "count": {"fields": ["w", "v", "u"], "match": {"values": ["x"]}, "at_least": 1, "at_most": 2}},
    {"code": "when_count", "when_count": {"fields": ["w", "v"], "match": "x", "at_least": 2}, "require": {"u": "x"}},
    {"code": "disjoint", "disjoint": ["l", "m"]},
    {"code": "distinct", "distinct": {"fields": ["w", "v", "u"], "at_least": 2}},
    {"code": "present", "when": {"a": {"min": 1}}, "present": ["w", "l"]},
    {"code": "items", "require": {"l": {"min_items": 2}}},
    {"code": "every", "require": {"l": {"values": ["x", "y"], "every": True}}},
]
NUMBER = st.none() | st.integers(0, 5)
WORD = st.none() | st.sampled_from(["x", "y", "", "X"])
LIST = st.none() | st.lists(st.sampled_from(["x", "y", "z"]), max_size=3)
ROW = st.fixed_dictionaries({"a": NUMBER, "c": NUMBER, "w": WORD, "v": WORD, "u": WORD, "l": LIST, "m": LIST})


@given(st.lists(ROW, min_size=1, max_size=25), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_mask_is_the_verdict_on_every_row(rows: list[dict[str, object]], arrow: bool) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    given = {n: pa.array(c, type=_TYPES[n]) if arrow else objects(c) for n, c in columns.items()}
    for body in RULES:
        rule = Rule.model_validate(body)
        assert rule.mask(given).tolist() == [rule.violated(row) for row in rows], rule.code


_TYPES = {n: pa.int64() for n in "ac"} | {n: pa.string() for n in "wvu"} | {n: pa.list_(pa.string()) for n in "lm"}


def test_each_rule_of_the_property_can_be_broken_and_kept() -> None:
    good = {"a": 4, "c": 4, "w": "x", "v": "y", "u": "x", "l": ["x", "y"], "m": ["z"]}
    bad = {
        "forbid": {"a": 1}, "require": {"a": 1}, "compare": {"c": 1}, "when_compare": {"a": 1, "w": "y"},
        "count": {"v": "x"}, "when_count": {"v": "x", "u": "y"}, "disjoint": {"m": ["X"]},
        "distinct": {"v": "x"}, "present": {"l": []}, "items": {"l": ["x"]}, "every": {"l": ["z", "x"]},
    }  # fmt: skip
    for body in RULES:
        rule = Rule.model_validate(body)
        assert not rule.violated(good), rule.code
        assert rule.violated({**good, **bad[rule.code]}), rule.code


def test_an_unknown_value_could_be_anything() -> None:
    rule = Rule.model_validate({"code": "c", "count": {"fields": ["w", "v"], "match": "x", "at_least": 2}})
    assert not rule.violated({"w": "x"})
    assert rule.violated({"w": "y"})


@pytest.mark.parametrize(
    "body",
    [
        {"code": "x", "compare": {"left": "a", "op": "<"}},
        {"code": "x", "compare": {"left": "a", "op": "<", "right": "b", "kind": "word"}},
        {"code": "x", "count": {"fields": ["a"], "match": "x"}},
        {"code": "x", "count": {"fields": ["a"], "match": "x", "at_least": 2}},
        {"code": "x", "present": ["a"], "forbid": {"b": "x"}},
        {"code": "x", "disjoint": ["a"]},
    ],
)
def test_rules_that_cannot_be_meant_are_refused(body: object) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(body)


def test_columns_of_any_kind_are_read_alike() -> None:
    lists = [["a", "b"], [], None, ["b", None]]
    expected = [("a", "b"), (), None, ("b", None)]
    for given_ in (pa.array(lists), pa.chunked_array([pa.array(lists)]), lists, objects(lists)):
        column = Column.of(given_)
        assert [column.values[c] if c >= 0 else None for c in column.codes.tolist()] == expected
    words = pa.array(["x", None, "x"])
    for given_ in (words, words.dictionary_encode(), ["x", None, "x"]):
        assert Column.of(given_).holds(Match.model_validate("x")).tolist() == [True, False, True]
    assert Column.of(np.array([1.0, np.nan])).known.tolist() == [True, False]


def test_readings() -> None:
    ages = Reading(path="relations", where={"kind": ("son", "daughter")}, take="note", read="numbers",
                   patterns=(r"\b(\d{1,3}) years old\b",))  # fmt: skip
    people = ({"kind": "son", "note": "4 years old"}, {"kind": "aunt", "note": "50 years old"}, {"kind": "daughter"})
    assert ages.of(people) == (4.0,)
    level = Reading(path="t", read="level", term=("family",), scale=LEVELS)
    assert level.of("Her family is loud. Family: upper middle, in short.") == "upper-middle"
    assert level.of("family of many people, and the school is of a high standard") is None
    said = Reading(path="t", read="said", term=("calm", "even-tempered"))
    assert said.of("Calm and even tempered, calm.") == ("calm", "even-tempered")
    assert said.of("none") == ()
    assert Reading(path="t", read="number").of("about $1,250.50 a year") == 1250.5


def test_several_factors() -> None:
    index = Compare(left="kg", op="==", right="bmi", times=("cm", "cm"), factor=0.0001, tolerance=1)
    assert index.fields == ("kg", "bmi", "cm", "cm")
    assert index.holds(70, 22.9, 175, 175)
    assert index.fails(70, 38, 175, 175)
    assert not index.holds(70, 22.9, 175, None)
    assert not index.fails(70, 22.9, 175, None)


def test_a_default_stands_in_for_a_missing_value_in_columns_too() -> None:
    one = pack(fields={"b": {"path": ["attributes.b"], "default": "plain"}, "a": "social.age"},
               rules=[{"code": "r", "when": {"b": "plain"}, "require": {"a": {"max": 9}}}])  # fmt: skip
    rows = {"social.age": [10, 10, 3], "attributes.b": [None, "odd", None]}
    assert one.masks(rows)["r"].tolist() == [True, False, False]
    assert [v.code for v in one.check({"a": 10})] == ["r"]


def test_a_pack_is_checked_when_it_is_read() -> None:
    with pytest.raises(UnknownKeyError, match="unknown field 'c'"):
        pack(rules=[{"code": "r", "forbid": {"c": "x"}}])
    with pytest.raises(UnknownKeyError, match="rulez"):
        pack(rulez=[])
    with pytest.raises(RecipeError, match="twice"):
        pack(rules=[{"code": "r", "forbid": {"a": "x"}}] * 2)
    with pytest.raises(RecipeError, match="@nobody"):
        pack(rules=[{"code": "r", "forbid": {"a": "@nobody"}}])
    with pytest.raises(RecipeError, match="repeats without an end"):
        pack(rules=[{"code": "r", "forbid": {"a": {"pattern": "(a+)+$"}}}])


def test_groups_vocabularies_owners_and_anchors() -> None:
    least_bad = {"fields": ["b"], "match": {"scale": "@level", "at_most": "bad"}, "at_least": 1}
    made = pack(
        vocab={"level": {"order": "best_first", "words": ["good", "bad"]}},
        owners={"me": ["b"]},
        anchors=[{"code": "k", "field": "a", "by": {"1": least_bad}}],
    )
    (rule,) = made.rules
    assert (rule.code, rule.owner) == ("k:1", "me")
    (found,) = made.check({"a": 1, "b": "good"})
    assert (found.code, found.owner, dict(found.fields)) == ("k:1", "me", {"a": 1, "b": "good"})
    assert made.check({"a": 1, "b": "bad"}) == made.check({"a": 2, "b": "good"}) == made.check({"a": 1}) == ()
    assert made.masks({"a": np.array([1, 1, 2]), "b": ["good", "bad", "good"]})["k:1"].tolist() == [True, False, False]


def test_a_recipe_refuses_what_categories_cannot_decide_and_takes_scales() -> None:
    body = load_recipe("us_adults").model_dump(mode="json", exclude_defaults=True)
    compare = {"code": "x", "compare": {"left": "education", "op": "==", "right": "employment", "kind": "word"}}
    with pytest.raises(RecipeError, match="uses compare, which categories cannot decide"):
        Recipe.of({**body, "rules": [compare]})
    with pytest.raises(RecipeError, match="min_chars"):
        Recipe.of({**body, "rules": [{"code": "x", "forbid": {"education": {"min_chars": 3}}}]})
    scale = {"scale": ["high school or less", "college", "graduate"], "at_least": "college"}
    rule = {"code": "x", "when": {"age_band": {"max": 24}}, "forbid": {"education": scale, "employment": "unemployed"}}
    fitted = Recipe.of({**body, "rules": [*body["rules"], rule]}).fitted
    names = fitted.names
    young = fitted.codes[:, names.index("age_band")] == 0
    schooled = fitted.codes[:, names.index("education")] > 0
    assert fitted.shares[young & schooled].sum() > 0
    assert not (young & schooled & (fitted.codes[:, names.index("employment")] == 1)).any()


def test_recipes_of_the_first_release_keep_their_hash() -> None:
    assert load_recipe("us_adults").hash == "r-010dbbed595fdb72"
    assert load_recipe("harbour_town").hash == "r-56705c6d1ba3833a"


def test_every_shipped_pack_loads() -> None:
    for name in pack_names():
        loaded = load_pack(name)
        assert loaded.source
        assert loaded.licence
        assert all(rule.hint for rule in loaded.rules), name
