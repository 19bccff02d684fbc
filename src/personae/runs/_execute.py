"""`execute` and its blocking twin."""

from __future__ import annotations

from collections.abc import Iterable

from personae.runs._executor import Execution, Work
from personae.runs._progress import Progress
from personae.runs._run import Run
from personae.runs._sync import run_sync
from personae.runs._units import Caps, Summary, Unit


async def execute(
    run: Run,
    units: Iterable[Unit],
    work: Work,
    *,
    concurrency: int = 8,
    max_failure_share: float = 0.1,
    caps: Caps | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 it is each unit's, not the call's
    total: int | None = None,
) -> Summary:
    """Do every unit that is not done yet.

    Rows that include a FailureRow mark their unit as failed; of a failed unit only the failure rows are kept.

    Args:
        run: where the evidence goes.
        units: consumed lazily; keys must be unique.
        work: does one unit.
        concurrency: units in flight.
        max_failure_share: largest share of failed units (0–1) with which the stage still counts as completed.
        caps: hard limits.
        progress: told after each commit.
        timeout: seconds a unit may take before it counts as failed.
        total: number of units, when `units` does not know its length.

    Returns:
        What was done.

    Raises:
        InputError: an argument is out of range, or a unit key came twice.
        RunFailedError: more units failed than allowed.
        BudgetError: a cap stopped the run; give a higher one and the same command to go on.
        MissingError, StorageError, CapabilityError, VersionError: as raised by a unit; the run stopped at once.
    """
    execution = Execution(run, work, concurrency, max_failure_share, caps or Caps(), progress, timeout)
    return await execution.go(units, total)


def execute_sync(
    run: Run,
    units: Iterable[Unit],
    work: Work,
    *,
    concurrency: int = 8,
    max_failure_share: float = 0.1,
    caps: Caps | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
    total: int | None = None,
) -> Summary:
    """`execute`, waiting for the end; also inside a running event loop."""
    return run_sync(
        execute(
            run,
            units,
            work,
            concurrency=concurrency,
            max_failure_share=max_failure_share,
            caps=caps,
            progress=progress,
            timeout=timeout,
            total=total,
        )
    )
