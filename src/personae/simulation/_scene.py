"""Run a scene: schedule, project, draft, guard, append, stop. The log is the only state."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from personae.core import Actor, Conversation, InputError, derive_seed
from personae.models import Message
from personae.simulation._guards import Guard, first_objection
from personae.simulation._projection import Mode, project
from personae.simulation._schedule import RoundRobin, Scheduler
from personae.simulation._stops import Stop, TurnCap


@dataclass(frozen=True, slots=True)
class Scene:
    """What a conversation needs.

    Args:
        actors: who takes part, in speaking order; the first opens.
        mode: the projection every actor gets.
        retries: drafts tried again after an objection; the least bad draft is kept when none passes.
    """

    actors: tuple[Actor, ...]
    stop: Stop = field(default_factory=lambda: TurnCap(12))
    scheduler: Scheduler = field(default_factory=RoundRobin)
    guards: tuple[Guard, ...] = ()
    mode: Mode = "ecp"
    retries: int = 1

    def __post_init__(self) -> None:
        names = [a.name for a in self.actors]
        if len(set(names)) != len(names) or not names:
            raise InputError(f"a scene needs actors with different names, got {names!r}.", hint="Rename one of them.")
        if self.retries < 0:
            raise InputError(f"retries is {self.retries!r}, expected 0 or more.", hint="0 keeps the first draft.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the actors, in speaking order."""
        return tuple(a.name for a in self.actors)

    def actor(self, name: str) -> Actor:
        """The actor called `name`."""
        return next(a for a in self.actors if a.name == name)


@asynccontextmanager
async def sessions(actors: Sequence[Actor], unit: str) -> AsyncGenerator[None]:
    """Hold every model of a scene for one unit, each once, in one global order (so that scenes cannot deadlock)."""
    models = {id(a.model): a.model for a in actors if a.model is not None}
    async with AsyncExitStack() as stack:
        for model in sorted(models.values(), key=lambda m: (m.reference, id(m))):
            await stack.enter_async_context(model.session(unit))
        yield


async def simulate(
    scene: Scene,
    *,
    key: str,
    seed: int,
    start: Conversation | None = None,
    tags: Mapping[str, str] | None = None,
) -> Conversation:
    """Run a scene to its end, or continue `start`.

    Each line has its own seed, derived from (seed, line number, attempt), so two scenes that share a seed differ only
    by what their actors saw.

    Returns:
        The log, closed by one `end` event whose text is the reason.
    """
    log = start or Conversation(key=key, participants=scene.names)
    while True:
        reason = await scene.stop.reason(log, seed=derive_seed(seed, "stop", len(log.events))) if log.events else None
        speaker = None if reason else scene.scheduler.next(log)
        if speaker is None:
            return log.append("end", "", reason or "schedule_over")
        log = await step(scene, log, speaker, seed=seed, tags=tags)


async def step(
    scene: Scene, log: Conversation, speaker: str, *, seed: int, tags: Mapping[str, str] | None = None
) -> Conversation:
    """One line of one actor: draft, guard, retry with feedback, append the best draft."""
    actor = scene.actor(speaker)
    seen = project(log, speaker, scene.mode)
    private = [m.content for m in actor.context()] if scene.guards else []
    line = len(log.events)
    best_text, best_severity = "", float("inf")
    meta: dict[str, object] = {}
    feedback, attempt = "", 0
    for attempt in range(scene.retries + 1):
        said = await actor.act(
            _with_feedback(seen, feedback),
            seed=derive_seed(seed, "line", line, attempt),
            tags={**(tags or {}), "actor": speaker, "line": str(line), "attempt": str(attempt)},
        )
        objection = first_objection(scene.guards, log, speaker, said.text, private)
        severity = objection.severity if objection else 0.0
        if severity < best_severity:
            best_text, best_severity = said.text, severity
            meta = {"finish_reason": said.finish_reason, "call": said.call}
            if objection:
                meta["guard"] = objection.guard
        if objection is None:
            break
        feedback = objection.feedback
    return log.append("utterance", speaker, best_text, meta={**meta, "retries": attempt})


def _with_feedback(seen: tuple[Message, ...], feedback: str) -> tuple[Message, ...]:
    """The projection, with a stage direction at its end; the log never sees it."""
    if not feedback:
        return seen
    *before, last = seen
    if last.role == "user":
        return (*before, Message("user", f"{last.content}\n({feedback})"))
    return (*seen, Message("user", f"({feedback})"))
