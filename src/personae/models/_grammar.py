"""Logit masks that keep a generation inside a JSON schema, for engines whose tokens we draw ourselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, MissingDependencyError
from personae.models._structured import strict_schema


class JsonMask:
    """Which tokens may come next. One per continuation.

    Args:
        tokenizer: the model's `tokenizer.json`.
        vocabulary: logits the model gives.
        ends: tokens that end the model's turn; they are allowed where the value is complete.
        schema: what the text must fit.
        begun: tokens of the value that stand in the prompt already.

    Raises:
        MissingDependencyError: `llguidance` is not installed.
        InputError: the schema cannot be made into a grammar, or `begun` does not begin one of its values.
    """

    def __init__(
        self, tokenizer: str, vocabulary: int, ends: Sequence[int], schema: Mapping[str, Any], begun: Sequence[int] = ()
    ) -> None:
        llguidance = _library()
        grammar = llguidance.grammar_from("json_schema", json.dumps(strict_schema(schema)))
        self._matcher: Any = llguidance.LLMatcher(_vocabulary(tokenizer, vocabulary, tuple(sorted(ends))), grammar)
        self._check("the JSON schema cannot be made into a grammar")
        self._bits = np.zeros((1, (vocabulary + 31) // 32), dtype=np.int32)
        self._size = vocabulary
        for token in begun:
            self.advance(token)
        self._check("the prefill does not begin a value of the JSON schema")

    def mask(self, logits: NDArray[np.float32]) -> None:
        """Put minus infinity at every token that would leave the schema; shape (vocabulary,)."""
        bits = self._bits[0]
        self._matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.size * bits.itemsize)
        allowed = np.unpackbits(bits.view(np.uint8), bitorder="little")[: self._size].astype(bool)
        logits[~allowed] = -np.inf

    def advance(self, token: int) -> None:
        """Say which token was drawn."""
        self._matcher.consume_token(token)

    @property
    def done(self) -> bool:
        """Nothing can follow any more."""
        return bool(self._matcher.is_stopped())

    def _check(self, what: str) -> None:
        if self._matcher.is_error():
            raise InputError(f"{what}: {str(self._matcher.get_error())[:300]}", hint="Simplify the schema.")


def _library() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise MissingDependencyError.of("llguidance", "torch") from error
    return llguidance


@lru_cache(maxsize=4)
def _vocabulary(tokenizer: str, size: int, ends: tuple[int, ...]) -> Any:
    return _library().LLTokenizer(tokenizer, n_vocab=size, eos_token=list(ends))
