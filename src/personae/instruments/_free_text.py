"""Administration by free text, for models that cannot score options. Every reply that cannot be read is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from personae.core import (
    Actor,
    CapabilityError,
    Instrument,
    Item,
    ResponseRow,
    ResponseStatus,
    canonical_json,
    derive_seed,
)
from personae.instruments._administer import unit_key
from personae.instruments._layout import Order, Rotation, choose_items, orders_of, question, tags_of
from personae.instruments._replies import ParsedReply, parse_reply
from personae.instruments._scoring import response_row
from personae.models import Capability, GenerateRequest, Generation, Message, Model, Sampling

MAX_TOKENS: Final = 32
"""Enough for an answer and a short reason; a longer preamble is a failure to answer."""


async def administer_free_text(
    actor: Actor,
    instrument: Instrument,
    *,
    rotation: Rotation = "balanced",
    seed: int = 0,
    unit: str | None = None,
    items: Sequence[str] | None = None,
    sampling: Sampling | None = None,
) -> list[ResponseRow]:
    """Ask an actor every item, each in a chat of its own, and read the reply.

    Args:
        actor: who answers; needs a model that can generate.
        instrument: what is asked.
        rotation: order in which the options are listed; `full` asks every item twice and averages the values when both
            replies can be read.
        seed: decides the balanced split and the seed of each reply.
        unit: key of the unit of work; by default made from actor, condition and instrument.
        items: ids of the items to ask; None = all.
        sampling: how to draw; by default greedy, at most 32 tokens.

    Returns:
        One row per item, in the instrument's order; `text` holds the reply. Status: `ok`, `refused`, `unparsed`; or
        `zero_variance` on the `ok` rows when at least ten were read and all have one value.

    Raises:
        CapabilityError: no model, or one that cannot generate.
        ModelError: a call failed; nothing is retried here.
    """
    model = _generating_model(actor)
    unit = unit or unit_key(actor, instrument)
    drawn = sampling or Sampling(temperature=0.0, max_tokens=MAX_TOKENS)
    chosen = choose_items(instrument, items)
    shown = orders_of(instrument, chosen, rotation, seed)
    rows: list[ResponseRow] = []
    async with model.session(unit):
        for item in chosen:  # one after the other: the order of calls is part of the canonical shape
            replies: list[tuple[Order, Generation, ParsedReply]] = []
            for order in shown[item.id]:
                answer = await model.generate(_request(actor, instrument, item, order, unit, seed, drawn))
                replies.append((order, answer, _read(answer, instrument, item)))
            rows.append(_row(actor, instrument, item, replies, unit=unit, seed=seed))
    return _with_variance(rows)


def _generating_model(actor: Actor) -> Model:
    if actor.model is None:
        raise CapabilityError(f"{actor.name!r} has no model that could be asked.", hint="Pass an actor on a model.")
    if Capability.GENERATE not in actor.model.capabilities:
        offered = ", ".join(sorted(actor.model.capabilities)) or "nothing"
        raise CapabilityError(
            f"{actor.model.reference!r} cannot generate; it offers: {offered}.", hint="Use administer."
        )
    return actor.model


def _request(
    actor: Actor, instrument: Instrument, item: Item, order: Order, unit: str, seed: int, sampling: Sampling
) -> GenerateRequest:
    # Scoring hands the options over; a generated answer has them in its prompt alone, which fakes do not read.
    options = canonical_json([o.text for o in instrument.options])
    return GenerateRequest(
        messages=(*actor.context(), Message("user", question(instrument, item, order))),
        sampling=sampling,
        seed=derive_seed(seed, "free_text", instrument.name, item.id, order),
        prefill=instrument.answer_prefix,
        system_default=actor.system_default,
        condition=actor.condition_hash,
        tags={**tags_of(actor, instrument, item, order, unit), "options": options},
    )


def _read(answer: Generation, instrument: Instrument, item: Item) -> ParsedReply:
    if answer.finish_reason == "refused":
        return ParsedReply("refused", None, None, "the endpoint refused")
    if answer.finish_reason in {"empty", "malformed"}:
        return ParsedReply("unparsed", None, None, f"finish reason {answer.finish_reason!r}")
    return parse_reply(answer.text, instrument.options, item=item.text, prefix=instrument.answer_prefix)


def _row(
    actor: Actor,
    instrument: Instrument,
    item: Item,
    replies: Sequence[tuple[Order, Generation, ParsedReply]],
    *,
    unit: str,
    seed: int,
) -> ResponseRow:
    values = [p.value for _, _, p in replies if p.value is not None]
    # One unread reply makes the average of two orders one-sided: it takes the row with it.
    unread: list[ResponseStatus] = [p.status for _, _, p in replies if p.status != "ok"]
    status: ResponseStatus = unread[0] if unread else "ok"
    value = sum(values) / len(values) if status == "ok" else None
    return response_row(
        actor,
        instrument,
        item,
        value,
        unit=unit,
        seed=seed,
        orders=[order for order, _, _ in replies],
        method="free_text",
        status=status,
        call=replies[0][1].call,
        text="\n---\n".join(g.text for _, g, _ in replies),
    )


def _with_variance(rows: list[ResponseRow], least: int = 10) -> list[ResponseRow]:
    """Stated values are whole: a few equal ones are no news, ten equal ones are."""
    read = [r.value for r in rows if r.status == "ok"]
    if len(read) < least or len(set(read)) > 1:
        return rows
    return [r.model_copy(update={"status": "zero_variance"}) if r.status == "ok" else r for r in rows]
