"""Hugging Face models in this process, in float32 torch: generate, score, embed, look inside, change.

    exact      one unit at a time, one row at a time: answers do not depend on concurrency or on what came before
    batched    rows of several calls run together, left-padded: faster, but the bits depend on who shares a batch

Torch is imported on first use: opening a model, counting its tokens and showing a prompt cost no weights.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError, ModelError, derive_seed
from personae.models._changes import Anatomy, Change, Site, changes_label, check_changes, view_of
from personae.models._grammar import JsonMask
from personae.models._hf_engine import HfEngine
from personae.models._hf_files import HfFolder, anatomy_of, read_folder
from personae.models._native import default_threads
from personae.models._protocol import (
    Capability,
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
from personae.models._weights import known_sha256
from personae.models._writer import PromptWriter

if TYPE_CHECKING:
    from personae.models._hf_generate import Row

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
        self._changes: tuple[Change, ...] = ()
        self._engine = HfEngine(
            reference,
            path,
            lambda: self._folder,
            exact=mode == "exact",
            threads=self._threads,
            context=context,
            batch=batch,
        )

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
        """Everything that can change an answer, changes in force included."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> Mapping[str, str | int | float | bool]:
        if not self._changes:
            return self._identity
        return {**self._identity, "changes": changes_label(self._changes)}

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
    def anatomy(self) -> Anatomy:
        """The sizes of its network, from its config."""
        return anatomy_of(self._folder.config)

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
            answers = [await self._engine.complete(row, self._changes) for row in rows]
        else:
            answers = list(await asyncio.gather(*(self._engine.complete(row, self._changes) for row in rows)))
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
        scores, method = await self._engine.score(prompts, self._changes)
        return scores.answers(prompts, method=f"exact:{method}")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Mean of the last block's activations over the tokens of each text, unit length.

        Hidden states of small chat models tell sentences apart poorly; `open_encoder()` is made for that.
        """
        ids = [tuple(self._folder.tokenizer.tokenize(text, special=False))[: self._context] or (0,) for text in texts]
        out = np.zeros((len(ids), self.anatomy.width), dtype=np.float32)
        for row, prompt in enumerate(ids):
            (values,) = await self._engine.watch([prompt], [Site(self.anatomy.blocks - 1)], self._changes)
            vector = values[:, 0].astype(np.float64).mean(axis=0)
            out[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        tokens = sum(map(len, ids))
        return Embeddings(out, Usage(1, tokens, tokens))

    async def activations(
        self, requests: Sequence[GenerateRequest | ScoreRequest], sites: Sequence[Site]
    ) -> tuple[Activations, ...]:
        """What the network holds at each site for every token of each prompt, under the changes in force.

        Args:
            requests: prompts; of a transcript, put the replies in as assistant messages.
            sites: at least one; all of one width.

        Raises:
            InputError: no such site.
            ModelError: a prompt does not fit.
        """
        for site in sites:
            self.anatomy.check(site)
        prompts = [tuple(token for turn in self.prompt_tokens(request) for token in turn) for request in requests]
        spans = [self._spans(request) for request in requests]
        found = await self._engine.watch(prompts, sites, self._changes)
        return tuple(Activations(*parts) for parts in zip(found, prompts, spans, strict=True))

    def changed(self, changes: Sequence[Change]) -> HfModel:
        """The same model with changes in force after those it has; see `Changeable.changed`."""
        check_changes(changes, self.anatomy)
        return view_of(self, _changes=(*self._changes, *changes))

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        """Hold the model for one unit. In exact mode units take turns in the order they came."""
        del unit
        return self._engine.lanes.session(lambda _lane: None)

    async def close(self) -> None:
        """Wait for running calls and free the weights."""
        await self._engine.close()

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

    def _spans(self, request: GenerateRequest | ScoreRequest) -> tuple[ContentSpan, ...]:
        """Content spans, by tokenising as the prompt was: control text and contents apart."""
        return tuple(
            ContentSpan(message, request.messages[message].role if message >= 0 else "assistant", start, end)
            for message, start, end in self._writer.spans(request)
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingDependencyError.of(package, "torch") from None
