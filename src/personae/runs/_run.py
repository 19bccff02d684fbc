"""A Run: a folder that survives anything.

    manifest.json              what was asked, where, how far it is
    tables/NAME/part-*.parquet evidence rows
    units.sqlite               which units are done; the newest rows
    calls.sqlite               every model call
    .lock                      held by the one process that writes

What is on disk is the truth about progress. Rows read back are sorted by unit key, so that nothing computed from them
depends on the order in which units happened to finish.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from pydantic import ValidationError

from personae.core import CorruptRunError, InputError, PersonaeError, Row, RunFailedError, StorageError, schema_error
from personae.models import Determinism, Usage
from personae.runs._calls import CALLS_FILE, RunCallLog
from personae.runs._columns import layout_of
from personae.runs._digest import digest_of
from personae.runs._disk import naming_errors
from personae.runs._environment import read_environment
from personae.runs._ledger import STORE_FILE, Ledger
from personae.runs._lock import LOCK_FILE, RunLock, being_written
from personae.runs._manifest import (
    DEFAULT_EXCLUDES,
    MANIFEST_FILE,
    Manifest,
    RunState,
    StageRecord,
    UsageTotals,
    check_same,
    fingerprint,
    now,
    plain_spec,
    read_manifest,
    write_manifest,
)
from personae.runs._store import PART_ROWS, PART_SIZE, Finished, Store
from personae.runs._units import NO_USAGE

if TYPE_CHECKING:
    import pyarrow as pa

_log: Final = logging.getLogger(__name__)
_RowT = TypeVar("_RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Repair:
    """What `repair` dropped: damaged files, and the units whose rows they held, which are to be run again."""

    files: tuple[Path, ...]
    units: tuple[str, ...]


class Run:
    """A run folder, open for writing (`create_or_resume`) or for reading (`open_run`).

    As a context manager it ends the run: completed when the block ends well, interrupted or failed when it does not.

    >>> import tempfile
    >>> from personae.core import FitRow
    >>> row = FitRow(unit="fit", margin="sex", cell="f", target_share=0.5, target_count=1.0, count=1, hard=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Run.create_or_resume(folder, study="s", spec={}, seed=1, model=None, determinism="exact") as run:
    ...         run.record("fit", [row], stage="population")
    ...     run.state
    'completed'
    """

    def __init__(self, path: Path, manifest: Manifest, ledger: Ledger, lock: RunLock | None) -> None:
        self.path = path
        self._manifest = manifest
        self._ledger = ledger
        self._lock = lock
        self._calls: RunCallLog | None = None

    @classmethod
    def create_or_resume(
        cls,
        path: Path | str,
        *,
        study: str,
        spec: Mapping[str, Any],
        seed: int,
        model: Mapping[str, Any] | str | None,
        determinism: Determinism,
        fingerprint_excludes: Sequence[str] = DEFAULT_EXCLUDES,
        part_rows: int = PART_ROWS,
        part_size: int = PART_SIZE,
    ) -> Run:
        """Begin a run in `path`, or go on with the one that is there.

        Args:
            path: folder of the run; made if missing.
            study: name of the recipe.
            spec: its settings, JSON-able.
            seed: root seed.
            model: fingerprint of the model (or several under names), or a name, or None.
            determinism: class the run is made in.
            fingerprint_excludes: dotted names in `spec` that may differ on resume.
            part_rows: rows that make a Parquet part.
            part_size: characters of JSON that make a Parquet part.

        Raises:
            InputError: the folder holds something else, or a run with other settings (says which).
            VersionError: the folder was written by a release with another layout.
            RunLockedError: another process is writing it.
            CorruptRunError: a part is truncated or missing; see `repair_run`.
            StorageError: the folder cannot be written.
        """
        folder = Path(path)
        asked: dict[str, Any] = {
            "study": study,
            "seed": seed,
            "determinism": determinism,
            "model": plain_spec({"model": model})["model"],
            "spec": plain_spec(spec),
        }
        wanted = fingerprint(asked, fingerprint_excludes)
        _make_folder(folder)
        lock = RunLock(folder)
        try:
            if (folder / MANIFEST_FILE).exists():
                old = read_manifest(folder)
                check_same(old, asked, wanted, folder)
                update = {**_reopened(old), "spec": asked["spec"], "fingerprint": wanted, "started": now()}
                manifest = old.model_copy(update={**update, "environment": read_environment()})
            else:
                time = now()
                manifest = Manifest(
                    **asked, fingerprint=wanted, created=time, started=time, environment=read_environment()
                )
            _refuse_lost_store(folder)
            write_manifest(folder, manifest)
            store = Store(folder, part_rows=part_rows, part_size=part_size)
            try:
                store.check()
            except BaseException:
                store.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(folder, manifest, store, lock)

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

    # Writing -----------------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """Where the executor commits.

        Raises:
            StorageError: the run is open for reading only.
        """
        if not isinstance(self._ledger, Store):
            raise StorageError(f"{self.path}: opened for reading only.", hint="Open it with Run.create_or_resume.")
        return self._ledger

    def record(self, key: str, rows: Sequence[Row], *, stage: str) -> None:
        """Commit rows as the unit `key` at once, in place of what that unit held before.

        For evidence that is computed and not asked for: fit of a population, measurements.
        """
        store = self.store
        old = store.lookup(key)
        encoded = tuple(store.encode(row, key) for row in rows)
        self.flush_calls()
        finished = Finished(key, stage, failed=False, rows=encoded, replaces=None if old is None else old.id)
        store.commit([finished], store.next_session())

    def flush_calls(self) -> None:
        """Make the call log durable; done before any unit is committed, so that no row names a call that is lost."""
        if self._calls is not None:
            self._calls.flush()

    def note_stage(self, stage: str, record: StageRecord, *, seconds: float = 0.0) -> None:
        """Write down how a stage stands."""
        self._write(
            stages={**self._manifest.stages, stage: record},
            seconds=round(self._manifest.seconds + seconds, 3),
            state="running",
            reason=None,
            finished=None,
        )

    def complete(self) -> RunState:
        """End the run: all evidence into `tables/`, the manifest says how it went. Returns the state.

        Completed when every stage is; failed when one went over its failure limit; interrupted when one was stopped.
        """
        stages = self._manifest.stages
        wrong = {r.state: f"{name}: {r.reason or 'not finished'}" for name, r in stages.items() if r.state != "completed"}
        state: RunState = "failed" if "failed" in wrong else "interrupted" if wrong else "completed"
        self.flush_calls()
        self.store.compact()
        self._write(state=state, reason=next(iter(wrong.values()), None), finished=now())
        return state

    def interrupt(self, reason: str) -> None:
        """Say that the run was stopped; it can be resumed."""
        self._write(state="interrupted", reason=reason, finished=now())

    def repair(self) -> Repair:
        """Drop damaged parts and mark exactly the units whose rows they held as not done (in all tables)."""
        files, units = self.store.repair()
        if files:
            reason = f"{len(files)} damaged parts dropped, {len(units)} units to run again"
            stages = {
                name: record.model_copy(update={"state": "interrupted", "reason": reason})
                for name, record in self._manifest.stages.items()
            }
            self._write(state="interrupted", reason=reason, stages=stages)
        return Repair(tuple(files), tuple(units))

    def _write(self, **changes: Any) -> None:
        done, failed = self.store.counts()
        used = UsageTotals.of(self.usage)
        self._manifest = self._manifest.model_copy(
            update={"units_done": done, "units_failed": failed, "usage": used, **changes}
        )
        write_manifest(self.path, self._manifest)

    # Closing -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the folder without saying how the run ended. Closing twice is allowed."""
        try:
            if self._calls is not None:
                self._calls.close()
        finally:
            self._calls = None
            self._ledger.close()
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if self._lock is None:
                return
            if error is None or isinstance(error, RunFailedError):
                self.complete()
            else:
                self.interrupt(_why(error))
        except PersonaeError as second:
            if error is None:
                raise
            _log.warning("the manifest could not be written: %s", second)
        finally:
            self.close()


def open_run(path: Path | str) -> Run:
    """A run for reading: needs no lock, works while another process writes.

    Raises:
        InputError: `path` is not a run folder.
        VersionError: written by a release with another layout.
        CorruptRunError: manifest or store cannot be read.
    """
    folder = Path(path)
    return Run(folder, read_manifest(folder), Ledger(folder), None)


def repair_run(path: Path | str) -> Repair:
    """Repair a run folder that `Run.create_or_resume` refuses with a CorruptRunError.

    Raises:
        RunLockedError: another process is writing it.
        CorruptRunError: `units.sqlite` itself is lost or damaged.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    lock = RunLock(folder)
    try:
        _refuse_lost_store(folder)
        store = Store(folder)
    except BaseException:
        lock.release()
        raise
    run = Run(folder, manifest, store, lock)
    try:
        return run.repair()
    finally:
        run.close()


def _make_folder(folder: Path) -> None:
    with naming_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{str(folder)!r} is a file, expected a folder.", hint="Give another path with --out.")
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / MANIFEST_FILE).exists():
            return
        # A run that was killed as it began leaves these two at most.
        foreign = sorted(f.name for f in folder.iterdir() if f.name not in {LOCK_FILE, f".{MANIFEST_FILE}.tmp"})
    if foreign:
        raise InputError(
            f"{str(folder)!r} is not a run folder and not empty (it holds {', '.join(foreign[:3])!r}).",
            hint="Give a new or empty folder with --out.",
        )


def _refuse_lost_store(folder: Path) -> None:
    # An empty store would take every part for a leftover and delete it.
    if not (folder / STORE_FILE).exists() and any((folder / "tables").glob("*/part-*.parquet")):
        raise CorruptRunError(
            f"{folder / STORE_FILE}: the file is missing, so nobody knows which units are done.",
            hint="Restore it from a copy, or run again into a new folder; tables/ stays readable as Parquet.",
        )


def _reopened(old: Manifest) -> dict[str, Any]:
    stages = {
        name: r.model_copy(update={"state": "interrupted", "reason": "killed"}) if r.state == "running" else r
        for name, r in old.stages.items()
    }
    return {"stages": stages, "state": "running", "reason": None, "finished": None, "sessions": old.sessions + 1}


def _why(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by the user"
    return f"{type(error).__name__}: {error}"[:500]
