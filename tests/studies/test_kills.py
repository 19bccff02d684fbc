"""Replay law for whole commands: killed at random moments and given again, a run ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from personae.core import RunLockedError, derive_rng
from personae.runs import open_run
from personae.runs._lock import RunLock
from personae.studies import overview

VILLAGE = Path(__file__).parents[2] / "examples" / "recipes" / "village.yaml"
SETTINGS = {"people": 6, "turns": 4, "talkers": 4, "recipe": str(VILLAGE)}
LONGER = SETTINGS | {"people": 24, "turns": 12, "talkers": 24}


def scripted(settings: dict[str, object]) -> tuple[str, ...]:
    return ("--model", "fake:scripted", *(f"--set={key}={value}" for key, value in settings.items()))


SCRIPTED = scripted(SETTINGS)
EMBEDDED = ("--model", "smollm2", "--cache", "off", "--set=people=2", "--set=turns=2", "--set=talkers=1")


@contextmanager
def running(folder: Path, options: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; its standard output tells when work begins."""
    command = [sys.executable, "-u", "-m", "personae", "study", "run", "demo", "--out", str(folder), *options]
    command += ["--concurrency", "3"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    """Read standard output up to a line that begins with `word`, or to its end."""
    for line in process.stdout:
        if line.startswith(word):
            return


@dataclass
class Killer:
    """Gives one command again and again, killing it, and keeps what must not change."""

    folder: Path
    options: tuple[str, ...]
    seconds: float
    seed: int
    finish: Callable[[Path], object]
    """gives the command once more, and lets it end"""
    kills: int = 0
    inside: int = 0
    """kills that found some units done and others not"""
    digests: list[str] = field(default_factory=list)

    def go(self, kills: int) -> None:
        rng = derive_rng(self.seed, "kills")
        number = 0
        while self.kills < kills:
            folder = self.folder / f"run{number}"
            number += 1
            before: dict[str, int] = {}
            while self.kills < kills:
                # Most moments lie in the work, some while Python itself begins.
                ended = self._once(folder, early=rng.random() < 0.15, wait=float(rng.uniform(0, self.seconds)))
                before = self._check(folder, before)
                if ended:
                    break
                self.kills += 1
                self.inside += bool(before)
            self.finish(folder)
            self._check(folder, before)
            self.digests.append(digest_of(folder))

    def _once(self, folder: Path, *, early: bool, wait: float) -> bool:
        with running(folder, self.options) as process:
            if not early:
                wait_for(process, "plan:")
            time.sleep(wait / 2 if early else wait)
            process.kill()
            _, errors = process.communicate(timeout=60)
        assert process.returncode in {0, -signal.SIGKILL}, errors
        return process.returncode == 0

    @staticmethod
    def _check(folder: Path, before: dict[str, int]) -> dict[str, int]:
        """No unit that was finished has run again: its session is the old one and it asked nothing more."""
        now = finished_units(folder)
        assert {key: now.get(key) for key in before} == before
        return now


def finished_units(folder: Path) -> dict[str, int]:
    """Done units and the session that committed each; measurements replace themselves and are left out."""
    if not (folder / "units.sqlite").exists():
        return {}
    with closing(sqlite3.connect(folder / "units.sqlite")) as db:
        try:
            rows = db.execute("SELECT key, session FROM units WHERE state = 1 AND key != 'measure'").fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}
    return dict(rows)


def digest_of(folder: Path) -> str:
    with open_run(folder) as run:
        assert run.state == "completed"
        assert run.count(failed=True) == 0
        return run.digest()


def calls_by_unit(folder: Path) -> Counter[str]:
    """How often each unit asked the model, over all sessions."""
    with open_run(folder) as run:
        return Counter(record.unit for record in run.calls.records())


@dataclass(frozen=True)
class Whole:
    """The run nobody disturbed."""

    digest: str
    seconds: float
    calls: Counter[str]


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """In this process: the digest knows no processes."""
    began = time.monotonic()
    told = start("demo", tmp_path_factory.mktemp("whole") / "run", model="fake:scripted", more=SETTINGS)
    seconds = time.monotonic() - began
    return Whole(told.run.digest, 1.3 * seconds, calls_by_unit(told.folder))


def to_the_end(folder: Path, options: tuple[str, ...]) -> None:
    with running(folder, options) as process:
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors


@pytest.fixture
def go_on(start) -> Callable[[Path], object]:
    """The same command, in this process: quicker, and the run cannot know."""
    return lambda folder: start("demo", folder, model="fake:scripted", more=SETTINGS)


def test_three_kills_leave_no_trace(whole: Whole, go_on, tmp_path: Path) -> None:
    killer = Killer(tmp_path, SCRIPTED, whole.seconds, 3, go_on)
    killer.go(3)
    assert set(killer.digests) == {whole.digest}


def undisturbed(folder: Path, options: tuple[str, ...]) -> tuple[str, float]:
    """Digest of a run nobody kills, and the seconds that its work took."""
    with running(folder, options) as process:
        wait_for(process, "plan:")
        began = time.monotonic()
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return digest_of(folder), time.monotonic() - began


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(tmp_path: Path) -> None:
    options = scripted(LONGER)
    digest, seconds = undisturbed(tmp_path / "whole", options)
    killer = Killer(tmp_path, options, seconds, 20, lambda folder: to_the_end(folder, options))
    killer.go(20)
    assert set(killer.digests) == {digest}
    assert killer.inside >= 5


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_five_kills_of_the_embedded_model_leave_no_trace(tmp_path: Path) -> None:
    """In exact mode, with the cache off: what was lost is asked again and answered the same."""
    digest, seconds = undisturbed(tmp_path / "whole", EMBEDDED)
    killer = Killer(tmp_path, EMBEDDED, seconds, 5, lambda folder: to_the_end(folder, EMBEDDED))
    killer.go(5)
    assert set(killer.digests) == {digest}


def test_ctrl_c_says_so_and_leaves_a_run_that_goes_on(whole: Whole, go_on, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(folder, SCRIPTED) as process:
        wait_for(process, "people:")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "error (interrupted)" in errors
    assert "same command again" in errors
    assert "Traceback" not in errors
    before = finished_units(folder)
    with open_run(folder) as run:
        assert run.state == "interrupted"
        assert run.manifest.reason == "stopped by the user"
        assert 0 < run.count() < 23
    go_on(folder)
    assert digest_of(folder) == whole.digest
    assert {key: finished_units(folder)[key] for key in before} == before
    again = calls_by_unit(folder)
    assert {key: again[key] for key in before} == {key: whole.calls[key] for key in before}


def test_what_a_kill_leaves_at_the_very_beginning_is_no_obstacle_and_one_writer_is_enough(
    go_on, whole: Whole, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".manifest.json.4711.tmp").write_text('{"half')
    (folder / ".lock").write_text("")
    go_on(folder)
    assert digest_of(folder) == whole.digest
    lock = RunLock(folder)
    try:
        with pytest.raises(RunLockedError, match="process"):
            go_on(folder)
        assert overview(folder)["digest"] == whole.digest  # reading needs no lock
    finally:
        lock.release()
