"""Worlds: planted effects are found, silence stays silence."""

import math

import numpy as np
import pytest
from scipy import stats

from personae.core import InputError
from personae.statistics import (
    flagged_bounds,
    minimum_detectable_effect,
    permutation_test_correlation,
    sign_flip_test,
    worlds,
)


def test_a_planted_effect_is_found_at_its_power():
    effect = minimum_detectable_effect("paired", 24, power=0.95)
    count = worlds(200, 1, lambda rng: rng.normal(effect, 1, 24), lambda d, rng: sign_flip_test(d, rng=rng, draws=499))
    assert flagged_bounds(200, 0.95, level=0.999).contains(count.flagged)
    assert count.share >= 0.9
    assert count.interval.contains(count.share)


def test_a_planted_correlation_is_found_at_its_power():
    r = minimum_detectable_effect("correlation", 24, power=0.95)

    def simulate(rng):
        x, e = rng.normal(size=(2, 24))
        return x, r * x + math.sqrt(1 - r * r) * e

    count = worlds(200, 2, simulate, lambda xy, rng: permutation_test_correlation(*xy, rng=rng, draws=499))
    assert flagged_bounds(200, 0.95, level=0.999).contains(count.flagged)


def test_silence_stays_at_the_level():
    count = worlds(1000, 3, lambda rng: rng.random(), lambda p, rng: p)
    assert flagged_bounds(1000, 0.05).contains(count.flagged)


def test_worlds_depend_on_seed_and_number_alone():
    seen: list[list[float]] = []
    for greedy in (False, True):
        drawn: list[float] = []

        def simulate(rng, drawn=drawn):
            drawn.append(float(rng.random()))
            return drawn[-1]

        def test(p, rng, greedy=greedy):
            if greedy:
                rng.random(1000)
            return p

        worlds(5, 4, simulate, test)
        seen.append(drawn)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 5


def test_undefined_worlds_are_counted_and_not_flagged():
    count = worlds(10, 5, lambda rng: rng.integers(2), lambda one, rng: math.nan if one else 0.01)
    assert count.flagged + count.undefined == 10
    assert count.undefined > 0
    with pytest.raises(InputError):
        worlds(0, 1, lambda rng: 0, lambda data, rng: 1.0)


@pytest.mark.parametrize(("n", "rate"), [(1000, 0.05), (300, 0.95), (50, 0.05), (20, 0.0), (20, 1.0)])
def test_bounds_are_binomial(n, rate):
    bounds = flagged_bounds(n, rate)
    inside = stats.binom.cdf(bounds.high, n, rate) - stats.binom.cdf(bounds.low - 1, n, rate)
    assert inside >= 0.99
    assert (bounds.low, bounds.high) == tuple(np.clip(stats.binom.ppf([0.005 + 1e-15, 0.995], n, rate), 0, n))
    with pytest.raises(InputError):
        flagged_bounds(0, 0.5)
