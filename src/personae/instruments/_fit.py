"""Does a statement fit a person? A model as judge, with everything taken out that is not about this person.

Each statement is judged against a profile under both orders of the two answers, and both times against no profile at
all. What counts is the difference, averaged over the orders: log p(fits) − log p(foreign), with the profile minus
without. So a judge that says yes to anything, or likes the first answer, or finds a statement plausible of anybody,
decides nothing by that. Planted fakes tell whether it decides anything at all: every statement is also put beside the
profile of somebody else (`fit_pairs`), and a judge that cannot tell the two apart judges nothing.

Source: SPeCtrum (Lee et al. 2025, arXiv 2502.08599) asks a model in the role of the person for yes or no and reports
the share of yes; order control, empty profile and exchanged owners are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np

from personae.core import CapabilityError, Frozen, InputError, JudgementRow, ReplyError, StatementRow, derive_rng
from personae.instruments._judges import UNVALIDATED
from personae.models import Capability, GenerateRequest, Message, Model, Sampling, ScoreRequest, generate_json

FitBy: TypeAlias = Literal["options", "json"]
FIT_JUDGE: Final = "fit"
"""the judge of rows that say whether a statement fits a profile"""
_ANSWERS: Final = ("fits", "foreign")
_MEANING: Final = {"fits": "this person would say it of themselves", "foreign": "it is somebody else's"}
_NOTHING: Final = "Nothing is known about this person."


class FitPair(Frozen):
    """A statement beside a profile: the speaker's own, or another person's."""

    persona_id: str
    """who said it"""
    condition: str
    kind: str
    index: int
    text: str
    profile_id: str
    """whose profile it is put beside"""

    @classmethod
    def of(cls, said: StatementRow, profile_id: str) -> Self:
        """A row beside somebody's profile."""
        return cls(
            persona_id=said.persona_id, condition=said.condition, kind=said.kind, index=said.index, text=said.text,
            profile_id=profile_id,
        )  # fmt: skip

    @property
    def own(self) -> bool:
        """Whether the profile is the speaker's."""
        return self.persona_id == self.profile_id

    @property
    def key(self) -> str:
        """What rows call the pair."""
        return f"{self.condition}/{self.kind}/{self.index}/{self.persona_id}/{self.profile_id}"


def fit_pairs(statements: Sequence[StatementRow], people: Sequence[str], *, per: int, seed: int) -> list[FitPair]:
    """`per` statements of each person and condition, each beside the speaker's profile and beside another's.

    Args:
        statements: what people said.
        people: ids of everybody who has a profile; two at least.
        per: statements of a person under a condition, drawn by `seed`; fewer where fewer were said.
        seed: decides which statements, and whose profile is the other one.
    """
    if len(set(people)) < 2:
        raise InputError(f"fit_pairs: {len(set(people))} people, expected two at least to exchange profiles.")
    own: dict[tuple[str, str], list[StatementRow]] = {}
    for s in statements:
        own.setdefault((s.persona_id, s.condition), []).append(s)
    out: list[FitPair] = []
    for (person, condition), rows in own.items():
        rng = derive_rng(seed, "fit pairs", person, condition)
        others = sorted(set(people) - {person})
        rows.sort(key=lambda r: (r.kind, r.index))
        for k in sorted(rng.permutation(len(rows))[:per].tolist()):
            other = others[int(rng.integers(len(others)))]
            out += [FitPair.of(rows[k], profile) for profile in (person, other)]
    return out


@dataclass(frozen=True, slots=True)
class FitVerdict:
    """How much likelier "it fits" became by the profile, in nats, under each order of the answers."""

    gains: tuple[float, float]

    @property
    def probability(self) -> float:
        """1 / (1 + exp(−mean gain)): .5 means that the profile changed nothing."""
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, sum(self.gains) / 2))))

    @property
    def word(self) -> str:
        """`fits` or `foreign` where both orders say so, else `undecided`."""
        if min(self.gains) > 0:
            return _ANSWERS[0]
        return _ANSWERS[1] if max(self.gains) < 0 else "undecided"


@dataclass(frozen=True)
class FitJudge:
    """Asks a model whether statements fit a profile.

    Args:
        model: who judges.
        by: `options` scores two letters (exact log-likelihoods); `json` reads a generated answer, ±1 nat each, for
            models that cannot score.
    """

    model: Model
    by: FitBy = "options"

    async def weigh(self, profile: str, statements: Sequence[str], *, seed: int = 0) -> tuple[FitVerdict, ...]:
        """A verdict on each statement.

        Args:
            profile: text of the profile; it must not say under which condition a statement was made.
            statements: sentences in the first person.
            seed: of generated answers; likelihoods need none.

        Raises:
            CapabilityError: the model cannot answer in this way.
            ReplyError: no answer of the right form, after the repairs of the model layer.
        """
        needed = Capability.SCORE if self.by == "options" else Capability.GENERATE
        if needed not in self.model.capabilities:
            raise CapabilityError(
                f"{self.model.reference!r} cannot judge by {self.by}: it does not {needed}.",
                hint="Use a judge by json for models that only generate, by options for those that only score.",
            )
        asked = [(p, s, o) for p in (profile, _NOTHING) for s in statements for o in (_ANSWERS, _ANSWERS[::-1])]
        leanings = await (self._scored(asked) if self.by == "options" else self._said(asked, seed))
        told, empty = np.reshape(leanings, (2, len(statements), 2))
        return tuple(FitVerdict((float(a), float(b))) for a, b in told - empty)

    async def _scored(self, asked: Sequence[tuple[str, str, Sequence[str]]]) -> list[float]:
        requests = [
            ScoreRequest(
                messages=_messages(profile, statement, dict(zip("AB", order, strict=True))),
                options=(" A", " B"),
                prefill="Answer:",
                tags={"judge": FIT_JUDGE},
            )
            for profile, statement, order in asked
        ]
        scores = await self.model.score_options(requests)
        if len(scores) != len(requests) or any(len(s.logprobs) != 2 for s in scores):
            raise ReplyError(f"{self.model.reference!r} returned {len(scores)} scores for {len(requests)} requests.")
        return [
            (s.logprobs[0] - s.logprobs[1]) * (1 if order[0] == _ANSWERS[0] else -1)
            for s, (_, _, order) in zip(scores, asked, strict=True)
        ]

    async def _said(self, asked: Sequence[tuple[str, str, Sequence[str]]], seed: int) -> list[float]:
        out: list[float] = []
        for profile, statement, order in asked:
            request = GenerateRequest(
                messages=_messages(profile, statement, {a: a for a in order}),
                sampling=Sampling(temperature=0.0, max_tokens=40),
                seed=seed,
                json_schema=_schema(order),
                tags={"judge": FIT_JUDGE},
            )
            answer = await generate_json(self.model, request)
            if answer.value is None:
                raise ReplyError(
                    f"{self.model.reference!r} gave no verdict: {answer.problems[-1]}.", hint="Use a larger model."
                )
            out.append(1.0 if answer.value["verdict"] == _ANSWERS[0] else -1.0)
        return out


async def judge_fit(
    judge: FitJudge, pairs: Sequence[FitPair], profile: str, *, unit: str, seed: int = 0
) -> list[JudgementRow]:
    """Verdicts on pairs that share one profile: a row each, P(fits) as value, the pair's key as subject.

    Args:
        judge: who is asked.
        pairs: statements beside this profile.
        profile: its text.
        unit: key of the unit of work.
        seed: see `FitJudge.weigh`.
    """
    if len({p.profile_id for p in pairs}) > 1:
        raise InputError("judge_fit: pairs of several profiles.", hint="Judge the statements beside one at a time.")
    async with judge.model.session(unit):
        verdicts = await judge.weigh(profile, [p.text for p in pairs], seed=seed)
    return [
        JudgementRow(
            unit=unit, conversation="", persona_id=pair.persona_id, condition=pair.condition, judge=FIT_JUDGE,
            subject=pair.key, verdict=verdict.word, value=verdict.probability, agreement=UNVALIDATED,
        )
        for pair, verdict in zip(pairs, verdicts, strict=True)
    ]  # fmt: skip


def _messages(profile: str, statement: str, answers: dict[str, str]) -> tuple[Message, ...]:
    listed = "\n".join(f"{label}: {_MEANING[answer]}" for label, answer in answers.items())
    body = (
        f'About a person:\n{profile}\n\nSomebody was asked who they are and said: "{statement}"\n\n'
        f"Was it this person?\n{listed}"
    )
    return (Message("system", "You judge who said something."), Message("user", body))


def _schema(order: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(order)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
