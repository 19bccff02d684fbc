"""Intervals of any statistic."""

import math

import numpy as np
import pytest
from scipy import stats

from personae.core import InputError, derive_rng
from personae.statistics import bootstrap_interval, jackknife_interval, mean_interval


def test_jackknife_of_a_mean_is_students():
    x = np.random.default_rng(1).normal(size=15)
    result, expected = jackknife_interval(lambda rows: float(x[rows].mean()), 15), mean_interval(x)
    assert (result.interval.low, result.interval.high) == pytest.approx((expected.interval.low, expected.interval.high))


def test_jackknife_leaves_out_whole_clusters():
    x = np.random.default_rng(2).normal(size=12)
    rows, clusters = np.repeat(x, 4), np.repeat(np.arange(12), 4)
    result = jackknife_interval(lambda index: float(rows[index].mean()), 48, clusters)
    assert result.clusters == 12
    assert result.interval.width == pytest.approx(mean_interval(x).interval.width)


def test_bootstrap_matches_scipy_up_to_its_widening():
    x = np.random.default_rng(3).normal(size=200)
    ours = bootstrap_interval(lambda rows: float(np.median(x[rows])), 200, rng=4)
    theirs = stats.bootstrap((x,), np.median, method="percentile", n_resamples=4000, rng=np.random.default_rng(5))
    low, high = theirs.confidence_interval
    assert (ours.interval.low, ours.interval.high) == pytest.approx((low, high), abs=0.06)


def test_a_cluster_drawn_twice_counts_twice():
    clusters = np.array(["a", "b", "a", "c"])
    seen = []
    bootstrap_interval(lambda rows: float(seen.append(sorted(rows)) or len(rows)), 4, clusters, rng=6, draws=50)
    members = {"a": [0, 2], "b": [1], "c": [3]}
    possible = {tuple(sorted(members[i] + members[j] + members[k])) for i in "abc" for j in "abc" for k in "abc"}
    assert all(tuple(int(r) for r in rows) in possible for rows in seen)
    assert any(tuple(rows).count(0) > 1 for rows in seen)


@pytest.mark.parametrize("make", [jackknife_interval, lambda *a, **k: bootstrap_interval(*a, rng=1, draws=100, **k)])
def test_missing_intervals_say_why(make):
    assert "one cluster" in (make(lambda rows: 1.0, 3, [0, 0, 0]).reason or "")
    assert "undefined on all rows" in (make(lambda rows: math.nan, 3).reason or "")
    assert "no variation" in (make(lambda rows: 2.0, 5).reason or "")
    assert "undefined" in (make(lambda rows: 1.0 if len(set(rows.tolist())) == 6 else math.nan, 6).reason or "")
    with pytest.raises(InputError):
        make(lambda rows: 1.0, 0)


def test_percentile_interval_of_few_clusters_covers():
    held, clusters = 0, np.repeat(np.arange(20), 3)
    for world in range(100):
        rng = derive_rng(7, "world", world)
        x = rng.normal(size=60) + rng.normal(size=20)[clusters]
        result = bootstrap_interval(
            lambda rows, x=x: float(x[rows].mean()), 60, clusters, rng=derive_rng(7, "draws", world), draws=299
        )
        held += result.interval.contains(0.0)
    assert 0.89 <= held / 100 <= 0.99


def test_units_are_redrawn_inside_their_strata() -> None:
    strata = [0] * 5 + [1] * 3
    seen: list[int] = []
    found = bootstrap_interval(
        lambda rows: float(seen.append(int((rows < 5).sum())) or rows.mean()), 8, strata=strata, rng=2, draws=60
    )
    assert set(seen) == {5}
    assert found.interval.known
    x = np.r_[np.random.default_rng(1).normal(0, 1, 40), np.random.default_rng(2).normal(50, 1, 40)]
    plain = bootstrap_interval(lambda rows: float(x[rows].mean()), 80, rng=3)
    inside = bootstrap_interval(lambda rows: float(x[rows].mean()), 80, strata=[0] * 40 + [1] * 40, rng=3)
    assert inside.interval.width < plain.interval.width / 5
    assert inside.interval.width == pytest.approx(2 * 1.96 / 80**0.5, rel=0.3)
    with pytest.raises(InputError, match="two strata"):
        bootstrap_interval(lambda rows: 0.0, 4, [0, 0, 1, 1], strata=[0, 1, 1, 1], rng=1)
    alone = bootstrap_interval(lambda rows: float(rows.mean()), 3, strata=[0, 0, 1], rng=1)
    assert "one unit" in (alone.interval.reason or "")
