"""Owners and revision against one-shot drafts of the same slots with the same number of generated tokens."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import Measurement, derive_rng
from personae.creation import DraftLog
from personae.measures._make import Maker
from personae.statistics import bootstrap_interval, mean_interval, proportion_interval, sign_flip_test

_ARMS: Final = (("pipeline", "owners and revision"), ("one_shot", "one-shot drafts"))


@dataclass(frozen=True, slots=True)
class _Spent:
    """What the drafts of one slot came to.

    Attributes:
        first: whether the very first draft has an error.
        errors: of the best draft.
        warnings: of the best draft.
        tokens: of all drafts.
    """

    first: bool
    errors: int
    warnings: int
    tokens: int


def equal_token_measurements(pipeline: DraftLog, one_shot: DraftLog, *, model: str, seed: int) -> list[Measurement]:
    """Slots without a record free of errors in both arms, paired; first drafts, warnings, tokens, tokens a record.

    The best draft of a slot has the fewest errors, then warnings. Objections of a model's review count in neither arm.

    Args:
        pipeline: drafts by owners.
        one_shot: one-shot drafts of the same slots.
        model: who wrote.
        seed: of the bootstrap and the test.
    """
    make = Maker(model=model, seed=seed, cluster="slot")
    arms = {"pipeline": _spent(pipeline), "one_shot": _spent(one_shot)}
    slots = sorted(set(arms["pipeline"]) & set(arms["one_shot"]))
    if not slots:
        return []
    out: list[Measurement] = []
    for name, words in _ARMS:
        out += _of_arm(make, name, words, [arms[name][k] for k in slots])
    gap = np.array([float(bool(arms["pipeline"][k].errors)) - bool(arms["one_shot"][k].errors) for k in slots])
    return [
        *out,
        make.estimate(
            "equal_tokens.hard_errors.pipeline_minus_one_shot",
            "Slots without a record free of errors, owners and revision minus one-shot drafts", mean_interval(gap),
            unit="share", direction="lower is better", method="paired by slot; t over slots",
            test=sign_flip_test(gap, rng=derive_rng(seed, "equal_tokens")),
        ),
    ]  # fmt: skip


def _of_arm(make: Maker, name: str, words: str, spent: Sequence[_Spent]) -> list[Measurement]:
    clean = np.array([s.errors == 0 for s in spent])
    tokens = np.array([float(s.tokens) for s in spent])
    warned = [float(s.warnings > 0) for s in spent if s.errors == 0]
    return [
        make.estimate(
            f"equal_tokens.first_draft_errors.{name}", f"First drafts with an error, {words}",
            proportion_interval([float(s.first) for s in spent]), unit="share", direction="lower is better",
            method="round 0 of attempt 0, before any revision",
        ),
        make.estimate(
            f"equal_tokens.hard_errors.{name}", f"Slots without a record free of errors, {words}",
            proportion_interval((~clean).astype(float)), unit="share", direction="lower is better",
            method="best draft of each slot",
        ),
        make.estimate(
            f"equal_tokens.warnings.{name}", f"Records free of errors that carry a warning, {words}",
            proportion_interval(warned), unit="share", direction="lower is better", method="best draft of each slot",
        ),
        make.estimate(
            f"equal_tokens.tokens.{name}", f"Generated tokens of a slot, {words}", mean_interval(tokens), unit="tokens",
            method="all drafts, rounds and reviews of a slot; t over slots",
        ),
        _per_record(make, name, words, tokens, clean),
    ]  # fmt: skip


def _per_record(
    make: Maker, name: str, words: str, tokens: NDArray[np.float64], clean: NDArray[np.bool_]
) -> Measurement:
    label, unit = f"Generated tokens for each record free of errors, {words}", "tokens"
    method = "tokens of all slots over records free of errors; percentile bootstrap over slots"

    def ratio(rows: NDArray[np.intp]) -> float:
        return float(tokens[rows].sum() / clean[rows].sum()) if clean[rows].any() else math.nan

    if not clean.any():
        return make.number(
            f"equal_tokens.per_record.{name}", label, None, unit=unit, n=tokens.size, method=method,
            direction="lower is better", reason="no record is free of errors",
        )  # fmt: skip
    found = bootstrap_interval(ratio, tokens.size, rng=derive_rng(make.seed, "equal_tokens", name), draws=1000)
    return make.estimate(
        f"equal_tokens.per_record.{name}", label, found, unit=unit, direction="lower is better", method=method
    )


def _spent(log: DraftLog) -> dict[int, _Spent]:
    last: dict[tuple[int, int], int] = {}
    for turn in log.turns:
        last[turn.k, turn.attempt] = max(turn.round, last.get((turn.k, turn.attempt), 0))
    tokens = log.tokens
    found = Counter((i.k, i.attempt, i.round, i.severity == "error") for i in log.issues if i.source != "review")
    best: dict[int, tuple[int, int]] = {}
    for (k, attempt), round_ in last.items():
        own = found[k, attempt, round_, True], found[k, attempt, round_, False]
        best[k] = min(best.get(k, own), own)
    return {k: _Spent(found[k, 0, 0, True] > 0, errors, warnings, tokens[k]) for k, (errors, warnings) in best.items()}
