"""Strengths that reach a target on a known shift, and what the budget forbids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from personae.core import InputError
from personae.models import GenerateRequest, Message, ScoreRequest, Site
from personae.steering import Add, Direction, calibrate, drift, extract, perplexity_ratio, steered

PROMPTS = [GenerateRequest((Message("user", f"Say {k}"),)) for k in range(3)]
TEXTS = [ScoreRequest((Message("user", "Go"),), ("the hat hello the hat",))]


def direction(*blocks: int) -> Direction:
    rng = np.random.default_rng(4)
    return Direction("d", {b: rng.standard_normal(48) for b in blocks}, norms=dict.fromkeys(blocks, 5.0))


def test_a_linear_shift_is_hit_within_the_tolerance(using: Any) -> None:
    """Added at one block and measured there, a strength s moves the projection by exactly s norms."""

    async def use(model: Any) -> None:
        d = direction(1)
        plain = d.project((await extract(model, PROMPTS, [Site(1)], tokens="last")).values[:, 0], 1).mean()
        for shift in (1.3, -2.1):
            found = await calibrate(model, d, PROMPTS, target=plain + shift)
            assert found.reached
            assert found.strength == pytest.approx(shift / 5, rel=0.021)
            assert found.bound == "target"
            assert [t.strength for t in found.tried] == sorted(t.strength for t in found.tried)
        assert (await calibrate(model, d, PROMPTS, target=plain)).strength == 0
        far = await calibrate(model, d, PROMPTS, target=plain + 50)
        assert (far.strength, far.reached, far.bound) == (1.0, False, "range")

    using(use)


def test_the_budget_binds_before_the_target(using: Any) -> None:
    async def use(model: Any) -> None:
        d = -direction(0, 1)
        harm = await perplexity_ratio(model, steered(model, Add(d, 4.0)), TEXTS)
        assert harm > 1.2
        budget = harm**0.5
        free = await calibrate(model, d, PROMPTS, target=60.0, most=4.0, block=1)
        bound = await calibrate(model, d, PROMPTS, target=60.0, most=4.0, block=1, texts=TEXTS, budget=budget)
        assert (bound.reached, bound.bound) == (False, "budget")
        assert 0 < bound.strength < free.strength == 4
        assert await perplexity_ratio(model, steered(model, Add(d, bound.strength)), TEXTS) <= budget
        assert await perplexity_ratio(model, model, TEXTS) == 1
        with pytest.raises(InputError, match="budget of at least 1"):
            await calibrate(model, d, PROMPTS, target=1.0, budget=0.5)
        with pytest.raises(InputError, match="no block 2"):
            await calibrate(model, d, PROMPTS, target=1.0, block=2)

    using(use)


def test_the_gauge_projects_each_turn_and_generates_nothing(using: Any) -> None:
    async def use(model: Any) -> None:
        d = direction(1)
        talk = [
            Message("user", "Hi"),
            Message("assistant", "the hat"),
            Message("user", "More"),
            Message("assistant", "x"),
        ]
        points = await drift(model, [talk, talk[:1], talk[:2]], d, threshold=0.0)
        assert [(p.conversation, p.turn, p.message) for p in points] == [(0, 0, 1), (0, 1, 3), (2, 0, 1)]
        assert points[0].projection == pytest.approx(points[2].projection, abs=1e-4)
        assert all(p.below == (p.projection < 0) for p in points)
        by_hand = await extract(model, [GenerateRequest(tuple(talk))], [Site(1)], per_turn=True)
        assert [p.projection for p in points[:2]] == pytest.approx(d.project(by_hand.values[:, 0], 1).tolist())
        assert [p.message for p in await drift(model, [talk], d, role="user")] == [0, 2]
        with pytest.raises(InputError, match="without messages"):
            await drift(model, [[]], d)

    using(use)
