"""Vendi score, mean and nearest cosine, and the plane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, derive_rng
from personae.statistics import mean_cosine, nearest_cosines, principal_plane, vendi_score


def table(n, d, seed=0):
    return derive_rng(seed, "spread").normal(size=(n, d))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@given(st.integers(2, 30), st.integers(2, 12), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_both_gram_sides_and_the_definition_agree(n, d, seed):
    x = table(n, d, seed)
    kernel = unit(x) @ unit(x).T
    values = np.linalg.eigvalsh(kernel / n)
    values = values[values > 1e-12]
    assert vendi_score(x) == pytest.approx(np.exp(-(values * np.log(values)).sum()))
    assert 1 <= vendi_score(x) <= min(n, d) + 1e-9
    assert vendi_score(x) == pytest.approx(vendi_score(np.vstack([x, x])))
    others = ~np.eye(n, dtype=bool)
    assert mean_cosine(x) == pytest.approx(kernel[others].mean(), abs=1e-12)
    masked = np.where(others, kernel, -2)
    assert nearest_cosines(x) == pytest.approx(masked.max(axis=1), abs=1e-6)


def test_known_values():
    assert vendi_score(np.eye(5)) == pytest.approx(5)
    assert vendi_score([[2.0, 0], [3, 0]]) == pytest.approx(1)
    assert mean_cosine(np.eye(4)) == pytest.approx(0)
    assert nearest_cosines([[1, 0], [0, 1], [2, 0]]).tolist() == [1, 0, 1]
    assert np.isnan(vendi_score(np.zeros((0, 3))))
    assert np.isnan(mean_cosine([[1, 2]]))
    assert np.isnan(nearest_cosines([[1, 2]])).all()


def test_the_plane_shows_most_of_the_variance_and_keeps_its_signs():
    x = table(200, 6) * np.array([5, 3, 1, 1, 0.1, 0.1])
    plane = principal_plane(x)
    values = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    assert plane.explained == pytest.approx(values[:2] / values.sum())
    assert plane.points.shape == (200, 2)
    assert plane.points.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert plane.points.var(axis=0, ddof=1) == pytest.approx(values[:2])
    assert (plane.axes[np.arange(2), np.abs(plane.axes).argmax(axis=1)] > 0).all()
    order = derive_rng(3, "order").permutation(200)
    assert principal_plane(x[order]).points == pytest.approx(plane.points[order], abs=1e-8)
    assert (x - plane.centre) @ plane.axes.T == pytest.approx(plane.points)


def test_flat_and_few_vectors_have_a_plane_too():
    assert principal_plane(np.ones((4, 3))).points.tolist() == [[0, 0]] * 4
    line = principal_plane([[0.0], [2.0]])
    assert line.points.tolist() == [[-1, 0], [1, 0]]
    assert line.explained.tolist() == [1, 0]
    assert principal_plane(np.zeros((0, 3))).points.shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: vendi_score([1, 2]), "dimensions"),
        (lambda: vendi_score([[1, 2], [0, 0]]), "vector 1 is all zeros"),
        (lambda: mean_cosine([[1, np.nan]]), "finite"),
        (lambda: nearest_cosines([["a"]]), "table of numbers"),
        (lambda: principal_plane([[1, 2]], 0), "axes 0"),
    ],
)
def test_bad_vectors_are_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
