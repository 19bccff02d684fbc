"""The call log: every model call of a run as a row of `calls.sqlite`. It is evidence, and what replay answers from."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from personae.core import EndpointError, InputError, PersonaeError
from personae.models._keys import is_clean, redact
from personae.models._protocol import GenerateRequest, Image, Model, ScoreRequest, Usage
from personae.models._requests import Verb, WrittenCall, fingerprint_hash, pictures_in, read_generate, read_scores
from personae.models._shown import PromptForm
from personae.models._sqlite import FileKind, open_database, storage_errors
from personae.models._wrapper import CallNotes

CALL_LOG_NAME: Final = "calls.sqlite"

CALL_LOG: Final = FileKind(
    name="call log",
    version=2,
    schema=(
        """
        CREATE TABLE models(
            fingerprint_hash TEXT PRIMARY KEY, reference TEXT NOT NULL, fingerprint TEXT NOT NULL,
            capabilities TEXT NOT NULL, determinism TEXT NOT NULL, parallel INTEGER NOT NULL, form TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE calls(
            seq INTEGER PRIMARY KEY, key TEXT NOT NULL, model TEXT NOT NULL, unit TEXT NOT NULL, verb TEXT NOT NULL,
            tags TEXT NOT NULL, request TEXT NOT NULL, response TEXT, error TEXT,
            prompt_tokens INTEGER NOT NULL, prefilled_tokens INTEGER NOT NULL, generated_tokens INTEGER NOT NULL,
            latency REAL NOT NULL, attempt INTEGER NOT NULL, cached INTEGER NOT NULL, neutralised INTEGER NOT NULL,
            server TEXT, faults TEXT
        )
        """,
        """
        CREATE TABLE pictures(sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID
        """,
        """
        CREATE TABLE token_counts(
            model TEXT NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY(model, text)
        ) WITHOUT ROWID
        """,
    ),
    remedy="Use the release that wrote it, or start the run in a new folder.",
    page_size=16384,
)

# Keys are hashes: an index kept up to date while writing would rewrite a random page for every row. It is made when the
# log is closed or searched, and dropped when writing begins again.
INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS calls_by_key ON calls(key)",
    "CREATE INDEX IF NOT EXISTS calls_by_unit ON calls(unit)",
)
_UNINDEX: Final = ("DROP INDEX IF EXISTS calls_by_key", "DROP INDEX IF EXISTS calls_by_unit")

_INSERT: Final = (
    "INSERT INTO calls(key, model, unit, verb, tags, request, response, error, prompt_tokens, prefilled_tokens,"
    " generated_tokens, latency, attempt, cached, neutralised, server, faults)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_SELECT: Final = (
    "SELECT c.seq, c.key, c.unit, c.verb, m.reference, c.tags, c.request, c.response, c.error, c.prompt_tokens,"
    " c.prefilled_tokens, c.generated_tokens, c.latency, c.attempt, c.cached, c.neutralised, c.server, m.form, c.faults"
    " FROM calls c JOIN models m ON m.fingerprint_hash = c.model"
)
_BUFFER_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One row of the call log, as read back. `request`, `response` and `error` are JSON; secrets are masked."""

    seq: int
    key: str
    unit: str
    verb: str
    reference: str
    """of the model that was asked"""
    tags: Mapping[str, str]
    """tags that all requests of the call share"""
    request: str
    response: str | None
    error: str | None
    usage: Usage
    latency: float
    """seconds"""
    attempt: int
    cached: bool
    neutralised: int
    """control strings in the content that were broken up before a remote endpoint saw them"""
    server: Mapping[str, str]
    form: str
    """how prompts of the model that was asked are shown, as JSON"""
    faults: Mapping[str, int] = field(default_factory=dict[str, int])
    """tries that failed on the way, by kind"""
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    """pictures in the messages, by sha256"""
    member: int | None = None
    """index of the one request meant, when the call is a group"""

    def prompt(self) -> str:
        """What the model got, as `Model.show_prompt` shows it.

        Raises:
            InputError: as for `asked`.
        """
        return PromptForm.from_json(self.form).show(self.asked())

    def asked(self) -> GenerateRequest | ScoreRequest:
        """The request; of a group, the member meant (the first if none was named).

        Raises:
            InputError: the call is not a chat (texts to embed have no prompt), or the group has no such member.
        """
        if self.verb == "generate":
            return replace(read_generate(self.request, self.pictures), tags=self.tags)
        if self.verb != "score_options":
            raise InputError(f"call {self.key!r} is {self.verb!r}: it has no prompt.")
        group = read_scores(self.request, self.pictures)
        member = self.member or 0
        if member >= len(group):
            raise InputError(f"call {self.key!r} has {len(group)} members, asked for number {member}.")
        return replace(group[member], tags=self.tags)


class CallLog:
    """Calls of one run. Rows are buffered; `flush` makes them durable, and a run flushes before it commits a unit.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, CallLog(Path(folder) / "calls.sqlite") as log:
    ...     len(log)
    0
    """

    def __init__(self, path: Path | str, *, buffer_rows: int = 512) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            self.path /= CALL_LOG_NAME
        self._buffer_rows = buffer_rows
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._counts: list[tuple[str, str, int]] = []
        self._lock = threading.RLock()
        self._models: set[str] = set()
        self._indexed = True  # may be: an older session leaves its indexes behind
        self._connection: sqlite3.Connection | None = open_database(self.path, CALL_LOG)

    def register(self, model: Model) -> str:
        """Note down which model answers; returns the hash of its fingerprint."""
        key = fingerprint_hash(model.fingerprint)
        if key not in self._models:
            row = (
                key,
                model.reference,
                redact(json.dumps(dict(model.fingerprint), sort_keys=True)),
                json.dumps(sorted(model.capabilities)),
                model.determinism,
                model.parallel,
                model.prompt_form.to_json(),
            )
            with self._lock, storage_errors(self.path, CALL_LOG):
                self._open.execute("INSERT OR IGNORE INTO models VALUES (?,?,?,?,?,?,?)", row)
            self._models.add(key)
        return key

    def add(
        self,
        model: str,
        verb: Verb,
        call: WrittenCall,
        *,
        tags: Mapping[str, str],
        response: str | None,
        error: PersonaeError | None,
        usage: Usage,
        latency: float,
        cached: bool,
        notes: CallNotes,
    ) -> None:
        """Buffer one call. Secrets are masked here, before anything is stored."""
        texts = [call.request, response or "", json.dumps(dict(tags)) if tags else "{}", tags.get("unit", "")]
        joined = "\0".join(texts[1:])
        if not is_clean(call.parts or texts[:1], joined):  # rare: then each by itself
            texts = [redact(text) for text in texts]
        request, said, tagged, unit = texts
        self._append(
            (
                call.key,
                model,
                unit,
                verb,
                tagged,
                request,
                None if response is None else said,
                None if error is None else redact(_error_json(error)),
                usage.prompt,
                usage.prefilled,
                usage.generated,
                latency,
                notes.attempt,
                int(cached),
                notes.neutralised,
                redact(json.dumps(notes.server, sort_keys=True)) if notes.server else None,
                json.dumps(notes.faults, sort_keys=True) if notes.faults else None,
            ),
            len(call.request) + len(joined),
        )

    def add_picture(self, picture: Image) -> None:
        """Keep a picture of a message, once: requests name it by its sha256."""
        with self._lock, storage_errors(self.path, CALL_LOG):
            self._open.execute("INSERT OR IGNORE INTO pictures VALUES (?,?)", (picture.sha256, picture.data))

    def add_token_count(self, model: str, text: str, tokens: int) -> None:
        """Buffer the length of a text, so that replay clips texts where the run did."""
        with self._lock:
            self._counts.append((model, text_hash(text), tokens))
            if len(self._counts) >= self._buffer_rows:
                self.flush()

    def flush(self) -> None:
        """Write everything buffered in one transaction. On failure nothing is lost: the buffer stays.

        Raises:
            DiskFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        with self._lock:
            if not self._rows and not self._counts:
                return
            with storage_errors(self.path, CALL_LOG):
                self._open.execute("BEGIN IMMEDIATE")
                try:
                    for statement in _UNINDEX if self._indexed else ():
                        self._open.execute(statement)
                    self._open.executemany(_INSERT, self._rows)
                    self._open.executemany("INSERT OR IGNORE INTO token_counts VALUES (?,?,?)", self._counts)
                    self._open.execute("COMMIT")
                except BaseException:
                    if self._open.in_transaction:
                        self._open.execute("ROLLBACK")
                    raise
            self._indexed = False
            self._rows.clear()
            self._counts.clear()
            self._bytes = 0

    def find(self, call: str) -> CallRecord | None:
        """The last recorded call named `call`: a key, or `key#k` for member k of a group."""
        key, _, member = call.partition("#")
        self.flush()
        self._index()
        with self._lock, storage_errors(self.path, CALL_LOG):
            row = self._open.execute(
                f"{_SELECT} WHERE c.key = ? ORDER BY c.error IS NOT NULL, c.seq DESC LIMIT 1", (key,)
            ).fetchone()
        return None if row is None else replace(self._record(row), member=int(member) if member else None)

    def records(self, unit: str | None = None) -> Iterator[CallRecord]:
        """All calls, or those of one unit, in the order they were finished."""
        self.flush()
        if unit is not None:
            self._index()
        with self._lock, storage_errors(self.path, CALL_LOG):
            if unit is None:
                cursor = self._open.execute(f"{_SELECT} ORDER BY c.seq")
            else:
                cursor = self._open.execute(f"{_SELECT} WHERE c.unit = ? ORDER BY c.seq", (unit,))
        for row in cursor:
            yield self._record(row)

    def close(self) -> None:
        """Flush and close. Closing twice is allowed."""
        with self._lock:
            if self._connection is None:
                return
            try:
                self.flush()
                self._index()
            finally:
                self._connection.close()
                self._connection = None

    def _record(self, row: tuple[Any, ...]) -> CallRecord:
        wanted = pictures_in(row[6])
        if not wanted:
            return _record(row, {})
        with self._lock, storage_errors(self.path, CALL_LOG):
            query = "SELECT sha256, data FROM pictures WHERE sha256 IN (SELECT value FROM json_each(?))"
            held = dict(self._open.execute(query, (json.dumps(wanted),)).fetchall())
        return _record(row, held)

    def __len__(self) -> int:
        with self._lock, storage_errors(self.path, CALL_LOG):
            stored = int(self._open.execute("SELECT count(*) FROM calls").fetchone()[0])
            return stored + len(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise InputError(f"call log {str(self.path)!r} is closed.", hint="Open it again with CallLog(path).")
        return self._connection

    def _index(self) -> None:
        with self._lock, storage_errors(self.path, CALL_LOG):
            for statement in INDEXES:
                self._open.execute(statement)
            self._indexed = True

    def _append(self, row: tuple[Any, ...], size: int) -> None:
        with self._lock:
            self._rows.append(row)
            self._bytes += size
            if len(self._rows) >= self._buffer_rows or self._bytes >= _BUFFER_BYTES:
                self.flush()


def text_hash(text: str) -> str:
    """What stands for a text in the table of token counts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _error_json(error: PersonaeError) -> str:
    body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, EndpointError):
        body["transient"] = error.transient
    return json.dumps(body, sort_keys=True)


def _record(row: tuple[Any, ...], pictures: Mapping[str, bytes]) -> CallRecord:
    return CallRecord(
        seq=row[0],
        key=row[1],
        unit=row[2],
        verb=row[3],
        reference=row[4],
        tags=json.loads(row[5]),
        request=row[6],
        response=row[7],
        error=row[8],
        usage=Usage(1, row[9], row[10], row[11]),
        latency=row[12],
        attempt=row[13],
        cached=bool(row[14]),
        neutralised=row[15],
        server=json.loads(row[16]) if row[16] else {},
        form=row[17],
        faults=json.loads(row[18]) if row[18] else {},
        pictures=pictures,
    )
