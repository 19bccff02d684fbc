"""Evidence rows to conversation records, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from pydantic import JsonValue

from personae.core import (
    AUDIT,
    CLEAN,
    ConversationRow,
    JudgementRow,
    Persona,
    PersonaRow,
    TurnRow,
    content_id,
    plain,
    sha256_hex,
)
from personae.formats._privacy import Cleaner
from personae.formats._records import ConversationRecord, PersonRecord, RecordTurn, Speaker

_CLIENT_ROLES: Final = frozenset({"client", "subject", "user", "persona"})


@dataclass(frozen=True, slots=True)
class _Said:
    index: int
    speaker: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class _About:
    fields: dict[str, JsonValue]
    description: str
    synthetic: bool


@dataclass(slots=True)
class People:
    """The persons of a run, ready to stand beside their conversations."""

    cleaner: Cleaner
    records: list[PersonRecord] = field(default_factory=list[PersonRecord])
    _about: dict[str, _About] = field(default_factory=dict[str, _About])

    @classmethod
    def read(cls, rows: Iterable[PersonaRow], cleaner: Cleaner) -> People:
        """Parse every person, tell the cleaner their names, and clean them."""
        people = cls(cleaner)
        parsed = [(row, Persona.parse(row.body, where=f"person {row.persona_id}")) for row in rows]
        for row, persona in parsed:
            cleaner.meet(row.persona_id, persona)
        for row, persona in sorted(parsed, key=lambda pair: (pair[0].role, pair[0].k, pair[0].persona_id)):
            people._add(row, persona)
        return people

    def _add(self, row: PersonaRow, persona: Persona) -> None:
        if self.cleaner.active:
            persona = Persona.parse(self.cleaner.persona(persona.dump(), row.persona_id))
        self.records.append(
            PersonRecord(
                persona_id=row.persona_id,
                role=row.role,
                k=row.k,
                twin_of=row.twin_of,
                persona=persona.dump(),
                synthetic=persona.synthetic,
            )
        )
        self._about[row.persona_id] = _About(fields_of(persona), describe(persona), persona.synthetic)

    def about(self, persona_id: str) -> _About:
        """What is known of a person; nothing for one who is not in the table."""
        return self._about.get(persona_id) or _About({}, "", synthetic=True)


def fields_of(persona: Persona) -> dict[str, JsonValue]:
    """Every leaf that is set, as dotted path and plain value."""
    return {path: _json(plain(leaf)) for path, leaf in persona.leaves()}


def describe(persona: Persona) -> str:
    """The written description if there is one, else the person rendered in the second person."""
    return str(plain(persona.description)) if persona.description is not None else persona.render()


def _json(value: object) -> JsonValue:
    if isinstance(value, (tuple, list)):
        items = cast("tuple[object, ...]", value)
        return [_json(plain(v)) for v in items]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def conversation_records(
    people: People,
    conversations: Iterable[ConversationRow],
    turns: Iterable[TurnRow],
    judgements: Iterable[JudgementRow] = (),
) -> Iterator[ConversationRecord]:
    """Records of all conversations that are not forks, sorted by person, condition and id, in any row order."""
    audited: dict[str, set[str]] = {}
    for judged in judgements:
        if judged.judge == AUDIT:
            audited.setdefault(judged.conversation, set()).update({judged.verdict} - {CLEAN})
    said: defaultdict[str, list[_Said]] = defaultdict(list)
    for turn in turns:
        if turn.kind == "utterance":
            said[turn.conversation].append(_Said(turn.index, turn.speaker, turn.role, turn.text))
    rows = [row for row in conversations if row.parent is None]
    for row in sorted(rows, key=lambda r: (r.persona_id, r.condition, r.seed, r.conversation)):
        found = audited.get(row.conversation)
        audit = None if found is None else tuple(sorted(found))
        yield _record(row, sorted(said.pop(row.conversation, []), key=lambda s: s.index), people, audit)


def _record(
    row: ConversationRow, said: list[_Said], people: People, audit: tuple[str, ...] | None
) -> ConversationRecord:
    about = people.about(row.persona_id)
    client = _client(row, said)
    clean = people.cleaner.text
    names = {name: clean(name, row.persona_id, row.participants) for name in {s.speaker for s in said}}
    return ConversationRecord(
        persona_id=row.persona_id,
        conversation_id=row.conversation,
        persona_fields=about.fields,
        persona_description=about.description,
        turns=tuple(
            RecordTurn(
                speaker="client" if s.speaker == client else "tested",
                turn_index=k,
                text=clean(s.text, row.persona_id, row.participants),
                name=names[s.speaker],
            )
            for k, s in enumerate(said)
        ),
        termination_reason=row.end_reason,
        synthetic=about.synthetic,
        condition=row.condition,
        seed=row.seed,
        audit=audit,
    )


def _client(row: ConversationRow, said: list[_Said]) -> str:
    for s in said:
        if s.role in _CLIENT_ROLES:
            return s.speaker
    return row.participants[0] if row.participants else said[0].speaker if said else ""


@dataclass(frozen=True, slots=True)
class ConversationRows:
    """Evidence rows of one conversation."""

    conversation: ConversationRow
    turns: tuple[TurnRow, ...]


def record_rows(record: ConversationRecord, *, unit: str = "import") -> ConversationRows:
    """Evidence rows for a record that came from a file, so that any dialogue log can be measured."""
    names: dict[Speaker, str] = {"client": "client", "tested": "tested"}
    condition = record.condition or "imported"
    turns = tuple(
        TurnRow(
            unit=unit,
            conversation=record.conversation_id,
            persona_id=record.persona_id,
            condition=condition,
            index=t.turn_index,
            kind="utterance",
            speaker=t.name or names[t.speaker],
            role="client" if t.speaker == "client" else "responder",
            text=t.text,
        )
        for t in record.turns
    )
    return ConversationRows(
        ConversationRow(
            unit=unit,
            conversation=record.conversation_id or content_id("c", record),
            digest=sha256_hex(record),
            participants=tuple(dict.fromkeys(t.speaker for t in turns)),
            persona_id=record.persona_id,
            condition=condition,
            seed=record.seed or 0,
            utterances=len(turns),
            end_reason=record.termination_reason,
        ),
        turns,
    )
