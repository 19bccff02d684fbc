"""A person, or nobody, answers single survey questions under a condition."""

from __future__ import annotations

from personae.conditioning._actor import embody
from personae.core import Condition, Persona, ResponseRow
from personae.instruments import Baseline, Survey, administer
from personae.models import Model


async def answer_survey(
    person: Persona | None,
    survey: Survey,
    method: Condition,
    model: Model,
    *,
    label: str,
    seed: int,
    unit: str,
    baseline: Baseline = "actor",
) -> list[ResponseRow]:
    """Every question by option scoring, each under both orders of its answers.

    Args:
        person: who answers; None for a control.
        survey: what is asked, with its source and licence.
        method: how the person is put on the model.
        model: needs to score options; endpoints without prompt log-probabilities answer by labels.
        label: of the condition, in the rows.
        seed: of the unit.
        unit: key of the unit of work.
        baseline: the empty context whose answers are taken out (see `administer`). An actor's own takes out what its
            text does to the options alone, which is part of the effect where the options name the topic.

    Raises:
        CapabilityError: the model cannot score options.
    """
    rows: list[ResponseRow] = []
    async with embody(person, method, model, label=label) as actor:
        for item in survey.items:
            asked = item.instrument(source=survey.source, licence=survey.licence)
            rows += await administer(actor, asked, rotation="full", baseline=baseline, seed=seed, unit=unit)
    return rows
