"""Runs to write into, and rows to write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from personae.core import FitRow, derive_rng
from personae.runs import Run, Unit


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    """Open a run for writing; settings may be overridden. Everything is closed at the end."""
    opened: list[Run] = []

    def begin(path: Path, **settings: Any) -> Run:
        asked: dict[str, Any] = {"study": "trial", "spec": {"people": 3}, "seed": 7, "model": None}
        run = Run.create_or_resume(path, **{**asked, "determinism": "exact", **settings})
        opened.append(run)
        return run

    yield begin
    for run in opened:
        run.close()


@pytest.fixture
def fit() -> Callable[..., FitRow]:
    """A row of a unit, filled from a seed and the unit's key."""

    def row(unit: str, k: int = 0, *, cell: str | None = None) -> FitRow:
        draw = float(derive_rng(7, unit, k).random())
        return FitRow(
            unit=unit,
            margin=f"m{k}",
            cell=cell or f"größe “{k}” 🙂",
            target_share=draw,
            target_count=draw * 1e-7,
            count=k,
            hard=k % 2 == 0,
        )

    return row


@pytest.fixture
def units() -> Callable[[int], list[Unit]]:
    """The first n units of a stage."""

    def first(n: int, stage: str = "trial") -> list[Unit]:
        return [Unit(f"{stage}/{k:04d}", stage, k) for k in range(n)]

    return first


@pytest.fixture(scope="session")
def script() -> Callable[..., subprocess.Popen[str]]:
    """Start `replay_script.py` in a process of its own."""

    def begin(*arguments: object) -> subprocess.Popen[str]:
        here = Path(__file__).parent
        environment = {**os.environ, "PYTHONPATH": str(here.parents[1] / "src"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, str(here / "replay_script.py"), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return begin
