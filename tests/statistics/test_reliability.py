"""Reliability: hand values, statsmodels' factor analysis, and planted truths."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.multivariate.factor import Factor

from personae.core import InputError, derive_rng
from personae.statistics import cronbach_alpha, mcdonald_omega, spearman_brown, split_half


def scale(seed, n=300, loadings=(0.8, 0.7, 0.6, 0.5, 0.4)):
    rng = np.random.default_rng(seed)
    loadings = np.asarray(loadings)
    return rng.normal(size=(n, 1)) * loadings + rng.normal(size=(n, loadings.size)) * np.sqrt(1 - loadings**2)


def heywood(seed):
    """Sample correlations of exactly .8, .7 and .4: the first item would need a communality of .8 · .7 / .4 = 1.4."""
    x = np.random.default_rng(seed).normal(size=(60, 3))
    white = np.linalg.solve(np.linalg.cholesky(np.cov(x, rowvar=False)), x.T).T
    return white @ np.linalg.cholesky(np.array([[1, 0.8, 0.7], [0.8, 1, 0.4], [0.7, 0.4, 1]])).T


def test_alpha_by_hand():
    items = [[1, 2], [2, 2], [3, 5]]
    # variances 1 and 3, covariance 1.5, total 7: alpha = 2 · (1 − 4/7)
    assert cronbach_alpha(items).value == pytest.approx(6 / 7)


def test_feldt_interval_by_its_formula():
    result = cronbach_alpha(scale(1, 50))
    f = stats.f(49, 49 * 4)
    low, high = (1 - (1 - result.value) * f.ppf(q) for q in (0.975, 0.025))
    assert (result.interval.low, result.interval.high) == pytest.approx((low, high))


def test_alpha_missing_answers():
    items = scale(2, 200)
    whole = cronbach_alpha(items)
    holes = items.copy()
    holes[np.random.default_rng(3).random(items.shape) < 0.05] = np.nan
    listwise, pairwise = cronbach_alpha(holes), cronbach_alpha(holes, missing="pairwise")
    complete = ~np.isnan(holes).any(axis=1)
    assert listwise.value == pytest.approx(cronbach_alpha(items[complete]).value)
    assert listwise.missing == int((~complete).sum())
    assert pairwise.missing == int(np.isnan(holes).sum())
    assert pairwise.n > listwise.n
    assert pairwise.value == pytest.approx(whole.value, abs=0.03)
    assert cronbach_alpha(items, missing="pairwise").value == pytest.approx(whole.value)


def test_pairwise_covariance_is_that_of_complete_pairs():
    from personae.statistics._reliability import _pairwise_covariance

    data = scale(4, 30)
    data[::7, 0], data[::5, 1] = np.nan, np.nan
    both = ~np.isnan(data[:, [0, 1]]).any(axis=1)
    assert _pairwise_covariance(data)[0, 1] == pytest.approx(np.cov(data[both, 0], data[both, 1])[0, 1])


def test_alpha_may_be_negative_and_undefined():
    rng = np.random.default_rng(5)
    x = rng.normal(size=100)
    against = np.column_stack([x, -x + 0.3 * rng.normal(size=100)])
    assert cronbach_alpha(against).value < 0
    constant = cronbach_alpha(np.ones((10, 3)))
    assert math.isnan(constant.value)
    assert "does not vary" in (constant.reason or "")
    assert math.isnan(cronbach_alpha([[1, 2], [None, 1]]).value)
    assert not cronbach_alpha(np.repeat(np.arange(5.0)[:, None], 3, axis=1)).interval.known
    with pytest.raises(InputError, match="At least 2 items"):
        cronbach_alpha([[1], [2]])


def test_alpha_interval_covers():
    loadings, held = np.full(6, 0.6), 0
    total = loadings.sum() ** 2 + 6 * (1 - 0.36)
    truth = 6 / 5 * (1 - 6 / total)
    for world in range(300):
        rng = derive_rng(6, "world", world)
        items = rng.normal(size=(40, 1)) * 0.6 + rng.normal(size=(40, 6)) * 0.8
        held += cronbach_alpha(items).interval.contains(truth)
    assert 0.91 <= held / 300 <= 0.99


def test_omega_matches_the_factor_analysis_of_statsmodels():
    items = scale(7) * np.array([1, 2, 3, 1, 2])
    result = mcdonald_omega(items)
    expected = Factor(items, n_factor=1, method="ml").fit()
    loadings = np.abs(expected.loadings[:, 0])
    assert np.array(result.loadings) == pytest.approx(loadings, abs=2e-3)
    assert np.array(result.uniquenesses) == pytest.approx(np.asarray(expected.uniqueness), abs=3e-3)
    spread = items.std(axis=0, ddof=1)
    shared = (loadings * spread).sum() ** 2
    assert result.value == pytest.approx(shared / (shared + (expected.uniqueness * spread**2).sum()), abs=2e-3)
    assert result.converged
    assert not result.interval.known
    assert "pass rng" in (result.reason or "")


def test_omega_recovers_the_planted_reliability_and_beats_alpha_for_unequal_loadings():
    loadings = np.array([0.9, 0.8, 0.5, 0.3, 0.2])
    truth = loadings.sum() ** 2 / (loadings.sum() ** 2 + (1 - loadings**2).sum())
    items = scale(8, 4000, loadings)
    result = mcdonald_omega(items, rng=9, draws=60)
    assert result.value == pytest.approx(truth, abs=0.02)
    assert result.interval.contains(result.value)
    assert result.interval.width < 0.06
    assert result.value > cronbach_alpha(items).value


def test_gradient_of_the_likelihood_is_its_derivative():
    """The slope handed to the optimiser is checked through its answer: no direction improves on it."""
    from personae.statistics._factor import _scaled_eigen, fit_one_factor

    matrix = np.corrcoef(scale(10), rowvar=False)
    fit = fit_one_factor(matrix)
    assert not isinstance(fit, str)

    def loss(u):
        rest = _scaled_eigen(matrix, u)[2]
        return float((rest - np.log(rest) - 1).sum())

    best = loss(fit.uniquenesses)
    for item in range(5):
        for step in (-0.02, 0.02):
            moved = fit.uniquenesses.copy()
            moved[item] += step
            assert loss(moved) > best


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (scale(11, 4), "more persons"),
        (scale(12)[:, :2], "3 items"),
        (np.column_stack([scale(13), np.ones(300)]), "[5] do not vary"),
        (np.column_stack([scale(14), scale(14)[:, 0]]), "singular"),
        (scale(15) * np.array([1, 1, -1, 1, 1]), "[2] load against"),
        (heywood(16), "Heywood"),
    ],
)
def test_unsound_omega_is_nan_with_a_reason(items, says):
    result = mcdonald_omega(items)
    assert math.isnan(result.value)
    assert not result.converged
    assert says in (result.reason or "")


def test_split_half_steps_up_the_correlation_of_halves():
    items = scale(17)
    odd, even = items[:, ::2].sum(axis=1), items[:, 1::2].sum(axis=1)
    r = np.corrcoef(odd, even)[0, 1]
    result = split_half(items)
    assert result.value == pytest.approx(2 * r / (1 + r))
    ends = stats.pearsonr(odd, even).confidence_interval()
    assert result.interval.low == pytest.approx(spearman_brown(ends.low))
    other = split_half(items, first_half=[True, True, False, False, False])
    assert other.value != result.value
    assert math.isnan(split_half(np.ones((9, 4))).value)
    assert math.isnan(split_half(np.full((3, 2), np.nan)).value)
    with pytest.raises(InputError, match="first_half"):
        split_half(items, first_half=[True] * 5)


def test_spearman_brown_round_trip():
    assert spearman_brown(spearman_brown(0.4, 3), 1 / 3) == pytest.approx(0.4)
    assert math.isnan(spearman_brown(-1.0))
