"""Evidence rows of a conversation."""

from __future__ import annotations

from collections.abc import Mapping

from personae.core import Conversation, ConversationRow, TurnRow, sha256_hex


def conversation_rows(
    log: Conversation, *, unit: str, persona_id: str, condition: str, seed: int, roles: Mapping[str, str]
) -> list[ConversationRow | TurnRow]:
    """One ConversationRow and a TurnRow per utterance. `roles` names each speaker's part (client, responder …).

    `condition` is the projection, or a label that says more.
    """
    end = next((e.text for e in reversed(log.events) if e.kind == "end"), "open")
    head = ConversationRow(
        unit=unit,
        conversation=log.key,
        digest=content_digest(log),
        participants=log.participants,
        persona_id=persona_id,
        condition=condition,
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
            condition=condition,
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
