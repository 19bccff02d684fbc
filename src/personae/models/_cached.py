"""A model behind the response cache: asked once per distinct call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

from personae.core import ReplayMissError
from personae.models._cache import ResponseCache
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
from personae.models._wrapper import ModelWrapper, asked

if TYPE_CHECKING:
    import asyncio

CacheMode: TypeAlias = Literal["read_write", "off", "refresh", "replay"]
"""`read_write`: use and fill; `off`: neither; `refresh`: ask and overwrite; `replay`: use, and raise on a miss."""


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
        overwrite = self._mode == "refresh"
        if not self._cache.put_at_once(call.key, verb, text, overwrite=overwrite):
            import asyncio

            # Another process is writing. A thread waits for it, and the event loop goes on with other calls.
            await asyncio.to_thread(self._cache.put, call.key, verb, text, overwrite=overwrite)
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
