"""Blocking twins, usable inside a running notebook loop too."""

from __future__ import annotations

from collections.abc import Sequence

from personae.core import Actor, Instrument, ResponseRow
from personae.instruments._administer import administer
from personae.instruments._free_text import administer_free_text
from personae.instruments._layout import Baseline, Rotation
from personae.models import Normalisation, Sampling


def administer_sync(
    actor: Actor,
    instrument: Instrument,
    *,
    rotation: Rotation = "balanced",
    normalisation: Normalisation = "pmi",
    baseline: Baseline = "actor",
    seed: int = 0,
    unit: str | None = None,
    items: Sequence[str] | None = None,
) -> list[ResponseRow]:
    """`administer`, waiting for the result."""
    from personae.runs import run_sync

    return run_sync(
        administer(
            actor,
            instrument,
            rotation=rotation,
            normalisation=normalisation,
            baseline=baseline,
            seed=seed,
            unit=unit,
            items=items,
        )
    )


def administer_free_text_sync(
    actor: Actor,
    instrument: Instrument,
    *,
    rotation: Rotation = "balanced",
    seed: int = 0,
    unit: str | None = None,
    items: Sequence[str] | None = None,
    sampling: Sampling | None = None,
) -> list[ResponseRow]:
    """`administer_free_text`, waiting for the result."""
    from personae.runs import run_sync

    return run_sync(
        administer_free_text(actor, instrument, rotation=rotation, seed=seed, unit=unit, items=items, sampling=sampling)
    )
