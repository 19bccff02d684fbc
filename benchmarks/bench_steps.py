"""Steps per second of scripted scenes on one core: two speakers, twenty lines, and a model that costs nothing.

    python benchmarks/bench_steps.py [CONVERSATIONS ROUNDS]

A step is one line: who is next, what they see, what they say, guards, the log, the stops. `outsiders` are functions;
`model` is `ScriptedModel` behind the prompt condition; `run` is the whole path: executor, a session, every call in the
call log, evidence rows staged and committed. CPU time of the one process decides, not the wall clock. Target of an
agent's step: 5,000 a second without guards. The whole path has no target; its line says what keeping evidence costs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _table import Line, in_turn, show

from personae.conditioning import ExternalActor, Prompt, embody
from personae.core import ConversationRow, Names, Persona, TurnRow
from personae.models import GenerateRequest, Message, Model, ScriptedModel, wrap_model
from personae.runs import Run, Unit, execute_sync
from personae.simulation import (
    OPENING,
    Closing,
    Degenerate,
    Echo,
    FirstOf,
    Guard,
    Identity,
    Scene,
    Stop,
    Stuck,
    TurnCap,
    conversation_rows,
    sessions,
    simulate,
)

TURNS = 20
TARGET = 5000.0
PEOPLE = (Persona(names=Names(full="Ada Moor")), Persona(names=Names(full="Ben Low")))
GUARDS: tuple[Guard, ...] = (Degenerate(), Echo(), Identity())
LINES = (
    "The ferry was late again this morning, so I walked along the quay.",
    "My brother keeps bees, and the first honey of the year is nearly clear.",
    "Somebody left a green umbrella under the bench by the town hall.",
    "We painted the kitchen yellow, although nobody could agree on the shade.",
    "On Thursdays the library stays open until nine, which suits my shifts.",
    "There is a recipe for plum cake that only my aunt can read.",
    "The new tram line stops right in front of the old brick factory.",
    "Last winter the pipes froze, and the whole street cooked at our place.",
    "He plays the trombone in a band of retired postmen from the valley.",
    "Our dog refuses to cross the bridge unless you carry his blanket.",
    "I found three letters from nineteen sixty in a second-hand coat.",
    "The market sells dented tins for half the price on Saturdays.",
    "Nobody told the baker that the clocks had changed on Sunday.",
    "Half of the choir has a cold, so we hum the difficult parts.",
    "She repairs violins in a shed that used to be a chicken house.",
    "The map was drawn before the lake existed, and it still hangs there.",
    "Every August the students put a boat on top of the museum.",
    "A neighbour lends me his ladder in exchange for tomato plants.",
    "It rained through the roof and straight into the piano, sadly.",
    "From the tower you can count eleven chimneys and one small ship.",
)


def due(messages: Sequence[Message]) -> str:
    """The line that is due, by what has been said so far."""
    return LINES[(len(messages) - (messages[0].content == OPENING)) % TURNS]


def reply(request: GenerateRequest) -> str:
    """The same for a model, which has a system message before."""
    return due(request.messages[1:])


def stops(*, guarded: bool) -> Stop:
    """The cap alone, or all that a client–responder scene has."""
    return FirstOf((Closing("Ben Low", 2, 2), Stuck(), TurnCap(TURNS))) if guarded else TurnCap(TURNS)


async def outsiders(key: str, *, guarded: bool) -> int:
    """One conversation of two functions; returns its steps."""
    actors = tuple(ExternalActor(p.name, due, p) for p in PEOPLE)
    scene = Scene(actors, stop=stops(guarded=guarded), guards=GUARDS if guarded else ())
    return len((await simulate(scene, key=key, seed=7)).utterances)


async def on_model(model: Model, key: str, *, guarded: bool) -> list[ConversationRow | TurnRow]:
    """One conversation of two personas on a model; returns its evidence rows."""
    ada, ben = PEOPLE
    async with embody(ada, Prompt(), model) as one, embody(ben, Prompt(), model) as two, sessions((one, two), key):
        scene = Scene((one, two), stop=stops(guarded=guarded), guards=GUARDS if guarded else ())
        log = await simulate(scene, key=key, seed=7, tags={"unit": key, "persona": ada.id})
    return conversation_rows(log, unit=key, persona_id=ada.id, condition="ecp", seed=7, roles={})


def rate(conversation: Callable[[str], Awaitable[int]], count: int) -> float:
    """Steps per CPU second over `count` conversations, one after another."""

    async def go() -> int:
        return sum([await conversation(f"talk/{k}") for k in range(count)])

    start = time.process_time()
    steps = asyncio.run(go())
    return steps / (time.process_time() - start)


def rate_on_model(count: int, *, guarded: bool) -> float:
    """Steps per CPU second on a bare scripted model."""
    model = ScriptedModel(reply)

    async def one(key: str) -> int:
        return len(await on_model(model, key, guarded=guarded)) - 1

    return rate(one, count)


def rate_in_run(count: int, *, guarded: bool) -> float:
    """Steps per CPU second in a run folder, its making and its last compaction included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        with Run.create_or_resume(folder, study="bench", spec={}, seed=7, model=None, determinism="exact") as run:
            model = wrap_model(ScriptedModel(reply), log=run.calls)

            async def work(unit: Unit) -> list[ConversationRow | TurnRow]:
                return await on_model(model, unit.key, guarded=guarded)

            execute_sync(run, [Unit(f"talk/{k}", "bench") for k in range(count)], work)
            steps = run.tables()["turns"]
        return steps / (time.process_time() - start)


def main(count: int, rounds: int) -> None:
    """Measure all in turn, print."""
    kinds: dict[str, tuple[Callable[[], float], str, bool]] = {}
    for guarded in (False, True):
        mark = "guards and stops" if guarded else "no guards"
        talks = max(1, count // 4) if guarded else count
        size = f"{talks} × {TURNS} lines"
        alone = partial(rate, partial(outsiders, guarded=guarded), talks)
        bare, whole = (partial(f, talks, guarded=guarded) for f in (rate_on_model, rate_in_run))
        kinds[f"outsiders, {mark}"] = alone, f"ExternalActor, {size}", not guarded
        kinds[f"model, {mark}"] = bare, f"ScriptedModel, rows made, {size}", not guarded
        kinds[f"run, {mark}"] = whole, f"call log, rows stored, executor, {size}", False
    measures = [measure for measure, _, _ in kinds.values()]
    in_turn(measures, 1)
    rates = in_turn(measures, rounds)
    show(
        [
            Line(what, values, "steps/CPU s", how, ("at least", TARGET) if wanted else None)
            for (what, (_, how, wanted)), values in zip(kinds.items(), rates, strict=True)
        ]
    )


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:3]]
    main(numbers[0] if numbers else 60, numbers[1] if len(numbers) > 1 else 7)
