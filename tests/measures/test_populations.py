"""Two populations compared: hand-made tables, real ones, and both kinds of columns alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from personae.core import InputError, UnknownKeyError
from personae.creation import Population
from personae.measures import association_map, compare_populations

ONE = {"a": np.array(["x", "x", "y", "y"]), "b": np.array(["p", "p", "q", "q"]), "age": np.array([1.5, 2, 3, 4])}
TWO = {"a": np.array(["x", "y", "x", "y"]), "b": np.array(["p", "p", "q", "q"])}


def test_by_hand() -> None:
    found = compare_populations(ONE, TWO)
    assert found.people == (4, 4)
    assert [v.distance for v in found.variables] == [0, 0]
    (pair,) = found.pairs
    assert pair.names == ("a", "b")
    assert pair.v == pytest.approx((1, 0), abs=1e-7)
    assert pair.srmse == pytest.approx(1)  # every cell is .25 off the .25 expected
    assert found.mean_srmse == pair.srmse


def test_values_that_only_one_side_has() -> None:
    (a,) = compare_populations({"a": ["x", "x", "z", None]}, {"a": ["x", "y"]}).variables
    assert a.values == ("x", "y", "z")
    assert a.missing == (1, 0)
    assert a.differences == pytest.approx((2 / 3 - 1 / 2, -1 / 2, 1 / 3))
    assert a.distance == pytest.approx(1 / 2)


def test_weights_count() -> None:
    weighted = {"a": ["x", "y"], "b": ["p", "q"], "weight": [3.0, 1.0]}
    (a, _) = compare_populations(weighted, {"a": ["x", "x", "x", "y"], "b": ["p", "p", "p", "q"]}).variables
    assert a.shares == ((0.75, 0.25), (0.75, 0.25))
    with pytest.raises(InputError, match="negative or NaN"):
        association_map({**weighted, "weight": [1.0, float("nan")]})


def test_arrow_and_arrays_say_the_same() -> None:
    one, two = Population("harbour_town", 400, 1), Population("harbour_town", 300, 2)
    by_array = compare_populations(one.columns(), two.columns(names=True))
    by_arrow = compare_populations(one.arrow(names=True), two.arrow())
    assert by_array.variables == by_arrow.variables
    assert by_array.pairs == by_arrow.pairs
    assert {v.name for v in by_array.variables} >= set(one.recipe.variables)
    assert "names.full" not in {v.name for v in by_array.variables}


def test_a_population_is_like_itself_and_less_like_one_without_its_associations() -> None:
    people = Population("us_adults", 3000, 1)
    columns = people.columns(details=False)
    rng = np.random.default_rng(0)
    shuffled = {name: rng.permutation(values) for name, values in columns.items()}
    again = Population("us_adults", 3000, 2).columns(details=False)
    assert compare_populations(columns, columns).mean_srmse == 0
    assert compare_populations(again, columns).mean_srmse < compare_populations(shuffled, columns).mean_srmse / 2
    real, broken = association_map(columns), association_map(shuffled)
    at = (real.names.index("education"), real.names.index("occupation"))
    assert real.v[at] > 0.3 > broken.v[at]
    assert association_map(columns, corrected=True).v[at] < real.v[at]


def test_bad_input() -> None:
    with pytest.raises(UnknownKeyError, match="aeg"):
        compare_populations(ONE, TWO, ["aeg"])
    with pytest.raises(InputError, match="no variable in common"):
        compare_populations({"a": ["x"]}, {"b": ["x"]})
    with pytest.raises(InputError, match="distinct values"):
        association_map(pa.table({"n": [str(k) for k in range(1000)]}))
