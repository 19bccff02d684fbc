"""An import that ends in the middle keeps what it read, and goes on to what an undisturbed one gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from personae.core import InputError, SchemaError
from personae.formats import _kept as kept_module
from personae.formats import import_file, import_people, read_people

N = 2_000
MIDDLE = 1_234
MANY = 20_000
MAPPING = "columns: {Name: names.full, Age: social.age, Town: social.residence, Job: social.occupation}\n"
BROKEN = {
    "cells": (b"P1234,31,F,Faro\n", r"t\.csv:1236: 4 cells for 6 columns \(the last one filled is 'Town'\)"),
    "quote": (b'"P1234,31,F,Faro,cook,w1\n', r"t\.csv:1236: .*column 'Name'.*a quote opens here"),
    "huge quote": (
        b'P1234,31,F,"' + b"x" * 3_000_000 + b",cook,w1\n", r"t\.csv:1236: .*column 'Town'.*a quote opens here"
    ),
    "early quote": (b'P1234,31,F,"Fa"ro,cook,w1\n', r"t\.csv:1236: column 'Town': not valid CSV"),
    "bytes": (b"P1234,31,F,Fa\xffro,cook,w1\n", r"t\.csv:1236:14: column 'Town': not UTF-8 \(byte 0xff\)"),
    "age": (b"P1234,old,F,Faro,cook,w1\n", r"t\.csv:1236: column 'Age': 'old' is no whole number"),
}  # fmt: skip


def rows(n: int = N) -> list[bytes]:
    return [f'P{k},{18 + k % 70},F,"Faro, {k % 9}",cook,w{k % 7}\n'.encode() for k in range(n)]


def table(folder: Path, lines: list[bytes]) -> Path:
    file = folder / "t.csv"
    file.write_bytes(b"Name,Age,Sex,Town,Job,Panel\n" + b"".join(lines))
    (folder / "m.yaml").write_text(MAPPING)
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    done = import_file(table(folder, rows()), folder / "p.jsonl", mapping=folder / "m.yaml")
    assert (done.people, done.rejected, done.twice, done.resumed, done.anew) == (N, 0, 0, 0, None)
    assert sorted(f.name for f in folder.iterdir()) == ["m.yaml", "p.jsonl", "t.csv"]
    return (folder / "p.jsonl").read_bytes()


@pytest.mark.parametrize("kind", BROKEN)
def test_a_mended_file_is_gone_on_with(kind: str, undisturbed: bytes, tmp_path: Path) -> None:
    lines = rows()
    lines[MIDDLE], words = BROKEN[kind]
    out = tmp_path / "p.jsonl"
    with pytest.raises(SchemaError, match=words) as caught:
        import_file(table(tmp_path, lines), out, mapping=tmp_path / "m.yaml")
    assert "The 1,234 people before it are kept in" in (caught.value.hint or "")
    assert not out.exists()
    kept = list(read_people(tmp_path / "p.jsonl.partial" / "people.jsonl"))
    assert [p.name for p in kept] == [f"P{k}" for k in range(MIDDLE)]
    done = import_file(table(tmp_path, rows()), out, mapping=tmp_path / "m.yaml", resume=True)
    assert (done.people, done.resumed, done.twice) == (N, MIDDLE, 0)
    assert out.read_bytes() == undisturbed
    assert sorted(f.name for f in tmp_path.iterdir()) == ["m.yaml", "p.jsonl", "t.csv"]


def test_twenty_thousand_rows_with_one_broken_line(tmp_path: Path) -> None:
    lines, words = rows(MANY), {"mapping": tmp_path / "m.yaml"}
    import_file(table(tmp_path, lines), tmp_path / "whole.jsonl", **words)
    with pytest.raises(SchemaError, match=r"t\.csv:12347: 1 cells for 6 columns") as caught:
        import_file(table(tmp_path, [*lines[:12_345], b"x\n", *lines[12_346:]]), tmp_path / "p.jsonl", **words)
    assert "The 12,345 people before it are kept in" in (caught.value.hint or "")
    done = import_file(table(tmp_path, lines), tmp_path / "p.jsonl", resume=True, **words)
    assert (done.people, done.resumed) == (MANY, 12_345)
    assert (tmp_path / "p.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_going_on_without_the_broken_rows(undisturbed: bytes, tmp_path: Path) -> None:
    lines = rows()
    lines[500] = b"Q,1\n"
    lines[1_500] = b'"R,40\n'
    file, out, bad = table(tmp_path, lines), tmp_path / "p.jsonl", tmp_path / "bad.jsonl"
    with pytest.raises(SchemaError, match=r"t\.csv:502"):
        import_file(file, out, mapping=tmp_path / "m.yaml")
    done = import_file(file, out, mapping=tmp_path / "m.yaml", rejected=bad)
    assert (done.people, done.rejected, done.resumed, done.rejected_path) == (N - 2, 2, 500, bad)
    assert [json.loads(line)["line"] for line in bad.read_text("utf-8").splitlines()] == [502, 1_502]
    whole = undisturbed.splitlines(keepends=True)
    assert out.read_bytes() == b"".join(whole[:500] + whole[501:1_500] + whole[1_501:])


def test_rejected_rows_are_gone_on_with_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kept_module, "EVERY", 100)
    lines = rows()[:1_000]
    lines[50] = b"Q,1\n"
    lines[150] = b"R,1\n"
    lines[900] = b"S,1\n"
    file, out, bad = table(tmp_path, lines), tmp_path / "p.jsonl", tmp_path / "bad.jsonl"
    words = {"mapping": tmp_path / "m.yaml", "rejected": bad}
    stopped = import_people(file, mapping=tmp_path / "m.yaml", on_error="report", rejected=tmp_path / "x.jsonl")
    want = [p.id for p in stopped]
    dumped = kept_module.json_line

    def breaks(body: dict) -> str:
        if body["names"]["full"] == "P420":
            raise KeyboardInterrupt
        return dumped(body)

    with monkeypatch.context() as patch:
        patch.setattr(kept_module, "json_line", breaks)
        with pytest.raises(KeyboardInterrupt):
            import_file(file, out, **words)
    with pytest.raises(InputError, match=r"2 rows were left out so far, and now none may be"):
        import_file(file, out, mapping=tmp_path / "m.yaml", resume=True)
    done = import_file(file, out, **words)
    assert (done.people, done.rejected, done.resumed) == (997, 3, 398)
    assert [p.id for p in read_people(out)] == want
    assert bad.read_text("utf-8") == (tmp_path / "x.jsonl").read_text("utf-8")


@pytest.mark.parametrize("ending", ["p.parquet", "p.csv", "p.json", "dataset"])
def test_every_form_of_ours_is_gone_on_with(ending: str, tmp_path: Path) -> None:
    lines = rows()[:600]
    import_file(table(tmp_path, lines), tmp_path / "whole" / ending, mapping=tmp_path / "m.yaml")
    broken = [*lines]
    broken[400] = b"Q,1\n"
    with pytest.raises(SchemaError, match=r"t\.csv:402"):
        import_file(table(tmp_path, broken), tmp_path / "again" / ending, mapping=tmp_path / "m.yaml")
    done = import_file(table(tmp_path, lines), tmp_path / "again" / ending, mapping=tmp_path / "m.yaml", resume=True)
    assert (done.people, done.resumed) == (600, 400)
    a, b = (sorted(f for f in (tmp_path / x).rglob("*") if f.is_file()) for x in ("whole", "again"))
    assert [f.name for f in a] == [f.name for f in b]
    assert [f.read_bytes() for f in a] == [f.read_bytes() for f in b]


def test_what_changed_before_the_break_is_read_again(tmp_path: Path) -> None:
    lines = rows()[:300]
    out = tmp_path / "p.jsonl"
    with pytest.raises(SchemaError):
        import_file(table(tmp_path, [*lines[:200], b"Q,1\n"]), out, mapping=tmp_path / "m.yaml")
    file = table(tmp_path, [b"Someone,44,M,Oslo,vet,w0\n", *lines[1:]])
    with pytest.raises(InputError, match=r"changed within the 200 records that were read"):
        import_file(file, out, mapping=tmp_path / "m.yaml", resume=True)
    with pytest.raises(InputError, match=r"another format, mapping or release"):
        import_file(file, out, mapping=_other(tmp_path), resume=True)
    done = import_file(file, out, mapping=tmp_path / "m.yaml")
    assert (done.people, done.resumed) == (300, 0)
    assert "changed within the 200 records" in (done.anew or "")
    assert next(read_people(out)).name == "Someone"
    with pytest.raises(InputError, match="nothing is kept there"):
        import_file(file, out, mapping=tmp_path / "m.yaml", resume=True)


def _other(folder: Path) -> Path:
    (folder / "o.yaml").write_text("columns: {Name: names.full}\n")
    return folder / "o.yaml"


@pytest.mark.parametrize("damage", ["state", "people"])
def test_damaged_kept_people_are_not_trusted(damage: str, tmp_path: Path) -> None:
    out, folder = tmp_path / "p.jsonl", tmp_path / "p.jsonl.partial"
    with pytest.raises(SchemaError):
        import_file(table(tmp_path, [*rows()[:50], b"Q,1\n"]), out, mapping=tmp_path / "m.yaml")
    if damage == "state":
        (folder / "state.json").write_text("{")
    else:
        (folder / "people.jsonl").write_text("")
    done = import_file(table(tmp_path, rows()[:60]), out, mapping=tmp_path / "m.yaml")
    assert (done.people, done.resumed) == (60, 0)
    assert done.anew


def test_nothing_is_kept_of_a_file_that_breaks_at_once(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"t\.csv:2") as caught:
        import_file(table(tmp_path, [b"Q,1\n"]), tmp_path / "p.jsonl", mapping=tmp_path / "m.yaml")
    assert "kept" not in (caught.value.hint or "")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["m.yaml", "t.csv"]
    with pytest.raises(InputError, match=r"p\.xyz: which format"):
        import_file(table(tmp_path, rows()[:5]), tmp_path / "p.xyz", mapping=tmp_path / "m.yaml")


def test_people_of_one_row_stay_together(tmp_path: Path) -> None:
    head = "user 1 personas,user 2 personas,Best Generated Conversation\n"
    good = "".join(f"I am {k}.,I am not {k}.,User 1: Hi!\n" for k in range(30))
    file, out = tmp_path / "s.csv", tmp_path / "p.jsonl"
    file.write_text(f"{head}{good}x\n{good}")
    with pytest.raises(SchemaError, match=r"s\.csv:32"):
        import_file(file, out)
    file.write_text(head + good + good)
    done = import_file(file, out, resume=True)
    assert (done.people, done.resumed) == (120, 60)
    assert [p.id for p in read_people(out)] == [p.id for p in import_people(file)]


RUN = """
import sys
from personae.formats import _kept
_kept.EVERY = 100
_kept.import_file(sys.argv[1], sys.argv[2], mapping=sys.argv[3])
"""


def test_killed_imports_go_on(tmp_path: Path) -> None:
    n = 6_000  # enough to be killed in the middle
    file, out = table(tmp_path, rows(n)), tmp_path / "p.jsonl"
    state = tmp_path / "p.jsonl.partial" / "state.json"
    words = [sys.executable, "-c", RUN, str(file), str(out), str(tmp_path / "m.yaml")]
    process = subprocess.Popen(words, env=os.environ | {"OMP_NUM_THREADS": "1"})
    end = time.monotonic() + 60
    while not state.exists() and process.poll() is None and time.monotonic() < end:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = import_file(file, out, mapping=tmp_path / "m.yaml", resume=True)
    assert 100 <= done.resumed < n
    assert done.resumed % 100 == 0
    import_file(file, tmp_path / "whole.jsonl", mapping=tmp_path / "m.yaml")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
