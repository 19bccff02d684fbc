"""Truncated parts and a full disk: one clear error each, nothing lost, and a way on."""

import errno
import os
from pathlib import Path

import pytest

from personae.core import CorruptRunError, DiskFullError, SlotRow
from personae.runs import execute_sync, open_run, repair_run


def _work(fit):
    async def work(unit):
        slot = SlotRow(unit=unit.key, k=0, attempt=0, accepted=True, rule=None, fields="{}")
        return [fit(unit.key, 0), fit(unit.key, 1), slot]

    return work


def _digest(folder: Path) -> str:
    run = open_run(folder)
    try:
        return run.digest()
    finally:
        run.close()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("harm", [_truncate, _flip, Path.unlink, lambda p: p.write_bytes(b"")])
def test_damaged_part_is_named_dropped_and_run_again(start, fit, units, tmp_path: Path, harm) -> None:
    folder = tmp_path / "run"
    with start(folder, part_rows=20) as run:
        execute_sync(run, units(30), _work(fit), concurrency=1)
    whole = _digest(folder)
    part = folder / "tables" / "fit" / "part-00001.parquet"
    harm(part)
    with pytest.raises(CorruptRunError) as caught:
        _digest(folder)
    message = str(caught.value)
    assert str(part) in message
    assert "20 rows of 10 units" in message
    assert "'trial/0010'" in message
    assert "personae run repair" in message
    if harm is not _flip:
        # A flipped byte is found when the part is read; everything else already when the run is opened.
        with pytest.raises(CorruptRunError, match="part-00001"):
            start(folder, part_rows=20)
    repair = repair_run(folder)
    assert repair.files == (part,)
    assert repair.units == tuple(f"trial/{k:04d}" for k in range(10, 20))
    reader = open_run(folder)
    assert reader.state == "interrupted"
    assert reader.count() == 20
    # Rows of the same units in other tables went too: run again, they come back once.
    assert reader.tables() == {"fit": 40, "slots": 20}
    reader.close()
    assert repair_run(folder) == type(repair)((), ())
    again = []

    async def counted(unit):
        again.append(unit.key)
        return await _work(fit)(unit)

    with start(folder, part_rows=20) as run:
        execute_sync(run, units(30), counted)
    assert sorted(again) == list(repair.units)
    assert _digest(folder) == whole


def test_leftovers_of_a_crash_are_swept(start, fit, units, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        execute_sync(run, units(3), _work(fit))
    folder = tmp_path / "run" / "tables" / "fit"
    for name in ("part-00009.parquet", ".part-00010.parquet.4711.tmp", "notes.txt"):
        (folder / name).write_bytes(b"x")
    start(tmp_path / "run").close()
    assert sorted(p.name for p in folder.iterdir()) == ["notes.txt", "part-00000.parquet"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_full_while_a_part_is_written(start, fit, units, tmp_path: Path, monkeypatch, number: int) -> None:
    folder = tmp_path / "run"
    run = start(folder, part_rows=200)
    real = os.fsync

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().name.startswith(".part-"):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"part-00000\.parquet: cannot write") as caught:
        execute_sync(run, units(500), _work(fit), concurrency=1)
    assert caught.value.exit_code == 5
    assert "same command again" in str(caught.value)
    assert run.manifest.state == "interrupted"
    committed = run.count()
    assert committed == 256
    assert not list(folder.glob("tables/*/.*"))
    assert run.tables() == {"fit": 512, "slots": 256}
    run.close()
    monkeypatch.undo()
    with start(folder, part_rows=200) as run:
        assert execute_sync(run, units(500), _work(fit)).skipped == committed
    with start(tmp_path / "whole") as run:
        execute_sync(run, units(500), _work(fit))
    assert _digest(folder) == _digest(tmp_path / "whole")


def test_disk_full_in_the_database(start, fit, units, tmp_path: Path) -> None:
    """SQLite's own limit on pages stands in for a full disk: the same result code."""
    folder = tmp_path / "run"
    run = start(folder)
    database = run.store._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages + 30}")
    with pytest.raises(DiskFullError, match=r"units\.sqlite: cannot write"):
        execute_sync(run, units(5000), _work(fit), concurrency=1)
    committed = run.count()
    assert committed < 5000
    assert committed % 256 == 0
    assert run.tables().get("slots", 0) == committed
    run.close()
    with start(folder) as run:
        summary = execute_sync(run, units(committed + 40), _work(fit))
    assert (summary.skipped, summary.done) == (committed, 40)


def test_file_size_limit_in_a_real_process(start, script, tmp_path: Path) -> None:
    """The kernel refuses the write; the error is ours, and the run goes on afterwards."""
    folder = tmp_path / "run"
    with script(folder, tmp_path / "starts", "--limit", 60_000) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 5, errors
    assert output.split() == ["go", "DiskFullError"]
    reader = open_run(folder)
    before = set(reader.keys())
    reader.close()
    with script(folder, tmp_path / "starts2") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert before.isdisjoint((tmp_path / "starts2").read_text().split())
    reader = open_run(folder)
    assert reader.count() == 196
    reader.close()
