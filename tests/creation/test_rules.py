"""The rule language: one meaning for one person, for columns and for categories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from personae.core import Names, Persona, Provenance, RecipeError, Social
from personae.creation import Match, Rule, check_fields, check_persona
from personae.creation._rules import expand_groups

PENSION = Rule.model_validate(
    {
        "code": "teen_pension",
        "when": {"age": {"max": 17}},
        "forbid": {"topic": ["pension", "will"]},
        "hint": "too young",
    }
)
RETIRED = Rule.model_validate({"code": "retired_age", "when": {"job": "retired"}, "require": {"age": {"min": 55}}})


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"age": 15, "topic": "pension"}, True),
        ({"age": 17, "topic": "will"}, True),
        ({"age": 18, "topic": "pension"}, False),
        ({"age": 15, "topic": "school"}, False),
        ({"age": None, "topic": "pension"}, False),
        ({"topic": "pension"}, False),
    ],
)
def test_forbid(fields: dict[str, object], broken: bool) -> None:
    assert PENSION.violated(fields) is broken


def test_require_is_broken_when_the_match_fails() -> None:
    assert RETIRED.violated({"job": "retired", "age": 40})
    assert not RETIRED.violated({"job": "retired", "age": 60})
    assert not RETIRED.violated({"job": "baker", "age": 40})


def test_all_of_forbid_must_hold_and_all_of_require() -> None:
    both = Rule.model_validate({"code": "x", "forbid": {"a": "1", "b": "1"}})
    assert both.violated({"a": "1", "b": "1"})
    assert not both.violated({"a": "1", "b": "2"})
    need = Rule.model_validate({"code": "x", "when": {"a": "1"}, "require": {"b": "1", "c": "1"}})
    assert need.violated({"a": "1", "b": "1", "c": "2"})


def test_match_forms() -> None:
    assert Match.model_validate("a").holds("a")
    assert Match.model_validate(["a", "b"]).holds("b")
    assert not Match.model_validate({"not": ["a"]}).holds("a")
    assert Match.model_validate({"not": ["a"]}).holds("c")
    assert Match.model_validate({"min": 3, "max": 5}).holds(4)
    assert Match.model_validate({"min": 3}).holds("4")
    assert not Match.model_validate({"min": 3}).holds("old")
    assert Match.model_validate(["a"]).holds(("x", "a"))
    assert not Match.model_validate({"not": ["a"]}).holds(None)
    assert Match.model_validate(Match.model_validate({"not": ["a"]}).model_dump()) == Match.model_validate(
        {"not": ["a"]}
    )


@pytest.mark.parametrize("body", [{}, {"min": 5, "max": 2}, {"size": 3}])
def test_match_refuses_what_says_nothing(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Match.model_validate(body)


@pytest.mark.parametrize("body", [{"code": "x"}, {"code": "x", "forbid": {"a": "1"}, "require": {"b": "1"}}])
def test_rule_needs_one_verdict(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either forbid or require"):
        Rule.model_validate(body)


@given(
    st.lists(st.tuples(st.integers(10, 80), st.sampled_from(["pension", "will", "school"])), min_size=1, max_size=30)
)
@settings(max_examples=30, deadline=None)
def test_mask_is_violated_for_every_row(rows: list[tuple[int, str]]) -> None:
    columns = {"age": np.array([a for a, _ in rows]), "topic": np.array([t for _, t in rows])}
    expected = [PENSION.violated({"age": a, "topic": t}) for a, t in rows]
    assert PENSION.mask(columns).tolist() == expected


def test_check_fields_says_what_it_saw() -> None:
    (found,) = check_fields([PENSION, RETIRED], {"age": 12, "topic": "will", "job": "pupil"})
    assert (found.code, found.severity) == ("teen_pension", "error")
    assert str(found) == "teen_pension: age 12, topic 'will' (too young)"


def test_check_persona_reads_paths_and_the_cell() -> None:
    person = Persona(
        names=Names(full="A B"),
        social=Social(age=12, occupation="retired"),
        provenance=Provenance(cell={"topic": "will"}),
    )
    rules = [
        PENSION,
        Rule.model_validate(
            {"code": "y", "when": {"social.age": {"max": 20}}, "forbid": {"social.occupation": "retired"}}
        ),
    ]
    assert [v.code for v in check_persona(rules, person, {"age": "social.age"})] == ["teen_pension", "y"]


def test_groups_expand_and_unknown_groups_are_named() -> None:
    raw = [{"code": "a", "when": {"x": "@g"}, "forbid": {"y": ["1", "@g"], "z": {"not": ["@g"]}}}]
    (rule,) = expand_groups(raw, {"g": ["p", "q"]}, "rules")
    assert rule["when"]["x"] == ["p", "q"]
    assert rule["forbid"] == {"y": ["1", "p", "q"], "z": {"not": ["p", "q"]}}
    with pytest.raises(RecipeError, match="@h"):
        expand_groups([{"code": "a", "forbid": {"y": "@h"}}], {"g": []}, "rules")
