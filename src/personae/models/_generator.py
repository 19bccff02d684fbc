"""Generation in exact mode: one sequence at a time on the compiled engine, prompts cut at message boundaries.

The bits of eight-bit arithmetic depend on how many tokens are computed together, so a warm prefix cache that is cut
anywhere changes sampled text. Here each message is its own batch, always. The state after a message is then a pure
function of the messages up to it, and may be kept and used again: warm and cold give the same bits, turn after turn,
whoever spoke in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import ModelError
from personae.models._native import Batch, NativeContext, NativeModel, Shape
from personae.models._protocol import Completion, FinishReason, Sampling
from personae.models._sampling import PENALISED
from personae.models._telling import Teller

Chunk: TypeAlias = tuple[int, ...]
Vectors: TypeAlias = NDArray[np.float32]

_BATCH: Final = 512
_SLOTS: Final = 4
"""Prompt states kept at a time: two partners, a judge and a probe."""


@dataclass(slots=True)
class _Slot:
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    used: int = 0

    @property
    def length(self) -> int:
        return sum(len(chunk) for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Generated:
    """One continuation, and how many prompt tokens were computed for it."""

    completion: Completion
    prefilled: int


class Generator:
    """Continues prompts. Not for several threads at once: the caller serialises. Several may share one model.

    Args:
        source: a file, or a model already open (whoever opened it closes it).
        context: tokens that a prompt and its continuation may hold.
        threads: engine threads; another number may give other sums (see `GgufModel`).
    """

    def __init__(self, source: Path | NativeModel, *, context: int, threads: int = 1) -> None:
        self._owns = not isinstance(source, NativeModel)
        self._model = source if isinstance(source, NativeModel) else NativeModel(source)
        trained = int(self._model.lib.llama_model_n_ctx_train(self._model.pointer))
        self.context = min(context, trained) if trained > 0 else context
        try:
            self._engine = NativeContext(
                self._model,
                Shape(context=self.context, batch=_BATCH, sequences=_SLOTS, unified=False, flash=True, threads=threads),
            )
        except ModelError:
            if self._owns:
                self._model.close()
            raise
        self._slots = [_Slot() for _ in range(_SLOTS)]
        self._clock = 0
        self._step = _Step()
        self._vectors: Vectors | None = None

    def forget(self) -> None:
        """Drop all kept prompt states. Changes what a call costs, never what it answers."""
        self._engine.clear()
        self._slots = [_Slot() for _ in range(_SLOTS)]

    def generate(
        self,
        chunks: Sequence[Chunk],
        sampling: Sampling,
        *,
        seed: int,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
        teller: Teller | None = None,
        vectors: Vectors | None = None,
    ) -> Generated:
        """Continue a prompt given as token ids, one chunk per message; `teller` hears the text as it grows.

        `vectors` of shape (blocks, width) are added to every token after each block; states kept under other vectors
        are dropped first.

        Raises:
            ModelError: the prompt leaves no room in the context, or the call was cancelled.
        """
        length = sum(len(chunk) for chunk in chunks)
        if not length:
            return Generated(Completion("", "empty", 0), 0)
        room = self.context - length
        if room < 1:
            raise ModelError(
                f"the prompt holds {length} tokens, the context holds {self.context}.",
                hint="Shorten the persona or the conversation, or open the model with a larger context.",
            )
        if vectors is not self._vectors:
            self._engine.add_vectors(vectors)
            self._vectors = vectors
            self.forget()
        sampler = _Sampler(self._engine, sampling, seed)
        try:
            sampler.remember(token for chunk in chunks for token in chunk)
            slot, prefilled = self._prefill(chunks, cancelled)
            limit = min(sampling.max_tokens, room)
            text, reason, count = self._continue(slot, length, sampler, limit, stop, cancelled, teller)
        finally:
            sampler.free()
        if teller is not None:
            teller.ended(text)
        if not text.strip():
            reason = "empty"
        return Generated(Completion(text, reason, count), prefilled)

    def close(self) -> None:
        """Free the engine's memory."""
        self._engine.close()
        if self._owns:
            self._model.close()

    def _prefill(self, chunks: Sequence[Chunk], cancelled: Callable[[], bool]) -> tuple[int, int]:
        """Bring a slot to the end of the prompt, its last logits fresh. Returns the slot and the tokens computed."""
        index = self._choose(chunks)
        slot = self._slots[index]
        # The last chunk is always computed: it leaves the logits that sampling starts from.
        kept = _common(slot.chunks, chunks[:-1])
        del slot.chunks[kept:]
        at, computed = slot.length, 0
        self._engine.cut(index, at)
        self._clock += 1
        slot.used = self._clock
        for number in range(kept, len(chunks)):
            chunk, last = chunks[number], number == len(chunks) - 1
            for start in range(0, len(chunk), _BATCH):
                part = chunk[start : start + _BATCH]
                marks = [False] * len(part)
                marks[-1] = last and start + _BATCH >= len(chunk)
                if cancelled():
                    self._abandon(index)
                self._engine.decode(part, range(at, at + len(part)), [(index,)] * len(part), marks)
                at += len(part)
                computed += len(part)
            if not last:
                slot.chunks.append(chunk)
        return index, computed

    def _abandon(self, index: int) -> None:
        self._engine.cut(index)
        self._slots[index] = _Slot()
        raise ModelError("the call was cancelled.")

    def _choose(self, chunks: Sequence[Chunk]) -> int:
        """The slot that saves most. One is cut back only where it shares at least half of what it holds."""
        best, saved = -1, 0
        for index, slot in enumerate(self._slots):
            kept = _common(slot.chunks, chunks[:-1])
            tokens = sum(len(chunk) for chunk in slot.chunks[:kept])
            if tokens > saved and 2 * tokens >= slot.length:
                best, saved = index, tokens
        if best >= 0:
            return best
        return min(range(len(self._slots)), key=lambda index: (self._slots[index].used, index))

    def _continue(
        self,
        slot: int,
        at: int,
        sampler: _Sampler,
        limit: int,
        stop: Sequence[str],
        cancelled: Callable[[], bool],
        teller: Teller | None = None,
    ) -> tuple[str, FinishReason, int]:
        stops = [text.encode() for text in stop if text]
        reach = max((len(text) for text in stops), default=0)
        written, step, model = bytearray(), self._step, self._model
        for count in range(limit):
            token = sampler.next()
            if model.ends_turn(token):
                return _text(written), "stop", count
            piece = model.piece(token)
            written += piece
            if stops:
                tail = len(written) - len(piece) - reach
                hits = [hit for text in stops if (hit := written.find(text, max(0, tail))) >= 0]
                if hits:
                    return _text(written[: min(hits)]), "stop", count + 1
            if teller is not None:
                teller.grown(_text(written))
            if count + 1 == limit:
                break
            if cancelled():
                self._abandon(slot)
            self._engine.run(step.at(token, at + count, slot))
        return _text(written), "length", limit


class _Step:
    """A batch of one token, laid out once."""

    def __init__(self) -> None:
        self._token, self._position = np.zeros(1, np.int32), np.zeros(1, np.int32)
        self._sequence, self._count, self._mark = np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1, np.int8)
        self._owner = np.array([self._sequence.ctypes.data], np.uint64)
        self._batch = Batch(
            1, self._token.ctypes.data, None, self._position.ctypes.data, self._count.ctypes.data,
            self._owner.ctypes.data, self._mark.ctypes.data,
        )  # fmt: skip

    def at(self, token: int, position: int, sequence: int) -> Batch:
        self._token[0], self._position[0], self._sequence[0] = token, position, sequence
        return self._batch


class _Sampler:
    """The engine's own sampling chain: penalty, top-k, top-p, min-p, temperature, draw."""

    def __init__(self, engine: NativeContext, sampling: Sampling, seed: int) -> None:
        self._lib, self._engine = engine.lib, engine
        self._penalised = sampling.repeat_penalty != 1
        self._chain: int = self._lib.llama_sampler_chain_init(self._lib.llama_sampler_chain_default_params())
        for part in self._parts(sampling, seed):
            self._lib.llama_sampler_chain_add(self._chain, part)

    def _parts(self, sampling: Sampling, seed: int) -> Iterator[int]:
        lib = self._lib
        if self._penalised:
            yield lib.llama_sampler_init_penalties(
                self._engine.model.n_tokens, PENALISED, sampling.repeat_penalty, 0.0, 0.0
            )
        if sampling.temperature <= 0:
            yield lib.llama_sampler_init_greedy()
            return
        if sampling.top_k > 0:
            yield lib.llama_sampler_init_top_k(sampling.top_k)
        if sampling.top_p < 1:
            yield lib.llama_sampler_init_top_p(sampling.top_p, 1)
        if sampling.min_p > 0:
            yield lib.llama_sampler_init_min_p(sampling.min_p, 1)
        yield lib.llama_sampler_init_temp(sampling.temperature)
        yield lib.llama_sampler_init_dist(seed & 0x7FFFFFFF)

    def remember(self, tokens: Iterable[int]) -> None:
        """Tell the repeat penalty about the prompt."""
        if self._penalised:
            for token in list(tokens)[-PENALISED:]:
                self._lib.llama_sampler_accept(self._chain, token)

    def next(self) -> int:
        """Draw the next token after the last batch."""
        return self._lib.llama_sampler_sample(self._chain, self._engine.pointer, -1)

    def free(self) -> None:
        """Free the chain and what it holds."""
        self._lib.llama_sampler_free(self._chain)


def _common(held: Sequence[Chunk], wanted: Sequence[Chunk]) -> int:
    count = 0
    for left, right in zip(held, wanted, strict=False):
        if left != right:
            break
        count += 1
    return count


def _text(raw: bytes | bytearray) -> str:
    return bytes(raw).decode("utf-8", "replace")
