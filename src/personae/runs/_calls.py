"""The run's call log: the log of the models room, keeping count of what has been used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from personae.core import PersonaeError
from personae.models import CallLog, Usage
from personae.runs._units import NO_USAGE

CALLS_FILE: Final = "calls.sqlite"


class RunCallLog(CallLog):
    """Every model call of the run. Answers from the cache are logged, and cost nothing."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        total = NO_USAGE
        for record in self.records():
            if not record.cached:
                total += record.usage
        self._used = total

    @property
    def usage(self) -> Usage:
        """Calls and tokens of the run so far, over all its sessions."""
        return self._used

    def add(
        self,
        model: str,
        verb: Any,
        call: Any,
        *,
        tags: Mapping[str, str],
        response: str | None,
        error: PersonaeError | None,
        usage: Usage,
        latency: float,
        cached: bool,
        notes: Any,
    ) -> None:
        """Buffer one call and count it."""
        super().add(
            model,
            verb,
            call,
            tags=tags,
            response=response,
            error=error,
            usage=usage,
            latency=latency,
            cached=cached,
            notes=notes,
        )
        if not cached:
            # One row is one call, as a later session will count it.
            self._used += Usage(1, usage.prompt, usage.prefilled, usage.generated)
