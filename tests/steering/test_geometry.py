"""The axis, persona space and their checks, on planted vectors and on a toy computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import InputError, derive_rng
from personae.statistics import flagged_bounds
from personae.steering import (
    axes_for,
    contrast_axis,
    percentile_thresholds,
    persona_space,
    split_half_cosine,
)

# Two roles and two default variants. Default mean (3, 2), role mean (0, −2): the axis is (3, 4), of length 5.
DEFAULT = [[[3.0, 1.0]], [[3.0, 3.0]]]
ROLES = [[[1.0, -2.0]], [[-1.0, -2.0]]]


def test_axis_projection_and_cap_by_hand() -> None:
    axis = contrast_axis(DEFAULT, ROLES)
    assert axis.at(0).tolist() == [3.0, 4.0]
    assert axis.project([[5.0, 0.0], [0.0, -5.0]], 0).tolist() == pytest.approx([3.0, -4.0])
    caps = percentile_thresholds(axis, {0: [[5.0, 0.0], [0.0, 5.0], [0.0, -5.0]]}, 50)
    assert caps[0] == pytest.approx(3.0)
    with pytest.raises(InputError, match="0 to 100"):
        percentile_thresholds(axis, {0: [[1.0, 1.0]]}, 101)


def test_each_role_counts_once_and_shapes_are_checked() -> None:
    single = contrast_axis(np.mean(DEFAULT, axis=0), ROLES, blocks=[7])
    assert single.at(7).tolist() == [3.0, 4.0]
    with pytest.raises(InputError, match="expected"):
        contrast_axis([[1.0]], [[[1.0, 2.0]]])


def planted(seed: int, roles: int = 60, size: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Roles along one direction with noise as large as the signal; the default at its end."""
    rng = derive_rng(seed, "persona space")
    truth = rng.standard_normal(size)
    truth /= np.linalg.norm(truth)
    place = rng.standard_normal(roles)
    vectors = place[:, None] * truth * 8 + rng.standard_normal((roles, size))
    default = 16 * truth + rng.standard_normal((5, size))
    return default, vectors, truth


def test_a_planted_axis_is_found_and_is_the_first_component() -> None:
    for seed in range(5):
        default, roles, truth = planted(seed)
        axis = contrast_axis(default[:, None], roles[:, None]).unit().at(0).astype(float)
        space = persona_space(roles)
        assert abs(axis @ truth) > 0.9
        assert abs(space.axes[0] @ truth) > 0.9
        assert space.explained.sum() == pytest.approx(1)
        assert axes_for(space.explained, space.explained[0] - 1e-6) == 1
        assert axes_for(space.explained, 0.99) > axes_for(space.explained, 0.7)
    assert axes_for([0.5, 0.1], 0.9) == 0


def test_halves_agree_where_there_is_an_axis_and_not_where_there_is_none() -> None:
    default, roles, _ = planted(1)
    rng = np.random.default_rng(2)
    noisy = lambda rows: rows + rng.standard_normal(rows.shape)
    found = split_half_cosine((noisy(default), noisy(default)), (noisy(roles), noisy(roles)), block=3, seed=1)
    assert found.cosine > 0.8
    assert found.p == pytest.approx(1 / 201)
    flagged = 0
    for seed in range(1000):
        rng = derive_rng(seed, "no axis")
        first = [rng.standard_normal((k, 16)) for k in (3, 12)]
        second = [rows + rng.standard_normal(rows.shape) for rows in first]  # stable persons, no axis among them
        none = split_half_cosine((first[0], second[0]), (first[1], second[1]), block=0, seed=seed, shuffles=19)
        flagged += none.p <= 0.05
    bounds = flagged_bounds(1000, 0.05)
    assert bounds.low <= flagged <= bounds.high
    with pytest.raises(InputError, match="differ in shape"):
        split_half_cosine((default, default), (roles, roles[:-1]), block=0, seed=1)
