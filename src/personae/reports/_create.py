"""The report of a population: fit, associations, pyramid, rules, people; the sections in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from personae.core import FitRow, Measurement, Persona, derive_rng, plain
from personae.reports._blocks import BarChart, Block, Cell, DataTable, Fold, KeyFacts, Notice, Page, Prose, Section
from personae.reports._population import (
    MarginRow,
    association_section,
    drawn_people_section,
    duplicates_section,
    fit_section,
    map_section,
    pyramid_block,
    rules_section,
)
from personae.reports._results import results_section
from personae.statistics import association_matrix

if TYPE_CHECKING:
    from personae.creation import Population, PopulationFit
    from personae.measures import PopulationComparison

SAMPLE: Final = 1000
"""people that are looked at one by one; the fit is of everybody"""
LOOKED_AT: Final = 150
"""people whose texts are compared with each other"""
_FEWEST: Final = 20
"""people below whom a map of texts says nothing"""
_MOST_LABELS: Final = 60
"""labels of a variable that still stands in the map of associations"""


def population_page(
    population: Population,
    fit: PopulationFit,
    *,
    sample: Sequence[Persona] | None = None,
    sections: Sequence[Section] = (),
    measurements: Sequence[Measurement] = (),
) -> Page:
    """What was asked for and what was drawn.

    Args:
        population: whom the page is about.
        fit: how everybody written compares with the recipe.
        sample: people looked at one by one (rules, people in full); default: up to 1,000, drawn by the seed.
        sections: more of them, before the people in full.
        measurements: numbers about the people's texts, if there are any.
    """
    chosen = list(sample) if sample is not None else population_sample(population)
    recipe = population.recipe
    body = [
        _what(population),
        fit_section(fit.rows, _margin_rows(fit), note=_fit_note(population)),
        *_pyramid(population, fit.rows),
        _associations(population),
        *_rules(population, chosen),
        *([results_section(measurements, section="texts", title="Texts", reference=None)] if measurements else []),
        *_texts(population, chosen),
        *sections,
        drawn_people_section(chosen, seed=population.seed),
        _limits(population),
    ]
    return Page(
        recipe.title or recipe.name,
        f"{population.n:,} people, seed {population.seed}, recipe {population.hash}",
        body,
    )


def population_sample(population: Population, size: int = SAMPLE) -> list[Persona]:
    """Up to `size` people, drawn by the seed of the population and in their order."""
    if population.n <= size:
        return list(population)
    order = derive_rng(population.seed, "report", "sample").choice(population.n, size, replace=False)
    return [population.person(k) for k in sorted(order.tolist())]


def comparison_page(found: PopulationComparison, a: str, b: str) -> Page:
    """Two populations side by side; `b` is the reference."""
    order = sorted(found.variables, key=lambda v: -v.distance if v.distance == v.distance else 1.0)
    table = [(v.name, v.distance, len(v.values), v.missing[0], v.missing[1]) for v in order]
    columns = ("Variable", "Distance", "Values", "Missing in A", "Missing in B")
    charts: list[Block] = [
        Fold(
            v.name,
            [
                BarChart(
                    list(v.values), [100 * s for s in v.shares[0]], [100 * s for s in v.shares[1]],
                    f"{v.name}: A as bars, B as ticks", "% of people",
                )
            ],
        )
        for v in order
        if v.distance == v.distance and len(v.values) <= _MOST_LABELS
    ]  # fmt: skip
    pairs = sorted(found.pairs, key=lambda p: -p.srmse if p.srmse == p.srmse else 1.0)[:20]
    rows = [(f"{p.names[0]} x {p.names[1]}", p.srmse, p.v[0], p.v[1], p.v[0] - p.v[1]) for p in pairs]
    lead = "Distance is half the summed absolute difference of shares: 0 for equal, 1 for nothing in common."
    return Page(
        "Two populations compared",
        f"A: {a} ({found.people[0]:,} people). B: {b} ({found.people[1]:,} people), the reference.",
        [
            Section("variables", "Variables", [DataTable(columns, table, "Every variable"), *charts], lead),
            association_section(
                found.maps[0].names, found.maps[0].v.tolist(), found.maps[1].v.tolist(), reference_label="reference"
            ),
            Section(
                "pairs",
                "Pairs of variables",
                [DataTable(("Pair", "SRMSE", "V in A", "V in B", "Difference"), rows, "Pairs that differ most")],
                f"SRMSE of A's two-way tables against B's; mean {found.mean_srmse:.3f} over {len(found.pairs)} pairs.",
            ),
        ],
    )


def _what(population: Population) -> Section:
    recipe = population.recipe
    blocks: list[Block] = [Prose(recipe.note)] if recipe.note else []
    facts: dict[str, Cell] = {
        "People": population.n,
        "Seed": population.seed,
        "Recipe": recipe.name,
        "Source": recipe.source or "–",
        "Licence": recipe.licence or "–",
    }
    if recipe.rarity != 1:
        facts["Rarity"] = recipe.rarity
    if recipe.strata is not None:
        facts["Strata"] = " x ".join(recipe.strata.vars)
    rows = [(m.name, "hard" if m.hard else "soft", m.source or "–") for m in recipe.margins]
    blocks += [KeyFacts(facts), DataTable(("Margin", "Quota", "Source"), rows, "Where the margins come from")]
    return Section("what", "What was asked for", blocks)


def _margin_rows(fit: PopulationFit) -> list[MarginRow]:
    hard: dict[str, bool] = {}
    exact: dict[str, bool] = {}
    for row in fit.rows:
        hard[row.margin] = row.hard
        exact[row.margin] = exact.get(row.margin, True) and row.count == round(row.target_count)
    return [MarginRow(name, hard[name], exact[name], m.tae, m.srmse, m.max_cell_z) for name, m in fit.measures.items()]


def _fit_note(population: Population) -> str:
    report = population.recipe.fitted.report
    words = f"The joint table has {report.cells:,} cells; {report.forbidden:,} combinations are excluded by rules."
    if report.soft:
        pulls = [f"{p.one} against {p.two}" for p in report.against]
        words += f" Margins conflict, so soft ones are met as nearly as they can be: {'; '.join(pulls) or 'a little'}."
    if population.recipe.rarity != 1 or population.recipe.strata is not None:
        words += " People are drawn from other shares than the population's; their weights make up for it."
    return words


def _pyramid(population: Population, rows: Sequence[FitRow]) -> list[Section]:
    recipe = population.recipe
    banded = next((n for n, v in recipe.variables.items() if v.path == "social.age" and v.bins), None)
    sexed = next((n for n, v in recipe.variables.items() if v.path in {"social.sex", "social.gender"}), None)
    margin = next((m for m in recipe.margins if {banded, sexed} == set(m.vars)), None)
    if banded is None or sexed is None or margin is None:
        return []
    labels = recipe.labels
    chart = pyramid_block([r for r in rows if r.margin == margin.name], labels[banded], labels[sexed])
    return [Section("pyramid", "Age and sex", [chart])] if chart is not None else []


def _associations(population: Population) -> Section:
    recipe = population.recipe
    names = [n for n, labels in recipe.labels.items() if 1 < len(labels) <= _MOST_LABELS]
    where = [list(recipe.variables).index(n) for n in names]
    sizes = tuple(len(recipe.labels[n]) for n in names)
    fitted = recipe.fitted
    drawn = fitted.codes[population.counts.cells].astype(np.int64)[:, where]
    own = association_matrix(drawn, sizes, population.counts.counts)
    asked = association_matrix(fitted.codes.astype(np.int64)[:, where], sizes, fitted.shares)
    return association_section(
        names, own.tolist(), asked.tolist(), reference_label="fitted table",
        lead="The fitted table is the distribution nearest to the seed that meets the margins and rules.",
    )  # fmt: skip


def _rules(population: Population, sample: Sequence[Persona]) -> list[Section]:
    rules = population.recipe.rules
    if not rules:
        return []
    found = Counter(v.code for person in sample for v in population.check(person))
    rows = [(r.code, r.owner, r.severity, found[r.code], r.hint) for r in rules]
    return [rules_section(rows, len(sample))]


def _texts(population: Population, sample: Sequence[Persona]) -> list[Section]:
    """Near-copies, diversity and a map of what is said about people."""
    from personae.creation import lexical_duplicates
    from personae.measures import diversity_measurements
    from personae.models import open_encoder
    from personae.statistics import principal_plane

    people = list(sample[:: max(1, len(sample) // LOOKED_AT)][:LOOKED_AT])
    if len(people) < _FEWEST:
        return []
    texts = [str(plain(p.description)) if p.description is not None else p.render() for p in people]
    copies = lexical_duplicates(texts)
    encoder = open_encoder("auto")
    vectors = encoder.encode(texts)
    plane = principal_plane(vectors)
    found = diversity_measurements(
        texts, model="rules" if people[0].description is None else "as written", seed=population.seed, vectors=vectors,
        encoder=encoder.name,
    )  # fmt: skip
    closest = np.argsort(-copies.similarity, kind="stable")[:5].tolist()
    facts: dict[str, Cell] = {
        "Texts compared": copies.texts,
        "Near-copies": len(copies.pairs),
        "Texts that a gate would draw again": len(copies.losers),
        "How": ", ".join(f"{name} ≥ {value:g}" for name, value in copies.thresholds),
    }
    pairs = [
        (people[a].name, people[b].name, float(copies.similarity[k])) for k in closest for a, b in [copies.pairs[k]]
    ]
    points = [
        (float(x), float(y), p.name, str(plain(p.social.sex) or ""))
        for p, (x, y) in zip(people, plane.points.tolist(), strict=True)
    ]
    explained = (float(plane.explained[0]), float(plane.explained[1]))
    lead = (
        f"{len(people)} people of the sample, as one sentence after another says them; not what a model makes of them."
    )
    return [
        duplicates_section(facts, pairs),
        results_section(found, section="diversity", title="Diversity of texts", reference=None, lead=lead),
        map_section(points, explained=explained, what=f"{encoder.name} vectors of what is said about them"),
    ]


def _limits(population: Population) -> Section:
    notes: list[Block] = [
        Notice(
            "limit",
            "These people are invented. They follow the margins, rules and models named above and nothing else.",
        )
    ]
    if population.recipe.traits is not None:
        notes.append(Notice("limit", population.recipe.traits.note))
    return Section("limits", "What these people can and cannot show", notes)
