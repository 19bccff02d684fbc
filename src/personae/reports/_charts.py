"""Charts as what the templates draw: places in percent, numbers as written in the table beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from personae.core import Measurement
from personae.reports._blocks import BarChart, IntervalChart, LineChart, MatrixChart, PyramidChart, ScatterChart, Series
from personae.reports._numbers import NONE, digits_for, digits_of, number, signed
from personae.reports._scales import Scale, Tick, scale_from_zero, scale_of

KINDS: Final = 6
"""colours, shapes and dashes that the style sheet holds; later groups start over"""


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """One row of a forest plot."""

    label: str
    note: str
    control: bool
    n: str
    rows: str
    value: str
    interval: str
    at: str | None
    low: str | None
    high: str | None
    title: str


@dataclass(frozen=True, slots=True)
class IntervalGroup:
    """The rows that share a unit, and so an axis."""

    unit: str
    ticks: tuple[Tick, ...]
    reference: str | None
    marks: tuple[IntervalMark, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart."""

    category: str
    x: str
    width: str
    target_at: str | None
    observed: str
    target: str
    difference: str
    count: str
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart."""

    bars: tuple[Bar, ...]
    zero: str
    has_target: bool
    has_count: bool


@dataclass(frozen=True, slots=True)
class Axes:
    """Both axes of a chart."""

    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a scatter or line chart."""

    x: str
    y: str
    kind: int
    title: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A straight line from one place to another."""

    x1: str
    y1: str
    x2: str
    y2: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """A scatter chart and its table."""

    axes: Axes
    marks: tuple[Mark, ...]
    groups: tuple[tuple[int, str], ...]
    identity: Segment | None
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: paths in a 1000 x 1000 box that is stretched over the plot, and its points."""

    name: str
    kind: int
    paths: tuple[str, ...]
    bands: tuple[str, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A line chart and its table."""

    axes: Axes
    lines: tuple[Line, ...]
    has_band: bool
    rows: tuple[tuple[str, str, str, str], ...]


def interval_text(m: Measurement, *, level: bool = False) -> str:
    """`low to high`, with the level when the column does not already say it; a dash when there is none."""
    if m.interval is None:
        return NONE
    digits = measurement_digits(m)
    text = f"{number(m.interval.low, digits)} to {number(m.interval.high, digits)}"
    return f"{text} ({100 * m.interval.level:g} %)" if level else text


def measurement_digits(m: Measurement) -> int:
    """Decimals that this measurement is worth."""
    if m.interval is not None:
        return digits_for(m.interval.high - m.interval.low)
    return digits_of([m.value]) if m.value is not None else 0


def n_text(m: Measurement) -> str:
    """How many units of randomisation: `24 people`."""
    return f"{m.n:,} {m.cluster}"


def rows_text(m: Measurement) -> str:
    """How many evidence rows, where they are not the same as the units: `2,400 rows`."""
    return f"{m.rows:,} rows" if m.rows is not None and m.rows != m.n else ""


def level_of(measurements: Sequence[Measurement]) -> float | None:
    """The confidence level that all intervals share; None when they differ or there are none."""
    levels = {m.interval.level for m in measurements if m.interval is not None}
    return levels.pop() if len(levels) == 1 else None


def interval_groups(chart: IntervalChart) -> tuple[IntervalGroup, ...]:
    """One group per unit, in order of first appearance."""
    units = dict.fromkeys(m.unit for m in chart.measurements)
    return tuple(
        _interval_group(unit, [m for m in chart.measurements if m.unit == unit], chart.reference) for unit in units
    )


def _interval_group(unit: str, members: list[Measurement], reference: float | None) -> IntervalGroup:
    values = [m.value for m in members if m.value is not None]
    ends = [end for m in members if m.interval is not None for end in (m.interval.low, m.interval.high)]
    scale = scale_of([*values, *ends], include=() if reference is None else (reference,))
    same_level = level_of(members) is not None
    return IntervalGroup(
        unit=unit,
        ticks=scale.ticks(),
        reference=None if reference is None else scale.percent(reference),
        marks=tuple(_interval_mark(m, scale, same_level=same_level) for m in members),
    )


def _interval_mark(m: Measurement, scale: Scale, *, same_level: bool) -> IntervalMark:
    value = number(m.value, measurement_digits(m))
    interval = interval_text(m, level=not same_level)
    known = m.value is not None
    title = f"{m.label}: {value} ({interval})" if known else f"{m.label}: not computed, {m.reason}"
    return IntervalMark(
        label=m.label,
        note=f"not computed: {m.reason}" if not known else "" if m.interval else f"no interval: {m.reason}",
        control=m.control,
        n=n_text(m),
        rows=rows_text(m),
        value=value,
        interval=interval,
        at=None if m.value is None else scale.percent(m.value),
        low=None if m.interval is None else scale.percent(m.interval.low),
        high=None if m.interval is None else scale.percent(m.interval.high),
        title=title,
    )


def bars_of(chart: BarChart) -> Bars:
    """Bars, target ticks and the numbers beside them."""
    target = chart.target
    every = [*chart.observed, *(target or ())]
    scale = scale_from_zero(every)
    digits = digits_of([0.0, *every])
    rows: list[Bar] = []
    for k, category in enumerate(chart.categories):
        value = chart.observed[k]
        wanted = None if target is None else target[k]
        left, right = sorted((scale.at(0), scale.at(value)))
        shown = f"{category}: {number(value, digits)} {chart.unit}"
        rows.append(
            Bar(
                category=category,
                x=f"{left:.2f}%",
                width=f"{right - left:.2f}%",
                target_at=None if wanted is None else scale.percent(wanted),
                observed=number(value, digits),
                target=number(wanted, digits),
                difference=NONE if wanted is None else signed(value - wanted, digits),
                count=NONE if chart.counts is None else number(float(chart.counts[k]), 0),
                title=shown if wanted is None else f"{shown}, target {number(wanted, digits)} {chart.unit}",
            )
        )
    return Bars(tuple(rows), scale.percent(0), has_target=target is not None, has_count=chart.counts is not None)


def scatter_of(chart: ScatterChart) -> Scatter:
    """Points, axes, groups and the table."""
    xs, ys = [p.x for p in chart.points], [p.y for p in chart.points]
    x_scale = scale_of(xs, intervals=5)
    y_scale = scale_of(ys, intervals=5)
    x_digits, y_digits = digits_of(xs), digits_of(ys)
    kinds = {group: k % KINDS for k, group in enumerate(dict.fromkeys(p.group for p in chart.points))}
    rows = tuple((p.label, p.group or NONE, number(p.x, x_digits), number(p.y, y_digits)) for p in chart.points)
    marks = tuple(
        Mark(
            x_scale.percent(p.x),
            y_scale.percent(p.y, flip=True),
            kinds[p.group],
            f"{p.label}{', ' + p.group if p.group else ''}: {row[2]}, {row[3]}",
        )
        for p, row in zip(chart.points, rows, strict=True)
    )
    groups = tuple((k, name) for name, k in kinds.items() if name)
    return Scatter(
        Axes(x_scale.ticks(), y_scale.ticks(flip=True)), marks, groups, _identity(chart, x_scale, y_scale), rows
    )


@dataclass(frozen=True, slots=True)
class PyramidRow:
    """One band: bars as percent of half the width, the left one growing to the left."""

    band: str
    left: str
    left_x: str
    left_width: str
    left_target: str | None
    right: str
    right_width: str
    right_target: str | None
    title: str


def pyramid_of(chart: PyramidChart) -> tuple[PyramidRow, ...]:
    """Rows from the last band to the first, so that the oldest stand on top."""
    targets = [*(chart.left_target or ()), *(chart.right_target or ())]
    every = [*chart.left, *chart.right, *targets]
    largest = max(every, default=0.0) * 1.04 or 1.0
    digits = digits_of([0.0, *every])
    rows: list[PyramidRow] = []
    for k in reversed(range(len(chart.bands))):
        left, right = chart.left[k], chart.right[k]
        wanted = [None if t is None else 100 * t[k] / largest for t in (chart.left_target, chart.right_target)]
        told = [number(left, digits), number(right, digits)]
        rows.append(
            PyramidRow(
                band=chart.bands[k],
                left=told[0],
                left_x=f"{100 - 100 * left / largest:.2f}%",
                left_width=f"{100 * left / largest:.2f}%",
                left_target=None if wanted[0] is None else f"{100 - wanted[0]:.2f}%",
                right=told[1],
                right_width=f"{100 * right / largest:.2f}%",
                right_target=None if wanted[1] is None else f"{wanted[1]:.2f}%",
                title=f"{chart.bands[k]}: {chart.left_label} {told[0]} %, {chart.right_label} {told[1]} %",
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One cell: its number, and how dark it is in percent. `sign` picks the colour."""

    text: str
    shade: int
    sign: int


def matrix_of(chart: MatrixChart) -> tuple[tuple[str, tuple[MatrixCell, ...]], ...]:
    """Rows of shaded cells."""
    known = [abs(v - chart.zero) for row in chart.values for v in row if v is not None]
    full = chart.full or max(known, default=0.0) or 1.0

    def cell(value: float | None) -> MatrixCell:
        if value is None:
            return MatrixCell("", 0, 0)
        away = value - chart.zero
        return MatrixCell(number(value, chart.digits), round(45 * min(1.0, abs(away) / full)), 1 if away >= 0 else -1)

    return tuple((name, tuple(cell(v) for v in row)) for name, row in zip(chart.rows, chart.values, strict=True))


def _identity(chart: ScatterChart, x: Scale, y: Scale) -> Segment | None:
    low, high = max(x.low, y.low), min(x.high, y.high)
    if not chart.identity or low >= high:
        return None
    return Segment(x.percent(low), y.percent(low, flip=True), x.percent(high), y.percent(high, flip=True))


def lines_of(chart: LineChart) -> Lines:
    """Paths, bands, points and the table."""
    xs = [x for s in chart.series for x in s.x]
    ys = [y for s in chart.series for values in (s.y, s.low, s.high) for y in values if y is not None]
    x_scale, y_scale = scale_of(xs, intervals=5, pad=0.03), scale_of(ys, intervals=5)
    digits = digits_of(ys)
    rows: list[tuple[str, str, str, str]] = []
    lines: list[Line] = []
    for k, series in enumerate(chart.series):
        texts = _line_rows(series, digits, digits_of(xs))
        rows += texts
        marks = tuple(
            Mark(
                x_scale.percent(x), y_scale.percent(y, flip=True), k % KINDS,
                f"{series.name}, {row[1]}: {row[2]}" + ("" if row[3] == NONE else f" ({row[3]})"),
            )
            for x, y, row in zip(series.x, series.y, texts, strict=True)
            if y is not None
        )  # fmt: skip
        paths = _paths(series, x_scale, y_scale)
        lines.append(Line(series.name, k % KINDS, paths, _bands(series, x_scale, y_scale), marks))
    has_band = any(s.low for s in chart.series)
    return Lines(Axes(x_scale.ticks(), y_scale.ticks(flip=True)), tuple(lines), has_band, tuple(rows))


def _line_rows(series: Series, digits: int, x_digits: int) -> list[tuple[str, str, str, str]]:
    low, high = _bounds(series)
    return [
        (
            series.name,
            number(x, x_digits),
            number(y, digits),
            NONE if lo is None or hi is None else f"{number(lo, digits)} to {number(hi, digits)}",
        )
        for x, y, lo, hi in zip(series.x, series.y, low, high, strict=True)
    ]


def _bounds(series: Series) -> tuple[Sequence[float | None], Sequence[float | None]]:
    empty: list[float | None] = [None] * len(series.x)
    return series.low or empty, series.high or empty


def _place(x: float, y: float, x_scale: Scale, y_scale: Scale) -> str:
    return f"{10 * x_scale.at(x):.1f},{10 * (100 - y_scale.at(y)):.1f}"


def _paths(series: Series, x_scale: Scale, y_scale: Scale) -> tuple[str, ...]:
    points = {k: _place(x, y, x_scale, y_scale) for k, (x, y) in enumerate(_known(series.x, series.y)) if y is not None}
    return tuple("M" + "L".join(points[k] for k in run) for run in _runs(points) if len(run) > 1)


def _bands(series: Series, x_scale: Scale, y_scale: Scale) -> tuple[str, ...]:
    low, high = _bounds(series)
    edges = {
        k: (_place(x, lo, x_scale, y_scale), _place(x, hi, x_scale, y_scale))
        for k, (x, lo, hi) in enumerate(zip(series.x, low, high, strict=True))
        if lo is not None and hi is not None
    }
    return tuple(
        "M" + "L".join([*(edges[k][1] for k in run), *(edges[k][0] for k in reversed(run))]) + "Z"
        for run in _runs(edges)
        if len(run) > 1
    )


def _known(x: Sequence[float], y: Sequence[float | None]) -> list[tuple[float, float | None]]:
    return list(zip(x, y, strict=True))


def _runs(points: Mapping[int, object]) -> list[list[int]]:
    """Consecutive indices, so that a gap in the data is a gap in the line."""
    keys = list(points)
    if not keys:
        return []
    runs = [[keys[0]]]
    for before, after in pairwise(keys):
        if after == before + 1:
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs
