"""Standardised differences."""

import math

import numpy as np
import pytest
from scipy import stats

from personae.core import derive_rng
from personae.statistics import cohen_d, hedges_correction


def test_independent_d_and_its_noncentral_interval():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 1, 20), rng.normal(0, 1, 31)
    result, t = cohen_d(a, b), stats.ttest_ind(a, b).statistic
    scale = math.sqrt(1 / 20 + 1 / 31)
    assert result.value == pytest.approx(t * scale)
    assert stats.nct.cdf(t, 49, result.interval.low / scale) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, 49, result.interval.high / scale) == pytest.approx(0.025, abs=1e-6)


def test_paired_d_is_d_z():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=15), rng.normal(size=15)
    d = a - b
    assert cohen_d(a, b, design="paired").value == pytest.approx(d.mean() / d.std(ddof=1))
    repeated = cohen_d(np.repeat(a, 3), np.repeat(b, 3), np.repeat(range(15), 3), design="paired")
    assert repeated.value == pytest.approx(d.mean() / d.std(ddof=1))
    assert repeated.clusters == 15


def test_swapping_the_samples_mirrors_d():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=9), rng.normal(1, 1, 12)
    one, other = cohen_d(a, b), cohen_d(b, a)
    assert (one.value, one.interval.low) == pytest.approx((-other.value, -other.interval.high))


def test_hedges_correction():
    assert hedges_correction(20) == pytest.approx(1 - 3 / (4 * 20 - 1), abs=1e-4)
    assert math.isnan(hedges_correction(1))
    a, b = [1, 2, 4, 3], [0, 1, 2, 0]
    plain, corrected = cohen_d(a, b), cohen_d(a, b, hedges=True)
    for one, other in ((plain.value, corrected.value), (plain.interval.high, corrected.interval.high)):
        assert other == pytest.approx(one * hedges_correction(6))


def test_hedges_makes_d_unbiased():
    rng = np.random.default_rng(4)
    values = [cohen_d(rng.normal(0.8, 1, 5), rng.normal(0, 1, 5), hedges=True).value for _ in range(800)]
    assert np.mean(values) == pytest.approx(0.8, abs=4 * np.std(values) / math.sqrt(800))


def test_no_spread_or_too_few_is_nan_with_a_reason():
    assert "no variation" in (cohen_d([1, 1], [2, 2]).reason or "")
    assert "at least 2" in (cohen_d([1], [2, 3]).reason or "")
    assert "do not vary" in (cohen_d([1, 2], [0, 1], design="paired").reason or "")
    assert "at least 2" in (cohen_d([1, None], [0, 1], design="paired").reason or "")


@pytest.mark.parametrize("size", [3, 30, 300, 3000])
@pytest.mark.parametrize("shift", [0.0, 0.4, 8.0, 100.0, 1e5, -100.0])
def test_interval_of_any_size_of_effect_inverts_the_noncentral_t(size, shift):
    from personae.statistics._noncentral import d_interval

    df = size - 1
    ends = d_interval(shift / math.sqrt(size), 1 / math.sqrt(size), df, 0.95)
    low, high = stats.chi.ppf([1e-13, 1 - 1e-13], df)
    nodes = np.linspace(low, high, 100_001)
    weights = stats.chi.pdf(nodes, df) * (nodes[1] - nodes[0])
    weights[[0, -1]] /= 2
    for end, share in ((ends.low, 0.975), (ends.high, 0.025)):
        below = weights @ stats.norm.cdf(shift * nodes / math.sqrt(df) - end * math.sqrt(size))
        assert below == pytest.approx(share, abs=1e-5)


def test_interval_covers():
    held = 0
    for world in range(300):
        rng = derive_rng(5, "world", world)
        held += cohen_d(rng.normal(0.7, 1, 12), rng.normal(0, 1, 14)).interval.contains(0.7)
    assert 0.91 <= held / 300 <= 0.99
