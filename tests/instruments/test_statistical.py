"""The whole way from planted traits to scores, on the statistical persona model."""

import asyncio

import numpy as np
import pytest

from personae.core import DOMAINS, Names, Persona
from personae.instruments import administer, answers_of, load_instrument, reliability, score_responses
from personae.models import Planted, StatisticalModel

IPIP = load_instrument("ipip50")
CODES = {name: code for code, name in IPIP.scales.items()}


def world(make_actor, effect, n=60):
    """Intended z scores, answered scale means and raw answers of n people; shape (people, domains)."""
    z = np.random.default_rng(3).standard_normal((n, 5))
    people = [Persona(names=Names(full=f"P{k}")) for k in range(n)]
    traits = {p.id: dict(zip(DOMAINS, row, strict=True)) for p, row in zip(people, z.tolist(), strict=True)}
    model = StatisticalModel(traits, planted=Planted(effect=effect), seed=1)

    async def all_of_them():
        rows = [await administer(make_actor(model, p.name), IPIP) for p in people]
        await model.close()
        return rows

    answers = [answers_of(rows) for rows in asyncio.run(all_of_them())]
    scored = [score_responses(IPIP, a) for a in answers]
    return z, np.array([[s[CODES[d]].value for d in DOMAINS] for s in scored]), answers


@pytest.mark.parametrize(("effect", "low", "high"), [(1.0, 0.9, 1.0), (0.0, -0.2, 0.2)])
def test_planted_traits_come_back_and_absent_ones_do_not(make_actor, effect, low, high):
    z, scores, _ = world(make_actor, effect)
    found = np.mean([np.corrcoef(z[:, k], scores[:, k])[0, 1] for k in range(5)])
    assert low <= found <= high


def test_scales_are_reliable_where_a_trait_is_behind_them(make_actor):
    _, _, answers = world(make_actor, 1.0)
    assert min(s.alpha.value for s in reliability(IPIP, answers).values()) > 0.8
    _, _, answers = world(make_actor, 0.0)
    assert max(s.alpha.value for s in reliability(IPIP, answers).values()) < 0.5
