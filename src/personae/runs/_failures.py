"""What becomes of an exception that leaves a unit: a failure row, or the end of the execution."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from personae.core import (
    Boundary,
    CapabilityError,
    EndpointDownError,
    FailureRow,
    MissingError,
    ModelError,
    PersonaeError,
    RunFailedError,
    SchemaError,
    StorageError,
    VersionError,
    storage_error,
)
from personae.models import redact
from personae.runs._units import Unit

# No other unit would fare better: going on would only turn one mistake into a thousand failure rows.
_FATAL: Final = (MissingError, StorageError, CapabilityError, EndpointDownError, VersionError, RunFailedError)
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{6,}")
_MESSAGE_LIMIT: Final = 2000


def root_cause(error: BaseException) -> BaseException:
    """The one exception that a group is about: what stops a run first, then what interrupts, then the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [root_cause(e) for e in error.exceptions]
    for wanted in (_FATAL, (KeyboardInterrupt, SystemExit)):
        for leaf in leaves:
            if isinstance(leaf, wanted):
                return leaf
    return leaves[0]


def fatal(error: BaseException, folder: Path) -> PersonaeError | None:
    """The error that stops the run at once, or None when `error` concerns its unit alone."""
    cause = root_cause(error)
    return cause if isinstance(cause, _FATAL) else storage_error(cause, folder)


def failure_row(unit: Unit, error: BaseException, *, timeout: float | None = None) -> FailureRow:
    """The record of a failed unit. `timeout` is given when the unit ran out of it (seconds)."""
    cause = root_cause(error)
    if timeout is not None:
        boundary, code, text = "provider", "timeout", f"no result after {timeout:g} s"
    else:
        boundary, code = _crossed(cause), cause.code if isinstance(cause, PersonaeError) else type(cause).__name__
        text = str(cause) or type(cause).__name__
    return FailureRow(unit=unit.key, stage=unit.stage, boundary=boundary, code=code, message=_said(text))


def _crossed(error: BaseException) -> Boundary:
    if isinstance(error, (ModelError, TimeoutError, ConnectionError)):
        return "provider"
    if isinstance(error, (SchemaError, ValidationError, json.JSONDecodeError)):
        return "parse"
    return "user_code"


def _said(text: str) -> str:
    # An object's address would make two equal runs differ.
    plain = _ADDRESS.sub("0x…", redact(text)).encode("utf-8", "backslashreplace").decode()
    return plain if len(plain) <= _MESSAGE_LIMIT else f"{plain[: _MESSAGE_LIMIT - 1]}…"
