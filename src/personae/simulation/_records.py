"""Evidence rows of a conversation."""

from __future__ import annotations

from collections.abc import Mapping

from personae.core import Conversation, ConversationRow, TurnRow, sha256_hex
from personae.simulation._projection import Mode


def conversation_rows(
    log: Conversation, *, unit: str, persona_id: str, mode: Mode, seed: int, roles: Mapping[str, str]
) -> list[ConversationRow | TurnRow]:
    """One ConversationRow and a TurnRow per utterance. `roles` names each speaker's part (client, responder …)."""
    end = next((e.text for e in reversed(log.events) if e.kind == "end"), "open")
    head = ConversationRow(
        unit=unit,
        conversation=log.key,
        digest=content_digest(log),
        participants=log.participants,
        persona_id=persona_id,
        condition=mode,
        seed=seed,
        utterances=len(log.utterances),
        end_reason=end,
        parent=log.parent,
    )
    turns = [
        TurnRow(
            unit=unit,
            conversation=log.key,
            persona_id=persona_id,
            condition=mode,
            index=e.index,
            kind=e.kind,
            speaker=e.speaker,
            role=roles.get(e.speaker, "speaker"),
            text=e.text,
            finish_reason=e.meta.get("finish_reason"),
            retries=int(e.meta.get("retries", 0)),
            guard=e.meta.get("guard"),
            call=e.meta.get("call"),
        )
        for e in log.utterances
    ]
    return [head, *turns]


def content_digest(log: Conversation) -> str:
    """Digest of what happened, leaving out bookkeeping that may differ between runs (call keys)."""
    told = log.model_dump(mode="json")
    for event in told["events"]:
        event["meta"].pop("call", None)
    return sha256_hex(told)
