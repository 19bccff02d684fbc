"""Honesty of the two main tests: silent when nothing is planted, finding what is there. Seeds were fixed beforehand."""

from __future__ import annotations

import pytest
from worlds import echo_p, echo_world, trait_p, trait_world

from personae.statistics import flagged_bounds
from personae.statistics import worlds as simulate_worlds

# Effects whose power is about .95 at 24 people, calibrated on other seeds (see LOG.md).
TRAIT_EFFECT = 0.056
ECHO_EFFECT = 0.315
# Both sides copy alike, and enough for 4-grams to be shared at all: at .1 all shares are 0 and nothing can be flagged.
NULL_ECHO = 0.45


def test_smoke_null_worlds_are_rarely_flagged() -> None:
    bounds = flagged_bounds(50, 0.05)
    traits = simulate_worlds(50, 11, lambda rng: trait_world(rng, 0.0), trait_p)
    echo = simulate_worlds(50, 12, lambda rng: echo_world(rng, NULL_ECHO, NULL_ECHO), echo_p)
    assert bounds.contains(traits.flagged)
    assert bounds.contains(echo.flagged)
    assert traits.undefined == echo.undefined == 0


def test_smoke_planted_effects_are_found() -> None:
    assert simulate_worlds(50, 13, lambda rng: trait_world(rng, TRAIT_EFFECT), trait_p).flagged >= 42
    assert simulate_worlds(50, 14, lambda rng: echo_world(rng, 0.0, ECHO_EFFECT), echo_p).flagged >= 42


@pytest.mark.slow
def test_a_thousand_null_worlds_are_flagged_33_to_69_times_for_traits() -> None:
    found = simulate_worlds(1000, 101, lambda rng: trait_world(rng, 0.0), trait_p)
    assert 33 <= found.flagged <= 69


@pytest.mark.slow
def test_a_thousand_null_worlds_are_flagged_33_to_69_times_for_echo() -> None:
    found = simulate_worlds(1000, 102, lambda rng: echo_world(rng, NULL_ECHO, NULL_ECHO), echo_p)
    assert 33 <= found.flagged <= 69


@pytest.mark.slow
def test_three_hundred_worlds_with_an_effect_are_found_in_nine_of_ten() -> None:
    traits = simulate_worlds(300, 103, lambda rng: trait_world(rng, TRAIT_EFFECT), trait_p)
    echo = simulate_worlds(300, 104, lambda rng: echo_world(rng, 0.0, ECHO_EFFECT), echo_p)
    assert traits.flagged >= 270
    assert echo.flagged >= 270
