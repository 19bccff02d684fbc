"""Diversity: repetition planted in a corpus shows in every number, with intervals."""

import numpy as np
import pytest

from personae.core import InputError, derive_rng
from personae.measures import diversity_measurements
from personae.models import HashEncoder

OPENINGS = ["I grew up in", "My days begin in", "People know me from", "I came late to", "Nothing ties me to"]
PLACES = ["Leeds", "Porto", "a village", "the docks", "Tartu", "Oaxaca", "the hills", "Lagos", "Turku", "an island"]
WORK = [
    "mending nets",
    "teaching sums",
    "driving a tram",
    "keeping bees",
    "writing code",
    "cutting hair",
    "drawing maps",
]
WISH = ["a quiet garden", "more time to read", "one long journey", "a better knee", "a house with a stove"]


def grammar(n, seed=1):
    rng = derive_rng(seed, "grammar")
    made = []
    for _ in range(n):
        a, b, c, d, e = (str(rng.choice(x)) for x in (OPENINGS, PLACES, WORK, PLACES, WISH))
        made.append(f"{a} {b}, where I earn my bread {c}. I think of {d} and hope for {e}, number {rng.integers(999)}.")
    return made


def measured(texts, **more):
    found = diversity_measurements(
        texts, model="none", seed=1, vectors=HashEncoder().encode(texts), encoder="hash", **more
    )
    return {m.name.removeprefix("diversity."): m for m in found}


def test_planted_copies_lower_diversity():
    free = grammar(300)
    rng = derive_rng(2, "copies")
    copied = [t if k % 2 else free[int(rng.integers(5))] for k, t in enumerate(free)]
    a, b = measured(free), measured(copied)
    assert set(a) == set(b)
    assert len(a) == 11
    for name, m in a.items():
        other = b[name]
        assert m.n == 300
        assert m.interval is not None, name
        assert m.interval.low <= m.value <= m.interval.high, name
        if m.direction == "higher is better":
            assert m.value > other.value, name
        elif m.direction == "lower is better":
            assert m.value < other.value or (name, m.value) == ("nearest_similarity.p99", 1.0), name
    assert a["vendi"].interval.low > b["vendi"].interval.high
    assert a["self_bleu_2"].interval.high < b["self_bleu_2"].interval.low


def test_values_repeat_and_samples_are_named():
    texts = grammar(120)
    assert measured(texts, sample=60) == measured(texts, sample=60)
    small = measured(texts, sample=60, condition="writer")
    assert small["vendi"].n == 60
    assert small["vendi"].note == "Sample of 60 of 120 texts."
    assert small["distinct_2"].condition == "writer"
    assert "hash" in small["vendi"].method
    assert "vendi" not in {m.name for m in diversity_measurements(texts, model="none", seed=1)}


@pytest.mark.parametrize("texts", [[], [""], ["one text alone here"], ["", "", ""]])
def test_too_little_gives_no_value_and_says_why(texts):
    for m in diversity_measurements(texts, model="none", seed=0, vectors=np.zeros((len(texts), 4))):
        assert m.value is None, m.name
        assert m.reason, m.name


def test_two_alike_have_values_without_spread():
    found = measured(["the same words again"] * 2)
    assert found["vendi"].value == pytest.approx(1)
    assert found["self_bleu_2"].value == 1
    assert found["distinct_1"].value == 0.5


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="at least 2"):
        diversity_measurements(["a"], model="none", seed=0, sample=1)
    with pytest.raises(InputError, match="one each"):
        diversity_measurements(["a"], model="none", seed=0, vectors=np.eye(2))
