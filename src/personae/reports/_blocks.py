"""What a report is made of: a page of sections, a section of blocks. Values only; templates decide how they look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from personae.core import InputError, Measurement

Cell: TypeAlias = str | int | float | bool | None
NoticeKind = Literal["limit", "warning", "null_result"]


@dataclass(frozen=True, slots=True)
class Prose:
    """Plain paragraphs, separated by blank lines, with `**bold**`, `*emphasis*`, backtick code and `- ` lists.

    Nothing else is: a link stays the text it is.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Text that stands as it is: a persona's words, or words about one. Nothing in it is interpreted."""

    text: str


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Names and values, in the order given."""

    facts: Mapping[str, Cell]
    title: str = ""


@dataclass(frozen=True, slots=True)
class MeasurementTable:
    """Measurements in full: value, interval, unit, n, p, direction, method, failures, control, validation."""

    measurements: Sequence[Measurement]
    caption: str = "Measurements"


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """A forest plot: one row per measurement, its interval drawn and written. One axis per unit."""

    measurements: Sequence[Measurement]
    caption: str = "Estimates with intervals"
    reference: float | None = 0.0
    """where nothing would lie; None draws no line"""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a scatter chart. `group` picks shape and colour."""

    x: float
    y: float
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Points on two axes."""

    points: Sequence[Point]
    x_label: str
    y_label: str
    caption: str
    identity: bool = False
    """draw the line y = x"""


@dataclass(frozen=True, slots=True)
class Series:
    """One line with an optional band. A `y` of None is a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()

    def __post_init__(self) -> None:
        if len(self.y) != len(self.x):
            raise InputError(f"series {self.name!r}: {len(self.x)} x for {len(self.y)} y.", hint="Give one y per x.")
        if (self.low or self.high) and not (len(self.low) == len(self.high) == len(self.x)):
            raise InputError(
                f"series {self.name!r}: {len(self.low)} low and {len(self.high)} high for {len(self.x)} points.",
                hint="Give both bounds of the band for every point (None where there is no band), or neither.",
            )


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines with bands."""

    series: Sequence[Series]
    x_label: str
    y_label: str
    caption: str
    band: str = "95 % interval"
    """what the bands are"""


@dataclass(frozen=True, slots=True)
class BarChart:
    """Observed values as bars, targets as ticks across them."""

    categories: Sequence[str]
    observed: Sequence[float]
    target: Sequence[float] | None = None
    caption: str = ""
    unit: str = "%"
    counts: Sequence[int] | None = None
    """how many rows each observed value rests on"""

    def __post_init__(self) -> None:
        for name, values in (("observed", self.observed), ("target", self.target), ("counts", self.counts)):
            if values is not None and len(values) != len(self.categories):
                raise InputError(
                    f"bar chart {self.caption!r}: {len(values)} {name} values for {len(self.categories)} categories.",
                    hint="Give one value per category.",
                )


@dataclass(frozen=True, slots=True)
class PyramidChart:
    """Two groups back to back over the same bands (an age pyramid): observed as bars, targets as ticks, in percent."""

    bands: Sequence[str]
    left: Sequence[float]
    right: Sequence[float]
    left_label: str
    right_label: str
    caption: str
    left_target: Sequence[float] | None = None
    right_target: Sequence[float] | None = None

    def __post_init__(self) -> None:
        for name in ("left", "right", "left_target", "right_target"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.bands):
                raise InputError(
                    f"pyramid {self.caption!r}: {len(values)} {name} values for {len(self.bands)} bands.",
                    hint="Give one value per band.",
                )


@dataclass(frozen=True, slots=True)
class MatrixChart:
    """Numbers in shaded cells: the further from `zero`, the darker. `values[row][column]`; None is blank."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    caption: str
    unit: str = ""
    zero: float = 0.0
    full: float | None = None
    """distance from `zero` that is darkest; by default the largest"""
    digits: int = 2

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(r) != len(self.columns) for r in self.values):
            raise InputError(
                f"matrix {self.caption!r}: values do not have {len(self.rows)} rows of {len(self.columns)}.",
                hint="Give one value (or None) per cell.",
            )


@dataclass(frozen=True, slots=True)
class DataTable:
    """A plain table. `prompts`, if given, holds one exact prompt (or None) per row, opened beneath the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
    prompts: Sequence[str | None] = ()

    def __post_init__(self) -> None:
        for k, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise InputError(
                    f"table {self.caption!r}, row {k}: {len(row)} cells for {len(self.columns)} columns.",
                    hint="Give one cell per column; use None for an empty one.",
                )
        if self.prompts and len(self.prompts) != len(self.rows):
            raise InputError(
                f"table {self.caption!r}: {len(self.prompts)} prompts for {len(self.rows)} rows.",
                hint="Give one prompt per row; use None where there is none.",
            )


@dataclass(frozen=True, slots=True)
class Turn:
    """One event of a conversation as shown. `side` only places it; who speaks is always written."""

    speaker: str
    role: str
    text: str
    side: Literal["left", "right", "note"] = "left"
    note: str = ""
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation, turn by turn."""

    title: str
    turns: Sequence[Turn]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Conversations of one person under several conditions."""

    title: str
    views: Sequence[ConversationView]


@dataclass(frozen=True, slots=True)
class PromptView:
    """The exact text a model got, closed until opened."""

    title: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader must not miss: a limit, a warning, or a result that found nothing."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file next to the report. `path` is relative to the folder of the report, with forward slashes."""

    path: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Downloads:
    """Files to take away."""

    files: Sequence[Download]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Blocks in as many columns as the width allows."""

    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks behind a line that opens them."""

    title: str
    blocks: Sequence[Block]


Block: TypeAlias = (
    Prose
    | Said
    | KeyFacts
    | MeasurementTable
    | IntervalChart
    | ScatterChart
    | LineChart
    | BarChart
    | PyramidChart
    | MatrixChart
    | DataTable
    | ConversationView
    | SideBySide
    | PromptView
    | Notice
    | Downloads
    | Columns
    | Fold
)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page. `id` is its anchor: lower-case letters, digits and hyphens."""

    id: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    meta: Mapping[str, Cell] = field(default_factory=dict[str, Cell])
