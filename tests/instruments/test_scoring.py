import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, Norms, ScaleNorm, UnknownKeyError
from personae.instruments import (
    answers_of,
    item_matrix,
    load_instrument,
    parse_instrument,
    reliability,
    score_responses,
    t_scores,
)
from personae.statistics import cronbach_alpha

IPIP = load_instrument("ipip50")
IDS = [i.id for i in IPIP.items]


def answers(value):
    return dict.fromkeys(IDS, value)


def test_reversed_items_are_turned_round():
    scores = score_responses(IPIP, {i.id: 5 if i.key == 1 else 1 for i in IPIP.items})
    assert {s.value for s in scores.values()} == {5.0}
    assert scores["E"].name == "extraversion"
    assert scores["E"].answered == scores["E"].items == 10


def test_saying_yes_to_everything_is_no_trait():
    # Extraversion has five items each way; agreeing with all of them cancels out.
    assert score_responses(IPIP, answers(5))["E"].value == 3.0
    assert score_responses(IPIP, answers(5))["N"].value == pytest.approx((8 * 5 + 2 * 1) / 10)


@given(st.dictionaries(st.sampled_from(IDS), st.floats(1, 5), min_size=1))
@settings(max_examples=60, deadline=None)
def test_scores_stay_on_the_scale_and_mirror(given_answers):
    mirrored = {k: 6 - v for k, v in given_answers.items()}
    for code, score in score_responses(IPIP, given_answers, min_answered=0.01).items():
        other = score_responses(IPIP, mirrored, min_answered=0.01)[code]
        assert (score.value is None) == (score.answered == 0)
        if score.value is not None:
            assert 1 <= score.value <= 5
            assert score.value + other.value == pytest.approx(6)
        else:
            assert score.reason


def test_missing_answers():
    some = answers(4)
    for item in ("E1", "E3"):
        some[item] = None
    scores = score_responses(IPIP, some)
    assert scores["E"].answered == 8
    assert scores["E"].value == pytest.approx((3 * 4 + 5 * 2) / 8)
    del some["E5"]
    scores = score_responses(IPIP, some)
    assert scores["E"].value is None
    assert scores["E"].reason == "7 of 10 items answered, fewer than the share 0.8"
    assert scores["A"].value is not None


def test_nothing_answered_is_none_and_never_zero():
    for score in score_responses(IPIP, {}).values():
        assert score.value is None
        assert score.reason


@pytest.mark.parametrize("value", [0, 6, math.nan, math.inf])
def test_values_off_the_scale_are_refused(value):
    with pytest.raises(InputError, match="expected 1 to 5"):
        score_responses(IPIP, {"E1": value})


def test_unknown_items_are_refused():
    with pytest.raises(UnknownKeyError, match="'E99'"):
        score_responses(IPIP, {"E99": 3})


@pytest.mark.parametrize("share", [0, -1, 1.1])
def test_a_share_is_a_share(share):
    with pytest.raises(InputError, match="min_answered"):
        score_responses(IPIP, {}, min_answered=share)


def test_t_scores():
    scores = score_responses(IPIP, {**answers(3), "O1": None, "O3": None, "O5": None})
    t = t_scores(IPIP, scores)
    assert t["E"] == pytest.approx(50 + 10 * (3 - 3.0113) / 0.9229)
    assert t["O"] is None
    mine = Norms(sample="mine", source="me", scales={"E": ScaleNorm(mean=3, sd=1, n=9)})
    assert t_scores(IPIP, scores, mine)["E"] == 50
    assert t_scores(IPIP, scores, mine)["A"] is None
    assert t_scores(IPIP, scores, IPIP.norms[0].sample) == t


def test_norms_that_are_not_there():
    with pytest.raises(InputError, match="has no norms for 'nobody'"):
        t_scores(IPIP, {}, "nobody")
    with pytest.raises(InputError, match="has no norms"):
        t_scores(IPIP.model_copy(update={"norms": ()}), {})


def people(n, loading=0.8, seed=5):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        z = {s: rng.standard_normal() for s in IPIP.scales}
        out.append(
            {
                i.id: float(np.clip(3 + i.key * loading * z[i.scale] + 0.6 * rng.standard_normal(), 1, 5))
                for i in IPIP.items
            }
        )
    return out


def test_reliability_matches_its_formula_and_finds_a_common_factor():
    respondents = people(120)
    found = reliability(IPIP, respondents)
    for code, scale in found.items():
        matrix = item_matrix(IPIP, code, respondents)
        assert matrix.shape == (120, 10)
        assert scale.alpha.value == pytest.approx(cronbach_alpha(matrix).value)
        assert scale.alpha.interval.low < scale.alpha.value < scale.alpha.interval.high
        assert 0.9 < scale.alpha.value < 0.98
        assert scale.omega.value == pytest.approx(scale.alpha.value, abs=0.02)
        assert not scale.omega.interval.known
        assert "rng" in scale.omega.interval.reason


def test_a_seed_draws_the_interval_of_omega():
    items = [i.model_dump() for i in IPIP.items if i.id in {"E1", "E3", "E5", "E7"}]
    short = parse_instrument({**IPIP.model_dump(mode="json"), "items": items, "scales": {"E": "e"}, "norms": []})
    respondents = [{i["id"]: a[i["id"]] for i in items} for a in people(40)]
    (one,), (other,) = (reliability(short, respondents, seed=1).values() for _ in range(2))
    assert one.omega.interval.low < one.omega.value < one.omega.interval.high
    assert one.omega.interval == other.omega.interval


def test_keying_matters_for_reliability():
    unkeyed = IPIP.model_copy(update={"items": tuple(i.model_copy(update={"key": 1}) for i in IPIP.items)})
    assert reliability(unkeyed, people(100))["E"].alpha.value < 0.3


def test_people_with_gaps_are_left_out_and_counted():
    respondents = people(50)
    respondents[0]["E1"] = None
    del respondents[1]["E2"]
    found = reliability(IPIP, respondents)
    assert (found["E"].alpha.n, found["E"].alpha.missing) == (48, 2)
    assert found["A"].alpha.n == 50


def test_reliability_that_cannot_be_computed_says_why():
    for scale in reliability(IPIP, [answers(3)] * 5).values():
        assert math.isnan(scale.alpha.value)
        assert scale.alpha.reason
        assert math.isnan(scale.omega.value)
    for scale in reliability(IPIP, []).values():
        assert math.isnan(scale.alpha.value)
        assert scale.alpha.reason
    single = parse_instrument(
        {
            **IPIP.model_dump(mode="json"),
            "items": [{"id": "E1", "text": "I talk.", "scale": "E"}],
            "scales": {"E": "extraversion"},
            "norms": [],
        }
    )
    only = reliability(single, [{"E1": 1}, {"E1": 2}, {"E1": 5}])["E"]
    assert only.alpha is None
    assert only.omega is None
    assert only.items == 1


def test_rows_of_two_actors_are_not_mixed(make_actor, make_model):
    import asyncio

    from personae.instruments import administer

    actor = make_actor(make_model(), persona=False, system="")
    rows = asyncio.run(administer(actor, IPIP, items=["E1", "A1"]))
    assert set(answers_of(rows, accept=("ok", "zero_variance"))) == {"E1", "A1"}
    with pytest.raises(InputError, match="answered twice"):
        answers_of([*rows, *rows])
