"""A run as datasets: the one verb that writes an export folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar, cast

from pydantic import BaseModel

from personae.core import (
    ConversationRow,
    InputError,
    JudgementRow,
    PersonaRow,
    ResponseRow,
    Row,
    TurnRow,
    UnknownKeyError,
)
from personae.formats import _tables as tables
from personae.formats._card import CardCounts, CardFacts, card_text
from personae.formats._chat import SPEAKERS, to_chat, to_sharegpt, training_records
from personae.formats._conversations import People, conversation_records
from personae.formats._files import ExportedFile, ExportFolder
from personae.formats._lines import write_lines
from personae.formats._privacy import Cleaner, Redactor
from personae.formats._records import ConversationRecord, Speaker

R = TypeVar("R", bound=Row)
Format = Literal["jsonl", "chat", "sharegpt", "sft", "csv", "parquet"]
FORMATS: Final[tuple[Format, ...]] = ("jsonl", "chat", "sharegpt", "sft", "csv", "parquet")
DEFAULT_FORMATS: Final[tuple[Format, ...]] = ("jsonl", "chat", "sft", "csv", "parquet")


class RunLike(Protocol):
    """What an export reads of a run: its manifest and its evidence rows."""

    @property
    def manifest(self) -> Mapping[str, object] | BaseModel: ...

    def rows(self, row: type[R], /) -> Iterable[R]:
        """All rows of one evidence table."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence rows in hand, without a run folder."""

    personas: Sequence[PersonaRow] = ()
    conversations: Sequence[ConversationRow] = ()
    turns: Sequence[TurnRow] = ()
    responses: Sequence[ResponseRow] = ()
    judgements: Sequence[JudgementRow] = ()
    manifest: Mapping[str, object] = field(default_factory=dict[str, object])

    def rows(self, row: type[R], /) -> Iterable[R]:
        """The rows of one table; none of a table that is not held here."""
        held: dict[type[Row], Sequence[Row]] = {
            PersonaRow: self.personas,
            ConversationRow: self.conversations,
            TurnRow: self.turns,
            ResponseRow: self.responses,
            JudgementRow: self.judgements,
        }
        return cast("Sequence[R]", held.get(row, ()))


@dataclass(frozen=True, slots=True)
class Export:
    """What an export wrote."""

    folder: Path
    files: tuple[ExportedFile, ...]
    counts: CardCounts


def export_run(
    run: RunLike,
    out_dir: str | Path,
    *,
    formats: Sequence[Format] = DEFAULT_FORMATS,
    redact: bool | Redactor = True,
    anonymise: bool = False,
    clean: bool = False,
    sft_speaker: Speaker = "client",
    card: CardFacts | None = None,
) -> Export:
    """Write a run's people, conversations and answers as datasets, with a card and checksums.

    Files appear together: everything is staged aside first. Exporting again replaces what an export wrote, and
    refuses to touch anything else. The same evidence gives the same bytes.

    Args:
        run: a run, or `Evidence` in hand.
        out_dir: the folder to fill; made if it does not exist.
        formats: which files to write; see `FORMATS`. The card and `checksums.json` are always written.
        redact: replace contact-like strings by typed placeholders (True: with the patterns of the text room).
        anonymise: replace names by stable placeholders.
        clean: leave out conversations in which an audit found something; the card says how many.
        sft_speaker: whose utterances become completions to learn.
        card: licence, title, limits.

    Raises:
        UnknownKeyError: a format nobody knows.
        InputError: a file in `out_dir` is not ours to overwrite.
        StorageError: the folder cannot be written.
    """
    wanted = _check(formats)
    cleaner = Cleaner(_redactor(redact), anonymise=anonymise)
    people = People.read(run.rows(PersonaRow), cleaner)
    told = conversation_records(people, run.rows(ConversationRow), run.rows(TurnRow), run.rows(JudgementRow))
    conversations = list(told)
    flagged = sum(bool(c.audit) for c in conversations)
    if clean:
        conversations = [c for c in conversations if not c.audit]
    with ExportFolder(Path(out_dir)) as folder:
        _write_people(folder, people, wanted)
        _write_conversations(folder, conversations, wanted, sft_speaker)
        responses = _write_responses(folder, lambda: run.rows(ResponseRow), cleaner, wanted)
        counts = CardCounts(
            people=len(people.records),
            conversations=len(conversations),
            utterances=sum(len(c.turns) for c in conversations),
            responses=responses,
            endings=_counted(c.termination_reason for c in conversations),
            conditions=_counted(c.condition or "not stated" for c in conversations),
            redactions=dict(sorted(cleaner.counts.items())) if cleaner.active else None,
            anonymised=anonymise,
            audited=sum(c.audit is not None for c in conversations) + (flagged if clean else 0),
            flagged=flagged,
            left_out=flagged if clean else 0,
        )
        _write_card(folder, card or CardFacts(), counts, run.manifest)
        return Export(Path(out_dir), folder.commit(), counts)


def _redactor(redact: bool | Redactor) -> Redactor | None:  # noqa: FBT001
    if not isinstance(redact, bool):
        return redact
    if not redact:
        return None
    from personae.text import redact as contacts  # compiles a page of patterns: only when it is wanted

    return contacts


def _check(formats: Sequence[Format]) -> set[Format]:
    for name in formats:
        if name not in FORMATS:
            raise UnknownKeyError.of(name, FORMATS, where="export formats")
    if not formats:
        raise InputError("export: no formats were asked for.", hint=f"Known formats: {', '.join(FORMATS)}.")
    return set(formats)


def _write_people(folder: ExportFolder, people: People, wanted: set[Format]) -> None:
    if "jsonl" in wanted:
        folder.done("people.jsonl", write_lines(folder.stage("people.jsonl"), people.records))
    if "parquet" in wanted:
        rows = tables.people_rows(people.records)
        folder.done("people.parquet", tables.write_parquet(folder.stage("people.parquet"), rows, tables.PEOPLE))


def _write_conversations(
    folder: ExportFolder, records: Sequence[ConversationRecord], wanted: set[Format], speaker: Speaker
) -> None:
    line_files: dict[Format, tuple[str, Callable[[], Iterable[BaseModel]]]] = {
        "jsonl": ("conversations.jsonl", lambda: records),
        "chat": ("chat.jsonl", lambda: (to_chat(r, s) for r in records for s in SPEAKERS)),
        "sharegpt": ("sharegpt.jsonl", lambda: (to_sharegpt(r, s) for r in records for s in SPEAKERS)),
        "sft": ("sft.jsonl", lambda: (t for r in records for t in training_records(r, speaker))),
    }
    for name, (file, make) in line_files.items():
        if name in wanted:
            folder.done(file, write_lines(folder.stage(file), make()))
    if "parquet" in wanted:
        for file, rows, columns in (
            ("conversations.parquet", tables.conversation_rows(records), tables.CONVERSATIONS),
            ("turns.parquet", tables.turn_rows(records), tables.TURNS),
        ):
            folder.done(file, tables.write_parquet(folder.stage(file), rows, columns))


def _write_responses(
    folder: ExportFolder, read: Callable[[], Iterable[ResponseRow]], cleaner: Cleaner, wanted: set[Format]
) -> int:
    """Write answers in every wanted format and return how many there are. Rows are read once per file, never held."""
    before = dict(cleaner.counts)

    def rows() -> Iterator[ResponseRow]:
        # Each format reads the same rows: what is replaced counts once.
        cleaner.counts.clear()
        cleaner.counts.update(before)
        actors: dict[tuple[str, str | None], str] = {}
        for row in read():
            yield _clean_response(row, cleaner, actors) if cleaner.active else row

    count: int | None = None
    if "jsonl" in wanted:
        count = write_lines(folder.stage("responses.jsonl"), rows())
        folder.done("responses.jsonl", count)
    if "csv" in wanted:
        path = folder.stage("responses.csv")
        count = tables.write_csv(path, tables.response_rows(rows()), list(tables.RESPONSES))
        folder.done("responses.csv", count)
    if "parquet" in wanted:
        path = folder.stage("responses.parquet")
        count = tables.write_parquet(path, tables.response_rows(rows()), tables.RESPONSES)
        folder.done("responses.parquet", count)
    return sum(1 for _ in read()) if count is None else count


def _clean_response(row: ResponseRow, cleaner: Cleaner, actors: dict[tuple[str, str | None], str]) -> ResponseRow:
    who = (row.actor, row.persona_id)
    if who not in actors:
        actors[who] = cleaner.text(row.actor, row.persona_id, (row.actor,))
    text = None if row.text is None else cleaner.text(row.text, row.persona_id, (row.actor,))
    return row.model_copy(update={"actor": actors[who], "text": text})


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _write_card(
    folder: ExportFolder, facts: CardFacts, counts: CardCounts, manifest: Mapping[str, object] | BaseModel
) -> None:
    body = manifest.model_dump(mode="json") if isinstance(manifest, BaseModel) else manifest
    files = [f for f in folder.staged() if f.name != "README.md"]
    folder.stage("README.md").write_text(card_text(facts, counts, files, body), encoding="utf-8")
