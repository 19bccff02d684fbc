"""Sections about people: how they fit their recipe, a few of them in full, and what they answered."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final, TypeAlias, TypeVar

from personae.core import FitRow, Persona, PersonaRow, ResponseRow, derive_seed, plain
from personae.reports._blocks import BarChart, Block, Cell, Columns, DataTable, Fold, KeyFacts, Prose, Said, Section
from personae.reports._numbers import number

PromptOf: TypeAlias = Callable[[str], str | None]
"""The exact prompt of a call, by its key in the call log; None when it was not recorded."""

R = TypeVar("R", PersonaRow, ResponseRow)
_ANSWER: Final = (
    "Who", "Condition", "Item", "Scale", "Order", "Method", "Status", "Value", "Option probabilities", "Text",
)  # fmt: skip
_LONG_MARGIN: Final = 14
"""cells of a margin shown open"""
_EXT_SHOWN: Final = 60
"""domain fields shown of a person"""


def people_section(
    persona_rows: Iterable[PersonaRow],
    fit_rows: Iterable[FitRow],
    recipe_note: str = "",
    *,
    seed: int = 0,
    show: int = 3,
) -> Section:
    """Who took part.

    Args:
        persona_rows: everybody in the run, read once.
        fit_rows: the fit of the drawn people to the margins of the recipe.
        recipe_note: where the margins come from and how small their sample is, in markdown-lite.
        seed: draws the people shown in full, so that nobody picks them.
        show: how many are shown in full.
    """
    roles: Counter[str] = Counter()
    drawn: list[tuple[int, PersonaRow]] = []
    for row in persona_rows:
        roles[row.role] += 1
        if row.twin_of is None:
            drawn.append((derive_seed(seed, "report", "person", row.persona_id), row))
            if len(drawn) > 64 * max(show, 1):
                drawn = _first(drawn, show)
    fits = list(fit_rows)
    blocks: list[Block] = []
    if recipe_note:
        blocks.append(Prose(recipe_note))
    blocks.append(KeyFacts({f"People as {role}": count for role, count in sorted(roles.items())} | _fit_facts(fits)))
    blocks += margin_charts(fits)
    for _, row in _first(drawn, show):
        blocks.append(_person(row))
    lead = f"{sum(roles.values()):,} people took part."
    shown = min(show, len(drawn))
    if shown:
        lead += f" {shown} of them, drawn with seed {seed}, can be opened below."
    return Section("people", "People", blocks, lead)


def answers_section(
    response_rows: Iterable[ResponseRow], *, seed: int = 0, n: int = 12, prompts: PromptOf | None = None
) -> Section:
    """Answers drawn by seed, each with its option probabilities and, where recorded, the exact prompt."""
    drawn: list[tuple[int, ResponseRow]] = []
    total = 0
    for row in response_rows:
        total += 1
        key = (row.unit, row.actor, row.condition, row.instrument, row.item, row.order)
        drawn.append((derive_seed(seed, "report", "answer", *key), row))
        if len(drawn) > 64 * max(n, 1):
            drawn = _first(drawn, n)
    rows = [row for _, row in _first(drawn, n)]
    spoken = any(r.text is not None for r in rows)
    cells: list[tuple[Cell, ...]] = [_answer(r)[: None if spoken else -1] for r in rows]
    columns = _ANSWER[: None if spoken else -1]
    opened = [prompts(r.call) if prompts and r.call else None for r in rows]
    table = DataTable(columns, cells, f"{len(rows)} of {total:,} answers, drawn with seed {seed}", opened)
    lead = "Values are on the scale of the response options, before keying; a missing one is a dash, never zero."
    return Section("answers", "Answers, row by row", [table], lead)


def _first(drawn: list[tuple[int, R]], n: int) -> list[tuple[int, R]]:
    return heapq.nsmallest(n, drawn, key=lambda pair: pair[0])


def _answer(r: ResponseRow) -> tuple[Cell, ...]:
    return (r.actor, r.condition, r.item, r.scale, r.order, r.method, r.status, r.value, _options(r), r.text)


def _options(row: ResponseRow) -> str | None:
    return " ".join(number(p, 2) for p in row.probabilities) or None


def _fit_facts(fits: Sequence[FitRow]) -> dict[str, Cell]:
    if not fits:
        return {}
    hard = [f for f in fits if f.hard]
    met = sum(round(f.target_count) == f.count for f in hard)
    worst = max(fits, key=lambda f: abs(_observed(f, fits) - f.target_share))
    gap = 100 * (_observed(worst, fits) - worst.target_share)
    facts: dict[str, Cell] = {"Margins": len({f.margin for f in fits}), "Cells": len(fits)}
    if hard:
        facts["Hard quotas met exactly"] = f"{met} of {len(hard)}"
    facts["Largest gap to a margin"] = f"{number(gap, 1)} points ({worst.margin}: {worst.cell})"
    return facts


def _observed(fit: FitRow, fits: Sequence[FitRow]) -> float:
    total = sum(f.count for f in fits if f.margin == fit.margin)
    return fit.count / total if total else 0.0


def margin_charts(fits: Sequence[FitRow]) -> list[Block]:
    """A bar chart per margin; long ones closed."""
    open_charts: list[Block] = []
    folded: list[Block] = []
    for margin, group in groupby(sorted(fits, key=lambda f: f.margin), key=lambda f: f.margin):
        members = list(group)
        total = sum(f.count for f in members)
        chart = BarChart(
            categories=[f.cell + (" (hard)" if f.hard else "") for f in members],
            observed=[100 * f.count / total if total else 0.0 for f in members],
            target=[100 * f.target_share for f in members],
            counts=[f.count for f in members],
            caption=f"Margin {margin}",
            unit="% of people",
        )
        if len(members) > _LONG_MARGIN:
            folded.append(Fold(f"Margin {margin}, {len(members)} cells", [chart]))
        else:
            open_charts.append(chart)
    return ([Columns(open_charts)] if open_charts else []) + folded


def _person(row: PersonaRow) -> Fold:
    persona = Persona.parse(row.body, where=f"person {row.persona_id}")
    leaves = [(path, leaf_text(leaf)) for path, leaf in persona.leaves()]
    found = ((path, leaf) for path, leaf in persona.leaves(ext=True) if path.startswith("ext."))
    domain = [(path, leaf_text(leaf)) for path, leaf in found if not path.startswith("ext.source.")]
    leaves += domain[:_EXT_SHOWN]
    if len(domain) > _EXT_SHOWN:
        leaves.append(("ext", f"and {len(domain) - _EXT_SHOWN:,} more"))
    return Fold(
        f"{persona.name} ({row.role}, person {row.k})",
        [
            Said(persona.render()),
            DataTable(("Field", "Value"), leaves, f"Every field of {row.persona_id}"),
        ],
    )


def leaf_text(leaf: object) -> str:
    """A leaf as a reader sees it."""
    value = plain(leaf)
    if isinstance(value, (tuple, list)):
        items: Sequence[object] = value
        return ", ".join(leaf_text(v) for v in items)
    return str(value)
