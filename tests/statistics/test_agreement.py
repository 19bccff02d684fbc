"""Agreement, classifier scores and AUC, against statsmodels, SciPy and hand counts."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from personae.core import InputError, derive_rng
from personae.statistics import auc, classifier_scores, cohen_kappa, wilson_interval


def ratings(seed, n=120, k=4):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, k, n)
    b = np.where(rng.random(n) < 0.6, a, rng.integers(0, k, n))
    return a, b


@pytest.mark.parametrize(("weights", "wt"), [("none", None), ("linear", "linear"), ("quadratic", "quadratic")])
def test_kappa_and_interval_match_statsmodels(weights, wt):
    a, b = ratings(1)
    table = np.zeros((4, 4))
    np.add.at(table, (a, b), 1)
    expected = cohens_kappa(table, wt=wt)
    result = cohen_kappa(a, b, weights=weights)
    assert result.value == pytest.approx(expected.kappa)
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.kappa_low, expected.kappa_upp))


def test_kappa_of_words_with_gaps():
    a = ["yes", "no", "yes", None, "no", "yes"]
    b = ["yes", "no", "no", "yes", "no", math.nan]
    result = cohen_kappa(a, b)
    assert (result.n, result.missing) == (4, 2)
    assert result.value == pytest.approx((0.75 - 0.5) / 0.5)


def test_categories_set_the_order_and_refuse_strangers():
    a, b = ["low", "high", "mid", "mid"], ["low", "high", "mid", "high"]
    ordered = cohen_kappa(a, b, weights="linear", categories=["low", "mid", "high"])
    alphabetic = cohen_kappa(a, b, weights="linear")
    assert ordered.value > alphabetic.value
    with pytest.raises(InputError, match="high"):
        cohen_kappa(a, b, categories=["low", "mid"])
    with pytest.raises(InputError, match="categories="):
        cohen_kappa(["a", 1], ["a", 1])


def test_kappa_edge_cases_have_reasons():
    perfect = cohen_kappa([0, 1, 0, 1], [0, 1, 0, 1])
    assert perfect.value == 1.0
    assert not perfect.interval.known
    assert "one and the same" in (cohen_kappa([1, 1], [1, 1]).reason or "")
    assert "no case" in (cohen_kappa([None], [1]).reason or "")
    with pytest.raises(InputError):
        cohen_kappa([1], [1, 2])


def test_clustered_kappa_is_wider_when_cases_are_copies():
    a, b = ratings(2, 40)
    once = cohen_kappa(a, b)
    copied = cohen_kappa(np.repeat(a, 5), np.repeat(b, 5), clusters=np.repeat(np.arange(40), 5))
    naive = cohen_kappa(np.repeat(a, 5), np.repeat(b, 5))
    assert copied.value == pytest.approx(once.value)
    assert copied.clusters == 40
    assert copied.interval.width == pytest.approx(once.interval.width, rel=0.15)
    assert naive.interval.width < 0.6 * copied.interval.width
    assert not cohen_kappa(a, b, clusters=np.zeros(40)).interval.known


def test_classifier_scores_by_hand():
    truth = [1, 1, 1, 0, 0, 0, 0, 1, None, 1]
    said = [1, 1, 0, 1, 0, 0, 0, None, 1, 0]
    result = classifier_scores(truth, said, positive=1)
    counts = result.true_positive, result.false_positive, result.false_negative, result.true_negative, result.missing
    assert counts == (2, 1, 2, 3, 2)
    assert result.precision.value == pytest.approx(2 / 3)
    assert result.recall.value == pytest.approx(2 / 4)
    assert result.specificity.value == pytest.approx(3 / 4)
    assert result.accuracy.value == pytest.approx(5 / 8)
    assert result.f1.value == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    expected = wilson_interval(2, 3)
    assert (result.precision.interval.low, result.precision.interval.high) == (expected.low, expected.high)
    assert result.f1.interval.contains(result.f1.value)


def test_classifier_rates_without_cases_are_nan():
    result = classifier_scores(["no", "no"], ["no", "no"], positive="yes")
    for rate in (result.precision, result.recall, result.f1):
        assert math.isnan(rate.value)
        assert rate.reason
    assert result.specificity.value == 1.0
    assert result.accuracy.value == 1.0
    with pytest.raises(InputError):
        classifier_scores([True], [])


def test_f1_interval_covers():
    held, truth = 0, 2 * 0.32 / (2 * 0.32 + 0.12 + 0.08)
    for world in range(300):
        cells = derive_rng(3, "world", world).choice(4, 100, p=[0.32, 0.12, 0.08, 0.48])
        result = classifier_scores(np.isin(cells, (0, 2)), np.isin(cells, (0, 1)))
        held += result.f1.interval.contains(truth)
    assert 0.91 <= held / 300 <= 0.99


def test_auc_is_mann_whitney():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 80)
    scores = np.round(rng.normal(size=80) + labels, 1)
    p, q = int(labels.sum()), int((1 - labels).sum())
    u = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0]).statistic
    result = auc(scores, labels)
    assert result.value == pytest.approx(u / (p * q))
    above = [np.mean((s > scores[labels == 0]) + 0.5 * (s == scores[labels == 0])) for s in scores[labels == 1]]
    below = [np.mean((scores[labels == 1] > s) + 0.5 * (scores[labels == 1] == s)) for s in scores[labels == 0]]
    error = math.sqrt(np.var(above, ddof=1) / p + np.var(below, ddof=1) / q)
    logit = math.log(result.value / (1 - result.value))
    half = 1.959963985 * error / (result.value * (1 - result.value))
    assert result.interval.high == pytest.approx(1 / (1 + math.exp(-(logit + half))))


def test_auc_edge_cases_have_reasons():
    assert "perfect" in (auc([1, 2, 3, 4], [0, 0, 1, 1]).reason or "")
    assert "both are needed" in (auc([1, 2], [1, 1]).reason or "")
    tied = auc([1, 1, 1, 1], [0, 0, 1, 1])
    assert tied.value == 0.5
    assert not tied.interval.known
    assert not auc([1, 2, 3], [0, 0, 1]).interval.known
    assert auc([1, None, 3, 2, 5], [0, 1, None, 0, 1]).missing == 2
    with pytest.raises(InputError):
        auc([1, 2], [0, 2])


def test_auc_interval_covers():
    held, truth = 0, stats.norm.cdf(1 / math.sqrt(2))
    for world in range(300):
        rng = derive_rng(5, "world", world)
        labels = np.repeat([0, 1], 30)
        held += auc(rng.normal(size=60) + labels, labels).interval.contains(truth)
    assert 0.91 <= held / 300 <= 0.99
