"""Owners against one-shot drafts: the better side is found with its sign, equal sides are not told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from personae.core import derive_rng
from personae.creation import DraftLog, Issue, Owner, Slot, Task, Written, compose, one_shot_drafts
from personae.measures import composition_measurements, equal_token_measurements

OWNERS = tuple(Owner(name=n, keys={n: {"type": "string"}}, brief=n) for n in "abcd")


class Chance:
    """Writes each key well with a chance of its own; ten tokens a key."""

    name = "chance"

    def __init__(self, seed: int, alone: float, together: float) -> None:
        self.seed, self.alone, self.together = seed, alone, together

    async def write(self, task: Task) -> Written:
        rng = derive_rng(self.seed, task.slot.k, task.attempt, task.owner.name, task.round)
        chance = self.alone if len(task.owner.keys) == 1 else self.together
        values = {key: "good" if rng.random() < chance else "bad" for key in task.owner.keys}
        return Written(values, None, 1, 10 * len(values))


def guard(slot: Slot, draft: Mapping[str, Any]) -> list[Issue]:
    bad = [Issue(f"bad_{n}", n, (n,), "bad") for n in "abcd" if draft.get(n) == "bad"]
    return [*bad, *([Issue("plain", "a", ("a",), "plain", severity="warning")] if slot.k % 2 else [])]


def logs(writer: Chance, *, slots: int = 40, rounds: int = 2) -> tuple[DraftLog, DraftLog]:
    async def both() -> tuple[list[Any], list[Any]]:
        ours, theirs = [], []
        for k in range(slots):
            slot = Slot(k=k, fixed={})
            made = await compose(slot, OWNERS, writer, [guard], seed=1, rounds=rounds)
            ours += made.rows(f"student/{k}")
            drafts = await one_shot_drafts(slot, OWNERS, writer, [guard], seed=1, tokens=made.tokens, most=50)
            assert all(d.status == "failed" for d in drafts[:-1])
            assert sum(d.tokens for d in drafts[:-1]) < made.tokens  # every draft was begun with tokens left
            theirs += [row for d in drafts for row in d.rows(f"one_shot/{k}")]
        return ours, theirs

    ours, theirs = asyncio.run(both())
    rows = [*ours, *theirs]
    kinds = [tuple(r for r in rows if type(r).table == table) for table in ("slots", "issues", "drafts")]
    return DraftLog(*kinds).parted("one_shot/")


def test_an_advantage_of_revision_is_found() -> None:
    found = {m.name: m for m in equal_token_measurements(*logs(Chance(3, 0.7, 0.7)), model="m", seed=1)}
    gap = found["equal_tokens.hard_errors.pipeline_minus_one_shot"]
    assert gap.n == 40
    assert gap.interval.high < 0
    assert gap.p < 0.05
    assert gap.value == pytest.approx(
        found["equal_tokens.hard_errors.pipeline"].value - found["equal_tokens.hard_errors.one_shot"].value
    )
    assert found["equal_tokens.first_draft_errors.pipeline"].value > found["equal_tokens.hard_errors.pipeline"].value
    assert found["equal_tokens.per_record.pipeline"].value < found["equal_tokens.per_record.one_shot"].value
    assert found["equal_tokens.warnings.pipeline"].value == pytest.approx(0.5, abs=0.2)


def test_an_advantage_of_one_shot_is_shown_like_any_other() -> None:
    found = {m.name: m for m in equal_token_measurements(*logs(Chance(4, 0.4, 0.9)), model="m", seed=1)}
    assert found["equal_tokens.hard_errors.pipeline_minus_one_shot"].interval.low > 0


def test_equal_sides_are_seldom_told_apart() -> None:
    p = []
    for seed in range(12):  # without revision, four owners are as good as one
        (gap,) = (
            m
            for m in equal_token_measurements(*logs(Chance(100 + seed, 0.8, 0.8), rounds=0), model="m", seed=seed)
            if m.name.endswith("minus_one_shot")
        )
        p.append(gap.p)
    assert np.mean(np.array(p) < 0.05) < 0.2


def test_no_record_at_all_is_no_number_and_says_why() -> None:
    ours, theirs = logs(Chance(5, 0.0, 0.0), slots=4, rounds=1)
    found = {m.name: m for m in equal_token_measurements(ours, theirs, model="m", seed=1)}
    for arm in ("pipeline", "one_shot"):
        assert found[f"equal_tokens.hard_errors.{arm}"].value == 1
        assert found[f"equal_tokens.per_record.{arm}"].value is None
        assert found[f"equal_tokens.warnings.{arm}"].value is None
        assert found[f"equal_tokens.tokens.{arm}"].value == 80
    assert {m.name: m.n for m in composition_measurements(ours, model="m", seed=1)}["compose.filled"] == 4
    assert equal_token_measurements(DraftLog((), (), ()), theirs, model="m", seed=1) == []
