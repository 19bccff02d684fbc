"""Telling a text while it is written: pieces that can no longer change, from an engine's thread to the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from personae.models._protocol import GenerateRequest, Generation, Model, OnText
from personae.models._wrapper import ModelWrapper, asked

if TYPE_CHECKING:
    import asyncio


class Teller:
    """Passes on the part of a growing text that no stop string can take back.

    Args:
        tell: gets the pieces, on the loop's thread.
        loop: the caller's event loop.
        stops: strings that end the text; what may be the beginning of one is held back.
    """

    def __init__(self, tell: OnText, loop: asyncio.AbstractEventLoop, stops: Sequence[str]) -> None:
        self._tell, self._loop = tell, loop
        self._reach = max((len(text) for text in stops), default=1) - 1
        self._told = 0

    def grown(self, text: str) -> None:
        """The text so far, from whatever thread writes it."""
        # A character whose bytes are not all there yet shows as a replacement sign.
        self._pass(text[: max(self._told, len(text) - self._reach)].rstrip("\ufffd"))

    def ended(self, text: str) -> None:
        """The whole text."""
        self._pass(text)

    def _pass(self, text: str) -> None:
        if len(text) > self._told:
            piece, self._told = text[self._told :], len(text)
            self._loop.call_soon_threadsafe(self._tell, piece)


class HeardModel(ModelWrapper):
    """A model whose single continuations are heard as they are written, by somebody at a terminal, say."""

    def __init__(self, inner: Model, tell: OnText) -> None:
        super().__init__(inner)
        self._tell = tell

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        def tell(piece: str) -> None:
            self._tell(piece)
            if on_text is not None:
                on_text(piece)

        return await asked(self.inner, request, tell)
