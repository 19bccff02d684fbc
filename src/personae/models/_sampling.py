"""Drawing a token from logits: repeat penalty, top-k, top-p, min-p, temperature, draw, in that order.

The order is the one of the compiled engine's chain, so that a request means the same on every local engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.models._protocol import Sampling

PENALISED: Final = 64
"""Tokens that the repeat penalty looks back on."""


def draw(
    logits: NDArray[np.float32], history: Sequence[int], sampling: Sampling, rng: np.random.Generator | None
) -> int:
    """The next token.

    Args:
        logits: of every token, shape (vocabulary,); minus infinity where a token must not be drawn. Used up.
        history: tokens so far, prompt included; the repeat penalty looks at its end.
        sampling: how to draw.
        rng: draws; greedy sampling needs none.
    """
    if sampling.repeat_penalty != 1:
        recent = np.unique(np.asarray(history[-PENALISED:], dtype=np.int64))
        seen = logits[recent]
        logits[recent] = np.where(seen > 0, seen / sampling.repeat_penalty, seen * sampling.repeat_penalty)
    if sampling.temperature <= 0 or rng is None:
        return int(logits.argmax())
    tokens = _kept(logits, sampling)
    scaled = logits[tokens].astype(np.float64) / sampling.temperature
    weights = np.exp(scaled - scaled.max())
    at = np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right")
    return int(tokens[min(int(at), len(tokens) - 1)])


def _kept(logits: NDArray[np.float32], sampling: Sampling) -> NDArray[np.int64]:
    """Tokens that may be drawn, likeliest first."""
    if sampling.top_k > 0:
        k = min(sampling.top_k, len(logits))
        tokens = np.argpartition(-logits, k - 1)[:k]
    else:
        tokens = np.flatnonzero(logits > logits.max() - _FAR)
    tokens = tokens[np.lexsort((tokens, -logits[tokens]))]
    shares = np.exp(logits[tokens].astype(np.float64) - logits[tokens[0]])
    shares /= shares.sum()
    if sampling.top_p < 1:
        # The first token that takes the sum over top_p is kept too; at least one always is.
        keep = 1 + int(np.searchsorted(np.cumsum(shares), sampling.top_p, side="left"))
        tokens, shares = tokens[:keep], shares[:keep]
    if sampling.min_p > 0:
        tokens = tokens[shares >= sampling.min_p * shares[0]]
    return tokens


_FAR: Final = 30.0
"""Tokens this many nats below the likeliest are never drawn: together they weigh less than 1e-8."""
