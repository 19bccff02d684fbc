"""A tiny model of any family, for tests that look inside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

Using = Callable[..., Any]


@pytest.fixture
def using(folders: Callable[..., Path]) -> Using:
    """`using(use, family)`: the result of `await use(model)` on a tiny model of three blocks of width 48."""
    from personae.models import HfModel

    def run(use: Callable[[HfModel], Awaitable[Any]], family: str = "llama", **settings: Any) -> Any:
        async def go() -> Any:
            model = HfModel("hf:tiny", folders(family), **{"threads": 1, "context": 256, **settings})
            try:
                return await use(model)
            finally:
                await model.close()

        return asyncio.run(go())

    return run
