"""Automatic audit of finished conversations: what a careful reader would look for first, found by rule.

One JudgementRow per finding and one `clean` row per conversation without any. Nothing here is a human verdict.

Source: SPASM, post-hoc QA (schema, coverage, alternation, empty turns, exact duplicates, AI identity, prompt leakage,
contact strings, role audit; flagged records are drawn again until clean).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from personae.core import (
    AUDIT,
    CLEAN,
    ConversationRow,
    JudgementRow,
    Persona,
    ProbeRow,
    TurnRow,
    derive_seed,
    sha256_hex,
)
from personae.models import Model
from personae.simulation._dialogue import Dialogue, converse
from personae.simulation._projection import Mode
from personae.text import ai_identity_leak, control_tokens, find_contacts, is_degenerate, prompt_leak, refusal

AGREEMENT = "rule; not validated by people"


def audit_rows(
    conversations: Sequence[ConversationRow],
    turns: Sequence[TurnRow],
    people: Mapping[str, Persona],
    *,
    rules: Sequence[str],
    unit: str,
) -> list[JudgementRow]:
    """Findings of every scanner.

    Args:
        conversations: heads; forks are left out.
        turns: what was said in them.
        people: persona id → person; their rendered text must not be recited.
        rules: system texts both sides were given.
        unit: key of the unit that does the audit.
    """
    said: dict[str, list[TurnRow]] = defaultdict(list)
    for turn in turns:
        said[turn.conversation].append(turn)
    seen: dict[str, str] = {}
    rows: list[JudgementRow] = []
    for head in sorted((c for c in conversations if c.parent is None), key=lambda c: c.conversation):
        spoken = sorted(said[head.conversation], key=lambda t: t.index)
        person = people.get(head.persona_id)
        private = (*rules, *((person.render(),) if person else ()))
        found = [*_of_turns(spoken, private), *_of_whole(head, spoken, seen)]
        for verdict, subject in found or [(CLEAN, "conversation")]:
            rows.append(
                JudgementRow(
                    unit=unit,
                    conversation=head.conversation,
                    persona_id=head.persona_id,
                    condition=head.condition,
                    judge=AUDIT,
                    subject=subject,
                    verdict=verdict,
                    agreement=AGREEMENT,
                )
            )
    return rows


def _of_turns(spoken: Sequence[TurnRow], private: Sequence[str]) -> Iterator[tuple[str, str]]:
    for turn in spoken:
        subject = str(turn.index)
        if not turn.text.strip():
            yield "empty_turn", subject
        elif is_degenerate(turn.text):
            yield "degenerate", subject
        declined = refusal(turn.text)
        if turn.finish_reason == "refused" or (declined and not declined.personal):
            yield "refusal", subject
        if ai_identity_leak(turn.text):
            yield "ai_identity", subject
        if prompt_leak(turn.text, private):
            yield "prompt_leak", subject
        if control_tokens(turn.text):
            yield "control_tokens", subject
        for contact in find_contacts(turn.text):
            yield f"contact_{contact.kind.lower()}", subject


def _of_whole(head: ConversationRow, spoken: Sequence[TurnRow], seen: dict[str, str]) -> Iterator[tuple[str, str]]:
    if any(a.speaker == b.speaker for a, b in itertools.pairwise(spoken)):
        yield "no_alternation", "conversation"
    if not spoken:
        yield "no_turns", "conversation"
        return
    digest = sha256_hex([head.condition, *(t.text for t in spoken)])
    if digest in seen:
        yield f"duplicate_of_{seen[digest]}", "conversation"
    seen.setdefault(digest, head.conversation)


async def converse_until_clean(
    dialogue: Dialogue,
    persona: Persona,
    model: Model,
    *,
    tries: int,
    rules: Sequence[str],
    mode: Mode,
    unit: str,
    seed: int,
    pool: list[Persona],
    label: str,
) -> list[ConversationRow | TurnRow | ProbeRow | JudgementRow]:
    """Hold the conversation anew, each time with another seed, until an audit finds nothing or `tries` are used up.

    For data sets: what was flagged stays in evidence as it was, and every new try with its audit stands beside it.

    Args:
        dialogue: settings of both sides.
        persona: the client.
        model: what both sides run on.
        tries: most conversations held.
        rules: see `audit_rows`.
        mode: the projection.
        unit: key of the unit; a try is called `UNIT/attempt`.
        seed: root of the seeds of the tries.
        pool: see `converse`.
        label: condition of the tries in the rows.
    """
    rows: list[ConversationRow | TurnRow | ProbeRow | JudgementRow] = []
    for attempt in range(tries):
        again = derive_seed(seed, "again", attempt)
        key = f"{unit}/{attempt}"
        held = await converse(
            dialogue, persona, model, mode=mode, unit=unit, seed=again, pool=pool, label=label, key=key
        )
        heads = [r for r in held if isinstance(r, ConversationRow)]
        turns = [r for r in held if isinstance(r, TurnRow)]
        audit = audit_rows(heads, turns, {persona.id: persona}, rules=rules, unit=unit)
        rows += [*held, *audit]
        if all(j.verdict == CLEAN for j in audit):
            break
    return rows
