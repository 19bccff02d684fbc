"""The reading half of a run: how it stands, its evidence, its calls.

Rows are handed out sorted by unit key, so that nothing computed from them depends on the order in which units happened
to finish.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from personae.core import (
    InputError,
    Row,
    naming_errors,
    schema_error,
)
from personae.models import Usage
from personae.runs._calls import CALLS_FILE, RunCallLog
from personae.runs._columns import layout_of
from personae.runs._digest import digest_of
from personae.runs._ledger import Ledger
from personae.runs._lock import RunLock, being_written
from personae.runs._manifest import Manifest, RunState
from personae.runs._units import NO_USAGE

if TYPE_CHECKING:
    import pyarrow as pa

_RowT = TypeVar("_RowT", bound=Row)


class RunFolder:
    """What can be asked of a run folder, whether or not it is open for writing."""

    def __init__(self, path: Path, manifest: Manifest, ledger: Ledger, lock: RunLock | None) -> None:
        self.path = path
        self._manifest = manifest
        self._ledger = ledger
        self._lock = lock
        self._calls: RunCallLog | None = None

    # What is known -----------------------------------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """The manifest as last written (or, read-only, as it was when the run was opened)."""
        return self._manifest

    @property
    def seed(self) -> int:
        """Root seed."""
        return self._manifest.seed

    @property
    def state(self) -> RunState:
        """How the run stands. One that says it is running while no process holds it was killed: interrupted."""
        if self._manifest.state == "running" and self._lock is None and not being_written(self.path):
            return "interrupted"
        return self._manifest.state

    def done(self, key: str) -> bool:
        """True when the unit `key` is committed and did not fail."""
        with naming_errors(self.path):
            known = self._ledger.lookup(key)
        return known is not None and not known.failed

    def count(self, stage: str | None = None, *, failed: bool = False) -> int:
        """Number of done (or failed) units, of one stage or all."""
        return self._ledger.counts(stage)[1 if failed else 0]

    def keys(self, stage: str | None = None, *, failed: bool = False) -> Iterator[str]:
        """Keys of done (or failed) units, sorted."""
        return self._ledger.keys(stage=stage, failed=failed)

    # Evidence ----------------------------------------------------------------------------------------------------

    def tables(self) -> dict[str, int]:
        """Row counts by table name."""
        return self._ledger.tables()

    def table(self, name: str) -> list[dict[str, Any]]:
        """All rows of a table, sorted by unit; [] when it has none.

        Raises:
            CorruptRunError: a part is damaged.
        """
        layout = self._ledger.layout(name)
        return [] if layout is None else layout.from_arrow(self._ledger.arrow(name).to_pylist())

    def arrow(self, name: str) -> pa.Table:
        """A table as Arrow, sorted by unit; without columns when it has no rows."""
        return self._ledger.arrow(name)

    def rows(self, row_type: type[_RowT]) -> Iterator[_RowT]:
        """All rows of a type, sorted by unit, validated.

        Raises:
            CorruptRunError: a part is damaged.
            SchemaError: a row does not fit `row_type` (the run is of another release).
        """
        layout = self._ledger.layout(layout_of(row_type).table)
        if layout is None:
            return
        for batch in self._ledger.arrow(layout.table).to_batches(max_chunksize=1000):
            for row in layout.from_arrow(batch.to_pylist()):
                try:
                    yield row_type.model_validate(row)
                except ValidationError as error:
                    raise schema_error(error, where=f"{self.path}, table {layout.table!r}") from error

    def stream(self, name: str) -> Iterator[dict[str, Any]]:
        """Rows of a table as they were committed, without holding the table in memory."""
        return self._ledger.stream(name)

    def canonical_rows(self, name: str) -> Iterator[tuple[str, str]]:
        """(unit, canonical JSON without volatile columns) of each row, in committed order."""
        layout = self._ledger.layout(name)
        if layout is not None:
            for row in self._ledger.stream(name):
                yield row["unit"], layout.canonical(row)

    def digest(self) -> str:
        """Content digest of the evidence: sha256 over each table's sorted row hashes; volatile columns left out.

        The order in which units were committed, the number of parts and sessions, and times do not count.
        """
        return digest_of((name, (text for _, text in self.canonical_rows(name))) for name in self.tables())

    # Calls -------------------------------------------------------------------------------------------------------

    @property
    def has_calls(self) -> bool:
        """True when the run has a call log."""
        return self._calls is not None or (self.path / CALLS_FILE).exists()

    @property
    def calls(self) -> RunCallLog:
        """The call log, made when first asked for.

        Raises:
            InputError: the run is open for reading and has none.
        """
        if self._calls is None:
            if self._lock is None and not self.has_calls:
                raise InputError(f"{self.path}: the run recorded no calls.", hint="Look for one made with a model.")
            self._calls = RunCallLog(self.path / CALLS_FILE)
        return self._calls

    @property
    def usage(self) -> Usage:
        """What the run's calls have cost so far, over all sessions; answers from the cache cost nothing."""
        return self.calls.usage if self.has_calls else NO_USAGE
