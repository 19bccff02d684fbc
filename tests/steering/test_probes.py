"""Head probes find the head that knows, and say how well."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import InputError
from personae.models import Anatomy, Site
from personae.steering import probe_heads, split_heads

ANATOMY = Anatomy(blocks=3, width=8, heads=4, head_size=6)  # heads · size is not the width, as in some families
SITES = [Site(b, "heads") for b in range(3)]


def values(seed: int, effect: float, n: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2 == 0
    table = rng.standard_normal((n, 3, 24)).astype(np.float32)
    truth = rng.standard_normal(6)
    truth /= np.linalg.norm(truth)
    table[:, 2, 6:12] += (np.where(labels, 1, -1)[:, None] * effect * truth).astype(np.float32)
    return table, labels, truth


def test_the_head_that_knows_comes_first() -> None:
    table, labels, truth = values(1, 2.0)
    found = probe_heads(table, labels, SITES, ANATOMY, seed=7)
    assert len(found) == 12
    best = found[0]
    assert (best.block, best.head) == (2, 1)
    assert best.accuracy > 0.9
    assert max(p.accuracy for p in found[1:]) < 0.75
    unit = best.shift.vector / np.linalg.norm(best.shift.vector)
    assert unit @ truth > 0.9
    assert np.linalg.norm(best.shift.vector) == pytest.approx((table[:, 2, 6:12] @ unit).std(), rel=1e-4)
    assert split_heads(table, ANATOMY)[5, 2, 1].tolist() == table[5, 2, 6:12].tolist()


def test_heads_that_know_nothing_are_right_half_the_time() -> None:
    means = [
        np.mean([p.accuracy for p in probe_heads(*values(seed, 0.0)[:2], SITES, ANATOMY, seed=seed)])
        for seed in range(10)
    ]
    assert np.mean(means) == pytest.approx(0.5, abs=0.03)


def test_bad_rows_are_refused() -> None:
    table, labels, _ = values(1, 1.0)
    with pytest.raises(InputError, match="expected 4 heads of 6"):
        probe_heads(table[:, :, :20], labels, SITES, ANATOMY, seed=1)
    with pytest.raises(InputError, match="1 row of one kind"):
        probe_heads(table, np.arange(80) == 3, SITES, ANATOMY, seed=1)
