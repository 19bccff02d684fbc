"""Recoverability: can a person be found again from another conversation of theirs?

Leave-one-out nearest neighbour over conversations of one condition: Top-k = share whose k nearest other conversations
hold one of the same person; silhouette by person says how separate people are. One document = the client's lines.

Source: SPASM, retrieval and geometry; vectors are named in the method because other encoders give other numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from personae.core import Measurement
from personae.measures._dialogue import Talk
from personae.measures._drift import Encode
from personae.measures._make import Maker
from personae.statistics import silhouette, top_k_accuracy


def recoverability_measurements(
    all_talks: Sequence[Talk], encode: Encode, *, backend: str, model: str, seed: int
) -> list[Measurement]:
    """Top-1, Top-10 and silhouette of each condition; missing with a reason when nobody has two conversations."""
    make = Maker(model=model, seed=seed)
    out: list[Measurement] = []
    for condition in sorted({t.head.condition for t in all_talks}):
        members = [t for t in all_talks if t.head.condition == condition and any(u.role == "client" for u in t.turns)]
        people = [t.head.persona_id for t in members]
        if sum(count > 1 for count in Counter(people).values()) < 2:
            reason = "needs two people with two conversations each under one condition"
            out.append(_missing(make, 1, condition, people, reason))
            continue
        vectors = encode(["\n".join(u.text for u in t.turns if u.role == "client") for t in members])
        similarity = np.asarray(vectors @ vectors.T, dtype=float)
        for k in (1, 10):
            if k >= len(people) - 1:
                out.append(_missing(make, k, condition, people, f"needs more than {k + 1} conversations"))
                continue
            found = top_k_accuracy(similarity, people, k=k)
            out.append(
                make.estimate(
                    f"recoverability.top{k}.{condition}",
                    f"Persona found again, Top-{k}, {condition}",
                    found,
                    unit="share",
                    direction="higher is better",
                    condition=condition,
                    note=f"Chance level {found.chance:.2f}.",
                    method=f"leave-one-out nearest neighbour, {backend} vectors, t over people",
                )
            )
        out.append(
            make.estimate(
                f"recoverability.silhouette.{condition}",
                f"Silhouette by person, {condition}",
                silhouette(np.clip(1 - similarity, 0, None), people),
                unit="silhouette",
                direction="higher is better",
                method=f"cosine distance, {backend} vectors, t over people",
                condition=condition,
            )
        )
    return out


def _missing(make: Maker, k: int, condition: str, people: Sequence[str], reason: str) -> Measurement:
    return make.number(
        f"recoverability.top{k}.{condition}",
        f"Persona found again, Top-{k}, {condition}",
        None,
        unit="share",
        n=len(set(people)),
        method="leave-one-out nearest neighbour",
        condition=condition,
        reason=reason,
    )
