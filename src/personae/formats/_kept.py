"""A file of people imported into one of ours, so that nobody has to be read twice when it ends in the middle.

People are kept beside the file to write, in `OUT.partial/`: `people.jsonl`, `rejected.jsonl` and `state.json`, which
says how many records they come from and the digest of those. A row that does not fit, Ctrl-C or a kill leaves them.
The next call with the same file, format and mapping reads past as many records, compares their digest, and goes on.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
from pydantic import ValidationError

from personae import __version__
from personae.core import Consent, Frozen, InputError, Persona, content_id, naming_errors, replace_file
from personae.formats._exporters import check_target, export_people
from personae.formats._importers import PeopleImport, import_people
from personae.formats._lines import json_line, read_people
from personae.formats._mapping import PeopleMapping, load_mapping

EVERY: Final = 20_000
"""records between two states on disk: what a kill can cost"""
_PEOPLE: Final = "people.jsonl"
_REJECTED: Final = "rejected.jsonl"
_STATE: Final = "state.json"
_ID: Final = slice(10, 26)
"""where the content id stands in a line of ours"""
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What an import read and wrote. `resumed` is how many people were there already; `anew` says why none were."""

    path: Path
    format: str
    reason: str
    people: int
    rejected: int
    twice: int
    resumed: int
    anew: str | None
    rejected_path: Path | None


class _State(Frozen):
    """How far an import came."""

    schema_version: int = 1
    settings: str
    """content id of what an import is of: path, format, mapping, consent"""
    records: int
    digest: str
    """sha256 of the bytes of these records"""
    people: int
    rejected: int
    people_bytes: int
    rejected_bytes: int


def import_file(
    path: str | Path,
    out: str | Path,
    format: str = "auto",  # noqa: A002 - the word users know
    mapping: PeopleMapping | str | Path | None = None,
    *,
    rejected: str | Path | None = None,
    consent: Consent | None = None,
    resume: bool = False,
) -> ImportedFile:
    r"""Read people as `import_people` does and write them to `out`, which appears whole; till then they are kept.

    The file may be mended behind the records that were read: before, it has to be as it was.

    Args:
        path: a file, a folder of files of one format, or a dataset folder.
        out: `.jsonl`, `.json`, `.yaml`, `.parquet`, `.csv`, or a folder for a dataset.
        format: as for `import_people`.
        mapping: as for `import_people`.
        rejected: go on after rows that do not fit and write them here; None: stop at the first.
        consent: as for `import_people`.
        resume: insist on going on; by default an import goes on where it can and begins anew where it cannot.

    Raises:
        InputError: as `import_people`; with `resume`, nothing is kept or it does not belong to this file.
        SchemaError: a row does not fit (without `rejected`): file, line and what is wrong. What was read is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Path(folder) / "t.csv"
        ...     _ = table.write_text("names.full,social.age\nAna,58\nBo,old\n")
        ...     try:
        ...         import_file(table, Path(folder) / "people.jsonl")
        ...     except InputError:
        ...         _ = table.write_text("names.full,social.age\nAna,58\nBo,41\n")
        ...     done = import_file(table, Path(folder) / "people.jsonl", resume=True)
        >>> done.people, done.resumed
        (2, 1)
    """
    target, source = Path(out), Path(path)
    check_target(target)
    if mapping is not None and not isinstance(mapping, PeopleMapping):
        mapping = load_mapping(mapping)
    folder = target.with_name(f"{target.name}.partial")
    opened = partial(
        import_people, source, format, mapping, on_error="stop" if rejected is None else "report",
        rejected=folder / _REJECTED, consent=consent,
    )  # fmt: skip
    people = opened()
    settings = _settings(people.format, mapping, consent)
    kept, anew = _load(folder, settings, rejecting=rejected is not None)
    if kept is not None and not (people.pass_over(kept.records) and people.digest == kept.digest):
        people.close()
        anew = f"{source} changed within the {kept.records:,} records that were read"
        people, kept = opened(), None
    if kept is None and resume:
        told = anew or "nothing is kept there"
        raise InputError(f"{folder}: {told}.", hint="Leave out resume (--resume) to begin anew.")
    with people, _Keeping(folder, people, settings, kept) as keeping:
        keeping.write(target)
    report = None if rejected is None or keeping.rejected == 0 else Path(rejected)
    if report is not None:
        replace_file(report, _chunks(folder / _REJECTED))
    _clear(folder)
    return ImportedFile(
        target, people.format, people.reason, keeping.people, keeping.rejected, came_before(keeping.ids),
        kept.people if kept else 0, anew, report,
    )  # fmt: skip


def came_before(ids: array[int]) -> int:
    """How many of these 64-bit numbers came before."""
    numbers = np.sort(np.frombuffer(ids, dtype=np.uint64)) if ids else np.empty(0, dtype=np.uint64)
    return int((numbers[1:] == numbers[:-1]).sum())


class _Keeping:
    """People on their way to the disk, with what has to be known to go on after any record."""

    def __init__(self, folder: Path, source: PeopleImport, settings: str, kept: _State | None) -> None:
        self.ids = array("Q")
        self._before = (kept.people, kept.rejected) if kept else (0, 0)
        self._folder = folder
        self._told = folder / _PEOPLE
        self._source = source
        self._settings = settings
        self._kept = kept

    @property
    def people(self) -> int:
        """How many there are so far, kept ones included."""
        return self._before[0] + self._source.people

    @property
    def rejected(self) -> int:
        """Rows left out so far, kept ones included."""
        return self._before[1] + self._source.rejected

    def __enter__(self) -> Self:
        with naming_errors(self._folder):
            if self._kept is None:
                _clear(self._folder)
                self._folder.mkdir(parents=True, exist_ok=True)
            else:
                _cut(self._folder / _REJECTED, self._kept.rejected_bytes)
                _cut(self._told, self._kept.people_bytes)
                with self._told.open("rb") as lines:
                    self.ids.extend(int(line[_ID], 16) for line in lines)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._source.records == 0 and error is not None:
            _clear(self._folder)

    def write(self, target: Path) -> None:
        """Everybody into the file, which appears whole."""
        with naming_errors(self._told), self._told.open("ab") as file:
            try:
                if target.suffix.lower() != ".jsonl":
                    export_people(self._everybody(file), target)
                    return
                for _ in self._read(file):
                    pass
                self._save(file)
                self._told.replace(target)
            except InputError as error:
                if self._source.records == 0:
                    raise
                self._save(file)
                raise type(error)(error.message, hint=self._hint(error)) from error

    def _everybody(self, file: IO[bytes]) -> Iterator[Persona]:
        """Those that were kept, then the others."""
        if self._kept is not None:
            yield from read_people(self._told)
        yield from self._read(file)

    def _read(self, file: IO[bytes]) -> Iterator[Persona]:
        """The people that are still to be read; each is written down before it is handed on."""
        for found in self._source.by_record():
            for person in found:
                line = json_line(person.dump()).encode()
                file.write(line + b"\n")
                self.ids.append(int(line[_ID], 16))
            if self._source.records % EVERY == 0:
                self._save(file)
            yield from found

    def _save(self, file: IO[bytes]) -> None:
        """Say on disk how far it came. Only between two records: what is written down is what was read."""
        file.flush()
        os.fsync(file.fileno())
        log = self._folder / _REJECTED
        state = _State(
            settings=self._settings, records=self._source.records, digest=self._source.digest, people=self.people,
            rejected=self.rejected, people_bytes=file.tell(), rejected_bytes=log.stat().st_size if log.exists() else 0,
        )  # fmt: skip
        replace_file(self._folder / _STATE, [state.model_dump_json(indent=2).encode()])

    def _hint(self, error: InputError) -> str:
        told = f"{error.hint} " if error.hint else ""
        return (
            f"{told}The {self.people:,} people before it are kept in {self._folder}: mend the file and give the same "
            "command again (--resume), or leave such rows out (--rejected FILE)."
        )


def _settings(format: str, mapping: PeopleMapping | None, consent: Consent | None) -> str:  # noqa: A002
    told = [m.model_dump(mode="json") if m is not None else None for m in (mapping, consent)]
    return content_id("import", [__version__, format, *told])


def _load(folder: Path, settings: str, *, rejecting: bool) -> tuple[_State | None, str | None]:
    """What is kept and fits, or why it does not."""
    if not (folder / _STATE).exists():
        return None, None
    try:
        state = _State.model_validate_json((folder / _STATE).read_bytes())
    except (OSError, ValidationError):
        return None, f"{_STATE} cannot be read"
    if state.settings != settings:
        return None, "what is kept was read with another format, mapping or release"
    if state.rejected and not rejecting:
        return None, f"{state.rejected:,} rows were left out so far, and now none may be"
    for name, size in ((_PEOPLE, state.people_bytes), (_REJECTED, state.rejected_bytes)):
        if size and (not (folder / name).is_file() or (folder / name).stat().st_size < size):
            return None, f"{name} is shorter than it was"
    return state, None


def _cut(path: Path, size: int) -> None:
    """Without what was written after the last state."""
    if path.exists():
        os.truncate(path, size)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _clear(folder: Path) -> None:
    """Without our own files; the folder stays when there is something else in it."""
    for name in (_PEOPLE, _REJECTED, _STATE):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
