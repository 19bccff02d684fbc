"""Schema sampling: every draw is judged, rejected draws are kept as evidence, person k never changes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, RecipeError, SlotRow, UnknownKeyError
from personae.creation import Schema, SchemaSampler, check_fields, load_schema

SPASM = load_schema("spasm_schema")

SMALL: dict[str, Any] = {
    "name": "small",
    "fields": {
        "age": {"range": [10, 29], "path": "social.age"},
        "topic": {"values": ["school", "pension"], "path": "context.concern"},
        "mood": {"values": {"calm": 3, "angry": 1}, "path": "personal.mood"},
    },
    "rules": [{"code": "teen_pension", "when": {"age": {"max": 19}}, "forbid": {"topic": "pension"}}],
}


def test_the_shipped_schema_has_the_published_sizes() -> None:
    sizes = {name: len(field.values) for name, field in SPASM.fields.items()}
    assert (sizes["occupation"], sizes["location"], sizes["domain"], sizes["emotion"]) == (77, 50, 110, 12)
    assert SPASM.fields["age"].range is not None
    assert len([r for r in SPASM.rules if r.severity == "error"]) >= 25


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"age": 16, "domain": "planning a pension"}, "teen_planning_pension"),
        ({"age": 16, "occupation": "surgeon"}, "minors_learn"),
        ({"age": 24, "occupation": "judge"}, "seniority_first"),
        ({"gender": "man", "age": 30, "domain": "worries in pregnancy"}, "pregnancy"),
        ({"occupation": "retired teacher", "age": 70, "domain": "asking for a promotion"}, "job_needed"),
        ({"occupation": "airline pilot", "domain": "a fear of flying"}, "fliers_fly"),
        ({"occupation": "fisher", "location": "Prague"}, "fishing_needs_the_sea"),
        ({"emotion": "cheerful", "domain": "divorce papers"}, "cheerful_about_grave_things"),
        ({"age": 81, "occupation": "roofer"}, "physical_work_ends"),
        ({"occupation": "novelist", "domain": "writing a first novel"}, "novelists_have_written_one"),
    ],
)
def test_implausible_combinations_are_rejected(fields: dict[str, Any], code: str) -> None:
    assert code in [v.code for v in check_fields(SPASM.rules, fields)]


def test_plausible_people_pass() -> None:
    fields = {
        "age": 41,
        "gender": "woman",
        "occupation": "nurse",
        "location": "Porto",
        "domain": "shift work and sleep",
    }
    assert check_fields(SPASM.rules, fields) == ()


@given(st.integers(0, 10**6), st.lists(st.integers(0, 5000), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_person_k_is_a_function_of_schema_seed_and_k(seed: int, ks: list[int]) -> None:
    one = SchemaSampler(SPASM, seed)
    forward = {k: (one.person(k), one.slots(k)) for k in ks}
    other = SchemaSampler(SPASM, seed)
    for k in reversed(ks):
        assert (other.person(k), other.slots(k)) == forward[k]


def test_slots_hold_every_draw_and_end_in_the_accepted_one() -> None:
    sampler = SchemaSampler(SPASM, 20260712)
    rejected = 0
    for k in range(60):
        slots = sampler.slots(k)
        assert all(isinstance(slot, SlotRow) for slot in slots)
        assert [slot.attempt for slot in slots] == list(range(len(slots)))
        assert [slot.accepted for slot in slots] == [False] * (len(slots) - 1) + [True]
        for slot in slots:
            broken = sampler.judge(json.loads(slot.fields))
            assert slot.rule == (broken[0].code if broken else None)
        rejected += len(slots) - 1
        person = sampler.person(k)
        assert person.provenance.attempt == slots[-1].attempt
        assert json.loads(slots[-1].fields) == sampler.fields(k)
        assert person.provenance.cell == {name: str(v) for name, v in sampler.fields(k).items()}
    assert rejected > 0


def test_people_carry_their_fields() -> None:
    sampler = SchemaSampler(SPASM, 5)
    crowd = list(sampler.people(40))
    assert len({p.name for p in crowd}) == 40
    for k, person in enumerate(crowd):
        fields = sampler.fields(k)
        assert person.get("social.age") == fields["age"]
        assert person.get("context.concern") == fields["domain"]
        assert person.get("personal.mood") == fields["emotion"]
        assert person.get("style.verbosity") == fields["verbosity"]
        assert person.goals[0].text == fields["goal"]
        assert str(person.get("context.situation")).endswith(".")


def test_report_counts_pairs_and_rules() -> None:
    sampler = SchemaSampler(Schema.of(SMALL), 1)
    report = sampler.report(400)
    slots = [slot for k in range(400) for slot in sampler.slots(k)]
    assert report.draws == len(slots)
    assert report.by_rule == {"teen_pension": report.draws - 400}
    (pair,) = report.pairs
    assert (pair.fields, pair.rules) == (("age", "topic"), ("teen_pension",))
    assert pair.rejected == report.draws - 400
    assert pair.rate == pytest.approx(0.25, abs=0.05)
    assert report.rate == pytest.approx(pair.rate)


def test_draws_follow_the_weights() -> None:
    sampler = SchemaSampler(Schema.of(SMALL), 2)
    moods = Counter(sampler.draw(k)["mood"] for k in range(2000))
    ages = Counter(sampler.draw(k)["age"] for k in range(2000))
    assert moods["calm"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert set(ages) == set(range(10, 30))


def test_traits_are_drawn_when_asked_for() -> None:
    person = SchemaSampler(Schema.of({**SMALL, "traits": {}}), 2).person(0)
    assert person.personal.big_five is not None
    assert len(person.personal.big_five.scores()) == 5
    assert SchemaSampler(Schema.of(SMALL), 2).person(0).personal.big_five is None


def test_hash_ignores_words_and_follows_pools() -> None:
    base = Schema.of(SMALL)
    assert Schema.of({**SMALL, "title": "x", "name": "y"}).hash == base.hash
    fields = {**SMALL["fields"], "mood": {"values": ["calm", "angry"], "path": "personal.mood"}}
    assert Schema.of({**SMALL, "fields": fields}).hash != base.hash


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("rules", [{"code": "x", "forbid": {"agee": {"max": 3}}}], "agee"),
        ("rules", [{"code": "x", "forbid": {"topic": "penson"}}], "penson"),
        ("rules", [{"code": "x", "forbid": {"topic": {"max": 3}}}], "need a range"),
        ("rules", [{"code": "x", "forbid": {"topic": "school"}}] * 2, "given twice"),
        ("feilds", {}, "feilds"),
        ("fields", {"a": {"values": ["x", "x"]}}, "listed twice"),
        ("fields", {"a": {}}, "either values or range"),
        ("fields", {"a": {"range": [5, 1]}}, "from 5 to 1"),
        ("fields", {"a": {"values": {"x": -1}}}, "not negative"),
        ("fields", {"a": {"values": ["x"], "path": "social.age"}}, "Numbers need a range"),
        ("fields", {"a": {"values": ["x"], "text": {"y": "z"}}}, "'y'"),
    ],
)
def test_bad_schemas(part: str, value: Any, words: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=words):
        Schema.of({**SMALL, part: value})


def test_rules_that_leave_nothing_end_in_an_error() -> None:
    schema = Schema.of({**SMALL, "max_attempts": 5, "rules": [{"code": "never", "forbid": {"age": {"min": 0}}}]})
    with pytest.raises(RecipeError, match=r"5 draws .*never"):
        SchemaSampler(schema, 0).person(0)


def test_bad_calls() -> None:
    with pytest.raises(InputError, match="seed"):
        SchemaSampler(SPASM, -1)
    with pytest.raises(InputError, match="at least 0"):
        SchemaSampler(SPASM, 1).person(-1)
    with pytest.raises(InputError, match="at least one"):
        SchemaSampler(SPASM, 1).report(0)
    with pytest.raises(RecipeError, match="spasm_shema"):
        load_schema("spasm_shema")
