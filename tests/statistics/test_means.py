"""Means over units of randomisation: against formulas, matrices and simulated worlds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from personae.core import derive_rng
from personae.statistics import cluster_means, mean_interval, paired_interval


def test_cluster_means_leave_out_missing_values_and_empty_clusters():
    result = cluster_means([1, 3, None, 5, math.nan], ["b", "b", "b", "a", "c"])
    assert result.labels.tolist() == ["a", "b"]
    assert result.means.tolist() == [5.0, 2.0]
    assert result.sizes.tolist() == [1.0, 2.0]
    assert result.missing == 2


def test_an_interval_is_cut_to_what_the_mean_can_be():
    wide = mean_interval([0.0, 1.0])
    assert wide.interval.low < 0 < 1 < wide.interval.high
    cut = wide.within(0, 1)
    assert (cut.interval.low, cut.interval.high, cut.value, cut.clusters) == (0, 1, 0.5, 2)
    assert mean_interval([0.4, 0.5, 0.6]).within(0, 1) == mean_interval([0.4, 0.5, 0.6])
    nothing = mean_interval([1.0]).within(0, 1)
    assert not nothing.interval.known
    assert nothing.reason == mean_interval([1.0]).reason


def test_t_interval_is_students():
    x = np.random.default_rng(1).normal(size=17)
    result = mean_interval(x)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.low, expected.high))
    assert (result.n, result.clusters, result.missing, result.reason) == (17, 17, 0, None)


def test_t_interval_over_clusters_is_students_over_their_means():
    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 9, 60)
    x = rng.normal(size=60)
    means = [x[clusters == c].mean() for c in range(9)]
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.9)
    result = mean_interval(x, clusters, level=0.9)
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.low, expected.high))
    assert (result.n, result.clusters) == (60, 9)


def test_rows_repeated_inside_a_cluster_do_not_narrow_the_interval():
    x = np.random.default_rng(3).normal(size=12)
    once = mean_interval(x)
    tenfold = mean_interval(np.repeat(x, 10), np.repeat(np.arange(12), 10))
    assert tenfold.interval.width == pytest.approx(once.interval.width)


def test_observation_weighting_matches_the_cr2_matrix_form():
    rng = np.random.default_rng(4)
    sizes = [1, 2, 5, 9, 3, 4]
    clusters = np.repeat(np.arange(6), sizes)
    n = clusters.size
    x = rng.normal(size=n) + rng.normal(size=6)[clusters]
    result = mean_interval(x, clusters, weighting="observations")
    residual, maker = x - x.mean(), np.eye(n) - np.full((n, n), 1 / n)
    variance, freedoms, vectors = 0.0, [], []
    for c in range(6):
        rows = np.flatnonzero(clusters == c)
        values, basis = np.linalg.eigh(maker[np.ix_(rows, rows)])
        root = basis @ np.diag(values**-0.5) @ basis.T
        variance += (np.ones(rows.size) @ root @ residual[rows] / n) ** 2
        vectors.append(maker[:, rows] @ root @ np.ones(rows.size) / n)
    for working in (np.eye(n), (clusters[:, None] == clusters[None, :]).astype(float)):
        spread = np.array(vectors) @ working @ np.array(vectors).T
        freedoms.append(np.trace(spread) ** 2 / (spread**2).sum())
    half = stats.t.ppf(0.975, min(freedoms)) * math.sqrt(variance)
    assert result.value == pytest.approx(x.mean())
    assert result.interval.high - result.value == pytest.approx(half)


def test_weightings_agree_for_equal_clusters():
    x, clusters = np.random.default_rng(5).normal(size=40), np.repeat(np.arange(8), 5)
    by_cluster = mean_interval(x, clusters)
    by_row = mean_interval(x, clusters, weighting="observations")
    assert by_row.interval.low == pytest.approx(by_cluster.interval.low)


@pytest.mark.parametrize("method", ["t", "bootstrap-t", "percentile"])
def test_one_cluster_gives_no_interval_and_says_so(method):
    result = mean_interval([1.0, 2.0, 3.0], ["a", "a", "a"], method=method, rng=1)
    assert result.value == 2.0
    assert not result.interval.known
    assert "one cluster" in (result.reason or "")


@pytest.mark.parametrize("method", ["t", "bootstrap-t", "percentile"])
@pytest.mark.parametrize("weighting", ["clusters", "observations"])
def test_no_variation_is_no_zero_width(method, weighting):
    clusters = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8])
    result = mean_interval(np.full(36, 0.1), clusters, method=method, weighting=weighting, rng=1)
    assert result.value == pytest.approx(0.1)
    assert not result.interval.known
    assert "no variation" in (result.reason or "")


def test_nothing_observed_is_nan_with_a_reason():
    result = mean_interval([None, math.nan])
    assert math.isnan(result.value)
    assert result.missing == 2
    assert result.n == 0
    assert result.reason == "no observed values" == result.interval.reason


def test_studentised_bootstrap_refuses_two_clusters():
    result = mean_interval([1.0, 2.0], method="bootstrap-t", rng=1)
    assert not result.interval.known
    assert "method='t'" in (result.reason or "")


def test_studentised_bootstrap_of_normal_data_lies_near_t():
    x = np.random.default_rng(6).normal(size=60)
    t, boot = mean_interval(x), mean_interval(x, method="bootstrap-t", rng=7, draws=20_000)
    assert boot.interval.low == pytest.approx(t.interval.low, abs=0.1 * t.interval.width)
    assert boot.interval.high == pytest.approx(t.interval.high, abs=0.1 * t.interval.width)


def test_studentised_bootstrap_leans_with_the_skew():
    x = np.random.default_rng(8).exponential(size=30)
    result = mean_interval(x, method="bootstrap-t", rng=9)
    assert result.interval.high - result.value > result.value - result.interval.low


@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_bootstrap_depends_on_the_seed_alone(method):
    x = np.random.default_rng(10).normal(size=20)
    assert mean_interval(x, method=method, rng=3) == mean_interval(x, method=method, rng=3)
    assert mean_interval(x, method=method, rng=3) != mean_interval(x, method=method, rng=4)


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(11)
    x, clusters = rng.normal(size=30), rng.integers(0, 6, 30)
    order = rng.permutation(30)
    first, second = mean_interval(x, clusters), mean_interval(x[order], clusters[order])
    assert first.interval.low == pytest.approx(second.interval.low)


@given(arrays(np.float64, 9, elements=st.floats(-100, 100, width=32)), st.floats(-50, 50), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_intervals_move_and_stretch_with_the_data(x, shift, scale):
    first, second = mean_interval(x), mean_interval(x * scale + shift)
    if first.interval.known and np.ptp(x) > 1e-3:
        assert second.interval.low == pytest.approx(first.interval.low * scale + shift, abs=1e-6)
        assert second.interval.high == pytest.approx(first.interval.high * scale + shift, abs=1e-6)


def test_paired_interval_and_d_z():
    rng = np.random.default_rng(12)
    a, b = rng.normal(1, 1, 24), rng.normal(0, 1, 24)
    result = paired_interval(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.low, expected.high))
    d = a - b
    assert result.d_z == pytest.approx(d.mean() / d.std(ddof=1))
    assert result.d_z_interval is not None
    assert result.d_z_interval.contains(result.d_z)
    t = stats.ttest_rel(a, b).statistic
    assert stats.nct.cdf(t, 23, result.d_z_interval.low * math.sqrt(24)) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, 23, result.d_z_interval.high * math.sqrt(24)) == pytest.approx(0.025, abs=1e-6)


def test_paired_interval_counts_a_half_missing_pair_as_missing():
    result = paired_interval([1.0, None, 3.0, 4.0], [0.0, 1.0, math.nan, 1.0])
    assert (result.n, result.missing, result.value) == (2, 2, 2.0)


def test_equal_differences_have_no_d_z():
    result = paired_interval([1.1, 2.1, 3.1], [1.0, 2.0, 3.0])
    assert math.isnan(result.d_z)
    assert result.d_z_interval is not None
    assert not result.d_z_interval.known


def coverage(n_worlds, seed, simulate, **options):
    """Share of worlds whose interval holds the true mean, 0."""
    held = 0
    for world in range(n_worlds):
        x, clusters = simulate(derive_rng(seed, "world", world))
        interval = mean_interval(x, clusters, rng=derive_rng(seed, "draws", world), **options).interval
        held += interval.contains(0.0)
    return held / n_worlds


def normal_worlds(rng):
    clusters = np.repeat(np.arange(20), 4)
    return rng.normal(size=80) + rng.normal(size=20)[clusters], clusters


def uneven_worlds(rng):
    sizes = np.tile([1, 2, 3, 6, 8], 5)
    clusters = np.repeat(np.arange(25), sizes)
    return rng.normal(size=sizes.sum()) + rng.normal(size=25)[clusters], clusters


def skewed_worlds(rng):
    return rng.gamma(2.0, 1.0, 30) - 2.0, None


CASES = [
    pytest.param(normal_worlds, {"method": "t"}, id="t"),
    pytest.param(normal_worlds, {"method": "bootstrap-t", "draws": 999}, id="bootstrap-t"),
    pytest.param(normal_worlds, {"method": "percentile", "draws": 999}, id="percentile"),
    pytest.param(uneven_worlds, {"method": "t", "weighting": "observations"}, id="t-uneven"),
    pytest.param(
        uneven_worlds, {"method": "bootstrap-t", "weighting": "observations", "draws": 999}, id="bootstrap-t-uneven"
    ),
    pytest.param(skewed_worlds, {"method": "bootstrap-t", "draws": 999}, id="bootstrap-t-skewed"),
]


@pytest.mark.parametrize(("simulate", "options"), CASES)
def test_coverage_smoke(simulate, options):
    assert 0.90 <= coverage(300, 2024, simulate, **options) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(("simulate", "options"), CASES)
def test_coverage_is_nominal(simulate, options):
    assert coverage(2000, 7, simulate, **options) == pytest.approx(0.95, abs=0.02)
