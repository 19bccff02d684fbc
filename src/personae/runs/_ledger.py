"""The reading half of the store: which units are done, and the rows they left.

`units.sqlite` holds done markers and the newest rows as JSON; older rows lie in Parquet parts that it names. Files that
no transaction names do not exist.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from personae.core import (
    CorruptRunError,
    StorageError,
    VersionError,
    naming_errors,
)
from personae.runs._columns import Layout
from personae.runs._parts import BATCH_ROWS, Part, UnitIds, read_part

if TYPE_CHECKING:
    import pyarrow as pa

STORE_FILE: Final = "units.sqlite"
STORE_VERSION: Final = 1
DONE: Final = 1
FAILED: Final = 2

_SCHEMA: Final = """
CREATE TABLE units (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, stage TEXT NOT NULL,
    state INTEGER NOT NULL, session INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE tables (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, layout TEXT NOT NULL, next_part INTEGER NOT NULL);
CREATE TABLE staged (id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, unit INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE parts (
    tbl INTEGER NOT NULL, number INTEGER NOT NULL, rows INTEGER NOT NULL, size INTEGER NOT NULL,
    sha256 TEXT NOT NULL, units BLOB NOT NULL, PRIMARY KEY (tbl, number));
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is committed about a unit. `session` is the execution that committed it."""

    id: int
    failed: bool
    session: int


@dataclass(slots=True)
class StoredTable:
    """One evidence table: its columns, and how much of it is staged."""

    id: int
    layout: Layout
    saved: bool
    next_part: int = 0
    staged_rows: int = 0
    staged_size: int = 0
    """characters of JSON"""


class Ledger:
    """Rows and done markers of one run folder, for reading (`read_only`) or, as a Store, for writing too."""

    def __init__(self, folder: Path, *, read_only: bool = True) -> None:
        self.folder = folder
        self.path = folder / STORE_FILE
        self.read_only = read_only
        self._lock = RLock()
        self._tables: dict[str, StoredTable] = {}
        with naming_errors(self.path):
            self._db = self._connect()
            try:
                self._prepare()
                self._load()
            except BaseException:
                self._db.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        if not self.read_only:
            return _open(str(self.path))
        if not self.path.is_file():
            raise CorruptRunError(
                f"{self.path}: the file is missing.", hint="Restore it, or run again into a new folder."
            )
        address = self.path.resolve().as_uri() + "?mode=ro"
        db = _open(address)
        try:
            db.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # A read-only file system cannot hold the shared memory of a WAL; without a writer none is needed.
            db.close()
            if self.path.with_name(f"{STORE_FILE}-wal").exists():
                raise
            db = _open(f"{address}&immutable=1")
        return db

    def _prepare(self) -> None:
        db = self._db
        if not self.read_only:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA temp_store=MEMORY")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self.read_only:
            with self._transaction():
                for statement in _SCHEMA.strip().split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={STORE_VERSION}")
        elif version != STORE_VERSION:
            raise VersionError(
                f"{self.path}: store version {version!r}, this release reads {STORE_VERSION}.",
                hint="Use the release that wrote the run, or run again into a new folder.",
            )

    def _load(self) -> None:
        rows = self._db.execute("SELECT id, name, layout, next_part FROM tables").fetchall()
        self._tables = {
            name: StoredTable(id_, Layout.from_json(name, layout), saved=True, next_part=next_part)
            for id_, name, layout, next_part in rows
        }
        self._count_staged()

    def _count_staged(self) -> None:
        query = "SELECT tbl, count(*), sum(length(body)) FROM staged GROUP BY tbl"
        counts = {tbl: (n, size) for tbl, n, size in self._db.execute(query)}
        for table in self._tables.values():
            table.staged_rows, table.staged_size = counts.get(table.id, (0, 0))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def lookup(self, key: str) -> Known | None:
        """What is committed about the unit `key`."""
        row = self._db.execute("SELECT id, state, session FROM units WHERE key = ?", (key,)).fetchone()
        return None if row is None else Known(row[0], row[1] == FAILED, row[2])

    def counts(self, stage: str | None = None) -> tuple[int, int]:
        """Done and failed units, of all stages or one."""
        query = "SELECT state, count(*) FROM units WHERE ? IS NULL OR stage = ? GROUP BY state"
        with naming_errors(self.path):
            found = dict(self._db.execute(query, (stage, stage)).fetchall())
        return found.get(DONE, 0), found.get(FAILED, 0)

    def keys(self, *, failed: bool = False, stage: str | None = None) -> Iterator[str]:
        """Keys of done (or failed) units, in key order."""
        query = "SELECT key FROM units WHERE state = ? AND (? IS NULL OR stage = ?) ORDER BY key"
        with naming_errors(self.path), closing(self._db.cursor()) as cursor:
            for (key,) in cursor.execute(query, (FAILED if failed else DONE, stage, stage)):
                yield key

    def tables(self) -> dict[str, int]:
        """Row counts by table; tables without rows are left out."""
        query = (
            "SELECT name, (SELECT count(*) FROM staged WHERE tbl = t.id)"
            " + (SELECT coalesce(sum(rows), 0) FROM parts WHERE tbl = t.id) FROM tables t ORDER BY name"
        )
        with naming_errors(self.path):
            return {name: n for name, n in self._db.execute(query) if n}

    def layout(self, table: str) -> Layout | None:
        """Columns of a table; None when it never had a row."""
        if self.read_only and table not in self._tables:
            with naming_errors(self.path):
                self._load()
        found = self._tables.get(table)
        return None if found is None else found.layout

    def parts(self, table: str) -> list[Part]:
        """The parts that hold the table's older rows."""
        query = (
            "SELECT number, rows, size, sha256, units FROM parts JOIN tables ON tables.id = tbl"
            " WHERE name = ? ORDER BY number"
        )
        return [Part(table, *row) for row in self._db.execute(query, (table,)).fetchall()]

    def snapshot(self, table: str) -> tuple[list[Part], list[str]]:
        """Parts and staged rows (JSON texts) of a table, at one moment."""
        query = "SELECT body FROM staged JOIN tables ON tables.id = tbl WHERE name = ? ORDER BY staged.id"
        with self._lock, naming_errors(self.path):
            self._db.execute("BEGIN")
            try:
                staged = [body for (body,) in self._db.execute(query, (table,)).fetchall()]
                return self.parts(table), staged
            finally:
                self._db.execute("COMMIT")

    def stream(self, table: str) -> Iterator[dict[str, Any]]:
        """Rows of a table in the order they were committed, a part at a time in memory.

        Raises:
            CorruptRunError: a part is damaged.
        """
        layout = self.layout(table)
        if layout is None:
            return
        parts, staged = self.snapshot(table)
        for part in parts:
            for batch in read_part(self.folder, part, layout, self.names).to_batches(max_chunksize=BATCH_ROWS):
                yield from layout.from_arrow(batch.to_pylist())
        for body in staged:
            yield json.loads(body)

    def arrow(self, table: str) -> pa.Table:
        """A whole table, sorted by unit; the rows of a unit stay in the order it returned them.

        Raises:
            CorruptRunError: a part is damaged.
        """
        import pyarrow as pa

        layout = self.layout(table)
        if layout is None:
            return pa.table({})
        parts, staged = self.snapshot(table)
        pieces = [read_part(self.folder, part, layout, self.names) for part in parts]
        newest = [layout.to_arrow([json.loads(body) for body in staged])] if staged else []
        whole = pa.concat_tables([*pieces, pa.Table.from_batches(newest, schema=layout.schema())])
        return whole.sort_by([("unit", "ascending")])

    def names(self, ids: UnitIds) -> list[str]:
        """Keys of units by id."""
        query = "SELECT key FROM units WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        return [key for (key,) in self._db.execute(query, (json.dumps(ids.tolist()),))]

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Generator[None]:
        """All or nothing. `durable` also survives a power cut: needed before a file that held rows is deleted."""
        if self.read_only:
            raise StorageError(f"{self.folder}: opened for reading only.", hint="Open it with Run.create_or_resume.")
        if durable:
            self._db.execute("PRAGMA synchronous=FULL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        finally:
            if durable:
                self._db.execute("PRAGMA synchronous=NORMAL")


def _open(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address,
        uri=address.startswith("file:"),
        isolation_level=None,
        # A sync twin runs the executor in a thread of its own; the store's lock keeps transactions apart.
        check_same_thread=False,
        timeout=30,
    )
