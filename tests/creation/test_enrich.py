"""Columns drawn after the cell: laws, shares, formulas, values, sources, and what is refused."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import DOMAINS, RecipeError, UnknownKeyError, plain
from personae.creation import (
    VALUES,
    Enrichment,
    Population,
    Recipe,
    TraitModel,
    ValuesModel,
    check_persona,
    load_recipe,
)

BOAT: dict[str, Any] = {
    "name": "boat",
    "path": "attributes.boat",
    "given": ["trade", "district"],
    "table": {
        "*": {"none": 0.8, "dinghy": 0.2},
        "deckhand | *": {"trawler": 1},
        "deckhand|Old Quay": ["trawler", "none"],
    },
}
SPEED: dict[str, Any] = {
    "name": "speed",
    "path": "attributes.speed",
    "given": ["boat"],
    "formula": {"normal": {"mean": {"*": 8, "none": 2}, "sd": 1.5}, "min": 0, "max": 12, "round": 1},
}
INCOME: dict[str, Any] = {
    "name": "income",
    "path": "social.income",
    "given": ["working"],
    "formula": {
        "lognormal": {"median": {"working": 24000, "*": 6000}, "sigma": 0.4},
        "plus": {"age_band": 0.01},
        "max": 90000,
        "round": -2,
        "words": "{} crowns",
    },
}
SCHWARTZ: dict[str, Any] = {"name": "values", "path": "personal.values", "values": {}}


def town(*drawn: dict[str, Any], **more: Any) -> Recipe:
    body = load_recipe("harbour_town").model_dump(mode="json", exclude_defaults=True)
    return Recipe.of({**body, "drawn": list(drawn), **more})


def people(*drawn: dict[str, Any], n: int = 600, **more: Any) -> Population:
    return Population(town(*drawn, **more), n=n, seed=5)


# Laws -----------------------------------------------------------------------------------------------------------------


def test_hashes_of_recipes_without_drawn_columns_stay() -> None:
    assert load_recipe("harbour_town").hash == "r-56705c6d1ba3833a" == town().hash
    assert load_recipe("us_adults").hash == "r-010dbbed595fdb72"
    assert town(BOAT).hash != town().hash
    assert town(BOAT).root == town().hash


def test_the_hash_sees_tables_and_order_of_values_but_not_sources() -> None:
    swapped = {**BOAT, "table": {**BOAT["table"], "*": {"dinghy": 0.2, "none": 0.8}}}
    assert len({town(BOAT).hash, town(swapped).hash, town(BOAT, SPEED).hash}) == 3
    assert town({**BOAT, "source": "somebody"}).hash == town(BOAT).hash


def test_a_column_more_changes_no_other_column_and_nobody() -> None:
    plain_town = Population("harbour_town", n=600, seed=5)
    few, many = people(BOAT), people(SCHWARTZ, BOAT, SPEED, INCOME)
    for name, column in plain_town.columns().items():
        assert (column == few.columns()[name]).all()
        assert (column == many.columns()[name]).all()
    assert (few.columns()["boat"] == many.columns()["boat"]).all()
    assert [p.name for p in few[:50]] == [p.name for p in plain_town[:50]]


@settings(max_examples=15, deadline=None)
@given(k=st.integers(0, 599), attempt=st.integers(0, 3))
def test_one_person_is_a_row_of_the_bulk(k: int, attempt: int) -> None:
    crowd = people(BOAT, SPEED, INCOME, SCHWARTZ)
    bulk = crowd.columns(range(600), attempt=attempt)
    own = crowd.columns([k], attempt=attempt)
    assert all(own[name][0] == column[k] for name, column in bulk.items())
    person = crowd.person(k, attempt)
    assert person.get("attributes.boat") == bulk["boat"][k]
    assert person.get("attributes.speed") == bulk["speed"][k]
    assert person.get("social.income") == f"{bulk['income'][k]:,} crowns"
    assert [str(plain(v)) for v in person.personal.values] == [bulk[f"values.{r}"][k] for r in (1, 2, 3)]
    scores = {s.scale: s.value for s in person.personal.psychometrics}
    assert scores == {v: bulk[f"values.{v}"][k] for v in VALUES}


def test_arrow_holds_the_same_columns() -> None:
    crowd = people(BOAT, SPEED, SCHWARTZ, n=80)
    table = crowd.arrow()
    for name, column in crowd.columns().items():
        assert table[name].to_pylist() == column.tolist()


def test_yaml_gives_the_same_recipe_back(tmp_path: Path) -> None:
    recipe = town(BOAT, SPEED, INCOME, SCHWARTZ)
    path = tmp_path / "town.yaml"
    path.write_text(recipe.to_yaml(), "utf-8")
    assert load_recipe(path).hash == recipe.hash


# What is drawn --------------------------------------------------------------------------------------------------------


def test_shares_follow_the_row_that_names_most() -> None:
    got = people(BOAT, n=40_000).columns(details=True)
    deckhands = got["trade"] == "deckhand"
    quay = got["district"] == "Old Quay"
    assert set(got["boat"][deckhands & ~quay].tolist()) == {"trawler"}
    for rows, boat, share in ((deckhands & quay, "trawler", 0.5), (~deckhands, "dinghy", 0.2)):
        n = int(rows.sum())
        assert abs(float((got["boat"][rows] == boat).mean()) - share) < 4 * math.sqrt(share * (1 - share) / n)


def test_a_share_of_zero_is_never_drawn() -> None:
    zeros = {"name": "x", "table": {"a": 0, "b": 0.5, "c": 0, "d": 0.5, "e": 0}}
    assert set(people(zeros, n=5000).columns()["x"].tolist()) == {"b", "d"}


def test_normals_are_cut_and_not_piled_up() -> None:
    column = people(BOAT, {**SPEED, "formula": {**SPEED["formula"], "round": 6, "max": 9}}, n=20_000).columns()["speed"]
    assert column.min() >= 0
    assert column.max() <= 9
    assert Counter(column.tolist()).most_common(1)[0][1] < 5


def test_a_lognormal_has_its_median_and_follows_age() -> None:
    flat = {**INCOME, "formula": {k: v for k, v in INCOME["formula"].items() if k not in {"plus", "max"}}}
    crowd = people(flat, n=20_000).columns()
    workers = crowd["income"][crowd["working"] == "working"]
    assert abs(float(np.median(workers)) - 24000) < 400
    aged = people({**INCOME, "formula": {**INCOME["formula"], "max": 10**9}}, n=20_000).columns()
    rows = aged["working"] == "working"
    slope = np.polyfit(aged["social.age"][rows], np.log(aged["income"][rows]), 1)[0]
    assert abs(slope - 0.01) < 0.001


def test_uniform_and_single_numbers_in_words() -> None:
    column = {
        "name": "rowing",
        "path": "attributes.rowing",
        "formula": {"uniform": {"low": 0, "high": 4}, "words": "{} evenings a week"},
        "text": {"0": "never", "1": "one evening a week"},
    }
    crowd = people(column, n=300)
    told = {person.get("attributes.rowing") for person in crowd}
    assert told == {"never", "one evening a week", *(f"{k} evenings a week" for k in (2, 3, 4))}


def test_rules_take_combinations_out_of_the_rows() -> None:
    young = {"code": "no_skippers_at_school", "when": {"age_band": {"max": 17}}, "forbid": {"boat": ["dinghy"]}}
    got = people({**BOAT, "rules": [young]}, n=4000).columns()
    children = got["age_band"] == "child"
    assert "dinghy" not in set(got["boat"][children].tolist())
    assert "dinghy" in set(got["boat"][~children].tolist())


def test_rules_that_leave_nothing_are_named() -> None:
    rule = {"code": "no_trawlers", "when": {"age_band": ["young"]}, "forbid": {"boat": ["trawler"]}}
    with pytest.raises(RecipeError, match=r"leave nothing for trade 'deckhand'.*young"):
        Enrichment(town({**BOAT, "rules": [rule]}))


# Values ---------------------------------------------------------------------------------------------------------------


def test_values_are_centred_and_correlate_with_traits_as_reported() -> None:
    model, traits = ValuesModel(), TraitModel()
    rng = np.random.default_rng(3)
    n = 60_000
    t = 50 + 10 * rng.standard_normal((n, 5)) @ np.linalg.cholesky(traits.correlation).T
    scores = model.scores(t, rng.standard_normal((n, 10)), model.weights(traits))
    assert np.abs(scores.sum(axis=1)).max() < 0.06
    assert np.allclose(scores.std(axis=0), 1, atol=0.02)
    found = np.corrcoef(scores.T, t.T)[:10, 10:]
    assert np.abs(found - model.table).max() < 0.02
    reported = {
        ("benevolence", "agreeableness"): 0.61,
        ("self-direction", "openness"): 0.52,
        ("power", "agreeableness"): -0.42,
    }
    for (value, domain), r in reported.items():
        assert abs(found[VALUES.index(value), DOMAINS.index(domain)] - r) < 0.02
    among = np.corrcoef(scores.T)
    assert among[0, 1] > 0.1 > -0.1 > among[0, 5]  # power goes with achievement, against universalism


def test_values_refuse_what_cannot_be() -> None:
    with pytest.raises(RecipeError, match=r"openness sum to \+0.20"):
        ValuesModel(correlations={"power": {"openness": 0.09}})
    with pytest.raises(UnknownKeyError, match="powr"):
        ValuesModel(correlations={"powr": {"openness": 0.1}})
    with pytest.raises(RecipeError, match="need traits"):
        town(SCHWARTZ, traits=None)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        ([{**BOAT, "given": ["trad", "district"]}], "unknown variable or earlier column 'trad'.*'trade'"),
        ([SPEED, BOAT], "needs 'boat', which is drawn later"),
        ([{**SPEED, "given": ["speed"]}], "runs in a circle through 'speed'"),
        (
            [
                {"name": "a", "given": ["b"], "table": {"*": {"x": 1}}},
                {"name": "b", "given": ["a"], "table": {"*": {"y": 1}}},
            ],
            "runs in a circle through 'b'",
        ),
        ([{**BOAT, "table": {"*": {"none": 0.8, "dinghy": 0.3}}}], r"row '\*'.*shares sum to 1.1"),
        ([{**BOAT, "table": {"*": {"none": float("nan"), "dinghy": 0.3}}}], "'none': nan, expected a number"),
        ([{**BOAT, "table": {"*": {"none": 1.3, "dinghy": -0.3}}}], "'dinghy': -0.3, expected a number"),
        ([{**BOAT, "table": {"pupil": {"none": 1}}}], r"has 1 value\(s\), expected 2"),
        ([{**BOAT, "table": {"pupli | *": {"none": 1}}}], "unknown value of 'trade' 'pupli'.*'pupil'"),
        ([BOAT, BOAT], "given twice"),
        ([{**BOAT, "name": "sex"}], "the name of a variable"),
        ([{**BOAT, "path": "social.ocupation"}], "social.occupation"),
        ([{**BOAT, "path": "social.residence"}], "two things go to 'social.residence'"),
        ([{**BOAT, "path": "social.age"}], "two things go to 'social.age'"),
        ([{**BOAT, "text": {"dingy": "a boat"}}], "'dinghy'"),
        ([{**BOAT, "shipped": "isco_titles"}], "both table and shipped"),
        ([{"name": "job", "shipped": "isco_title"}], "isco_titles"),
        ([{"name": "job"}], "exactly one of table"),
        ([{**SPEED, "given": [], "formula": {"normal": {"mean": 1, "sd": 0}}}], "sd of row .* expected above 0"),
        ([{**SPEED, "given": [], "formula": {"normal": {"mean": 1, "sd": float("inf")}}}], "expected a number"),
        ([{**INCOME, "formula": {**INCOME["formula"], "plus": {"trade": 1}}}], "'trade' is no number"),
        ([{**INCOME, "formula": {**INCOME["formula"], "words": "crowns"}}], "has no '{}'"),
    ],
)  # fmt: skip
def test_faults_are_named(drawn: list[dict[str, Any]], told: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=f"(?s){told}"):
        town(*drawn)


def test_a_missing_row_is_named_only_when_it_can_occur() -> None:
    rows = {f"{trade} | *": {"none": 1} for trade in load_recipe("harbour_town").labels["trade"] if trade != "pupil"}
    with pytest.raises(RecipeError, match=r"no row for 'pupil \| Old Quay'"):
        Enrichment(town({**BOAT, "table": rows}))
    keeper = {"lighthouse keeper | Far Mole": {"none": 1}, "pupil | *": {"none": 1}}
    others = {row: share for row, share in rows.items() if not row.startswith("lighthouse")}
    Enrichment(town({**BOAT, "table": {**others, **keeper}}))  # a keeper in another district cannot occur


def test_two_rows_that_fit_alike_are_named() -> None:
    with pytest.raises(RecipeError, match="both speak of"):
        Enrichment(town({**BOAT, "table": {**BOAT["table"], "* | Old Quay": {"none": 1}, "pupil | *": {"none": 1}}}))


def test_ends_that_cross_are_named() -> None:
    crossed = {**SPEED["formula"], "min": {"*": 0, "trawler": 20}}
    with pytest.raises(RecipeError, match="trawler: min 20 is above max 12"):
        Enrichment(town(BOAT, {**SPEED, "formula": crossed}))


# Sources --------------------------------------------------------------------------------------------------------------


def test_every_column_says_where_it_comes_from() -> None:
    crowd = Population("us_adults_rich", n=50, seed=1)
    sources = crowd.sources()
    kinds = {name: source.kind for name, source in sources.items()}
    assert kinds["sex"] == "margin"
    assert kinds["main_activity"] == "conditional"
    assert kinds["occupation"] == "drawn"
    assert kinds["personal.big_five"] == "traits"
    assert kinds["names"] == "names"
    assert "from memory" in sources["occupation_group"].source
    assert all(source.source and source.source != "not stated" for source in sources.values())
    for name in crowd.columns():
        whole = name.split(".")[0] if name.startswith("values.") else name
        assert name in {"k", "social.age"} or whole in sources or name.rpartition(".")[0] in sources


# The shipped recipe ---------------------------------------------------------------------------------------------------


def test_rich_adults_are_consistent() -> None:
    crowd = Population("us_adults_rich", n=20_000, seed=2)
    got = crowd.columns()
    age, job, school = got["social.age"], got["occupation"], got["schooling"]
    assert ((job == "none") == (got["employment"] != "employed")).all()
    studied = np.isin(school, ["professional", "doctorate"])
    assert studied[np.isin(job, ["surgeon", "physician", "lawyer", "judge"])].all()
    assert not np.isin(job[age < 25], ["surgeon", "judge", "school principal"]).any()
    assert age[got["main_activity"] == "retired"].min() >= 45
    assert age[school == "doctorate"].min() >= 25
    bands = {"none": (0, 0), "to 15k": (500, 15000), "15k to 35k": (15100, 35000), "35k to 60k": (35100, 60000)}
    for band, (low, high) in bands.items():
        own = got["income"][got["income_band"] == band]
        assert low <= own.min()
        assert own.max() <= high
    women = got["sex"] == "female"
    nurses, mechanics = job == "registered nurse", np.isin(job, ["car mechanic", "welder", "carpenter"])
    assert women[nurses].mean() > 0.6
    assert women[mechanics].mean() < 0.25
    assert len(set(job.tolist())) > 300


def test_rich_adults_read_well() -> None:
    crowd = Population("us_adults_rich", n=60, seed=4)
    for person in crowd:
        text = person.render()
        assert "none" not in text.lower().split()
        assert "None" not in text
        assert ".." not in text
        assert "{}" not in text
        assert check_persona(crowd.recipe.rules, person) == ()


def test_a_hundred_thousand_people_take_seconds() -> None:
    crowd = Population("us_adults_rich", n=100_000, seed=3)
    _ = crowd.counts
    began = time.process_time()
    got = crowd.columns()
    assert time.process_time() - began < 6
    assert len(got["occupation"]) == 100_000


# The second source of traits ------------------------------------------------------------------------------------------


def test_traits_agree_in_direction_with_another_sample() -> None:
    path = Path("/work/shared/data/human_psychometrics/big5_ipip50.json")
    if not path.exists():
        pytest.skip("the IPIP-50 aggregates are not on this machine")
    body = json.loads(path.read_text("utf-8"))
    groups, model = body["by_gender_age"], TraitModel()
    for domain in ("conscientiousness", "extraversion", "agreeableness", "neuroticism"):
        letter = domain[0].upper()
        sd = body["domain_all"][letter]["sd"]
        bands = ("18-24", "25-34", "35-44", "45-54")
        means = [[groups[f"{sex}|{band}"]["domains"][letter]["mean"] for band in bands] for sex in ("female", "male")]
        gaps = (np.array(means[0]) - np.array(means[1])) / sd
        weights = [groups[f"female|{band}"]["n"] for band in bands]
        other = float(np.average(gaps, weights=weights))
        assert abs(other - model.sex[domain]) < 0.25, (domain, other)
