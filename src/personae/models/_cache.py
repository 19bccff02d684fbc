"""The response cache: a user-level file that can be deleted at any time. The run's evidence is its call log, not this.

Every answer that a model gave is kept, unusable ones too: drawing again only where an answer was bad would bias
results.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from personae.core import ModelError
from personae.models._home import home_dir
from personae.models._keys import redact
from personae.models._sqlite import BUSY_SECONDS, FileKind, in_turn, is_locked, open_database, storage_errors

_Step: TypeAlias = Callable[[str], sqlite3.Cursor]
"""does one statement and waits for its turn"""

RESPONSES: Final = FileKind(
    name="response cache",
    version=1,
    # With rowids: answers are appended, and only the small index of keys is written at random places. Files made
    # WITHOUT ROWID have the same columns and work as they are.
    schema=("CREATE TABLE responses(key TEXT NOT NULL PRIMARY KEY, verb TEXT NOT NULL, response TEXT NOT NULL)",),
    remedy="Delete the file (it only saves time), or pass cache='off'.",
)

_KEEP_FIRST: Final = "INSERT OR IGNORE INTO responses(key, verb, response) VALUES (?,?,?)"
_OVERWRITE: Final = "INSERT OR REPLACE INTO responses(key, verb, response) VALUES (?,?,?)"
_CHECKPOINT_PAGES: Final = 4000
"""pages in the write-ahead log before they are moved into the file: the fewer times, the fewer waits for the disk"""


def cache_path() -> Path:
    """Where the user-level cache lives: `$PERSONAE_HOME/cache/responses.sqlite`, else under `~/.cache/personae`."""
    folder = home_dir()
    return (folder / "cache" if os.environ.get("PERSONAE_HOME") else folder) / "responses.sqlite"


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache holds. Sizes are bytes on disk; `log_bytes` is of the write-ahead log and its index."""

    path: Path
    verbs: Mapping[str, int]
    """answers by the verb that was asked"""
    file_bytes: int
    log_bytes: int
    free_share: float
    """pages of the file that hold nothing, from 0 to 1"""

    @property
    def entries(self) -> int:
        """Answers in all."""
        return sum(self.verbs.values())

    @property
    def bytes(self) -> int:
        """Bytes on disk in all."""
        return self.file_bytes + self.log_bytes


@dataclass(frozen=True, slots=True)
class CacheShrunk:
    """Bytes on disk before and after space was given back, and how many answers were deleted."""

    before: int
    after: int
    deleted: int = 0


class ResponseCache:
    """Answers by call key. Safe between threads and between processes.

    What `put` kept is in the file when it returns: a killed process loses nothing, only a power cut can lose the last
    answers.

    Raises:
        VersionError: the file is of another version (delete it).
        CorruptRunError: the file is damaged (delete it).
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path is not None else cache_path()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = open_database(self.path, RESPONSES)
        self._connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        # Whoever waits for another process does so between two tries, where other threads can look things up.
        self._connection.execute("PRAGMA busy_timeout=0")

    def get(self, key: str) -> str | None:
        """The stored answer, or None."""
        with storage_errors(self.path, RESPONSES):
            rows = in_turn(lambda: self._run("SELECT response FROM responses WHERE key = ?", key))
        return str(rows[0][0]) if rows else None

    def put(self, key: str, verb: str, response: str, *, overwrite: bool = False, wait: float = BUSY_SECONDS) -> None:
        """Keep an answer. The first one stays unless `overwrite`. Answers that hold a secret are not kept.

        Raises:
            StorageError: another process had the file locked for `wait` seconds, or the disk is full (DiskFullError).
        """
        with storage_errors(self.path, RESPONSES, waited=wait):
            in_turn(lambda: self._put(key, verb, response, overwrite=overwrite), wait)

    def put_at_once(self, key: str, verb: str, response: str, *, overwrite: bool = False) -> bool:
        """As `put`, but without waiting: False, and nothing kept, when another process is writing just now."""
        with storage_errors(self.path, RESPONSES):
            try:
                self._put(key, verb, response, overwrite=overwrite)
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
                return False
        return True

    def __len__(self) -> int:
        with storage_errors(self.path, RESPONSES):
            return int(in_turn(lambda: self._run("SELECT count(*) FROM responses"))[0][0])

    def info(self) -> CacheInfo:
        """What the cache holds. Every answer is counted: about half a second a million."""
        with storage_errors(self.path, RESPONSES):
            verbs = in_turn(lambda: self._run("SELECT verb, count(*) FROM responses GROUP BY verb ORDER BY verb"))
            pages = int(in_turn(lambda: self._run("PRAGMA page_count"))[0][0])
            free = int(in_turn(lambda: self._run("PRAGMA freelist_count"))[0][0])
        return CacheInfo(self.path, dict(verbs), _size(self.path), self._log_bytes(), free / max(1, pages))

    def vacuum(self, *, wait: float = BUSY_SECONDS) -> CacheShrunk:
        """Move the write-ahead log into the file, and give space that nothing uses back to the disk.

        Others go on reading meanwhile, and wait if they want to write. Needs as much free space as the file has bytes.

        Raises:
            StorageError: another process had the file locked for `wait` seconds.
        """
        before = self._bytes()
        with self._maintenance(wait) as step:
            _give_back(step)
        return CacheShrunk(before, self._bytes())

    def clear(self, *, wait: float = BUSY_SECONDS) -> CacheShrunk:
        """Delete every answer and give the space back. Others may go on using the file.

        Raises:
            StorageError: as for `vacuum`; answers may be deleted while the space is not yet given back.
        """
        before = self._bytes()
        with self._maintenance(wait) as step:
            deleted = step("DELETE FROM responses").rowcount
            _give_back(step)
        return CacheShrunk(before, self._bytes(), deleted)

    def close(self) -> None:
        """Close the file. Closing twice is allowed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _put(self, key: str, verb: str, response: str, *, overwrite: bool) -> None:
        if redact(response) == response:
            # One statement is one transaction: begun, committed or undone by SQLite itself.
            self._run(_OVERWRITE if overwrite else _KEEP_FIRST, key, verb, response)

    def _run(self, statement: str, *values: str) -> list[Any]:
        with self._lock:
            return self._open.execute(statement, values).fetchall()

    @contextmanager
    def _maintenance(self, wait: float) -> Generator[_Step]:
        """A connection apart, so that threads of this process can go on; each of its steps waits up to `wait` s."""
        with storage_errors(self.path, RESPONSES, waited=wait), closing(open_database(self.path, RESPONSES)) as own:
            own.execute(f"PRAGMA busy_timeout={int(1000 * wait)}")

            def step(statement: str) -> sqlite3.Cursor:
                return in_turn(lambda: _done(own.execute(statement)), wait)

            yield step

    def _bytes(self) -> int:
        return _size(self.path) + self._log_bytes()

    def _log_bytes(self) -> int:
        return sum(_size(self.path.with_name(self.path.name + end)) for end in ("-wal", "-shm"))

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ModelError(f"response cache {str(self.path)!r} is closed.", hint="Open the model again.")
        return self._connection


def _give_back(step: _Step) -> None:
    step("PRAGMA wal_checkpoint(TRUNCATE)")
    step("VACUUM")
    step("PRAGMA wal_checkpoint(TRUNCATE)")  # the smaller file went through the write-ahead log, too


def _done(cursor: sqlite3.Cursor) -> sqlite3.Cursor:
    """The cursor of a statement that was done; moving the log says in a row, not by an error, that it could not."""
    if cursor.description is not None and cursor.description[0][0] == "busy" and cursor.fetchone()[0]:
        raise sqlite3.OperationalError("database is locked")
    return cursor


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
