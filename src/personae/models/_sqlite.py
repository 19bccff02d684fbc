"""Opening the SQLite files of this room, and turning what SQLite reports into errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from personae.core import (
    CorruptRunError,
    DiskFullError,
    PersonaeError,
    StorageError,
    VersionError,
    is_damaged,
    is_disk_full,
)

BUSY_SECONDS: Final = 30.0
"""How long a writer waits for another one before it gives up."""

_TURN_SECONDS: Final = 0.005
_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.004
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of SQLite file: what it is called, its version and tables, and what to do about a bad one."""

    name: str
    version: int
    schema: tuple[str, ...]
    remedy: str
    page_size: int = 4096
    """bytes; rows are long, and larger pages waste less of their ends"""


def open_database(path: Path, kind: FileKind, *, read_only: bool = False) -> sqlite3.Connection:
    """Open (or make) `path` in WAL mode; transactions are begun by hand.

    Raises:
        VersionError: the file is of another version, or of another kind.
        CorruptRunError: the file is not a database, or damaged.
        StorageError: it cannot be opened.
    """
    with storage_errors(path, kind):
        if read_only:
            place = f"{path.resolve().as_uri()}?mode=ro"
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            place = path.resolve().as_uri()
        connection = sqlite3.connect(
            place, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    try:
        with storage_errors(path, kind):
            _prepare(connection, path, kind, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def is_locked(error: sqlite3.Error) -> bool:
    """Does this error say that another connection has the file for itself just now?"""
    return "database is locked" in str(error)


def in_turn(attempt: Callable[[], _Answer], seconds: float = BUSY_SECONDS) -> _Answer:
    """Do `attempt`, again and again for at most `seconds` while another connection has the file locked.

    SQLite's own wait sleeps up to 0.1 s at a time and in step with others; these pauses are short and of uneven length.
    """
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            return attempt()
        except sqlite3.Error as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        time.sleep(pause * (0.5 + os.urandom(1)[0] / 255))
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def storage_errors(path: Path, kind: FileKind, *, waited: float = BUSY_SECONDS) -> Generator[None]:
    """Translate SQLite and file errors about `path`; `waited` seconds were spent on a lock, if it is one."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path, kind, waited) from error
    except OSError as error:
        raise StorageError(f"{kind.name} {str(path)!r} cannot be opened: {error.strerror or error}.") from error


def _prepare(connection: sqlite3.Connection, path: Path, kind: FileKind, *, read_only: bool) -> None:
    connection.execute("BEGIN")  # both numbers from one moment: another process may be making the tables
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    connection.execute("COMMIT")
    if found == 0 and tables == 0 and not read_only:
        connection.execute(f"PRAGMA page_size={kind.page_size}")
        _begin_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables while we waited for the lock.
        if int(connection.execute("PRAGMA user_version").fetchone()[0]) == 0:
            for statement in kind.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={kind.version}")
        connection.execute("COMMIT")
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found != kind.version:
        raise VersionError(
            f"{kind.name} {str(path)!r} is of version {found}, this release reads and writes version {kind.version}.",
            hint=kind.remedy,
        )
    if not read_only:
        # NORMAL: a killed process loses nothing; only a power cut can lose the last transactions.
        connection.execute("PRAGMA synchronous=NORMAL")


def _begin_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for its turn here, so several processes that make one file have to."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_TURN_SECONDS)
        else:
            return


def _translated(error: sqlite3.Error, path: Path, kind: FileKind, waited: float) -> PersonaeError:
    words = str(error)
    if is_disk_full(error):
        return DiskFullError(
            f"{kind.name} {str(path)!r}: the disk is full.", hint="Free some space, then run the same command again."
        )
    if is_damaged(error) or "no such table" in words or "no such column" in words:
        return CorruptRunError(f"{kind.name} {str(path)!r} is damaged: {words}.", hint=kind.remedy)
    if "locked" in words:
        return StorageError(
            f"{kind.name} {str(path)!r} was locked by another process for {waited:g} s.",
            hint="Wait for the other process to end, or choose another file.",
        )
    return StorageError(f"{kind.name} {str(path)!r}: {words}.", hint=kind.remedy)
