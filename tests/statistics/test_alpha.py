"""Krippendorff's alpha: the published example, planted agreement, no agreement, and what cannot be said."""

from __future__ import annotations

import numpy as np
import pytest

from personae.core import InputError
from personae.statistics import cohen_kappa, krippendorff_alpha

GAP = np.nan
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
).T
"""four observers, twelve units: the example of Krippendorff 2011, section D"""


@pytest.mark.parametrize(("metric", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(metric, value):
    found = krippendorff_alpha(PUBLISHED, metric=metric, rng=1)
    assert found.value == pytest.approx(value, abs=5e-4)
    assert (found.n, found.missing) == (11, 1)
    assert found.interval.low < value < found.interval.high


def test_two_raters_without_gaps_come_close_to_kappa():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 400)
    both = np.stack([np.where(rng.random(400) < 0.8, truth, rng.integers(0, 3, 400)) for _ in range(2)], axis=1)
    assert krippendorff_alpha(both, rng=1, draws=50).value == pytest.approx(cohen_kappa(*both.T).value, abs=0.005)


def test_the_interval_holds_zero_when_raters_guess():
    held = 0
    for world in range(40):
        rng = np.random.default_rng(world)
        found = krippendorff_alpha(rng.integers(1, 8, (60, 3)).astype(float), metric="ordinal", rng=world, draws=400)
        held += found.interval.contains(0.0)
    assert held >= 34  # 38 expected


def test_items_of_one_cluster_are_redrawn_together():
    wide = krippendorff_alpha(np.repeat(PUBLISHED, 4, axis=0), clusters=np.repeat(range(12), 4), rng=1)
    narrow = krippendorff_alpha(np.repeat(PUBLISHED, 4, axis=0), rng=1)
    assert wide.clusters == 11
    assert wide.interval.width > 1.5 * narrow.interval.width


def test_what_cannot_be_said_has_a_reason():
    flat = krippendorff_alpha([[1, 1], [1, 1]], rng=1)
    assert np.isnan(flat.value)
    assert flat.reason == "everybody gave one and the same rating"
    alone = krippendorff_alpha([[1, GAP], [GAP, 2]], rng=1)
    assert (alone.reason, alone.missing) == ("no item was rated twice", 2)
    with pytest.raises(InputError, match="metric"):
        krippendorff_alpha([[1, 2], [2, 1]], metric="ratio", rng=1)
