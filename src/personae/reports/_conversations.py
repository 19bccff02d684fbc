"""The section that shows conversations: drawn by seed, paired conditions side by side."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from personae.core import ConversationRow, TurnRow, derive_seed
from personae.reports._blocks import Block, ConversationView, Notice, Section, SideBySide, Turn
from personae.reports._people import PromptOf

_SPOKEN: Final = frozenset({"utterance", "action"})


def conversations_section(
    conversation_rows: Iterable[ConversationRow],
    turn_rows: Iterable[TurnRow],
    seed: int,
    n: int = 3,
    *,
    prompts: PromptOf | None = None,
) -> Section:
    """`n` conversations drawn by `seed`; those of one person and one seed under several conditions stand side by side.

    Forks (probes) are not shown. Both inputs are read once; only the turns of what is shown are kept.
    """
    groups: defaultdict[tuple[str, int], list[ConversationRow]] = defaultdict(list)
    for row in conversation_rows:
        if row.parent is None:
            groups[row.persona_id, row.seed].append(row)
    keys = heapq.nsmallest(n, groups, key=lambda key: (derive_seed(seed, "report", "conversation", *key), key))
    wanted = {row.conversation: row for key in keys for row in groups[key]}
    turns: defaultdict[str, list[TurnRow]] = defaultdict(list)
    for turn in turn_rows:
        if turn.conversation in wanted:
            turns[turn.conversation].append(turn)
    blocks: list[Block] = []
    for key in keys:
        rows = sorted(groups[key], key=lambda r: (r.condition, r.conversation))
        views = [_view(row, sorted(turns[row.conversation], key=lambda t: t.index), prompts) for row in rows]
        blocks.append(SideBySide(f"{_names(rows[0])} (seed {key[1]})", views) if len(views) > 1 else views[0])
    if not blocks:
        return Section("conversations", "Conversations", [Notice("limit", "This run holds no conversations.")])
    total = sum(len(rows) for rows in groups.values())
    lead = f"{len(wanted):,} of {total:,} conversations, drawn with seed {seed}; nobody chose them."
    if any(len(groups[key]) > 1 for key in keys):
        lead += " Conversations of the same person and seed stand side by side, one per condition."
    return Section("conversations", "Conversations", blocks, lead)


def _names(row: ConversationRow) -> str:
    return " and ".join(row.participants)


def _view(row: ConversationRow, turns: Sequence[TurnRow], prompts: PromptOf | None) -> ConversationView:
    first = row.participants[0] if row.participants else ""
    shown = [
        Turn(
            speaker=turn.speaker,
            role=turn.role if turn.kind in _SPOKEN else turn.kind,
            text=turn.text,
            side="note" if turn.kind not in _SPOKEN else "left" if turn.speaker == first else "right",
            note=_remark(turn),
            prompt=prompts(turn.call) if prompts and turn.call else None,
        )
        for turn in turns
    ]
    notes = (f"{row.utterances} utterances", f"ended by: {row.end_reason}", f"id {row.conversation}")
    return ConversationView(row.condition or _names(row), shown, notes)


def _remark(turn: TurnRow) -> str:
    said = [f"{turn.retries} retries" if turn.retries > 1 else "1 retry"] if turn.retries else []
    if turn.guard:
        said.append(f"guard: {turn.guard}")
    if turn.finish_reason == "length":
        said.append("cut at the token limit")
    return ", ".join(said)
