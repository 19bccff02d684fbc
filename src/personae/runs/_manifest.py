"""The manifest: what was asked, by which fingerprint a resume is recognised, and how far the run is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field, ValidationError

from personae.core import (
    CorruptRunError,
    Frozen,
    InputError,
    VersionError,
    canonical_json,
    naming_errors,
    replace_file,
    schema_error,
    sha256_hex,
    upgrade,
)
from personae.models import Determinism, Usage
from personae.runs._environment import Environment, without_secrets

MANIFEST_FILE: Final = "manifest.json"
MANIFEST_VERSION: Final = 1
_BEFORE: Final = 20
"""characters shown before long texts part"""
DEFAULT_EXCLUDES: Final = ("concurrency", "out", "progress")

RunState: TypeAlias = Literal["running", "completed", "failed", "interrupted"]


class UsageTotals(Frozen):
    """Calls and tokens."""

    calls: int = 0
    prompt: int = 0
    prefilled: int = 0
    generated: int = 0

    @classmethod
    def of(cls, usage: Usage) -> UsageTotals:
        """Stored form of a Usage."""
        return cls(calls=usage.calls, prompt=usage.prompt, prefilled=usage.prefilled, generated=usage.generated)


class StageRecord(Frozen):
    """How the last execution of one stage ended."""

    state: RunState
    done: int = 0
    """units done, now or before"""
    failed: int = 0
    failure_limit: float = 1.0
    """largest share of failed units with which the stage counts as completed"""
    reason: str | None = None

    @property
    def failure_share(self) -> float:
        """Failed units over units seen."""
        seen = self.done + self.failed
        return self.failed / seen if seen else 0.0


class Fingerprint(Frozen):
    """What makes two runs the same run."""

    sha256: str
    excludes: tuple[str, ...]
    """dotted names in the spec that do not count"""


class Manifest(Frozen):
    """`manifest.json` of a run folder."""

    kind: Literal["personae-run"] = "personae-run"
    schema_version: Literal[1] = MANIFEST_VERSION
    study: str
    seed: int
    determinism: Determinism
    model: Any
    """model fingerprint (JSON), or a name; None when no model is asked"""
    spec: dict[str, Any]
    fingerprint: Fingerprint
    state: RunState = "running"
    reason: str | None = None
    created: str
    """UTC, ISO 8601, as all times here"""
    started: str
    """when the last session began"""
    finished: str | None = None
    sessions: int = Field(default=1, ge=1)
    """times the folder was opened for writing"""
    seconds: float = 0.0
    """time spent executing, over all sessions"""
    stages: dict[str, StageRecord] = Field(default_factory=dict[str, StageRecord])
    units_done: int = 0
    units_failed: int = 0
    usage: UsageTotals = UsageTotals()
    environment: Environment

    @property
    def failure_share(self) -> float | None:
        """Failed units over all units that ran; None when none did."""
        ran = self.units_done + self.units_failed
        return self.units_failed / ran if ran else None


def now() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as JSON holds it, secrets hidden.

    Raises:
        InputError: it holds something JSON cannot say.
    """
    try:
        return without_secrets(json.loads(canonical_json(spec)))
    except (TypeError, ValueError) as error:
        raise InputError(f"the run's spec cannot be stored as JSON: {error}.", hint="Give plain values.") from error


def fingerprint(asked: Mapping[str, Any], excludes: Sequence[str]) -> Fingerprint:
    """Fingerprint of what was asked (see `asked_of`)."""
    names = tuple(sorted(set(excludes)))
    return Fingerprint(sha256=sha256_hex({"version": MANIFEST_VERSION, **_counting(asked, names)}), excludes=names)


def asked_of(manifest: Manifest) -> dict[str, Any]:
    """The part of a manifest that the fingerprint covers."""
    names = ("study", "seed", "determinism", "model", "spec")
    return {name: getattr(manifest, name) for name in names}


def check_same(manifest: Manifest, asked: Mapping[str, Any], wanted: Fingerprint, path: Path) -> None:
    """Make sure that `asked` is what the run was begun with.

    Raises:
        InputError: it is not; says which fields differ.
    """
    old, new = _counting(asked_of(manifest), wanted.excludes), _counting(asked, wanted.excludes)
    differing = sorted(k for k in {*old, *new} if old.get(k, _ABSENT) != new.get(k, _ABSENT))
    if not differing:
        return
    shown = [f"{name}: {_apart(old.get(name, _ABSENT), new.get(name, _ABSENT))}" for name in differing[:8]]
    more = f" and {len(differing) - 8} more" if len(differing) > 8 else ""
    raise InputError(
        f"{path}: the folder holds another run; these fields differ: {'; '.join(shown)}{more}.",
        hint="Give the same settings to go on with it, or another folder with --out.",
    )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    Raises:
        InputError: `folder` is not a run folder.
        VersionError: written by a release with another layout.
        CorruptRunError: the manifest cannot be read.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        what = "it has no manifest.json" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{str(folder)!r} is not a run folder: {what}.", hint="Give the folder that --out named.")
    with naming_errors(path):
        data = path.read_bytes()
    try:
        body = json.loads(data)
    except ValueError as error:
        raise CorruptRunError(f"{path}: not JSON ({error}).", hint="Restore it, or run into a new folder.") from error
    if not isinstance(body, dict) or body.get("kind") != "personae-run":
        raise InputError(f"{path}: not the manifest of a run.", hint="Give the folder that --out named.")
    if "schema_version" not in body:
        raise VersionError(f"{path}: no schema_version, expected a whole number up to {MANIFEST_VERSION}.")
    body = upgrade("run", body, MANIFEST_VERSION, where=str(path))
    try:
        return Manifest.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=str(path)) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest: old or new, never half."""
    data = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False).encode()
    replace_file(folder / MANIFEST_FILE, [data])


_ABSENT: Final = object()


def _counting(asked: Mapping[str, Any], excludes: Sequence[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    _flatten(asked, "", flat)
    skipped = tuple(f"spec.{name}" for name in excludes)
    return {k: v for k, v in flat.items() if not any(k == s or k.startswith(f"{s}.") for s in skipped)}


def _flatten(value: Any, name: str, into: dict[str, Any]) -> None:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else str(key), into)
    else:
        into[name] = value


def _apart(old: object, new: object) -> str:
    """Two values, long texts from where they part."""
    if isinstance(old, str) and isinstance(new, str):
        same = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        start = same - _BEFORE
        if start > _BEFORE:
            old, new = f"…{old[start:]}", f"…{new[start:]}"
    return f"{_short(old)} → {_short(new)}"


def _short(value: object) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
