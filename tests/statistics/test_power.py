"""Power by formula, against statsmodels and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import power_proportions_2indep

from personae.core import InputError
from personae.statistics import minimum_detectable_effect, power_correlation, power_mean, power_proportions


@pytest.mark.parametrize("n", [5, 24, 200])
@pytest.mark.parametrize(("sides", "word"), [(2, "two-sided"), (1, "larger")])
def test_mean_power_matches_statsmodels(n, sides, word):
    paired = TTestPower().power(0.4, n, 0.05, alternative=word)
    assert power_mean(0.4, n, sides=sides) == pytest.approx(paired, abs=1e-6)
    two = TTestIndPower().power(0.4, n, 0.05, ratio=2, alternative=word)
    assert power_mean(0.4, n, n_other=2 * n, sides=sides) == pytest.approx(two, abs=1e-6)


def test_minimum_detectable_means_match_statsmodels():
    paired = TTestPower().solve_power(nobs=24, alpha=0.05, power=0.8)
    assert minimum_detectable_effect("paired", 24) == pytest.approx(paired, abs=1e-5)
    two = TTestIndPower().solve_power(nobs1=30, alpha=0.05, power=0.95, ratio=0.5)
    assert minimum_detectable_effect("independent", 30, n_other=15, power=0.95) == pytest.approx(two, abs=1e-5)


def test_proportion_power_matches_statsmodels():
    expected = power_proportions_2indep(-0.2, 0.5, 80, ratio=1.5, alpha=0.05)
    assert power_proportions(0.3, 0.5, 80, n_other=120) == pytest.approx(float(expected.power), abs=0.002)


@pytest.mark.parametrize(
    ("kind", "options", "twin"),
    [
        ("paired", {}, lambda e: power_mean(e, 40)),
        ("independent", {"n_other": 25}, lambda e: power_mean(e, 40, n_other=25)),
        ("correlation", {}, lambda e: power_correlation(e, 40)),
        ("proportions", {"baseline": 0.3}, lambda e: power_proportions(0.3, 0.3 + e, 40)),
        ("proportions", {"baseline": 0.6, "direction": "down"}, lambda e: power_proportions(0.6, 0.6 - e, 40)),
    ],
)
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_the_smallest_effect_has_exactly_the_power(kind, options, twin, power):
    effect = minimum_detectable_effect(kind, 40, power=power, **options)
    assert effect > 0
    assert twin(effect) == pytest.approx(power, abs=1e-9)


def test_correlation_formula_by_hand():
    effect = minimum_detectable_effect("correlation", 85)
    assert effect == pytest.approx(0.3, abs=0.003)  # the textbook n for r = .3 at 80 % is 85
    assert power_correlation(0.0, 50) == pytest.approx(0.05)
    assert power_correlation(-0.3, 85) == pytest.approx(power_correlation(0.3, 85))


@pytest.mark.parametrize("n", [2, 3, 6, 40])
@pytest.mark.parametrize("noncentrality", [0.0, 1.0, 3.0, 4.9, 5.1, 7.5, 16.0, 60.0])
def test_mean_power_matches_numerical_integration(n, noncentrality):
    df = n - 1
    cut = stats.t.ppf(0.975, df)
    low, high = stats.chi.ppf([1e-13, 1 - 1e-13], df)
    nodes = np.linspace(low, high, 100_001)
    weights = stats.chi.pdf(nodes, df) * (nodes[1] - nodes[0])
    weights[[0, -1]] /= 2
    sides = (stats.norm.cdf(sign * noncentrality - cut * nodes / math.sqrt(df)) for sign in (1, -1))
    expected = sum(float(weights @ side) for side in sides)
    assert power_mean(noncentrality / math.sqrt(n), n) == pytest.approx(expected, abs=2e-5)


def test_null_power_is_alpha_and_power_grows_with_n():
    assert power_mean(0.0, 20) == pytest.approx(0.05)
    assert power_mean(0.0, 20, sides=1) == pytest.approx(0.05)
    assert power_proportions(0.4, 0.4, 50) == pytest.approx(0.05)
    rising = [power_mean(0.3, n) for n in (5, 20, 80, 320)]
    assert rising == sorted(rising)
    assert power_mean(-0.3, 80) == pytest.approx(power_mean(0.3, 80))
    assert power_mean(-0.5, 40, sides=1) < 0.01


def test_out_of_reach_is_nan():
    assert math.isnan(minimum_detectable_effect("paired", 1))
    assert math.isnan(minimum_detectable_effect("correlation", 3))
    assert math.isnan(minimum_detectable_effect("proportions", 20, baseline=1.0))
    assert math.isnan(minimum_detectable_effect("proportions", 10, baseline=0.9))
    assert math.isnan(minimum_detectable_effect("proportions", 0, baseline=0.5))
    assert power_proportions(0.0, 1.0, 10) == 1.0


@pytest.mark.parametrize("call", [
    lambda: power_correlation(1.0, 10),
    lambda: power_proportions(0.5, 1.5, 10),
    lambda: power_mean(0.5, 10, alpha=0),
    lambda: power_mean(0.5, 10, sides=3),
])  # fmt: skip
def test_nonsense_is_refused(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.slow
def test_power_holds_in_simulation():
    rng, reps = np.random.default_rng(2), 20_000
    tolerance = 4 * math.sqrt(0.16 / reps)
    d = minimum_detectable_effect("paired", 24)
    p = stats.ttest_1samp(rng.normal(d, 1, (reps, 24)), 0, axis=1).pvalue
    assert (p <= 0.05).mean() == pytest.approx(0.8, abs=tolerance)
    d = minimum_detectable_effect("independent", 20, n_other=30)
    p = stats.ttest_ind(rng.normal(d, 1, (reps, 20)), rng.normal(0, 1, (reps, 30)), axis=1).pvalue
    assert (p <= 0.05).mean() == pytest.approx(0.8, abs=tolerance)
    r = minimum_detectable_effect("correlation", 30)
    x, e = rng.normal(size=(2, reps, 30))
    y = r * x + math.sqrt(1 - r * r) * e
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    seen = (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))
    t = seen * np.sqrt(28 / (1 - seen**2))
    assert (np.abs(t) > stats.t.ppf(0.975, 28)).mean() == pytest.approx(0.8, abs=0.015)
    gap = minimum_detectable_effect("proportions", 150, baseline=0.3)
    a, b = rng.binomial(150, 0.3, reps) / 150, rng.binomial(150, 0.3 + gap, reps) / 150
    pooled = (a + b) / 2
    z = np.abs(a - b) / np.sqrt(pooled * (1 - pooled) * 2 / 150)
    assert (z > 1.959964).mean() == pytest.approx(0.8, abs=0.02)
