"""Hugging Face models in this process, in float32 torch: generate, score, embed, look inside, intervene.

    exact      one unit at a time, one row at a time: answers do not depend on concurrency or on what came before
    batched    rows of several calls run together, left-padded: faster, but the bits depend on who shares a batch

Torch is imported on first use: opening a model, counting its tokens and showing a prompt cost no weights.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError, ModelError, derive_seed
from personae.models._grammar import JsonMask
from personae.models._hf_files import HfFolder, read_folder
from personae.models._lanes import Lanes
from personae.models._native import default_threads
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
from personae.models._shown import PromptForm
from personae.models._telling import Teller
from personae.models._tree import Prompt, Scores
from personae.models._weights import known_sha256
from personae.models._writer import PromptWriter

if TYPE_CHECKING:
    from personae.models._hf_generate import Row
    from personae.models._hf_net import Intervention, Net, Site
    from personae.models._hf_score import TorchScorer

_BATCH: Final = 8


@dataclass(frozen=True, slots=True)
class ContentSpan:
    """Where the content of one message lies among the tokens of a prompt."""

    message: int
    """index in the request; −1 for the prefill"""
    role: str
    start: int
    end: int
    """one past the last token"""


@dataclass(frozen=True, slots=True)
class Activations:
    """What a network held while it read one prompt.

    Attributes:
        values: shape (tokens, sites, width), float32; sites in the order asked.
        tokens: ids of the prompt.
        spans: where the contents of the messages lie.
    """

    values: NDArray[np.float32]
    tokens: tuple[int, ...]
    spans: tuple[ContentSpan, ...]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A row that waits for a batch."""

    row: Row
    done: asyncio.Future[Completion]
    loop: asyncio.AbstractEventLoop
    stop: threading.Event = field(default_factory=threading.Event)


class HfModel:
    """A model folder that generates, scores, embeds and can be looked into.

    Args:
        reference: how users name it.
        path: folder with `config.json`, `tokenizer.json` and safetensors. Nothing is downloaded, no code of it is run.
        mode: see the module's docstring.
        threads: torch threads; None = all cores of an idle machine, else one. They can change the last bits of a
            result, so they are part of the fingerprint.
        context: tokens that a prompt and its continuation may hold.
        batch: rows together in batched mode.

    Raises:
        InputError: not a model folder.
        MissingDependencyError: torch, transformers or tokenizers is not installed.

    >>> from personae.models import open_model
    >>> model = open_model("hf:my-model-folder")  # doctest: +SKIP
    """

    def __init__(
        self,
        reference: str,
        path: Path,
        *,
        mode: Literal["exact", "batched"] = "exact",
        threads: int | None = None,
        context: int = 2048,
        batch: int = _BATCH,
    ) -> None:
        for name, value, least in (("threads", threads, 1), ("context", context, 64), ("batch", batch, 1)):
            if value is not None and value < least:
                raise InputError(f"{name} is {value!r}, expected at least {least}.")
        self._reference, self._path, self._mode = reference, path, mode
        self._context, self._batch = context, batch
        self._threads = threads or default_threads()
        self._closed = False
        self._lanes = Lanes(1, exact=mode == "exact", name="personae-torch", check=self._check_open)
        self._loading = threading.RLock()
        self._waiting: deque[_Waiting] = deque()
        self._interventions: tuple[str, ...] = ()
        self._net: Net | None = None
        self._torch_scorer: TorchScorer | None = None

    @property
    def reference(self) -> str:
        """How users name it."""
        return self._reference

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything but training."""
        return frozenset(
            {
                Capability.GENERATE,
                Capability.SCORE,
                Capability.EMBED,
                Capability.ACTIVATIONS,
                Capability.INTERVENE,
            }
        )

    @property
    def determinism(self) -> Determinism:
        """`exact`, or `replay` in batched mode."""
        return "exact" if self._mode == "exact" else "replay"

    @property
    def parallel(self) -> int:
        """Calls worth having in flight."""
        return 1 if self._mode == "exact" else self._batch

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        """Everything that can change an answer, interventions in force included."""
        if not self._interventions:
            return self._identity
        return {**self._identity, "interventions": "\n".join(self._interventions)}

    @cached_property
    def _identity(self) -> Mapping[str, str | int | float | bool]:
        return {
            "engine": "transformers",
            "engine_version": _version("transformers"),
            "torch": _version("torch"),
            "threads": self._threads,
            "weights_sha256": self._weights_digest,
            "dtype": "float32",
            "template": self._folder.template.name,
            "template_sha256": self._folder.template.digest,
            "tokenizer_sha256": hashlib.sha256(self._folder.tokenizer.text.encode()).hexdigest(),
            "mode": self._mode,
            "batch": 1 if self._mode == "exact" else self._batch,
            "context": self._context,
            "rules": "rows-1, pieces-1",
        }

    @cached_property
    def _weights_digest(self) -> str:
        sums = [f"{path.name} {known_sha256(path)}" for path in self._folder.weights]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    @cached_property
    def _folder(self) -> HfFolder:
        return read_folder(self._path)

    @cached_property
    def _writer(self) -> PromptWriter:
        return PromptWriter(self._folder.template, self._folder.tokenizer)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text on its own, control strings in it taken as text."""
        return len(self._folder.tokenizer.tokenize(text, special=False))

    @property
    def prompt_form(self) -> PromptForm:
        """The template's control text between ⟦ and ⟧, content as it is."""
        return PromptForm("tokens", self._folder.template)

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        """What the model will get, options one a line."""
        return self.prompt_form.show(request)

    def prompt_tokens(self, request: GenerateRequest | ScoreRequest) -> tuple[tuple[int, ...], ...]:
        """Token ids that the model will get, one group per message; the last opens the model's turn."""
        return self._writer.turns(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        """Continue a chat. With a JSON schema every token that would leave it is masked, a prefill included.

        Raises:
            ModelError: the prompt does not fit.
            InputError: the schema cannot be made into a grammar.
        """
        if request.n < 1 or request.sampling.max_tokens < 1:
            raise InputError(f"n is {request.n!r} and max_tokens {request.sampling.max_tokens!r}, expected 1 or more.")
        prompt = tuple(token for turn in self.prompt_tokens(request) for token in turn)
        if len(prompt) >= self._context:
            raise ModelError(
                f"the prompt holds {len(prompt)} tokens, the context holds {self._context}.",
                hint="Shorten the persona or the conversation, or open the model with a larger context.",
            )
        rows = [self._row(request, prompt, index) for index in range(request.n)]
        if on_text is not None and request.n == 1:
            rows[0].teller = Teller(on_text, asyncio.get_running_loop(), rows[0].stop)
        if self._mode == "exact":
            answers = [await self._alone(row) for row in rows]
        else:
            answers = list(await asyncio.gather(*(self._together(row) for row in rows)))
        size = len(prompt) * request.n
        return Generation(tuple(answers), Usage(request.n, size, size, sum(c.tokens for c in answers)))

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        """Exact log-probability of every option of every request; the requests are one group.

        Raises:
            ModelError: a prompt does not fit.
            InputError: an option without text.
        """
        if not requests:
            return ()
        prompts = [self._writer.prompt(request) for request in requests]
        scores, method = await self._lanes.call(lambda _lane, _stop: self._score(prompts), alone=True)
        return scores.answers(prompts, method=f"exact:{method}")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Mean of the last block's activations over the tokens of each text, unit length.

        Hidden states of small chat models tell sentences apart poorly; `open_encoder()` is made for that.
        """
        ids = [tuple(self._folder.tokenizer.tokenize(text, special=False))[: self._context] for text in texts]
        last = await self._lanes.call(lambda _lane, _stop: self._means(ids), alone=True)
        tokens = sum(map(len, ids))
        return Embeddings(last, Usage(1, tokens, tokens))

    async def activations(
        self, requests: Sequence[GenerateRequest | ScoreRequest], sites: Sequence[Site]
    ) -> tuple[Activations, ...]:
        """What the network holds at each site for every token of each prompt, under the interventions in force.

        Args:
            requests: prompts; of a transcript, put the replies in as assistant messages.
            sites: at least one; all of one width.

        Raises:
            InputError: no such site.
            ModelError: a prompt does not fit.
        """
        prompts = [self.prompt_tokens(request) for request in requests]
        spans = [self._spans(request) for request in requests]
        found = await self._lanes.call(lambda _lane, _stop: self._watched(prompts, sites), alone=True)
        return tuple(Activations(v, t, s) for (v, t), s in zip(found, spans, strict=True))

    @contextmanager
    def intervene(self, site: Site, change: Intervention, *, label: str) -> Generator[None]:
        """Let `change` rewrite the activations at `site` while the block runs; afterwards the model is as before.

        Args:
            site: where.
            change: gets activations (batch, tokens, width) and the flow, returns the same shape. Called on the engine's
                thread.
            label: names the change and all its settings (a content hash); part of the fingerprint while in force.
        """
        if not label:
            raise InputError("an intervention needs a label: it is part of the fingerprint.")
        with self._opened().intervene(site, change):
            before = self._interventions
            self._interventions = (*before, f"{site.part}{site.block}:{label}")
            try:
                yield
            finally:
                self._interventions = before

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        """Hold the model for one unit. In exact mode units take turns in the order they came."""
        del unit
        return self._lanes.session(lambda _lane: None)

    async def close(self) -> None:
        """Wait for running calls and free the weights."""
        if self._closed:
            return
        await self._lanes.drain()
        self._closed = True
        await self._lanes.close()
        with self._loading:
            self._net = self._torch_scorer = None

    # Engine work -----------------------------------------------------------------------------------------------------

    def _row(self, request: GenerateRequest, prompt: tuple[int, ...], index: int) -> Row:
        from personae.models._hf_generate import Row

        folder, mask = self._folder, None
        if request.json_schema is not None:
            begun = folder.tokenizer.tokenize(request.prefill, special=False)
            ends = sorted(folder.ends)
            mask = JsonMask(folder.tokenizer.text, folder.vocabulary, ends, request.json_schema, begun)
        return Row(
            prompt,
            request.sampling,
            derive_seed(request.seed, "generate", request.replicate, index),
            self._context - len(prompt),
            (*request.sampling.stop, *folder.template.stop),
            mask,
        )

    async def _alone(self, row: Row) -> Completion:
        def work(_lane: int, stop: threading.Event) -> Completion:
            row.cancelled = stop.is_set
            self._run([row])
            return row.completion()

        return await self._lanes.call(work)

    async def _together(self, row: Row) -> Completion:
        """Wait with others for a batch; whoever comes to the engine first takes along all that fit."""
        loop = asyncio.get_running_loop()
        own = _Waiting(row, loop.create_future(), loop)
        row.cancelled = own.stop.is_set
        self._waiting.append(own)
        try:
            await asyncio.sleep(0)  # whoever asks in the same moment comes along
            await self._lanes.call(lambda _lane, _stop: self._next_batch(own), alone=True)
            return await own.done
        except asyncio.CancelledError:
            own.stop.set()
            with suppress(ValueError):
                self._waiting.remove(own)
            raise

    def _next_batch(self, mine: _Waiting) -> None:
        if mine.row.reason is not None or mine not in self._waiting:
            return  # it went along with an earlier batch
        ready = [w for w in tuple(self._waiting) if not w.stop.is_set()]
        if not ready:
            return
        # Rows of like length waste least on padding; the one that has come longest is always among them.
        first = ready[0]
        ready.sort(key=lambda w: (w is not first, abs(len(w.row.prompt) - len(first.row.prompt))))
        batch = ready[: self._batch]
        for waiting in batch:
            self._waiting.remove(waiting)
        trouble: Exception | None = None
        try:
            self._run([w.row for w in batch])
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for this batch
            trouble = error
        for waiting in batch:
            waiting.loop.call_soon_threadsafe(_settle, waiting, trouble)

    def _run(self, rows: Sequence[Row]) -> None:
        from personae.models._hf_generate import run_rows

        run_rows(self._opened(), self._folder.tokenizer, self._folder.ends, rows)

    def _score(self, prompts: Sequence[Prompt]) -> tuple[Scores, str]:
        from personae.models._hf_score import TorchScorer

        net = self._opened()
        with self._loading:
            if self._torch_scorer is None:
                self._torch_scorer = TorchScorer(net, context=self._context)
            scorer = self._torch_scorer
        return scorer.score(prompts), scorer.method

    def _means(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        from personae.models._hf_net import Site

        net = self._opened()
        out = np.zeros((len(texts), net.width), dtype=np.float32)
        site = Site(len(net.blocks) - 1)
        for row, ids in enumerate(texts):
            ((values, _),) = self._watched([(tuple(ids) or (0,),)], [site])
            vector = values[:, 0].astype(np.float64).mean(axis=0)
            out[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return out

    def _watched(
        self, prompts: Sequence[Sequence[tuple[int, ...]]], sites: Sequence[Site]
    ) -> list[tuple[NDArray[np.float32], tuple[int, ...]]]:
        net = self._opened()
        out: list[tuple[NDArray[np.float32], tuple[int, ...]]] = []
        with net.watch(sites) as seen:
            for turns in prompts:
                ids = tuple(token for turn in turns for token in turn)
                if not 0 < len(ids) <= self._context:
                    raise ModelError(f"the prompt holds {len(ids)} tokens, the context holds {self._context}.")
                net.forward([ids], [range(len(ids))], net.torch.ones((1, len(ids)), dtype=net.torch.long), cache=False)
                stacked = net.torch.stack([seen[site][0] for site in sites], dim=1)
                out.append((stacked.numpy().astype(np.float32, copy=True), ids))
        return out

    def _spans(self, request: GenerateRequest | ScoreRequest) -> tuple[ContentSpan, ...]:
        """Content spans, by tokenising as the prompt was: control text and contents apart."""
        return tuple(
            ContentSpan(message, request.messages[message].role if message >= 0 else "assistant", start, end)
            for message, start, end in self._writer.spans(request)
        )

    def _opened(self) -> Net:
        with self._loading:
            self._check_open()
            if self._net is None:
                from personae.models._hf_net import Net

                self._net = Net(self._path, threads=self._threads)
            return self._net

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError(f"{self._reference!r} is closed.", hint="Open the model again.")


def _settle(waiting: _Waiting, trouble: Exception | None) -> None:
    if waiting.done.done():
        return
    if trouble is not None:
        waiting.done.set_exception(trouble)
    else:
        waiting.done.set_result(waiting.row.completion())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingDependencyError.of(package, "torch") from None
