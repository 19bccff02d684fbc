"""The Twenty Statements Test: "Who am I?", answered in twenty sentences, ten that others know and ten kept private.

The answer is asked for as JSON with two lists of ten. What a model writes is checked sentence by sentence: short of the
count, said twice, or copied from what it was told is reported, never repaired in silence.

Source: Kuhn & McPartland 1954; open and hidden self as in SPeCtrum (Lee et al. 2025, arXiv 2502.08599).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

from personae.core import Actor, CapabilityError, InputError, ReplyError, ResponseRow, StatementRow
from personae.instruments._administer import scoring_model
from personae.models import Capability, GenerateRequest, Message, Sampling, ScoreRequest

SelfKind = Literal["open_self", "hidden_self"]
SELVES: Final[tuple[SelfKind, ...]] = ("open_self", "hidden_self")
EACH: Final = 10
_LONGEST: Final = 160
_ASK: Final = (
    "Who are you? Answer with twenty sentences about yourself, each beginning with I or My. The first ten, open_self, "
    "say what others know about you. The other ten, hidden_self, say what you keep to yourself. Use your own words: do "
    "not repeat phrases from your description. Be honest, also about what is not nice."
)


def statements_schema(each: int = EACH) -> dict[str, Any]:
    """JSON schema of an answer: two lists of `each` sentences."""
    line = {"type": "string", "minLength": 8, "maxLength": _LONGEST}
    part = {"type": "array", "items": line, "minItems": each, "maxItems": each}
    return {
        "type": "object",
        "properties": dict.fromkeys(SELVES, part),
        "required": list(SELVES),
        "additionalProperties": False,
    }


async def elicit_statements(
    actor: Actor, *, seed: int, unit: str, each: int = EACH, temperature: float = 0.8
) -> list[StatementRow]:
    """Let an actor answer "Who am I?".

    Args:
        actor: who answers; needs a model that generates. What it knows of itself is its condition's business.
        seed: of the one call.
        unit: key of the unit of work.
        each: sentences of each kind; the test has ten.
        temperature: of the sampling.

    Returns:
        2 × `each` rows, open self first.

    Raises:
        CapabilityError: no model, or one that cannot generate.
        ReplyError: the answer is no JSON of this shape, after the repairs that the model layer makes.
    """
    if each < 1:
        raise InputError(f"elicit_statements: each={each!r}, expected at least 1.")
    model = actor.model
    if model is None or Capability.GENERATE not in model.capabilities:
        raise CapabilityError(f"{actor.name!r} has no model that generates text.", hint="Name one with --model.")
    request = GenerateRequest(
        messages=(*actor.context(), Message("user", _ASK)),
        sampling=Sampling(temperature=temperature, max_tokens=60 * 2 * each),
        seed=seed,
        json_schema=statements_schema(each),
        system_default=actor.system_default,
        condition=actor.condition_hash,
        tags={"stage": "statements"},
    )
    async with model.session(unit):
        answer = await model.generate(request)
    parts = _parts(answer.text, each)
    who = actor.persona.id if actor.persona is not None else actor.name
    return [
        StatementRow(
            unit=unit, persona_id=who, condition=actor.condition, kind=kind, index=k, text=text.strip(),
            writer=model.reference, call=answer.call or None,
        )
        for kind in SELVES
        for k, text in enumerate(parts[kind])
    ]  # fmt: skip


async def score_statements(
    actor: Actor, texts: Sequence[str], *, seed: int, unit: str, item: str, instrument: str = "who_am_i"
) -> ResponseRow:
    """How likely each of several answers to "Who are you?" is, coming from this actor. One call, one shared prefix.

    Args:
        actor: whose answer it might be; needs a model that scores options.
        texts: the answers, each a few sentences.
        seed: column of the row; likelihoods need none.
        unit: key of the unit of work.
        item: what the row calls the answers (how they were made).
        instrument: what the row calls the question.

    Returns:
        One row: `logprobs` in the order of `texts`, no value.

    Raises:
        CapabilityError: no model, or one that cannot score.
        ReplyError: the model returned another number of scores than asked.
    """
    model = scoring_model(actor)
    request = ScoreRequest(
        messages=(*actor.context(), Message("user", "Who are you? Answer with a few sentences about yourself.")),
        options=tuple(f" {t}" for t in texts),
        system_default=actor.system_default,
        condition=actor.condition_hash,
        tags={"stage": instrument},
    )
    async with model.session(unit):
        (score,) = await model.score_options([request])
    if len(score.logprobs) != len(texts):
        raise ReplyError(f"{model.reference!r} returned {len(score.logprobs)} scores for {len(texts)} texts.")
    return ResponseRow(
        unit=unit, persona_id=actor.persona.id if actor.persona is not None else None, actor=actor.name,
        condition=actor.condition, condition_hash=actor.condition_hash, instrument=instrument, item=item, scale="",
        key=1, order="none", method="score", status="ok", value=None, keyed=None, logprobs=tuple(score.logprobs),
        approximate=score.approximate, model=model.reference, seed=seed, call=score.call or None,
    )  # fmt: skip


def statement_sets(
    statements: Sequence[StatementRow], *, kind: str | None = None, each: int | None = None
) -> dict[tuple[str, str], list[str]]:
    """What was said, by (condition, persona id): open self first, each self in its order.

    Args:
        statements: rows in any order.
        kind: one self alone.
        each: the first so many of each self.
    """
    out: dict[tuple[str, str], list[str]] = {}
    for s in sorted(statements, key=lambda s: (s.condition, s.persona_id, s.kind != SELVES[0], s.index)):
        if kind in {None, s.kind} and (each is None or s.index < each):
            out.setdefault((s.condition, s.persona_id), []).append(s.text)
    return out


def _parts(text: str, each: int) -> dict[str, Sequence[str]]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ReplyError(f"the answer to 'Who am I?' is no JSON ({error}).", hint="Use a larger model.") from error
    if not isinstance(body, dict) or any(
        not isinstance(body.get(kind), list)
        or len(body[kind]) != each
        or not all(isinstance(line, str) and line.strip() for line in body[kind])
        for kind in SELVES
    ):
        raise ReplyError(f"the answer to 'Who am I?' does not hold {each} sentences of each kind.")
    return body
