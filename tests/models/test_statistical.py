from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, Persona
from personae.models import (
    GenerateRequest,
    Message,
    Planted,
    RecordedModel,
    ScoreRequest,
    ScriptedModel,
    StatisticalModel,
    answer_probabilities,
    learn,
    open_model,
    simulate_answers,
    simulate_dialogues,
    teach,
)

LIKERT = ("very inaccurate", "inaccurate", "neither", "accurate", "very accurate")
QUESTION = (Message("user", "How accurate is: I am the life of the party?"),)


def _expected(model: StatisticalModel, text: str = "Q", options: tuple[str, ...] = LIKERT, **tags: str) -> float:
    (scores,) = asyncio.run(model.score_options([ScoreRequest((Message("user", text),), options, tags=tags)]))
    p = np.exp(scores.logprobs)
    assert p.sum() == pytest.approx(1.0)
    return float(p @ np.arange(1, len(options) + 1))


@given(st.floats(-6, 6), st.integers(2, 9), st.floats(0.2, 4))
@settings(max_examples=60, deadline=None)
def test_probabilities_are_probabilities_and_grow_with_the_trait(eta: float, options: int, slope: float) -> None:
    p = answer_probabilities(np.float64(eta), options, slope=slope)
    more = answer_probabilities(np.float64(eta + 0.5), options, slope=slope)
    assert p.shape == (options,)
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1.0)
    assert more @ np.arange(options) > p @ np.arange(options)
    assert np.allclose(p, answer_probabilities(np.float64(-eta), options, slope=slope)[::-1])


def test_two_options_are_a_logistic_of_the_trait() -> None:
    p = answer_probabilities(np.float64(0.4), 2, slope=1.7)
    assert p[1] == pytest.approx(1 / (1 + math.exp(-1.7 * 0.4)))


def test_trait_reaches_the_answer_with_its_sign() -> None:
    model = StatisticalModel(
        {"high": {"extraversion": 2.0}, "low": {"E": -2.0}},
        {"e1": ("E", 0.8), "e2": ("extraversion", -0.8)},
        planted=Planted(noise=0.0),
    )
    assert _expected(model, persona="high", item="e1") > 3.8 > 3 > _expected(model, persona="low", item="e1")
    assert _expected(model, persona="high", item="e2") < 2.2
    # Unknown items load on their scale tag, with the sign of their key.
    assert _expected(model, persona="high", item="x", scale="E", key="1") > 3.5
    assert _expected(model, persona="high", item="x", scale="E", key="-1") < 2.5
    assert _expected(model, persona="high", item="x", scale="C", key="1") == pytest.approx(3.0)


def test_a_null_world_knows_no_trait() -> None:
    for who in ("high", "low"):
        tags = {"persona": who, "item": "i", "scale": "E", "key": "1"}
        model = StatisticalModel({who: {"E": 2.0}}, planted=Planted(effect=0.0))
        other = StatisticalModel({who: {"E": -2.0}}, planted=Planted(effect=0.0))
        assert _expected(model, **tags) == _expected(other, **tags)


def test_effects_can_differ_between_conditions() -> None:
    model = StatisticalModel({"p": {"E": 2.0}}, planted=Planted(effect={"off": 0.0}, noise=0.0))
    tags = {"persona": "p", "item": "i", "scale": "E"}
    assert _expected(model, condition="off", **tags) == pytest.approx(3.0)
    assert _expected(model, condition="self", **tags) > 3.5


def test_prompt_text_means_nothing_and_tags_mean_everything() -> None:
    model = StatisticalModel({"p": {"E": 1.0}, "q": {"E": 1.0}})
    tags = {"persona": "p", "item": "i", "scale": "E"}
    assert _expected(model, "some text", **tags) == _expected(model, "another text", **tags)
    assert _expected(model, **tags) != _expected(model, **{**tags, "item": "j"})
    assert _expected(model, **tags) != _expected(model, **{**tags, "persona": "q"})
    assert _expected(model, **tags) != _expected(StatisticalModel({"p": {"E": 1.0}}, seed=1), **tags)


def test_option_order_shown_does_not_matter_when_it_is_told() -> None:
    model = StatisticalModel({"p": {"E": 1.5}})
    tags = {"persona": "p", "item": "i", "scale": "E"}
    up = asyncio.run(model.score_options([ScoreRequest(QUESTION, LIKERT, tags=tags)]))[0].logprobs
    down = [
        asyncio.run(model.score_options([ScoreRequest(QUESTION, LIKERT[::-1], tags={**tags, **how})]))[0].logprobs
        for how in ({"order": "descending"}, {"values": "5,4,3,2,1"})
    ]
    assert down == [up[::-1], up[::-1]]
    with pytest.raises(InputError, match="values"):
        _expected(model, values="1,2", **tags)


def test_an_actor_goes_before_a_persona_and_a_control_is_average() -> None:
    model = StatisticalModel({"twin": {"E": 2.0}, "p": {"E": -2.0}}, planted=Planted(noise=0.0))
    assert _expected(model, actor="twin", persona="p", item="i", scale="E") > 3
    assert _expected(model, actor="stranger", persona="p", item="i", scale="E") < 3
    assert _expected(model, actor="control", condition="empty_system", item="i", scale="E") == pytest.approx(3.0)
    assert _expected(model, persona="new", z="2", item="i", scale="E") > 3


def test_emotional_stability_is_neuroticism_reversed() -> None:
    model = StatisticalModel({"p": {"neuroticism": 2.0}}, planted=Planted(noise=0.0))
    assert _expected(model, persona="p", item="i", scale="N") > 3
    assert _expected(model, persona="p", item="i", scale="ES") < 3


def test_a_persona_nobody_taught_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"'p-1'.*learn"):
        _expected(StatisticalModel(), persona="p-1", item="i", scale="E")
    with pytest.raises(InputError, match="expected a number"):
        _expected(StatisticalModel(), persona="p-1", z="tall")
    with pytest.raises(InputError, match="finite"):
        StatisticalModel({"p": {"E": math.nan}})


def test_learning_reaches_through_wrappers_and_leaves_other_models_alone(tmp_path) -> None:
    from personae.models import CallLog

    with CallLog(tmp_path / "calls.sqlite") as log:
        model = open_model("fake:statistical", log=log)
        assert isinstance(model, RecordedModel)
        assert learn(model, "p", {"extraversion": 1.0})
        tags = {"persona": "p", "item": "i", "scale": "E", "unit": "u"}
        asyncio.run(model.score_options([ScoreRequest(QUESTION, LIKERT, tags=tags)]))
    assert not learn(ScriptedModel(), "p", {"extraversion": 1.0})


def test_a_persona_is_taught_by_its_own_scores() -> None:
    ada = Persona.model_validate({"names": {"full": "Ada"}, "personal": {"big_five": {"extraversion": 70}}})
    model = StatisticalModel(planted=Planted(noise=0.0))
    assert teach(model, ada)
    assert not teach(ScriptedModel(), ada)
    same = StatisticalModel({ada.id: {"E": 2.0}}, planted=Planted(noise=0.0))
    for scale in ("E", "C"):
        tags = {"persona": ada.id, "item": "i", "scale": scale}
        assert _expected(model, **tags) == pytest.approx(_expected(same, **tags))


def test_a_baseline_without_item_is_neutral() -> None:
    model = StatisticalModel()
    assert _expected(model, persona="", actor="", item="", scale="", key="") == pytest.approx(3.0)


def test_single_and_bulk_answers_follow_the_same_distribution() -> None:
    people = 400
    z = np.random.default_rng(1).standard_normal(people)
    model = StatisticalModel({f"p{k}": {"E": float(v)} for k, v in enumerate(z)}, {"i": ("E", 0.7)})
    requests = [ScoreRequest(QUESTION, LIKERT, tags={"persona": f"p{k}", "item": "i"}) for k in range(people)]
    scores = asyncio.run(model.score_options(requests))
    single = np.exp([s.logprobs for s in scores]) @ np.arange(1, 6)
    bulk = simulate_answers(np.random.default_rng(2), z[:, None], np.array([[0.7]]), expected=True, noise=0.5)[:, 0]
    assert single.mean() == pytest.approx(bulk.mean(), abs=0.15)
    assert single.std() == pytest.approx(bulk.std(), abs=0.12)
    assert np.corrcoef(single, z)[0, 1] == pytest.approx(np.corrcoef(bulk, z)[0, 1], abs=0.08)


def test_drawn_answers_have_the_expected_mean() -> None:
    z = np.zeros((20000, 1)) + 0.8
    loadings = np.array([[0.9], [-0.9]])
    drawn = simulate_answers(np.random.default_rng(3), z, loadings, noise=0.0)
    expected = simulate_answers(np.random.default_rng(3), z[:1], loadings, noise=0.0, expected=True)[0]
    assert set(np.unique(drawn)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert drawn.mean(axis=0) == pytest.approx(expected, abs=0.04)


def test_worlds_are_leading_axes_and_null_worlds_are_null() -> None:
    rng = np.random.default_rng(4)
    z = rng.standard_normal((200, 24, 5))
    loadings = np.kron(np.eye(5), np.full((4, 1), 0.7))  # 20 items, four per domain
    for effect, low, high in ((0.0, -0.05, 0.05), (1.0, 0.6, 1.0)):
        answers = simulate_answers(rng, z, loadings, effect=effect, expected=True)
        assert answers.shape == (200, 24, 20)
        scale = answers[..., :4].mean(axis=-1)
        r = [np.corrcoef(scale[w], z[w, :, 0])[0, 1] for w in range(200)]
        assert low < float(np.mean(r)) < high


def test_planted_echo_is_found_in_lines_and_in_bulk() -> None:
    model = StatisticalModel(planted=Planted(echo={"concat": 0.6}, words=40))
    partner = " ".join(f"word{k}" for k in range(40))

    def share(condition: str) -> float:
        request = GenerateRequest((Message("user", partner),), seed=5, n=20, tags={"condition": condition, "unit": "u"})
        lines = asyncio.run(model.generate(request)).completions
        return float(np.mean([w in partner.split() for c in lines for w in c.text.split()]))

    assert share("ecp") == 0.0
    assert share("concat") == pytest.approx(0.6, abs=0.06)
    for echo in (0.0, 0.5):
        dialogues = simulate_dialogues(np.random.default_rng(6), 50, 6, echo=echo)
        same = [
            a == b
            for lines in dialogues
            for one, two in pairwise(lines)
            for a, b in zip(one.split(), two.split(), strict=True)
        ]
        assert float(np.mean(same)) == pytest.approx(echo, abs=0.04)


def test_lines_are_a_function_of_seed_and_tags() -> None:
    model = StatisticalModel()

    def line(seed: int, **tags: str) -> str:
        return asyncio.run(model.generate(GenerateRequest(QUESTION, seed=seed, tags=tags))).text

    assert line(1, unit="a") == line(1, unit="a")
    assert line(1, unit="a") != line(2, unit="a")
    assert line(1, unit="a") != line(1, unit="b")
