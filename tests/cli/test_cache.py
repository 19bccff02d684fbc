"""`personae cache`: what it says, what it deletes, and that it never deletes without being told to."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from personae.cli import _cache
from personae.models import ResponseCache, cache_path


@pytest.fixture
def filled() -> Path:
    """A cache of three hundred answers in this test's own home."""
    with ResponseCache() as cache:
        for k in range(300):
            cache.put(f"key {k}", "embed" if k % 3 == 0 else "generate", f"answer {k} " * 40)
    return cache_path()


@pytest.mark.parametrize("words", [("info",), ("vacuum",), ("clear",), ("clear", "--yes")])
def test_no_cache_yet_is_no_error_and_none_is_made(personae, words) -> None:
    said = personae("cache", *words)
    assert said.code == 0
    assert said.out == f"There is no cache yet: {cache_path()}\n"
    data = personae("cache", *words, "--json").data
    assert (data["path"], data["exists"], data["entries"]) == (str(cache_path()), False, 0)
    assert not cache_path().parent.exists()


def test_info_says_what_is_there(personae, filled: Path) -> None:
    data = personae("cache", "info", "--json").data
    assert data["path"] == str(filled)
    assert data["exists"] is True
    assert data["entries"] == 300
    assert data["verbs"] == {"embed": 100, "generate": 200}
    assert data["bytes"] == data["file_bytes"] + data["log_bytes"]
    assert data["file_bytes"] == filled.stat().st_size
    assert data["free_share"] == 0
    text = personae("cache", "info").out
    assert str(filled) in text
    assert "300 (embed 100, generate 200)" in text
    assert "0.0%" in text


def test_info_counts_the_log_that_was_not_moved_yet(personae, filled: Path) -> None:
    with ResponseCache() as other:
        other.put("one more", "generate", "x" * 50_000)
        data = personae("cache", "info", "--json").data
        assert data["log_bytes"] > 50_000
        assert data["entries"] == 301


def test_vacuum_gives_unused_space_back(personae, filled: Path) -> None:
    with sqlite3.connect(filled) as db:
        db.execute("DELETE FROM responses WHERE verb = 'generate'")
    db.close()
    assert personae("cache", "info", "--json").data["free_share"] > 0.3
    data = personae("cache", "vacuum", "--json").data
    assert data["bytes_after"] < data["bytes_before"] / 2
    assert data["deleted"] == 0
    assert personae("cache", "info", "--json").data["entries"] == 100
    assert "before" in personae("cache", "vacuum").out


def test_vacuum_and_clear_beside_an_open_cache(personae, filled: Path) -> None:
    with ResponseCache() as other:
        assert other.get("key 1") is not None
        assert personae("cache", "vacuum").code == 0
        assert other.get("key 1") is not None
        assert personae("cache", "clear", "--yes", "--json").data["deleted"] == 300
        assert other.get("key 1") is None
        other.put("key 1", "generate", "again")
        assert other.get("key 1") == "again"


@pytest.mark.parametrize("words", [("vacuum",), ("clear", "--yes")])
@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN"])
def test_a_file_that_stays_locked_is_one_clear_error(personae, filled: Path, words, lock: str) -> None:
    """A writer, or somebody in the middle of a long look, who does not end."""
    db = sqlite3.connect(filled, isolation_level=None)
    db.execute(lock)
    db.execute("SELECT count(*) FROM responses").fetchone()
    with ResponseCache() as other:
        if lock == "BEGIN":
            other.put("after the look began", "generate", "{}")
    said = personae("cache", *words, "--wait", 0.2, "--json")
    assert said.code == 5
    assert str(filled) in said.error["message"]
    assert "locked by another process for 0.2 s" in said.error["message"]
    assert said.error["suggestion"]
    db.execute("ROLLBACK")
    db.close()
    assert personae("cache", "vacuum").code == 0
    # A reader does not keep anybody from deleting, only the space from being given back.
    left = 300 if lock == "BEGIN IMMEDIATE" else 301 if words == ("vacuum",) else 0
    assert personae("cache", "info", "--json").data["entries"] == left


def test_clear_asks_on_a_terminal(personae, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cache, "_somebody_there", lambda: True)
    said = personae("cache", "clear", typed="n\n")
    assert said.code == 0
    assert "Delete 300 answer(s)" in said.out
    assert "Nothing was deleted." in said.out
    assert personae("cache", "info", "--json").data["entries"] == 300
    assert personae("cache", "clear", typed="").code == 1
    assert personae("cache", "info", "--json").data["entries"] == 300
    said = personae("cache", "clear", typed="y\n")
    assert said.code == 0
    assert "deleted: 300 answer(s)" in said.out
    assert personae("cache", "info", "--json").data["entries"] == 0
    assert filled.stat().st_size < 20_000


@pytest.mark.parametrize("words", [("--json",), ()])
def test_clear_without_anybody_to_ask_needs_yes(personae, filled: Path, words) -> None:
    said = personae("cache", "clear", *words, typed="y\n")
    assert said.code == 2
    assert "--yes" in (said.error["suggestion"] if words else said.err)
    assert personae("cache", "info", "--json").data["entries"] == 300
    assert personae("cache", "clear", "--yes", "--json").data["deleted"] == 300


def test_json_asks_nobody_even_on_a_terminal(personae, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cache, "_somebody_there", lambda: True)
    assert personae("cache", "clear", "--json", typed="y\n").code == 2


@pytest.mark.parametrize("words", [("info",), ("vacuum",), ("clear", "--yes")])
def test_a_file_that_is_no_cache_is_told(personae, words) -> None:
    cache_path().parent.mkdir(parents=True)
    cache_path().write_bytes(b"not a database at all" * 100)
    said = personae("cache", *words, "--json")
    assert said.code == 5
    assert "Delete the file" in said.error["suggestion"]
