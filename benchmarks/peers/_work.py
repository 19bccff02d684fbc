"""The work that everybody gets: people of our creation room, items of our bank, pairs who talk."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from personae.creation import Population
from personae.instruments import load_instrument
from personae.simulation import OPENING

INSTRUMENT = "ipip50"
SEED = 7


def make_work(*, people: int, items: int, dialogues: int, turns: int, slots: int, cap: float) -> dict[str, Any]:
    """The work as plain data."""
    instrument = load_instrument(INSTRUMENT)
    crowd = Population("us_adults", n=max(people, 2), seed=SEED)
    pairs = list(combinations(range(len(crowd)), 2))
    pairs.sort(key=lambda pair: (pair[1] - pair[0], pair))  # neighbours first, so that many people get to talk
    return {
        "people": [{"name": p.name, "text": p.render("self", "second_person")} for p in crowd],
        "asked": people,
        "instrument": INSTRUMENT,
        "instructions": instrument.instructions.strip(),
        "options": [o.text for o in sorted(instrument.options, key=lambda o: o.value)],
        "items": [{"id": i.id, "text": i.text} for i in instrument.items[:items]],
        "dialogues": [pairs[k % len(pairs)] for k in range(dialogues)],
        "turns": turns,
        "rules": "You are talking with {partner}. Say your next line only, in one or two short sentences.",
        "opening": OPENING,
        "answer_tokens": 32,
        "line_tokens": 60,
        "temperature": 0.7,
        "seed": SEED,
        "slots": slots,
        "cap": cap,
    }
