"""What an inventory's answers are worth: reliability, how far people are from nobody, and who did not vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from personae.core import Instrument, Measurement, ResponseRow
from personae.instruments import score_responses
from personae.measures._make import Maker
from personae.statistics import cronbach_alpha, mean_interval, proportion_interval

CONTROLS: Final = ("template_default", "empty_system")
"""labels of the two conditions without a persona"""

Answers = Mapping[str, float | None]
"""item → value before keying; None where there is no answer"""


def answers_by_person(responses: Sequence[ResponseRow], condition: str) -> dict[str, dict[str, float | None]]:
    """Item answers of one condition: person → item → value before keying.

    Only status `ok` counts: whoever gave one answer to everything has no answers here, and is counted elsewhere.
    """
    out: dict[str, dict[str, float | None]] = {}
    for row in responses:
        if row.condition == condition:
            out.setdefault(row.persona_id or row.actor, {})[row.item] = row.value if row.status == "ok" else None
    return out


def reliability_measurements(
    make: Maker, responses: Sequence[ResponseRow], instrument: Instrument
) -> list[Measurement]:
    """Cronbach's alpha of each scale over people as themselves."""
    answers = list(answers_by_person(responses, "self").values())
    out: list[Measurement] = []
    for code, name in instrument.scales.items():
        items = [i for i in instrument.items if i.scale == code]
        out.append(
            make.estimate(
                f"reliability.{name}",
                f"Cronbach alpha, {name}",
                cronbach_alpha(_keyed(answers, instrument, code)),
                unit="alpha",
                direction="higher is better",
                method=f"{len(items)} items, Feldt interval",
                condition="self",
            )
        )
    return out


def _keyed(answers: Sequence[Answers], instrument: Instrument, scale: str) -> np.ndarray:
    """Keyed answers to the items of one scale, shape (people, items), NaN where missing."""
    items = [i for i in instrument.items if i.scale == scale]
    mirror = instrument.low + instrument.high
    out = np.full((len(answers), len(items)), np.nan)
    for row, given in enumerate(answers):
        for column, item in enumerate(items):
            value = given.get(item.id)
            if value is not None:
                out[row, column] = value if item.key > 0 else mirror - value
    return out


def control_measurements(make: Maker, responses: Sequence[ResponseRow], instrument: Instrument) -> list[Measurement]:
    """What nobody answers, and how far people are from it."""
    out: list[Measurement] = []
    people = answers_by_person(responses, "self")
    for condition in CONTROLS:
        nobody = next(iter(answers_by_person(responses, condition).values()), None)
        if nobody is None:
            continue
        scores = score_responses(instrument, nobody)
        values = {name: scores[code].value for code, name in instrument.scales.items()}
        profile = ", ".join(f"{name[:1].upper()} {'–' if v is None else f'{v:.2f}'}" for name, v in values.items())
        out.append(
            make.estimate(
                f"persona_effect.{condition}",
                f"People's answers, mean distance from {condition.replace('_', ' ')}",
                mean_interval([_distance(given, nobody) for given in people.values()]),
                unit="scale points",
                condition=condition,
                method="mean |item value − control's item value|, t over people",
                note=f"The control itself answers {profile}.",
            )
        )
    return out


def _distance(a: Answers, b: Answers) -> float:
    """Mean absolute difference over the items both answered; NaN if there is none."""
    found = [abs(v - w) for item, v in a.items() if v is not None and (w := b.get(item)) is not None]
    return float(np.mean(found)) if found else float("nan")


def zero_variance_measurement(make: Maker, responses: Sequence[ResponseRow]) -> list[Measurement]:
    """Share of actors whose answers do not vary: an inventory that says nothing must be seen to say nothing."""
    flat: dict[tuple[str, str], bool] = {}
    for row in responses:
        if row.condition in {"self", "twin"} and row.persona_id is not None:
            key = row.condition, row.persona_id
            flat[key] = flat.get(key, False) or row.status == "zero_variance"
    if not flat:
        return []
    return [
        make.estimate(
            "answers.zero_variance",
            "Actors whose answers do not vary over items",
            proportion_interval(np.array(list(flat.values()), dtype=float)),
            unit="share",
            direction="lower is better",
            method="share of actors",
        )
    ]
