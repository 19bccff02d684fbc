"""Conversation records as chats, ShareGPT turns and training pairs, each from one speaker's perspective."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from personae.core import SchemaError
from personae.formats._records import (
    ChatMessage,
    ChatMetadata,
    ChatRecord,
    ChatRole,
    ConversationRecord,
    RecordTurn,
    ShareRecord,
    ShareRole,
    ShareTurn,
    Speaker,
    TrainingRecord,
)

SPEAKERS: Final[tuple[Speaker, ...]] = ("client", "tested")
_SHARE: Final[dict[ChatRole, ShareRole]] = {"system": "system", "user": "human", "assistant": "gpt"}


def to_chat(record: ConversationRecord, perspective: Speaker) -> ChatRecord:
    """The conversation as `perspective` saw it. The client's system message is the person's description."""
    messages = [ChatMessage(role=_role(t, perspective), content=t.text, name=t.name) for t in record.turns]
    return ChatRecord(
        conversation_id=record.conversation_id,
        persona_id=record.persona_id,
        perspective=perspective,
        messages=(*_system(record, perspective), *messages),
        metadata=ChatMetadata(
            persona_fields=record.persona_fields,
            persona_description=record.persona_description,
            termination_reason=record.termination_reason,
            speakers=tuple(t.speaker for t in record.turns),
            condition=record.condition,
            seed=record.seed,
            audit=record.audit,
        ),
        synthetic=record.synthetic,
    )


def from_chat(chat: ChatRecord) -> ConversationRecord:
    """The conversation a chat was made from: the inverse of `to_chat`.

    Raises:
        SchemaError: the messages and the listed speakers do not fit together.
    """
    spoken = [m for m in chat.messages if m.role != "system"]
    speakers = chat.metadata.speakers
    fits = len(spoken) == len(speakers) and all(
        (m.role == "assistant") == (speaker == chat.perspective) for m, speaker in zip(spoken, speakers, strict=False)
    )
    if not fits:
        raise SchemaError(
            f"chat {chat.conversation_id!r}: {len(spoken)} messages do not fit the {len(speakers)} speakers listed.",
            hint="`metadata.speakers` names the speaker of every message after the system message.",
        )
    return ConversationRecord(
        persona_id=chat.persona_id,
        conversation_id=chat.conversation_id,
        persona_fields=chat.metadata.persona_fields,
        persona_description=chat.metadata.persona_description,
        turns=tuple(
            RecordTurn(speaker=speaker, turn_index=k, text=m.content, name=m.name)
            for k, (m, speaker) in enumerate(zip(spoken, speakers, strict=True))
        ),
        termination_reason=chat.metadata.termination_reason,
        synthetic=chat.synthetic,
        condition=chat.metadata.condition,
        seed=chat.metadata.seed,
        audit=chat.metadata.audit,
    )


def to_sharegpt(record: ConversationRecord, perspective: Speaker) -> ShareRecord:
    """The same perspective with the words of the ShareGPT shape."""
    messages = (
        *_system(record, perspective),
        *(ChatMessage(role=_role(t, perspective), content=t.text) for t in record.turns),
    )
    return ShareRecord(
        id=f"{record.conversation_id}/{perspective}",
        persona_id=record.persona_id,
        perspective=perspective,
        conversations=tuple(ShareTurn.of(_SHARE[m.role], m.content) for m in messages),
        synthetic=record.synthetic,
    )


def training_records(record: ConversationRecord, speaker: Speaker) -> Iterator[TrainingRecord]:
    """One record per utterance of `speaker`: everything before it as prompt, the utterance as completion.

    Neighbouring turns of one role are merged, because chat templates expect roles to alternate. An opening line has
    the system message alone as its prompt; without one it is left out, since there is nothing to answer.
    """
    history: list[ChatMessage] = list(_system(record, speaker))
    for turn in record.turns:
        message = ChatMessage(role=_role(turn, speaker), content=turn.text)
        if message.role == "assistant" and history:
            yield TrainingRecord(
                prompt=tuple(history),
                completion=(message,),
                persona_id=record.persona_id,
                conversation_id=record.conversation_id,
                turn_index=turn.turn_index,
                synthetic=record.synthetic,
            )
        if history and history[-1].role == message.role:
            merged = f"{history[-1].content}\n\n{message.content}"
            history[-1] = ChatMessage(role=message.role, content=merged)
        else:
            history.append(message)


def _system(record: ConversationRecord, perspective: Speaker) -> tuple[ChatMessage, ...]:
    if perspective != "client" or not record.persona_description:
        return ()
    return (ChatMessage(role="system", content=record.persona_description),)


def _role(turn: RecordTurn, perspective: Speaker) -> Literal["assistant", "user"]:
    return "assistant" if turn.speaker == perspective else "user"
