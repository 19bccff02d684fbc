"""People with descriptions: distance to the margins, who wrote, and how much descriptions differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from personae.core import JudgementRow, Measurement, Persona, plain
from personae.measures._make import Maker
from personae.statistics import proportion_interval
from personae.text import distinct_n

if TYPE_CHECKING:
    from personae.creation import PopulationFit


def written_measurements(
    people: Sequence[Persona], fit: PopulationFit, writers: Sequence[JudgementRow], *, model: str, seed: int
) -> list[Measurement]:
    """Largest misfit of a margin, share written by the model, and distinct word pairs of all descriptions.

    Args:
        people: everybody, with descriptions.
        fit: how they compare with their recipe.
        writers: one row per person; verdict `model` or `template`.
        model: reference of the model that was asked.
        seed: of the run.
    """
    make = Maker(model=model, seed=seed)
    out: list[Measurement] = []
    if fit.distance:
        worst = max(fit.distance, key=lambda name: fit.distance[name])
        out.append(
            make.number(
                "margin_distance.largest", f"Furthest margin ({worst})", fit.distance[worst],
                unit="total variation distance", n=fit.people, direction="lower is better",
                method="half the summed absolute difference of shares",
                reason="a count of everybody drawn, not a sample",
            )
        )  # fmt: skip
    asked = [r for r in writers if r.condition == "model"]
    if asked:
        own = np.array([float(r.verdict == "model") for r in asked])
        out.append(
            make.estimate(
                "written_by_model", "Descriptions the model wrote and kept its facts in", proportion_interval(own),
                unit="share", direction="higher is better",
                method="name, age and occupation stand in it word for word, no other age does",
            )
        )  # fmt: skip
    texts = [str(plain(p.description)) for p in people if p.description is not None]
    score = distinct_n(texts, 2)
    out.append(
        make.number(
            "distinct_2", "Different word pairs in all descriptions", score.value, unit="share", n=len(texts),
            direction="higher is better", method="distinct 2-grams / all 2-grams",
            reason="one number of the whole corpus",
        )
    )  # fmt: skip
    return out
