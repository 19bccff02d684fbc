"""What goes out and comes back in: JSONL, chat, ShareGPT, SFT, CSV, Parquet, with a dataset card and checksums."""

from personae.formats._card import CardCounts, CardFacts
from personae.formats._chat import from_chat, to_chat, to_sharegpt, training_records
from personae.formats._conversations import ConversationRows, record_rows
from personae.formats._export import DEFAULT_FORMATS, FORMATS, Evidence, Export, Format, RunLike, export_run
from personae.formats._files import ExportedFile
from personae.formats._lines import read_chat, read_conversations, read_people
from personae.formats._privacy import Redactor
from personae.formats._records import (
    ChatMessage,
    ChatMetadata,
    ChatRecord,
    ConversationRecord,
    PersonRecord,
    RecordTurn,
    ShareRecord,
    ShareTurn,
    Speaker,
    TrainingRecord,
)

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "CardCounts",
    "CardFacts",
    "ChatMessage",
    "ChatMetadata",
    "ChatRecord",
    "ConversationRecord",
    "ConversationRows",
    "Evidence",
    "Export",
    "ExportedFile",
    "Format",
    "PersonRecord",
    "RecordTurn",
    "Redactor",
    "RunLike",
    "ShareRecord",
    "ShareTurn",
    "Speaker",
    "TrainingRecord",
    "export_run",
    "from_chat",
    "read_chat",
    "read_conversations",
    "read_people",
    "record_rows",
    "to_chat",
    "to_sharegpt",
    "training_records",
]
