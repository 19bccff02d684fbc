"""Keyed draws: even, unrelated, and the same in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.creation._draws import normals, permute, pick, uniforms


def test_uniforms_are_even_and_unrelated_across_lanes_people_and_attempts() -> None:
    k = np.arange(40_000)
    draws = uniforms(17, k, 0, 4)
    assert draws.min() > 0
    assert draws.max() < 1
    shares = np.histogram(draws, bins=20, range=(0, 1))[0] / draws.size
    assert np.abs(shares - 0.05).max() < 0.003
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.02
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.02
    again = uniforms(17, k, 1, 1)[:, 0]
    assert abs(np.corrcoef(draws[:, 0], again)[0, 1]) < 0.02
    other = uniforms(18, k, 0, 1)[:, 0]
    assert abs(np.corrcoef(draws[:, 0], other)[0, 1]) < 0.02


@given(st.integers(0, 2**63), st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_draw_depends_on_its_own_person_alone(key: int, people: list[int], attempt: int) -> None:
    whole = uniforms(key, np.array(people), attempt, 5)
    for row, k in enumerate(people):
        assert (uniforms(key, np.array([k]), attempt, 5)[0] == whole[row]).all()


def test_normals_have_mean_zero_and_unit_spread() -> None:
    z = normals(uniforms(3, np.arange(30_000), 0, 6))
    assert z.shape == (30_000, 6)
    assert np.abs(z.mean(axis=0)).max() < 0.02
    assert np.abs(z.std(axis=0) - 1).max() < 0.02
    assert np.abs(np.corrcoef(z.T) - np.eye(6)).max() < 0.02


@given(st.integers(1, 700), st.integers(0, 2**63))
@settings(max_examples=60, deadline=None)
def test_permute_is_a_permutation(size: int, key: int) -> None:
    values = np.arange(size)
    assert sorted(permute(values, size, key).tolist()) == values.tolist()


def test_permute_moves_values_all_over_and_differs_by_key() -> None:
    size = 20_000
    one, two = permute(np.arange(size), size, 1), permute(np.arange(size), size, 2)
    assert abs(np.corrcoef(np.arange(size), one)[0, 1]) < 0.03
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


def test_permute_covers_small_ranges_evenly_over_keys() -> None:
    first = permute(np.zeros(2000, dtype=np.int64), 5, np.arange(2000, dtype=np.uint64))
    shares = np.bincount(first, minlength=5) / 2000
    assert np.abs(shares - 0.2).max() < 0.04


def test_permute_takes_a_key_per_value() -> None:
    keys = np.array([5, 9], dtype=np.uint64)
    both = permute(np.array([3, 3]), 1024, keys)
    assert both[0] == permute(np.array([3]), 1024, 5)[0]
    assert both[1] == permute(np.array([3]), 1024, 9)[0]


@pytest.mark.parametrize(("u", "expected"), [(0.0, 0), (0.49, 0), (0.51, 1), (0.999999, 2)])
def test_pick_follows_weights(u: float, expected: int) -> None:
    assert pick(np.array([u]), np.array([2.0, 1.0, 1.0]))[0] == expected
