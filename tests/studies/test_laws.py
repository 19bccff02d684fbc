"""Laws at the level of a whole study: batch, failure, resume. Kills have a file of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checks import counts, measured, rows

from personae.core import FailureRow, InputError, MeasurementRow, ModelError, RunFailedError, TurnRow
from personae.models import StatisticalModel
from personae.runs import compare, open_run
from personae.studies import overview, report_run


@pytest.mark.parametrize("study", ["demo", "spasm"])
def test_batch_law_concurrency_changes_nothing(start, request, tmp_path: Path, study: str) -> None:
    eight = request.getfixturevalue(study)
    assert start(study, tmp_path / "run", concurrency=1).run.digest == eight.run.digest


@pytest.mark.slow
@pytest.mark.model
def test_batch_law_on_the_embedded_model(start, tmp_path: Path) -> None:
    """Exact mode, cache off: one unit at a time and eight give identical evidence tables."""
    more = {"people": 2, "turns": 2, "talkers": 1}
    runs = [start("demo", tmp_path / str(n), model="smollm2", more=more, cache="off", concurrency=n) for n in (1, 8)]
    assert runs[0].run.digest == runs[1].run.digest


@pytest.mark.model
def test_a_batched_run_replays_to_the_same_tables(start, tmp_path: Path) -> None:
    """Batched mode promises this alone: the call log gives every table again, at any concurrency."""
    more = {"people": 3, "turns": 2, "talkers": 2}
    settings = {"more": more, "exactness": "batched", "cache": "off"}
    once = start("demo", tmp_path / "once", model="smollm2", concurrency=8, **settings)
    again = start("demo", tmp_path / "again", model=f"replay:{once.folder}", concurrency=2, **settings)
    with open_run(once.folder) as a, open_run(again.folder) as b:
        different = {t.table: {c for r in t.first for c in r.columns} for t in compare(a, b).different}
    assert all(columns <= {"model", "measurement"} for columns in different.values())
    assert rows(once.folder, TurnRow)


def test_the_same_call_again_asks_nothing_and_leaves_the_same(start, answer_with, demo, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(demo.folder, folder)

    class Mute(StatisticalModel):
        async def score_options(self, requests):
            raise AssertionError("asked again")

        generate = score_options

    before = sessions(folder)
    answer_with(Mute)
    again = start("demo", folder)
    assert again.run.digest == demo.run.digest
    assert sessions(folder) == before


def sessions(folder: Path) -> dict[str, int]:
    """In which session each unit was committed; measurements are computed anew each time."""
    import sqlite3

    db = sqlite3.connect(folder / "units.sqlite")
    try:
        return dict(db.execute("SELECT key, session FROM units WHERE state = 1 AND key != 'measure'").fetchall())
    finally:
        db.close()


class Failing(StatisticalModel):
    """Fails for the units whose key ends so."""

    def __init__(self, *ends: str) -> None:
        super().__init__()
        self.ends = ends

    async def score_options(self, requests):
        if requests[0].tags.get("unit", "").endswith(self.ends):
            raise ModelError("the server coughed.", hint="Ask again.")
        return await super().score_options(requests)


def test_failure_law_a_run_over_its_share_ends_as_failed(start, answer_with, tmp_path: Path) -> None:
    answer_with(lambda: Failing("/0", "/1", "/2"))
    with pytest.raises(RunFailedError, match=r"stage 'inventory': 6 of 18 units failed") as caught:
        start("demo", tmp_path / "run")
    assert caught.value.exit_code == 6
    assert "the server coughed" in str(caught.value)
    shown = overview(tmp_path / "run")
    assert shown["state"] == "failed"
    assert shown["responses"] == 12 * 50
    assert shown["failures"] == 6
    assert shown["measurements"] == 0


def test_failure_law_a_few_failures_are_events_and_never_zeros(start, answer_with, demo, tmp_path: Path) -> None:
    answer_with(lambda: Failing("self/3"))
    run = start("demo", tmp_path / "run")
    (failure,) = rows(run.folder, FailureRow)
    assert (failure.unit, failure.stage, failure.boundary, failure.code) == (
        "inventory/self/3",
        "inventory",
        "provider",
        "model",
    )
    assert overview(run.folder)["state"] == "completed"
    assert counts(run.folder)["responses"] == 17 * 50
    assert measured(run.folder)["trait_recovery.self"].n == 7
    assert any("1 unit(s) failed" in line for line in run.noted)
    assert "the server coughed" in run.run.report.read_text("utf-8")
    answer_with(StatisticalModel)
    again = start("demo", run.folder)
    assert again.run.digest == demo.run.digest
    assert measured(run.folder)["trait_recovery.self"].n == 8


def test_a_failure_while_measuring_loses_nothing(start, demo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from personae.studies.demo import Demo

    def broken(self, bench):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Demo, "measure", broken)
    with pytest.raises(ZeroDivisionError):
        start("demo", tmp_path / "run")
    assert overview(tmp_path / "run")["state"] == "interrupted"
    kept = sessions(tmp_path / "run")
    assert len(kept) == 1 + 18 + 6
    monkeypatch.undo()
    again = start("demo", tmp_path / "run")
    assert again.run.digest == demo.run.digest
    assert sessions(tmp_path / "run") == kept


def test_another_study_or_seed_or_setting_is_another_folder(start, demo) -> None:
    for more in ({"seed": 8}, {"more": {"turns": 6}}, {"model": "fake:scripted"}):
        with pytest.raises(InputError, match=r"another|other|differ"):
            start("demo", demo.folder, **more)
    with pytest.raises(InputError):
        start("spasm", demo.folder)
    assert overview(demo.folder)["digest"] == demo.run.digest


def test_a_report_can_be_written_again_without_the_model(demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    shutil.copytree(demo.folder, folder)
    shutil.rmtree(folder / "report")
    path = report_run(folder)
    assert path.read_text("utf-8") == demo.run.report.read_text("utf-8")


def test_a_run_made_from_a_replay_is_the_run_it_replays(start, spasm, tmp_path: Path) -> None:
    """Every answer comes from the call log; only the folder differs."""
    again = start("spasm", tmp_path / "run", model=f"replay:{spasm.folder}")
    with open_run(spasm.folder) as a, open_run(again.folder) as b:
        different = {t.table: {c for r in t.first for c in r.columns} for t in compare(a, b).different}
    # What names the model says replay:…; nothing that was said or measured differs.
    assert set(different) <= {"probes", "responses", "measurements"}
    assert all(columns <= {"model", "measurement"} for columns in different.values())


def test_honesty_law_every_number_says_where_it_comes_from(demo, spasm) -> None:
    for told in (demo, spasm):
        text = told.run.report.read_text("utf-8")
        found = [row.measurement for row in rows(told.folder, MeasurementRow)]
        assert found
        for m in found:
            assert m.n >= 0
            assert m.model
            assert m.seed == 7
            assert m.method
            assert m.unit
            assert m.cluster
            if m.value is None:
                assert m.reason, m.name
                assert m.p is None, m.name
            elif m.interval is None:
                assert m.reason, m.name
            else:
                assert m.interval.low <= m.value <= m.interval.high, m.name
                assert m.interval.method
            assert m.label in text or m.label.replace("'", "&#39;") in text, m.label
        judged = [m for m in found if m.name.startswith(("audit", "termination"))]
        assert all("validated" in m.validated or "labelled" in f"{m.validated} {m.note}" for m in judged)
