"""Randomisation tests: against enumeration and SciPy, and their level in simulated worlds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from personae.core import InputError
from personae.statistics import (
    flagged_bounds,
    permutation_test,
    permutation_test_correlation,
    permutation_test_two_sample,
    sign_flip_test,
    worlds,
)

ALTERNATIVES = ["two-sided", "greater", "less"]


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_exact_sign_flip_matches_scipy(alternative):
    d = np.random.default_rng(1).normal(0.3, 1, 9)
    ours = sign_flip_test(d, alternative=alternative)
    scipys = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=10_000, alternative=alternative
    )
    assert ours.p == pytest.approx(scipys.pvalue)
    assert (ours.statistic, ours.n, ours.draws) == (pytest.approx(d.mean()), 9, None)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_exact_sign_flip_is_the_share_of_all_sign_vectors(d):
    sums = [sum(s * v for s, v in zip(signs, d, strict=True)) for signs in itertools.product((1, -1), repeat=len(d))]
    expected = np.mean([abs(s) >= abs(sum(d)) for s in sums])
    assert sign_flip_test(d).p == pytest.approx(expected)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_monte_carlo_sign_flip_is_near_the_exact_one(alternative):
    d = np.random.default_rng(2).normal(0.3, 1, 14)
    exact = sign_flip_test(d, alternative=alternative)
    drawn = sign_flip_test(d, alternative=alternative, exact_up_to=0, rng=3, draws=20_000)
    assert drawn.draws == 20_000
    assert drawn.p == pytest.approx(exact.p, abs=4 * math.sqrt(0.25 / 20_000))


def test_monte_carlo_p_is_never_zero():
    result = sign_flip_test(np.ones(60), rng=1, draws=99, alternative="greater")
    assert result.p == pytest.approx(1 / 100)


def test_sign_flip_flips_whole_clusters():
    d = np.random.default_rng(4).normal(size=8)
    once, copied = sign_flip_test(d), sign_flip_test(np.repeat(d, 6), np.repeat(np.arange(8), 6))
    assert copied.p == pytest.approx(once.p)
    assert copied.n == 8


def test_sign_flip_without_data_or_difference():
    assert math.isnan(sign_flip_test([None]).p)
    assert sign_flip_test([None]).reason == "no observed differences"
    assert sign_flip_test([0.0, 0.0]).p == 1.0


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_correlation_permutation_matches_enumeration(kind, alternative):
    rng = np.random.default_rng(5)
    x = rng.normal(size=6)
    y = x + rng.normal(size=6)
    ours = permutation_test_correlation(x, y, kind=kind, alternative=alternative, rng=6, draws=20_000)
    of = (lambda a, b: np.corrcoef(a, b)[0, 1]) if kind == "pearson" else (lambda a, b: stats.spearmanr(a, b)[0])
    observed = of(x, y)
    null = np.array([of(x, y[list(order)]) for order in itertools.permutations(range(6))])
    hits = {"greater": null >= observed - 1e-9, "less": null <= observed + 1e-9}
    expected = (hits.get(alternative, np.abs(null) >= abs(observed) - 1e-9)).mean()
    assert ours.statistic == pytest.approx(observed)
    assert ours.p == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 20_000))


def test_groups_move_as_blocks():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)) + np.array([0, 5, 10])
    x += np.array([0, 3, 9])  # both differ by column, which must not look like an effect
    null = []
    for order in itertools.permutations(range(6)):
        null.append(np.corrcoef(x.ravel(), y[list(order)].ravel())[0, 1])
    null = np.array(null)
    observed = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    expected = (np.abs(null - null.mean()) >= abs(observed - null.mean()) - 1e-12).mean()
    shuffle = rng.permutation(6)
    groups = np.repeat([f"person {i}" for i in shuffle], 3)
    result = permutation_test_correlation(x.ravel(), y.ravel(), groups, rng=8, draws=20_000)
    assert result.n == 6
    assert result.p == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 20_000))


def test_strata_keep_units_at_home():
    from personae.statistics._permutation import _permutations

    strata = np.array([0, 1, 0, 1, 1, 2])
    orders = _permutations(np.random.default_rng(9), 6, 500, strata)
    assert (strata[orders] == strata).all()
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert len({tuple(row) for row in orders}) == 2 * 6


def test_strata_remove_a_difference_between_strata():
    rng = np.random.default_rng(10)
    strata = np.repeat([0, 1], 30)
    x, y = rng.normal(size=60) + 4 * strata, rng.normal(size=60) + 4 * strata
    assert permutation_test_correlation(x, y, rng=11).p < 0.01
    assert permutation_test_correlation(x, y, strata=strata, rng=11).p > 0.05


def test_correlation_permutation_refuses_broken_blocks():
    with pytest.raises(InputError, match="same number"):
        permutation_test_correlation([1, 2, 3], [1, 2, 4], ["a", "a", "b"], rng=1)
    with pytest.raises(InputError, match="missing"):
        permutation_test_correlation([1, 2, None, 3], [1, 2, 4, 3], ["a", "a", "b", "b"], rng=1)
    with pytest.raises(InputError, match="same stratum"):
        permutation_test_correlation([1, 2, 0, 3], [1, 2, 4, 3], ["a", "a", "b", "b"], strata=[1, 2, 1, 1], rng=1)


def test_constant_side_has_no_p():
    result = permutation_test_correlation([1, 1, 1, None], [1, 2, 3, 4], rng=1)
    assert math.isnan(result.p)
    assert result.reason == "x or y does not vary"
    assert result.missing == 1


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_general_permutation_test_matches_scipy(alternative):
    rng = np.random.default_rng(12)
    x = rng.normal(size=6)
    y = 0.5 * x + rng.normal(size=6)
    ours = permutation_test(lambda a, b: float(a @ b), x, y, alternative=alternative, rng=13, draws=5000)
    scipys = stats.permutation_test(
        (y,), lambda b: float(x @ b), permutation_type="pairings", n_resamples=1000, alternative=alternative,
        vectorized=False,
    )  # fmt: skip
    assert ours.p == pytest.approx(scipys.pvalue, abs=0.04)


def test_general_permutation_test_takes_tables_and_strata_and_refuses_nan():
    rng = np.random.default_rng(14)
    x, strata = rng.normal(size=(12, 2)), np.repeat([0, 1, 2], 4)
    result = permutation_test(
        lambda a, b: -float(np.linalg.norm(a - b)), x, x, strata=strata, alternative="greater", rng=15, draws=199
    )
    assert result.p == pytest.approx(1 / 200)
    assert result.n == 12
    with pytest.raises(InputError, match="NaN"):
        permutation_test(lambda a, b: math.nan, [1, 2], [3, 4], rng=1)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("statistic", ["mean", "welch"])
def test_two_sample_permutation_matches_scipy(statistic, alternative):
    rng = np.random.default_rng(16)
    a, b = rng.normal(0.8, 1, 6), rng.normal(0, 1, 5)

    def measure(u, v, axis=-1):
        if statistic == "mean":
            return np.mean(u, axis) - np.mean(v, axis)
        return stats.ttest_ind(u, v, axis=axis, equal_var=False).statistic

    ours = permutation_test_two_sample(a, b, statistic=statistic, alternative=alternative, rng=17, draws=20_000)
    scipys = stats.permutation_test((a, b), measure, n_resamples=10_000, alternative=alternative)
    assert ours.statistic == pytest.approx(measure(a, b))
    assert ours.p == pytest.approx(scipys.pvalue, abs=0.02)


def test_two_sample_permutation_compares_clusters():
    rng = np.random.default_rng(18)
    a, b = rng.normal(size=7), rng.normal(size=8)
    once = permutation_test_two_sample(a, b, rng=19)
    copied = permutation_test_two_sample(
        np.repeat(a, 4), np.repeat(b, 4), np.repeat(np.arange(7), 4), np.repeat(np.arange(8), 4), rng=19
    )
    assert copied.p == once.p
    assert copied.n == 15


def test_two_sample_permutation_says_when_it_cannot():
    assert "at least 2" in (permutation_test_two_sample([1], [1, 2], rng=1).reason or "")
    assert "no variation" in (permutation_test_two_sample([1, 1], [1, 1], rng=1).reason or "")
    # no spread inside the samples: the largest possible statistic, 2 of the 20 assignments reach it
    result = permutation_test_two_sample([1, 1, 1], [0, 0, 0], rng=1, draws=5000)
    assert result.statistic == math.inf
    assert result.p == pytest.approx(0.1, abs=0.02)


def null_sign_flip(rng, size=24):
    return rng.standard_t(3, size)


def null_people(rng):
    shared = rng.normal(size=(2, 24, 1))
    return shared + rng.normal(size=(2, 24, 5)) + np.arange(5)


PEOPLE = np.repeat(np.arange(24), 5)

LEVELS = {
    "sign flip": (null_sign_flip, lambda d, rng: sign_flip_test(d, rng=rng, draws=499)),
    "exact sign flip": (lambda rng: null_sign_flip(rng, 12), lambda d, rng: sign_flip_test(d)),
    "people": (
        null_people,
        lambda xy, rng: permutation_test_correlation(xy[0].ravel(), xy[1].ravel(), PEOPLE, rng=rng, draws=499),
    ),
    "rows": (
        lambda rng: rng.exponential(size=(2, 20)),
        lambda xy, rng: permutation_test_correlation(*xy, kind="spearman", rng=rng, draws=499),
    ),
    "two samples": (
        lambda rng: (rng.normal(size=15), rng.normal(size=9)),
        lambda ab, rng: permutation_test_two_sample(*ab, rng=rng, draws=499),
    ),
}


@pytest.mark.parametrize("name", LEVELS)
def test_null_worlds_are_flagged_at_the_level_smoke(name):
    count = worlds(200, 31, *LEVELS[name])
    assert flagged_bounds(200, 0.05, level=0.999).contains(count.flagged)
    assert count.undefined == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_null_worlds_are_flagged_at_the_level(name):
    count = worlds(1000, 32, *LEVELS[name])
    assert flagged_bounds(1000, 0.05).contains(count.flagged)


def test_rows_of_people_tested_as_if_independent_are_flagged_too_often():
    """The control of the control: ignoring the unit of randomisation must show."""
    test = lambda xy, rng: permutation_test_correlation(xy[0].ravel(), xy[1].ravel(), rng=rng, draws=199)
    simulate = lambda rng: rng.normal(size=(2, 24, 1)) * 2 + rng.normal(size=(2, 24, 5))
    assert worlds(200, 33, simulate, test).flagged > flagged_bounds(200, 0.05, level=0.999).high
