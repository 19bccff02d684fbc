"""Distances of answers on a scale, against SciPy and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from personae.core import InputError
from personae.statistics import DISTANCES, ks_statistic, scale_distance_estimate, scale_distances


def test_they_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    where = np.array([1.0, 2.0, 3.0, 4.0, 7.0])
    a, b = rng.choice(5, 60), rng.choice(5, 80, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    p, q = np.bincount(a, minlength=5), np.bincount(b, minlength=5)
    found = scale_distances(p, q, where)
    assert found.ks == pytest.approx(ks_2samp(where[a], where[b]).statistic)
    assert found.wasserstein == pytest.approx(wasserstein_distance(where[a], where[b]))
    assert found.js_distance == pytest.approx(jensenshannon(p, q, base=2))
    assert found.js_divergence == pytest.approx(found.js_distance**2)
    assert found.mean_difference == pytest.approx(abs(where[a].mean() - where[b].mean()))
    same = scale_distances(p, p * 3, where)
    assert all(getattr(same, name) == pytest.approx(0, abs=1e-9) for name in DISTANCES)


def test_the_interval_redraws_respondents_and_covers() -> None:
    rng = np.random.default_rng(5)
    humans = np.array([100, 300, 600])
    answers = np.eye(3)[rng.choice(3, 200, p=[0.6, 0.3, 0.1])]
    found = scale_distance_estimate(answers, humans, [1, 2, 3], "wasserstein", rng=1, draws=200)
    assert found.interval.low < 1.0 < found.interval.high
    assert found.clusters == 200
    with pytest.raises(InputError, match="One of"):
        scale_distance_estimate(answers, humans, [1, 2, 3], "cosine", rng=1)


def test_no_answers_have_no_distribution() -> None:
    with pytest.raises(InputError, match="categories"):
        ks_statistic([0, 0], [1, 1])
