"""A client with a need talks to a responder: the two-agent scene most studies use, and its evidence rows.

Both projections of one person share the seed of every line, the prompts, the guards and the stops, so a difference
between them can only come from what the actors saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from personae.conditioning import Prompt, embody
from personae.core import Condition, ConversationRow, Judge, Persona, ProbeRow, TurnRow
from personae.models import Model, Sampling
from personae.simulation._guards import Degenerate, Echo, Guard, Identity
from personae.simulation._probes import probe, probe_items
from personae.simulation._projection import Mode
from personae.simulation._records import conversation_rows
from personae.simulation._scene import Scene, sessions, simulate
from personae.simulation._schedule import Alternating
from personae.simulation._stops import Closing, FirstOf, Stuck, TurnCap

CLIENT: Final = "client"
RESPONDER: Final = "responder"

_SAMPLING: Final = Sampling(temperature=0.7, max_tokens=60)
Moment: TypeAlias = Literal["first", "middle", "last"]
MOMENTS: Final[tuple[Moment, ...]] = ("first", "middle", "last")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Settings of a client–responder conversation.

    Args:
        client, responder: how each reaches the model; the responder has no persona.
        utterances: hard cap, both speakers together.
        minimum, window: rounds before a natural end counts, and utterances looked at (see `Closing`).
        retries: drafts tried again after an objection. 0 with `guarded=False` measures the bare model.
        probes: ask the client about itself on forks of the log.
        moments: after which client lines: drift needs the first and the last; the middle shows its course.
    """

    client: Condition = field(default_factory=Prompt)
    responder: Condition = field(default_factory=Prompt)
    client_sampling: Sampling = _SAMPLING
    responder_sampling: Sampling = _SAMPLING
    utterances: int = 12
    minimum: int = 2
    window: int = 2
    retries: int = 1
    guarded: bool = True
    probes: bool = True
    moments: tuple[Moment, ...] = MOMENTS
    judge: Judge | None = None

    def stop(self) -> FirstOf:
        """Natural end first, then loops, then the cap."""
        return FirstOf((Closing(RESPONDER, self.minimum, self.window, self.judge), Stuck(), TurnCap(self.utterances)))

    def guards(self) -> tuple[Guard, ...]:
        """Guards of both speakers."""
        return (Degenerate(), Echo(), Identity()) if self.guarded else ()


async def converse(
    dialogue: Dialogue,
    persona: Persona,
    model: Model,
    *,
    mode: Mode,
    unit: str,
    seed: int,
    pool: list[Persona],
    label: str | None = None,
    key: str | None = None,
) -> list[ConversationRow | TurnRow | ProbeRow]:
    """Hold one conversation of `persona` with the responder and return its evidence.

    Args:
        dialogue: settings of both sides.
        persona: the client.
        model: what both sides run on.
        mode: the projection.
        unit: key of the unit of work.
        seed: must be the same for both modes of a pair.
        pool: supplies the distractors of probe items.
        label: condition in the rows; by default the mode.
        key: key of the conversation; by default the unit's.
    """
    label, key = label or mode, key or unit
    async with (
        embody(persona, dialogue.client, model, name=CLIENT, label=label, sampling=dialogue.client_sampling) as client,
        embody(
            None, dialogue.responder, model, name=RESPONDER, label=label, sampling=dialogue.responder_sampling
        ) as responder,
        sessions((client, responder), unit),
    ):
        scene = Scene(
            actors=(client, responder),
            stop=dialogue.stop(),
            scheduler=Alternating(),
            guards=dialogue.guards(),
            mode=mode,
            retries=dialogue.retries,
        )
        tags = {"unit": unit, "persona": persona.id, "condition": label}
        log = await simulate(scene, key=key, seed=seed, tags=tags)
        rows: list[ConversationRow | TurnRow | ProbeRow] = []
        rows += conversation_rows(
            log,
            unit=unit,
            persona_id=persona.id,
            condition=label,
            seed=seed,
            roles={CLIENT: CLIENT, RESPONDER: RESPONDER},
        )
        if dialogue.probes:
            items = probe_items(persona, pool, seed=seed)
            places = probe_moments([e.index + 1 for e in log.said_by(CLIENT)])
            for moment, at in places.items():
                if moment not in dialogue.moments:
                    continue
                rows += await probe(
                    client,
                    log,
                    items,
                    mode=mode,
                    moment=moment,
                    at=at,
                    unit=unit,
                    persona_id=persona.id,
                    seed=seed,
                    tags=tags,
                )
    return rows


def probe_moments(after: Sequence[int]) -> dict[Moment, int]:
    """Where to fork, given the log's length after each client line; two moments never share a place.

    Somebody who spoke once has a first line and no last: drift from a line to itself would be a made-up zero.
    """
    places = dict(zip(MOMENTS, (after[0], after[len(after) // 2], after[-1]), strict=True)) if after else {}
    if len(after) < 2:
        return {m: at for m, at in places.items() if m == "first"}
    return {m: at for m, at in places.items() if m != "middle" or at not in {after[0], after[-1]}}
