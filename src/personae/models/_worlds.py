"""Distributions of the statistical persona model, and whole worlds of answers and dialogues drawn at once.

Answers follow a graded response model with response styles. With z the trait, e one standard normal deviate per person,
item and condition, and a one per person:

    eta           = effect · loading · z + noise · e + acquiescence + acquiescence_sd · a       units of z
    P(answer > k) = logistic(slope · (eta − tau_k)), tau equally spaced on [−1.5, 1.5]
    P(answer = k) ∝ [P(answer > k − 1) − P(answer > k)] · exp(position · x_k)
    x_k           = place of k / (options − 1) − 1/2                                        −.5 first, +.5 last shown

A reversed item has a negative loading, so acquiescence moves its answer away from the trait: balanced keys tell the two
apart. The place is that of the order shown, so showing the options the other way round tells position from trait.

Source: Samejima (1969), Estimation of latent ability using a response pattern of graded scores, for the model without
styles. Acquiescence is the random intercept of Maydeu-Olivares and Coffman (2006), Random intercept item factor
analysis; position is an additive logit, as in a multinomial choice model. Putting them together is ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError
from personae.models._planted import SLOPE, check_planted

_SPREAD: Final = 1.5
TINY: Final = 1e-12
"""Least probability that a logarithm is taken of."""

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


def latent_values(
    signal: NDArray[np.float64] | np.float64,
    deviate: NDArray[np.float64] | float,
    person: NDArray[np.float64] | float,
    *,
    noise: float,
    acquiescence: float,
    acquiescence_sd: float,
) -> NDArray[np.float64] | np.float64:
    """Latent value: signal + noise · e + acquiescence + acquiescence_sd · a, in units of z.

    Args:
        signal: effect · loading · z, any shape.
        deviate: e, standard normal per person and item.
        person: a, standard normal per person; broadcast over items.
        noise: sd of the person-by-item deviate.
        acquiescence: mean shift towards the highest answer.
        acquiescence_sd: sd of that shift between people.
    """
    return signal + noise * deviate + (acquiescence + acquiescence_sd * person)


def weigh_positions(
    probabilities: NDArray[np.float64], places: NDArray[np.int64], position: float
) -> NDArray[np.float64]:
    """Probabilities after a position bias: p_k · exp(position · x_k), normalised. Without bias they come back as given.

    Args:
        probabilities: shape (…, options).
        places: place (0 = first) at which each option is shown, shape (options,) or one that broadcasts.
        position: nats that the last option shown gains over the first.
    """
    options = probabilities.shape[-1]
    if position == 0.0 or options < 2:
        return probabilities
    logits = np.log(np.maximum(probabilities, TINY)) + position * (places / (options - 1) - 0.5)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def draw_answers(probabilities: NDArray[np.float64], u: NDArray[np.float64] | float) -> NDArray[np.int64]:
    """Index of the answer that a uniform deviate picks: how many cumulative probabilities lie below it.

    Args:
        probabilities: shape (…, options).
        u: uniform on [0, 1), shape (…, 1).

    Returns:
        Shape (…), 0 = lowest answer.
    """
    return (np.cumsum(probabilities, axis=-1)[..., :-1] < u).sum(axis=-1)


def simulate_answers(
    rng: np.random.Generator,
    traits: NDArray[np.float64],
    loadings: NDArray[np.float64],
    *,
    options: int = 5,
    effect: float = 1.0,
    noise: float = 0.5,
    slope: float = SLOPE,
    position: float = 0.0,
    shown: NDArray[np.int64] | None = None,
    acquiescence: float = 0.0,
    acquiescence_sd: float = 0.0,
    refusal: float = 0.0,
    expected: bool = False,
) -> NDArray[np.float64]:
    """Answers of many people (and worlds) at once, from the same distributions as `StatisticalModel`.

    The formulas stand at the top of this module. The same generator gives the same e and the same draws whatever is
    planted, so worlds that differ in one effect can be compared answer by answer.

    Args:
        rng: source of deviates and draws.
        traits: z scores, shape (…, people, domains); leading axes are worlds.
        loadings: shape (items, domains), negative for reversed items.
        options: number of ordered answers, scored 1 to `options`.
        effect: share of the trait that reaches the answer; 0 is a null world.
        noise: sd of the person-by-item deviate.
        slope: discrimination.
        position: nats that the last option shown gains over the first; negative for primacy.
        shown: place (0 = first) at which each answer, lowest first, is shown: shape (options,), or (items, options)
            where items are shown differently. None = from lowest to highest.
        acquiescence: shift of eta towards the highest answer whatever the key, in units of z.
        acquiescence_sd: sd of that shift between people.
        refusal: probability that a drawn answer is a refusal; it is NaN. Expected values come from scoring, which
            cannot refuse, and have none.
        expected: return expected values (what option scoring reads) instead of drawn answers.

    Returns:
        Answers before keying, shape (…, people, items).

    Raises:
        InputError: a number outside its range, or `shown` is no order of the options.
    """
    given = {"effect": effect, "noise": noise, "slope": slope, "position": position, "refusal": refusal}
    given |= {"acquiescence": acquiescence, "acquiescence_sd": acquiescence_sd}
    for name, value in given.items():
        check_planted(name, value)
    places = _places(shown, len(loadings), options)
    signal = effect * (traits @ loadings.T)  # shape (…, people, items)
    deviate = rng.standard_normal(signal.shape)
    u = None if expected else rng.random((*signal.shape, 1))
    person = rng.standard_normal((*signal.shape[:-1], 1)) if acquiescence_sd else 0.0
    latent = latent_values(
        signal, deviate, person, noise=noise, acquiescence=acquiescence, acquiescence_sd=acquiescence_sd
    )
    p = weigh_positions(answer_probabilities(latent, options, slope=slope), places, position)
    if u is None:
        return p @ np.arange(1.0, options + 1.0)
    answers = 1.0 + draw_answers(p, u).astype(np.float64)
    return np.where(rng.random(answers.shape) < refusal, np.nan, answers) if refusal else answers


def _places(shown: NDArray[np.int64] | None, items: int, options: int) -> NDArray[np.int64]:
    straight = np.arange(options)
    if shown is None:
        return straight
    places = np.asarray(shown)
    if places.shape not in {(options,), (items, options)} or not (np.sort(places, axis=-1) == straight).all():
        raise InputError(
            f"shown={places.tolist()!r}, expected the places 0 to {options - 1} in some order.",
            hint=f"Pass shape ({options},) or ({items}, {options}), lowest answer first; None shows lowest to highest.",
        )
    return places


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
