"""What goes out and comes back in: runs as datasets, and people of other tools, with dataset cards and checksums."""

from personae.formats._card import CardCounts, CardFacts
from personae.formats._chat import from_chat, to_chat, to_sharegpt, training_records
from personae.formats._conversations import ConversationRows, record_rows
from personae.formats._export import DEFAULT_FORMATS, FORMATS, Evidence, Export, Format, RunLike, export_run
from personae.formats._exporters import PeopleExport, export_people, exporters
from personae.formats._families import IMPORTERS, PeopleFormat
from personae.formats._files import ExportedFile
from personae.formats._forms import FORM_FORMATS, FormFormat, read_forms, read_key, write_forms
from personae.formats._importers import PeopleImport, Sniffed, import_people, sniff
from personae.formats._kept import ImportedFile, import_file
from personae.formats._lines import json_line, read_chat, read_conversations, read_people
from personae.formats._mapping import Column, PeopleMapping, load_mapping
from personae.formats._png import embed_card, extract_card
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
from personae.formats._transcripts import Transcript, read_transcripts

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "FORM_FORMATS",
    "IMPORTERS",
    "CardCounts",
    "CardFacts",
    "ChatMessage",
    "ChatMetadata",
    "ChatRecord",
    "Column",
    "ConversationRecord",
    "ConversationRows",
    "Evidence",
    "Export",
    "ExportedFile",
    "FormFormat",
    "Format",
    "ImportedFile",
    "PeopleExport",
    "PeopleFormat",
    "PeopleImport",
    "PeopleMapping",
    "PersonRecord",
    "RecordTurn",
    "Redactor",
    "RunLike",
    "ShareRecord",
    "ShareTurn",
    "Sniffed",
    "Speaker",
    "TrainingRecord",
    "Transcript",
    "embed_card",
    "export_people",
    "export_run",
    "exporters",
    "extract_card",
    "from_chat",
    "import_file",
    "import_people",
    "json_line",
    "load_mapping",
    "read_chat",
    "read_conversations",
    "read_forms",
    "read_key",
    "read_people",
    "read_transcripts",
    "record_rows",
    "sniff",
    "to_chat",
    "to_sharegpt",
    "training_records",
    "write_forms",
]
