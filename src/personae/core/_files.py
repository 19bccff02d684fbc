"""Files that a reader sees old or new, never half, and what the disk says in our own errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from personae.core._errors import CorruptRunError, DiskFullError, PersonaeError, StorageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# SQLite calls a refused write (quota, file size limit) an I/O error and keeps FULL for a full disk alone.
_SQLITE_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
_SQLITE_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

FREE_SPACE: Final = "Whatever was finished is safe. Free some space and give the same command again."


def is_disk_full(error: BaseException) -> bool:
    """Does this error of the system or of SQLite say that nothing more can be written?"""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL or "is full" in str(error)
    return isinstance(error, OSError) and error.errno in _FULL


def is_damaged(error: BaseException) -> bool:
    """Does this error of SQLite say that its file is no database, or a broken one?"""
    if not isinstance(error, sqlite3.Error):
        return False
    words = str(error)
    known = getattr(error, "sqlite_errorcode", None) in _SQLITE_BROKEN
    return known or "malformed" in words or "not a database" in words


def storage_error(error: BaseException, path: Path) -> StorageError | None:
    """The full disk or the damaged file that `error` means, or None when it means neither."""
    if is_disk_full(error):
        return DiskFullError(f"{path}: cannot write, the disk or quota is full ({error}).", hint=FREE_SPACE)
    if is_damaged(error):
        return CorruptRunError(
            f"{path}: the file is damaged ({error}).",
            hint="Restore it from a copy, or delete the run folder and run again; "
            "the Parquet files under tables/ stay readable by themselves.",
        )
    return None


@contextmanager
def naming_errors(path: Path) -> Generator[None]:
    """Turn what the operating system and SQLite raise about `path` into StorageErrors.

    Raises:
        DiskFullError: nothing more can be written.
        CorruptRunError: SQLite cannot read the file.
        StorageError: anything else the system refuses.
    """
    try:
        yield
    except PersonaeError:
        raise
    except (OSError, sqlite3.Error) as error:
        known = storage_error(error, path)
        if known is not None:
            raise known from error
        raise StorageError(f"{path}: {error}.", hint="Check that the folder exists and may be written.") from error


def replace_file(path: Path, parts: Iterable[bytes | memoryview]) -> Path:
    """Make `path` hold `parts`: temporary file beside it, fsync, rename, fsync of the folder. Missing folders are made.

    Raises:
        DiskFullError: nothing more can be written; the old file (if any) is untouched.
        StorageError: any other failure of the file system.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder) / "new" / "a.txt", [b"one ", b"two"]).read_bytes()
    b'one two'
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    return path


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
