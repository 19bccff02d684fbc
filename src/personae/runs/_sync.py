"""Blocking twins. They work inside a running event loop too (a notebook): there, in a thread of their own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return what it returns.

    Without a running loop this is `asyncio.run`. With one, the coroutine gets a fresh thread and a fresh loop, and the
    caller waits; Ctrl-C cancels it and waits until it has cleaned up.

    >>> async def answer() -> int:
    ...     return 42
    >>> run_sync(answer())
    42
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _InThread(coroutine).result()


class _InThread(Generic[T]):
    """A coroutine in a thread of its own."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._begun = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._main,), name="personae-sync", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        async def main() -> T:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            self._begun.set()
            return await self._coroutine

        try:
            self._value.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 raised again in the thread that waits
            self._error = error
        finally:
            self._begun.set()

    def result(self) -> T:
        try:
            self._thread.join()
        except BaseException:
            self._cancel()
            self._thread.join()
            raise
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _cancel(self) -> None:
        self._begun.wait()
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
