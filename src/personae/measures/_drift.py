"""Drift: does the person at the end of a conversation still answer as the person it was at the beginning?

Probe drift of a field group f at moment t: 1 − P(option named by the persona's own key), asked on a fork. Drift over
the conversation is its change from the first to the last client line. Path drift needs no key: 1 − cosine between
the client's first and last window of utterances.

Source: SPASM publishes the difference of drift between projections, not the estimator; both estimators are ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from personae.core import Measurement, ProbeRow, derive_seed
from personae.measures._dialogue import Talk, echo_test, effect_note, per_person
from personae.measures._make import Maker, adjusted
from personae.statistics import mean_interval, paired_interval

Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts → unit vectors, shape (texts, dimension)."""


def agreement(row: ProbeRow) -> float:
    """Probability of the option that the persona's own key names."""
    return row.probabilities[row.target]


def drift_measurements(
    probes: Sequence[ProbeRow],
    *,
    model: str,
    seed: int,
    seeds: dict[str, int] | None = None,
) -> list[Measurement]:
    """Agreement with the persona's key at the first moment, and its loss by the last, per group and condition.

    `seeds` (conversation → seed) pairs conversations when a person has more than one; without it, people pair.
    """
    make = Maker(model=model, seed=seed)
    table: dict[tuple[str, str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chance: dict[str, list[float]] = defaultdict(list)
    for row in probes:
        pair = str((seeds or {}).get(row.conversation, 0))
        table[row.group, row.condition, row.persona_id, pair][row.moment].append(agreement(row))
        chance[row.group].append(1 / len(row.probabilities))
    out: list[Measurement] = []
    contrasts: list[Measurement] = []
    for group in sorted({k[0] for k in table}):
        change: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
        for condition in sorted({k[1] for k in table if k[0] == group}):
            cells = {k[2:]: v for k, v in sorted(table.items()) if k[:2] == (group, condition)}
            first = np.array([_mean(v.get("first")) for v in cells.values()])
            last = np.array([_mean(v.get("last")) for v in cells.values()])
            people = [k[0] for k in cells]
            change[condition] = dict(zip(cells, first - last, strict=True))
            out.append(
                make.estimate(
                    f"agreement.{group}.{condition}",
                    f"Probe agreement with own record at the start: {group}, {condition}",
                    mean_interval(first, people),
                    unit="probability",
                    direction="higher is better",
                    condition=condition,
                    method="P(own option) on a fork after the first client line, t over people",
                    note=f"Chance level {np.mean(chance[group]):.2f}.",
                )
            )
            out.append(
                make.estimate(
                    f"drift.{group}.{condition}",
                    f"Drift from first to last line: {group}, {condition}",
                    mean_interval(first - last, people),
                    unit="probability lost",
                    direction="lower is better",
                    method="agreement at first − agreement at last, t over people",
                    condition=condition,
                )
            )
        contrasts += _contrast(make, f"drift.{group}", f"Drift: {group}", change, seed)
    return out + adjusted(contrasts, family="drift contrasts")


def path_drift_measurements(
    all_talks: Sequence[Talk], encode: Encode, *, backend: str, model: str, seed: int, window: int = 2
) -> list[Measurement]:
    """1 − cosine between the mean vectors of the client's first and last `window` lines."""
    make = Maker(model=model, seed=seed)
    change: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for talk in all_talks:
        lines = [t.text for t in talk.turns if t.role == "client"]
        if len(lines) < 2 * window:
            change[talk.head.condition][talk.key] = float("nan")
            continue
        vectors = encode(lines[:window] + lines[-window:])
        first, last = vectors[:window].mean(axis=0), vectors[window:].mean(axis=0)
        scale = float(np.linalg.norm(first) * np.linalg.norm(last))
        change[talk.head.condition][talk.key] = 1 - float(first @ last) / scale if scale else float("nan")
    out = [
        make.estimate(
            f"path_drift.{condition}",
            f"Path drift of the client's lines, {condition}",
            mean_interval(list(cells.values()), [k[0] for k in cells]),
            unit="1 − cosine",
            direction="lower is better",
            method=f"first against last {window} lines, {backend} vectors, t over people",
            condition=condition,
        )
        for condition, cells in sorted(change.items())
    ]
    return out + _contrast(make, "path_drift", "Path drift", change, seed)


def _contrast(
    make: Maker, name: str, label: str, change: dict[str, dict[tuple[str, str], float]], seed: int
) -> list[Measurement]:
    if not {"ecp", "concat"} <= set(change):
        return []
    keys = sorted(set(change["ecp"]) & set(change["concat"]))
    people = [k[0] for k in keys]
    a = np.array([change["ecp"][k] for k in keys], dtype=float)
    b = np.array([change["concat"][k] for k in keys], dtype=float)
    found = paired_interval(a, b, people)
    difference = per_person(a - b, people)
    return [
        make.estimate(
            f"{name}.ecp_minus_concat",
            f"{label}, ecp − concat",
            found,
            unit="difference",
            direction="lower is better",
            test=echo_test(difference, seed=derive_seed(seed, "contrast", name)) if difference else None,
            method="paired by person and seed, t over people",
            condition="ecp − concat",
            note=effect_note(found.d_z),
        )
    ]


def _mean(values: list[float] | None) -> float:
    return float(np.mean(values)) if values else float("nan")
