"""Sections about populations: what is missed is said, a pyramid needs both sexes, differences are differences."""

from __future__ import annotations

from personae.core import FitRow
from personae.creation import load_gallery
from personae.reports import (
    MarginRow,
    MatrixChart,
    Notice,
    Page,
    Section,
    association_section,
    drawn_people_section,
    duplicates_section,
    fit_section,
    map_section,
    pyramid_block,
    render_page,
    rules_section,
)


def row(cell: str, target: float, count: int, margin: str = "sex x age") -> FitRow:
    return FitRow(
        unit="u", margin=margin, cell=cell, target_share=target, target_count=target * 10, count=count, hard=True
    )


ROWS = [
    row("female | young", 0.2, 2),
    row("female | old", 0.3, 3),
    row("male | young", 0.3, 2),
    row("male | old", 0.2, 3),
]


def blocks(section: Section, kind: type) -> list:
    out = []
    for block in section.blocks:
        out += [block] if isinstance(block, kind) else []
        out += [b for b in getattr(block, "blocks", ()) if isinstance(b, kind)]
    return out


def test_a_missed_hard_quota_is_a_warning() -> None:
    exact = MarginRow("sex x age", hard=True, exact=True, tae=0, srmse=0.0, max_z=0.0)
    missed = MarginRow("sex x age", hard=True, exact=False, tae=2, srmse=0.2, max_z=1.1)
    assert blocks(fit_section(ROWS, [exact]), Notice) == []
    assert "sex x age" in blocks(fit_section(ROWS, [missed]), Notice)[0].text


def test_a_pyramid_needs_both_sexes_in_every_band() -> None:
    chart = pyramid_block(ROWS, ["young", "old"], ["female", "male"])
    assert chart is not None
    assert (chart.left, chart.right) == ([20.0, 30.0], [20.0, 30.0])
    assert (chart.left_target, chart.right_target) == ([20.0, 30.0], [30.0, 20.0])
    assert pyramid_block(ROWS[:3], ["young", "old"], ["female", "male"]) is None
    assert pyramid_block(ROWS, ["young", "old"], ["urban", "rural"]) is None


def test_associations_show_the_difference_to_the_reference() -> None:
    section = association_section(["a", "b"], [[1.0, 0.4], [0.4, 1.0]], [[1.0, 0.1], [0.1, None]])
    charts = blocks(section, MatrixChart)
    assert len(charts) == 3
    gap = charts[2].values
    assert abs((gap[0][1] or 0) - 0.3) < 1e-12
    assert gap[1][1] is None


def test_broken_rules_are_a_warning_and_warnings_are_not() -> None:
    rows = [("adult_job", "work", "error", 0, "h"), ("odd", None, "warning", 3, None)]
    assert blocks(rules_section(rows, 10), Notice) == []
    assert "2 breaches" in blocks(rules_section([("x", None, "error", 2, None)], 10), Notice)[0].text


def test_a_whole_page_can_be_written() -> None:
    people = list(load_gallery())[:5]
    page = Page(
        "t",
        "s",
        [
            drawn_people_section(people, seed=3, show=2),
            duplicates_section({"pairs": 2}, [("a", "b", 0.9)]),
            map_section([(0.1, 0.2, "A", "g"), (0.3, 0.1, "B", "g")], explained=(0.4, 0.2), what="description"),
        ],
    )
    text = render_page(page)
    assert "2 of 5, drawn with seed 3" in text
    assert "40 % of the variance" in text
    assert sum(p.name in text for p in people) == 2
