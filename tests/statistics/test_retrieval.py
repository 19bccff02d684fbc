"""Retrieval and silhouette, against plain loops."""

import math

import numpy as np
import pytest

from personae.core import InputError
from personae.statistics import proportion_interval, silhouette, top_k_accuracy


def points(seed, labels=6, each=5, apart=1.5):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(labels), each)
    return rng.normal(size=(labels, 3))[codes] * apart + rng.normal(size=(codes.size, 3)), codes


def similarity_of(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("k", [1, 3, 10])
def test_top_k_matches_a_loop(k):
    x, labels = points(1)
    near = similarity_of(x)
    hits = []
    for i in range(len(labels)):
        order = [j for j in np.argsort(-near[i]) if j != i][:k]
        hits.append(float(any(labels[j] == labels[i] for j in order)))
    result = top_k_accuracy(near, labels, k=k)
    assert result.value == pytest.approx(np.mean(hits))
    assert result.scores == tuple(hits)
    assert (result.n, result.clusters) == (30, 6)


@pytest.mark.parametrize("k", [1, 4])
def test_ties_count_by_chance(k):
    rng = np.random.default_rng(2)
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    near = rng.integers(0, 3, (9, 9)).astype(float)
    expected = np.zeros(9)
    for _ in range(4000):
        noise = near + rng.random((9, 9)) * 1e-3
        np.fill_diagonal(noise, -np.inf)
        order = np.argsort(-noise, axis=1)[:, :k]
        expected += (labels[order] == labels[:, None]).any(axis=1)
    assert np.array(top_k_accuracy(near, labels, k=k).scores) == pytest.approx(expected / 4000, abs=0.04)


@pytest.mark.parametrize("k", [1, 2, 7, 8, 50])
def test_constant_similarity_scores_chance(k):
    labels = ["a", "a", "a", "b", "b", "b", "c", "c", "c"]
    result = top_k_accuracy(np.ones((9, 9)), labels, k=k)
    assert result.value == pytest.approx(result.chance)
    drawn = 1 - math.comb(6, k) / math.comb(8, k) if k < 8 else 1.0
    assert result.chance == pytest.approx(drawn)


def test_perfect_retrieval_still_has_an_interval_over_labels():
    result = top_k_accuracy(np.kron(np.eye(8), np.ones((4, 4))) + np.eye(32), np.repeat(np.arange(8), 4))
    assert result.value == 1.0
    assert result.interval.high == 1.0
    assert result.interval.low == pytest.approx(
        proportion_interval([1.0] * 32, np.repeat(np.arange(8), 4)).interval.low
    )
    assert 0.4 < result.interval.low < 0.7  # eight labels, not thirty-two items


def test_items_without_companion_are_missing():
    near = similarity_of(points(3, labels=3, each=2)[0])
    result = top_k_accuracy(near, [0, 0, 1, 1, 2, 3])
    assert (result.n, result.missing) == (4, 2)
    assert math.isnan(result.scores[4])
    nobody = top_k_accuracy(near, range(6))
    assert math.isnan(nobody.value)
    assert math.isnan(nobody.chance)
    assert nobody.reason


def test_silhouette_matches_a_loop():
    x, labels = points(4, labels=4)
    far = np.linalg.norm(x[:, None] - x[None, :], axis=2)
    widths = []
    for i in range(len(labels)):
        mine = [far[i, j] for j in range(len(labels)) if labels[j] == labels[i] and j != i]
        rest = [np.mean(far[i, labels == other]) for other in set(labels.tolist()) - {int(labels[i])}]
        widths.append((min(rest) - np.mean(mine)) / max(min(rest), np.mean(mine)))
    result = silhouette(far, labels)
    assert np.array(result.widths) == pytest.approx(widths)
    assert result.value == pytest.approx(np.mean(widths))
    assert result.clusters == 4


def test_silhouette_by_hand_and_its_gaps():
    places = np.array([0.0, 1.0, 10.0, 11.0, 50.0])
    far = np.abs(np.subtract.outer(places, places))
    result = silhouette(far, ["a", "a", "b", "b", "c"])
    assert result.widths[0] == pytest.approx((10.5 - 1) / 10.5)
    assert math.isnan(result.widths[4])
    assert (result.n, result.missing) == (4, 1)
    together = silhouette(np.zeros((4, 4)), [0, 0, 1, 1])
    assert math.isnan(together.value)
    assert together.missing == 4


def test_far_apart_is_one_and_diagonal_is_ignored():
    far = np.where(np.repeat([0, 1], 3)[:, None] == np.repeat([0, 1], 3)[None, :], 1.0, 1e6)
    np.fill_diagonal(far, np.nan)
    assert silhouette(far, [0, 0, 0, 1, 1, 1]).value == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("call", [
    lambda: top_k_accuracy(np.ones((2, 3)), [1, 2]),
    lambda: top_k_accuracy(np.ones((3, 3)), [1, 1, 2], k=0),
    lambda: top_k_accuracy(np.full((3, 3), np.nan), [1, 1, 2]),
    lambda: silhouette(-np.ones((3, 3)), [1, 1, 2]),
    lambda: silhouette(np.ones((3, 3)), [1, 1, 1]),
])  # fmt: skip
def test_nonsense_is_refused(call):
    with pytest.raises(InputError):
        call()
