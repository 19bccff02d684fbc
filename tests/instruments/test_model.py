"""The shipped layout on the embedded model."""

import asyncio

import numpy as np
import pytest

from personae.core import BigFive, Names, Persona, Personal, Social
from personae.instruments import FitJudge, administer, answers_of, load_instrument, score_responses, show_prompt
from personae.models import open_model

pytestmark = pytest.mark.model
IPIP = load_instrument("ipip50")
ITEMS = [i.id for i in IPIP.items if i.scale == "N"]


def person(name, neuroticism):
    big_five = BigFive(neuroticism=neuroticism)
    return Persona(
        names=Names(full=name), social=Social(age=40, occupation="clerk"), personal=Personal(big_five=big_five)
    )


def test_extreme_neuroticism_is_answered_and_asking_again_changes_nothing(make_actor):
    names = ["Ana Reis", "Tom Blake", "Mei Tan"]

    async def scores():
        model = open_model("smollm2")
        out = {}
        try:
            for name in names:
                for level in (75, 25):
                    actor = make_actor(model, name, system=person(name, level).render())
                    rows = await administer(actor, IPIP, items=ITEMS, seed=1)
                    assert {r.status for r in rows} == {"ok"}
                    out[name, level] = (score_responses(IPIP, answers_of(rows))["N"].value, rows)
            again = await administer(actor, IPIP, items=ITEMS, seed=1)
            assert again == rows
            shown = show_prompt(actor, IPIP, "N1", seed=1)
        finally:
            await model.close()
        return {k: v for k, (v, _) in out.items()}, shown

    found, shown = asyncio.run(scores())
    gaps = np.array([found[name, 75] - found[name, 25] for name in names])
    assert (gaps > 0).all(), found
    assert "I get stressed out easily." in shown
    assert shown.index("very inaccurate") < shown.index("I get stressed")


def test_a_judge_learns_nothing_from_no_profile_and_judges_alike_in_company():
    async def weighed():
        model = open_model("smollm2", cache="off")
        judge, lines = FitJudge(model), ["I mend nets by the harbour.", "I have never seen the sea."]
        try:
            async with model.session("nothing"):
                nothing = await judge.weigh("Nothing is known about this person.", lines)
            async with model.session("both"):
                both = await judge.weigh("She mends nets by the harbour.", lines)
            async with model.session("alone"):
                alone = await judge.weigh("She mends nets by the harbour.", lines[:1])
        finally:
            await model.close()
        return nothing, both, alone

    nothing, both, alone = asyncio.run(weighed())
    assert [v.gains for v in nothing] == [(0.0, 0.0), (0.0, 0.0)]
    assert all(v.gains != (0.0, 0.0) for v in both)
    assert both[0].gains == pytest.approx(alone[0].gains, abs=0.05)  # the shape of a batch moves F16 by about 0.01
