"""How a closed question is laid out for a model, and the order in which options are listed.

Everything shared stands first (the actor's system text, instructions, the list of options), the item last and short,
then the beginning of the answer; the options are what may follow. Texts of one actor are byte-identical up to the item,
so an engine computes what they share once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from personae.core import Actor, InputError, Instrument, Item, UnknownKeyError, derive_rng
from personae.models import Message, ScoreRequest

Order: TypeAlias = Literal["ascending", "descending"]
Rotation: TypeAlias = Literal["balanced", "full", "none"]
Baseline: TypeAlias = Literal["actor", "nobody"]

ROTATIONS: Final[tuple[Rotation, ...]] = ("balanced", "full", "none")
BASELINES: Final[tuple[Baseline, ...]] = ("actor", "nobody")
EMPTY_ITEM: Final = "..."
"""Stands where the item would be in a baseline: the context is the same, its content is nothing."""


@dataclass(frozen=True, slots=True)
class PlannedScore:
    """One request of an administration. `item` is None for a baseline."""

    item: Item | None
    order: Order
    request: ScoreRequest


def preamble(instrument: Instrument, order: Order = "ascending") -> str:
    """Instructions and the list of options in this order. `{options}` in the instructions says where the list goes."""
    listing = ", ".join(instrument.options[k].text for k in _listed(instrument, order))
    if "{options}" in instrument.instructions:
        return instrument.instructions.replace("{options}", listing).strip()
    return f"{instrument.instructions.strip()}\nPossible answers: {listing}."


def _listed(instrument: Instrument, order: Order) -> list[int]:
    """Indices of the options in the order in which the prompt lists them."""
    values = [o.value for o in instrument.options]
    return sorted(range(len(values)), key=values.__getitem__, reverse=order == "descending")


def question(instrument: Instrument, item: Item | None, order: Order = "ascending") -> str:
    """The user message for one item: preamble first, item last. Without an item, three dots stand in its place."""
    text = EMPTY_ITEM if item is None else item.text
    return f"{preamble(instrument, order)}\n\n{instrument.stem.replace('{item}', text)}"


def option_texts(instrument: Instrument) -> tuple[str, ...]:
    """What is scored after `answer_prefix`, in the order of `instrument.options`."""
    gap = " " if instrument.answer_prefix and not instrument.answer_prefix[-1].isspace() else ""
    return tuple(f"{gap}{o.text}" for o in instrument.options)


def choose_items(instrument: Instrument, items: Sequence[str] | None) -> tuple[Item, ...]:
    """The items with these ids, in the instrument's order; None = all.

    Raises:
        UnknownKeyError: an id the instrument does not have.
        InputError: no item is left.
    """
    if items is None:
        return instrument.items
    known = {i.id for i in instrument.items}
    for item in items:
        if item not in known:
            raise UnknownKeyError.of(item, known, where=f"items of {instrument.name!r}")
    if not items:
        raise InputError(f"items=[] leaves nothing of {instrument.name!r} to answer.", hint="Name at least one item.")
    return tuple(i for i in instrument.items if i.id in set(items))


def orders_of(
    instrument: Instrument, items: Sequence[Item], rotation: Rotation, seed: int
) -> dict[str, tuple[Order, ...]]:
    """Option orders under which each item is shown: item id -> orders.

    `balanced` shows half the items under each order. Within every scale and keying direction the halves differ by at
    most one item, and so do they overall. The split depends on the seed and the instrument alone, so all actors of a
    study (a person and their twin) meet the same form.
    """
    if rotation not in ROTATIONS:
        raise InputError(f"rotation={rotation!r}.", hint=f"Expected one of {', '.join(ROTATIONS)}.")
    if rotation == "full":
        return {i.id: ("ascending", "descending") for i in items}
    if rotation == "none":
        return {i.id: ("ascending",) for i in items}
    rng = derive_rng(seed, "rotation", instrument.name)
    cells: dict[tuple[str, int], list[str]] = {}
    for item in items:
        cells.setdefault((item.scale, item.key), []).append(item.id)
    out: dict[str, tuple[Order, ...]] = {}
    start = int(rng.integers(2))
    for ids in cells.values():
        for k, which in enumerate(rng.permutation(len(ids))):
            out[ids[int(which)]] = ("ascending",) if (start + k) % 2 == 0 else ("descending",)
        start += len(ids)  # an odd cell hands its surplus to the other order
    return out


def plan_scores(
    actor: Actor,
    instrument: Instrument,
    *,
    rotation: Rotation = "balanced",
    pmi: bool = True,
    baseline: Baseline = "actor",
    seed: int = 0,
    unit: str = "",
    items: Sequence[str] | None = None,
) -> tuple[PlannedScore, ...]:
    """The requests of one actor and one instrument, in canonical order: baselines, then items order by order.

    Nothing is asked yet: this is also what a preview counts.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline={baseline!r}.", hint=f"Expected one of {', '.join(BASELINES)}.")
    chosen = choose_items(instrument, items)
    shown = orders_of(instrument, chosen, rotation, seed)
    orders: list[Order] = [o for o in ("ascending", "descending") if any(o in shown[i.id] for i in chosen)]
    alone = baseline == "nobody"
    plan = (
        [PlannedScore(None, o, _request(actor, instrument, None, o, unit, alone=alone)) for o in orders] if pmi else []
    )
    for order in orders:
        asked = [i for i in chosen if order in shown[i.id]]
        plan += [PlannedScore(i, order, _request(actor, instrument, i, order, unit)) for i in asked]
    return tuple(plan)


def tags_of(actor: Actor, instrument: Instrument, item: Item | None, order: Order, unit: str) -> dict[str, str]:
    """Who asks what; for the call log and for fakes, never for a prompt. In a baseline nobody answers nothing: "".

    `shown` is the place of each option in the prompt, where that is not the order in which options are scored.
    """
    listed = _listed(instrument, order)
    straight = listed == list(range(len(listed)))
    shown = {} if straight else {"shown": ",".join(str(listed.index(k)) for k in range(len(listed)))}
    if item is None:
        who = dict.fromkeys(("persona", "actor", "item", "scale", "key"), "")
        return {"unit": unit, "condition": actor.condition, **who, **shown}
    tags = {
        "unit": unit,
        "persona": actor.persona.id if actor.persona is not None else "",
        "actor": actor.name,
        "condition": actor.condition,
        "item": item.id,
        "scale": item.scale,
        "key": str(item.key),
        **shown,
    }
    values = [o.value for o in instrument.options]
    if values != sorted(values):
        tags["values"] = ",".join(f"{v:g}" for v in values)
    return tags


def _request(
    actor: Actor, instrument: Instrument, item: Item | None, order: Order, unit: str, *, alone: bool = False
) -> ScoreRequest:
    """The request for an item; without one, the same options where the item is empty. `alone` leaves the actor out."""
    context = () if alone else actor.context()
    return ScoreRequest(
        messages=(*context, Message("user", question(instrument, item, order))),
        options=option_texts(instrument),
        prefill=instrument.answer_prefix,
        system_default=actor.system_default and not alone,
        condition=actor.condition_hash,
        tags=tags_of(actor, instrument, item, order, unit),
    )
