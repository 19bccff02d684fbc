"""Drift: planted loss of the own answer, and the distance a client's words travel."""

from __future__ import annotations

import numpy as np
import pytest
from tables import SHARED, by_name, head, probe_row, said

from personae.measures import drift_measurements, path_drift_measurements, talks


def probes(lost: dict[str, float], people: int = 8, groups: tuple[str, ...] = ("facts",)):
    """P(own option) starts at .9 and loses `lost` by the last line, give or take by person."""
    rows = []
    for condition, loss in lost.items():
        for k in range(people):
            wobble = 0.01 * (k - people / 2)
            for group in groups:
                for item in ("x", "y"):
                    for moment, p in (("first", 0.9), ("middle", 0.9 - loss / 2), ("last", 0.9 - loss + wobble)):
                        rows.append(
                            probe_row(f"{condition}/{k}", f"p{k}", condition, moment, p, group=group, item=item)
                        )
    return rows


def test_planted_loss_is_found_and_its_absence_too() -> None:
    found = by_name(drift_measurements(probes({"ecp": 0.0, "concat": 0.4}), **SHARED))
    assert found["agreement.facts.ecp"].value == pytest.approx(0.9)
    assert "Chance level 0.25" in found["agreement.facts.ecp"].note
    assert found["drift.facts.concat"].value == pytest.approx(0.4, abs=0.01)
    assert found["drift.facts.ecp"].value == pytest.approx(0, abs=0.01)
    contrast = found["drift.facts.ecp_minus_concat"]
    assert contrast.value == pytest.approx(-0.4, abs=0.01)
    assert contrast.p < 0.05


def test_items_of_a_group_are_averaged_within_a_person() -> None:
    m = by_name(drift_measurements(probes({"ecp": 0.2}), **SHARED))["drift.facts.ecp"]
    assert (m.n, m.cluster) == (8, "person")


def test_contrasts_of_all_groups_are_adjusted_together() -> None:
    found = by_name(
        drift_measurements(probes({"ecp": 0.0, "concat": 0.1}, groups=("facts", "goal", "traits")), **SHARED)
    )
    contrasts = [m for name, m in found.items() if name.endswith("ecp_minus_concat")]
    assert len(contrasts) == 3
    assert all("Holm over 3 tests" in m.note for m in contrasts)


def test_someone_without_a_last_moment_is_missing_not_without_drift() -> None:
    rows = [r for r in probes({"ecp": 0.3}) if not (r.persona_id == "p0" and r.moment != "first")]
    m = by_name(drift_measurements(rows, **SHARED))["drift.facts.ecp"]
    assert m.n == 7
    assert "1 missing left out" in m.note


def test_several_conversations_of_a_person_pair_by_seed() -> None:
    rows, seeds = [], {}
    for condition, loss in (("ecp", 0.1), ("concat", 0.3)):
        for k in range(4):
            for c in range(2):
                key = f"{condition}/{k}/{c}"
                seeds[key] = 10 * k + c
                rows += [probe_row(key, f"p{k}", condition, "first", 0.9)]
                rows += [probe_row(key, f"p{k}", condition, "last", 0.9 - loss * (c + 1) - 0.01 * k)]
    found = by_name(drift_measurements(rows, seeds=seeds, **SHARED))
    contrast = found["drift.facts.ecp_minus_concat"]
    assert contrast.value == pytest.approx(-0.3)
    assert (contrast.n, contrast.rows) == (4, 8)


def test_one_projection_or_none() -> None:
    found = by_name(drift_measurements(probes({"ecp": 0.1}), **SHARED))
    assert not [name for name in found if name.endswith("ecp_minus_concat")]
    assert drift_measurements([], **SHARED) == []


# Path drift --------------------------------------------------------------------------------------------------------

PLACES = {"here": (1.0, 0.0), "there": (0.0, 1.0)}


def encode(texts) -> np.ndarray:
    """Two directions: what begins with `there` points elsewhere."""
    return np.array([PLACES[t.split()[0]] for t in texts])


def walk(paths: dict[str, list[list[str]]]):
    heads, turns = [], []
    for condition, people in paths.items():
        for k, lines in enumerate(people):
            key = f"{condition}/{k}"
            heads.append(head(key, f"p{k}", condition, seed=k))
            turns += said(key, f"p{k}", condition, [x for line in lines for x in (line, "mm")])
    return talks(heads, turns)


def test_who_stays_does_not_drift_and_who_leaves_does() -> None:
    stay, leave, half = ["here"] * 4, ["here", "here", "there", "there"], ["here", "here", "here", "there"]
    said_ = walk({"ecp": [stay, stay, half], "concat": [leave, half, leave]})
    found = by_name(path_drift_measurements(said_, encode, backend="two directions", **SHARED))
    assert found["path_drift.ecp"].value == pytest.approx((0 + 0 + (1 - np.sqrt(0.5))) / 3)
    assert found["path_drift.concat"].value == pytest.approx((1 + 1 + (1 - np.sqrt(0.5))) / 3)
    assert "two directions" in found["path_drift.ecp"].method
    assert found["path_drift.ecp_minus_concat"].value < 0


def test_too_few_lines_for_two_windows_are_missing() -> None:
    said_ = walk({"ecp": [["here"] * 4, ["here"] * 3]})
    m = by_name(path_drift_measurements(said_, encode, backend="b", **SHARED))["path_drift.ecp"]
    assert m.n == 1
    assert "1 missing left out" in m.note


def test_vectors_without_length_are_missing() -> None:
    said_ = walk({"ecp": [["here"] * 4, ["there"] * 4]})
    m = by_name(path_drift_measurements(said_, lambda t: np.zeros((len(t), 2)), backend="b", **SHARED))[
        "path_drift.ecp"
    ]
    assert m.value is None
    assert m.reason
