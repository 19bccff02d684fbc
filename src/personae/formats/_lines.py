"""JSON Lines: one object a line, and readers that name the line that does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError

from personae.core import Persona, SchemaError, VersionError, naming_errors, schema_error
from personae.formats._records import RECORD_VERSION, ChatRecord, ConversationRecord, PersonRecord

M = TypeVar("M", bound=BaseModel)
# Legal inside JSON, but some readers end a line at them.
_BREAKS: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def json_line(body: JsonValue) -> str:
    """`body` on one line, whatever it holds."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False).translate(_BREAKS)


def write_lines(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records one a line and return how many there were."""
    count = 0
    with naming_errors(path), path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json_line(record.model_dump(mode="json", exclude_none=True)) + "\n")
            count += 1
    return count


def read_conversations(path: str | Path) -> Iterator[ConversationRecord]:
    """Conversation records of a JSON Lines file.

    Raises:
        SchemaError: a line is not UTF-8, not JSON, or does not fit; the message names it.
        VersionError: the file was written by a newer release.
    """
    return _read(Path(path), ConversationRecord)


def read_chat(path: str | Path) -> Iterator[ChatRecord]:
    """Chat records of a JSON Lines file. Raises as `read_conversations` does."""
    return _read(Path(path), ChatRecord)


def read_people(path: str | Path) -> Iterator[Persona]:
    """People of a JSON Lines file: of an export, or bare personas one a line. Raises as `read_conversations` does."""
    source = Path(path)
    for where, body in _bodies(source):
        if "persona" in body:
            record = _fit(body, PersonRecord, where)
            yield Persona.parse(record.persona, where=where)
        else:
            yield Persona.parse(body, where=where)


def _read(path: Path, model: type[M]) -> Iterator[M]:
    for where, body in _bodies(path):
        yield _fit(body, model, where)


def _fit(body: dict[str, JsonValue], model: type[M], where: str) -> M:
    version = body.get("schema_version", RECORD_VERSION)
    if version != RECORD_VERSION:
        raise VersionError(
            f"{where}: record of schema_version {version!r}; this release reads {RECORD_VERSION}.",
            hint="Upgrade personae: pip install -U personae",
        )
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=where) from error


def _bodies(path: Path) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    if not path.is_file():
        raise SchemaError(f"{str(path)!r}: there is no such file.", hint="Expected a JSON Lines file.")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield (where := f"{path}, line {number}"), _parse(line, where)


def _parse(line: bytes, where: str) -> dict[str, JsonValue]:
    try:
        body = cast("JsonValue", json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise SchemaError(
            f"{where}: not UTF-8 (byte {line[error.start : error.start + 1]!r} at {error.start}).",
            hint="Save the file as UTF-8.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{where}: not JSON ({error}).", hint="Expected one JSON object per line.") from error
    if not isinstance(body, dict):
        raise SchemaError(f"{where}: got {type(body).__name__}, expected one JSON object per line.")
    return body
