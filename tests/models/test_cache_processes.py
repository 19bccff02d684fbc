"""The response cache between processes: one answer for all, nothing lost when a process is killed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from personae.core import StorageError
from personae.models import CachedModel, GenerateRequest, Message, ResponseCache, ScriptedModel

FILL = """
import sys
from personae.models import ResponseCache
path, me, shared, own = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
with ResponseCache(path) as cache:
    print("ready", flush=True)
    sys.stdin.readline()
    for k in range(shared):
        key = f"shared {(k * 7 + me * 13) % shared}"
        cache.put(key, "generate", f"{key} by {me}")
        print(key, cache.get(key), sep="|")
    for k in range(own):
        cache.put(f"own {me} {k}", "embed", "x" * (k % 5000))
"""
WRITE = """
import os, sys
from personae.models import ResponseCache
path, me, often, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cache = ResponseCache(path)
cache._open.execute(f"PRAGMA wal_autocheckpoint={often}")
os.write(1, b"ready\\n")
for k in range(10**9):
    key = f"{me} {k}"
    cache.put(key, "generate", key * size)
    os.write(1, f"{key}\\n".encode())  # acknowledged; short enough to be written whole or not at all
"""
ASK = """
import asyncio, sys
from personae.models import CachedModel, GenerateRequest, Message, ResponseCache, ScriptedModel
class Model(ScriptedModel):
    determinism = "none"
async def main():
    inner = Model(lambda request: f"{sys.argv[2]} says {request.seed}")
    inner.__class__.fingerprint = property(lambda self: {"kind": "shared"})
    model = CachedModel(inner, ResponseCache(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    asks = [GenerateRequest((Message("user", "Hi"),), seed=k) for k in range(150)]
    await asyncio.gather(*(model.generate(ask) for ask in asks))
    again = await asyncio.gather(*(model.generate(ask) for ask in asks))
    assert all(answer.cached for answer in again)
    print("|".join(answer.text for answer in again))
    await model.close()
asyncio.run(main())
"""
VACUUM = """
import os, sys
from personae.models import ResponseCache
cache = ResponseCache(sys.argv[1])
os.write(1, b"ready\\n")
while True:
    cache.vacuum()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process that has opened the cache."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def finish(processes: Sequence[subprocess.Popen[bytes]]) -> list[str]:
    """Let them all go at once; what they printed."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
    said = [process.communicate()[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def kill(process: subprocess.Popen[bytes], after: float) -> list[str]:
    """Kill a writer `after` seconds; the keys whose `put` had returned."""
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    out = process.communicate()[0].decode()
    assert process.returncode == -signal.SIGKILL
    return out.splitlines()


def check(path: Path, acknowledged: Sequence[str], size: int, writers: int) -> None:
    """The file is sound, every acknowledged entry is whole, and at most one more per writer that was killed."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    with ResponseCache(path) as cache:
        assert [key for key in acknowledged if cache.get(key) != key * size] == []
        assert len(acknowledged) <= len(cache) <= len(acknowledged) + writers


def test_processes_that_fill_the_same_keys_all_see_the_first_answer(tmp_path: Path) -> None:
    path, processes, shared, own = tmp_path / "c.sqlite", 4, 200, 50
    said = finish([start(FILL, path, me, shared, own) for me in range(processes)])
    seen = [dict(line.split("|") for line in text.splitlines()) for text in said]
    assert seen == [seen[0]] * processes
    assert len(seen[0]) == shared
    with ResponseCache(path) as cache:
        assert len(cache) == shared + processes * own
        assert {key: cache.get(key) for key in seen[0]} == seen[0]
        assert cache.info().verbs == {"embed": processes * own, "generate": shared}


def test_models_of_several_processes_end_with_the_same_answers(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    said = finish([start(ASK, path, me) for me in range(3)])
    assert said == [said[0]] * 3
    assert len(said[0].split("|")) == 150
    with ResponseCache(path) as cache:
        assert len(cache) == 150


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("often", "size"), [(4000, 30), (5, 3000)], ids=["log", "checkpoints"])
def test_a_writer_that_is_killed_loses_nothing(tmp_path: Path, kills: int, often: int, size: int) -> None:
    """The same file all along; another writer lives through every second kill."""
    path, rng = tmp_path / "c.sqlite", np.random.default_rng(kills)
    acknowledged: list[str] = []
    for k in range(kills):
        writers = [start(WRITE, path, f"{k}/{w}", often, size) for w in range(1 + k % 2)]
        for writer in writers:
            acknowledged += kill(writer, float(rng.uniform(0, 0.05)))
        check(path, acknowledged, size, 2 * kills)
    assert len(acknowledged) > kills


@pytest.mark.slow
def test_killed_in_the_middle_of_giving_space_back(tmp_path: Path) -> None:
    path, rng, size = tmp_path / "c.sqlite", np.random.default_rng(7), 300
    keys = [f"key {k}" for k in range(1500)]
    with ResponseCache(path) as cache:
        for key in keys:
            cache.put(key, "generate", key * size)
    for _ in range(15):
        kill(start(VACUUM, path), float(rng.uniform(0, 0.1)))
        check(path, keys, size, 0)
    with ResponseCache(path) as cache:
        assert [cache.get(key) for key in keys] == [key * size for key in keys]


def test_space_is_given_back_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    writer = start(WRITE, path, "a", 4000, 100)
    with ResponseCache(path) as cache:
        for _ in range(5):
            cache.vacuum()
        before = len(cache)
    acknowledged = kill(writer, 0.0)
    assert before <= len(acknowledged) + 1
    check(path, acknowledged, 100, 1)


def test_who_waits_for_another_process_holds_up_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    kept, fresh = (GenerateRequest((Message("user", "Hi"),), seed=k) for k in (1, 2))
    other = sqlite3.connect(path, isolation_level=None)

    async def scene(model: CachedModel) -> None:
        await model.generate(kept)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(model.generate(fresh))
        for _ in range(20):
            assert (await model.generate(kept)).cached
            await asyncio.sleep(0)
        assert not waiting.done()
        other.execute("COMMIT")
        assert not (await waiting).cached
        assert (await model.generate(fresh)).cached

    with ResponseCache(path) as cache:
        asyncio.run(scene(CachedModel(ScriptedModel(lambda request: f"answer {request.seed}"), cache)))
    other.close()


def test_a_lock_that_never_ends_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with ResponseCache(path) as cache:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert cache.put_at_once("k", "generate", "{}") is False
        with pytest.raises(StorageError, match=r"c\.sqlite.*locked by another process for 0\.05 s"):
            cache.put("k", "generate", "{}", wait=0.05)
        assert cache.get("k") is None
        other.execute("ROLLBACK")
        other.close()
        cache.put("k", "generate", "{}")
        assert cache.get("k") == "{}"


SECRETS = ("correct horse battery", 'quo"ted \\ secret', "schlüssel-für-alles", "sk-abcdefghijklmnopqrstuvwx")


@pytest.mark.parametrize("variable", ["PERSONAE_API_KEY", "OPENAI_API_KEY"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_never_gets_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, secret: str
) -> None:
    """Neither from an answer nor from a request; the bytes of the file and of everything beside it are searched."""
    monkeypatch.setenv(variable, secret)
    path = tmp_path / "cache" / "c.sqlite"
    ask = GenerateRequest((Message("user", f"My key is {secret}."),), prefill=secret, tags={"unit": secret})

    async def scene(model: CachedModel) -> None:
        said = await model.generate(ask)
        assert secret in said.text
        await model.generate(GenerateRequest((Message("user", f"Another call with {secret}."),), seed=1))

    answers = (f"You said: {secret}", "clean")
    with ResponseCache(path) as cache:
        asyncio.run(scene(CachedModel(ScriptedModel(lambda request: answers[request.seed]), cache)))
        assert len(cache) == 1
        files = list(path.parent.iterdir())
        assert {f.name for f in files} >= {"c.sqlite", "c.sqlite-wal"}
        found = b"".join(f.read_bytes() for f in files)
    assert b"clean" in found
    for bare in (secret, secret.replace("\\", "\\\\").replace('"', '\\"'), ascii(secret)[1:-1]):
        assert bare.encode() not in found
    assert secret.split(maxsplit=1)[0].encode() not in found
    assert [f for f in path.parent.iterdir() if secret.encode() in f.read_bytes()] == []
