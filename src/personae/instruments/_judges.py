"""Judges: a closed question about a piece of evidence, answered by option likelihood, with its agreement printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from personae.core import Conversation, JudgementRow
from personae.models import Message, Model, ScoreRequest
from personae.statistics import classifier_scores, cohen_kappa
from personae.text import load_closing_cues

UNVALIDATED: Final = "unvalidated"
JUDGE_THRESHOLD: Final = 0.4
"""kappa below which a judge's verdicts are not used (fair to moderate agreement, Landis & Koch 1977)"""


@dataclass(frozen=True)
class YesNoJudge:
    """Asks a model a yes/no question about the last lines of a transcript.

    The verdict is P(yes) after subtracting what the model answers to the same question about an empty transcript
    (pointwise mutual information), so that a model that always says yes does not decide anything by that.

    Args:
        model: any model that can score options.
        question: answered by yes or no.
        score_name: name of the verdict in the result.
        agreement: agreement with a labelled set, see `validated`; printed beside every number this judge makes.
    """

    model: Model
    question: str
    name: str = "yes_no"
    score_name: str = "yes"
    window: int = 4
    agreement: str = UNVALIDATED

    def _request(self, transcript: str) -> ScoreRequest:
        body = f"Transcript:\n{transcript}\n\n{self.question} Answer yes or no."
        return ScoreRequest(
            messages=(
                Message("system", "You read transcripts and answer questions about them."),
                Message("user", body),
            ),
            options=(" Yes", " No"),
            prefill="Answer:",
            tags={"judge": self.name},
        )

    async def probabilities(self, transcripts: Sequence[str]) -> tuple[float, ...]:
        """P(yes) of each transcript, relative to an empty one; all in one group of requests."""
        scores = await self.model.score_options([self._request(t) for t in ("", *transcripts)])
        logits = np.array([s.logprobs[0] - s.logprobs[1] for s in scores])
        return tuple(float(p) for p in 1 / (1 + np.exp(-(logits[1:] - logits[0]))))

    async def judge(self, conversation: Conversation, *, seed: int) -> dict[str, Any]:
        """`{score_name: P(yes)}` for the last `window` utterances. Likelihoods need no seed."""
        del seed
        return {self.score_name: (await self.probabilities([transcript(conversation, self.window)]))[0]}

    def validated(self, agreement: str) -> YesNoJudge:
        """The same judge, carrying its measured agreement."""
        return replace(self, agreement=agreement)


def transcript(conversation: Conversation, window: int | None = None) -> str:
    """The last `window` utterances as `Name: text` lines."""
    spoken = conversation.utterances[-window:] if window else conversation.utterances
    return "\n".join(f"{e.speaker}: {e.text}" for e in spoken)


async def validate_closing_judge(judge: YesNoJudge, *, unit: str) -> list[JudgementRow]:
    """Ask `judge` about every labelled closing turn of the test split; one row, whose agreement says how it did.

    The labels were written for the project (author-labelled), never by outside readers.
    """
    items = [i for i in load_closing_cues() if i.split == "test"]
    texts = [f"client: {i.previous}\nresponder: {i.text}" if i.previous else f"responder: {i.text}" for i in items]
    async with judge.model.session(unit):
        said = [p >= 0.5 for p in await judge.probabilities(texts)]
    labels = [i.closing for i in items]
    scores = classifier_scores(labels, said)
    kappa = cohen_kappa(labels, said)
    interval = f"[{kappa.interval.low:.2f}, {kappa.interval.high:.2f}]" if kappa.interval.known else "(no interval)"
    agreement = (
        f"kappa {kappa.value:.2f} {interval}, precision "
        f"{scores.precision.value:.2f}, recall {scores.recall.value:.2f}, n = {len(items)}, author-labelled"
    )
    if kappa.value < JUDGE_THRESHOLD:
        agreement += f"; below the threshold of {JUDGE_THRESHOLD}: not used, the rules decide alone"
    return [
        JudgementRow(
            unit=unit,
            conversation="",
            persona_id="",
            condition="labelled set",
            judge=judge.name,
            subject="test split",
            verdict="validated" if kappa.value >= JUDGE_THRESHOLD else "below threshold",
            value=kappa.value,
            agreement=agreement,
        )
    ]
