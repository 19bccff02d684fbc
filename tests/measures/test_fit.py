"""Verdicts of a judge as numbers: planted fakes are found, a judge that sees nothing is called so."""

from __future__ import annotations

import numpy as np

from personae.core import JudgementRow, Measurement
from personae.measures import fit_measurements

PEOPLE = [f"p-{k:02d}" for k in range(20)]


def verdicts(seed: int, *, sees: float, lift: float = 0.0) -> list[JudgementRow]:
    """Own profiles get `sees` nats more than others; condition C gets `lift` more beside the own profile."""
    rng = np.random.default_rng(seed)
    rows: list[JudgementRow] = []
    for k, who in enumerate(PEOPLE):
        for condition in ("S", "C"):
            for index in range(3):
                for own in (True, False):
                    beside = who if own else PEOPLE[(k + 1) % len(PEOPLE)]
                    nats = rng.normal() + own * (sees + lift * (condition == "C"))
                    rows.append(
                        JudgementRow(
                            unit="u", conversation="", persona_id=who, condition=condition, judge="fit",
                            subject=f"{condition}/{'open_self' if index else 'hidden_self'}/{index}/{who}/{beside}",
                            verdict="fits" if nats > 0 else "foreign", value=float(1 / (1 + np.exp(-nats))),
                            agreement="unvalidated",
                        )
                    )  # fmt: skip
    return rows


def named(rows: list[JudgementRow]) -> dict[str, Measurement]:
    return {m.name: m for m in fit_measurements(rows, model="m", seed=1)}


def test_a_judge_that_sees_is_told_apart_from_its_fakes() -> None:
    found = named(verdicts(1, sees=1.0, lift=1.0))
    apart = found["judge_fit.told_apart"]
    assert apart.interval is not None
    assert apart.interval.low > 0.7
    assert (found["judged_fit.S"].value or 0) > 0.7
    assert (found["judged_fit.exchanged"].value or 1) < 0.6
    assert found["judged_fit.exchanged"].control
    assert (found["judged_fit.own_minus_exchanged.C"].p_adjusted or 1) < 0.01
    lift = found["judged_fit.S_minus_C"]
    assert (lift.value or 0) < 0
    assert (lift.p or 1) < 0.05
    assert found["judged_fit.C.open_self"].rows == 40
    assert "own against exchanged profiles: AUC" in found["judged_fit.S"].validated
    assert found["judged_fit.S"].note is None
    for name, m in found.items():  # a share stays a share, with few people too
        if m.unit == "share" and m.interval is not None:
            assert 0 <= m.interval.low <= m.interval.high <= 1, name


def test_a_judge_that_sees_nothing_is_silent_at_the_nominal_rate_and_called_not_informative() -> None:
    worlds, flagged, called = 24, 0, 0
    for seed in range(worlds):
        found = named(verdicts(100 + seed, sees=0.0))
        flagged += (found["judged_fit.own_minus_exchanged.S"].p or 1) < 0.05
        called += "Not informative" in (found["judged_fit.S"].note or "")
    assert flagged <= 4  # 1.2 expected
    assert called >= worlds - 5


def test_one_that_says_half_to_all_counts_half_and_has_no_verdicts_without_rows() -> None:
    few = named([r for r in verdicts(1, sees=1.0) if r.persona_id in PEOPLE[:4]])
    assert few["judged_fit.S"].interval is not None
    assert few["judged_fit.S"].interval.high <= 1
    rows = [r.model_copy(update={"value": 0.5, "verdict": "undecided"}) for r in verdicts(1, sees=0)]
    found = named(rows)
    assert found["judged_fit.S"].value == 0.5
    assert found["judge_fit.told_apart"].value == 0.5
    assert found["judge_fit.undecided"].value == 1.0
    assert fit_measurements([], model="m", seed=1) == []
