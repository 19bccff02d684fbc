"""Recipes: what is read, what is refused, and what counts as the same recipe."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from personae.core import RecipeError, UnknownKeyError
from personae.creation import Recipe, load_recipe, recipe_names
from personae.creation._documents import parse_yaml

EXAMPLES = Path(__file__).parents[2] / "examples" / "recipes"

BASE: dict[str, Any] = {
    "name": "tiny",
    "variables": {
        "sex": {"path": "social.sex", "values": ["female", "male"]},
        "age": {"path": "social.age", "bins": {"young": [18, 39], "old": [40, 90]}},
        "job": {"path": "social.occupation", "values": ["none", "baker"], "text": {"none": None}},
    },
    "margins": [
        {
            "vars": ["sex", "age"],
            "hard": True,
            "table": {"female": {"young": 0.2, "old": 0.3}, "male": {"young": 0.25, "old": 0.25}},
        }
    ],
    "conditionals": [
        {"child": "job", "parents": ["age"], "table": {"young": {"none": 0.5, "baker": 0.5}, "old": {"none": 1}}}
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """BASE with the value at a dotted path replaced ('+' appends)."""
    body = copy.deepcopy(BASE)
    *steps, last = path.split(".")
    node: Any = body
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if last == "+":
        node.append(value)
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return body


def test_yaml_and_python_are_the_same_object(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(BASE, sort_keys=False), "utf-8")
    assert load_recipe(file) == Recipe.of(BASE) == Recipe.model_validate(BASE)


def test_nested_and_flat_cells_are_the_same() -> None:
    flat = {"female|young": 0.2, "female | old": 0.3, "male | young": 0.25, "male | old": 0.25}
    assert Recipe.of(changed("margins.0.table", flat)).hash == Recipe.of(BASE).hash


@pytest.mark.parametrize(
    ("path", "value"),
    [("title", "T"), ("note", "N"), ("n", 7), ("seed", 9), ("name", "other"), ("source", "S"), ("licence", "L"),
     ("margins.0.source", "S")],
)  # fmt: skip
def test_hash_ignores_words_about_the_recipe(path: str, value: Any) -> None:
    assert Recipe.of(changed(path, value)).hash == Recipe.of(BASE).hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("margins.0.hard", False),
        ("margins.0.table.female", {"young": 0.21, "old": 0.29}),
        ("variables.age.bins", {"young": [18, 38], "old": [40, 90]}),
        ("variables.sex.values", ["male", "female"]),
        ("variables.job.text", {}),
        ("rules", [{"code": "x", "forbid": {"sex": "male", "job": "baker"}}]),
        ("traits", None),
        ("traits", {"sex": {"openness": 0.1}}),
        ("names", {"shipped": "harbour"}),
        ("places", {"A": 1, "B": 1}),
        ("constants", {"social.nationality": "X"}),
        (
            "seed_table",
            {"vars": ["sex", "job"], "rows": [["female", "none", 3], ["male", "none", 1], ["male", "baker", 2]]},
        ),
    ],
)
def test_hash_follows_everything_that_makes_people(path: str, value: Any) -> None:
    assert Recipe.of(changed(path, value)).hash != Recipe.of(BASE).hash


def test_hash_knows_the_order_of_variables() -> None:
    body = copy.deepcopy(BASE)
    body["variables"] = dict(reversed(body["variables"].items()))
    assert Recipe.of(body).hash != Recipe.of(BASE).hash


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("margin", "margins"),
        ("margins.0.hrad", "hard"),
        ("variables.sex.pth", "path"),
        ("conditionals.0.parent", "parents"),
        ("traits.correlation", "correlations"),
        ("names.surname", "surnames"),
    ],
)
def test_unknown_keys_at_any_depth_get_the_nearest(path: str, near: str) -> None:
    with pytest.raises(UnknownKeyError) as caught:
        Recipe.of(changed(path, 1))
    assert repr(path.rsplit(".", maxsplit=1)[-1]) in caught.value.message
    assert caught.value.hint == f"Did you mean {near!r}?"


def test_unknown_key_inside_a_rule() -> None:
    with pytest.raises(UnknownKeyError, match="severty"):
        Recipe.of(changed("rules", [{"code": "x", "forbid": {"sex": "male", "job": "baker"}, "severty": "error"}]))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("margins.0.table.female", {"young": 0.2, "old": 0.2}, ["sum to 0.9", "-0.1"]),
        ("margins.0.table.female", {"young": -0.2, "old": 0.7}, ["female | young", "-0.2", "not negative"]),
        ("margins.0.table.female", {"young": float("nan"), "old": 0.3}, ["female | young", "nan"]),
        ("margins.0.table.female", {"young": float("inf"), "old": 0.3}, ["inf"]),
        ("margins.0.table.female", {"young": "many", "old": 0.3}, ["'many'", "expected a number"]),
        ("margins.0.table.female", {"young": 0.2, "odl": 0.3}, ["odl", "'old'"]),
        ("margins.0.table", {"female": 0.5, "male": 0.5}, ["1 value(s)", "expected 2"]),
        ("margins.0.vars", ["sex", "aeg"], ["aeg", "'age'"]),
        ("margins.0.vars", ["sex", "sex"], ["names a variable twice"]),
        ("margins.+", BASE["margins"][0], ["given twice"]),
        ("variables.sex.values", ["female", "male", "male"], ["listed twice"]),
        ("variables.sex.values", ["female", True], ["True", "quotes"]),
        ("variables.sex.values", ["female", "male", "other"], ["no table says how many are 'other'"]),
        ("variables.sex.path", "social.sexx", ["social.sexx", "'social.sex'"]),
        ("variables.sex.path", "social.age", ["is a number"]),
        ("variables.job.path", "social.sex", ["two things go to 'social.sex'"]),
        ("variables.job.path", "names.full", ["names.full"]),
        ("variables.age.bins", {"young": [39, 18], "old": [40, 90]}, ["39 to 18"]),
        ("variables.age.bins", {"young": [18, 40], "old": [40, 90]}, ["both hold 40"]),
        ("variables.age.bins", {"young": [18, 39], "old": [40, 190]}, ["0 to 120"]),
        ("variables.hat", {"values": ["a", "b"]}, ["'hat'", "no margin"]),
        ("conditionals.0.table.old", {"none": 0.5}, ["row 'old'", "0.5"]),
        ("conditionals.0.child", "jbo", ["jbo", "'job'"]),
        ("conditionals.+", {"child": "age", "parents": ["job"], "table": {"*": {"young": 1}}}, ["circle"]),
        ("conditionals.+", {"child": "job", "parents": ["sex"], "table": {"*": {"none": 1}}}, ["given twice"]),
        ("rules", [{"code": "x", "forbid": {"sexx": "male"}}], ["sexx", "'sex'"]),
        ("rules", [{"code": "x", "forbid": {"sex": "mael"}}], ["mael", "'male'"]),
        ("rules", [{"code": "x", "forbid": {"sex": "male"}}] * 2, ["given twice"]),
        ("rules", [{"code": "x", "forbid": {"sex": {"min": 3}}}], ["need a variable with bins"]),
        ("places", {"A": -1}, ["-1"]),
        ("places", {"A": 0}, ["all weights are 0"]),
        ("names", {"shipped": "usa"}, ["usa", "'us'"]),
        ("names", {"given": {"female": ["A"], "male": ["A"]}, "surnames": ["B"]}, ["'A'"]),
        ("names", {"given": {"female": ["A"]}, "surnames": ["B"]}, ["no 'male' list"]),
        ("names", {"surnames": ["B"]}, ["both given and surnames"]),
        ("traits", {"correlations": {"OX": 0.1}}, ["OX"]),
        ("traits", {"correlations": {"OC": 1.5}}, ["between -1 and 1"]),
        ("traits", {"correlations": {"OC": 0.95, "OE": 0.95, "CE": -0.95}}, ["cannot occur together"]),
        ("n", 0, ["greater than or equal to 1"]),
        ("name", "", ["at least 1 character"]),
    ],
)  # fmt: skip
def test_bad_recipes_say_what_is_wrong(path: str, value: Any, words: list[str]) -> None:
    with pytest.raises((RecipeError, UnknownKeyError)) as caught:
        Recipe.of(changed(path, value))
    for word in words:
        assert word in str(caught.value)


def test_margins_that_contradict_each_other_name_cells_and_gap() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.of(changed("margins.+", {"vars": ["sex"], "table": {"female": 0.6, "male": 0.4}}))
    text = str(caught.value)
    assert "'sex x age' and 'sex' contradict each other about sex" in text
    assert "female: 0.5000 against 0.6000 (gap +0.1000)" in text
    assert "male: 0.5000 against 0.4000 (gap -0.1000)" in text


def test_margins_that_differ_by_rounding_are_taken() -> None:
    recipe = Recipe.of(changed("margins.+", {"vars": ["sex"], "table": {"female": 0.501, "male": 0.499}}))
    assert recipe.fitted.report.residual < 2e-3


def test_duplicate_cells_and_rows() -> None:
    with pytest.raises(RecipeError, match="given twice"):
        Recipe.of(changed("margins.0.table", {"female|young": 0.5, "female | young": 0.5}))
    with pytest.raises(RecipeError, match="given twice"):
        Recipe.of(changed("conditionals.0.table", {"young": {"none": 1}, " young": {"none": 1}, "old": {"none": 1}}))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"name: [unclosed", ["not valid YAML", ":1"]),
        (b"name: a\nname: b\n", [":2", "given twice"]),
        (b"name: caf\xe9\n", ["not UTF-8", ":1", "0xe9"]),
        (b"- a\n- b\n", ["expected a mapping"]),
        (b"", ["expected a mapping"]),
        (b"name: x\n", ["variables", "Field required"]),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, raw: bytes, words: list[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(raw)
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    for word in words:
        assert word in str(caught.value)


def test_missing_files_and_names(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no file"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError) as caught:
        load_recipe("us_adult")
    assert caught.value.hint is not None
    assert "us_adults" in caught.value.hint


def test_yes_and_no_stay_words() -> None:
    assert parse_yaml("{a: yes, no: 2012-01-01, b: true}", "x") == {"a": "yes", "no": "2012-01-01", "b": True}


def test_yaml_merge_keys_work() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n"
    assert parse_yaml(text, "x")["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("name", ["us_adults", "harbour_town"])
def test_shipped_recipes_are_sound_and_say_where_they_come_from(name: str) -> None:
    recipe = load_recipe(name)
    assert name in recipe_names()
    assert recipe.source
    assert recipe.licence
    assert recipe.note
    assert any(m.hard for m in recipe.margins)
    assert recipe.fitted.report.converged
    assert recipe.fitted.report.residual < 1e-8


def test_us_recipe_holds_counts_of_the_sample_and_says_how_small_it_is() -> None:
    recipe = load_recipe("us_adults")
    assert "small sample" in (recipe.note or "")
    assert "2,000" in (recipe.note or "")
    assert "1,605" in (recipe.note or "")
    for margin in recipe.margins:
        assert margin.unit == "count"
        assert sum(margin.table.values()) == 1561


@pytest.mark.parametrize("name", ["village", "panel", "waiting_room"])
def test_example_recipes_load_and_survive_yaml(name: str) -> None:
    recipe = load_recipe(EXAMPLES / f"{name}.yaml")
    again = Recipe.of(parse_yaml(recipe.to_yaml(), "again"))
    assert again.hash == recipe.hash
    assert (again.n, again.seed, again.title) == (recipe.n, recipe.seed, recipe.title)
