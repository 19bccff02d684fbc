"""Who is drawn: rarity and strata change the draw and the weights, never what the recipe says of the population."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import RecipeError, UnknownKeyError
from personae.creation import Population, Recipe, load_people, load_recipe, save_people

BODY: dict[str, Any] = {
    "name": "t",
    "variables": {
        "sex": {"path": "social.sex", "values": ["female", "male"]},
        "trade": {"path": "social.occupation", "values": ["baker", "smith", "keeper"]},
        "place": {"values": ["hill", "shore"]},
    },
    "margins": [
        {"vars": ["sex"], "hard": True, "table": {"female": 0.55, "male": 0.45}},
        {"vars": ["trade"], "table": {"baker": 0.7, "smith": 0.27, "keeper": 0.03}},
        {
            "vars": ["sex", "place"],
            "table": {"female": {"hill": 0.4, "shore": 0.15}, "male": {"hill": 0.2, "shore": 0.25}},
        },
    ],
    "rules": [{"code": "sea", "when": {"trade": "keeper"}, "forbid": {"place": "hill"}}],
}
RECIPE = Recipe.of(BODY)
TRADES = ("baker", "smith", "keeper")
ADULTS = load_recipe("us_adults")


@given(st.floats(0.3, 20), st.integers(2, 3000), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_quotas_stay_exact_and_weights_have_mean_one(rarity: float, n: int, seed: int) -> None:
    people = Population(RECIPE, n, seed, rarity=rarity)
    fit = people.fit()
    assert fit.hard_exact
    weights = people.columns(details=False).get("weight", np.ones(n))
    assert weights.mean() == pytest.approx(1)
    assert (weights > 0).all()
    columns = people.columns(details=False)
    assert not ((columns["trade"] == "keeper") & (columns["place"] == "hill")).any()


def test_shares_are_tempered_and_then_brought_back_to_the_hard_margins() -> None:
    free = Recipe.of({**BODY, "margins": [{**m, "hard": False} for m in BODY["margins"]]})
    p = free.fitted.shares
    people = Population(free, 10, rarity=2.5)
    np.testing.assert_allclose(people.design.table.shares, p**0.4 / (p**0.4).sum())
    np.testing.assert_allclose(people.design.ratio * people.design.table.shares, p)
    bound = Population(RECIPE, 10, rarity=2.5).design.table
    female = bound.index(RECIPE, ("sex",)) == 0
    assert bound.shares[female].sum() == pytest.approx(0.55)
    # Inside a quota, odds are those of the tempered shares.
    inside, own = bound.shares[female], RECIPE.fitted.shares[female] ** 0.4
    np.testing.assert_allclose(inside / inside[0], own / own[0], rtol=1e-9)


def test_above_one_rare_people_are_commoner_below_rarer() -> None:
    keepers = {
        t: int((Population(RECIPE, 4000, 1, rarity=t).columns(details=False)["trade"] == "keeper").sum())
        for t in (0.5, 1.0, 2.0, 8.0)
    }
    assert keepers[0.5] < keepers[1.0] < keepers[2.0] < keepers[8.0]
    assert keepers[1.0] == pytest.approx(120, abs=2)


@pytest.mark.parametrize("design", [{"rarity": 3.0}, {"strata": {"vars": ["trade"], "allocation": "equal"}}])
def test_weighted_estimates_speak_of_the_population(design: dict[str, Any]) -> None:
    people = Population(RECIPE, 20_000, 5, **design)
    fit = people.fit()
    assert fit.measures["trade"].distance > 0.1
    assert fit.weighted["trade"].distance < 0.01
    assert fit.weighted["sex x place"].distance < 0.01
    assert fit.weighted["trade"].srmse < fit.measures["trade"].srmse / 10


def test_rarity_of_one_is_the_same_population() -> None:
    assert Population(RECIPE, 50, 2, rarity=1)[7] == Population(RECIPE, 50, 2)[7]
    assert Population(RECIPE, 50, 2, rarity=1).hash == RECIPE.hash
    assert "weight" not in Population(RECIPE, 50, 2).columns()
    assert Population(RECIPE, 50, 2)[7].provenance.weight is None
    assert Population(RECIPE, 50, 2).fit().weighted == {}


def test_the_key_of_a_recipe_and_the_argument_are_the_same() -> None:
    by_key = Population(Recipe.of({**BODY, "rarity": 2}), 30, 1)
    by_argument = Population(RECIPE, 30, 1, rarity=2)
    assert by_key.hash == by_argument.hash != RECIPE.hash
    assert tuple(by_key) == tuple(by_argument)


def test_one_person_weighs_what_the_column_says_and_files_keep_it(tmp_path: Any) -> None:
    people = Population(RECIPE, 60, 4, rarity=3)
    columns, table = people.columns(), people.arrow()
    for k in (0, 31, 59):
        assert people.person(k).provenance.weight == columns["weight"][k] == table.column("weight")[k].as_py()
        assert people.person(k, attempt=2).provenance.weight == columns["weight"][k]
    written = load_people(save_people(people, tmp_path / "p.jsonl"))
    assert people.fit(written).weighted["trade"].distance == pytest.approx(people.fit().weighted["trade"].distance)


def test_strata_get_exactly_their_people() -> None:
    for allocation, wanted in (
        ("equal", [100, 100, 100]),
        ("proportional", [210, 81, 9]),
        ({"baker": 0.2, "smith": 0.2, "keeper": 0.6}, [60, 60, 180]),
    ):
        people = Population(RECIPE, 300, 6, strata={"vars": ["trade"], "allocation": allocation})
        trades = people.columns(details=False)["trade"]
        assert [int((trades == t).sum()) for t in RECIPE.labels["trade"]] == wanted
        fit = people.fit()
        assert fit.hard_exact
        assert [r.count for r in fit.rows if r.margin == "strata: trade"] == wanted
        assert "strata: trade" not in fit.weighted


def test_strata_and_rarity_together() -> None:
    people = Population(ADULTS, 2000, 6, rarity=2, strata={"vars": "race", "allocation": "equal"})
    races = people.columns(details=False)["race"]
    assert {int((races == r).sum()) for r in ADULTS.labels["race"]} == {500}
    assert people.fit().hard_exact
    assert people.columns(details=False)["weight"].mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        ({"vars": ["sex"], "allocation": "equal"}, "strata 'sex' and the hard margins contradict each other: sex"),
        ({"vars": ["trade"], "allocation": {"baker": 0.5, "smith": 0.5}}, "'keeper' has people in the population"),
        ({"vars": ["trade"], "allocation": {"baker": 0.5, "smith": 0.6}}, "shares sum to 1.1"),
        ({"vars": ["trade"], "allocation": {"baker": 0.5, "smth": 0.5}}, "smth"),
        ({"vars": ["trade"], "allocation": {"baker": -0.5, "smith": 1.5}}, "not negative"),
        ({"vars": ["trdae"]}, "trdae"),
        (
            {"vars": ["place", "trade"], "allocation": {p: dict.fromkeys(TRADES, 1 / 6) for p in ("hill", "shore")}},
            r"'hill \| keeper' has a share of the sample but nobody can be in it",
        ),
    ],
)  # fmt: skip
def test_bad_strata(strata: dict[str, Any], words: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=words):
        _ = Population(RECIPE, 100, strata=strata).counts


@pytest.mark.parametrize("rarity", [0, -1, float("nan"), float("inf")])
def test_bad_rarity(rarity: float) -> None:
    with pytest.raises(RecipeError, match="rarity"):
        Population(RECIPE, 100, rarity=rarity)
