import asyncio

import numpy as np
import pytest

from personae.core import CapabilityError, Names, Persona, ReplyError
from personae.instruments import administer, answers_of, load_instrument, score_responses, unit_key
from personae.models import Capability

IPIP = load_instrument("ipip50")
VALUES = np.array([o.value for o in IPIP.options])


def ask(actor, **more):
    return asyncio.run(administer(actor, IPIP, **more))


@pytest.fixture
def crowd(make_model, make_actor):
    """40 people with known traits on one model."""

    def make(effect, n=40, **more):
        rng = np.random.default_rng(11)
        names = [f"Person {k}" for k in range(n)]
        traits = {
            Persona(names=Names(full=name)).id: dict(zip("OCEAN", rng.standard_normal(5), strict=True))
            for name in names
        }
        model = make_model(traits, effect=effect, **more)
        return [make_actor(model, name) for name in names], traits

    return make


def recovered(actors, traits, **more):
    intended, answered = [], []
    for actor in actors:
        scores = score_responses(IPIP, answers_of(ask(actor, **more)))
        intended.append([traits[actor.persona.id][s] for s in "OCEAN"])
        answered.append([scores[s].value for s in "OCEAN"])
    a, b = np.array(intended), np.array(answered)
    return np.array([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(5)])


def test_planted_traits_are_recovered(crowd):
    assert recovered(*crowd(1.0)).min() > 0.9


def test_no_effect_is_not_recovered(crowd):
    found = recovered(*crowd(0.0, noise=1.0))
    assert abs(found.mean()) < 0.25  # 200 pairs: sd of the mean about .07


def test_a_reversed_effect_is_seen_as_reversed(crowd):
    assert recovered(*crowd(-1.0)).max() < -0.9


def test_one_call_one_group_one_session(make_actor, make_model):
    model = make_model({Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)})
    actor = make_actor(model)
    rows = ask(actor)
    assert model.calls == 1
    assert model.sessions == [unit_key(actor, IPIP)]
    assert len(model.requests) == 52
    assert [r.item for r in rows] == [i.id for i in IPIP.items]
    assert {r.status for r in rows} == {"ok"}
    assert {r.method for r in rows} == {"score"}
    for row in rows:
        assert sum(row.probabilities) == pytest.approx(1)
        assert row.value == pytest.approx(float(np.array(row.probabilities) @ VALUES))
        assert row.keyed == (row.value if row.key == 1 else pytest.approx(6 - row.value))
        assert row.persona_id == actor.persona.id
        assert row.call == "call"


def test_pmi_takes_out_what_options_get_anyway(crowd):
    # A strong taste for one option text moves raw answers and leaves PMI answers alone.
    plain, _ = crowd(1.0, n=1)
    biased, _ = crowd(1.0, n=1, bias=(0, 0, 0, 0, 6.0))
    free = [r.value for r in ask(plain[0])]
    assert [r.value for r in ask(biased[0])] == pytest.approx(free)
    raw = [r.value for r in ask(biased[0], normalisation="sum")]
    assert np.mean(raw) > np.mean(free) + 0.5


def test_raw_logprobs_are_kept(crowd):
    (actor,), _ = crowd(1.0, n=1)
    with_pmi, without = ask(actor), ask(actor, normalisation="sum")
    assert [r.logprobs for r in with_pmi] == [r.logprobs for r in without]
    for row in without:
        assert row.probabilities == pytest.approx(tuple(np.exp(row.logprobs) / np.exp(row.logprobs).sum()))


def test_orders_are_recorded(crowd):
    (actor,), _ = crowd(1.0, n=1)
    assert {r.order for r in ask(actor, rotation="none")} == {"ascending"}
    balanced = [r.order for r in ask(actor)]
    assert balanced.count("ascending") == balanced.count("descending") == 25
    full = ask(actor, rotation="full")
    assert {r.order for r in full} == {"both"}
    assert len(full) == 50


def test_full_rotation_averages_probabilities(make_actor, make_model):
    class Leaning(make_model):
        """Prefers whatever is listed first."""

        async def score_options(self, requests):
            scores = await super().score_options(requests)
            out = []
            for request, score in zip(requests, scores, strict=True):
                text = request.messages[-1].content
                up = text.index("moderately inaccurate") < text.index("moderately accurate")
                lean = np.array([2.0, 1, 0, -1, -2]) * (1 if up else -1) * (request.tags["item"] != "")
                out.append(type(score)(tuple(np.array(score.logprobs) + lean), *[getattr(score, f) for f in (
                    "tokens", "approximate", "method", "usage", "call")]))  # fmt: skip
            return tuple(out)

    model = Leaning({Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 0.0)}, noise=0.0)
    actor = make_actor(model)
    ascending = [r.value for r in ask(actor, rotation="none")]
    assert np.mean(ascending) < 2.2
    assert [r.value for r in ask(actor, rotation="full")] == pytest.approx([3.0] * 50)


@pytest.mark.parametrize("effect", [0.0, 40.0])
def test_an_actor_without_variance_is_marked(make_actor, make_model, effect):
    # No effect: the same distribution everywhere. A huge one on items keyed alike: all mass on one option.
    model = make_model(
        {Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)}, effect=effect, noise=0.0
    )
    rows = ask(make_actor(model), items=[i.id for i in IPIP.items if i.key == 1])
    assert {r.status for r in rows} == {"zero_variance"}
    assert all(r.value is not None for r in rows)
    assert set(answers_of(rows).values()) == {None}
    assert None not in answers_of(rows, accept=("ok", "zero_variance")).values()


def test_one_item_cannot_show_zero_variance(make_actor, make_model):
    model = make_model({Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)})
    assert [r.status for r in ask(make_actor(model), items=["E1"])] == ["ok"]


@pytest.mark.parametrize("fault", ["nan", "infinite"])
def test_scores_that_are_no_numbers_fail_the_row_and_are_never_zero(make_actor, broken_model, fault):
    model = broken_model(fault, traits={Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)})
    failed = [r for r in ask(make_actor(model)) if r.status == "failed"]
    assert len(failed) == 1
    assert failed[0].value is failed[0].keyed is None
    assert failed[0].probabilities == failed[0].logprobs == ()


@pytest.mark.parametrize("fault", ["short", "few"])
def test_scores_of_the_wrong_shape_are_an_error(make_actor, broken_model, fault):
    model = broken_model(fault, traits={Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)})
    with pytest.raises(ReplyError, match="52 requests"):
        ask(make_actor(model))


def test_a_failed_call_is_the_callers_to_record(make_actor, failing_model):
    with pytest.raises(ReplyError, match="nonsense"):
        ask(make_actor(failing_model()))


def test_a_model_that_cannot_score_is_sent_to_free_text(make_actor, make_model):
    with pytest.raises(CapabilityError, match="administer_free_text"):
        ask(make_actor(make_model(capabilities={Capability.GENERATE})))
    with pytest.raises(CapabilityError, match="has no model"):
        ask(make_actor(None))


def test_a_control_without_persona_answers_too(make_actor, make_model):
    actor = make_actor(
        make_model(), "nobody", persona=False, condition="template_default", system_default=True, system=None
    )
    rows = ask(actor)
    assert {r.persona_id for r in rows} == {None}
    assert {r.actor for r in rows} == {"nobody"}
    assert unit_key(actor, IPIP) == "inventory/ipip50/template_default/nobody"
