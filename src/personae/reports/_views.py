"""Blocks as templates see them: every number already text, every figure and table already numbered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

from personae.core import Measurement
from personae.reports import _blocks as b
from personae.reports._charts import (
    bars_of,
    interval_groups,
    interval_text,
    level_of,
    lines_of,
    matrix_of,
    measurement_digits,
    n_text,
    pyramid_of,
    rows_text,
    scatter_of,
)
from personae.reports._numbers import NONE, cell_text, digits_of, fact_text, number, p_text

if TYPE_CHECKING:
    from markupsafe import Markup

_QUANTITY: Final = re.compile(r"[−+<]?[0-9][0-9,.]*( ?%| s| min( [0-9]+ s)?| h( [0-9]+ min)?)")
_PREVIEW: Final = 1_200
"""characters of a turn shown before the rest is folded away"""
_NOTICES: Final = {"limit": "Limit", "warning": "Warning", "null_result": "Nothing found"}

Values: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class View:
    """One block ready for its macro, which has the name `kind`."""

    kind: str
    values: Values


@dataclass(slots=True)
class Counter:
    """Numbers of figures and tables on one page. What is folded away has an anchor but no number."""

    figures: int = 0
    tables: int = 0
    folded: int = 0
    depth: int = 0

    def figure(self) -> Values:
        """Anchor and label of the next figure."""
        if not self.depth:
            self.figures += 1
            return {"id": f"figure-{self.figures}", "label": f"Figure {self.figures}."}
        return self._folded()

    def table(self) -> Values:
        """Anchor and label of the next table."""
        if not self.depth:
            self.tables += 1
            return {"id": f"table-{self.tables}", "label": f"Table {self.tables}."}
        return self._folded()

    def _folded(self) -> Values:
        self.folded += 1
        return {"id": f"folded-{self.folded}", "label": ""}


def view_of(block: b.Block, counter: Counter) -> View:
    """The view of any block."""
    make = _VIEWS[type(block)]
    return make(block, counter)


def views_of(blocks: Sequence[b.Block], counter: Counter) -> list[View]:
    """Views of blocks, numbered in reading order."""
    return [view_of(block, counter) for block in blocks]


def prose_html(text: str) -> Markup:
    """Markdown-lite as HTML. The text is escaped first; only then do our four marks become tags."""
    from markupsafe import Markup, escape

    parts: list[Markup] = []
    for chunk in re.split(r"\n\s*\n", text.strip()):
        for is_list, group in groupby(chunk.splitlines(), key=lambda line: line.lstrip().startswith("- ")):
            lines = [_inline(str(escape(line.strip().removeprefix("- ") if is_list else line))) for line in group]
            parts.append(
                Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(x) for x in lines))
                if is_list
                else Markup("<p>{}</p>").format(Markup("\n").join(lines))
            )
    return Markup("\n").join(parts)


def _inline(escaped: str) -> Markup:
    from markupsafe import Markup

    out: list[str] = []
    for k, piece in enumerate(re.split(r"`([^`]+)`", escaped)):
        if k % 2:
            out.append(f"<code>{piece}</code>")
            continue
        strong = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", piece)
        out.append(re.sub(r"(?<!\w)\*([^\s*](?:[^*]*[^\s*])?)\*(?!\w)", r"<em>\1</em>", strong))
    return Markup("".join(out))  # noqa: S704 - the input was escaped; only the tags above were added


def _prose(block: b.Prose, counter: Counter) -> View:
    del counter
    return View("prose", {"html": prose_html(block.text)})


def _said(block: b.Said, counter: Counter) -> View:
    del counter
    return View("said", {"text": block.text})


def _key_facts(block: b.KeyFacts, counter: Counter) -> View:
    del counter
    return View("key_facts", {"title": block.title, "facts": [(k, fact_text(k, v)) for k, v in block.facts.items()]})


@dataclass(frozen=True, slots=True)
class MeasurementLine:
    """One row of a measurement table."""

    label: str
    details: str
    note: str
    value: str
    reason: str
    interval: str
    unit: str
    n: str
    rows: str
    p: str
    p_adjusted: str
    direction: str
    failures: str
    validated: str
    control: bool


def _about(m: Measurement) -> list[str]:
    """How a measurement was made, in the order of the text beneath its label."""
    about = [m.method]
    if m.interval is not None:
        about.append(f"interval: {m.interval.method}")
    if m.condition:
        about.append(f"condition: {m.condition}")
    return [*about, f"seed {m.seed}", m.model]


def _shared(measurements: Sequence[Measurement]) -> list[str]:
    """What is true of all rows, said once beneath the table."""
    if len(measurements) < 2:
        return []
    computed = [m for m in measurements if m.value is not None] or list(measurements)
    every = [set(_about(m)) for m in computed]
    return [text for text in _about(computed[0]) if all(text in about for about in every)]


def _measurement_line(m: Measurement, shared: Sequence[str], *, same_level: bool) -> MeasurementLine:
    return MeasurementLine(
        label=m.label,
        details=" · ".join(text for text in _about(m) if text not in shared),
        note=m.note or "",
        value=number(m.value, measurement_digits(m)),
        reason=m.reason or "",
        interval=interval_text(m, level=not same_level),
        unit=m.unit,
        n=n_text(m),
        rows=rows_text(m),
        p=p_text(m.p),
        p_adjusted=p_text(m.p_adjusted),
        direction=m.direction,
        failures=f"{m.failures:,}",
        validated=m.validated,
        control=m.control,
    )


def _interval_header(measurements: Sequence[Measurement]) -> str:
    level = level_of(measurements)
    return "Interval" if level is None else f"{100 * level:g} % interval"


def _measurement_table(block: b.MeasurementTable, counter: Counter) -> View:
    same = level_of(block.measurements) is not None
    shared = _shared(block.measurements)
    return View(
        "measurement_table",
        {
            **counter.table(),
            "caption": block.caption,
            "interval_header": _interval_header(block.measurements),
            "lines": [_measurement_line(m, shared, same_level=same) for m in block.measurements],
            "shared": " · ".join(shared),
        },
    )


def _interval_chart(block: b.IntervalChart, counter: Counter) -> View:
    return View(
        "interval_chart",
        {
            **counter.figure(),
            "caption": block.caption,
            "interval_header": _interval_header(block.measurements),
            "groups": interval_groups(block),
            "reference": None if block.reference is None else cell_text(block.reference),
        },
    )


def _scatter_chart(block: b.ScatterChart, counter: Counter) -> View:
    chart = scatter_of(block)
    return View(
        "scatter_chart",
        {**counter.figure(), "block": block, "chart": chart},
    )


def _line_chart(block: b.LineChart, counter: Counter) -> View:
    chart = lines_of(block)
    return View(
        "line_chart",
        {**counter.figure(), "block": block, "chart": chart},
    )


def _bar_chart(block: b.BarChart, counter: Counter) -> View:
    return View("bar_chart", {**counter.figure(), "block": block, "chart": bars_of(block)})


def _pyramid_chart(block: b.PyramidChart, counter: Counter) -> View:
    return View("pyramid_chart", {**counter.figure(), "block": block, "rows": pyramid_of(block)})


def _matrix_chart(block: b.MatrixChart, counter: Counter) -> View:
    return View("matrix_chart", {**counter.figure(), "block": block, "rows": matrix_of(block)})


def _data_table(block: b.DataTable, counter: Counter) -> View:
    columns = [_column(name, [row[k] for row in block.rows]) for k, name in enumerate(block.columns)]
    prompts = list(block.prompts) or [None] * len(block.rows)
    return View(
        "data_table",
        {
            **counter.table(),
            "caption": block.caption,
            "columns": [(column.name, column.numeric) for column in columns],
            "rows": [([column.cells[k] for column in columns], prompt) for k, prompt in enumerate(prompts)],
        },
    )


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    numeric: bool
    cells: list[str]


def _column(name: str, cells: Sequence[b.Cell]) -> _Column:
    """Numbers of one column share their decimals; numbers with a unit stand on the right too."""
    numbers = [float(c) for c in cells if isinstance(c, (int, float)) and not isinstance(c, bool)]
    if "seed" not in name.lower() and numbers and len(numbers) == sum(c is not None for c in cells):
        digits = digits_of(numbers)
        return _Column(name, numeric=True, cells=[number(None if c is None else float(c), digits) for c in cells])
    texts = [fact_text(name, c) for c in cells]
    numeric = all(t == NONE or _QUANTITY.fullmatch(t) for t in texts) and any(t != NONE for t in texts)
    return _Column(name, numeric, texts)


def _turn(turn: b.Turn) -> Values:
    long = len(turn.text) > _PREVIEW + 200
    return {
        "turn": turn,
        "shown": turn.text[:_PREVIEW] if long else turn.text,
        "rest": turn.text[_PREVIEW:] if long else "",
        "length": f"{len(turn.text):,}",
    }


def _conversation(block: b.ConversationView, counter: Counter) -> View:
    del counter
    return View(
        "conversation",
        {"title": block.title, "turns": [_turn(t) for t in block.turns], "notes": [n for n in block.notes if n]},
    )


def _side_by_side(block: b.SideBySide, counter: Counter) -> View:
    return View("side_by_side", {"title": block.title, "views": views_of(block.views, counter)})


def _prompt(block: b.PromptView, counter: Counter) -> View:
    del counter
    return View("prompt", {"title": block.title, "prompt": block.prompt})


def _notice(block: b.Notice, counter: Counter) -> View:
    del counter
    return View("notice", {"level": block.kind, "word": _NOTICES[block.kind], "html": prose_html(block.text)})


def _downloads(block: b.Downloads, counter: Counter) -> View:
    del counter
    files = [(f.path, _relative(f.path), f.note) for f in block.files]
    return View("downloads", {"title": block.title, "files": files})


def _relative(path: str) -> str | None:
    """A link that can only lead to a file near the report; None for an absolute path, which is shown as text."""
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        return None
    return "./" + quote(path, safe="/", errors="replace")


def _columns(block: b.Columns, counter: Counter) -> View:
    return View("columns", {"views": views_of(block.blocks, counter)})


def _fold(block: b.Fold, counter: Counter) -> View:
    counter.depth += 1
    views = views_of(block.blocks, counter)
    counter.depth -= 1
    return View("fold", {"title": block.title, "views": views})


_VIEWS: Final[dict[type, Callable[..., View]]] = {
    b.Prose: _prose,
    b.Said: _said,
    b.KeyFacts: _key_facts,
    b.MeasurementTable: _measurement_table,
    b.IntervalChart: _interval_chart,
    b.ScatterChart: _scatter_chart,
    b.LineChart: _line_chart,
    b.BarChart: _bar_chart,
    b.PyramidChart: _pyramid_chart,
    b.MatrixChart: _matrix_chart,
    b.DataTable: _data_table,
    b.ConversationView: _conversation,
    b.SideBySide: _side_by_side,
    b.PromptView: _prompt,
    b.Notice: _notice,
    b.Downloads: _downloads,
    b.Columns: _columns,
    b.Fold: _fold,
}

__all__ = ["NONE", "Counter", "View", "prose_html", "view_of", "views_of"]
