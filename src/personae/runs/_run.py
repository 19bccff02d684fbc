"""A Run: a folder that survives anything.

    manifest.json              what was asked, where, how far it is
    tables/NAME/part-*.parquet evidence rows
    units.sqlite               which units are done; the newest rows
    calls.sqlite               every model call
    .lock                      held by the one process that writes

What is on disk is the truth about progress.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from personae.core import (
    CorruptRunError,
    InputError,
    Row,
    RunFailedError,
    StorageError,
    naming_errors,
)
from personae.models import Determinism
from personae.runs._environment import read_environment
from personae.runs._ledger import STORE_FILE, Ledger
from personae.runs._lock import LOCK_FILE, RunLock
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
from personae.runs._reading import RunFolder
from personae.runs._store import PART_ROWS, PART_SIZE, Finished, Store

_log: Final = logging.getLogger(__name__)
_DRAFT: Final = re.compile(rf"\.{re.escape(MANIFEST_FILE)}\.\d+\.tmp")


@dataclass(frozen=True, slots=True)
class Repair:
    """What `repair` dropped: damaged files, and the units whose rows they held, which are to be run again."""

    files: tuple[Path, ...]
    units: tuple[str, ...]


class Run(RunFolder):
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
        Saying so twice changes nothing.
        """
        stages = self._manifest.stages
        wrong = [(name, r) for name, r in stages.items() if r.state != "completed"]
        failed = any(r.state == "failed" for _, r in wrong)
        state: RunState = "failed" if failed else "interrupted" if wrong else "completed"
        reason = "; ".join(f"{name}: {r.reason or 'not finished'}" for name, r in wrong) or None
        self.flush_calls()
        self.store.compact()
        self._write(state=state, reason=reason, finished=self._manifest.finished or now())
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
        first = error
        for step in (lambda: self._end(error), self.close):
            try:
                step()
            except BaseException as trouble:  # noqa: BLE001 - raised below, unless something went wrong before
                if first is None:
                    first = trouble
                else:
                    _log.warning("the run could not be closed well: %s", trouble)
        if first is not None and first is not error:
            raise first

    def _end(self, error: BaseException | None) -> None:
        """Write down how the run ended, where it is ours to write."""
        if self._lock is None:
            return
        if error is None or isinstance(error, RunFailedError):
            self.complete()
        else:
            self.interrupt(_why(error))


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
        # A run that was killed as it began leaves these at most.
        foreign = sorted(f.name for f in folder.iterdir() if f.name != LOCK_FILE and not _DRAFT.fullmatch(f.name))
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
    if isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
        return "stopped by the user"
    return f"{type(error).__name__}: {error}"[:500]
