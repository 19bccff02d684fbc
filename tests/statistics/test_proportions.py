"""Proportions, against statsmodels and simulated worlds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from personae.core import InputError, derive_rng
from personae.statistics import proportion_interval, proportion_upper_bound, rule_of_three, wilson_interval


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
@settings(max_examples=80, deadline=None)
def test_wilson_and_exact_bound_match_statsmodels(counts, level):
    k, n = counts
    interval = wilson_interval(k, n, level=level)
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)
    one_sided = proportion_confint(k, n, alpha=2 * (1 - level), method="beta")[1]
    assert proportion_upper_bound(k, n, level=level) == pytest.approx(one_sided, abs=1e-9)


def test_zero_of_n():
    assert rule_of_three(60) == pytest.approx(3 / 60, rel=0.002)
    assert rule_of_three(2) == 1.0
    assert proportion_upper_bound(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert proportion_upper_bound(0, 60) < rule_of_three(60)
    assert wilson_interval(0, 30).low == 0.0
    assert wilson_interval(30, 30).high == 1.0


def test_no_trials_is_missing_not_zero():
    assert not wilson_interval(0, 0).known
    assert wilson_interval(0, 0).reason == "no trials"
    assert math.isnan(rule_of_three(0))
    assert math.isnan(proportion_upper_bound(0, 0))
    assert math.isnan(proportion_interval([None]).value)


def test_proportion_of_independent_values_is_wilson():
    values = [1, 0, 1, 1, None, 0, 1]
    result, expected = proportion_interval(values), wilson_interval(4, 6)
    assert (result.value, result.n, result.missing) == (pytest.approx(4 / 6), 6, 1)
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.low, expected.high))


def test_clusters_widen_a_proportion():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.integers(0, 2, 20), 8)
    clustered = proportion_interval(values, np.repeat(np.arange(20), 8))
    assert clustered.clusters == 20
    assert clustered.interval.known
    assert clustered.interval.width > 2 * proportion_interval(values).interval.width


def test_all_zero_counts_clusters_not_rows():
    result = proportion_interval(np.zeros(80), np.repeat(np.arange(10), 8))
    assert result.interval.low == 0.0
    assert result.interval.high > wilson_interval(0, 10).high - 1e-12  # ten conversations, not eighty turns


def test_one_cluster_has_no_interval_and_other_numbers_are_refused():
    assert not proportion_interval([0, 1, 1], ["a"] * 3).interval.known
    with pytest.raises(InputError, match="0, 1"):
        proportion_interval([0.5, 1])


def coverage(n_worlds, seed):
    held, clusters = 0, np.repeat(np.arange(24), 6)
    for world in range(n_worlds):
        rng = derive_rng(seed, "world", world)
        values = rng.random(144) < rng.beta(1.2, 4.8, 24)[clusters]
        held += proportion_interval(values, clusters).interval.contains(0.2)
    return held / n_worlds


def test_clustered_coverage_smoke():
    assert 0.91 <= coverage(300, 3) <= 0.99


@pytest.mark.slow
def test_clustered_coverage_is_nominal():
    assert coverage(2000, 4) == pytest.approx(0.95, abs=0.02)
