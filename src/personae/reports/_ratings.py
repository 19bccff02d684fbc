"""What people said on rating forms, as one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from personae.core import Measurement
from personae.reports._blocks import DataTable, Notice, Page, Prose, Section
from personae.reports._results import results_section

if TYPE_CHECKING:
    from personae.measures import Rating, RatingKey


def ratings_page(key: RatingKey, ratings: Sequence[Rating], measurements: Sequence[Measurement]) -> Page:
    """How much came back, how far raters agree, whether they were right, what they gave, and differences.

    Args:
        key: what was given out.
        ratings: what came back.
        measurements: `personae.measures.rating_measurements` of the two.
    """
    pairs = [m for m in measurements if "_minus_" in m.name]
    own = [m for m in measurements if m not in pairs]
    back = {rater: sum(r.rater == rater for r in ratings) for rater in key.forms}
    whole = [
        (
            rater,
            len(form),
            back[rater],
            sum(a is not None for r in ratings if r.rater == rater for a in r.answers.values()),
        )
        for rater, form in key.forms.items()
    ]
    questions = [(q.name, q.text, ", ".join(q.answers)) for q in key.questions]
    sections = [
        Section(
            "design",
            "What was asked",
            [
                Prose(
                    f"{len(key.tasks)} texts by {key.writer}, source hidden, shuffled by seed {key.seed}; "
                    f"protocol `{key.ask}`."
                ),
                DataTable(("Question", "Text", "Answers"), questions, "Questions of every task"),
                DataTable(("Rater", "Tasks given", "Rows back", "Cells answered"), whole, "Forms"),
                Notice(
                    "limit",
                    "Intervals are over the people whose texts were rated; the raters are these raters, not a sample.",
                ),
            ],
        ),
        results_section(own, section="ratings", title="Ratings", reference=None),
    ]
    if pairs:
        sections.append(results_section(pairs, section="contrasts", title="Differences between conditions"))
    return Page("What raters say", f"{len(ratings)} rows of {len(key.forms)} forms", sections)
