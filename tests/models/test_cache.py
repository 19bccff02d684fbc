from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from personae.core import CorruptRunError, DiskFullError, ModelError, ReplayMissError, ReplyError, VersionError
from personae.models import (
    CachedModel,
    Determinism,
    GenerateRequest,
    Message,
    ResponseCache,
    ScoreRequest,
    ScriptedModel,
    cache_path,
)

ASK = GenerateRequest((Message("user", "Hi"),), tags={"unit": "u1"})
SCORE = ScoreRequest((Message("user", "Q"),), ("no", "yes"))


class Counting(ScriptedModel):
    """Counts what reaches it; says something else each time."""

    def __init__(self, determinism: Determinism = "replay") -> None:
        self.asked = 0
        self._class: Determinism = determinism
        super().__init__(self._say, self._rate)

    @property
    def determinism(self) -> Determinism:
        return self._class

    def _say(self, request: GenerateRequest) -> str:
        self.asked += 1
        return f"answer {self.asked}"

    def _rate(self, request: ScoreRequest) -> Sequence[float]:
        self.asked += 1
        return [-float(self.asked), -0.25]


def test_the_second_time_is_a_hit(tmp_path: Path) -> None:
    inner = Counting()
    model = CachedModel(inner, ResponseCache(tmp_path / "c.sqlite"))
    first, second = asyncio.run(model.generate(ASK)), asyncio.run(model.generate(ASK))
    assert (first.cached, second.cached) == (False, True)
    assert first.text == second.text == "answer 1"
    assert first.call == second.call != ""
    one, two = asyncio.run(model.score_options([SCORE])), asyncio.run(model.score_options([SCORE]))
    assert one[0].logprobs == two[0].logprobs
    assert two[0].cached
    a, b = asyncio.run(model.embed(["x"])), asyncio.run(model.embed(["x"]))
    assert (a.vectors == b.vectors).all()
    assert inner.asked == 2
    asyncio.run(model.close())


def test_tags_hit_and_everything_else_misses(tmp_path: Path) -> None:
    model = CachedModel(Counting(), ResponseCache(tmp_path / "c.sqlite"))
    asyncio.run(model.generate(ASK))
    assert asyncio.run(model.generate(replace(ASK, tags={"unit": "other"}))).cached
    for other in (replace(ASK, seed=1), replace(ASK, replicate=1), replace(ASK, condition="c"), replace(ASK, n=2)):
        assert not asyncio.run(model.generate(other)).cached
    asyncio.run(model.close())


def test_the_cache_outlives_the_model_and_is_shared_by_equal_models(tmp_path: Path) -> None:
    first = CachedModel(ScriptedModel(["a"]), ResponseCache(tmp_path / "c.sqlite"))
    asyncio.run(first.generate(ASK))
    asyncio.run(first.close())
    same = CachedModel(ScriptedModel(["a"]), ResponseCache(tmp_path / "c.sqlite"))
    other = CachedModel(ScriptedModel(["b"]), ResponseCache(tmp_path / "c.sqlite"))
    assert asyncio.run(same.generate(ASK)).cached
    assert asyncio.run(other.generate(ASK)).text == "b"
    asyncio.run(same.close())
    asyncio.run(other.close())


def test_modes(tmp_path: Path) -> None:
    inner = Counting()
    path = tmp_path / "c.sqlite"
    asyncio.run(CachedModel(inner, ResponseCache(path)).generate(ASK))
    with ResponseCache(path) as cache:
        assert asyncio.run(CachedModel(inner, cache, "off").generate(ASK)).text == "answer 2"
        assert asyncio.run(CachedModel(inner, cache, "replay").generate(ASK)).text == "answer 1"
        assert asyncio.run(CachedModel(inner, cache, "refresh").generate(ASK)).text == "answer 3"
        assert asyncio.run(CachedModel(inner, cache, "replay").generate(ASK)).text == "answer 3"
        with pytest.raises(ReplayMissError, match=r"unit 'u1'.*1 answers"):
            asyncio.run(CachedModel(inner, cache, "replay").generate(replace(ASK, seed=9)))


def test_equal_calls_at_the_same_time_are_one_call(tmp_path: Path) -> None:
    class Slow(Counting):
        async def generate(self, request: GenerateRequest):
            await asyncio.sleep(0)
            return await super().generate(request)

    async def many(model: CachedModel) -> list[str]:
        return [g.text for g in await asyncio.gather(*(model.generate(ASK) for _ in range(5)))]

    inner = Slow()
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        assert asyncio.run(many(CachedModel(inner, cache))) == ["answer 1"] * 5
    assert inner.asked == 1


def test_equal_groups_and_texts_at_the_same_time_are_one_call_each(tmp_path: Path) -> None:
    class Slow(Counting):
        async def score_options(self, requests):
            await asyncio.sleep(0)
            return await super().score_options(requests)

        async def embed(self, texts):
            self.asked += 1
            await asyncio.sleep(0)
            return await super().embed(texts)

    async def many(model: CachedModel) -> None:
        scores = await asyncio.gather(*(model.score_options([SCORE]) for _ in range(5)))
        assert len({s[0].logprobs for s in scores}) == 1
        assert [s[0].cached for s in scores] == [False, True, True, True, True]
        assert inner.asked == 1
        vectors = [e.vectors.tobytes() for e in await asyncio.gather(*(model.embed(["x"]) for _ in range(5)))]
        assert len(set(vectors)) == 1
        assert inner.asked == 2

    inner = Slow()
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        asyncio.run(many(CachedModel(inner, cache)))
        assert len(cache) == 2


def test_a_file_of_the_older_layout_works_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with sqlite3.connect(path) as db:
        columns = "key TEXT PRIMARY KEY, verb TEXT NOT NULL, response TEXT NOT NULL"
        db.execute(f"CREATE TABLE responses({columns}) WITHOUT ROWID")
        db.execute("INSERT INTO responses VALUES ('old', 'generate', 'kept')")
        db.execute("PRAGMA user_version=1")
    db.close()
    with ResponseCache(path) as cache:
        cache.put("old", "generate", "late")
        cache.put("new", "embed", "{}")
        assert (cache.get("old"), cache.get("new"), len(cache)) == ("kept", "{}", 2)
        cache.put("old", "generate", "late", overwrite=True)
        assert cache.get("old") == "late"
        assert cache.info().verbs == {"embed": 1, "generate": 1}
        assert cache.clear().deleted == 2


def test_giving_space_back_needs_no_free_lock_of_ones_own(tmp_path: Path) -> None:
    """One object, several threads: lookups and new answers go on while one gives space back."""
    with ResponseCache(tmp_path / "c.sqlite") as cache, ThreadPoolExecutor(3) as pool:
        for k in range(200):
            cache.put(f"{k}", "generate", "x" * 2000)
        shrinking = [pool.submit(cache.vacuum) for _ in range(2)]
        for k in range(200):
            assert cache.get(f"{k}") is not None
            cache.put(f"new {k}", "generate", "{}")
        assert all(done.result().deleted == 0 for done in shrinking)
        info = cache.info()
        assert (info.entries, info.bytes) == (400, info.file_bytes + info.log_bytes)


def test_who_waits_for_a_cancelled_call_asks_instead(tmp_path: Path) -> None:
    started = asyncio.Event()

    class Stuck(Counting):
        async def generate(self, request: GenerateRequest):
            if self.asked == 0:
                self.asked = 1
                started.set()
                await asyncio.Event().wait()
            return await super().generate(request)

    async def scene(model: CachedModel) -> str:
        first = asyncio.create_task(model.generate(ASK))
        await started.wait()
        second = asyncio.create_task(model.generate(ASK))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return (await second).text

    with ResponseCache(tmp_path / "c.sqlite") as cache:
        assert asyncio.run(scene(CachedModel(Stuck(), cache))) == "answer 2"


def test_failures_are_not_kept(tmp_path: Path) -> None:
    def fail(request: GenerateRequest) -> str:
        raise ReplyError("nonsense")

    with ResponseCache(tmp_path / "c.sqlite") as cache:
        with pytest.raises(ReplyError):
            asyncio.run(CachedModel(ScriptedModel(fail), cache).generate(ASK))
        assert len(cache) == 0


def test_answers_with_a_secret_are_not_kept(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        model = CachedModel(ScriptedModel(["sk-abcdefghijklmnopqrstuvwx"]), cache)
        assert asyncio.run(model.generate(ASK)).text == "sk-abcdefghijklmnopqrstuvwx"
        assert len(cache) == 0


def test_the_path_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_path() == tmp_path / "home" / "cache" / "responses.sqlite"
    monkeypatch.delenv("PERSONAE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_path() == tmp_path / "personae" / "responses.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_path() == Path.home() / ".cache" / "personae" / "responses.sqlite"


def test_a_cache_of_another_version_is_named_and_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE old(x)")
    connection.close()
    with pytest.raises(VersionError, match=r"c\.sqlite.*Delete the file"):
        ResponseCache(path)


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(CorruptRunError, match=r"c\.sqlite.*Delete"):
        ResponseCache(path)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        pages = cache._open.execute("PRAGMA page_count").fetchone()[0]
        cache._open.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(DiskFullError, match=r"c\.sqlite"):
            cache.put("k", "generate", "x" * 10**6)
        cache._open.execute("PRAGMA max_page_count=100000")
        cache.put("k", "generate", "x" * 10**6)
        assert cache.get("k") is not None


def test_writers_share_one_file(tmp_path: Path) -> None:
    def write(worker: int) -> None:
        with ResponseCache(tmp_path / "c.sqlite") as cache:
            for k in range(25):
                cache.put(f"{worker}/{k}", "generate", "{}")
                cache.put("same", "generate", f"{worker}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        assert len(cache) == 101
        first = cache.get("same")
        cache.put("same", "generate", "late")
        assert cache.get("same") == first


def test_those_who_make_one_file_at_once_all_get_it(tmp_path: Path) -> None:
    """Threads stand in for processes: each opens the file by itself, and SQLite knows no difference."""
    makers = 8
    start = threading.Barrier(makers)

    def make(worker: int, path: Path) -> None:
        start.wait()
        with ResponseCache(path) as cache:
            cache.put(str(worker), "generate", "{}")

    with ThreadPoolExecutor(makers) as pool:
        for k in range(25):
            path = tmp_path / f"{k}.sqlite"
            list(pool.map(make, range(makers), [path] * makers))
            with ResponseCache(path) as cache:
                assert len(cache) == makers


def test_a_closed_cache_says_so(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "c.sqlite")
    cache.close()
    cache.close()
    with pytest.raises(ModelError, match="closed"):
        cache.get("k")


def test_session_and_the_rest_pass_through(tmp_path: Path) -> None:
    inner = Counting()
    with ResponseCache(tmp_path / "c.sqlite") as cache:
        model = CachedModel(inner, cache)
        assert model.fingerprint == inner.fingerprint
        assert model.capabilities == inner.capabilities
        assert model.reference == inner.reference
        assert model.count_tokens("abcdefgh") == 2
        assert "Hi" in model.show_prompt(ASK)

        async def held() -> str:
            async with model.session("u1"):
                return (await model.generate(ASK)).text

        assert asyncio.run(held()) == "answer 1"
