"""No model at all: for work that never asks one, so that no weights are loaded and no call can slip through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NoReturn

from personae.core import CapabilityError
from personae.models._protocol import (
    Capability,
    Determinism,
    Embeddings,
    GenerateRequest,
    Generation,
    OnText,
    OptionScores,
    ScoreRequest,
)
from personae.models._requests import estimate_tokens
from personae.models._shown import PLAIN_FORM, PromptForm


class NoModel:
    """Answers nothing; every verb says which model would be needed."""

    @property
    def reference(self) -> str:
        return "none"

    @property
    def fingerprint(self) -> Mapping[str, str | int | float | bool]:
        return {"kind": "none"}

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset()

    @property
    def determinism(self) -> Determinism:
        return "exact"

    @property
    def parallel(self) -> int:
        return 64

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    @property
    def prompt_form(self) -> PromptForm:
        return PLAIN_FORM

    def show_prompt(self, request: GenerateRequest | ScoreRequest) -> str:
        return self.prompt_form.show(request)

    async def generate(self, request: GenerateRequest, *, on_text: OnText | None = None) -> Generation:
        del request, on_text
        self._refuse("generate text")

    async def score_options(self, requests: Sequence[ScoreRequest]) -> tuple[OptionScores, ...]:
        del requests
        self._refuse("score options")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        del texts
        self._refuse("embed texts")

    def session(self, unit: str) -> AbstractAsyncContextManager[None]:
        del unit
        return nullcontext()

    async def close(self) -> None:
        return

    def _refuse(self, verb: str) -> NoReturn:
        raise CapabilityError(
            f"the model is 'none', which cannot {verb}.", hint="Name a model: --model smollm2, or openai:NAME@URL."
        )
