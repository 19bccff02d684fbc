"""Correlations and their intervals."""

import math

import numpy as np
import pytest
from scipy import stats

from personae.core import InputError, derive_rng
from personae.statistics import correlation, correlation_interval


def pairs(seed, n=40, rho=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)


def test_pearson_and_fisher_interval_match_scipy():
    x, y = pairs(1)
    result, expected = correlation_interval(x, y), stats.pearsonr(x, y)
    assert result.value == pytest.approx(expected.statistic)
    ends = expected.confidence_interval(0.95)
    assert (result.interval.low, result.interval.high) == pytest.approx((ends.low, ends.high))


def test_spearman_with_ties_matches_scipy():
    x, y = (np.round(side) for side in pairs(2))
    value = correlation(x, y, kind="spearman")
    assert value == pytest.approx(stats.spearmanr(x, y).statistic)


def test_spearman_interval_is_wider_than_pearsons():
    x, y = pairs(3)
    ranks = stats.rankdata(x), stats.rankdata(y)
    pearson = correlation_interval(*ranks)
    spearman = correlation_interval(x, y, kind="spearman")
    assert spearman.value == pytest.approx(pearson.value)
    half = 1.959963985 * math.sqrt((1 + spearman.value**2 / 2) / 37)
    assert math.atanh(spearman.interval.high) == pytest.approx(math.atanh(spearman.value) + half)


@pytest.mark.parametrize("method", ["fisher", "jackknife", "bootstrap"])
@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_constant_side_is_nan_with_a_reason(kind, method):
    result = correlation_interval([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], kind=kind, method=method, rng=1)
    assert math.isnan(result.value)
    assert not result.interval.known
    assert result.reason == "x does not vary"


def test_rounding_noise_is_not_variation():
    x = np.full(10, 0.1) + np.array([0, 1e-17] * 5)
    assert math.isnan(correlation(x, np.arange(10)))


def test_perfect_and_tiny_samples_have_no_interval():
    perfect = correlation_interval(range(10), range(10))
    assert perfect.value == 1.0
    assert not perfect.interval.known
    assert "perfect" in (perfect.reason or "")
    tiny = correlation_interval([1, 2, 4], [1, 3, 2])
    assert not math.isnan(tiny.value)
    assert not tiny.interval.known
    assert "too few" in (tiny.reason or "")


def test_missing_pairs_are_counted():
    x, y = pairs(4)
    x[3], y[7] = np.nan, np.nan
    result = correlation_interval(x, y)
    assert (result.n, result.missing) == (38, 2)
    keep = [i for i in range(40) if i not in (3, 7)]
    assert result.value == pytest.approx(np.corrcoef(x[keep], y[keep])[0, 1])
    assert math.isnan(correlation([], []))


def test_fisher_refuses_clusters():
    with pytest.raises(InputError, match="jackknife"):
        correlation_interval([1, 2, 3], [1, 2, 4], clusters=[1, 1, 2])


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
@pytest.mark.parametrize("method", ["jackknife", "bootstrap"])
def test_resampled_intervals_of_many_independent_rows_lie_near_fisher(kind, method):
    x, y = pairs(5, n=300)
    formula = correlation_interval(x, y, kind=kind)
    other = correlation_interval(x, y, kind=kind, method=method, rng=6)
    assert other.interval.low == pytest.approx(formula.interval.low, abs=0.03)
    assert other.interval.high == pytest.approx(formula.interval.high, abs=0.03)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
@pytest.mark.parametrize("method", ["jackknife", "bootstrap"])
def test_copies_inside_a_cluster_do_not_narrow_the_interval(kind, method):
    x, y = pairs(7, n=30)
    once = correlation_interval(x, y, kind=kind, method=method, rng=8)
    copied = correlation_interval(
        np.repeat(x, 5), np.repeat(y, 5), clusters=np.repeat(np.arange(30), 5), kind=kind, method=method, rng=8
    )
    assert copied.clusters == 30
    assert copied.n == 150
    assert copied.interval.width == pytest.approx(once.interval.width, rel=0.02)


def test_linearised_error_agrees_with_a_direct_bootstrap():
    x, y = pairs(9, n=50)
    direct = stats.bootstrap(
        (x, y), lambda a, b: np.arctanh(np.corrcoef(a, b)[0, 1]), paired=True, vectorized=False,
        n_resamples=2000, rng=np.random.default_rng(10),
    )  # fmt: skip
    result = correlation_interval(x, y, method="bootstrap", rng=11)
    width = math.atanh(result.interval.high) - math.atanh(result.interval.low)
    assert width == pytest.approx(4 * direct.standard_error, rel=0.25)


def test_resampled_ranks_are_those_of_the_resample():
    from personae.statistics._correlation import _weighted_ranks

    rng = np.random.default_rng(12)
    x, y = rng.integers(0, 5, 20), rng.integers(0, 6, 20)
    drawn = rng.integers(0, 20, 20)
    weights = np.bincount(drawn, minlength=20).astype(float)[None, :]
    codes = [np.unique(side, return_inverse=True)[1] for side in (x, y)]
    assert _weighted_ranks(weights, *codes)[0] == pytest.approx(stats.spearmanr(x[drawn], y[drawn]).statistic)


def coverage(n_worlds, seed, **options):
    """Share of worlds of 24 people × 4 correlated rows whose interval holds the true correlation."""
    clusters, rho, held = np.repeat(np.arange(24), 4), 0.5, 0
    kind = options.get("kind", "pearson")
    truth = rho if kind == "pearson" else 6 / math.pi * math.asin(rho / 2)
    for world in range(n_worlds):
        rng = derive_rng(seed, "world", world)
        parts = [rng.normal(size=(2, 24))[:, clusters], rng.normal(size=(2, 96))]
        u, v = (parts[0] + parts[1]) / math.sqrt(2)
        y = rho * u + math.sqrt(1 - rho**2) * v
        interval = correlation_interval(
            u, y, clusters=clusters, rng=derive_rng(seed, "draws", world), draws=599, **options
        ).interval
        held += interval.contains(truth)
    return held / n_worlds


CASES = [("pearson", "jackknife"), ("pearson", "bootstrap"), ("spearman", "jackknife"), ("spearman", "bootstrap")]


@pytest.mark.parametrize(("kind", "method"), CASES[:3])
def test_clustered_coverage_smoke(kind, method):
    assert 0.90 <= coverage(150, 5, kind=kind, method=method) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method"), CASES)
def test_clustered_coverage_is_nominal(kind, method):
    assert coverage(2000, 6, kind=kind, method=method) == pytest.approx(0.95, abs=0.02)
