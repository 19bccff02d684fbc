"""Normalisations of option scores: each is what its formula says, and says no where it cannot be had."""

import math

import numpy as np
import pytest

from personae.core import CapabilityError, InputError, UnknownKeyError
from personae.models import OptionScores, Usage, option_logits, option_probabilities

LONG = OptionScores((-3.0, -6.0), (1, 4), False, "exact", Usage(), firsts=(-3.0, -1.0))
EMPTY = OptionScores((-1.0, -5.5), (1, 4), False, "exact", Usage(), firsts=(-1.0, -2.0))


def of(*logprobs: float) -> OptionScores:
    return OptionScores(logprobs, (1,) * len(logprobs), False, "exact", Usage())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sum", [-3.0, -6.0]), ("mean", [-3.0, -1.5]), ("first", [-3.0, -1.0]), ("pmi", [-2.0, -0.5])],
)
def test_each_normalisation_follows_its_formula(name, expected):
    assert option_logits(LONG, name, empty=EMPTY).tolist() == expected
    shares = option_probabilities(LONG, name, empty=EMPTY)
    assert shares is not None
    assert shares == pytest.approx(np.exp(expected) / np.exp(expected).sum())


def test_length_decides_under_sum_and_not_under_the_others():
    best = {n: int(np.argmax(option_logits(LONG, n, empty=EMPTY))) for n in ("sum", "mean", "first", "pmi")}
    assert best == {"sum": 0, "mean": 1, "first": 1, "pmi": 1}


def test_probabilities_survive_extremes():
    assert option_probabilities(of(-1000.0, -1001.0)) == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])
    assert option_probabilities(of(-math.inf, -1.0)) == pytest.approx([0, 1])
    assert option_probabilities(of(-math.inf, -math.inf)) is None
    assert option_probabilities(of(-1.0, math.nan)) is None
    assert option_probabilities(of(-1.0, -2.0), "pmi", empty=of(-1.0, -2.0)) == pytest.approx([0.5, 0.5])


def test_what_cannot_be_had_is_said():
    with pytest.raises(CapabilityError, match="first tokens are not known"):
        option_logits(of(-1.0, -2.0), "first")
    with pytest.raises(InputError, match="same 2 options in an empty context, got none"):
        option_logits(LONG, "pmi")
    with pytest.raises(InputError, match="got those of 3"):
        option_logits(LONG, "pmi", empty=of(-1.0, -1.0, -1.0))
    with pytest.raises(UnknownKeyError, match="normalisation"):
        option_logits(LONG, "men")
