"""How strong: thresholds from projections, and strengths that reach a target under a budget of perplexity."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from personae.core import InputError
from personae.models import GenerateRequest, Model, ScoreRequest, Site, changeable
from personae.steering._directions import Direction
from personae.steering._extract import Tokens, extract
from personae.steering._operations import Add, Operation, Scope


@dataclass(frozen=True, slots=True)
class Strength:
    """One strength that was tried.

    Attributes:
        strength: as `Add` takes it.
        projection: mean projection on the unit direction at the block where it is measured.
        perplexity_ratio: of plain texts, against no steering; 1 = no harm.
    """

    strength: float
    projection: float
    perplexity_ratio: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A strength and how it was found.

    Attributes:
        strength: the largest tried that respects the budget and does not pass the target.
        target: projection that was wanted.
        reached: whether the projection came within the tolerance of the target.
        bound: what ended the search: `target`, `budget` (the target costs more perplexity than allowed), or `range`.
        tried: everything that was measured, by strength.
    """

    strength: float
    target: float
    reached: bool
    bound: str
    tried: tuple[Strength, ...]


def steered(model: Model, *operations: Operation) -> Model:
    """The model with operations in force, in the order given; the first stays as it is.

    Raises:
        CapabilityError: its activations are out of reach, or its engine cannot do that.
        InputError: an operation does not fit the network.
    """
    if not operations:
        return model
    inner = changeable(model)
    return inner.changed([change for operation in operations for change in operation.changes(inner.anatomy)])


def percentile_thresholds(direction: Direction, values: Mapping[int, ArrayLike], percent: float) -> dict[int, float]:
    """A threshold for each block: a percentile of the projections of rows, block to shape (rows, size).

    Source: The Assistant Axis (arXiv 2601.10387), cap calibration; there the 25th percentile traded off best.
    """
    if not 0 <= percent <= 100:
        raise InputError(f"percent is {percent!r}, expected 0 to 100.")
    return {b: float(np.percentile(direction.project(values[b], b), percent)) for b in direction.blocks}


async def log_likelihood(model: Model, texts: Sequence[ScoreRequest]) -> tuple[float, int]:
    """Summed log-probability in nats of the first option of each request, and their tokens."""
    scores = await model.score_options(texts)
    tokens = sum(model.count_tokens(request.options[0]) for request in texts)
    return sum(s.logprobs[0] for s in scores), tokens


async def perplexity_ratio(model: Model, changed: Model, texts: Sequence[ScoreRequest]) -> float:
    """Perplexity of texts under a changed model over that under the model: exp of the mean loss per token, in nats.

    Args:
        model: before.
        changed: after.
        texts: each with one option, the plain text that should stay likely.
    """
    before, tokens = await log_likelihood(model, texts)
    after, _ = await log_likelihood(changed, texts)
    return math.exp(min((before - after) / max(tokens, 1), 700.0))


async def calibrate(
    model: Model,
    direction: Direction,
    prompts: Sequence[GenerateRequest],
    *,
    target: float,
    block: int | None = None,
    texts: Sequence[ScoreRequest] = (),
    budget: float = 1.2,
    most: float = 1.0,
    tolerance: float = 0.02,
    tokens: Tokens = "last",
    scope: Scope = "all",
    rounds: int = 20,
) -> Calibration:
    """The strength of `Add(direction, strength)` that brings the mean projection to a target, by bisection.

    Args:
        model: one that can be looked into and changed.
        direction: with norms; added at all its blocks.
        prompts: where the projection is measured. Not those that an effect is judged on afterwards.
        target: mean projection on the unit direction after `block`, for instance that under a persona prompt.
        block: where it is measured; None = the last block of the direction.
        texts: plain texts for the perplexity, each the one option of a request; none = no budget.
        budget: largest perplexity ratio.
        most: largest strength tried, in either sense.
        tolerance: of the target, as a share of the distance from the unsteered projection.
        tokens: which tokens are measured.
        scope: of the addition.
        rounds: most bisections.

    Raises:
        InputError: no prompt, or a budget below 1.
    """
    if not prompts or budget < 1 or most <= 0:
        raise InputError(
            f"{len(prompts)} prompts, budget {budget!r}, most {most!r}; expected prompts, a budget of at least 1 and a "
            "positive range."
        )
    at = direction.blocks[-1] if block is None else block
    direction.at(at)
    tried: dict[float, Strength] = {}

    async def measure(strength: float) -> Strength:
        if strength not in tried:
            changed = model if strength == 0 else steered(model, Add(direction, strength, scope=scope))
            found = await _projection(changed, direction, at, prompts, tokens)
            ratio = await perplexity_ratio(model, changed, texts) if texts and strength != 0 else 1.0
            tried[strength] = Strength(strength, found, ratio)
        return tried[strength]

    plain = (await measure(0.0)).projection
    sense = 1.0 if target >= plain else -1.0
    wanted = abs(target - plain) * tolerance

    def short(found: Strength) -> bool:
        return sense * (target - found.projection) > wanted

    def met(found: Strength) -> bool:
        return abs(target - found.projection) <= wanted

    strength, bound = await _bisect(measure, short, met, sense * most, budget, rounds)
    seen = tuple(sorted(tried.values(), key=lambda found: found.strength))
    return Calibration(strength, target, met(tried[strength]), "target" if met(tried[strength]) else bound, seen)


async def _bisect(
    measure: Callable[[float], Awaitable[Strength]],
    short: Callable[[Strength], bool],
    met: Callable[[Strength], bool],
    far: float,
    budget: float,
    rounds: int,
) -> tuple[float, str]:
    """Between 0 and `far`, the last strength that falls short of the target and is affordable, or meets it."""
    low = 0.0
    if met(await measure(low)):
        return low, "target"
    end = await measure(far)
    if end.perplexity_ratio <= budget and (short(end) or met(end)):
        return far, "range"
    bound = "range"
    for _ in range(rounds):
        middle = (low + far) / 2
        found = await measure(middle)
        dear = found.perplexity_ratio > budget
        if not dear and met(found):
            return middle, "target"
        if dear or not short(found):
            far, bound = middle, "budget" if dear else "target"
        else:
            low = middle
        if abs(far - low) < 1e-4:
            break
    return low, bound


async def _projection(
    model: Model, direction: Direction, block: int, prompts: Sequence[GenerateRequest], tokens: Tokens
) -> float:
    found = await extract(model, prompts, [Site(block, direction.part)], tokens=tokens)
    return float(direction.project(found.values[:, 0], block).mean())
