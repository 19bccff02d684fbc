"""Files appear whole or not at all, and what the disk says is named."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from personae.core import (
    CorruptRunError,
    DiskFullError,
    InputError,
    StorageError,
    naming_errors,
    replace_file,
    storage_error,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_file_is_replaced_and_missing_folders_are_made(tmp_path: Path) -> None:
    path = replace_file(tmp_path / "a" / "b" / "c.txt", [b"one", memoryview(b" two")])
    assert contents(path.parent) == {"c.txt": b"one two"}
    replace_file(path, (part for part in (b"three",)))
    assert contents(path.parent) == {"c.txt": b"three"}


@pytest.mark.parametrize("step", ["fsync", "replace", "parts"])
def test_whatever_fails_the_old_file_stays_and_no_draft_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = replace_file(tmp_path / "f.txt", [b"old"])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def parts() -> Iterator[bytes]:
        yield b"new"
        if step == "parts":
            full()

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    if step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiskFullError, match="No space left"):
        replace_file(path, parts())
    assert contents(tmp_path) == {"f.txt": b"old"}


def test_a_refused_write_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from personae.core import DiskFullError, replace_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    replace_file(Path(sys.argv[1]), [b'x' * 5000])\n"
        "except DiskFullError as error:\n"
        "    print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "f")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "disk_full"
    assert contents(tmp_path) == {}


def test_other_refusals_are_storage_errors_and_ours_pass(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x", "utf-8")
    with pytest.raises(StorageError, match="taken"):
        replace_file(tmp_path / "taken" / "f", [b"x"])
    with pytest.raises(InputError, match="ours"), naming_errors(tmp_path):
        raise InputError("ours")
    with pytest.raises(ValueError, match="theirs"), naming_errors(tmp_path):
        raise ValueError("theirs")


def test_what_sqlite_reports_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"no database at all, " * 200)
    with pytest.raises(CorruptRunError, match="damaged"), naming_errors(path):
        sqlite3.connect(path).execute("SELECT 1 FROM t")
    small = sqlite3.connect(":memory:")
    small.execute("PRAGMA max_page_count=2")
    small.execute("CREATE TABLE t(x)")
    with pytest.raises(DiskFullError), naming_errors(path):
        small.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * 10)
    small.close()
    assert storage_error(sqlite3.OperationalError("no such table: t"), path) is None
    assert storage_error(KeyError("x"), path) is None
