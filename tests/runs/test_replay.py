"""Replay law: kill at any point, resume: the digest of an uninterrupted run, and no finished unit runs again."""

import signal
import time
from pathlib import Path

import pytest

from personae.core import InputError, PersonaeError, derive_rng
from personae.runs import open_run


def _finished(folder: Path) -> set[str]:
    try:
        run = open_run(folder)
    except PersonaeError:
        return set()
    try:
        return set(run.keys())
    finally:
        run.close()


def _digest(folder: Path) -> str:
    run = open_run(folder)
    try:
        assert run.state == "completed"
        assert run.count() == 196
        assert run.count(failed=True) == 4
        return run.digest()
    finally:
        run.close()


class Killer:
    """Runs the script again and again, kills it at random moments, and checks what it started."""

    def __init__(self, script, tmp_path: Path, seed: int) -> None:
        self.script, self.tmp_path, self.rng = script, tmp_path, derive_rng(seed, "kills")
        self.kills = 0
        self.digests: list[str] = []

    def session(self, folder: Path, *, kill: bool) -> bool:
        """One process; True when it ended by itself."""
        before = _finished(folder)
        starts = folder.with_suffix(".starts")
        starts.unlink(missing_ok=True)
        process = self.script(folder, starts)
        with process:
            if kill:
                # Most moments lie in the work, some while the run is opened or Python itself begins.
                if self.rng.random() < 0.8:
                    process.stdout.readline()
                    time.sleep(float(self.rng.uniform(0, 0.45)))
                else:
                    time.sleep(float(self.rng.uniform(0.3, 0.9)))
                process.kill()
            _, errors = process.communicate(timeout=60)
        ended = process.returncode == 0
        assert ended or (kill and process.returncode == -signal.SIGKILL), errors
        started = starts.read_text().split() if starts.exists() else []
        assert before.isdisjoint(started)
        assert len(set(started)) == len(started)
        return ended

    def go(self, kills: int) -> None:
        number = 0
        while self.kills < kills:
            folder = self.tmp_path / f"run{number}"
            number += 1
            while self.kills < kills:
                if self.session(folder, kill=True):
                    break
                self.kills += 1
            else:
                assert self.session(folder, kill=False)
            self.digests.append(_digest(folder))


@pytest.fixture(scope="module")
def reference(tmp_path_factory, script) -> str:
    """Digest of the run nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with script(folder, folder.with_suffix(".starts")) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return _digest(folder)


def test_four_kills_leave_no_trace(script, reference, tmp_path: Path) -> None:
    killer = Killer(script, tmp_path, seed=4)
    killer.go(4)
    assert set(killer.digests) == {reference}


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(script, reference, tmp_path: Path) -> None:
    killer = Killer(script, tmp_path, seed=20)
    killer.go(20)
    assert set(killer.digests) == {reference}


def test_control_c_leaves_an_interrupted_run_that_resumes(script, reference, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    starts = tmp_path / "starts"
    with script(folder, starts) as process:
        process.stdout.readline()
        for _ in range(2000):  # until much has begun, so that something is committed on any machine
            if starts.exists() and len(starts.read_text().split()) >= 60:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    run = open_run(folder)
    assert run.manifest.state == "interrupted"
    assert run.manifest.reason == "stopped by the user"
    done = run.count()
    run.close()
    assert 0 < done < 196
    with script(folder, tmp_path / "starts2") as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len((tmp_path / "starts2").read_text().split()) == 200 - done
    assert _digest(folder) == reference


def test_killed_run_says_interrupted(script, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with script(folder, tmp_path / "starts", "--hold") as process:
        process.stdout.readline()
        run = open_run(folder)
        assert run.state == "running"
        run.close()
        process.kill()
        process.communicate(timeout=60)
    run = open_run(folder)
    assert run.manifest.state == "running"
    assert run.state == "interrupted"
    run.close()


def test_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a run folder: it has no manifest\.json"):
        open_run(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        open_run(tmp_path / "none")
