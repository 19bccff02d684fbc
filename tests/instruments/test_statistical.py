"""The whole way from planted traits to scores, on the statistical persona model."""

import asyncio

import numpy as np
import pytest

from personae.core import DOMAINS, Names, Persona
from personae.instruments import (
    administer,
    administer_free_text,
    answers_of,
    load_instrument,
    parse_reply,
    reliability,
    score_responses,
)
from personae.models import Planted, StatisticalModel

IPIP = load_instrument("ipip50")
CODES = {name: code for code, name in IPIP.scales.items()}


def persons(n):
    """Intended z scores, shape (people, domains), people and their traits by id."""
    z = np.random.default_rng(3).standard_normal((n, 5))
    people = [Persona(names=Names(full=f"P{k}")) for k in range(n)]
    return z, people, {p.id: dict(zip(DOMAINS, row, strict=True)) for p, row in zip(people, z.tolist(), strict=True)}


def asked(make_actor, planted, n=20, ask=administer, **how):
    """Rows of n people, under condition `self` and as `how` says."""
    _, people, traits = persons(n)
    model = StatisticalModel(traits, planted=planted, seed=1)

    async def all_of_them():
        rows = [row for p in people for row in await ask(make_actor(model, p.name), IPIP, **how)]
        await model.close()
        return rows

    return asyncio.run(all_of_them())


def values(rows):
    return np.array([r.value for r in rows])


def world(make_actor, effect, n=60):
    """Intended z scores, answered scale means and raw answers of n people; shape (people, domains)."""
    z, people, traits = persons(n)
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


@pytest.mark.parametrize(("weight", "low", "high"), [(0.0, -0.12, 0.12), (1.0, 0.3, 0.8), (-1.0, -0.8, -0.3)])
def test_balanced_orders_show_a_position_bias(make_actor, weight, low, high):
    """Items listed upwards minus items listed downwards, 20 people x 25 items each: se about .04."""
    rows = asked(make_actor, Planted(position=weight), normalisation="sum")
    up, down = (np.mean([r.value for r in rows if r.order == order]) for order in ("ascending", "descending"))
    assert low < up - down < high


def test_an_empty_context_takes_out_position_and_leaves_acquiescence(make_actor):
    """The bias is in the empty context too, whatever the order; there is nothing to agree with in it."""
    for rotation in ("balanced", "none"):
        plain, biased = (values(asked(make_actor, Planted(position=w), n=5, rotation=rotation)) for w in (0.0, 1.5))
        assert biased == pytest.approx(plain, abs=1e-6)
    raw, shifted = (
        values(asked(make_actor, Planted(position=w), n=5, normalisation="sum", rotation="none")) for w in (0.0, 1.5)
    )
    assert (shifted > raw).all()
    agreeing = values(asked(make_actor, Planted(acquiescence=0.5), n=5, rotation="none"))
    assert (agreeing > plain).all()


def test_both_orders_of_an_item_average_a_position_bias_out(make_actor):
    """One order moves an expected value by weight x variance / 4 (the places span 1, the values 4); both by nothing.

    To first order in the weight, here .5: 20 people x 50 items.
    """
    plain, one, both = (
        asked(make_actor, Planted(position=w), normalisation="sum", rotation=rotation)
        for w, rotation in ((0.0, "none"), (0.5, "none"), (0.5, "full"))
    )
    p, scale = np.array([r.probabilities for r in plain]), np.arange(1, 6)
    variance = p @ scale**2 - (p @ scale) ** 2
    assert np.mean(values(one) - values(plain)) == pytest.approx(0.5 * variance.mean() / 4, rel=0.05)
    assert abs(np.mean(values(both) - values(plain))) < 0.002


@pytest.mark.parametrize(("effect", "low", "high"), [(1.0, 0.8, 1.0), (0.0, -0.2, 0.2)])
def test_traits_come_back_from_generated_answers(make_actor, effect, low, high):
    """60 people, ten items a scale, answers drawn one by one; se of the mean of five null correlations .058."""
    n = 60
    rows = asked(make_actor, Planted(effect=effect), n=n, ask=administer_free_text)
    assert {r.status for r in rows} == {"ok"}
    assert {r.value for r in rows} == {1, 2, 3, 4, 5}
    z, _, _ = persons(n)
    scored = [score_responses(IPIP, answers_of(rows[50 * k : 50 * (k + 1)])) for k in range(n)]
    found = np.mean([np.corrcoef(z[:, k], [s[CODES[d]].value for s in scored])[0, 1] for k, d in enumerate(DOMAINS)])
    assert low <= found <= high


def test_generated_and_scored_answers_have_one_mean(make_actor):
    """20 people x 50 items: drawing adds a deviate of sd 1 or so to each, se .03. All styles but refusal."""
    planted = Planted(position=1.0, acquiescence=0.4, acquiescence_sd=0.5)
    scored = values(asked(make_actor, planted, normalisation="sum", rotation="balanced"))
    drawn = values(asked(make_actor, planted, ask=administer_free_text, rotation="balanced"))
    assert drawn.mean() == pytest.approx(scored.mean(), abs=4 * float((drawn - scored).std()) / np.sqrt(len(drawn)))
    assert np.polyfit(scored, drawn, 1)[0] == pytest.approx(1.0, abs=0.15)


def test_planted_refusals_are_read_as_refusals(make_actor):
    """1000 answers at .2: se .013."""
    rows = asked(make_actor, Planted(refusal={"self": 0.2}), ask=administer_free_text)
    refused = [r for r in rows if r.status == "refused"]
    assert len(refused) / len(rows) == pytest.approx(0.2, abs=0.05)
    assert {r.value for r in refused} == {None}
    assert parse_reply(refused[0].text, IPIP.options).status == "refused"  # by its words too
    others = asked(make_actor, Planted(refusal={"twin": 0.2}), ask=administer_free_text)
    assert {r.status for r in others} == {"ok"}
