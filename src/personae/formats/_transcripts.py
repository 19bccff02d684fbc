"""Transcripts from anywhere, as messages: runs, exports, chat logs, ShareGPT, plain lists of roles and contents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from personae.core import ConversationRow, InputError, SchemaError, TurnRow
from personae.models import Message, Role
from personae.runs import open_run

_ROLES: Final[dict[str, Role]] = {
    "system": "system", "user": "user", "human": "user", "client": "user", "assistant": "assistant", "gpt": "assistant",
    "model": "assistant", "bot": "assistant", "tested": "assistant",
}  # fmt: skip
_LISTS: Final = ("messages", "conversation", "conversations", "turns")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One conversation.

    Attributes:
        name: id in the file, else file and place.
        messages: in order; whoever is tested is `assistant`.
    """

    name: str
    messages: tuple[Message, ...]


def read_transcripts(path: Path | str) -> list[Transcript]:
    """Read every conversation of a run folder, or of a JSON or JSON Lines file.

    A conversation is a list of {role, content}, {from, value} or {speaker, text}, alone or under `messages`,
    `conversation`, `conversations` or `turns`. Of a run, conversations that are not forks; the responder is assistant.

    Raises:
        InputError: no such file, or nothing in it.
        SchemaError: an entry is no conversation; the message names it.
    """
    path = Path(path)
    if path.is_dir():
        found = list(_of_run(path))
    elif path.is_file():
        found = [_transcript(body, f"{path}, {place}") for place, body in _entries(path)]
    else:
        raise InputError(f"no file {str(path)!r}.", hint="Name a run folder, or a JSON or JSON Lines file.")
    if not found:
        raise InputError(f"{str(path)!r} holds no conversation.")
    return found


def _of_run(path: Path) -> Iterator[Transcript]:
    with open_run(path) as run:
        rows = [r for r in run.rows(ConversationRow) if r.parent is None]
        turns: dict[str, list[TurnRow]] = {}
        for turn in run.rows(TurnRow):
            if turn.kind == "utterance":
                turns.setdefault(turn.conversation, []).append(turn)
    for row in sorted(rows, key=lambda r: r.conversation):
        said = sorted(turns.get(row.conversation, []), key=lambda t: t.index)
        client = next((t.speaker for t in said if t.role in {"client", "subject", "user", "persona"}), None)
        if client is None and row.participants:
            client = row.participants[0]
        messages = (Message("user" if t.speaker == client else "assistant", t.text) for t in said)
        yield Transcript(f"{row.condition}/{row.conversation}", tuple(messages))


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}", hint="Expected UTF-8 text.") from error
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise SchemaError(
                        f"{path}, line {number}: not JSON ({error}).", hint="Expected JSON, or one object per line."
                    ) from error
        return
    if isinstance(body, list) and body and not _is_turn(body[0]):
        entries = cast("list[Any]", body)
        yield from ((f"entry {k}", entry) for k, entry in enumerate(entries))
    else:
        yield "the whole", body


def _transcript(body: Any, where: str) -> Transcript:
    name = where
    turns: Any = body
    if isinstance(body, Mapping):
        table = cast("Mapping[str, Any]", body)
        name = str(table.get("conversation_id") or table.get("id") or where)
        key = next((k for k in _LISTS if isinstance(table.get(k), list)), None)
        if key is None:
            raise SchemaError(
                f"{where}: keys {', '.join(map(str, table))[:120] or 'none'}; expected one of {', '.join(_LISTS)}.",
                hint='A conversation looks like {"messages": [{"role": "user", "content": "Hi"}, …]}.',
            )
        turns = table[key]
    if not isinstance(turns, list) or not turns:
        raise SchemaError(f"{where}: {type(turns).__name__} given, expected a list of messages, not empty.")
    return Transcript(name, tuple(_message(t, f"{where}, message {k}") for k, t in enumerate(cast("list[Any]", turns))))


def _message(turn: Any, where: str) -> Message:
    if not _is_turn(turn):
        raise SchemaError(f"{where}: expected role and content (or from and value, or speaker and text).")
    table = cast("Mapping[str, Any]", turn)
    role, text = _parts(table)
    known = _ROLES.get(str(role).lower())
    if known is None:
        raise SchemaError(f"{where}: role {role!r}, expected one of {', '.join(_ROLES)}.")
    if not isinstance(text, str):
        raise SchemaError(f"{where}: content is {type(text).__name__}, expected text.")
    return Message(known, text)


def _parts(table: Mapping[str, Any]) -> tuple[Any, Any]:
    for role, text in (("role", "content"), ("from", "value"), ("speaker", "text"), ("role", "text")):
        if role in table and text in table:
            return table[role], table[text]
    return None, None


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and _parts(cast("Mapping[str, Any]", value))[0] is not None
