"""One writer per run folder: an advisory lock that the system lets go of when its process dies."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path
from typing import Final

from personae.core import (
    RunLockedError,
    StorageError,
    naming_errors,
)

LOCK_FILE: Final = ".lock"
# A reader that asks "is somebody writing?" holds the lock for microseconds; that must not refuse a writer.
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 0.02


class RunLock:
    """Held from construction to `release` (or the death of the process)."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        with naming_errors(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._handle: int | None = handle
        try:
            _take(handle, path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two writers hold two locks."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def being_written(folder: Path) -> bool:
    """True when a live process holds the run."""
    path = folder / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(handle, path, exclusive=False)
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    for attempt in range(_TRIES):
        if _try_lock(handle, path, exclusive=True):
            break
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE_SECONDS)
    else:
        holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "unknown"
        who = "this same process" if holder.split(" ")[0] == str(os.getpid()) else f"process {holder}"
        raise RunLockedError(
            f"{path.parent}: the run is being written by {who}.",
            hint="Wait for it or stop it, or give another folder with --out.",
        )
    with naming_errors(path):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def _try_lock(handle: int, path: Path, *, exclusive: bool) -> bool:
    try:
        import fcntl
    except ImportError as error:
        raise StorageError(
            "run folders need POSIX file locks, which this system lacks.", hint="On Windows, run inside WSL."
        ) from error
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        raise StorageError(
            f"{path}: the file system refuses a lock ({error}).", hint="Give a local folder with --out."
        ) from error
    return True
