"""Recoverability: planted clusters are found, a cloud is not, and few conversations give reasons."""

from __future__ import annotations

import numpy as np
import pytest
from tables import SHARED, by_name, head, said

from personae.measures import recoverability_measurements, talks

AXES = 8


def corpus(people: int, conversations: int, condition: str = "ecp"):
    """Client lines that carry their person and conversation; the responder says the same to everybody."""
    heads, turns = [], []
    for k in range(people):
        for c in range(conversations):
            key = f"{condition}/{k}/{c}"
            heads.append(head(key, f"p{k}", condition, seed=100 * k + c))
            turns += said(key, f"p{k}", condition, [f"{k} {c}", "Good morning.", f"{k} {c}", "Good bye."])
    return heads, turns


def encoder(own: float, seed: int = 1):
    """Unit vectors: a share `own` of each is the person's own direction, the rest is noise."""
    rng = np.random.default_rng(seed)

    def encode(texts) -> np.ndarray:
        out = rng.standard_normal((len(texts), AXES)) * (1 - own)
        for row, text in enumerate(texts):
            assert "Good" not in text
            out[row, int(text.split()[0])] += 3 * own
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    return encode


def measure(heads, turns, own: float):
    found = recoverability_measurements(talks(heads, turns), encoder(own), backend="planted", **SHARED)
    return by_name(found)


def test_planted_people_are_found_again() -> None:
    found = measure(*corpus(6, 3), own=1.0)
    assert found["recoverability.top1.ecp"].value == 1
    assert found["recoverability.silhouette.ecp"].value > 0.95
    assert found["recoverability.top1.ecp"].n == 6
    assert "planted vectors" in found["recoverability.top1.ecp"].method


def test_a_cloud_gives_chance() -> None:
    found = measure(*corpus(8, 6), own=0.0)
    top = found["recoverability.top1.ecp"]
    assert "Chance level 0.11" in top.note
    assert top.interval.low < 5 / 47 < top.interval.high
    assert found["recoverability.silhouette.ecp"].value < 0.05


def test_between_them_lies_between() -> None:
    values = [measure(*corpus(6, 4), own=own)["recoverability.silhouette.ecp"].value for own in (0.0, 0.5, 1.0)]
    assert values[0] < values[1] < values[2]


def test_each_condition_is_a_corpus_of_its_own() -> None:
    one, two = corpus(4, 2), corpus(4, 2, "concat")
    found = measure(one[0] + two[0], one[1] + two[1], own=1.0)
    assert {"recoverability.top1.ecp", "recoverability.top1.concat"} <= set(found)


@pytest.mark.parametrize(("people", "conversations"), [(4, 1), (1, 4)])
def test_nobody_can_be_found_again_without_two_people_with_two_conversations(people: int, conversations: int) -> None:
    m = measure(*corpus(people, conversations), own=1.0)["recoverability.top1.ecp"]
    assert m.value is None
    assert "two people" in m.reason
    assert m.n == people


def test_ten_neighbours_need_more_than_eleven_conversations() -> None:
    few, many = measure(*corpus(4, 2), own=1.0), measure(*corpus(6, 2), own=1.0)
    assert few["recoverability.top10.ecp"].value is None
    assert "more than 11 conversations" in few["recoverability.top10.ecp"].reason
    assert many["recoverability.top10.ecp"].value == 1


def test_no_conversations_are_no_measurements() -> None:
    assert recoverability_measurements([], encoder(1.0), backend="b", **SHARED) == []
