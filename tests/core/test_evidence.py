import inspect

import pytest
from pydantic import ValidationError

from personae.core import ResponseRow, Row
from personae.core import _evidence as home

ROWS = [c for _, c in inspect.getmembers(home, inspect.isclass) if issubclass(c, Row) and c is not Row]
RESPONSE = {
    "unit": "u", "persona_id": None, "actor": "a", "condition": "self", "condition_hash": "h", "instrument": "i",
    "item": "E1", "scale": "E", "key": 1, "order": "none", "method": "score", "status": "ok", "value": 3.0,
    "keyed": 3.0, "model": "m", "seed": 1,
}  # fmt: skip


def test_tables_have_different_names_and_every_row_its_unit():
    assert len({r.table for r in ROWS}) == len(ROWS) >= 10
    for row in ROWS:
        assert "unit" in row.model_fields
        assert row.volatile <= {*row.model_fields, "call"}


def test_rows_about_people_carry_the_unit_of_randomisation():
    for row in ROWS:
        if row.table in {"responses", "conversations", "turns", "probes", "judgements"}:
            assert "persona_id" in row.model_fields


def test_rows_are_frozen_and_closed():
    row = ResponseRow(**RESPONSE)
    with pytest.raises(ValidationError, match="frozen"):
        row.value = 0
    with pytest.raises(ValidationError, match="Extra inputs"):
        ResponseRow(**RESPONSE, score=1)
    assert ResponseRow.model_validate_json(row.model_dump_json()) == row


@pytest.mark.parametrize("change", [{"status": "fine"}, {"value": float("nan")}, {"method": "guess"}])
def test_closed_sets_and_finite_values(change):
    with pytest.raises(ValidationError):
        ResponseRow(**{**RESPONSE, **change})
