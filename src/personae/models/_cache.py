"""The response cache: a user-level file that can be deleted at any time. The run's evidence is its call log, not this.

Every answer that a model gave is kept, unusable ones too: drawing again only where an answer was bad would bias
results.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from personae.core import ModelError, ReplayMissError
from personae.models._keys import redact
from personae.models._protocol import (
    Embeddings,
    GenerateRequest,
    Generation,
    Model,
    OnText,
    OptionScores,
    ScoreRequest,
)
from personae.models._requests import (
    WrittenCall,
    read_embeddings,
    read_generation,
    read_option_scores,
    write_embed,
    write_embeddings,
    write_generate,
    write_generation,
    write_option_scores,
    write_scores,
)
from personae.models._sqlite import FileKind, open_database, storage_errors
from personae.models._wrapper import ModelWrapper, asked

if TYPE_CHECKING:
    import asyncio

CacheMode: TypeAlias = Literal["read_write", "off", "refresh", "replay"]
"""`read_write`: use and fill; `off`: neither; `refresh`: ask and overwrite; `replay`: use, and raise on a miss."""

RESPONSES: Final = FileKind(
    name="response cache",
    version=1,
    schema=("CREATE TABLE responses(key TEXT PRIMARY KEY, verb TEXT NOT NULL, response TEXT NOT NULL) WITHOUT ROWID",),
    remedy="Delete the file (it only saves time), or pass cache='off'.",
)

_KEEP_FIRST: Final = "INSERT OR IGNORE INTO responses VALUES (?,?,?)"
_OVERWRITE: Final = "INSERT OR REPLACE INTO responses VALUES (?,?,?)"


def cache_path() -> Path:
    """Where the user-level cache lives: `$PERSONAE_HOME/cache/responses.sqlite`, else under `~/.cache/personae`."""
    home = os.environ.get("PERSONAE_HOME")
    if home:
        return Path(home).expanduser() / "cache" / "responses.sqlite"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "personae" / "responses.sqlite"


class ResponseCache:
    """Answers by call key. Safe between threads and between processes.

    Raises:
        VersionError: the file is of another version (delete it).
        CorruptRunError: the file is damaged (delete it).
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path is not None else cache_path()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = open_database(self.path, RESPONSES)

    def get(self, key: str) -> str | None:
        """The stored answer, or None."""
        with self._lock, storage_errors(self.path, RESPONSES):
            row = self._open.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, verb: str, response: str, *, overwrite: bool = False) -> None:
        """Keep an answer. The first one stays unless `overwrite`. Answers that hold a secret are not kept."""
        if redact(response) != response:
            return
        statement = _OVERWRITE if overwrite else _KEEP_FIRST
        with self._lock, storage_errors(self.path, RESPONSES):
            self._open.execute("BEGIN IMMEDIATE")
            try:
                self._open.execute(statement, (key, verb, response))
                self._open.execute("COMMIT")
            except BaseException:
                if self._open.in_transaction:
                    self._open.execute("ROLLBACK")
                raise

    def __len__(self) -> int:
        with self._lock, storage_errors(self.path, RESPONSES):
            return int(self._open.execute("SELECT count(*) FROM responses").fetchone()[0])

    def close(self) -> None:
        """Close the file. Closing twice is allowed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ModelError(f"response cache {str(self.path)!r} is closed.", hint="Open the model again.")
        return self._connection


class CachedModel(ModelWrapper):
    """A model that is asked once per distinct call.

    A model that is not exact would give two callers of the same call two answers; they share one call instead.
    """

    def __init__(self, inner: Model, cache: ResponseCache, mode: CacheMode = "read_write") -> None:
        super().__init__(inner)
        self._cache = cache
        self._mode: CacheMode = mode
        # An exact model may hold its turn while another unit waits: sharing there could lock up, and gains nothing.
        self._share = inner.determinism != "exact"
        self._running: dict[str, asyncio.Future[str]] = {}

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        if self._mode == "off":
            return await asked(self.inner, request, on_text)
        call = write_generate(self.fingerprint_hash(), request)

        async def ask() -> str:
            return write_generation(await asked(self.inner, request, on_text))

        text, cached = await self._answer(call, "generate", ask, request.tags.get("unit", ""))
        answer = read_generation(text, call=call.key, cached=cached)
        if cached and on_text is not None:
            on_text(answer.text)
        return answer

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        if not requests:
            return ()
        if self._mode == "off":
            return await self.inner.score_options(requests)
        call = write_scores(self.fingerprint_hash(), requests)

        async def ask() -> str:
            return write_option_scores(await self.inner.score_options(requests))

        text, cached = await self._answer(call, "score_options", ask, requests[0].tags.get("unit", ""))
        return read_option_scores(text, call=call.key, cached=cached)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self._mode == "off":
            return await self.inner.embed(texts)
        call = write_embed(self.fingerprint_hash(), texts)

        async def ask() -> str:
            return write_embeddings(await self.inner.embed(texts))

        text, _ = await self._answer(call, "embed", ask, "")
        return read_embeddings(text, call=call.key)

    async def close(self) -> None:
        self._cache.close()
        await self.inner.close()

    async def _answer(
        self, call: WrittenCall, verb: str, ask: Callable[[], Awaitable[str]], unit: str
    ) -> tuple[str, bool]:
        if self._mode != "refresh":
            found = self._cache.get(call.key)
            if found is not None:
                return found, True
        if self._mode == "replay":
            raise ReplayMissError(
                f"cache replay: no stored answer for this {verb} call (unit {unit!r}, key {call.key[:12]}…) in "
                f"{str(self._cache.path)!r}, which holds {len(self._cache)} answers.",
                hint="Run once with cache='read_write', or check that model, prompt, seed and sampling are the same.",
            )
        if not self._share:
            return await self._ask(call, verb, ask), False
        return await self._ask_once(call, verb, ask)

    async def _ask(self, call: WrittenCall, verb: str, ask: Callable[[], Awaitable[str]]) -> str:
        text = await ask()
        self._cache.put(call.key, verb, text, overwrite=self._mode == "refresh")
        return text

    async def _ask_once(self, call: WrittenCall, verb: str, ask: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
        import asyncio

        loop = asyncio.get_running_loop()
        while (running := self._running.get(call.key)) is not None and running.get_loop() is loop:
            with suppress(asyncio.CancelledError):
                return await asyncio.shield(running), True
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError
            # The caller who asked was cancelled: one of those who waited asks instead.
        future: asyncio.Future[str] = loop.create_future()
        self._running[call.key] = future
        try:
            text = await self._ask(call, verb, ask)
        except BaseException as error:
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()  # nobody may be waiting; the caller gets the error anyway
            else:
                future.cancel()
            raise
        else:
            future.set_result(text)
            return text, False
        finally:
            if self._running.get(call.key) is future:
                del self._running[call.key]
