"""The torch engine behind `HfModel` and its changed views: one network, one queue, changes in force call by call."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import ModelError
from personae.models._changes import Change, Site
from personae.models._hf_files import HfFolder
from personae.models._lanes import Lanes
from personae.models._protocol import Completion
from personae.models._tree import Prompt, Scores

if TYPE_CHECKING:
    from personae.models._hf_generate import Row
    from personae.models._hf_net import Net
    from personae.models._hf_score import TorchScorer

Changes: TypeAlias = tuple[Change, ...]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A row that waits for a batch."""

    row: Row
    changes: Changes
    done: asyncio.Future[Completion]
    loop: asyncio.AbstractEventLoop
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(change.label for change in self.changes)


class HfEngine:
    """Runs calls on a network, loaded on first use.

    Args:
        reference: for messages.
        path: model folder.
        folder: reads it; called when it is needed.
        exact: one row at a time; else rows with the same changes run together.
        threads: torch threads.
        context: most tokens of a sequence.
        batch: rows together.
    """

    def __init__(
        self,
        reference: str,
        path: Path,
        folder: Callable[[], HfFolder],
        *,
        exact: bool,
        threads: int,
        context: int,
        batch: int,
    ) -> None:
        self.reference, self.path, self.folder = reference, path, folder
        self.exact, self.threads, self.context, self.batch = exact, threads, context, batch
        self.lanes = Lanes(1, exact=exact, name="personae-torch", check=self.check_open)
        self._loading = threading.RLock()
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        self._net: Net | None = None
        self._scorer: TorchScorer | None = None

    async def complete(self, row: Row, changes: Changes) -> Completion:
        """Continue one row, alone or with others."""
        if not self.exact:
            return await self._together(row, changes)

        def work(_lane: int, stop: threading.Event) -> Completion:
            row.cancelled = stop.is_set
            self._run([row], changes)
            return row.completion()

        return await self.lanes.call(work)

    async def score(self, prompts: Sequence[Prompt], changes: Changes) -> tuple[Scores, str]:
        """Scores of one group, and how they were computed."""
        return await self.lanes.call(lambda _lane, _stop: self._score(prompts, changes), alone=True)

    async def watch(
        self, prompts: Sequence[Sequence[int]], sites: Sequence[Site], changes: Changes
    ) -> list[NDArray[np.float32]]:
        """For each prompt what the network holds at the sites, shape (tokens, sites, size), under the changes."""
        return await self.lanes.call(lambda _lane, _stop: self._watched(prompts, sites, changes), alone=True)

    async def close(self) -> None:
        """Wait for running calls and free the weights."""
        if self._closed:
            return
        await self.lanes.drain()
        self._closed = True
        await self.lanes.close()
        with self._loading:
            self._net = self._scorer = None

    def check_open(self) -> None:
        """Raises ModelError when closed."""
        if self._closed:
            raise ModelError(f"{self.reference!r} is closed.", hint="Open the model again.")

    def opened(self) -> Net:
        """The network."""
        with self._loading:
            self.check_open()
            if self._net is None:
                from personae.models._hf_net import Net

                self._net = Net(self.path, threads=self.threads)
            return self._net

    async def _together(self, row: Row, changes: Changes) -> Completion:
        """Wait with others for a batch; whoever comes to the engine first takes along all that fit."""
        loop = asyncio.get_running_loop()
        own = _Waiting(row, changes, loop.create_future(), loop)
        row.cancelled = own.stop.is_set
        self._waiting.append(own)
        try:
            await asyncio.sleep(0)  # whoever asks in the same moment comes along
            await self.lanes.call(lambda _lane, _stop: self._next_batch(own), alone=True)
            return await own.done
        except asyncio.CancelledError:
            own.stop.set()
            with suppress(ValueError):
                self._waiting.remove(own)
            raise

    def _next_batch(self, mine: _Waiting) -> None:
        while mine.row.reason is None and mine in self._waiting:
            ready = [w for w in tuple(self._waiting) if not w.stop.is_set()]
            if not ready:
                return
            # Rows of like length waste least on padding; the one that has come longest is always among them.
            first = ready[0]
            ready = [w for w in ready if w.labels == first.labels]
            ready.sort(key=lambda w: (w is not first, abs(len(w.row.prompt) - len(first.row.prompt))))
            batch = ready[: self.batch]
            for waiting in batch:
                self._waiting.remove(waiting)
            trouble: Exception | None = None
            try:
                self._run([w.row for w in batch], first.changes)
            except Exception as error:  # noqa: BLE001 - handed to everybody who waits for this batch
                trouble = error
            for waiting in batch:
                waiting.loop.call_soon_threadsafe(_settle, waiting, trouble)

    def _run(self, rows: Sequence[Row], changes: Changes) -> None:
        from personae.models._hf_generate import run_rows

        net, folder = self.opened(), self.folder()
        with net.changed(changes):
            run_rows(net, folder.tokenizer, folder.ends, rows)

    def _score(self, prompts: Sequence[Prompt], changes: Changes) -> tuple[Scores, str]:
        from personae.models._hf_score import TorchScorer

        net = self.opened()
        with self._loading:
            if self._scorer is None:
                self._scorer = TorchScorer(net, context=self.context)
            scorer = self._scorer
        scorer.try_out()
        with net.changed(changes):
            return scorer.score(prompts), scorer.method

    def _watched(
        self, prompts: Sequence[Sequence[int]], sites: Sequence[Site], changes: Changes
    ) -> list[NDArray[np.float32]]:
        net = self.opened()
        out: list[NDArray[np.float32]] = []
        with net.changed(changes):
            for ids in prompts:
                if not 0 < len(ids) <= self.context:
                    raise ModelError(f"the prompt holds {len(ids)} tokens, the context holds {self.context}.")
                out.append(net.read(ids, sites).numpy().astype(np.float32, copy=True))
        return out


def _settle(waiting: _Waiting, trouble: Exception | None) -> None:
    if waiting.done.done():
        return
    if trouble is not None:
        waiting.done.set_exception(trouble)
    else:
        waiting.done.set_result(waiting.row.completion())
