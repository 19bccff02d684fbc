"""Distributions of the statistical persona model, and whole worlds of answers and dialogues drawn at once.

Answers follow a graded response model: with latent value eta = effect · loading · z + noise · e,
P(answer > k) = logistic(slope · (eta − tau_k)), thresholds tau equally spaced on [−1.5, 1.5].
Source: Samejima (1969), Estimation of latent ability using a response pattern of graded scores; e is one standard
normal deviate per person, item and condition.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SLOPE: Final = 1.7
"""Makes the logistic follow the normal ogive to within .01."""
_SPREAD: Final = 1.5

_FIRST: Final = "bar cor dal fen gil hom jas kel lum mir nov pel ros sel tam"
_SECOND: Final = "ta vin sol mer do ka lis nor pi ra ster tun wen zo by"
VOCABULARY: Final = tuple(f"{first}{second}" for first in _FIRST.split() for second in _SECOND.split())
"""225 made-up words, so that chance overlap of two lines is small and known."""


def answer_probabilities(
    latent: NDArray[np.float64] | np.float64, options: int, *, slope: float = SLOPE
) -> NDArray[np.float64]:
    """Graded response model: probability of each ordered answer.

    Args:
        latent: any shape.
        options: number of ordered answers, at least two.
        slope: discrimination.

    Returns:
        Shape `latent.shape + (options,)`; the last axis sums to 1, lowest answer first.
    """
    thresholds = np.linspace(-_SPREAD, _SPREAD, options - 1) if options > 2 else np.zeros(max(0, options - 1))
    x = slope * (np.asarray(latent)[..., None] - thresholds)
    above = 0.5 * (1.0 + np.tanh(0.5 * x))  # P(answer > k), the logistic without overflow
    edge = (*np.shape(latent), 1)
    return -np.diff(np.concatenate([np.ones(edge), above, np.zeros(edge)], axis=-1), axis=-1)


def simulate_answers(
    rng: np.random.Generator,
    traits: NDArray[np.float64],
    loadings: NDArray[np.float64],
    *,
    options: int = 5,
    effect: float = 1.0,
    noise: float = 0.5,
    slope: float = SLOPE,
    expected: bool = False,
) -> NDArray[np.float64]:
    """Answers of many people (and worlds) at once, from the same distributions as `StatisticalModel`.

    Args:
        rng: source of deviates and draws.
        traits: z scores, shape (…, people, domains); leading axes are worlds.
        loadings: shape (items, domains), negative for reversed items.
        options: number of ordered answers, scored 1 to `options`.
        effect: share of the trait that reaches the answer; 0 is a null world.
        noise: sd of the person-by-item deviate.
        slope: discrimination.
        expected: return expected values (what option scoring reads) instead of drawn answers.

    Returns:
        Answers before keying, shape (…, people, items).
    """
    latent = effect * (traits @ loadings.T)
    latent = latent + noise * rng.standard_normal(latent.shape)
    p = answer_probabilities(latent, options, slope=slope)
    if expected:
        return p @ np.arange(1.0, options + 1.0)
    u = rng.random((*latent.shape, 1))
    return 1.0 + (np.cumsum(p, axis=-1)[..., :-1] < u).sum(axis=-1).astype(np.float64)


def simulate_dialogues(
    rng: np.random.Generator, dialogues: int, turns: int, *, words: int = 12, echo: float = 0.0
) -> list[list[str]]:
    """Lines of many dialogues at once: each word is copied from the line before with probability `echo`.

    Returns:
        `dialogues` lists of `turns` lines of `words` made-up words.
    """
    ids = rng.integers(len(VOCABULARY), size=(dialogues, turns, words))
    copied = rng.random((dialogues, turns, words)) < echo
    for turn in range(1, turns):
        ids[:, turn] = np.where(copied[:, turn], ids[:, turn - 1], ids[:, turn])
    vocabulary = np.asarray(VOCABULARY)
    return [[" ".join(line) for line in dialogue] for dialogue in vocabulary[ids].tolist()]
