"""Values of the executor: what is to be done, within which limits, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from personae.core import InputError
from personae.models import Usage


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work that is done wholly or not at all: one conversation, or one actor × condition × instrument.

    `key` is unique in the run and the same in every process: seeds, resume and evidence hang on it.
    """

    key: str
    stage: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Hard limits.

    `calls` and `tokens` (prompt + generated) count what the whole run has used, as its call log says; no unit starts
    once one is reached, and units that are already running finish. `seconds` counts this execution; units still
    running then are broken off and run again on resume.
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(
                    f"cap on {name} is {value!r}, expected a number above 0.", hint="Leave it out for none."
                )


@dataclass(frozen=True, slots=True)
class Summary:
    """What one execution did. `skipped` units had been finished before; `usage` is what this execution cost."""

    stage: str
    done: int
    failed: int
    skipped: int
    seconds: float
    usage: Usage
    failures: tuple[tuple[str, int], ...] = ()
    """`boundary/code` and how often, most frequent first"""

    @property
    def units(self) -> int:
        """Units seen: done, failed and skipped."""
        return self.done + self.failed + self.skipped

    @property
    def failure_share(self) -> float:
        """Failed units over units seen; 0 when there were none."""
        return self.failed / self.units if self.units else 0.0


NO_USAGE = Usage(calls=0)


def tokens_of(usage: Usage) -> int:
    """Prompt and generated tokens."""
    return usage.prompt + usage.generated


def usage_since(now: Usage, then: Usage) -> Usage:
    """What was used between two totals."""
    return Usage(
        now.calls - then.calls,
        now.prompt - then.prompt,
        now.prefilled - then.prefilled,
        now.generated - then.generated,
    )
