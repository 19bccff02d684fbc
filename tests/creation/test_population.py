"""Person k is a pure function of (recipe hash, n, seed, k)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import DOMAINS, InputError, RecipeError
from personae.creation import Population, Recipe, create_people, load_recipe

TOWN = load_recipe("harbour_town")
ADULTS = load_recipe("us_adults")


@given(st.integers(1, 60), st.integers(0, 10**6), st.data())
@settings(max_examples=10, deadline=None)
def test_order_shards_and_resume_give_the_same_people(n: int, seed: int, data: st.DataObject) -> None:
    whole = [p.model_dump() for p in Population(TOWN, n, seed)]
    ks = data.draw(st.lists(st.integers(0, n - 1), max_size=6))
    fresh = Population(TOWN, n, seed)
    assert [fresh.person(k).model_dump() for k in ks] == [whole[k] for k in ks]
    shards = data.draw(st.integers(1, 4))
    parts = [Population(TOWN, n, seed)[shard::shards] for shard in range(shards)]
    assert {p.provenance.k: p.model_dump() for part in parts for p in part} == dict(enumerate(whole))


def test_sequence_behaviour() -> None:
    people = Population(TOWN, 9, 4)
    assert len(people) == 9
    assert people[-1] == people.person(8)
    assert people[2:5] == tuple(people.person(k) for k in (2, 3, 4))
    assert len(list(people)) == 9
    with pytest.raises(IndexError):
        _ = people[9]
    with pytest.raises(InputError, match="k runs from 0 to 8"):
        people.person(9)
    with pytest.raises(RecipeError, match="n is 0"):
        Population(TOWN, 0)
    assert (create_people("harbour_town").n, create_people(TOWN, 5, 2).seed) == (TOWN.n, 2)


def test_another_attempt_is_someone_else_in_the_same_cell() -> None:
    people = Population(ADULTS, 60, 11)
    for k in range(10):
        first, second = people.person(k), people.person(k, attempt=1)
        assert first.provenance.cell == second.provenance.cell == people.cell(k)
        assert first.name == second.name
        assert first.personal != second.personal
        assert second.provenance.attempt == 1
    redrawn = [people.person(k, attempt=k % 3) for k in range(60)]
    assert people.fit(redrawn).hard_exact


def test_people_say_what_their_cell_says() -> None:
    people = Population(ADULTS, 200, 3)
    by_path = people.fit(people)
    assert by_path.rows == people.fit().rows
    assert by_path.unknown == dict.fromkeys(by_path.unknown, 0)
    assert by_path.hard_exact
    for person in people:
        low, high = ADULTS.variables["age_band"].bins[person.provenance.cell["age_band"]]
        assert low <= person.get("social.age") <= high
        assert person.synthetic
        assert person.provenance.recipe == ADULTS.hash


def test_fit_counts_what_people_say_not_what_they_claim() -> None:
    people = list(Population(TOWN, 24, 0))
    body = people[0].model_dump()
    body["social"]["sex"] = "male" if body["social"]["sex"] == "female" else "female"
    people[0] = type(people[0]).model_validate(body)
    assert not Population(TOWN, 24, 0).fit(people).hard_exact
    assert not Population(TOWN, 24, 0).fit(people[1:]).hard_exact


def test_columns_hold_the_values_of_the_people() -> None:
    people = Population(ADULTS, 300, 9)
    columns = people.columns()
    for k in (0, 7, 299):
        person = people.person(k)
        assert person.provenance.cell == {name: str(columns[name][k]) for name in ADULTS.variables}
        assert person.get("social.age") == columns["social.age"][k]
        assert person.get("social.residence") == columns["social.residence"][k]
        for domain in DOMAINS:
            assert person.get(f"personal.big_five.{domain}") == columns[f"personal.big_five.{domain}"][k]
    some = people.columns([5, 1], details=False)
    assert some["k"].tolist() == [5, 1]
    assert set(some) == {"k", *ADULTS.variables}
    with pytest.raises(InputError, match="expected 0 to 299"):
        people.columns([300])


def test_arrow_has_the_same_columns() -> None:
    people = Population(ADULTS, 50, 9)
    table, columns = people.arrow(), people.columns()
    assert table.column_names == list(columns)
    for name in columns:
        assert table.column(name).to_pylist() == columns[name].tolist()


def test_a_hundred_thousand_cells_take_little_time() -> None:
    people = Population(ADULTS, 100_000, 1)
    start = time.process_time()
    columns = people.columns()
    assert time.process_time() - start < 2
    assert len(columns["k"]) == 100_000
    fit = people.fit()
    assert fit.hard_exact
    assert max(fit.distance.values()) < 0.001


def test_cells_are_spread_over_the_population() -> None:
    sexes = Population(ADULTS, 4000, 2).columns(details=False)["sex"] == "female"
    assert abs(sexes[:2000].mean() - sexes[2000:].mean()) < 0.06
    assert abs(np.corrcoef(sexes[:-1], sexes[1:])[0, 1]) < 0.06


def test_joint_associations_of_the_fit_reach_the_people() -> None:
    columns = Population(ADULTS, 30_000, 6).columns(details=False)
    employed = columns["employment"] == "employed"
    assert (columns["occupation"][~employed] == "none").all()
    assert (columns["occupation"][employed] != "none").all()
    nurses = columns["education"][columns["occupation"] == "nurse"]
    assert set(nurses.tolist()) == {"college"}


def test_warnings_are_noted_and_errors_are_found_in_foreign_people() -> None:
    people = Population(TOWN, 400, 8)
    noted = [p for p in people if p.provenance.issues]
    assert noted
    for person in noted:
        assert person.provenance.issues == ("long_walk_to_school",)
        assert [v.code for v in people.check(person)] == ["long_walk_to_school"]
    many = Population(TOWN, 5000, 8)
    keeper = many[int(np.flatnonzero(many.columns(details=False)["trade"] == "lighthouse keeper")[0])]
    assert people.check(keeper) == ()
    body = keeper.model_dump()
    body["social"]["residence"] = "the Old Quay of Lowmere"
    (found,) = people.check(type(keeper).model_validate(body))
    assert found.code == "lighthouse_stands_on_the_mole"


def test_texts_places_constants_and_lists() -> None:
    body: dict[str, Any] = {
        "name": "t",
        "variables": {
            "sex": {"path": "social.gender", "values": ["woman", "man"]},
            "tongue": {"path": "social.languages", "values": ["Sard", "Ladin"]},
            "wish": {"path": "goals", "values": ["rest"], "text": {"rest": "take a rest"}},
            "size": {"path": "attributes.body.height", "bins": {"all": [150, 199]}},
            "hidden": {"values": ["p", "q"]},
        },
        "margins": [
            {"vars": ["sex"], "table": {"woman": 0.5, "man": 0.5}},
            {"vars": ["tongue"], "table": {"Sard": 0.5, "Ladin": 0.5}},
            {"vars": ["wish"], "table": {"rest": 1}},
            {"vars": ["size"], "table": {"all": 1}},
            {"vars": ["hidden"], "table": {"p": 0.5, "q": 0.5}},
        ],
        "constants": {"social.languages": "Italian", "attributes.home.country": "Italy"},
        "places": {"Nuoro": 1, "Bolzano": 0},
        "traits": None,
    }
    people = Population(Recipe.of(body), 8, 0)
    person = people[0]
    assert person.social.languages == ("Italian", person.provenance.cell["tongue"])
    assert person.goals[0].text == "take a rest"
    assert 150 <= person.attributes["body.height"] <= 199
    assert person.attributes["home.country"] == "Italy"
    assert {p.get("social.residence") for p in people} == {"Nuoro"}
    assert person.personal.big_five is None
    assert people.fit(people).unknown == {"sex": 0, "tongue": 0, "wish": 0, "size": 0, "hidden": 0}


def test_importing_the_room_stays_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys, personae.creation as c\n"
        "c.load_recipe('harbour_town'); c.SchemaSampler('spasm_schema', 1).person(0); c.load_gallery()\n"
        "print([m for m in ('scipy', 'pandas', 'pyarrow', 'duckdb', 'torch', 'openai') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
