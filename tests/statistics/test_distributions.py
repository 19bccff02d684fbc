"""Categorical distributions, against SciPy and the laws of distances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from personae.core import InputError
from personae.statistics import (
    earth_movers_distance,
    entropy,
    jensen_shannon_divergence,
    total_variation_distance,
)

COUNTS = st.integers(2, 6).flatmap(
    lambda k: st.tuples(
        *[st.lists(st.integers(0, 50), min_size=k, max_size=k).filter(lambda counts: sum(counts) > 0)] * 3
    )
)
DISTANCES = [
    total_variation_distance,
    earth_movers_distance,
    lambda p, q: math.sqrt(jensen_shannon_divergence(p, q)),
]


@given(COUNTS)
@settings(max_examples=80, deadline=None)
def test_values_match_scipy(counts):
    p, q, _ = counts
    places = np.arange(len(p))
    assert entropy(p) == pytest.approx(stats.entropy(p, base=2), abs=1e-12)
    assert jensen_shannon_divergence(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-7)
    assert earth_movers_distance(p, q) == pytest.approx(stats.wasserstein_distance(places, places, p, q), abs=1e-12)
    shares = np.array(p) / sum(p), np.array(q) / sum(q)
    assert total_variation_distance(p, q) == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)


@pytest.mark.parametrize("distance", DISTANCES)
@given(COUNTS)
@settings(max_examples=40, deadline=None)
def test_distances_are_metrics(distance, counts):
    p, q, r = counts
    assert distance(p, p) == pytest.approx(0, abs=1e-7)
    assert distance(p, q) == pytest.approx(distance(q, p), abs=1e-7)
    assert distance(p, r) <= distance(p, q) + distance(q, r) + 1e-7


def test_ranges():
    assert total_variation_distance([1, 0], [0, 3]) == 1.0
    assert jensen_shannon_divergence([1, 0], [0, 3]) == pytest.approx(1.0)
    assert jensen_shannon_divergence([1, 0], [0, 3], base=math.e) == pytest.approx(math.log(2))
    assert earth_movers_distance([1, 0, 0], [0, 0, 1]) == 2.0
    assert earth_movers_distance([1, 0, 0], [0, 0, 1], positions=[1, 2, 10]) == 9.0
    assert entropy([3, 3, 3], normalised=True) == pytest.approx(1.0)
    assert entropy([5, 0, 0]) == 0.0
    assert math.isnan(entropy([4], normalised=True))


@pytest.mark.parametrize("call", [
    lambda: entropy([0, 0]),
    lambda: entropy([1, -1]),
    lambda: entropy([1, None]),
    lambda: entropy([1, 2], base=1),
    lambda: total_variation_distance([1, 2], [1, 2, 3]),
    lambda: earth_movers_distance([1, 2], [2, 1], positions=[1, 1]),
    lambda: earth_movers_distance([1, 2], [2, 1], positions=[1, 2, 3]),
])  # fmt: skip
def test_what_is_no_distribution_is_refused(call):
    with pytest.raises(InputError):
        call()
