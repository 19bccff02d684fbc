import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.reports._numbers import (
    cell_text,
    digits_for,
    digits_of,
    fact_text,
    number,
    p_text,
    seconds_text,
    signed,
)
from personae.reports._scales import scale_from_zero, scale_of


def back(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("+", ""))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e9, 1e9), st.integers(0, 5))
def test_a_written_number_is_the_number_rounded(value: float, digits: int) -> None:
    text = number(value, digits)
    assert back(text) == pytest.approx(round(value, digits), abs=10.0**-digits)
    assert "-" not in text
    assert not (text.startswith("−") and back(text) == 0)


def test_missing_is_a_dash_and_never_zero() -> None:
    assert number(None, 2) == cell_text(None) == p_text(None) == "–"
    assert number(math.nan, 2) == cell_text(math.inf) == "–"


def test_an_interval_carries_two_significant_digits() -> None:
    assert [digits_for(w) for w in (0.0042, 0.057, 0.57, 5.7, 57.0, 5700.0)] == [4, 3, 2, 1, 0, 0]
    assert digits_for(0.0) == 2


def test_columns_show_a_thousandth_of_their_range() -> None:
    assert digits_of([1.0, 24.0]) == 0
    assert digits_of([0.412, -0.0312]) == 3
    assert digits_of([20.83, 33.3, 0.0]) == 1
    assert digits_of([]) == 0
    assert digits_of([0.41, 0.44, 0.46]) == 2
    assert digits_of([0.05, 0.05]) == 2


def test_cells() -> None:
    assert [cell_text(v) for v in (True, 2500, -3, 0.53, 0.054, 1234.5, 0.00001, "a", 7.0)] == [
        "yes", "2,500", "−3", "0.53", "0.054", "1,234", "1.00e−05", "a", "7",
    ]  # fmt: skip
    assert fact_text("Root seed", 20260712) == "20260712"
    assert fact_text("Rows", 20260712) == "20,260,712"


def test_p_values_signs_and_durations() -> None:
    assert [p_text(p) for p in (0.0, 0.00099, 0.0312, 1.0)] == ["<0.001", "<0.001", "0.031", "1.000"]
    assert [signed(v, 1) for v in (0.04, 2.1, -2.1)] == ["0.0", "+2.1", "−2.1"]
    assert [seconds_text(s) for s in (8.24, 252.0, 7500.0)] == ["8.2 s", "4 min 12 s", "2 h 05 min"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_an_axis_holds_its_values_and_its_ticks_say_where_they_are(values: list[float]) -> None:
    scale = scale_of(values)
    assert all(-1e-6 <= scale.at(v) <= 100 + 1e-6 for v in values)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 9
    for tick in ticks:
        assert 0 - 0.01 <= float(tick.at.rstrip("%")) <= 100.01
        assert scale.at(back(tick.label)) == pytest.approx(float(tick.at.rstrip("%")), abs=0.6)


def test_whole_values_have_whole_ticks() -> None:
    assert [t.label for t in scale_of([0, 6, 12]).ticks()] == ["0", "5", "10"]
    assert [t.label for t in scale_of([0, 2]).ticks()] == ["0", "1", "2"]


def test_bars_start_at_zero() -> None:
    assert scale_from_zero([3.0, 8.0]).low == 0
    assert scale_from_zero([-3.0, 8.0]).low < -3
    assert scale_from_zero([0.0, 0.0]).high > 0
