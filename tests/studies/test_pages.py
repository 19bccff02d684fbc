"""Pages of a report that every study has."""

from __future__ import annotations

from personae.core import TurnRow
from personae.studies._pages import line_outcomes


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
