"""GGUF models in this process.

    exact      every unit has a lane of its own: generation one sequence at a time, its prompts cut at message
               boundaries (`_generator`); scoring in pieces fixed by the group (`_dense`, `_sequences`). Lanes and
               concurrency decide who waits, never what is computed.
    batched    generation in several slots of the engine's server: faster, but the bits depend on who shares a batch.
               Scoring is the same as in exact mode.

Engines load on first use: opening a model, counting its tokens and showing a prompt cost no weights.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from personae.core import CapabilityError, InputError, ModelError, derive_seed
from personae.models._blas import blas_threads_known
from personae.models._changes import Anatomy, Change, changes_label, check_changes, view_of
from personae.models._dense import DenseEngine, dense_fits
from personae.models._generator import Generator
from personae.models._ggufile import Header, read_header
from personae.models._jinja import Template, pick_template
from personae.models._lanes import Lanes
from personae.models._native import ENGINE, NativeModel, default_threads, engine_version
from personae.models._protocol import (
    Capability,
    Completion,
    Determinism,
    Embeddings,
    GenerateRequest,
    Generation,
    OnText,
    OptionScores,
    ScoreRequest,
    Usage,
)
from personae.models._sequences import SequenceEngine
from personae.models._server import EngineServer, loopback_server
from personae.models._shown import PromptForm
from personae.models._telling import Teller
from personae.models._tree import Prompt, Scores
from personae.models._tuning import tuning_of
from personae.models._weights import known_sha256, score_copy, scored_as
from personae.models._writer import PromptWriter

__all__ = ["GgufModel", "loopback_server"]

T = TypeVar("T")
_SLOTS: Final = 8
_LANES: Final = 4
_SMALL: Final = 500_000_000
"""Bytes of a file up to which the cores are better used by several units than by one."""


@dataclass(slots=True)
class _Held:
    """Engines, opened when they are needed; a model and its changed views share them."""

    weights: NativeModel | None = None
    generators: dict[int, Generator] = field(default_factory=dict[int, Generator])
    server: EngineServer | None = None
    scorer: DenseEngine | SequenceEngine | None = None
    vocabulary: NativeModel | None = None
    closed: bool = False


class GgufModel:
    """A GGUF file that generates and scores.

    Args:
        reference: how users name it.
        generate_path: file to generate with (Q8_0 is fastest on a CPU).
        score_path: file to score on. A quantised one is copied to F16 in the cache first, where that is not too large.
        mode: see the module's docstring.
        threads: engine threads; None is one in exact mode, where the number has to stay (on processors with 512-bit
            vectors two threads and one give different sums), and what the load of the machine allows in batched mode.
        context: tokens that a prompt and its continuation may hold.
        lanes: units computed side by side in exact mode; None = what `personae doctor --tune` found, else as many as
            cores where the model is small, at most 4. Never changes a result.
        slots: calls computed side by side in batched mode; None = what `personae doctor --tune` found, else 8.

    >>> from personae.models import open_model
    >>> model = open_model("smollm2")  # doctest: +SKIP
    """

    def __init__(
        self,
        reference: str,
        generate_path: Path,
        score_path: Path,
        *,
        mode: Literal["exact", "batched"] = "exact",
        threads: int | None = None,
        context: int = 2048,
        lanes: int | None = None,
        slots: int | None = None,
    ) -> None:
        for name, given in (("threads", threads), ("lanes", lanes), ("slots", slots)):
            if given is not None and given < 1:
                raise InputError(f"{name} is {given!r}, expected 1 or more.")
        if context < 64:
            raise InputError(f"context is {context!r}, expected at least 64 tokens.")
        self._reference, self._mode, self._context = reference, mode, context
        self._generate_path, self._score_path = Path(generate_path), Path(score_path)
        self._threads = threads
        self._tuning = tuning_of(self._generate_path)
        if mode == "exact":
            count = lanes or (self._tuning.lanes if self._tuning else _default_lanes(self._generate_path))
        else:
            count = slots or (self._tuning.slots if self._tuning else _SLOTS)
        self._lanes = Lanes(count, exact=mode == "exact", name="personae", check=self._check_open)
        self._loading = threading.RLock()
        self._held = _Held()
        self._changes: tuple[Change, ...] = ()
        self._vectors: NDArray[np.float32] | None = None

    @property
    def reference(self) -> str:
        """How users name it."""
        return self._reference

    @property
    def generate_path(self) -> Path:
        """The file that generates."""
        return self._generate_path

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Generation, option scoring, and vectors added to the residual stream."""
        return frozenset({Capability.GENERATE, Capability.SCORE, Capability.ADD_VECTORS})

    @property
    def determinism(self) -> Determinism:
        """`exact`, or `replay` in batched mode."""
        return "exact" if self._mode == "exact" else "replay"

    @property
    def parallel(self) -> int:
        """Calls worth having in flight."""
        return self._lanes.count

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        """Everything that can change an answer. Lanes cannot, so they are not here; threads stand here if not one."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> Mapping[str, str | int | float | bool]:
        if not self._changes:
            return self._identity
        return {**self._identity, "changes": changes_label(self._changes)}

    @cached_property
    def _identity(self) -> Mapping[str, str | int | float | bool]:
        return {
            "engine": ENGINE,
            "engine_version": engine_version(),
            "generate_sha256": known_sha256(self._generate_path),
            "score_sha256": known_sha256(self._score_path),
            "score_weights": scored_as(self._score_path),
            "template": self.template.name,
            "template_sha256": self.template.digest,
            "mode": self._mode,
            "context": self._context,
            "slots": 1 if self._mode == "exact" else self._lanes.count,
            "numpy": np.__version__,
            "blas_pinned": blas_threads_known(),
            "rules": "message-chunks-1, pieces-1",
            **({"threads": self._threads} if self._mode == "exact" and self._threads and self._threads > 1 else {}),
        }

    @cached_property
    def template(self) -> Template:
        """The chat template, recognised from the file, or run from it where its family is unknown."""
        source, tokenizer = self._header.chat_template, self._tokenizer
        return pick_template(source, bos=tokenizer.bos, eos=tokenizer.eos, start="" if source else tokenizer.start)

    @cached_property
    def _header(self) -> Header:
        return read_header(self._generate_path)

    @cached_property
    def anatomy(self) -> Anatomy:
        """The sizes of its network, from the header."""
        header = self._header
        width, heads = header.integer("embedding_length"), header.integer("attention.head_count")
        size = header.integer("attention.key_length", width // heads)
        return Anatomy(header.integer("block_count"), width, heads, size)

    def changed(self, changes: Sequence[Change]) -> GgufModel:
        """The same model with constant vectors added after its blocks; see `Changeable.changed`.

        Raises:
            InputError: no such block, or a vector of another size.
            CapabilityError: not a constant, not the residual stream, or block 0, after which the engine adds nothing.
        """
        check_changes(changes, self.anatomy)
        sizes = (self.anatomy.blocks, self.anatomy.width)
        vectors = np.zeros(sizes, np.float32) if self._vectors is None else self._vectors.copy()
        for change in changes:
            vectors[change.site.block] += _constant(change, self._reference)
        return view_of(self, _changes=(*self._changes, *changes), _vectors=vectors)

    @property
    def _tokenizer(self) -> NativeModel:
        with self._loading:
            self._check_open()
            if self._held.vocabulary is None:
                self._held.vocabulary = NativeModel(self._generate_path, vocab_only=True)
            return self._held.vocabulary

    def count_tokens(self, text: str) -> int:
        """Tokens of a text on its own, control strings in it taken as text."""
        return len(self._tokenizer.tokenize(text, special=False))

    @cached_property
    def _writer(self) -> PromptWriter:
        return PromptWriter(self.template, self._tokenizer)

    def prompt_tokens(self, request: GenerateRequest | ScoreRequest) -> tuple[tuple[int, ...], ...]:
        """Token ids that the model will get, one group per message; the last opens the model's turn."""
        return self._writer.turns(request)

    @property
    def prompt_form(self) -> PromptForm:
        """The template's control text between ⟦ and ⟧, content as it is."""
        return PromptForm("tokens", self.template)

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        """What the model will get, options one a line."""
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        """Continue a chat.

        With a JSON schema the engine masks every token that would leave it. A schema together with a prefill is not
        masked, because the engine's grammar can only start at the beginning of a value: check the answer.

        Raises:
            ModelError: the prompt does not fit, or the engine refused.
        """
        if request.n < 1 or request.sampling.max_tokens < 1:
            raise InputError(f"n is {request.n!r} and max_tokens {request.sampling.max_tokens!r}, expected 1 or more.")
        chunks = self.prompt_tokens(request)
        prompt = sum(len(chunk) for chunk in chunks)
        if prompt >= self._context:
            raise ModelError(
                f"the prompt holds {prompt} tokens, the context holds {self._context}.",
                hint="Shorten the persona or the conversation, or open the model with a larger context.",
            )

        stops = (*request.sampling.stop, *self.template.stop)
        teller = Teller(on_text, asyncio.get_running_loop(), stops) if on_text is not None and request.n == 1 else None

        async def answer(index: int) -> tuple[Completion, int]:
            seed = derive_seed(request.seed, "generate", request.replicate, index)
            return await self._lanes.call(
                lambda lane, stop: self._complete(request, chunks, seed, lane, stop, teller), prompt=chunks
            )

        if self._mode == "exact":
            answers = [await answer(index) for index in range(request.n)]
        else:
            answers = await asyncio.gather(*(answer(index) for index in range(request.n)))
        usage = Usage(
            calls=request.n,
            prompt=prompt * request.n,
            prefilled=sum(prefilled for _, prefilled in answers),
            generated=sum(completion.tokens for completion, _ in answers),
        )
        return Generation(tuple(completion for completion, _ in answers), usage)

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        """Exact log-probability of every option of every request; the requests are one group.

        `usage.prompt` counts what one call per option would compute, `usage.prefilled` this group's share of what was.

        Raises:
            ModelError: a prompt does not fit.
            InputError: an option without text.
        """
        if not requests:
            return ()
        prompts = [self._writer.prompt(request) for request in requests]
        scores = await self._lanes.call(lambda _lane, _stop: self._score(prompts), alone=True)
        return scores.answers(prompts, method=f"exact:{self._scorer_method}")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Not offered: hidden states of small chat models tell sentences apart poorly."""
        raise CapabilityError(
            f"{self._reference!r} does not embed ({len(texts)} texts given).",
            hint="Use open_model('encoder:minilm'), or open_encoder().",
        )

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        """Hold a lane for one unit. In exact mode units take turns in the order they came, each from a clear cache.

        Sessions of one model do not nest: an inner one joins the outer. In batched mode nothing is held.
        """
        del unit  # every unit is treated alike
        return self._lanes.session(self._forget)

    async def close(self) -> None:
        """Wait for running calls and free all engines."""
        if self._held.closed:
            return
        await self._lanes.drain()
        self._held.closed = True
        await self._lanes.close()
        with self._loading:
            for engine in (
                *self._held.generators.values(),
                self._held.weights,
                self._held.server,
                self._held.scorer,
                self._held.vocabulary,
            ):
                if engine is not None:
                    engine.close()
            self._held.generators.clear()
            self._held.weights = self._held.server = self._held.scorer = self._held.vocabulary = None

    def _complete(
        self,
        request: GenerateRequest,
        chunks: Sequence[tuple[int, ...]],
        seed: int,
        lane: int,
        stop: threading.Event,
        teller: Teller | None,
    ) -> tuple[Completion, int]:
        stops = (*request.sampling.stop, *self.template.stop)
        schema = request.json_schema if not request.prefill else None
        if self._vectors is not None and schema is not None:
            raise CapabilityError(
                f"{self._reference!r} cannot follow a JSON schema while it is steered: the engine's grammar runs where "
                "vectors cannot be added.",
                hint="Ask without a schema and read the answer, or steer the model as hf:FOLDER.",
            )
        if schema is None and (self._mode == "exact" or self._vectors is not None):
            made = self._generation_engine(lane).generate(
                chunks,
                request.sampling,
                seed=seed,
                stop=stops,
                cancelled=stop.is_set,
                teller=teller,
                vectors=self._vectors,
            )
            return made.completion, made.prefilled
        ids = [token for chunk in chunks for token in chunk]
        completion, prefilled = self._serving_engine().complete(
            ids, request.sampling, seed=seed, stop=stops, schema=schema
        )
        if teller is not None:
            teller.ended(completion.text)
        return completion, prefilled

    def _open_threads(self) -> int:
        """Threads of the serving engine where nobody named them."""
        if self._mode == "exact":
            return 1
        return self._tuning.quiet_threads if self._tuning else default_threads()

    def _share(self) -> int:
        """Cores for each of those who are inside."""
        return max(1, (os.cpu_count() or 1) // max(1, self._lanes.inside))

    def _generation_engine(self, lane: int) -> Generator:
        with self._loading:
            if lane not in self._held.generators:
                if self._held.weights is None:
                    self._held.weights = NativeModel(self._generate_path)
                self._held.generators[lane] = Generator(
                    self._held.weights, context=self._context, threads=self._threads or 1
                )
            return self._held.generators[lane]

    def _serving_engine(self) -> EngineServer:
        with self._loading:
            if self._held.server is None:
                self._held.server = EngineServer(
                    self._generate_path,
                    parallel=1 if self._mode == "exact" else self._lanes.count,
                    context=self._context,
                    threads=self._threads or self._open_threads(),
                    keep_prompts=self._mode == "batched",
                )
            return self._held.server

    def _score(self, prompts: Sequence[Prompt]) -> Scores:
        engine = self._scoring_engine()
        # Threads that share out numpy work never wait for each other busily: two do no harm on a loaded machine.
        return engine.score(prompts, self._threads or min(2, self._share()), self._vectors)

    def _scoring_engine(self) -> DenseEngine | SequenceEngine:
        with self._loading:
            if self._held.scorer is None:
                path = score_copy(self._score_path)
                header = read_header(path)
                if dense_fits(header):
                    self._held.scorer = DenseEngine(header, context=self._context)
                else:
                    self._held.scorer = SequenceEngine(path, context=self._context, threads=self._threads)
            return self._held.scorer

    @property
    def _scorer_method(self) -> str:
        return self._held.scorer.method if self._held.scorer is not None else ""

    def _forget(self, lane: int) -> None:
        if lane in self._held.generators:
            self._held.generators[lane].forget()

    def _check_open(self) -> None:
        if self._held.closed:
            raise ModelError(f"{self._reference!r} is closed.", hint="Open the model again.")


def _constant(change: Change, reference: str) -> NDArray[np.float32]:
    vector, site = change.constant, change.site
    if vector is None or site.part != "block" or site.block == 0:
        what = "after block 0" if vector is not None and site.part == "block" else f"at a {site.part} site"
        if vector is None:
            what = "that depends on what it finds or on whose token it is"
        raise CapabilityError(
            f"{reference!r} cannot make a change {what}: its engine only adds constant vectors after blocks 1 and up.",
            hint="Use the weights as hf:FOLDER, or Add(...) with scope 'all' on later blocks.",
        )
    return vector


def _default_lanes(path: Path) -> int:
    try:
        small = path.stat().st_size <= _SMALL
    except OSError:
        small = False
    return max(1, min(_LANES, os.cpu_count() or 1)) if small else 1
