"""The command line, called in process; and one finished run that tests may read but not change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
VILLAGE = ROOT / "examples" / "recipes" / "village.yaml"
SMALL = ("--set", "people=4", "--set", "turns=4", "--set", "talkers=2", "--set", f"recipe={VILLAGE}")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """Standard output as the one JSON object it must be."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def data(self) -> dict[str, Any]:
        assert self.envelope["status"] == "ok"
        return self.envelope["data"]

    @property
    def error(self) -> dict[str, Any]:
        assert self.envelope["status"] == "error"
        return self.envelope["error"]


def call(*args: object, typed: str | None = None) -> Said:
    from personae.cli._app import app

    result = CliRunner().invoke(app, [str(a) for a in args], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def personae() -> Any:
    """`personae("run", "show", folder)` → what it said."""
    return call


@pytest.fixture(scope="session")
def village() -> Path:
    """A small recipe that is quick to draw from."""
    return VILLAGE


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """Settings of a demo that takes a second."""
    return SMALL


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """The demo, run once with `--json`; see `finished.data["folder"]`."""
    out = tmp_path_factory.mktemp("cli") / "run"
    said = call("study", "run", "demo", *SMALL, "--model", "fake:statistical", "--out", out, "--json")
    assert said.code == 0, said.err
    return said


@pytest.fixture(scope="session")
def folder(finished: Said) -> Path:
    """The finished run's folder."""
    return Path(finished.data["folder"])


@pytest.fixture(scope="session")
def spectrum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with statements and verdicts on them."""
    out = tmp_path_factory.mktemp("cli") / "spectrum"
    small = ("people=5", "each=2", "encoder=hash", "judge=options", "judged=1")
    words = [w for setting in small for w in ("--set", setting)]
    said = call("study", "run", "spectrum", *words, "--model", "fake:scripted", "--out", out, "--json")
    assert said.code == 0, said.err
    return out
