"""Whole people: hard margins exact, several at once, never in a forbidden cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import RecipeError
from personae.creation import Population, Recipe, largest_remainder
from personae.creation import _quota as quota


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda x: sum(x) > 0.01), st.integers(1, 5000))
@settings(max_examples=80, deadline=None)
def test_largest_remainder_keeps_to_the_quota(weights: list[float], n: int) -> None:
    shares = np.array(weights) / sum(weights)
    counts = largest_remainder(shares, n)
    assert counts.sum() == n
    assert (counts >= np.floor(shares * n - 1e-6)).all()
    assert (counts <= np.ceil(shares * n + 1e-6)).all()


def test_largest_remainder_breaks_ties_by_position() -> None:
    assert largest_remainder(np.array([1, 1, 1, 1]) / 4, 6).tolist() == [2, 2, 1, 1]
    assert largest_remainder(np.array([0.1 + 0.2, 0.3, 0.4]), 5).tolist() == [2, 1, 2]


def random_recipe(seed: int, *, hard: int) -> Recipe:
    """Margins taken from a random joint table, so that they agree; one random pair of values is forbidden."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 5, size=3)
    weights = rng.integers(1, 20, size=sizes).astype(float)
    i, j = rng.integers(0, sizes[0]), rng.integers(0, sizes[1])
    weights[i, j, :] = 0
    names = ["x", "y", "z"]
    labels = {v: [f"{v}{c}" for c in range(size)] for v, size in zip(names, sizes.tolist(), strict=True)}
    options = [("x", "y"), ("y", "z"), ("x",), ("x", "z"), ("z",)]
    picked = [options[c] for c in rng.permutation(len(options))]
    margins: list[dict[str, Any]] = []
    for c, vars_ in enumerate(picked):
        axes = tuple(a for a, v in enumerate(names) if v not in vars_)
        body = weights.sum(axis=axes)
        cells = [
            " | ".join(labels[v][k] for v, k in zip(vars_, index, strict=True)) for index in np.ndindex(body.shape)
        ]
        margins.append(
            {
                "vars": list(vars_),
                "unit": "count",
                "hard": c < hard,
                "table": dict(zip(cells, body.ravel().tolist(), strict=True)),
            }
        )
    return Recipe.of(
        {
            "name": "random",
            "variables": {v: {"values": words} for v, words in labels.items()},
            "margins": margins,
            "rules": [{"code": "never", "forbid": {"x": f"x{i}", "y": f"y{j}"}}],
        }
    )


@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_one_hard_margin_has_its_largest_remainder_counts(seed: int, n: int, root: int) -> None:
    recipe = random_recipe(seed, hard=1)
    people = Population(recipe, n, root)
    hard = recipe.margins[0]
    rows = [row for row in people.fit().rows if row.hard]
    assert [row.count for row in rows] == largest_remainder(recipe.shares(hard), n).tolist()
    assert sum(row.count for row in rows) == n


@given(st.integers(0, 10**6), st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_several_hard_margins_are_floors_or_ceilings_and_agree(seed: int, n: int) -> None:
    recipe = random_recipe(seed, hard=2)
    fit = Population(recipe, n, 1).fit()
    assert fit.hard_exact
    for row in fit.rows:
        if row.hard:
            assert abs(row.count - row.target_share * n) < 1
    own = [largest_remainder(recipe.shares(m), n).tolist() for m in recipe.margins if m.hard]
    counted = [[r.count for r in fit.rows if r.margin == m.name] for m in recipe.margins if m.hard]
    shared = set(recipe.margins[0].vars) & set(recipe.margins[1].vars)
    if not shared:
        assert counted == own


@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_structural_zeros_never_appear(seed: int, n: int, hard: int) -> None:
    recipe = random_recipe(seed, hard=min(hard, 2))
    columns = Population(recipe, n, 3).columns()
    assert not recipe.rules[0].mask({v: columns[v] for v in ("x", "y")}).any()


@given(st.integers(0, 10**6), st.integers(2, 200), st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_another_seed_changes_people_not_quotas(seed: int, n: int, root: int) -> None:
    recipe = random_recipe(seed, hard=2)
    one, two = Population(recipe, n, root), Population(recipe, n, root + 1)
    counts = [[(r.margin, r.cell, r.count) for r in p.fit().rows if r.hard] for p in (one, two)]
    assert counts[0] == counts[1]
    assert one.person(0) != two.person(0)


def test_a_margin_inside_another_keeps_both_as_near_as_whole_people_allow() -> None:
    recipe = Recipe.of(
        {
            "name": "nested",
            "variables": {"a": {"values": ["a1", "a2"]}, "b": {"values": ["b1", "b2", "b3"]}},
            "margins": [
                {"vars": ["a"], "hard": True, "table": {"a1": 0.5, "a2": 0.5}},
                {"vars": ["a", "b"], "hard": True, "table": {
                    "a1": {"b1": 0.18, "b2": 0.18, "b3": 0.14}, "a2": {"b1": 0.16, "b2": 0.17, "b3": 0.17}}},
            ],
        }
    )  # fmt: skip
    for n in range(1, 24):
        fit = Population(recipe, n, 0).fit()
        assert fit.hard_exact
        assert all(abs(r.count - r.target_share * n) < 1 for r in fit.rows)


def test_three_quotas_at_once_on_a_cube() -> None:
    """x differs from y, y differs from z: then x equals z. Asking for x unequal z as well leaves nobody."""
    other = {"0": {"0": 0.0, "1": 0.5}, "1": {"0": 0.5, "1": 0.0}}
    same = {"0": {"0": 0.5, "1": 0.0}, "1": {"0": 0.0, "1": 0.5}}

    def cube(last: dict[str, dict[str, float]]) -> Recipe:
        pairs = ((["x", "y"], other), (["y", "z"], other), (["x", "z"], last))
        margins = [{"vars": names, "hard": True, "table": table} for names, table in pairs]
        return Recipe.of({"name": "cube", "variables": {v: {"values": ["0", "1"]} for v in "xyz"}, "margins": margins})

    assert Population(cube(same), 10, 0).fit().hard_exact
    with pytest.raises(RecipeError, match="no combination"):
        Population(cube(other), 10, 0).fit()


def test_quotas_whose_own_roundings_clash_are_rounded_together() -> None:
    """All pairs of three variables uniform: for n = 2 the first cells of each pair cannot all be taken."""
    even = {"0": {"0": 0.25, "1": 0.25}, "1": {"0": 0.25, "1": 0.25}}
    margins = [{"vars": list(pair), "hard": True, "table": even} for pair in ("xy", "yz", "xz")]
    recipe = Recipe.of({"name": "cube", "variables": {v: {"values": ["0", "1"]} for v in "xyz"}, "margins": margins})
    for n in range(1, 13):
        fit = Population(recipe, n, 0).fit()
        assert fit.hard_exact
        assert all(abs(row.count - n / 4) < 1 for row in fit.rows)


def test_shortfall_error_counts_people() -> None:
    recipe = Recipe.of(
        {
            "name": "t",
            "variables": {"a": {"values": ["p", "q"]}, "b": {"values": ["r"]}},
            "margins": [
                {"vars": ["a"], "hard": True, "table": {"p": 0.5, "q": 0.5}},
                {"vars": ["b"], "hard": True, "table": {"r": 1}},
            ],
        }
    )
    indexes = [np.array([0, 1]), np.array([0, 0])]
    quotas = [np.array([3, 2]), np.array([4])]
    error = quota._shortfall(recipe, list(recipe.margins), indexes, quotas, np.array([2.5, 1.5]), 4)
    assert "by 1 of" in str(error)
    assert "no 4 whole people" in str(error)


def test_soft_margins_are_close_even_for_few_people() -> None:
    for n in (24, 100, 1000):
        fit = Population("harbour_town", n, 5).fit()
        soft = [row for row in fit.rows if not row.hard]
        assert max(abs(row.count - row.target_count) for row in soft) <= 2
