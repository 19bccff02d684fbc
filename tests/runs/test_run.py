"""Manifest, fingerprint, lock and reading of a run folder."""

import json
import os
from pathlib import Path

import pytest

from personae.core import (
    CorruptRunError,
    InputError,
    Measurement,
    MeasurementRow,
    PersonaRow,
    RunLockedError,
    StorageError,
    VersionError,
)
from personae.runs import Caps, execute_sync, open_run


def test_manifest_tells_what_was_asked_and_where(start, fit, tmp_path: Path) -> None:
    with start(tmp_path / "run", model={"weights": "abc", "api_key": "sk-12345"}) as run:
        run.record("a", [fit("a")], stage="s")
    body = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert body["state"] == "completed"
    assert body["finished"]
    assert body["seed"] == 7
    assert body["spec"] == {"people": 3}
    assert body["units_done"] == 1
    assert body["model"] == {"weights": "abc", "api_key": "***"}
    assert "sk-12345" not in json.dumps(body)
    environment = body["environment"]
    assert environment["packages"]["pydantic"]
    assert environment["python"].startswith("3.")
    assert environment["cores"] >= 1
    assert environment["cpu"]
    assert len(environment["load_average"]) == 3


def test_resume_with_other_settings_names_them(start, tmp_path: Path) -> None:
    spec = {"people": 3, "turns": {"max": 8}, "out": "a", "concurrency": 1}
    start(tmp_path / "run", spec=spec).close()
    with pytest.raises(InputError) as caught:
        start(tmp_path / "run", spec={**spec, "people": 4, "turns": {"max": 9}}, seed=8)
    assert "seed: 7 → 8; spec.people: 3 → 4; spec.turns.max: 8 → 9" in caught.value.message
    assert "concurrency" not in caught.value.message
    resumed = start(tmp_path / "run", spec={**spec, "out": "b", "concurrency": 8})
    assert resumed.manifest.sessions == 2
    assert resumed.manifest.spec["out"] == "b"


def test_fingerprint_excludes_are_dotted_names(start, tmp_path: Path) -> None:
    start(tmp_path / "run", spec={"a": {"b": 1, "c": 2}}, fingerprint_excludes=("a.b",)).close()
    start(tmp_path / "run", spec={"a": {"b": 9, "c": 2}}, fingerprint_excludes=("a.b",)).close()
    with pytest.raises(InputError, match=r"spec\.a\.c: 2 → 3"):
        start(tmp_path / "run", spec={"a": {"b": 1, "c": 3}}, fingerprint_excludes=("a.b",))


def test_spec_must_be_json(start, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be stored as JSON"):
        start(tmp_path / "run", spec={"x": float("nan")})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("version", [99, "one"])
def test_manifest_of_another_version(start, tmp_path: Path, version: object) -> None:
    start(tmp_path / "run").close()
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": version}))
    for attempt in (open_run, start):
        with pytest.raises(VersionError, match="schema_version"):
            attempt(tmp_path / "run")


def test_damaged_manifest_and_foreign_folders(start, tmp_path: Path) -> None:
    start(tmp_path / "run").close()
    (tmp_path / "run" / "manifest.json").write_text('{"kind": "personae-r')
    with pytest.raises(CorruptRunError, match="not JSON"):
        start(tmp_path / "run")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        start(tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]
    with pytest.raises(InputError, match="is a file"):
        start(tmp_path / "thesis" / "chapter.tex")


def test_store_of_another_version_or_lost(start, fit, tmp_path: Path) -> None:
    import sqlite3

    with start(tmp_path / "run") as run:
        run.record("a", [fit("a")], stage="s")
    db = sqlite3.connect(tmp_path / "run" / "units.sqlite")
    db.execute("PRAGMA user_version=77")
    db.close()
    with pytest.raises(VersionError, match="store version 77"):
        start(tmp_path / "run")
    (tmp_path / "run" / "units.sqlite").write_bytes(b"no database at all, " * 100)
    with pytest.raises(CorruptRunError, match="damaged"):
        open_run(tmp_path / "run")
    (tmp_path / "run" / "units.sqlite").unlink()
    with pytest.raises(CorruptRunError, match="missing"):
        start(tmp_path / "run")
    # The evidence itself was not taken for a leftover.
    assert list((tmp_path / "run" / "tables").glob("*/part-*.parquet"))


def test_one_writer_at_a_time(start, script, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with script(folder, tmp_path / "starts", "--hold") as process:
        process.stdout.readline()
        with pytest.raises(RunLockedError, match=f"process {process.pid} on") as caught:
            start(folder, study="kill", spec={})
        assert caught.value.hint
        open_run(folder).close()
        process.kill()
        process.communicate(timeout=60)
    run = start(folder, study="kill", spec={})
    with pytest.raises(RunLockedError, match="this same process"):
        start(folder, study="kill", spec={})
    assert str(os.getpid()) in (folder / ".lock").read_text()
    run.close()
    start(folder, study="kill", spec={})


def test_rows_come_back_as_they_were_sorted_by_unit(start, fit, tmp_path: Path) -> None:
    run = start(tmp_path / "run", part_rows=3)
    for key in ("c", "a", "b"):
        run.record(key, [fit(key, k) for k in (2, 0, 1)], stage="s")
    expected = [fit(key, k) for key in ("a", "b", "c") for k in (2, 0, 1)]
    assert list(run.rows(type(expected[0]))) == expected
    reader = open_run(tmp_path / "run")
    assert list(reader.rows(type(expected[0]))) == expected
    assert reader.table("fit") == [row.model_dump() for row in expected]
    assert reader.arrow("fit").column("unit").to_pylist() == list("aaabbbccc")
    assert reader.tables() == {"fit": 9}
    assert reader.table("responses") == []
    assert reader.arrow("responses").num_rows == 0
    assert list(reader.rows(PersonaRow)) == []
    assert run.done("a")
    assert not run.done("z")
    assert list(run.keys("s")) == ["a", "b", "c"]
    reader.close()


def test_reader_sees_new_tables_and_cannot_write(start, fit, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    reader = open_run(tmp_path / "run")
    run.record("a", [fit("a")], stage="s")
    assert len(reader.table("fit")) == 1
    with pytest.raises(StorageError, match="reading only"):
        reader.record("b", [fit("b")], stage="s")
    with pytest.raises(InputError, match="recorded no calls"):
        _ = reader.calls
    reader.close()


def test_read_only_folder_can_be_read(start, fit, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        run.record("a", [fit("a")], stage="s")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        ".lock", "manifest.json", "tables", "units.sqlite",
    ]  # fmt: skip
    reader = open_run(tmp_path / "run")
    assert reader.state == "completed"
    assert reader.digest() == run_digest(tmp_path / "run")
    reader.close()


def run_digest(folder: Path) -> str:
    run = open_run(folder)
    try:
        return run.digest()
    finally:
        run.close()


def test_everything_is_in_the_tables_at_the_end(start, fit, units, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    async def work(unit):
        return [fit(unit.key, k) for k in range(3)]

    with start(tmp_path / "run", part_rows=10) as run:
        execute_sync(run, units(11), work)
    parts = sorted((tmp_path / "run" / "tables" / "fit").iterdir())
    assert [p.name for p in parts] == [f"part-{k:05d}.parquet" for k in range(len(parts))]
    assert sum(pq.read_table(p).num_rows for p in parts) == 33
    assert pq.ParquetFile(parts[0]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_record_takes_the_place_of_what_was_there(start, fit, tmp_path: Path) -> None:
    with start(tmp_path / "run") as run:
        run.record("m", [fit("m", 1), fit("m", 2)], stage="measure")
        run.record("other", [fit("other")], stage="measure")
    with start(tmp_path / "run") as run:
        run.record("m", [fit("m", 3)], stage="measure")
        assert [(r["unit"], r["count"]) for r in run.table("fit")] == [("m", 3), ("other", 0)]
    reader = open_run(tmp_path / "run")
    assert [(r["unit"], r["count"]) for r in reader.table("fit")] == [("m", 3), ("other", 0)]
    assert reader.count() == 2
    reader.close()


def test_nested_rows_survive_the_way_to_parquet(start, tmp_path: Path) -> None:
    measurement = Measurement(
        name="echo", label="Echo", value=None, reason="no turns", unit="share", n=0, cluster="person",
        method="m", seed=2**63 - 1, model="fake", evidence=("a", "b"),
    )  # fmt: skip
    row = MeasurementRow(unit="m", measurement=measurement)
    with start(tmp_path / "run") as run:
        run.record("m", [row], stage="measure")
        staged = run.digest()
    reader = open_run(tmp_path / "run")
    assert list(reader.rows(MeasurementRow)) == [row]
    assert reader.digest() == staged
    reader.close()


def test_ending_badly_is_not_completed(start, fit, tmp_path: Path) -> None:
    def broken() -> None:
        with start(tmp_path / "run") as run:
            run.record("a", [fit("a")], stage="s")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    reader = open_run(tmp_path / "run")
    assert reader.state == "interrupted"
    assert "ZeroDivisionError" in str(reader.manifest.reason)
    assert reader.tables() == {"fit": 1}
    reader.close()


def test_caps_must_be_positive() -> None:
    with pytest.raises(InputError, match="cap on calls is 0"):
        Caps(calls=0)


@pytest.mark.parametrize("trouble", ["complete", "close"])
def test_what_goes_wrong_while_ending_never_hides_what_went_wrong_before(
    start, fit, tmp_path: Path, monkeypatch, caplog, trouble: str
) -> None:
    run = start(tmp_path / "run")
    real = getattr(run, trouble)

    def broken() -> None:
        real()
        raise StorageError("the disk is gone.")

    name = "interrupt" if trouble == "complete" else "close"
    monkeypatch.setattr(run, name, (lambda _: broken()) if name == "interrupt" else broken)
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError
    assert "the disk is gone" in caplog.text
    monkeypatch.undo()
    start(tmp_path / "run").close()  # nobody holds it any more


def test_what_goes_wrong_while_ending_a_good_run_is_raised(start, fit, tmp_path: Path, monkeypatch) -> None:
    run = start(tmp_path / "run")
    real = run.close

    def broken() -> None:
        real()
        raise StorageError("the disk is gone.")

    monkeypatch.setattr(run, "close", broken)
    with pytest.raises(StorageError, match="disk is gone"), run:
        run.record("a", [fit("a")], stage="s")
    monkeypatch.undo()
    assert start(tmp_path / "run").done("a")
