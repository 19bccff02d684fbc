"""The formats of people: what each looks like, how a record is read, and how it is written again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from personae.core import TEXT_LIMIT, Persona, Registry, SchemaError
from personae.formats._reading import Record
from personae.formats._shape import MISSING, Codec, Json, Place, Shape, Written, bare, paths_of
from personae.formats._shapes import (
    HACHIMI,
    KEY_VALUE_JSON,
    KEY_VALUE_LINES,
    KEYS,
    NEMOTRON_COLUMNS,
    PERSONA_CHAT,
    PERSONA_HUB,
    STUDENT_KEYS,
    TINYTROUPE,
    card_shape,
    nemotron,
)

Form: TypeAlias = Literal["jsonl", "json", "yaml", "csv", "text", "png", "parquet", "folder"]
ENDINGS: Final[Mapping[str, Form]] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".csv": "csv",
    ".tsv": "csv", ".txt": "text", ".png": "png", ".parquet": "parquet",
}  # fmt: skip
Body: TypeAlias = dict[str, Json]
Dumped: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, as far as it tells formats apart."""

    path: Path
    form: Form
    document: Json = None
    """the first JSON value"""
    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """A format a file may be of. `sure` 2: it says so itself; 1: it looks like it."""

    sure: int
    reason: str


@dataclass(frozen=True, slots=True)
class PeopleFormat:
    """One format of people in files."""

    name: str
    title: str
    forms: tuple[Form, ...]
    looks: Callable[[Head], Guess | None]
    read: Callable[[Record, Form], list[Body]]
    write: Callable[[Dumped, Form], Written]
    columns: tuple[str, ...] = ()
    """columns of its tables, in order"""
    text: Callable[[Json], str] = field(default=str)
    """a record as lines of text"""


IMPORTERS: Registry[PeopleFormat] = Registry("people_format")
"""Formats of people, by name; outside plug-ins use the entry point group `personae.people_format`."""


def _object(record: Record) -> dict[str, Json]:
    if not isinstance(record.document, dict):
        raise SchemaError(f"got {type(record.document).__name__}, expected one object.")
    return cast("dict[str, Json]", record.document)


def _reader(shape: Shape, *needed: str) -> Callable[[Record, Form], list[Body]]:
    """Read objects of one shape, of which at least one of the `needed` keys has to be there."""

    def read(record: Record, form: Form) -> list[Body]:
        del form
        document = _object(record)
        if needed and not document.keys() & set(needed):
            raise SchemaError(f"none of {', '.join(map(repr, needed))} is there.", hint=f"Is this {shape.name}?")
        return [shape.read(document)]

    return read


def _writer(shape: Shape) -> Callable[[Dumped, Form], Written]:
    return lambda dumped, _: shape.write(dumped)


def _keys(head: Head) -> frozenset[str]:
    document = head.document
    return frozenset(cast("dict[str, Json]", document)) if isinstance(document, dict) else frozenset(head.columns)


# Ours --------------------------------------------------------------------------------------------------------------


def _looks_ours(head: Head) -> Guess | None:
    names = head.document.get("names") if isinstance(head.document, dict) else None
    if isinstance(names, dict) and "full" in names:
        return Guess(2, "names.full is there")
    if {"persona_id", "persona"} <= _keys(head) and isinstance(head.document["persona"], dict):
        return Guess(2, "people of an export: persona_id and persona")
    if "schema_version" in _keys(head):
        return Guess(1, "schema_version is there")
    return Guess(1, "YAML") if head.form == "yaml" else None


def _read_ours(record: Record, form: Form) -> list[Body]:
    del form
    body = _object(record)
    inner = body.get("persona")
    return [inner if "persona_id" in body and isinstance(inner, dict) else body]


def _write_ours(dumped: Dumped, form: Form) -> Written:
    del form
    person = Persona.model_validate(dumped)
    return Written(person.dump())


# TinyTroupe --------------------------------------------------------------------------------------------------------


def _looks_tiny(head: Head) -> Guess | None:
    document = head.document
    if isinstance(document, dict) and document.get("type") == "TinyPerson":
        return Guess(2, "type is TinyPerson")
    inner = document.get("persona") if isinstance(document, dict) else None
    return Guess(1, "persona is an object with a name") if isinstance(inner, dict) and "name" in inner else None


def _read_tiny(record: Record, form: Form) -> list[Body]:
    del form
    document = _object(record)
    if not isinstance(document.get("persona"), dict):
        raise SchemaError("persona is missing or no object.", hint="Expected {'type': 'TinyPerson', 'persona': {…}}.")
    kind = document.get("type")
    if kind not in {None, "TinyPerson"}:
        raise SchemaError(f"type is {kind!r}, expected 'TinyPerson'.", hint="Fragments are merged into an agent first.")
    return [TINYTROUPE.read(document)]


# persona-hub, Persona-Chat -----------------------------------------------------------------------------------------

_PAIR: Final = re.compile(r"[^\s:][^:]{0,60}:(?: |$)")
_FIRST_PERSON: Final = re.compile(r"(?:i|i'm|i've|i'd|i’m|my|we|our)\b", re.IGNORECASE)


def _share(lines: tuple[str, ...], pattern: re.Pattern[str]) -> float:
    said = [line.strip() for line in lines if line.strip()]
    return sum(bool(pattern.match(line)) for line in said) / len(said) if said else 0.0


def _looks_hub(head: Head) -> Guess | None:
    document = head.document
    if isinstance(document, dict):
        for key in ("input persona", "persona"):
            if isinstance(document.get(key), str) and "professional_persona" not in document:
                return Guess(2 if key == "input persona" else 1, f"{key} is a text")
    prose = head.form == "text" and bool(head.lines) and "" not in head.lines and _share(head.lines, _PAIR) < 0.5
    return Guess(1, "one text a line") if prose and _share(head.lines, _FIRST_PERSON) < 0.8 else None


def _hub_line(record: Record, form: Form) -> list[Body]:
    if form == "text":
        if len(record.document) > TEXT_LIMIT:
            raise SchemaError(f"a text of {len(record.document):,} characters; a persona has at most {TEXT_LIMIT:,}.")
        return [PERSONA_HUB.read({"persona": record.document}, version="lines")]
    return _reader(PERSONA_HUB, "persona", "input persona", "input_persona")(record, form)


def _write_hub(dumped: Dumped, form: Form) -> Written:
    written = PERSONA_HUB.write(dumped)
    if form != "text":
        return written
    extra = tuple(f"source.{key}" for key in written.document if key != "persona")
    text = str(written.document.get("persona", ""))
    flat = re.sub(r"[\r\n]+", " ", text)
    broken = ("description (line breaks)",) if flat != text else ()
    return Written({"persona": flat}, (*written.dropped, *broken, *extra))


def _looks_chat(head: Head) -> Guess | None:
    document = head.document
    texts = cast("list[Json]", document) if isinstance(document, list) else None
    if isinstance(document, dict):
        texts = next((document[k] for k in ("personality", "persona") if isinstance(document.get(k), list)), None)
    if texts and all(isinstance(t, str) for t in texts):
        return Guess(2 if isinstance(document, dict) else 1, "a list of sentences")
    if head.form == "text" and _share(head.lines, _PAIR) < 0.5 and _share(head.lines, _FIRST_PERSON) >= 0.3:
        return Guess(1, "sentences in the first person")
    return None


def _read_chat(record: Record, form: Form) -> list[Body]:
    document = record.document
    if isinstance(document, list):
        sentences: list[Json] = document
        if not sentences or not all(isinstance(s, str) and len(s) <= TEXT_LIMIT for s in sentences):
            raise SchemaError("expected a list of sentences.", hint='E.g. ["i like to ski.", "my dog is old."]')
        return [PERSONA_CHAT.read({"personality": document}, version="blocks" if form == "text" else "list")]
    return _reader(PERSONA_CHAT, "personality", "persona", "profile")(record, form)


def _write_chat(dumped: Dumped, form: Form) -> Written:
    written = PERSONA_CHAT.write(dumped)
    origin = PERSONA_CHAT.origin(dumped)
    listed = form == "text" or (origin is not None and origin.version == "list")
    if not listed or not isinstance(written.document, dict):
        return written
    document: dict[str, Json] = dict(written.document)
    sentences = cast("list[str]", document.pop("personality", []))
    extra = tuple(f"source.{path}" for path in paths_of(document))
    if form != "text":
        return Written(sentences, (*written.dropped, *extra))
    flat = [re.sub(r"[\r\n]+", " ", s) for s in sentences]
    broken = ("attributes.profile (line breaks)",) if flat != sentences else ()
    return Written(flat, (*written.dropped, *broken, *extra))


# Synthetic-Persona-Chat --------------------------------------------------------------------------------------------

SPC_COLUMNS: Final = ("user 1 personas", "user 2 personas", "Best Generated Conversation")
_TURN: Final = re.compile(r"([^:\n]{1,80}): ?(.*)")


def _read_sentences(value: Json) -> Json:
    sentences = value.split("\n") if isinstance(value, str) else None
    return MISSING if sentences is None or any(len(s) > TEXT_LIMIT for s in sentences) else sentences


def _read_talk(value: Json) -> Json:
    lines: list[dict[str, str]] = []
    for line in str(value).split("\n"):
        found = re.fullmatch(r"(User [12]): ?(.*)", line)
        if found is not None:
            lines.append({"speaker": found[1], "text": found[2]})
        elif lines:
            lines[-1]["text"] += f"\n{line}"
        else:
            return MISSING
    return [{"lines": lines}] if all(len(t["text"]) <= TEXT_LIMIT for t in lines) else MISSING


def _write_talk(leaf: Json) -> Json:
    return "\n".join(f"{t['speaker']}: {t['text']}" for stretch in leaf for t in stretch["lines"])


_SENTENCES: Final = Codec(_read_sentences, lambda leaf: "\n".join(map(str, bare(leaf))))
_TALK: Final = Codec(_read_talk, _write_talk)
_USERS: Final = tuple(
    Shape(
        "synthetic_persona_chat",
        (
            Place((f"user {k} personas",), "attributes.profile", _SENTENCES),
            *((Place((SPC_COLUMNS[2],), "demonstrations", _TALK),) if k == 1 else ()),
        ),
        cells=True,
    )
    for k in (1, 2)
)


def _read_pair(record: Record, form: Form) -> list[Body]:
    """Two people, who know the row they share; the conversation is with the first."""
    del form
    row = _object(record)
    absent = [c for c in SPC_COLUMNS[:2] if c not in row]
    if absent:
        raise SchemaError(f"no column {absent[0]!r}.", hint=f"Expected {', '.join(SPC_COLUMNS)}.")
    second = {SPC_COLUMNS[1]: row[SPC_COLUMNS[1]], "row": record.line}
    first = {k: v for k, v in row.items() if k != SPC_COLUMNS[1]} | {"row": record.line}
    return [_USERS[0].read(first, version="user 1"), _USERS[1].read(second, version="user 2")]


def _write_half(dumped: Dumped, form: Form) -> Written:
    """Half a row: the columns of one user and the row it belongs to. `merge_halves` joins them."""
    del form
    origin = _USERS[0].origin(dumped)
    return _USERS[1 if origin is not None and origin.version == "user 2" else 0].write(dumped)


def merge_halves(first: Json, second: Json) -> dict[str, Json] | None:
    """The row of two neighbours, or None when they do not share one."""
    if second is None or first.get("row") != second.get("row"):
        return None
    if SPC_COLUMNS[1] not in second:  # people from elsewhere: the second one takes the second place
        second = {SPC_COLUMNS[1]: second.get(SPC_COLUMNS[0], "")}
    elif SPC_COLUMNS[1] in first:
        return None
    joined: dict[str, Json] = {**first, **second}
    return {k: v for k, v in joined.items() if k != "row"}


def _looks_pair(head: Head) -> Guess | None:
    return Guess(2, "columns of two users' personas") if set(SPC_COLUMNS[:2]) <= _keys(head) else None


# Nemotron-Personas, HACHIMI, cards ---------------------------------------------------------------------------------


def _looks_nemotron(head: Head) -> Guess | None:
    found = _keys(head) & set(NEMOTRON_COLUMNS)
    if "professional_persona" in found and len(found) >= 4:
        return Guess(2, f"{len(found)} of the {len(NEMOTRON_COLUMNS)} columns of Nemotron-Personas")
    return None


def _read_nemotron(record: Record, form: Form) -> list[Body]:
    row = _object(record)
    if "persona" not in row and "professional_persona" not in row:
        raise SchemaError("neither 'persona' nor 'professional_persona' is there.", hint="Is this Nemotron-Personas?")
    return [nemotron(cells=form == "csv").read(row)]


def _write_nemotron(dumped: Dumped, form: Form) -> Written:
    return nemotron(cells=form == "csv").write(dumped)


def _looks_hachimi(head: Head) -> Guess | None:
    keys = _keys(head)
    if "_sampling" in keys or {"academic_level", "developmental_stage"} <= keys or {"学术水平", "价值观"} <= keys:
        return Guess(2, "a student record: levels and developmental stages")
    return None


def _looks_card(head: Head) -> Guess | None:
    document = head.document
    if isinstance(document, dict) and str(document.get("spec", "")).startswith("chara_card"):
        return Guess(2, f"spec is {document['spec']}")
    if isinstance(document, dict) and {"name", "personality", "scenario", "first_mes"} <= document.keys():
        return Guess(2, "the fields of a character card of version 1")
    return None


def _read_card(record: Record, form: Form) -> list[Body]:
    del form
    document = _object(record)
    shape, version = card_shape(document)
    return [shape.read(document, version=version)]


def _write_card(dumped: Dumped, form: Form) -> Written:
    del form
    from personae.formats._shapes import CARD_V1, CARD_V2

    origin = CARD_V2.origin(dumped)
    return (CARD_V1 if origin is not None and origin.version == "1" else CARD_V2).write(dumped)


# Key-value traits --------------------------------------------------------------------------------------------------


def _looks_pairs(head: Head) -> Guess | None:
    if head.form == "text" and head.lines and _share(head.lines, _PAIR) >= 0.8:
        return Guess(1, "lines of 'Key: value'")
    if not isinstance(head.document, dict) or _looks_ours(head) is not None:
        return None
    document: dict[str, Json] = head.document
    known = {k.casefold().replace(" ", "_") for k in document} & KEYS
    flat = all(not isinstance(v, dict) for v in document.values())
    return Guess(1, f"a flat object with {', '.join(sorted(known)[:4])}") if flat and len(known) >= 2 else None


def _read_pairs(record: Record, form: Form) -> list[Body]:
    if form != "text":
        return [KEY_VALUE_JSON.read(_object(record), version="json")]
    pairs: dict[str, str] = {}
    last = ""
    for k, line in enumerate(cast("list[str]", record.document)):
        if line.startswith("  ") and last:
            pairs[last] += f"\n{line[2:]}"
            continue
        key, colon, value = line.partition(":")
        last = key.strip()
        if not colon or not last:
            raise SchemaError(
                f"line {record.line + k}: no 'Key: value' ({line[:40]!r}).",
                hint="People are parted by empty lines; a value goes on in lines that begin with two spaces.",
            )
        if last in pairs:
            raise SchemaError(f"line {record.line + k}: {last!r} stands twice in one block.", hint="Join the values.")
        pairs[last] = value.strip()
    return [KEY_VALUE_LINES.read(pairs, version="lines")]


def _write_pairs(dumped: Dumped, form: Form) -> Written:
    if form != "text":
        return KEY_VALUE_JSON.write(dumped)
    written = KEY_VALUE_LINES.write(dumped)
    document: dict[str, Any] = written.document
    retyped = tuple(f"{k} (as text)" for k, v in document.items() if not isinstance(v, str))
    told = {k: _line_value(v) for k, v in document.items()}
    edges = tuple(f"{k} (white space at its edges)" for k, v in told.items() if v != _unedged(v))
    return Written(told, (*written.dropped, *retyped, *edges))


def _unedged(value: str) -> str:
    """A value as it can be read again: what surrounds it, and the end of its first line, is no part of it."""
    first, newline, more = value.strip().partition("\n")
    return first.rstrip() + newline + more


def _line_value(value: Json) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _pairs_text(document: Json) -> str:
    return "".join(f"{k}: {v}".replace("\n", "\n  ").rstrip(" ") + "\n" for k, v in document.items())


for _format in (
    PeopleFormat(
        "personae", "our own people", ("jsonl", "json", "yaml"), _looks_ours, _read_ours, _write_ours
    ),
    PeopleFormat("tinytroupe", "TinyTroupe agents", ("json", "jsonl"), _looks_tiny, _read_tiny, _writer(TINYTROUPE)),
    PeopleFormat(
        "persona_hub", "persona-hub one-liners", ("jsonl", "json", "text"), _looks_hub, _hub_line, _write_hub,
        text=lambda document: f"{document['persona']}\n",
    ),
    PeopleFormat(
        "persona_chat", "Persona-Chat profiles", ("jsonl", "json", "text"), _looks_chat, _read_chat, _write_chat,
        text=lambda document: "\n".join([*document, "", ""]),
    ),
    PeopleFormat(
        "synthetic_persona_chat", "Synthetic-Persona-Chat rows", ("csv",), _looks_pair, _read_pair, _write_half,
        SPC_COLUMNS,
    ),
    PeopleFormat(
        "nemotron", "Nemotron-Personas rows", ("jsonl", "json", "csv", "parquet"), _looks_nemotron, _read_nemotron,
        _write_nemotron, NEMOTRON_COLUMNS,
    ),
    PeopleFormat(
        "hachimi", "HACHIMI student records", ("jsonl", "json"), _looks_hachimi, _reader(HACHIMI, *STUDENT_KEYS),
        _writer(HACHIMI),
    ),
    PeopleFormat("character_card", "character cards", ("json", "jsonl", "png"), _looks_card, _read_card, _write_card),
    PeopleFormat(
        "key_values", "key-value traits", ("text", "jsonl", "json"), _looks_pairs, _read_pairs, _write_pairs,
        text=lambda document: f"{_pairs_text(document)}\n",
    ),
):  # fmt: skip
    IMPORTERS.add(_format.name, _format)
