"""Pages of a report that every study has."""

from __future__ import annotations

import pytest

from personae.core import Measurement, Span, TurnRow
from personae.studies._pages import describe, line_outcomes


def turn(text: str, reason: str | None = "stop") -> TurnRow:
    return TurnRow(
        unit="u", conversation="c", persona_id="p", condition="ecp", index=0, kind="utterance", speaker="Ada",
        role="client", text=text, finish_reason=reason,
    )  # fmt: skip


def test_every_generated_line_is_counted_once_by_what_became_of_it() -> None:
    counts = line_outcomes(
        [
            turn("I baked bread this morning."),
            turn("I'd rather not say."),
            turn("I'm sorry, but I can't assist with that."),
            turn("No.", "refused"),
            turn("", "empty"),
            turn("no no no no no no no no", "length"),
            turn("and then we went", "length"),
            turn("a human said this", None),
        ]
    )
    assert counts == {
        "fit for use": 2, "refused": 2, "empty": 1, "degenerate": 1, "malformed": 0, "cut off at the token limit": 1,
    }  # fmt: skip


def test_where_nobody_spoke_nothing_is_counted() -> None:
    assert line_outcomes([turn("a human said this", None)]) == {}


@pytest.mark.parametrize(
    ("label", "unit", "numbers", "told"),
    [
        ("Found", "share", (0.5, 0.2, 0.8), "Found: 0.50 [0.20, 0.80], n = 10"),
        ("Found", "share", (0.0, 0.0, 0.28), "Found: 0.00 [0.00, 0.28], n = 10"),
        ("r", "r", (0.1, -0.2, 0.4), "r: +0.10 [-0.20, +0.40], n = 10  (not told from zero)"),
        ("r", "r", (-0.5, -0.7, -0.2), "r: -0.50 [-0.70, -0.20], n = 10"),
        ("A minus B", "share", (0.5, 0.2, 0.8), "A minus B: +0.50 [+0.20, +0.80], n = 10"),
        ("A, B", "difference of shares", (0.2, 0.0, 0.4), "A, B: +0.20 [+0.00, +0.40], n = 10  (not told from zero)"),
    ],
)
def test_signs_stand_where_zero_could_lie_inside(
    label: str, unit: str, numbers: tuple[float, float, float], told: str
) -> None:
    value, low, high = numbers
    span = Span(low=low, high=high, method="t")
    m = Measurement(
        name="m", label=label, value=value, unit=unit, n=10, cluster="person", interval=span, method="t", seed=1,
        model="none",
    )  # fmt: skip
    assert describe(m) == told
