"""Writing so that a reader sees the old file or the new one, and naming what the disk says in our own errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from personae.core import CorruptRunError, DiskFullError, PersonaeError, StorageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# SQLite calls a refused write (quota, file size limit) an I/O error and keeps FULL for ENOSPC alone.
_SQLITE_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
_SQLITE_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def storage_error(error: BaseException, path: Path) -> PersonaeError | None:
    """The StorageError that `error` means, or None when it is not about storage."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return _full(path, error)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code in _SQLITE_FULL or "is full" in str(error):
            return _full(path, error)
        if code in _SQLITE_BROKEN or "malformed" in str(error) or "not a database" in str(error):
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


def replace_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Make `path` hold what `write` writes: temporary file, fsync, rename, fsync of the folder. All or nothing."""
    temporary = path.with_name(f".{path.name}.tmp")
    with naming_errors(path):
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full(path: Path, error: BaseException) -> DiskFullError:
    return DiskFullError(
        f"{path}: cannot write, the disk or quota is full ({error}).",
        hint="Finished units are safe. Free some space and give the same command again: it goes on from there.",
    )
