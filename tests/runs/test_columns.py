"""Values survive the way to Arrow and back, whatever the annotation."""

from enum import StrEnum
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from personae.core import Frozen, InputError, ResponseRow, Row
from personae.runs._columns import Layout, layout_of


class Colour(StrEnum):
    RED = "red"


class Inner(Frozen):
    name: str
    weights: tuple[float, ...] = ()
    more: dict[str, Any] | None = None


class WideRow(Row):
    table: ClassVar[str] = "wide"
    volatile: ClassVar[frozenset[str]] = frozenset({"when"})
    unit: str
    n: int | None = None
    x: float = 0.0
    flag: bool = False
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] | None = None
    level: Literal[1, 2] = 1
    mixed: str | float | None = None
    words: tuple[str, ...] = ()
    pair: tuple[int, str] = (1, "a")
    grid: tuple[tuple[float, ...], ...] = ()
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    open: dict[str, Any] = Field(default_factory=dict)
    when: float = 0.0


_floats = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _floats | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_inner = st.builds(
    Inner,
    name=st.text(),
    weights=st.lists(_floats, max_size=3).map(tuple),
    more=st.none() | st.dictionaries(st.text(), _json, max_size=2),
)
_rows = st.builds(
    WideRow,
    unit=st.text(),
    n=st.none() | st.integers(-(2**63), 2**63 - 1),
    x=_floats,
    flag=st.booleans(),
    kind=st.sampled_from(["a", "b", None]),
    mixed=st.none() | st.text() | _floats,
    words=st.lists(st.text(), max_size=3).map(tuple),
    grid=st.lists(st.lists(_floats, max_size=2).map(tuple), max_size=2).map(tuple),
    inner=st.none() | _inner,
    inners=st.lists(_inner, max_size=2).map(tuple),
    open=st.dictionaries(st.text(), _json, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_rows, min_size=1, max_size=4))
def test_arrow_gives_back_what_json_said(rows) -> None:
    import json

    layout = Layout.from_json("wide", layout_of(WideRow).to_json())
    assert layout == layout_of(WideRow)
    bodies = [json.loads(row.model_dump_json()) for row in rows]
    back = layout.from_arrow(layout.to_arrow(bodies).to_pylist())
    assert [layout.canonical(r) for r in back] == [layout.canonical(r) for r in bodies]
    assert [WideRow.model_validate(r) for r in back] == [WideRow.model_validate(r) for r in bodies]


def test_native_columns_where_there_is_one_type() -> None:
    kinds = layout_of(WideRow).columns
    assert kinds["mixed"] == kinds["open"] == kinds["pair"] == "json"
    assert kinds["level"] == "int"
    assert kinds["colour"] == kinds["kind"] == "string"
    assert kinds["grid"] == {"list": {"list": "float"}}
    assert kinds["inner"] == {"struct": {"name": "string", "weights": {"list": "float"}, "more": "json"}}
    assert layout_of(ResponseRow).columns["logprobs"] == {"list": "float"}


def test_volatile_and_empty_columns_do_not_count() -> None:
    layout = layout_of(WideRow)
    body = {"unit": "u", "n": None, "when": 3.5, "x": 1.0}
    assert layout.canonical(body) == '{"unit":"u","x":1.0}'


def test_rows_that_cannot_be_stored() -> None:
    class Bag(Row):
        table: ClassVar[str] = "bag"
        unit: str
        words: frozenset[str]

    class Lonely(Row):
        table: ClassVar[str] = "lonely"
        x: int

    with pytest.raises(InputError, match=r"Bag\.words is a set"):
        layout_of(Bag)
    with pytest.raises(InputError, match="no column 'unit: str'"):
        layout_of(Lonely)


def test_a_model_inside_itself_is_kept_as_json() -> None:
    class Node(BaseModel):
        children: tuple["Node", ...] = ()

    class Tree(Row):
        table: ClassVar[str] = "tree"
        unit: str
        root: Node

    assert layout_of(Tree).columns["root"] == {"struct": {"children": {"list": "json"}}}


def test_same_table_with_other_columns(start, fit, tmp_path) -> None:
    from personae.core import VersionError

    class FitRow2(Row):
        table: ClassVar[str] = "fit"
        unit: str
        extra: int

    class Shouting(Row):
        table: ClassVar[str] = "../Shouting"
        unit: str

    run = start(tmp_path / "run")
    run.record("a", [fit("a")], stage="s")
    with pytest.raises(VersionError, match=r"table 'fit' was written with other columns than FitRow2 has: .*extra"):
        run.record("b", [FitRow2(unit="b", extra=1)], stage="s")
    with pytest.raises(InputError, match=r"Shouting\.table is '\.\./Shouting'"):
        run.record("b", [Shouting(unit="b")], stage="s")
