"""What another tool's record said that a persona has no place for, kept verbatim for the way back."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from personae.core._facts import Frozen
from personae.core._persona import extensions


class SourceRecord(Frozen):
    """The sub-schema `ext["source"]` of an imported person.

    It holds what was not mapped, and how what was mapped had been written; never a second copy that an edit of the
    persona would leave stale: a spelling counts only as long as it still reads as the persona's value.
    """

    format: str
    """name of the importer"""
    version: str | None = None
    """version or form of the record"""
    body: Any = None
    """the record without everything that was mapped"""
    spelled: dict[str, Any] = Field(default_factory=dict)
    """JSON pointer to the words of a mapped value that we would have written otherwise, e.g. `"58"` for 58"""
    places: dict[str, str] = Field(default_factory=dict)
    """persona path to JSON pointer, where the record kept a value in another place than usual"""


extensions.add("source", SourceRecord)
