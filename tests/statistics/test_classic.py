"""Formula tests and multiplicity, against SciPy and statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from personae.core import InputError
from personae.statistics import benjamini_hochberg, exact_mcnemar, holm, welch_t_test


@given(st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_mcnemar_matches_statsmodels(b, c):
    expected = mcnemar([[5, b], [c, 7]], exact=True).pvalue if b + c else 1.0
    assert exact_mcnemar(b, c).p == pytest.approx(min(1.0, expected))


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_one_sided_mcnemar_is_binomial(alternative):
    expected = stats.binomtest(9, 12, 0.5, alternative=alternative).pvalue
    assert exact_mcnemar(9, 3, alternative=alternative).p == pytest.approx(expected)


def test_mcnemar_without_discordance_and_with_nonsense():
    assert exact_mcnemar(0, 0).p == 1.0
    assert exact_mcnemar(0, 0).reason == "no discordant pairs"
    with pytest.raises(InputError):
        exact_mcnemar(-1, 2)
    with pytest.raises(InputError):
        exact_mcnemar(1.5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_welch_matches_scipy(alternative):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 11), rng.normal(0, 3, 17)
    ours, expected = (
        welch_t_test(a, b, alternative=alternative),
        stats.ttest_ind(a, b, equal_var=False, alternative=alternative),
    )
    assert (ours.statistic, ours.p, ours.df) == pytest.approx((expected.statistic, expected.pvalue, expected.df))


def test_welch_compares_clusters_and_says_when_it_cannot():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=6), rng.normal(size=7)
    copied = welch_t_test(np.repeat(a, 3), np.repeat(b, 3), np.repeat(range(6), 3), np.repeat(range(7), 3))
    assert copied.p == pytest.approx(welch_t_test(a, b).p)
    assert math.isnan(welch_t_test([1], [1, 2]).p)
    assert "no variation" in (welch_t_test([1, 1], [2, 2]).reason or "")


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(P_VALUES)
@settings(max_examples=10, deadline=None)  # the oracle takes 0.1 s a call
def test_corrections_match_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@given(P_VALUES)
@settings(max_examples=60, deadline=None)
def test_corrections_never_shrink_p_and_holm_is_the_stricter(p):
    strict, mild = holm(p), benjamini_hochberg(p)
    assert (mild >= np.array(p) - 1e-12).all()
    assert (strict >= mild - 1e-12).all()
    assert (strict <= 1).all()


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_tests_that_could_not_be_made_do_not_count(correct):
    with_gaps = correct([math.nan, 0.01, 0.04, None, 0.03])
    assert np.isnan(with_gaps[[0, 3]]).all()
    assert with_gaps[[1, 2, 4]] == pytest.approx(correct([0.01, 0.04, 0.03]))
    assert np.isnan(correct([math.nan])).all()
    assert correct([]).size == 0


def test_corrections_refuse_numbers_that_are_no_p_values():
    with pytest.raises(InputError, match="outside 0 to 1"):
        holm([0.2, 1.2])
