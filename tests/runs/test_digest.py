"""Digests and comparisons of evidence."""

from pathlib import Path

from personae.core import ResponseRow, TurnRow
from personae.runs import compare


def _turn(unit: str, text: str, call: str | None = None, index: int = 0) -> TurnRow:
    return TurnRow(
        unit=unit, conversation=unit, persona_id="p", condition="ecp", index=index, kind="utterance",
        speaker="Ada", role="client", text=text, call=call,
    )  # fmt: skip


def test_order_calls_and_parts_do_not_count(start, tmp_path: Path) -> None:
    a, b = start(tmp_path / "a"), start(tmp_path / "b", part_rows=1)
    for key in ("x", "y", "z"):
        a.record(key, [_turn(key, "hi", "call-1"), _turn(key, "ho", index=1)], stage="s")
    for key in ("z", "x", "y"):
        b.record(key, [_turn(key, "hi", "call-2"), _turn(key, "ho", index=1)], stage="s")
    assert a.digest() == b.digest()
    same = compare(a, b)
    assert same.identical
    assert same.equal == ("turns",)
    assert same.different == ()
    b.record("y", [_turn("y", "hi"), _turn("y", "HO", index=1)], stage="s")
    assert a.digest() != b.digest()


def test_comparison_shows_the_first_rows_that_differ(start, tmp_path: Path) -> None:
    a, b = start(tmp_path / "a"), start(tmp_path / "b")
    for k in range(20):
        a.record(f"u{k:02d}", [_turn(f"u{k:02d}", "hi")], stage="s")
        b.record(f"u{k:02d}", [_turn(f"u{k:02d}", "ho" if k % 5 == 2 else "hi")], stage="s")
    b.record("u99", [_turn("u99", "new"), _turn("u99", "new")], stage="s")
    found = compare(a, b, first=5)
    assert not found.identical
    (table,) = found.different
    assert (table.table, table.rows_a, table.rows_b, table.only_a, table.only_b) == ("turns", 20, 22, 4, 6)
    assert [d.unit for d in table.first] == ["u02", "u07", "u12", "u17", "u99"]
    first, last = table.first[0], table.first[-1]
    assert first.columns == ("text",)
    assert first.a["text"] == "hi"
    assert first.b["text"] == "ho"
    assert last.a is None
    assert last.b["text"] == "new"


def test_copies_of_a_row_count(start, tmp_path: Path) -> None:
    a, b = start(tmp_path / "a"), start(tmp_path / "b")
    a.record("u", [_turn("u", "x")], stage="s")
    b.record("u", [_turn("u", "x"), _turn("u", "x")], stage="s")
    assert a.digest() != b.digest()
    (table,) = compare(a, b).different
    assert (table.only_a, table.only_b) == (0, 1)


def test_table_that_only_one_has(start, fit, tmp_path: Path) -> None:
    a, b = start(tmp_path / "a"), start(tmp_path / "b")
    assert a.digest() == b.digest()
    b.record("u", [fit("u")], stage="s")
    (table,) = compare(a, b).different
    assert (table.table, table.rows_a, table.only_b) == ("fit", 0, 1)
    assert list(a.rows(ResponseRow)) == []
