"""Households: weights on two levels, whole counts, links between members, and what is refused."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, Persona, RecipeError, UnknownKeyError, plain
from personae.creation import (
    AgeRules,
    HouseholdRecipe,
    Households,
    household_recipe_names,
    ipu,
    kin_word,
    load_household_recipe,
    rake_weights,
    read_seed_households,
)
from personae.creation._kin import age_distances, company, draw_ages

# Ye et al. 2009, table 1: eight households, two household types, three person types, 23 people.
PAPER = np.array([
    [1, 0, 1, 1, 1], [1, 0, 1, 0, 1], [1, 0, 2, 1, 0], [0, 1, 1, 0, 2],
    [0, 1, 0, 2, 1], [0, 1, 1, 1, 0], [0, 1, 2, 1, 2], [0, 1, 1, 1, 0],
], dtype=np.float64)  # fmt: skip
PAPER_TARGETS = np.array([35.0, 65.0, 91.0, 65.0, 104.0])
PAPER_WEIGHTS = (1.36, 25.66, 7.98, 27.79, 18.45, 8.64, 1.47, 8.64)

TWO: dict[str, Any] = {
    "name": "two",
    "households": {"kind": {"values": ["alone", "pair"]}},
    "persons": {
        "sex": {"path": "social.sex", "values": ["female", "male"]},
        "age_band": {"path": "social.age", "bins": {"young": [18, 39], "old": [40, 80]}},
    },
    "controls": {
        "households": [{"vars": ["kind"], "hard": True, "table": {"alone": 0.4, "pair": 0.6}}],
        "persons": [{"vars": ["sex"], "table": {"female": 0.55, "male": 0.45}}],
    },
    "seed_households": [
        {"values": {"kind": "alone"}, "members": [{"role": "head", "sex": "female", "age_band": 30}]},
        {"values": {"kind": "alone"}, "members": [{"role": "head", "sex": "male", "age_band": "old"}]},
        {
            "values": {"kind": "pair"},
            "members": [
                {"role": "head", "sex": "female", "age_band": "old"},
                {"role": "spouse", "sex": "male", "age_band": "old"},
            ],
        },
    ],
    "traits": None,
}


def two(**more: Any) -> HouseholdRecipe:
    return HouseholdRecipe.of({**TWO, **more})


@pytest.fixture(scope="module")
def harbour() -> Households:
    return Households("harbour_households", n=400, seed=3)


# Weights --------------------------------------------------------------------------------------------------------------


def test_ipu_gives_the_weights_of_the_paper() -> None:
    assert PAPER[:, 2:].sum() == 23
    fit = ipu(PAPER, PAPER_TARGETS)
    assert fit.converged
    assert fit.worst < 1e-8
    assert fit.weights.round(2).tolist() == list(PAPER_WEIGHTS)
    assert np.allclose(PAPER.T @ fit.weights, PAPER_TARGETS, rtol=1e-7)


def test_raking_meets_the_same_controls_nearer_to_the_start() -> None:
    near, paper = rake_weights(PAPER, PAPER_TARGETS), ipu(PAPER, PAPER_TARGETS)
    assert near.converged
    assert near.rounds < 20
    assert near.worst < 1e-6

    def divergence(w: Any) -> float:
        return float((w * np.log(w) - w + 1).sum())

    assert divergence(near.weights) < divergence(paper.weights)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_raking_finds_weights_wherever_some_exist(seed: int) -> None:
    rng = np.random.default_rng(seed)
    homes, people = rng.integers(0, 3, 40), rng.integers(0, 3, (40, 3)).astype(np.float64)
    incidence = np.column_stack([np.eye(3)[homes], people])
    hidden = rng.uniform(0.2, 5.0, 40)
    fit = rake_weights(incidence, incidence.T @ hidden)
    assert fit.converged
    assert fit.worst < 1e-5
    assert (fit.weights > 0).all()


def test_weights_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="NaN"):
        ipu(PAPER, np.array([35.0, math.nan, 91.0, 65.0, 104.0]))
    with pytest.raises(InputError, match="0 or negative"):
        ipu(PAPER, np.array([35.0, 0.0, 91.0, 65.0, 104.0]))
    with pytest.raises(InputError, match=r"One row per record"):
        rake_weights(PAPER, PAPER_TARGETS[:3])
    with pytest.raises(InputError, match="no record counts for 'c'"):
        rake_weights(np.array([[1.0, 0.0]]), np.array([1.0, 2.0]), names=["a", "c"])
    assert not rake_weights(PAPER, np.array([35.0, 65.0, 91.0, 65.0, 20.0])).converged


def test_ipu_says_when_it_stops_short() -> None:
    everywhere = np.array([[1.0, 1.0], [1.0, 2.0]])  # every household counts for both: all are moved alike
    targets = np.array([10.0, 14.0])
    assert not ipu(everywhere, targets, rounds=200).converged
    assert rake_weights(everywhere, targets).weights.round(6).tolist() == [6.0, 4.0]


# Fit and counts -------------------------------------------------------------------------------------------------------


def test_shipped_recipes_fit() -> None:
    for name in household_recipe_names():
        report = load_household_recipe(name).fitted.report
        assert report.converged
        assert max(abs(row.error) for row in report.rows) < 1e-6


@pytest.mark.parametrize("n", [1, 7, 99, 400, 1501])
def test_hard_controls_are_exact_and_people_near(n: int) -> None:
    homes = Households("harbour_households", n=n, seed=n)
    assert len(homes) == n == sum(1 for _ in homes)
    hard = [r for r in homes.counts.rows if "district" in r.control or ": size" in r.control]
    assert all(abs(row.found - row.target) < 1 for row in hard)
    assert sum(row.found for row in hard) == 2 * n
    if n >= 400:
        people = [r for r in homes.counts.rows if r.control.startswith("persons")]
        assert max(abs(r.found - r.target) for r in people) <= 3


def test_a_number_of_people_is_met_exactly() -> None:
    body = load_household_recipe("harbour_households").model_copy(update={"unit": "persons"})
    for n in (200, 977):
        homes = Households(body, n=n, seed=1)
        assert homes.persons == n == sum(len(home) for home in homes)


def test_counts_are_those_of_the_people(harbour: Households) -> None:
    got = harbour.columns()
    counted = Counter(zip(got["sex"].tolist(), got["age_band"].tolist(), strict=True))
    rows = {row.control: row.found for row in harbour.counts.rows}
    for (sex, band), many in counted.items():
        assert rows[f"persons: sex x age_band: {sex} | {band}"] == many
    assert harbour.persons == len(got["sex"])


def test_ipu_and_raking_fit_the_same_controls() -> None:
    for method in ("ipu", "raking"):
        fitted = two(method=method, mean_size=1.6).fitted
        shares = fitted.person_shares(two())
        assert abs(float(shares["sex"][0]) - 0.55) < 1e-6
        assert abs(float(fitted.weights[2]) - 0.6) < 1e-6


def test_contradictions_between_the_levels_are_named() -> None:
    wrong = {**TWO["controls"], "persons": [{"vars": ["sex"], "table": {"female": 0.9, "male": 0.1}}]}
    with pytest.raises(RecipeError, match=r"(?s)cannot be met together: .*(sex|kind).* by .* of"):
        _ = two(controls=wrong).fitted


def test_a_control_without_a_household_is_named() -> None:
    extra = {"kind": {"values": ["alone", "pair", "castle"]}}
    table = {"alone": 0.4, "pair": 0.5, "castle": 0.1}
    controls = {"households": [{"vars": ["kind"], "table": table}]}
    with pytest.raises(RecipeError, match=r"no seed household holds: households: kind: castle"):
        _ = two(households=extra, controls=controls).fitted


def test_rules_and_ages_are_structural_zeros(harbour: Households) -> None:
    left_out = harbour.fitted.report.left_out
    assert left_out["infants_stay_at_home"] > 100
    assert left_out["ages"] > 10
    got = harbour.columns()
    assert set(got["working"][got["age_band"] == "infant"].tolist()) == {"at home"}
    with pytest.raises(RecipeError, match="no seed household can be: nobody 3"):
        _ = two(rules=[{"code": "nobody", "when": {}, "forbid": {"role": "head"}}]).fitted


# Members --------------------------------------------------------------------------------------------------------------


def test_members_are_linked_and_share_what_households_share(harbour: Households) -> None:
    for home in harbour:
        by_id = {f"{harbour.hash}/{home.h}/{m}": person for m, person in enumerate(home.members)}
        for person in home.members:
            assert person.get("attributes.household.size") == len(home)
            assert person.get("social.residence") == home.members[0].get("social.residence")
            assert len(person.relations) == len(home) - 1
            for relation in person.relations:
                other = by_id[str(relation.person_id)]
                assert str(plain(relation.name)) == other.name
                assert sum(str(plain(back.name)) == person.name for back in other.relations) == 1
            if person.get("attributes.household.role") in harbour.recipe.shared_surname:
                assert person.get("names.family") == home.members[0].get("names.family")


def test_kin_are_of_possible_age(harbour: Households) -> None:
    rules = harbour.recipe.ages
    for home in harbour:
        parts: dict[str, list[int]] = {}
        for person in home.members:
            parts.setdefault(str(person.get("attributes.household.role")), []).append(int(person.get("social.age")))
        couple = parts["head"] + parts.get("spouse", [])
        assert all(age >= rules.adult for age in couple + parts.get("partner", []))
        for child in parts.get("child", []):
            assert all(14 <= parent - child <= 55 for parent in couple)
        for parent in parts.get("parent", []):
            assert 14 <= parent - parts["head"][0] <= 55
        if "spouse" in parts:
            assert abs(couple[0] - couple[1]) <= rules.couple_gap


def test_nobody_in_town_has_the_same_name(harbour: Households) -> None:
    names = [person.name for person in harbour.people()]
    assert len(set(names)) == len(names) == harbour.persons


@settings(max_examples=15, deadline=None)
@given(h=st.integers(0, 399), attempt=st.integers(0, 2))
def test_one_member_is_a_row_of_the_bulk(harbour: Households, h: int, attempt: int) -> None:
    bulk, own = harbour.columns(attempt=attempt), harbour.columns([h], attempt=attempt)
    rows = np.flatnonzero(bulk["household"] == h)
    for name, column in bulk.items():
        assert (column[rows] == own[name]).all()
    for m, row in enumerate(rows.tolist()):
        person = harbour.person(h, m, attempt)
        assert person.get("social.age") == bulk["social.age"][row]
        assert person.get("social.sex") == bulk["sex"][row]
        assert [str(plain(i)) for i in person.context.interests] == [bulk["interest"][row]]


def test_order_and_slices_do_not_matter(harbour: Households) -> None:
    again = Households("harbour_households", n=400, seed=3)
    assert [again[h] for h in (399, 0, 17)] == [harbour[h] for h in (399, 0, 17)]
    assert harbour[10:13] == tuple(harbour[h] for h in (10, 11, 12))
    assert Households("harbour_households", n=400, seed=4)[0] != harbour[0]


def test_a_column_more_changes_nobody(harbour: Households) -> None:
    body = harbour.recipe.model_dump(mode="json", exclude_defaults=True)
    pet = {"name": "pet", "path": "attributes.pet", "given": ["kind"], "table": {"*": {"cat": 0.5, "dog": 0.5}}}
    more = Households(HouseholdRecipe.of({**body, "drawn": [*body["drawn"], pet]}), n=400, seed=3)
    assert more.hash != harbour.hash
    wider = more.columns()
    assert all((wider[name] == column).all() for name, column in harbour.columns().items())


def test_people_survive_their_files(harbour: Households) -> None:
    for person in harbour[5].members:
        again = Persona.parse(person.dump())
        assert again == person
        assert again.id == person.id
        text = person.render()
        assert "household" not in text
        assert harbour.hash not in text
        assert "You live with" in text or "You live alone" in text


def test_arrow_and_sources(harbour: Households) -> None:
    table = harbour.arrow(range(30))
    assert table["sex"].to_pylist() == harbour.columns(range(30))["sex"].tolist()
    assert harbour.sources()["interest"].kind == "drawn"


def test_members_that_are_not_there_are_refused(harbour: Households) -> None:
    with pytest.raises(InputError, match="households run from 0 to 399"):
        harbour.person(400, 0)
    with pytest.raises(InputError, match="is none of them"):
        harbour.person(0, len(harbour[0]))
    with pytest.raises(IndexError):
        _ = harbour[400]


# Kin ------------------------------------------------------------------------------------------------------------------


def test_kin_words_and_company() -> None:
    assert kin_word("head", "child", 1) == "daughter"
    assert kin_word("child", "head", 0) == "father"
    assert kin_word("spouse", "parent", 1) == "mother-in-law"
    assert kin_word("child", "parent", math.nan) == "grandparent"
    assert kin_word("head", "flatmate", 0) == "flatmate"
    assert kin_word("relative", "head", 1) == "relative"
    assert company([]) == "alone"
    assert company(["wife", "son", "son", "aunt"]) == "a wife, two sons and an aunt"
    assert company(["brother-in-law"] * 2) == "two brothers-in-law"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_drawn_ages_keep_every_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    roles = ["head", "spouse", *rng.choice(["child", "parent", "sibling", "grandchild"], rng.integers(0, 4)).tolist()]
    spans = [(0, 5), (6, 17), (18, 34), (35, 54), (55, 74), (75, 92)]
    low, high = zip(*(spans[c] for c in rng.integers(0, 6, len(roles))), strict=True)
    rules = AgeRules()
    distances = age_distances(roles, low, high, rules)
    if distances is None:
        return
    ages = draw_ages(distances, rng.random((50, len(roles))))
    assert ((ages >= np.array(low)) & (ages <= np.array(high))).all()
    assert (ages[:, :2] >= 18).all()
    assert (np.abs(ages[:, 0] - ages[:, 1]) <= rules.couple_gap).all()
    for place, role in enumerate(roles):
        if role == "child":
            assert (ages[:, :2] - ages[:, [place]] >= 14).all()
        if role == "parent":
            assert (ages[:, place] - ages[:, 0] >= 14).all()
        if role == "grandchild":
            assert (ages[:, 0] - ages[:, place] >= 28).all()


def test_impossible_kin_are_seen() -> None:
    assert age_distances(["head", "child"], [18, 12], [25, 17], AgeRules()) is None
    assert age_distances(["head", "spouse"], [30, 10], [39, 17], AgeRules()) is None


# Seeds and faults -----------------------------------------------------------------------------------------------------


def test_seed_households_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seed.csv"
    path.write_text(
        "home,w,kind,role,sex,age_band\n1,2.5,pair,head,female,45\n1,2.5,pair,spouse,male,old\n2,1,alone,head,male,20\n"
    )
    seed = read_seed_households(path, household="home", weight="w", values=["kind"])
    recipe = two(seed_households=[s.model_dump() for s in seed], controls={})
    assert [h.weight for h in recipe.homes] == [2.5, 1.0]
    assert recipe.homes[0].members[0] == {"role": "head", "sex": "female", "age_band": "old"}
    assert abs(float(recipe.fitted.weights[0]) - 2.5 / 3.5) < 1e-9
    for text, told in (
        ("home,kind,role,sex,age_band\n1,pair,head,female,45\n1,alone,spouse,male,50\n", r":3: household '1' says"),
        ("home,kind,role,sex,age_band\n1,pair,head,female\n", r":2: 4 cells, expected 5"),
        ("home,kind,rol,sex,age_band\n", "unknown column 'role'"),
        ("", "empty"),
    ):
        path.write_text(text)
        with pytest.raises((RecipeError, UnknownKeyError), match=told):
            read_seed_households(path, household="home", values=["kind"])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"seed_households": []}, "no households to start from"),
        ({"persons": {**TWO["persons"], "kind": {"values": ["a"]}}}, "of households and of people"),
        ({"persons": {**TWO["persons"], "role": {"values": ["a"]}}}, "always there"),
        ({"households": {**TWO["households"], "size": {"values": ["1"]}}}, "'size' needs bins"),
        ({"controls": {"persons": [{"vars": ["sex"], "hard": True, "table": {"female": 1}}]}}, "cannot be hard"),
        ({"controls": {"households": [{"vars": ["sex"], "table": {"female": 1}}]}}, "unknown variable 'sex'"),
        ({"controls": {"households": [{"vars": ["kind"], "table": {"alone": 0.4, "pair": 0.4}}]}}, "sum to 0.8"),
        ({"rules": [{"code": "x", "when": {"sx": "male"}, "forbid": {"role": "head"}}]}, "unknown field 'sx'"),
        ({"shared_surname": ["cousin"]}, "shared_surname"),
        ({"agess": {}}, "agess"),
        ({"constants": {"social.ocupation": "baker"}}, "social.occupation"),
    ],
)  # fmt: skip
def test_faults_are_named(more: dict[str, Any], told: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=told):
        two(**more)


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ({"role": "head", "sex": "female"}, "does not say 'age_band'"),
        ({"role": "head", "sex": "femal", "age_band": "old"}, "'female'"),
        ({"role": "head", "sex": "female", "age_band": 99}, "99 lies in no bin"),
        ({"role": "boss", "sex": "female", "age_band": "old"}, "unknown role 'boss'"),
    ],
)
def test_faulty_members_are_named(member: dict[str, Any], told: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=told):
        _ = two(seed_households=[{"values": {"kind": "alone"}, "members": [member]}]).homes


def test_whole_households_that_cannot_hold_the_people_are_refused() -> None:
    only = {"kind": {"values": ["pair"]}}
    controls = {"households": [{"vars": ["kind"], "table": {"pair": 1}}]}
    with pytest.raises(RecipeError, match="exactly 7 people"):
        _ = Households(
            two(unit="persons", households=only, controls=controls, seed_households=TWO["seed_households"][2:]), n=7
        ).counts
