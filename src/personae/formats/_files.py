"""Files that appear at once or not at all, and an export folder that never loses what somebody else put there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias, cast

from personae.core import InputError, naming_errors, replace_file

CHECKSUMS: Final = "checksums.json"
_STAGING: Final = ".staging"
_Known: TypeAlias = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export. `rows` is None for files that hold no records."""

    name: str
    rows: int | None
    bytes: int
    sha256: str


class ExportFolder:
    """A folder being filled. Files are staged aside; `commit` puts all of them in place, or none.

    Ownership is by content: a file whose checksum is in the folder's `checksums.json`, or equals what is about to be
    written, is ours and may be replaced. Anything else is somebody's, and the commit is refused.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._staging = root / _STAGING
        self._rows: dict[str, int | None] = {}

    def __enter__(self) -> Self:
        with naming_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            _remove(self._staging)
            self._staging.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            _remove(self._staging)

    def stage(self, name: str) -> Path:
        """Where to write the file that will be called `name`."""
        self._rows.setdefault(name, None)
        (self._staging / name).parent.mkdir(exist_ok=True)
        return self._staging / name

    def done(self, name: str, rows: int | None) -> None:
        """Say how many records the staged file holds."""
        self._rows[name] = rows

    def staged(self) -> tuple[ExportedFile, ...]:
        """The staged files so far, with sizes and checksums."""
        with naming_errors(self._staging):
            return tuple(_describe(self._staging / name, name, rows) for name, rows in sorted(self._rows.items()))

    def commit(self) -> tuple[ExportedFile, ...]:
        """Put every staged file in place and write `checksums.json`.

        Raises:
            InputError: a file in the folder was not written by an export, or was changed since; nothing was replaced.
        """
        files = self.staged()
        known = _known(self.root / CHECKSUMS)
        foreign = [f.name for f in files if _is_foreign(self.root / f.name, {f.sha256, *known.get(f.name, ())})]
        if foreign:
            raise InputError(
                f"{self.root}: {', '.join(foreign)} would be overwritten, but no export of ours wrote "
                f"{'it' if len(foreign) == 1 else 'them'} as {'it is' if len(foreign) == 1 else 'they are'} now.",
                hint="Move the named files away, or export into another folder. Nothing was changed.",
            )
        # Killed between two renames, the folder still knows both versions of every file as its own.
        _write_checksums(self.root, files, known)
        with naming_errors(self.root):
            for file in files:
                (self.root / file.name).parent.mkdir(exist_ok=True)
                (self._staging / file.name).replace(self.root / file.name)
        _write_checksums(self.root, files, {})
        return files


def _write_checksums(root: Path, files: tuple[ExportedFile, ...], before: Mapping[str, set[str]]) -> None:
    body: dict[str, object] = {
        "schema_version": 1,
        "algorithm": "sha256",
        "files": {f.name: {"sha256": f.sha256, "bytes": f.bytes, "rows": f.rows} for f in files},
    }
    if before:
        body["replaced"] = {name: sorted(sums) for name, sums in sorted(before.items())}
    replace_file(root / CHECKSUMS, [json.dumps(body, indent=2, sort_keys=True).encode(), b"\n"])


def _known(path: Path) -> _Known:
    if not path.exists():
        return {}
    try:
        body = cast("dict[str, dict[str, object]]", json.loads(path.read_text(encoding="utf-8")))
        known: _Known = {n: {cast("dict[str, str]", entry)["sha256"]} for n, entry in body["files"].items()}
        for name, sums in body.get("replaced", {}).items():
            known.setdefault(name, set()).update(cast("list[str]", sums))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a list of checksums that an export wrote ({type(error).__name__}).",
            hint="Move it away, or export into another folder. Nothing was changed.",
        ) from error
    return known


def _is_foreign(path: Path, ours: set[str]) -> bool:
    if not path.exists() and not path.is_symlink():
        return False
    return not path.is_file() or path.is_symlink() or _describe(path, path.name, None).sha256 not in ours


def _describe(path: Path, name: str, rows: int | None) -> ExportedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(name, rows, path.stat().st_size, digest)


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        for item in folder.iterdir():
            if item.is_dir() and not item.is_symlink():
                _remove(item)
            else:
                item.unlink()
        folder.rmdir()
