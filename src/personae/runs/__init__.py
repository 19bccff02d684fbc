"""Runs: folders of evidence that survive anything, and the executor that fills them."""

from personae.runs._calls import RunCallLog
from personae.runs._digest import Comparison, RowDifference, TableDifference, compare
from personae.runs._environment import Environment
from personae.runs._execute import execute, execute_sync
from personae.runs._executor import Work
from personae.runs._manifest import Manifest, RunState, StageRecord, UsageTotals
from personae.runs._preview import Preview, Span90, estimate, estimate_sync
from personae.runs._progress import PlainProgress, Progress, Status, TerminalProgress, progress_for
from personae.runs._run import Repair, Run, open_run, repair_run
from personae.runs._sync import run_sync
from personae.runs._units import Caps, Summary, Unit

__all__ = [
    "Caps",
    "Comparison",
    "Environment",
    "Manifest",
    "PlainProgress",
    "Preview",
    "Progress",
    "Repair",
    "RowDifference",
    "Run",
    "RunCallLog",
    "RunState",
    "Span90",
    "StageRecord",
    "Status",
    "Summary",
    "TableDifference",
    "TerminalProgress",
    "Unit",
    "UsageTotals",
    "Work",
    "compare",
    "estimate",
    "estimate_sync",
    "execute",
    "execute_sync",
    "open_run",
    "progress_for",
    "repair_run",
    "run_sync",
]
