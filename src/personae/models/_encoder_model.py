"""A sentence encoder as a model, so that vectors are recorded, cached and replayed like every other answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cached_property
from typing import get_args

from personae.core import CapabilityError, InputError, ModelError
from personae.models._embed import TOKENIZER_SHA256, WEIGHTS_PACKAGE, Encoder, EncoderName, open_encoder
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
from personae.models._requests import estimate_tokens
from personae.models._shown import PLAIN_FORM, PromptForm
from personae.models._static import StaticEncoder


class EncoderModel:
    """`encoder:minilm`, `encoder:static`, `encoder:hash`, or `encoder:auto`: MiniLM where it is installed, else hash.

    It embeds and does nothing else. The encoder is loaded on first use; its name, which says whether it is lexical, is
    in the fingerprint.
    """

    def __init__(self, name: EncoderName = "minilm") -> None:
        self._name: EncoderName = name
        self._open = True

    @cached_property
    def _encoder(self) -> Encoder:
        return open_encoder(self._name)

    @property
    def reference(self) -> str:
        return f"encoder:{self._name}"

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        # What `auto` is depends on the machine: only the encoder itself knows.
        found = self._encoder
        weights = "" if found.lexical else f"{WEIGHTS_PACKAGE}, tokenizer {TOKENIZER_SHA256[:16]}"
        if isinstance(found, StaticEncoder):
            weights += f", pieces {found.digest[:16]}"  # made on this machine: another one may round otherwise
        return {"kind": "encoder", "name": found.name, "dimension": found.dimension, "weights": weights}

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBED})

    @property
    def determinism(self) -> Determinism:
        return "exact"

    @property
    def parallel(self) -> int:
        return 1

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        return PLAIN_FORM

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        del request, on_text
        raise self._cannot("generate")

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        if not requests:
            return ()
        raise self._cannot("score options")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Unit vectors; the vector of a text depends on nothing but the text."""
        import asyncio

        if not self._open:
            raise ModelError(f"{self.reference!r} is closed.", hint="Open the model again.")
        vectors = await asyncio.to_thread(lambda: self._encoder.encode(texts))
        tokens = sum(estimate_tokens(text) for text in texts)
        return Embeddings(vectors, Usage(calls=1, prompt=tokens, prefilled=tokens))

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        self._open = False

    def _cannot(self, what: str) -> CapabilityError:
        return CapabilityError(f"{self.reference!r} cannot {what}; it embeds.", hint="Use a language model for that.")


def open_encoder_model(rest: str) -> EncoderModel:
    """What `encoder:REST` names.

    Raises:
        InputError: no such encoder.
    """
    for name in get_args(EncoderName):
        if rest == name:
            return EncoderModel(name)
    raise InputError(
        f"there is no encoder {rest!r}.", hint="Write encoder:minilm, encoder:static, encoder:hash or encoder:auto."
    )
