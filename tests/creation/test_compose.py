"""Propose, validate, revise: owners touch their own keys, the log is complete, guards always run, failures are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from personae.core import DraftRow, InputError, IssueRow, SlotRow
from personae.creation import (
    REVIEW,
    GrammarWriter,
    Issue,
    ModelWriter,
    Owner,
    Slot,
    StudentSource,
    Task,
    Written,
    compose,
    load_pack,
    pack_guard,
    pack_owners,
    read_levels,
    student_schemas,
)
from personae.models import ScriptedModel

WORD = {"type": "string"}
OWNERS = (
    Owner(name="a", keys={"x": WORD}, brief="write x"),
    Owner(name="b", keys={"y": WORD, "z": WORD}, brief="write y and z"),
)
SLOT = Slot(k=5, fixed={"grade": 3})


class Script:
    """Replies by owner and round; remembers what it was shown."""

    name = "script"

    def __init__(self, replies: Mapping[tuple[str, int], Mapping[str, Any] | None]) -> None:
        self.replies, self.tasks = replies, list[Task]()

    async def write(self, task: Task) -> Written:
        self.tasks.append(task)
        value = self.replies.get((task.owner.name, task.round), {})
        return Written(value, "prose" if value is None else None, 1, 10)


def guard(slot: Slot, draft: Mapping[str, Any]) -> list[Issue]:
    assert slot.k == 5
    return [Issue("bad_y", "b", ("y",), "y is bad", "make it good")] if draft.get("y") == "bad" else []


def go(script: Script, **more: Any):
    return asyncio.run(compose(SLOT, OWNERS, script, [guard], seed=1, **more))


def test_only_the_owner_named_revises_and_only_its_own_keys_change() -> None:
    script = Script({
        ("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z0"},
        ("b", 1): {"y": "good", "z": "z1", "x": "stolen", "q": "new"},
    })  # fmt: skip
    made = go(script)
    assert made.status == "accepted"
    assert made.draft == {"x": "one", "y": "good", "z": "z1"}
    assert [(t.owner.name, t.round) for t in script.tasks] == [("a", 0), ("b", 0), ("b", 1)]
    assert made.rounds[1].turns[0].refused == ("q", "x")
    assert made.rounds[1].turns[0].changed == ("y", "z")


def test_an_owner_sees_slot_and_draft_and_its_own_issues_and_nothing_else() -> None:
    script = Script({("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z0"}, ("b", 1): {"y": "good"}})
    go(script)
    view = script.tasks[-1].view()
    assert '{"grade":3}' in view
    assert '"x":"one"' in view
    assert "bad_y" in view
    assert script.tasks[1].draft == {"x": "one"}
    assert "write x" not in view


def test_the_log_holds_every_issue_of_every_round_and_failures_keep_their_draft() -> None:
    script = Script(
        {("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z"}, **{("b", r): {"y": "bad"} for r in (1, 2)}}
    )
    made = go(script, rounds=2, attempt=3)
    assert made.status == "failed"
    assert [[i.code for i in r.issues] for r in made.rounds] == [["bad_y"]] * 3
    rows = made.rows("u")
    (slot,) = (r for r in rows if isinstance(r, SlotRow))
    assert (slot.accepted, slot.rule, slot.attempt) == (False, "bad_y", 3)
    assert json.loads(slot.fields) == {"x": "one", "y": "bad", "z": "z"}
    assert [r.round for r in rows if isinstance(r, IssueRow)] == [0, 1, 2]
    assert sum(r.tokens for r in rows if isinstance(r, DraftRow)) == made.tokens == 40


def test_prose_for_ever_is_a_counted_failure() -> None:
    model = ScriptedModel(lambda request: "Once upon a time there was a pupil.")
    made = asyncio.run(compose(SLOT, OWNERS, ModelWriter(model, repairs=1), [guard], seed=1, rounds=1))
    assert made.status == "failed"
    assert {i.code for r in made.rounds for i in r.issues} == {"unparsed", "missing"}
    assert made.calls == 2 * 2 * 2  # two owners, two rounds, one repair each
    assert made.draft == {}


def test_a_reviewer_adds_and_never_removes() -> None:
    class Rosy:
        async def review(self, slot, draft, *, deep, seed):
            return [Issue("dull", "a", ("x",), "x is dull", source="review")], Written({}, None, 1, 5)

    script = Script({("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z"}})
    made = go(script, rounds=1, reviewer=Rosy())
    assert {i.code for i in made.rounds[0].issues} == {"bad_y", "dull"}
    assert made.status == "failed"  # the guard's own error stays
    kind = go(Script({("a", 0): {"x": "one"}, ("b", 0): {"y": "ok", "z": "z"}}), rounds=1, reviewer=Rosy())
    assert kind.status == "accepted"
    assert (kind.review_calls, kind.review_tokens) == (2, 10)
    turns = [r for r in kind.rows("u") if isinstance(r, DraftRow)]
    assert (turns[-1].owner, turns[-1].calls, turns[-1].tokens) == (REVIEW, 2, 10)
    assert sum(t.tokens for t in turns) == kind.tokens


def test_one_shot_and_no_validator() -> None:
    both = {("everything", 0): {"x": "one", "y": "bad", "z": "z"}}
    once = go(Script(both), one_shot=True)
    assert (once.status, len(once.rounds), once.rounds[0].errors) == ("failed", 1, 1)
    blind = go(Script({("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z"}}), validate=False)
    assert (blind.status, len(blind.rounds)) == ("accepted", 1)
    assert blind.rounds[0].errors == 1  # guards ran all the same


def test_seeds_differ_by_attempt_owner_and_round() -> None:
    seeds = set()
    for attempt in (0, 1):
        script = Script({("a", 0): {"x": "one"}, ("b", 0): {"y": "bad", "z": "z"}, ("b", 1): {"y": "bad"}})
        go(script, rounds=1, attempt=attempt)
        seeds |= {t.seed for t in script.tasks}
    assert len(seeds) == 6


def test_owners_that_share_a_key_are_refused() -> None:
    with pytest.raises(InputError, match="belongs to"):
        asyncio.run(compose(SLOT, (*OWNERS, Owner(name="c", keys={"x": WORD}, brief="")), Script({}), [], seed=1))


def test_the_grammar_writes_what_the_bulk_path_writes() -> None:
    source, pack = StudentSource(40, 9), load_pack("student")
    schemas = student_schemas() | {f: {"enum": list(pack.vocab["level"].words)} for f in source.levels}
    names = tuple(name for name, fields in pack.owners.items() if any(f in schemas for f in fields))
    owners = pack_owners(
        pack, schemas, dict.fromkeys(names, "."), temperatures=dict.fromkeys(names, 1.0),
        max_tokens=dict.fromkeys(names, 9),
    )  # fmt: skip
    fixed = {n: c.texts()[0] for n, c in source.slot_codes(np.array([17])).items()}
    rules = pack_guard(pack, read_levels, targets={"academic_level": "target_level", "sex": "target_sex"})
    made = asyncio.run(compose(Slot(k=17, fixed=fixed), owners, GrammarWriter(source), [rules], seed=9))
    assert (made.status, made.calls) == ("accepted", 0)
    assert made.draft["values"] == source.columns(np.array([17]))["values"][0]


def test_levels_are_read_from_the_paragraphs() -> None:
    read = read_levels({"values": "Moral cultivation is upper-middle: he helps."})
    assert read["value_moral"] == "upper-middle"
    assert read["value_law"] is None
