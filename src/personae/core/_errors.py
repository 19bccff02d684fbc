"""The error tree. Every failure a user can meet is one of these.

    PersonaeError                 root; carries `code` (stable, for scripts), `exit_code`, `hint`
    ├── InputError                what the user gave is wrong                        exit 2
    │   ├── SchemaError           a document does not fit its schema
    │   ├── UnknownKeyError       a key nobody knows; suggests the nearest
    │   ├── VersionError          a file of a schema version we cannot read
    │   ├── ConsentError          a real person without recorded consent
    │   └── RecipeError           a population recipe that cannot be met
    ├── MissingError              something has to be installed or fetched first     exit 3
    │   ├── MissingDependencyError
    │   ├── MissingWeightsError
    │   └── LicenceError          somebody has to accept a licence first
    ├── ModelError                the model, or the way to it, failed                exit 4
    │   ├── CapabilityError       the model cannot do what was asked
    │   ├── EndpointError         transport: down, timeout, refused (`transient` says whether a retry may help)
    │   │   └── EndpointDownError many calls failed in a row: no further one is made
    │   ├── ReplyError            the endpoint answered something unusable (`transient` as above)
    │   └── ReplayMissError       replay asked for a call that was never recorded
    ├── StorageError              the run folder or a cache file                     exit 5
    │   ├── RunLockedError        another process holds the run
    │   ├── CorruptRunError       a file is truncated or unreadable
    │   └── DiskFullError
    └── RunFailedError            more units failed than the run allows              exit 6
        └── BudgetError           a hard cap stopped the run

Messages say what was given (`!r`), what was expected, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class PersonaeError(Exception):
    """Root of all errors raised on purpose. `hint` is the line that says what to do."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InputError(PersonaeError):
    """What the user gave cannot be used."""

    code = "input"
    exit_code = 2


class SchemaError(InputError):
    """A document does not fit its schema."""

    code = "schema"


class UnknownKeyError(InputError):
    """A key nobody knows."""

    code = "unknown_key"

    @classmethod
    def of(cls, key: str, known: Iterable[str], *, where: str) -> UnknownKeyError:
        """Build the error for `key` found in `where`, suggesting the nearest of `known`."""
        names = sorted(known)
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(names)}."
        return cls(f"{where}: unknown key {key!r}.", hint=hint)


class VersionError(InputError):
    """A file of a schema version that this release cannot read."""

    code = "version"


class ConsentError(InputError):
    """A real person was described without recorded consent."""

    code = "consent"


class RecipeError(InputError):
    """A population recipe that is malformed or cannot be met."""

    code = "recipe"


class MissingError(PersonaeError):
    """Something has to be installed or fetched first."""

    code = "missing"
    exit_code = 3


class MissingDependencyError(MissingError):
    """An optional package is not installed."""

    code = "missing_dependency"

    @classmethod
    def of(cls, package: str, extra: str) -> MissingDependencyError:
        """Build the error for `package`, which `extra` would have installed."""
        return cls(f"{package!r} is not installed.", hint=f"Run: pip install 'personae[{extra}]'")


class MissingWeightsError(MissingError):
    """Model weights are not on this machine."""

    code = "missing_weights"


class LicenceError(MissingError):
    """Somebody has to accept a licence first."""

    code = "licence"


class ModelError(PersonaeError):
    """The model, or the way to it, failed."""

    code = "model"
    exit_code = 4


class CapabilityError(ModelError):
    """The model cannot do what was asked."""

    code = "capability"


class EndpointError(ModelError):
    """Transport failure. `transient` says whether trying again may help, `fault` names its kind for counting."""

    code = "endpoint"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        transient: bool = False,
        retry_after: float | None = None,
        fault: str = "transport",
    ) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.retry_after = retry_after
        self.fault = fault


class EndpointDownError(EndpointError):
    """So many calls failed in a row that no further one is made: the run ends, and can be resumed."""

    code = "endpoint_down"


class ReplyError(ModelError):
    """The endpoint answered something that cannot be used. `transient` and `fault` as in EndpointError."""

    code = "reply"

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False, fault: str = "reply") -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.fault = fault


class ReplayMissError(ModelError):
    """Replay was asked for a call that was never recorded."""

    code = "replay_miss"


class StorageError(PersonaeError):
    """The run folder or a cache file cannot be used."""

    code = "storage"
    exit_code = 5


class RunLockedError(StorageError):
    """Another process holds the run."""

    code = "run_locked"


class CorruptRunError(StorageError):
    """A file of the run is truncated or unreadable."""

    code = "corrupt_run"


class DiskFullError(StorageError):
    """Nothing more can be written."""

    code = "disk_full"


class RunFailedError(PersonaeError):
    """More units failed than the run allows."""

    code = "run_failed"
    exit_code = 6


class BudgetError(RunFailedError):
    """A hard cap on calls, tokens or time stopped the run."""

    code = "budget"
