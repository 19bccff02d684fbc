from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from personae.core import CorruptRunError, DiskFullError, InputError, ReplyError, StorageError, VersionError
from personae.models import CallLog, GenerateRequest, Message, RecordedModel, Sampling, ScoreRequest, ScriptedModel

ASK = GenerateRequest((Message("user", "Hi"),), seed=3, tags={"unit": "u1", "persona": "p1"})


def _score(k: int) -> ScoreRequest:
    messages = (Message("system", "You are Ada."), Message("user", f"Q{k}"))
    return ScoreRequest(messages, ("no", "yes"), tags={"unit": "u2", "item": str(k)})


def test_each_call_is_a_row(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        model = RecordedModel(ScriptedModel(["hello"]), log)
        answer = asyncio.run(model.generate(ASK))
        scores = asyncio.run(model.score_options([_score(0), _score(1)]))
        asyncio.run(model.embed(["a"]))
        assert len(log) == 3
        rows = list(log.records())
        assert [r.verb for r in rows] == ["generate", "score_options", "embed"]
        assert [r.unit for r in rows] == ["u1", "u2", ""]
        assert rows[0].tags == {"unit": "u1", "persona": "p1"}
        assert rows[1].tags == {"unit": "u2"}
        assert rows[0].usage.generated == answer.usage.generated
        assert not rows[0].cached
        assert rows[0].latency >= 0
        assert rows[0].attempt == 1
        assert [r.seq for r in log.records("u2")] == [rows[1].seq]
        found = log.find(answer.call)
        assert found is not None
        assert found.asked() == ASK
        assert scores[1].call == f"{rows[1].key}#1"
        member = log.find(scores[1].call)
        assert member is not None
        assert member.asked().messages[-1].content == "Q1"
        assert log.find("nothing") is None


def test_an_embedding_has_no_prompt(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        asyncio.run(RecordedModel(ScriptedModel(), log).embed(["a"]))
        with pytest.raises(InputError, match="no prompt"):
            next(log.records()).asked()


def test_rows_wait_in_the_buffer_until_flush(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with CallLog(path) as log:
        model = RecordedModel(ScriptedModel(), log)
        asyncio.run(model.generate(ASK))
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM calls").fetchone()[0] == 0
        log.flush()
        assert other.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
        other.close()


def test_a_full_buffer_is_written_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with CallLog(path, buffer_rows=4) as log:
        model = RecordedModel(ScriptedModel(), log)
        for seed in range(6):
            asyncio.run(model.generate(replace(ASK, seed=seed)))
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM calls").fetchone()[0] == 4
        other.close()
        assert len(log) == 6


def test_a_failed_flush_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with CallLog(path) as log:
        asyncio.run(RecordedModel(ScriptedModel(), log).generate(ASK))
        log._open.execute("PRAGMA query_only=ON")
        with pytest.raises(StorageError, match=r"calls\.sqlite"):
            log.flush()
        log._open.execute("PRAGMA query_only=OFF")
        log.flush()
        assert [r.unit for r in log.records()] == ["u1"]


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        pages = log._open.execute("PRAGMA page_count").fetchone()[0]
        log._open.execute(f"PRAGMA max_page_count={pages}")
        model = RecordedModel(ScriptedModel(["word " * 20000]), log)
        asyncio.run(model.generate(replace(ASK, sampling=Sampling(max_tokens=10**6))))
        with pytest.raises(DiskFullError, match="disk is full"):
            log.flush()
        log._open.execute("PRAGMA max_page_count=100000")
        log.flush()
        assert [r.unit for r in log.records()] == ["u1"]


def test_a_killed_writer_leaves_a_readable_log(tmp_path: Path) -> None:
    code = f"""
import asyncio, os
from personae.models import CallLog, GenerateRequest, Message, RecordedModel, ScriptedModel
log = CallLog({str(tmp_path / "calls.sqlite")!r})
model = RecordedModel(ScriptedModel(), log)
asyncio.run(model.generate(GenerateRequest((Message("user", "one"),), tags={{"unit": "done"}})))
log.flush()
asyncio.run(model.generate(GenerateRequest((Message("user", "two"),), tags={{"unit": "lost"}})))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with CallLog(tmp_path / "calls.sqlite") as log:
        assert [r.unit for r in log.records()] == ["done"]


def test_secrets_are_masked_before_anything_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "plain-looking-words")
    key = "sk-abcdefghijklmnopqrstuvwx"
    path = tmp_path / "calls.sqlite"
    with CallLog(path) as log:
        model = RecordedModel(ScriptedModel([f"take {key}"]), log)
        asked = GenerateRequest((Message("user", f"{key} and plain-looking-words"),), tags={"unit": key})
        answer = asyncio.run(model.generate(asked))
        assert key in answer.text  # what is stored is masked, what is said is not changed
    data = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"sk-abcdef" not in data
    assert b"plain-looking-words" not in data


def test_a_failed_call_is_a_row_too(tmp_path: Path) -> None:
    def fail(request: GenerateRequest) -> str:
        raise ReplyError("nonsense", hint="Ask again.")

    with CallLog(tmp_path / "calls.sqlite") as log:
        model = RecordedModel(ScriptedModel(fail), log)
        with pytest.raises(ReplyError):
            asyncio.run(model.generate(ASK))
        (row,) = log.records()
        assert row.response is None
        assert row.error is not None
        assert '"reply"' in row.error


def test_reopening_appends(tmp_path: Path) -> None:
    for _ in range(2):
        with CallLog(tmp_path / "calls.sqlite") as log:
            asyncio.run(RecordedModel(ScriptedModel(), log).generate(ASK))
    with CallLog(tmp_path) as log:
        assert len(log) == 2


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls.sqlite")
    log.close()
    log.close()
    with pytest.raises(InputError, match="closed"):
        len(log)


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    CallLog(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(VersionError, match=r"calls\.sqlite.*version 9"):
        CallLog(path)


def test_a_damaged_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    path.write_bytes(b"this was never a database, whatever its name says" * 50)
    with pytest.raises(CorruptRunError, match="damaged"):
        CallLog(path)


def test_recording_is_cheap(tmp_path: Path) -> None:
    import time

    async def many() -> float:
        with CallLog(tmp_path / "calls.sqlite") as log:
            model = RecordedModel(ScriptedModel(["hello"]), log)
            asks = [replace(ASK, seed=k) for k in range(1500)]
            start = time.process_time()
            for ask in asks:
                await model.generate(ask)
            log.flush()
            return (time.process_time() - start) / 1500

    assert min(asyncio.run(many()) for _ in range(1)) < 400e-6  # 60 µs on an idle machine
