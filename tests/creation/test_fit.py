"""The joint distribution: margins met, zeros kept, associations taken from the seed, impossible recipes explained."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from personae.core import RecipeError
from personae.creation import Recipe


def recipe(**parts: Any) -> Recipe:
    body: dict[str, Any] = {
        "name": "t",
        "variables": {"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2"]}},
        "margins": [{"vars": ["a"], "table": {"a1": 0.3, "a2": 0.7}}, {"vars": ["b"], "table": {"b1": 0.4, "b2": 0.6}}],
    }
    return Recipe.of({**body, **parts})


def joint(r: Recipe) -> dict[str, float]:
    cells = [" | ".join(r.labels[v][c] for v, c in zip(r.fitted.names, row, strict=True)) for row in r.fitted.codes]
    return dict(zip(cells, r.fitted.shares.tolist(), strict=True))


def test_independent_margins_give_the_product() -> None:
    assert joint(recipe()) == pytest.approx({"a1 | b1": 0.12, "a1 | b2": 0.18, "a2 | b1": 0.28, "a2 | b2": 0.42})


def test_odds_ratios_of_the_seed_survive_raking() -> None:
    seed = {"vars": ["a", "b"], "table": {"a1": {"b1": 8, "b2": 2}, "a2": {"b1": 1, "b2": 4}}}
    p = joint(recipe(seed_table=seed))
    assert p["a1 | b1"] * p["a2 | b2"] / (p["a1 | b2"] * p["a2 | b1"]) == pytest.approx(8 * 4 / (2 * 1))
    assert p["a1 | b1"] + p["a1 | b2"] == pytest.approx(0.3)
    assert p["a1 | b1"] + p["a2 | b1"] == pytest.approx(0.4)


def test_fit_is_the_classical_table_algorithm() -> None:
    rng = np.random.default_rng(5)
    start, target = rng.random((3, 4, 2)) + 0.1, rng.random((3, 4, 2)) + 0.1
    target /= target.sum()
    table = start.copy()
    for _ in range(500):
        table *= (target.sum(2) / table.sum(2))[:, :, None]
        table *= (target.sum((0,)) / table.sum((0,)))[None]
    labels = {v: [f"{v}{i}" for i in range(size)] for v, size in (("x", 3), ("y", 4), ("z", 2))}
    cells = [f"{x} | {y} | {z}" for x in labels["x"] for y in labels["y"] for z in labels["z"]]
    pairs = {"x y": target.sum(2).ravel(), "y z": target.sum(0).ravel()}
    r = Recipe.of(
        {
            "name": "t",
            "variables": {v: {"values": words} for v, words in labels.items()},
            "seed_table": {"vars": ["x", "y", "z"], "table": dict(zip(cells, start.ravel().tolist(), strict=True))},
            "margins": [
                {"vars": names.split(), "table": {
                    f"{p} | {q}": float(v)
                    for (p, q), v in zip(product(labels[names[0]], labels[names[2]]), values, strict=True)
                }}
                for names, values in pairs.items()
            ],
        }
    )  # fmt: skip
    np.testing.assert_allclose(list(joint(r).values()), (table / table.sum()).ravel(), rtol=1e-6)


def test_rules_are_structural_zeros_and_margins_still_hold() -> None:
    r = recipe(rules=[{"code": "no", "when": {"a": "a1"}, "forbid": {"b": "b1"}}])
    p = joint(r)
    assert "a1 | b1" not in p
    assert p == pytest.approx({"a1 | b2": 0.3, "a2 | b1": 0.4, "a2 | b2": 0.3})
    assert r.fitted.report.forbidden == 1


def test_warnings_remove_nothing() -> None:
    r = recipe(rules=[{"code": "hm", "severity": "warning", "when": {"a": "a1"}, "forbid": {"b": "b1"}}])
    assert "a1 | b1" in joint(r)


def test_conditional_tables_chain_and_wildcards_yield_to_named_rows() -> None:
    r = recipe(
        variables={"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2"]}, "c": {"values": ["c1", "c2"]}},
        margins=[{"vars": ["a"], "table": {"a1": 0.3, "a2": 0.7}}],
        conditionals=[
            {"child": "b", "parents": ["a"], "table": {"a1": {"b1": 1}, "a2": {"b1": 0.5, "b2": 0.5}}},
            {
                "child": "c",
                "parents": ["a", "b"],
                "table": {"*": {"c1": 0.1, "c2": 0.9}, "a2 | *": {"c1": 0.6, "c2": 0.4}, "a2 | b2": {"c1": 1}},
            },
        ],
    )
    assert joint(r) == pytest.approx(
        {"a1 | b1 | c1": 0.03, "a1 | b1 | c2": 0.27, "a2 | b1 | c1": 0.21, "a2 | b1 | c2": 0.14, "a2 | b2 | c1": 0.35}
    )


def test_wildcard_rows_that_tie_are_refused() -> None:
    table = {"a1 | *": {"c1": 1}, "* | b1": {"c1": 0.5, "c2": 0.5}, "a2 | *": {"c2": 1}}
    r = recipe(
        variables={"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2"]}, "c": {"values": ["c1", "c2"]}},
        conditionals=[{"child": "c", "parents": ["a", "b"], "table": table}],
    )
    with pytest.raises(RecipeError, match=r"both speak of 'a1 \| b1'"):
        _ = r.fitted


def test_missing_conditional_row_is_named_unless_it_cannot_occur() -> None:
    parts: dict[str, Any] = {
        "variables": {"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2"]}, "c": {"values": ["c1", "c2"]}},
        "conditionals": [
            {"child": "c", "parents": ["a", "b"], "table": {"a1 | b2": {"c1": 1}, "a2 | *": {"c1": 0.5, "c2": 0.5}}}
        ],
    }
    with pytest.raises(RecipeError, match=r"no row for 'a1 \| b1'"):
        _ = recipe(**parts).fitted
    assert recipe(**parts, rules=[{"code": "no", "forbid": {"a": "a1", "b": "b1"}}]).fitted.report.converged


def test_a_quota_on_forbidden_cells_names_cells_gap_and_rule() -> None:
    r = recipe(
        margins=[
            {"vars": ["a", "b"], "hard": True, "table": {"a1": {"b1": 0.1, "b2": 0.2}, "a2": {"b1": 0.3, "b2": 0.4}}}
        ],
        rules=[{"code": "never", "forbid": {"a": "a1", "b": "b1"}}],
    )
    with pytest.raises(RecipeError) as caught:
        _ = r.fitted
    for word in ("hard quota 'a x b'", "a1 | b1: short by 0.1000", "never"):
        assert word in str(caught.value)


def test_margins_that_rules_keep_apart_name_the_smallest_gap() -> None:
    r = recipe(rules=[{"code": "x", "when": {"a": "a2"}, "forbid": {"b": "b2"}}])  # b2 at most 0.3, asked 0.6
    with pytest.raises(RecipeError) as caught:
        _ = r.fitted
    assert "cannot be met together" in str(caught.value)
    assert "by 0.3000" in str(caught.value)


def test_rules_on_bins_must_end_where_bins_end() -> None:
    parts: dict[str, Any] = {
        "variables": {"a": {"values": ["a1", "a2"]}, "age": {"bins": {"young": [10, 19], "old": [20, 80]}}},
        "margins": [
            {"vars": ["a"], "table": {"a1": 0.5, "a2": 0.5}},
            {"vars": ["age"], "table": {"young": 0.5, "old": 0.5}},
        ],
    }
    good = recipe(**parts, rules=[{"code": "x", "when": {"age": {"max": 19}}, "forbid": {"a": "a1"}}])
    assert joint(good) == pytest.approx({"a1 | old": 0.5, "a2 | young": 0.5})  # a2 | old is 0 in the limit only
    assert good.fitted.report.converged
    bad = recipe(**parts, rules=[{"code": "x", "when": {"age": {"max": 15}}, "forbid": {"a": "a1"}}])
    with pytest.raises(RecipeError, match="cuts through the bin 'young'"):
        _ = bad.fitted


def test_everything_forbidden() -> None:
    r = recipe(rules=[{"code": "x", "forbid": {"a": ["a1", "a2"], "b": ["b1", "b2"]}}])
    with pytest.raises(RecipeError, match="no combination"):
        _ = r.fitted


def test_tables_beyond_the_limit_are_refused() -> None:
    words = [f"v{i}" for i in range(200)]
    shares = dict.fromkeys(words, 1 / 200)
    r = Recipe.of(
        {
            "name": "big",
            "variables": {v: {"values": words} for v in "abc"},
            "margins": [{"vars": [v], "table": shares} for v in "abc"],
        }
    )
    with pytest.raises(RecipeError, match="8,000,000 cells"):
        _ = r.fitted
