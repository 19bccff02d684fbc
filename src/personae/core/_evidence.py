"""Rows of the evidence tables. Everything a measurement may use is one of these, on disk, before it is computed.

Each row names the unit it came from and the person it belongs to: the unit of randomisation that statistics cluster by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

from personae.core._facts import Frozen
from personae.core._ids import canonical_json
from personae.core._measurement import Measurement

if TYPE_CHECKING:
    from personae.core._persona import Persona

Boundary = Literal["provider", "parse", "tool", "user_code"]
ResponseStatus = Literal["ok", "zero_variance", "refused", "unparsed", "failed", "missing"]


class Row(Frozen):
    """Base of evidence rows. `volatile` names columns that do not count in the content digest."""

    table: ClassVar[str]
    volatile: ClassVar[frozenset[str]] = frozenset({"call"})


class PersonaRow(Row):
    """One person of the run."""

    table: ClassVar[str] = "personas"
    unit: str
    persona_id: str
    k: int
    name: str
    role: str
    """what the person is for: subject, twin, client, responder …"""
    twin_of: str | None = None
    body: str
    """canonical JSON of the whole persona"""

    @classmethod
    def of(cls, persona: Persona, *, unit: str, k: int, role: str, twin_of: str | None = None) -> Self:
        """The row of a person."""
        body = canonical_json(persona.dump())
        return cls(unit=unit, persona_id=persona.id, k=k, name=persona.name, role=role, twin_of=twin_of, body=body)


class FitRow(Row):
    """One cell of one margin: what the recipe asked for and what was drawn."""

    table: ClassVar[str] = "fit"
    unit: str
    margin: str
    cell: str
    target_share: float
    target_count: float
    count: int
    hard: bool


class ResponseRow(Row):
    """One answer to one item by one actor under one condition."""

    table: ClassVar[str] = "responses"
    unit: str
    persona_id: str | None
    actor: str
    condition: str
    """label of the condition: self, twin, template_default, empty_system …"""
    condition_hash: str
    instrument: str
    item: str
    scale: str
    key: int
    order: str
    """option order shown: ascending, descending, or none"""
    method: Literal["score", "free_text"]
    status: ResponseStatus
    value: float | None
    """expected (or stated) value on the response scale, before keying"""
    keyed: float | None
    probabilities: tuple[float, ...] = ()
    logprobs: tuple[float, ...] = ()
    approximate: bool = False
    text: str | None = None
    model: str
    seed: int
    call: str | None = None


class ConversationRow(Row):
    """One conversation or fork."""

    table: ClassVar[str] = "conversations"
    unit: str
    conversation: str
    digest: str
    participants: tuple[str, ...]
    persona_id: str
    """the person the conversation is about: its unit of randomisation"""
    condition: str
    """how actors saw the history: ecp, concat"""
    seed: int
    utterances: int
    end_reason: str
    parent: str | None = None


class TurnRow(Row):
    """One event of a conversation."""

    table: ClassVar[str] = "turns"
    unit: str
    conversation: str
    persona_id: str
    condition: str
    index: int
    kind: str
    speaker: str
    role: str
    text: str
    finish_reason: str | None = None
    retries: int = 0
    guard: str | None = None
    """last guard that objected, if any"""
    call: str | None = None


class ProbeRow(Row):
    """One probe item put to a fork of a conversation."""

    table: ClassVar[str] = "probes"
    unit: str
    conversation: str
    persona_id: str
    condition: str
    at: int
    """events in the log when it was forked"""
    moment: Literal["first", "middle", "last"]
    group: str
    """field group: facts, goal, emotion, style …"""
    item: str
    target: int
    """index of the option that the persona's key names"""
    probabilities: tuple[float, ...]
    logprobs: tuple[float, ...]
    approximate: bool = False
    model: str
    seed: int
    call: str | None = None


AUDIT: Final = "audit"
"""the judge of rows that say what scanners found in a conversation"""
CLEAN: Final = "clean"
"""the verdict of an audit that found nothing"""


class JudgementRow(Row):
    """One verdict of a scanner or judge about one conversation or turn."""

    table: ClassVar[str] = "judgements"
    unit: str
    conversation: str
    persona_id: str
    condition: str
    judge: str
    subject: str
    """what was judged: a turn index, or `conversation`"""
    verdict: str
    value: float | None = None
    agreement: str


class SlotRow(Row):
    """One draw of a field combination: accepted or rejected, by which rule."""

    table: ClassVar[str] = "slots"
    unit: str
    k: int
    attempt: int
    accepted: bool
    rule: str | None
    fields: str
    """canonical JSON of the drawn fields"""


class StatementRow(Row):
    """One sentence that somebody says about themselves."""

    table: ClassVar[str] = "statements"
    unit: str
    persona_id: str
    condition: str
    """what the speaker knew of the person"""
    kind: str
    """open_self, hidden_self …"""
    index: int
    text: str
    writer: str
    """rules, or the reference of the model"""
    call: str | None = None


class IssueRow(Row):
    """One objection to a draft in one round: what is wrong, who repairs it, and how."""

    table: ClassVar[str] = "issues"
    unit: str
    k: int
    attempt: int
    round: int
    code: str
    owner: str | None
    fields: tuple[str, ...]
    description: str
    hint: str | None = None
    severity: str
    source: str
    """guard (a rule), parse (a reply that is no value), or review (a model)"""


class DraftRow(Row):
    """One turn of an owner at a draft: which keys changed, and which it was not allowed to."""

    table: ClassVar[str] = "drafts"
    unit: str
    k: int
    attempt: int
    round: int
    owner: str
    changed: tuple[str, ...]
    refused: tuple[str, ...] = ()
    """keys of other owners in the reply; they were left alone"""
    problem: str | None = None
    """why the reply was no value; None: it was"""
    calls: int = 0
    tokens: int = 0


class CorpusRow(Row):
    """A corpus of records in files of its own beside the evidence, with what its check found."""

    table: ClassVar[str] = "corpora"
    unit: str
    name: str
    rows: int
    digest: str
    report: str
    """canonical JSON of the report"""


class FailureRow(Row):
    """A unit that failed, with the boundary it crossed."""

    table: ClassVar[str] = "failures"
    unit: str
    stage: str
    boundary: Boundary
    code: str
    message: str


class MeasurementRow(Row):
    """A Measurement as stored."""

    table: ClassVar[str] = "measurements"
    unit: str
    measurement: Measurement
