"""Probes: questions put to an actor on a fork of the log, so that the conversation never knows.

A probe item belongs to a field group of the persona (facts, goal, emotion, style) and carries the option that the
persona's own key names. The same items are asked at every moment, answered by option likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from personae.core import Actor, CapabilityError, Conversation, Persona, ProbeRow, ReplyError, derive_rng, trait_phrase
from personae.models import Capability, Message, OptionScores, ScoreRequest, option_probabilities
from personae.simulation._projection import Mode, project

Group = Literal["facts", "emotion", "goal", "traits", "boundary", "consistency"]


@dataclass(frozen=True, slots=True)
class ProbeItem:
    """One closed question about oneself. `target` is the index of the true option."""

    id: str
    group: Group
    question: str
    prefix: str
    options: tuple[str, ...]
    target: int


_FIELDS: Final[tuple[tuple[str, Group, str, str, str], ...]] = (
    ("occupation", "facts", "social.occupation", "What do you do for a living?", "I work as"),
    ("residence", "facts", "social.residence", "Where do you live?", "I live in"),
    ("mood", "emotion", "personal.mood", "How do you feel today?", "I feel"),
    ("concern", "goal", "context.concern", "What did you want to talk about?", "I wanted to talk about"),
)


def probe_items(persona: Persona, pool: Sequence[Persona], *, seed: int, options: int = 4) -> tuple[ProbeItem, ...]:
    """Closed questions whose key is the persona's own record.

    Distractors are what other people of `pool` would answer, drawn by (seed, persona id, item), so that guessing is
    right with probability 1 / options. Fields that the persona leaves open, or for which the pool holds fewer than one
    other answer, make no item.
    """
    items: list[ProbeItem] = []
    for name, group, path, question, prefix in _FIELDS:
        own = persona.get(path)
        if own is None:
            continue
        others = sorted({str(v) for p in pool if (v := p.get(path)) is not None} - {str(own)})
        made = _item(name, group, question, prefix, str(own), others, seed, persona.id, options)
        if made is not None:
            items.append(made)
    big_five = persona.personal.big_five
    if big_five is not None:
        for domain, score in big_five.scores().items():
            if abs(score - 50) >= 7:  # closer to the mean there is no true pole to ask for
                poles = [trait_phrase(domain, s).split(" ", 1)[1] for s in (35.0, 65.0)]
                own = poles[score > 50]
                made = _item(
                    domain,
                    "traits",
                    "What are you like?",
                    "I am",
                    own,
                    [p for p in poles if p != own],
                    seed,
                    persona.id,
                    2,
                )
                if made is not None:
                    items.append(made)
    return tuple(items)


def _item(
    name: str,
    group: Group,
    question: str,
    prefix: str,
    own: str,
    others: list[str],
    seed: int,
    person: str,
    options: int,
) -> ProbeItem | None:
    if not others:
        return None
    rng = derive_rng(seed, "probe", person, name)
    picked = [others[k] for k in rng.permutation(len(others))[: options - 1]]
    texts = [own, *picked]
    order = rng.permutation(len(texts))
    shown = tuple(f" {texts[k]}" for k in order)
    return ProbeItem(name, group, question, prefix, shown, int(np.flatnonzero(order == 0)[0]))


async def probe(
    actor: Actor,
    conversation: Conversation,
    items: Sequence[ProbeItem],
    *,
    mode: Mode,
    moment: Literal["first", "middle", "last"],
    at: int,
    unit: str,
    persona_id: str,
    seed: int,
    tags: Mapping[str, str] | None = None,
) -> list[ProbeRow]:
    """Ask `items` on a fork after the first `at` events. The parent log is unchanged: its digest proves it.

    Raises:
        CapabilityError: the actor's model cannot score options.
    """
    model = actor.model
    if model is None or Capability.SCORE not in model.capabilities:
        raise CapabilityError(
            f"probes need option likelihoods, which {getattr(model, 'reference', None)!r} cannot give.",
            hint="Use a local model, or an endpoint with log-probabilities.",
        )
    fork = conversation.fork(at)
    seen = project(fork, actor.name, mode)
    requests = [
        ScoreRequest(
            messages=(*actor.context(), *_asked(seen, item.question)),
            options=item.options,
            prefill=item.prefix,
            system_default=actor.system_default,
            condition=actor.condition_hash,
            tags={**(tags or {}), "unit": unit, "persona": persona_id, "item": item.id, "moment": moment},
        )
        for item in items
    ]
    scores = await model.score_options(requests) if requests else ()
    return [
        ProbeRow(
            unit=unit,
            conversation=conversation.key,
            persona_id=persona_id,
            condition=mode,
            at=at,
            moment=moment,
            group=item.group,
            item=item.id,
            target=item.target,
            probabilities=_shares(score, item.id),
            logprobs=score.logprobs,
            approximate=score.approximate,
            model=model.reference,
            seed=seed,
            call=score.call or None,
        )
        for item, score in zip(items, scores, strict=True)
    ]


def _asked(seen: tuple[Message, ...], question: str) -> tuple[Message, ...]:
    """The projection with the question as the last thing said to the actor."""
    if seen and seen[-1].role == "user":
        return (*seen[:-1], Message("user", f"{seen[-1].content}\n{question}"))
    return (*seen, Message("user", question))


def _shares(score: OptionScores, item: str) -> tuple[float, ...]:
    """Probabilities over options by mean log-probability per token, so that long options are not punished."""
    shares = option_probabilities(score, "mean")
    if shares is None:
        raise ReplyError(f"probe {item!r}: no option has a finite log-probability ({score.logprobs}).")
    return tuple(float(p) for p in shares)
