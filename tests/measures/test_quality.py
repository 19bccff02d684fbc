"""Quality of a corpus: detectors with their error, audits with their bounds, draws that were refused."""

from __future__ import annotations

import pytest
from tables import SHARED, by_name, head, slot, verdict

from personae.measures import audit_measurements, closing_rule_measurements, rejection_measurement


def test_the_rules_are_measured_on_the_held_out_half() -> None:
    found = by_name(closing_rule_measurements([], **SHARED))
    for name in ("precision", "recall"):
        m = found[f"termination_rules.{name}"]
        assert 0.5 < m.value <= 1
        assert m.interval.low < m.value
        assert m.cluster == "labelled turn"
        assert "author-labelled" in m.validated
        assert m.model == "rules, no model"
    assert "termination_judge.kappa" not in found


def test_a_judge_is_reported_with_its_agreement() -> None:
    row = verdict("", "", "labelled set", "validated", judge="ended", value=0.61)
    row = row.model_copy(update={"agreement": "kappa 0.61 [0.4, 0.8], author-labelled"})
    m = by_name(closing_rule_measurements([row], **SHARED))["termination_judge.kappa"]
    assert m.value == 0.61
    assert m.note == row.agreement
    assert m.model == "fake:tests"
    assert m.reason


def test_findings_are_counted_by_conversation_and_named() -> None:
    heads = [head(f"c{k}", f"p{k}", "ecp") for k in range(4)]
    rows = [
        verdict("c0", "p0", "ecp", "empty_turn"),
        verdict("c0", "p0", "ecp", "empty_turn"),
        verdict("c1", "p1", "ecp", "duplicate_of_c0"),
        verdict("c2", "p2", "ecp", "clean"),
        verdict("c3", "p3", "ecp", "clean"),
    ]
    m = by_name(audit_measurements(rows, heads, **SHARED))["audit.ecp"]
    assert m.value == 0.5
    assert m.n == 4
    assert m.note == "empty_turn 2, duplicate 1"
    assert "not validated" in m.validated


def test_no_finding_at_all_comes_with_an_upper_bound() -> None:
    heads = [head(f"c{k}", f"p{k}", "ecp") for k in range(30)]
    m = audit_measurements([verdict(h.conversation, h.persona_id, "ecp", "clean") for h in heads], heads, **SHARED)[0]
    assert m.value == 0
    assert m.interval.low == 0
    assert m.interval.high > 0.05
    assert "0 of 30; upper bound 0.095" in m.note


def test_conversations_of_one_person_are_one_cluster() -> None:
    heads = [head(f"c{k}", f"p{k // 2}", "ecp", seed=k) for k in range(8)]
    rows = [
        verdict(h.conversation, h.persona_id, "ecp", "clean" if k > 1 else "degenerate") for k, h in enumerate(heads)
    ]
    m = audit_measurements(rows, heads, **SHARED)[0]
    assert (m.n, m.rows) == (4, 8)
    assert m.value == 0.25


def test_refused_draws_are_a_share_of_all_draws() -> None:
    m = rejection_measurement(
        [slot(0, 0, accepted=False), slot(0, 1, accepted=True), slot(1, 0, accepted=True)], **SHARED
    )
    assert m.value == pytest.approx(1 / 3)
    assert (m.n, m.cluster) == (3, "draw")
    assert "not asked" in m.model


def test_no_draws_at_all_are_no_number() -> None:
    m = rejection_measurement([], **SHARED)
    assert m.value is None
    assert m.reason
