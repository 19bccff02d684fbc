"""From which probability on a model's closed answers may be reported: found on texts whose truth is planted.

Each planted text says something, in words that the rules do not read, about half of the closed questions and nothing
about the others; an answer about the others is wrong whatever it is. A question whose answers reach the precision at no
cut is not asked. The cuts are fixed beforehand and Wilson's interval is as wide as so many looks need (Bonferroni): a
question whose true precision is below the wanted one passes in about 2.5 % of calibrations at most, each question on
its own. The precision is that of texts like these, of which half tell the value: where fewer do, it is lower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import yaml
from pydantic import Field

from personae.core import Frozen, InputError, derive_rng, sha256_hex

if TYPE_CHECKING:
    from personae.models import Model

CUTS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Thresholds that are tried."""
_PLANTED: Final = Path(__file__).parent / "data" / "readback" / "planted.yaml"
_FILLERS: Final = 3
"""sentences of a planted text that say nothing"""


class AnswerCut(Frozen):
    """The threshold of one question: of `n` planted texts `told` tell the value; `kept` answers reach the threshold.

    `low` and `high` bound the share of `right` among `kept` (Wilson, 1 - .05 / looks). No `cut`: none holds.
    """

    cut: float | None
    n: int
    told: int
    kept: int = 0
    right: int = 0
    low: float | None = None
    high: float | None = None


class AnswerThresholds(Frozen):
    """Thresholds of the closed questions for one model, and what they rest on."""

    schema_version: int = 1
    model: str
    fingerprint: str
    """sha256 of everything that can change an answer of the model"""
    precision: float = Field(gt=0, lt=1)
    seed: int
    cuts: dict[str, AnswerCut]

    def of(self, model: Model) -> dict[str, float]:
        """Threshold by path, of the questions that have one.

        Raises:
            InputError: calibrated for another model.
        """
        if self.fingerprint != sha256_hex(dict(model.fingerprint)):
            raise InputError(
                f"the thresholds were calibrated for {self.model!r}, the model is {model.reference!r}.",
                hint="Calibrate this one (calibrate_answers), or leave threshold out: closed questions are not asked.",
            )
        return {path: found.cut for path, found in self.cuts.items() if found.cut is not None}


class PlantedText(Frozen):
    """A text and the values it tells; other paths it says nothing about."""

    text: str
    truth: dict[str, str]


def planted_texts(n: int, seed: int = 0) -> tuple[PlantedText, ...]:
    """Messages that tell values of closed questions without saying them in words that the rules read.

    Text k depends on (seed, k) alone.
    """
    cues, fillers = _planted()
    out: list[PlantedText] = []
    for k in range(n):
        rng = derive_rng(seed, "read-back, planted", k)
        truth: dict[str, str] = {}
        lines = [fillers[int(i)] for i in rng.choice(len(fillers), _FILLERS, replace=False)]
        for path, values in cues.items():
            if rng.random() < 0.5:
                truth[path] = str(rng.choice(sorted(values)))
                lines.append(str(rng.choice(values[truth[path]])))
        rng.shuffle(lines)
        out.append(PlantedText(text="\n".join(lines), truth=truth))
    return tuple(out)


async def calibrate_answers(
    model: Model, *, n: int = 160, precision: float = 0.9, seed: int = 0, texts: Sequence[PlantedText] | None = None
) -> AnswerThresholds:
    """Thresholds of the closed questions for `model`: the lowest from which on at least `precision` are right.

    Args:
        model: has to score options; n + 1 calls a question.
        n: planted texts; below 70 or so no threshold can hold .9.
        precision: what the lower end of Wilson's interval has to reach.
        seed: of the planted texts.
        texts: labelled texts of your own instead of planted ones; a path they do not label counts as not told.

    Raises:
        CapabilityError: the model does not score options.
    """
    from personae.creation._readback_asked import CLOSED, closed_chances, closed_request

    labelled = planted_texts(n, seed) if texts is None else tuple(texts)
    cuts: dict[str, AnswerCut] = {}
    for path, (_, options) in CLOSED.items():
        chances, right = list[float](), list[bool]()
        (empty,) = await model.score_options([closed_request(path, None)])
        for item in labelled:
            found = await closed_chances(model, path, item.text, empty)
            if found is not None:
                best = int(np.argmax(found))
                chances.append(float(found[best]))
                right.append(tuple(options)[best] == item.truth.get(path))
        told = sum(path in item.truth for item in labelled)
        cuts[path] = _cut(chances, right, precision).model_copy(update={"n": len(labelled), "told": told})
    return AnswerThresholds(
        model=model.reference, fingerprint=sha256_hex(dict(model.fingerprint)), precision=precision, seed=seed,
        cuts=cuts,
    )  # fmt: skip


def answer_threshold(chances: Sequence[float], right: Sequence[bool], *, precision: float = 0.9) -> float | None:
    """The lowest of `CUTS` from which on answers are right with at least `precision`; None when there is none.

    Precision is judged by the lower end of Wilson's interval at a level of 1 - .05 / len(CUTS).

    >>> answer_threshold([0.65] * 20 + [0.9] * 80, [False] * 20 + [True] * 80)
    0.7
    """
    return _cut(chances, right, precision).cut


def _cut(chances: Sequence[float], right: Sequence[bool], precision: float) -> AnswerCut:
    from personae.statistics import wilson_interval

    if len(chances) != len(right):
        raise InputError(f"{len(chances)} chances and {len(right)} verdicts.", hint="Give one of each per answer.")
    for cut in CUTS:
        kept = [ok for chance, ok in zip(chances, right, strict=True) if chance >= cut]
        interval = wilson_interval(sum(kept), len(kept), level=1 - 0.05 / len(CUTS))
        if interval.low >= precision:
            return AnswerCut(
                cut=cut, n=len(chances), told=0, kept=len(kept), right=sum(kept), low=interval.low, high=interval.high
            )
    return AnswerCut(cut=None, n=len(chances), told=0)


@lru_cache(maxsize=1)
def _planted() -> tuple[Mapping[str, Mapping[str, list[str]]], list[str]]:
    body = yaml.safe_load(_PLANTED.read_text("utf-8"))
    return body["cues"], body["fillers"]
