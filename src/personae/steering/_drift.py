"""The drift gauge: where each turn of a conversation stands on a direction. One forward pass, no generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from personae.core import InputError
from personae.models import GenerateRequest, Message, Model, Role, Site
from personae.steering._directions import Direction
from personae.steering._extract import stream


@dataclass(frozen=True, slots=True)
class DriftPoint:
    """One turn of one conversation.

    Attributes:
        conversation: index.
        turn: 0-based, among the messages of its role.
        message: index of the message in the conversation.
        projection: mean over its tokens of the projection on the unit direction, in units of the activations.
        tokens: of the message.
        below: whether it lies under the threshold; None without one.
    """

    conversation: int
    turn: int
    message: int
    projection: float
    tokens: int
    below: bool | None = None


async def drift(
    model: Model,
    conversations: Sequence[Sequence[Message]],
    direction: Direction,
    *,
    block: int | None = None,
    role: Role = "assistant",
    threshold: float | None = None,
) -> tuple[DriftPoint, ...]:
    """Project every turn of conversations on a direction.

    A causal network reads each turn after what was said before, so one pass over the whole conversation gives all
    turns. The tokens of the messages' texts count; control text does not.

    Args:
        model: one that can be looked into; it need not be the one that spoke, but then say so.
        conversations: messages in order.
        direction: positive is what one drifts away from (the Assistant axis).
        block: where; None = the block in the middle of those the direction has.
        role: whose turns.
        threshold: a projection (see `percentile_thresholds`).

    Returns:
        Points by conversation and turn; a conversation without such turns has none.

    Raises:
        CapabilityError: the model cannot be looked into.
        InputError: no conversation, an empty one, or one longer than the context (ModelError).
    """
    at = direction.blocks[len(direction.blocks) // 2] if block is None else block
    direction.at(at)
    if not conversations or any(not c for c in conversations):
        raise InputError("no conversation, or one without messages.", hint="Give transcripts as lists of messages.")
    kept = [k for k, c in enumerate(conversations) if any(m.role == role and m.content.strip() for m in c)]
    requests = [GenerateRequest(tuple(conversations[k])) for k in kept]
    turns: dict[int, int] = {}
    out: list[DriftPoint] = []
    site = Site(at, direction.part)
    async for found in stream(model, requests, [site], tokens=role, per_turn=True):
        conversation = kept[found.request]
        turn = turns.get(conversation, 0)
        turns[conversation] = turn + 1
        projection = float(direction.project(found.values[0], at))
        below = None if threshold is None else projection < threshold
        out.append(DriftPoint(conversation, turn, found.message or 0, projection, found.tokens, below))
    return tuple(out)
