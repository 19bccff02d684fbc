"""Whatever can be wrong with a population: one error each, that names the cell, row or field and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from personae.core import RecipeError, UnknownKeyError
from personae.creation import Population, Recipe, load_recipe

VARIABLES = {"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2"]}}
A = {"vars": ["a"], "table": {"a1": 0.3, "a2": 0.7}}
B = {"vars": ["b"], "table": {"b1": 0.4, "b2": 0.6}}
NAN = float("nan")

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "contradicting margins": (
        {"margins": [A, {"vars": ["a", "b"], "table": {"a1 | b1": 0.5, "a2 | b2": 0.5}}]},
        ["margins 'a' and 'a x b' contradict each other about a", "a1: 0.3000 against 0.5000 (gap +0.2000)"],
    ),
    "a rule that leaves nobody": (
        {"rules": [{"code": "all", "forbid": {"a": ["a1", "a2"]}}]},
        ["no combination of a is left"],
    ),
    "rules that make margins impossible": (
        {"rules": [{"code": "x", "when": {"a": "a2"}, "forbid": {"b": "b2"}}]},
        ["cannot be met together under the rules", "by 0.3000", "loosen a rule"],
    ),
    "a rule against a quota": (
        {
            "margins": [{"vars": ["a", "b"], "hard": True, "table": {"a1 | b1": 0.5, "a2 | b2": 0.5}}],
            "rules": [{"code": "never", "forbid": {"a": "a1", "b": "b1"}}],
        },
        ["hard quota 'a x b'", "a1 | b1: short by 0.5000", "never"],
    ),
    "a seed that counts nobody": (
        {"seed_table": {"vars": ["a"], "table": {"a1": 0, "a2": 0}}},
        ["seed_table: all counts are 0"],
    ),
    "a negative count in the seed": (
        {"seed_table": {"vars": ["a"], "rows": [["a1", 3], ["a2", -1]]}},
        ["seed_table, row 'a2': -1, expected a number that is not negative"],
    ),
    "NaN in the seed": (
        {"seed_table": {"vars": ["a", "b"], "table": {"a1": {"b1": NAN}}}},
        ["seed_table a x b, cell 'a1 | b1': nan"],
    ),
    "a category in one place only": (
        {"variables": {**VARIABLES, "a": {"values": ["a1", "a2", "a3"]}}},
        ["variable 'a': no table says how many are 'a3'", "Give it a share"],
    ),
    "a category only the margin knows": (
        {"margins": [{"vars": ["a"], "table": {"a1": 0.3, "a2": 0.3, "a9": 0.4}}, B]},
        ["margin 'a', cell 'a9'", "a9"],
    ),
    "a category only the seed knows": (
        {"seed_table": {"vars": ["a"], "table": {"a1": 1, "other": 2}}},
        ["seed_table, cell 'other': unknown value of 'a'"],
    ),
    "NaN in a margin": (
        {"margins": [{"vars": ["a"], "table": {"a1": NAN, "a2": 0.7}}, B]},
        ["margin a, cell 'a1': nan, expected a number that is not negative"],
    ),
    "a negative count": (
        {"margins": [{"vars": ["a"], "unit": "count", "table": {"a1": -3, "a2": 7}}, B]},
        ["margin a, cell 'a1': -3"],
    ),
    "shares that do not sum to 1": (
        {"margins": [{"vars": ["a"], "table": {"a1": 0.3, "a2": 0.6}}, B]},
        ["margin 'a': shares sum to 0.9, expected 1 (off by -0.1)"],
    ),
    "quotas that sum differently": (
        {
            "margins": [
                {"vars": ["a"], "unit": "count", "hard": True, "table": {"a1": 30, "a2": 70}},
                {"vars": ["b"], "unit": "count", "hard": True, "table": {"b1": 40, "b2": 50}},
            ]
        },
        ["hard quotas 'a' and 'b' sum to different numbers of people: 100 and 90"],
    ),
    "names of an unknown place": ({"names": {"shipped": "atlantis"}}, ["names.shipped", "'atlantis'", "us"]),
    "conditional tables in a circle": (
        {
            "margins": [],
            "conditionals": [
                {"child": "a", "parents": ["b"], "table": {"*": {"a1": 0.5, "a2": 0.5}}},
                {"child": "b", "parents": ["a"], "table": {"*": {"b1": 0.5, "b2": 0.5}}},
            ],
        },
        ["conditional tables run in a circle: a <- b <- a"],
    ),
    "a smoothing that is no share": (
        {"seed_table": {"vars": ["a"], "table": {"a1": 1, "a2": 1}, "smoothing": 1.5}},
        ["seed_table.smoothing", "less than or equal to 1"],
    ),
    "a weight of nothing": ({"margins": [{**A, "weight": 0}, B]}, ["margins.0.weight", "greater than 0"]),
    "an unknown way out of a conflict": ({"conflict": "sfot"}, ["conflict", "'error' or 'soft'"]),
    "an unknown allocation": ({"strata": {"vars": ["a"], "allocation": "eqaul"}}, ["strata.allocation", "eqaul"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_says_what_is_wrong(case: str, tmp_path: Path) -> None:
    parts, words = CASES[case]
    body = {"name": "t", "variables": VARIABLES, "margins": [A, B], **parts}
    for read in (lambda: Recipe.of(body), lambda: load_recipe(_file(tmp_path, body))):
        with pytest.raises((RecipeError, UnknownKeyError)) as caught:
            _ = read().fitted
        for word in words:
            assert word in str(caught.value)


def test_too_few_people_for_the_quotas() -> None:
    body = {
        "name": "t",
        "variables": VARIABLES,
        "margins": [{**A, "hard": True}, {**B, "hard": True}],
        "rules": [{"code": "x", "forbid": {"a": "a1", "b": "b1"}}, {"code": "y", "forbid": {"a": "a1", "b": "b2"}}],
    }
    with pytest.raises(RecipeError, match="a1"):
        _ = Population(Recipe.of(body), 10).counts


def _file(folder: Path, body: dict[str, Any]) -> Path:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(body, sort_keys=False), "utf-8")
    return file
