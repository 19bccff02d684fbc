"""What every driver shares: its orders, and its result file. Standard library only, because it runs in every venv.

A driver is called as `DRIVER.py WORK.json RESULT.json JOB URL`. JOB is `survey` or `dialogue`, URL the base URL of the
endpoint. At the time cap it gets an interrupt and has some seconds to write down what it has.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "smollm2"
KEY = "none-needed"


@dataclass(frozen=True)
class Job:
    """The orders of one driver."""

    work: dict[str, Any]
    result: Path
    name: str
    url: str

    @property
    def people(self) -> list[dict[str, str]]:
        """`name` and `text` (the persona in the second person) of each."""
        return self.work["people"]

    @property
    def items(self) -> list[dict[str, str]]:
        """`id` and `text` of each."""
        return self.work["items"]

    @property
    def options(self) -> list[str]:
        """Texts of the options; the first counts 1."""
        return self.work["options"]

    def talks(self) -> Iterator[tuple[int, list[dict[str, str]], list[str]]]:
        """Each dialogue: its number, its two people, and the system text of each."""
        for number, pair in enumerate(self.work["dialogues"]):
            two = [self.people[k] for k in pair]
            rules = [self.work["rules"].replace("{partner}", partner["name"]) for partner in reversed(two)]
            yield number, two, [f"{p['text']}\n\n{r}" for p, r in zip(two, rules, strict=True)]

    def write(self, **result: Any) -> None:
        """Leave the result where the orchestrator looks for it."""
        part = self.result.with_suffix(".part")
        part.write_text(json.dumps(result))
        part.replace(self.result)


def read_job() -> Job:
    """The orders on the command line."""
    work, result, name, url = sys.argv[1:5]
    return Job(json.loads(Path(work).read_text()), Path(result), name, url)


def answer(person: int, item: str, value: Any, raw: str) -> dict[str, Any]:
    """One answer of a survey. `value` is what the library says was chosen, 1 to the number of options, or None."""
    return {"person": person, "item": item, "value": value, "raw": raw}


def line(dialogue: int, turn: int, speaker: str, text: str) -> dict[str, Any]:
    """One line of a dialogue."""
    return {"dialogue": dialogue, "turn": turn, "speaker": speaker, "text": text}


def leave(code: int) -> None:
    """End at once, whatever other threads are waiting for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
