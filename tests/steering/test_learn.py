"""Planted directions are found; where nothing is planted, nothing is found more often than the level says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from personae.core import InputError, derive_rng
from personae.models import Site
from personae.statistics import flagged_bounds, logistic_fit
from personae.steering import Extracted, align, align_among, learn_direction


def rows(values: Any, *blocks: int) -> Extracted:
    table = np.asarray(values, np.float32)
    table = table[:, None] if table.ndim == 2 else table
    sites = tuple(Site(b) for b in (blocks or (4,)))
    return Extracted(
        sites, table, np.full(len(sites), 3.0), tuple((k, None) for k in range(len(table))), np.full(len(table), 5), "m"
    )


def world(
    seed: int, *, effect: float, n: int = 24, size: int = 32, noise: float = 1.0
) -> tuple[Extracted, Extracted, Any]:
    """Pairs with a topic in common (a large shared part), apart along one direction."""
    rng = derive_rng(seed, "planted")
    truth = rng.standard_normal(size)
    truth /= np.linalg.norm(truth)
    topic = rng.standard_normal((n, size)) * 2
    up, down = (topic + sign * effect / 2 * truth + noise * rng.standard_normal((n, size)) for sign in (1, -1))
    return rows(up), rows(down), truth


@pytest.mark.parametrize("method", ["difference", "pca", "logistic"])
def test_a_planted_direction_is_found_and_controls_are_not(method: Any) -> None:
    for seed in range(5):
        up, down, truth = world(seed, effect=6.0, n=60)
        found = learn_direction("trait", up, down, method=method, seed=seed)
        d = found.direction
        assert abs(d.unit().at(4).astype(float) @ truth) > (0.6 if method == "logistic" else 0.9)
        assert d.unit().at(4) @ truth > 0  # positive is more of it, pca too
        assert found.held_out[4].value > 0.85
        assert found.p_value(4) == pytest.approx(1 / 20)
        few = learn_direction("trait", up, down, method=method, groups=[k % 3 for k in range(60)], seed=seed)
        assert few.p_value(4) == pytest.approx(1 / 4)  # three groups can be exchanged in three other ways
        assert max(found.shuffled[4]) < found.held_out[4].value
        assert len(found.controls) == 10
        assert d.norms == {4: 3.0}
        for control in found.controls:
            assert np.linalg.norm(control.at(4)) == pytest.approx(np.linalg.norm(d.at(4)), rel=1e-4)
            if control.name.startswith("random"):
                assert abs(control.cosine(d)[4]) < 0.7


def test_pairs_keep_what_they_share_out_of_the_axis() -> None:
    """PCA of rows would find the topics; PCA of pairs finds the difference, however rows are ordered inside."""
    up, down, truth = world(1, effect=3.0, n=40, noise=0.3)
    plain = np.linalg.svd(up.values[:, 0] - up.values[:, 0].mean(0), full_matrices=False)[2][0]
    found = learn_direction("trait", up, down, method="pca", seed=1, shuffles=0).direction
    assert abs(found.unit().at(4).astype(float) @ truth) > 0.95 > abs(plain @ truth) + 0.3


@pytest.mark.parametrize("paired", [True, False])
def test_null_directions_are_flagged_at_their_rate(paired: bool) -> None:
    """1,000 worlds without an effect: a held-out AUC beside 19 shuffles is 'significant' in about one of twenty."""
    flagged = 0
    for seed in range(1000):
        rng = derive_rng(seed, "null worlds")
        up, down = rng.standard_normal((8, 6)), rng.standard_normal((8 if paired else 9, 6))
        found = learn_direction("nothing", rows(up), rows(down), seed=seed, shuffles=19, random=0, folds=4)
        flagged += found.p_value(4) <= 0.05
    bounds = flagged_bounds(1000, 0.05)
    assert bounds.low <= flagged <= bounds.high


def test_what_a_text_has_of_its_own_is_no_trait() -> None:
    """Ten rows of each system text, texts with vectors of their own, no trait: only whole texts tell the difference."""

    def flagged(*, grouped: bool) -> int:
        count = 0
        for seed in range(200):
            rng = derive_rng(seed, "texts")
            up, down = (
                np.repeat(rng.standard_normal((6, 8)), 5, axis=0) + rng.standard_normal((30, 8)) for _ in range(2)
            )
            groups = np.repeat(np.arange(6), 5).tolist() if grouped else None
            found = learn_direction("none", rows(up), rows(down), seed=seed, groups=groups, random=0)
            count += found.p_value(4) <= 0.05
        return count

    bounds = flagged_bounds(200, 0.05)
    assert flagged(grouped=True) <= bounds.high < flagged(grouped=False)
    up, down, _ = world(1, effect=1.0)
    with pytest.raises(InputError, match="of one group"):
        learn_direction("t", up, down, groups=[3] * 24, seed=1)
    with pytest.raises(InputError, match="2 groups for 24"):
        learn_direction("t", up, down, groups=[1, 2], seed=1)


def test_logistic_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((40, 5)), (rng.random(40) < 0.5).astype(float)
    fit = logistic_fit(x, y, penalty=0.7)
    p = 1 / (1 + np.exp(-fit.scores(x)))
    assert x.T @ (p - y) + 0.7 * fit.weights == pytest.approx(0, abs=1e-3)  # the gradient vanishes
    assert (p - y).sum() == pytest.approx(0, abs=1e-3)
    wide = np.hstack([x, rng.standard_normal((40, 60))])  # more features than rows: solved in their span
    fit = logistic_fit(wide, y, penalty=0.7)
    p = 1 / (1 + np.exp(-fit.scores(wide)))
    assert wide.T @ (p - y) + 0.7 * fit.weights == pytest.approx(0, abs=1e-3)
    for bad, told in ((np.ones(40), "both 0 and 1"), (np.full(40, 2.0), "both 0 and 1")):
        with pytest.raises(InputError, match=told):
            logistic_fit(x, bad)
    with pytest.raises(InputError, match="above 0"):
        logistic_fit(x, y, penalty=0)


def test_alignment_stands_beside_chance() -> None:
    up, down, _ = world(3, effect=6.0)
    found = learn_direction("trait", up, down, seed=3, random=19)
    d = found.direction
    (own,) = align(d, d, seed=1)
    assert (own.cosine, own.p) == (pytest.approx(1), pytest.approx(1 / 1001))
    hits = sum(align(c, d, seed=k)[0].p <= 0.05 for k, c in enumerate(found.controls[:19]))
    assert hits <= 4
    (among,) = align_among(d, d, found.controls)
    assert among.p == pytest.approx(1 / (1 + len(found.controls)))
    with pytest.raises(InputError, match="no control"):
        align_among(d, d, [])


def test_what_cannot_be_learnt_from_is_refused() -> None:
    up, down, _ = world(1, effect=1.0)
    with pytest.raises(InputError, match="same sites"):
        learn_direction("t", up, rows(down.values, 5), seed=1)
    with pytest.raises(InputError, match="pca takes pairs"):
        learn_direction("t", up, rows(down.values[:3]), method="pca", seed=1)
    with pytest.raises(InputError, match="at least 2"):
        learn_direction("t", up, rows(down.values[:1]), seed=1)
    with pytest.raises(InputError, match="method is 'magic'"):
        learn_direction("t", up, down, method="magic", seed=1)  # type: ignore[arg-type]
