"""Sections about a population: how it fits, what goes with what, which rules it breaks, who resembles whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from personae.core import FitRow, Persona, derive_rng
from personae.reports._blocks import (
    Block,
    Cell,
    DataTable,
    Fold,
    KeyFacts,
    MatrixChart,
    Notice,
    Point,
    PyramidChart,
    Said,
    ScatterChart,
    Section,
)
from personae.reports._people import leaf_text, margin_charts

_WORST: Final = 12
_FAR: Final = 0.2
"""difference of Cramér's V that is darkest"""
_FEMALE: Final = frozenset({"female", "woman", "women", "girl", "f"})
_MALE: Final = frozenset({"male", "man", "men", "boy", "m"})


@dataclass(frozen=True, slots=True)
class MarginRow:
    """One margin: total absolute error in people, SRMSE, largest cell z, and whether its quota is hard and met."""

    margin: str
    hard: bool
    exact: bool
    tae: float
    srmse: float
    max_z: float


def fit_section(rows: Sequence[FitRow], margins: Sequence[MarginRow], *, note: str = "") -> Section:
    """Every margin asked and drawn, with three measures of misfit each; hard quotas that are missed are a warning."""
    missed = [m.margin for m in margins if m.hard and not m.exact]
    blocks: list[Block] = []
    if missed:
        blocks.append(Notice("warning", f"Hard quotas not met: {', '.join(missed)}."))
    table = [
        (m.margin, "hard" if m.hard else "soft", ("exact" if m.exact else "missed") if m.hard else None, m.tae, m.srmse,
         m.max_z)
        for m in margins
    ]  # fmt: skip
    columns = ("Margin", "Quota", "Met", "Total absolute error (people)", "SRMSE", "Largest cell z")
    blocks.append(DataTable(columns, table, "Fit of every margin"))
    worst = sorted(rows, key=lambda r: -abs(r.count - r.target_count))[:_WORST]
    cells = [(r.margin, r.cell, r.target_count, r.count, r.count - r.target_count) for r in worst]
    blocks += margin_charts(rows)
    blocks.append(Fold("Cells that are furthest off", [DataTable(
        ("Margin", "Cell", "Asked", "Drawn", "Difference"), cells, f"The {len(cells)} cells furthest from their target"
    )]))  # fmt: skip
    return Section("fit", "Fit to the margins", blocks, note)


def pyramid_block(rows: Sequence[FitRow], bands: Sequence[str], sexes: Sequence[str]) -> PyramidChart | None:
    """An age pyramid from the margin over age and sex, if there is one with both sexes; else None.

    Args:
        rows: cells of one margin, named `band | sex` or `sex | band`.
        bands: age bands, youngest first.
        sexes: labels of the sex variable.
    """
    left = next((s for s in sexes if s.lower() in _FEMALE), None)
    right = next((s for s in sexes if s.lower() in _MALE), None)
    found = {frozenset(r.cell.split(" | ")): r for r in rows}
    total = sum(r.count for r in rows)
    if left is None or right is None or not total:
        return None
    sides: dict[str, tuple[list[float], list[float]]] = {}
    for sex in (left, right):
        cells = [found.get(frozenset((band, sex))) for band in bands]
        if any(c is None for c in cells):
            return None
        known = [c for c in cells if c is not None]
        sides[sex] = [100 * c.count / total for c in known], [100 * c.target_share for c in known]
    return PyramidChart(
        list(bands), sides[left][0], sides[right][0], left.capitalize(), right.capitalize(), "Age and sex",
        sides[left][1], sides[right][1],
    )  # fmt: skip


def association_section(
    names: Sequence[str],
    drawn: Sequence[Sequence[float | None]],
    reference: Sequence[Sequence[float | None]] | None = None,
    *,
    reference_label: str = "seed",
    lead: str = "",
) -> Section:
    """What goes with what: Cramér's V of every pair of variables as drawn, in the reference, and the difference."""
    drawn = _blank(drawn)
    reference = None if reference is None else _blank(reference)
    blocks: list[Block] = [MatrixChart(names, names, drawn, "Associations of the people drawn", "Cramér's V", full=1.0)]
    if reference is not None:
        gap = [
            [None if a is None or b is None else a - b for a, b in zip(one, two, strict=True)]
            for one, two in zip(drawn, reference, strict=True)
        ]
        blocks += [
            MatrixChart(names, names, reference, f"Associations of the {reference_label}", "Cramér's V", full=1.0),
            MatrixChart(names, names, gap, f"Drawn minus {reference_label}", "Difference of Cramér's V", full=_FAR),
        ]
    return Section("associations", "What goes with what", blocks, lead)


def _blank(rows: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """NaN (no association can be computed) as a blank cell."""
    return [[None if v is None or math.isnan(v) else v for v in row] for row in rows]


def rules_section(rows: Sequence[tuple[str, str | None, str, int, str | None]], checked: int) -> Section:
    """Rules and how many people break each.

    Args:
        rows: (code, owner, severity, people who break it, hint).
        checked: how many people were checked.
    """
    broken = sum(n for _, _, severity, n, _ in rows if severity == "error")
    blocks: list[Block] = []
    if broken:
        blocks.append(Notice("warning", f"{broken:,} breaches of rules that must hold."))
    table: list[tuple[Cell, ...]] = [(c, o, s, n, n / checked if checked else None, h) for c, o, s, n, h in rows]
    columns = ("Rule", "Owner", "Severity", "People", "Share", "What to do")
    blocks.append(DataTable(columns, table, f"Rules over {checked:,} people"))
    return Section("rules", "Rules", blocks)


def duplicates_section(facts: Mapping[str, Cell], examples: Sequence[tuple[str, str, float]] = ()) -> Section:
    """What the search for near-copies found and did."""
    blocks: list[Block] = [KeyFacts(facts)]
    if examples:
        blocks.append(DataTable(("First", "Second", "Similarity"), examples, "Closest pairs found"))
    return Section("duplicates", "Near-copies", blocks)


def map_section(
    points: Sequence[tuple[float, float, str, str]], *, explained: tuple[float, float], what: str
) -> Section:
    """People on a plane: the two directions in which their vectors differ most.

    Args:
        points: (x, y, label, group).
        explained: shares of the variance on the two axes.
        what: what the vectors are of, and by which encoder.
    """
    chart = ScatterChart(
        [Point(*p) for p in points], f"First direction ({100 * explained[0]:.0f} % of the variance)",
        f"Second direction ({100 * explained[1]:.0f} %)", f"{len(points):,} people by {what}",
    )  # fmt: skip
    return Section(
        "map", "Who resembles whom", [chart], "Near points are people whose texts are alike; axes have no name."
    )


def drawn_people_section(people: Sequence[Persona], *, seed: int, show: int = 3) -> Section:
    """A few people in full, drawn by seed, so that nobody picks them."""
    chosen = [people[k] for k in derive_rng(seed, "report", "people").permutation(len(people))[:show].tolist()]
    folds = [Fold(p.name, [Said(p.render()), _fields(p)]) for p in chosen]
    return Section("people", "People drawn by seed", folds, f"{len(folds)} of {len(people):,}, drawn with seed {seed}.")


def _fields(person: Persona) -> DataTable:
    rows = [(path, leaf_text(leaf)) for path, leaf in person.leaves()]
    return DataTable(("Field", "Value"), rows, f"Every field of {person.id}")
