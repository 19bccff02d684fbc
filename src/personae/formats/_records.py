"""Records as they stand in exported files, one JSON object a line. They read back to the same values."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, JsonValue

from personae.core import Frozen

RECORD_VERSION: Final = 1
Speaker = Literal["client", "tested"]
"""who speaks: the person with the need, or the system that is put to the test"""
ChatRole = Literal["system", "user", "assistant"]
ShareRole = Literal["system", "human", "gpt"]


class RecordTurn(Frozen):
    """One utterance."""

    speaker: Speaker
    turn_index: int = Field(ge=0)
    text: str
    name: str | None = None
    """what the speaker is called in the scene"""


class ConversationRecord(Frozen):
    """One conversation with the person it is about."""

    schema_version: Literal[1] = RECORD_VERSION
    persona_id: str
    conversation_id: str
    persona_fields: dict[str, JsonValue]
    """dotted path to plain value, every leaf of the person that is set"""
    persona_description: str
    turns: tuple[RecordTurn, ...]
    termination_reason: str
    synthetic: bool = True
    condition: str | None = None
    """how speakers saw the history"""
    seed: int | None = None
    audit: tuple[str, ...] | None = None
    """what scanners found, `()` when nothing; None when nobody looked"""


class ChatMessage(Frozen):
    """One chat message."""

    role: ChatRole
    content: str
    name: str | None = None


class ChatMetadata(Frozen):
    """What a list of messages cannot say by itself."""

    persona_fields: dict[str, JsonValue]
    persona_description: str
    termination_reason: str
    speakers: tuple[Speaker, ...]
    """the speaker of each message after the system message"""
    condition: str | None = None
    seed: int | None = None
    audit: tuple[str, ...] | None = None
    """what scanners found, `()` when nothing; None when nobody looked"""


class ChatRecord(Frozen):
    """One conversation as one speaker saw it: own words are `assistant`, everybody else's `user`."""

    schema_version: Literal[1] = RECORD_VERSION
    conversation_id: str
    persona_id: str
    perspective: Speaker
    messages: tuple[ChatMessage, ...]
    metadata: ChatMetadata
    synthetic: bool = True


class ShareTurn(Frozen):
    """One turn in the ShareGPT shape."""

    from_: ShareRole = Field(alias="from")
    value: str

    model_config = Frozen.model_config | {"serialize_by_alias": True}

    @classmethod
    def of(cls, role: ShareRole, value: str) -> ShareTurn:
        """A turn; `from` itself is a word of the language and cannot be an argument."""
        return cls.model_validate({"from": role, "value": value})


class ShareRecord(Frozen):
    """One conversation from one perspective in the ShareGPT shape."""

    id: str
    persona_id: str
    perspective: Speaker
    conversations: tuple[ShareTurn, ...]
    synthetic: bool = True


class TrainingRecord(Frozen):
    """One answer to learn: what had been said before, and what the chosen speaker said next."""

    prompt: tuple[ChatMessage, ...]
    completion: tuple[ChatMessage, ...]
    persona_id: str
    conversation_id: str
    turn_index: int
    synthetic: bool = True


class PersonRecord(Frozen):
    """One person. `persona` reads back with `Persona.parse`; `persona_id` is the id in the run.

    The two ids differ when redaction changed the text.
    """

    schema_version: Literal[1] = RECORD_VERSION
    persona_id: str
    role: str
    k: int
    twin_of: str | None = None
    persona: dict[str, JsonValue]
    synthetic: bool = True
