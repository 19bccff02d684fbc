"""People with descriptions: distance to the margins, and who wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from personae.core import JudgementRow, Measurement
from personae.measures._make import Maker
from personae.statistics import proportion_interval

if TYPE_CHECKING:
    from personae.creation import PopulationFit


def written_measurements(
    fit: PopulationFit, writers: Sequence[JudgementRow], *, model: str, seed: int
) -> list[Measurement]:
    """Largest misfit of a margin, and the share of descriptions that the model wrote.

    Args:
        fit: how everybody compares with their recipe.
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
    return out
