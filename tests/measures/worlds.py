"""Simulated evidence with planted effects, as rows: what a run would have on disk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from personae.core import DOMAINS, ConversationRow, Instrument, ResponseRow, TurnRow, derive_seed
from personae.instruments import load_instrument
from personae.measures import echo_copy, echo_test, recovery_test, talks, trait_table
from personae.models import simulate_answers, simulate_dialogues

PEOPLE = 24
INSTRUMENT: Instrument = load_instrument("ipip50")
_NAMES = [INSTRUMENT.scales[i.scale] for i in INSTRUMENT.items]
LOADINGS = np.array(
    [[float(i.key) * (name == d) for d in DOMAINS] for i, name in zip(INSTRUMENT.items, _NAMES, strict=True)]
)


class TraitWorld(NamedTuple):
    rows: list[ResponseRow]
    traits: dict[str, dict[str, float]]


def trait_world(rng: np.random.Generator, effect: float, people: int = PEOPLE) -> TraitWorld:
    z = rng.standard_normal((people, len(DOMAINS)))
    answers = simulate_answers(rng, z, LOADINGS, effect=effect, expected=True)
    rows = [
        ResponseRow(
            unit=f"u{k}",
            persona_id=f"p-{k:02d}",
            actor=f"p-{k:02d}",
            condition="self",
            condition_hash="c",
            instrument="ipip50",
            item=item.id,
            scale=item.scale,
            key=item.key,
            order="none",
            method="score",
            status="ok",
            value=float(answers[k, i]),
            keyed=None,
            model="fake:statistical",
            seed=0,
        )
        for k in range(people)
        for i, item in enumerate(INSTRUMENT.items)
    ]
    return TraitWorld(
        rows, {f"p-{k:02d}": {d: 50 + 10 * z[k, j] for j, d in enumerate(DOMAINS)} for k in range(people)}
    )


def trait_p(world: TraitWorld, rng: np.random.Generator) -> float:
    table = trait_table(world.rows, world.traits, INSTRUMENT, "self")
    return recovery_test(table.intended, table.answered, seed=int(rng.integers(2**31)), draws=499).p


class EchoWorld(NamedTuple):
    conversations: list[ConversationRow]
    turns: list[TurnRow]


def echo_world(rng: np.random.Generator, ecp: float, concat: float, people: int = PEOPLE, lines: int = 8) -> EchoWorld:
    conversations: list[ConversationRow] = []
    turns: list[TurnRow] = []
    for condition, echo in (("ecp", ecp), ("concat", concat)):
        for k, dialogue in enumerate(simulate_dialogues(rng, people, lines, echo=echo)):
            key, person = f"{condition}/{k}", f"p-{k:02d}"
            conversations.append(
                ConversationRow(
                    unit=key,
                    conversation=key,
                    digest="",
                    participants=("client", "responder"),
                    persona_id=person,
                    condition=condition,
                    seed=derive_seed(1, k),
                    utterances=lines,
                    end_reason="turn_cap",
                )
            )
            turns += [
                TurnRow(
                    unit=key,
                    conversation=key,
                    persona_id=person,
                    condition=condition,
                    index=i,
                    kind="utterance",
                    speaker=("client", "responder")[i % 2],
                    role=("client", "responder")[i % 2],
                    text=text,
                )
                for i, text in enumerate(dialogue)
            ]
    return EchoWorld(conversations, turns)


def echo_p(world: EchoWorld, rng: np.random.Generator) -> float:
    seed = int(rng.integers(2**31))
    by: dict[str, dict[str, float]] = {"ecp": {}, "concat": {}}
    everything = talks(world.conversations, world.turns)
    for condition, cell in by.items():
        members = [t for t in everything if t.head.condition == condition]
        for talk in members:
            others = [o for o in members if o.head.persona_id != talk.head.persona_id]
            cell[talk.head.persona_id] = echo_copy(talk, others, seed=seed)
    differences = [by["ecp"][p] - by["concat"][p] for p in sorted(by["ecp"])]
    return echo_test(differences, seed=seed, draws=999).p
