"""A virtual environment for each peer, with pinned versions, made once under the benchmark's home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OPENAI = "openai==3.57.0"


@dataclass(frozen=True)
class Peer:
    """A library that is measured beside ours."""

    name: str
    title: str
    driver: str
    requires: tuple[str, ...]
    jobs: tuple[str, ...]
    python: tuple[int, int] = (3, 11)
    """Oldest Python that the pinned version takes."""


PEERS = {
    peer.name: peer
    for peer in (
        Peer("plain", "openai client, sequential", "peer_plain.py", (OPENAI,), ("survey", "dialogue")),
        Peer("edsl", "EDSL 1.0.9", "peer_edsl.py", ("edsl==1.0.9", OPENAI), ("survey",)),
        Peer("inspect", "inspect_ai 0.3.285", "peer_inspect.py", ("inspect-ai==0.3.285", OPENAI), ("survey",)),
        Peer(
            "concordia",
            "Concordia 2.4.0",
            "peer_concordia.py",
            ("gdm-concordia==2.4.0", OPENAI),
            ("dialogue",),
            (3, 12),
        ),
    )
}


class CannotRunError(Exception):
    """A peer that cannot be installed or run here; the message says why in one line."""


def bench_home() -> Path:
    """Where environments and last results are kept: `$PERSONAE_BENCH_HOME`, else `~/.cache/personae/bench`."""
    given = os.environ.get("PERSONAE_BENCH_HOME")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "personae" / "bench"


def venv_python(peer: Peer) -> Path:
    """The interpreter of the peer's environment, which is made when it is not there.

    Raises:
        CannotRunError: it could not be made.
    """
    folder = bench_home() / peer.name
    python, mark = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(peer.requires)
    if mark.exists() and mark.read_text() == wanted and python.exists():
        return python
    print(f"installing {peer.title} into its own environment …", file=sys.stderr, flush=True)
    base = _interpreter(peer.python)
    mark.unlink(missing_ok=True)
    _do([base, "-m", "venv", str(folder)])
    _do([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requires])
    mark.write_text(wanted)
    return python


def _do(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = [row for row in done.stderr.splitlines() if row.strip() and not row.startswith("WARNING")]
        raise CannotRunError((told[-1] if told else f"exit code {done.returncode}")[:200])


def _interpreter(oldest: tuple[int, int]) -> str:
    """A Python that is new enough: this one, else one on the PATH or under pyenv that really starts."""
    if sys.version_info[:2] >= oldest:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(oldest[1], oldest[1] + 3)]
    shelf = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [path for name in names if (path := shutil.which(name))]
    found += [str(path) for name in names for path in sorted(shelf.glob(f"*/bin/{name}"))]
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    raise CannotRunError(f"needs Python {oldest[0]}.{oldest[1]} or newer, and none was found")
