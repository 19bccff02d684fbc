"""From estimates to Measurements: NaN becomes a reason, families are adjusted."""

from __future__ import annotations

import math

import pytest

from personae.measures import Maker, adjusted
from personae.statistics import Estimate, Interval, TestResult, holm

MAKE = Maker(model="m", seed=3, failures=2)
KNOWN = Estimate(0.5, Interval(0.2, 0.8, 0.95, "t"), 12, 4)
MISSING = Estimate(math.nan, Interval.missing(0.95, "t", "nothing there"), 0, 0, 3, "nothing there")


def test_an_estimate_keeps_all_it_knows() -> None:
    test = TestResult(1.0, 0.03, 4, "sign flip")
    m = MAKE.estimate("a", "A", KNOWN, unit="u", method="t over people", test=test, condition="c", note="n.")
    assert (m.value, m.n, m.rows, m.p) == (0.5, 4, 12, 0.03)
    assert (m.interval.low, m.interval.high) == (0.2, 0.8)
    assert m.method == "t over people; sign flip"
    assert (m.model, m.seed, m.failures, m.condition, m.note) == ("m", 3, 2, "c", "n.")
    assert m.reason is None


def test_no_number_means_none_and_a_reason_and_no_p() -> None:
    m = MAKE.estimate("a", "A", MISSING, unit="u", method="t", test=TestResult(0.0, 0.5, 0, "x"))
    assert m.value is None
    assert m.interval is None
    assert m.p is None
    assert m.reason == "nothing there"
    assert m.note == "3 missing left out."


def test_a_number_without_interval_says_why() -> None:
    flat = Estimate(0.0, Interval.missing(0.95, "t", "no variation"), 5, 5)
    m = MAKE.estimate("a", "A", flat, unit="u", method="t")
    assert (m.value, m.interval, m.reason) == (0.0, None, "no variation")


def test_rows_are_named_only_where_they_differ_from_n() -> None:
    assert MAKE.estimate("a", "A", Estimate(0.5, KNOWN.interval, 4, 4), unit="u", method="t").rows is None


def test_a_family_is_adjusted_over_what_was_tested() -> None:
    raw = (0.01, 0.04, 0.03)
    tested = [
        MAKE.estimate(n, n, KNOWN, unit="u", method="t", test=TestResult(0, p, 4, "x"))
        for n, p in zip("abc", raw, strict=True)
    ]
    untested = MAKE.number("d", "D", 1.0, unit="u", n=4, method="design", reason="a property of the design")
    out = adjusted([*tested, untested], family="three things")
    assert [m.p_adjusted for m in out[:3]] == pytest.approx(list(holm(raw)))
    assert [m.p for m in out[:3]] == list(raw)
    assert out[0].note == "Holm over 3 tests (three things)."
    assert out[3] == untested
    assert adjusted([untested], family="x") == [untested]
