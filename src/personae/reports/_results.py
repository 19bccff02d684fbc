"""Sections about numbers: results with their controls, and what an effect had to be to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from personae.core import Measurement
from personae.reports._blocks import Block, Cell, DataTable, IntervalChart, MeasurementTable, Notice, Section
from personae.reports._numbers import NONE, cell_text

_RATES: Final = frozenset({"share", "share of turns", "probability"})
"""Units of rates: one that is near 0 is an answer, not the absence of an effect."""


@dataclass(frozen=True, slots=True)
class DetectableEffect:
    """The smallest effect that a test at this n finds with probability `power`.

    `value` of None needs `reason`; `observed` is the estimate to hold it against.
    """

    label: str
    value: float | None
    unit: str
    n: int
    cluster: str
    method: str
    power: float = 0.8
    alpha: float = 0.05
    observed: float | None = None
    reason: str = ""


def cohorts_section(header: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Section:
    """A table of cohort means of agents, and of people where there are any."""
    lead = (
        "Answers of agents are expected values over the likelihood of each answer; people are shown on their own "
        "scale. No agent stands for a person, and what a model answers is no finding about people."
    )
    return Section("means", "Means of cohorts", [DataTable(header, rows, "Group level only")], lead)


def grouped_results(
    measurements: Sequence[Measurement], groups: Iterable[tuple[str, str, tuple[str, ...]]]
) -> list[Section]:
    """One section of results for each group that has measurements.

    Args:
        measurements: of the whole run.
        groups: anchor, heading, and what the names of the group's measurements start with.
    """
    found = [(anchor, title, [m for m in measurements if m.name.startswith(stems)]) for anchor, title, stems in groups]
    return [results_section(rows, section=anchor, title=title) for anchor, title, rows in found if rows]


def results_section(
    measurements: Iterable[Measurement],
    *,
    section: str = "results",
    title: str = "Results",
    lead: str = "",
    reference: float | None = 0.0,
    caption: str = "Estimates with intervals",
) -> Section:
    """Measurements drawn and in full, with the null results and the failed controls said in words.

    Args:
        measurements: what was measured, in the order to show.
        section: anchor of the section.
        title: heading.
        lead: what was asked, in markdown-lite.
        reference: the value that means "nothing"; None when the measurements have no such value.
        caption: of the chart.
    """
    rows = list(measurements)
    blocks: list[Block] = list(_remarks(rows, reference))
    if rows:
        blocks.append(IntervalChart(rows, caption, reference))
    blocks.append(MeasurementTable(rows, f"{title} in full"))
    return Section(section, title, blocks, lead)


def _remarks(rows: Sequence[Measurement], reference: float | None) -> Iterable[Notice]:
    missing = [m for m in rows if m.value is None]
    if missing:
        yield Notice("warning", "Not computed: " + "; ".join(f"{m.label} ({m.reason})" for m in missing) + ".")
    if reference is None:
        return
    zero = cell_text(reference)
    asked = [m for m in rows if not m.control and (m.p is not None or m.unit not in _RATES)]
    nothing = [m.label for m in asked if _holds(m, reference)]
    fired = [m.label for m in rows if m.control and m.interval is not None and not _holds(m, reference)]
    if fired:
        yield Notice("warning", f"A control that should show nothing does: {'; '.join(fired)}.")
    if nothing:
        yield Notice(
            "null_result",
            f"The interval holds {zero} for: {'; '.join(nothing)}. This run does not show these effects; "
            "ones too small for its n may exist all the same.",
        )


def _holds(m: Measurement, reference: float) -> bool:
    return m.interval is not None and m.interval.low <= reference <= m.interval.high


def power_section(effects: Iterable[DetectableEffect]) -> Section:
    """The minimum detectable effect of each comparison at the n of this run, beside what was observed."""
    rows: list[tuple[Cell, ...]] = []
    for e in effects:
        seen = None if e.value is None or e.observed is None else abs(e.observed) >= abs(e.value)
        rows.append(
            (
                e.label,
                e.value if e.value is not None else f"not computed: {e.reason or 'no reason given'}",
                e.unit,
                f"{e.n:,} {e.cluster}",
                e.observed,
                NONE if seen is None else "yes" if seen else "no",
                f"{100 * e.power:g} %",
                e.alpha,
                e.method,
            )
        )
    columns = (
        "Comparison", "Smallest detectable", "Unit", "n", "Observed", "Observed at least that large",
        "Power", "Alpha", "Method",
    )  # fmt: skip
    table = DataTable(columns, rows, "Smallest effect that a run of this size finds")
    lead = (
        "A true effect of the size in the second column is found with the stated power. "
        "Smaller ones may well exist: their absence above is no evidence against them."
    )
    return Section("power", "What this run could have seen", [table], lead)
