"""Response styles of the statistical model: each is found where it is planted, and nowhere else.

Bands are four standard errors wide (z = 4: one false alarm in 16,000 per band) unless a test says otherwise.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.models import (
    Completion,
    GenerateRequest,
    Message,
    Planted,
    ScoreRequest,
    StatisticalModel,
    answer_probabilities,
    simulate_answers,
)

ASKED = (Message("user", "Q"),)
LIKERT = ("very inaccurate", "inaccurate", "neither", "accurate", "very accurate")
UP, DOWN = {}, {"shown": "4,3,2,1,0"}
STYLES = {
    "effect": 0.4, "noise": 1.1, "echo": 0.5, "position": 0.9, "acquiescence": -0.6, "acquiescence_sd": 0.7,
    "refusal": 0.4,
}  # fmt: skip


def _people(n: int, seed: int = 1) -> dict[str, dict[str, float]]:
    z = np.random.default_rng(seed).standard_normal(n)
    return {f"p{k}": {"E": float(v)} for k, v in enumerate(z)}


def _logprobs(model: StatisticalModel, tags: Sequence[dict[str, str]], options: tuple[str, ...] = LIKERT) -> np.ndarray:
    """Shape (requests, options)."""
    requests = [ScoreRequest(ASKED, options, tags=t) for t in tags]
    return np.array([s.logprobs for s in asyncio.run(model.score_options(requests))])


def _replies(
    model: StatisticalModel, tags: Sequence[dict[str, str]], options: Sequence[str] = LIKERT, seed: int = 0
) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        said = [{"options": json.dumps(options), **t} for t in tags]
        return [(await model.generate(GenerateRequest(ASKED, seed=seed, tags=t))).completions[0] for t in said]

    return asyncio.run(all_of_them())


def _asked(people: int, items: int, **more: str) -> list[dict[str, str]]:
    """Every person meets every item; keys alternate, so that an even number of items is balanced."""
    return [
        {"persona": f"p{k}", "item": f"i{i}", "scale": "E", "key": "1" if i % 2 == 0 else "-1", **more}
        for k in range(people)
        for i in range(items)
    ]


def _expected(logprobs: np.ndarray) -> np.ndarray:
    return np.exp(logprobs) @ np.arange(1.0, logprobs.shape[-1] + 1)


# The defaults: nothing of this is there


def test_without_styles_answers_are_what_they_always_were() -> None:
    model = StatisticalModel({"p": {"E": 1.1}})
    tags = {"persona": "p", "item": "i", "scale": "E", "condition": "self", "unit": "u"}
    recorded = [-3.591139864340122, -2.2371227421358215, -1.1240480137836462, -1.0114058780468802, -1.7316118463914894]
    assert _logprobs(model, [tags])[0].tolist() == pytest.approx(recorded, rel=1e-12)
    line = asyncio.run(model.generate(GenerateRequest(ASKED, seed=1, tags=tags)))
    assert line.text == "novlis cordo giltun selnor homvin selpi fenpi lumdo mirdo mirby homby selvin"
    assert line.finish_reason == "stop"
    z, loadings = np.array([[1.0], [-1.0]]), np.array([[0.7], [-0.7], [0.7]])
    drawn = simulate_answers(np.random.default_rng(1), z, loadings)
    assert drawn.tolist() == [[5, 2, 4], [1, 5, 3]]
    expected = simulate_answers(np.random.default_rng(1), z, loadings, expected=True)
    recorded = [[3.8036886, 2.72826176, 3.79705739], [1.80207295, 4.04088407, 2.55370079]]
    assert expected == pytest.approx(np.array(recorded), abs=1e-8)


def test_the_order_shown_says_nothing_without_a_position_bias() -> None:
    model = StatisticalModel(_people(5))
    assert (_logprobs(model, _asked(5, 4, **UP)) == _logprobs(model, _asked(5, 4, **DOWN))).all()


# Position


@given(st.floats(-3, 3), st.floats(-2, 2))
@settings(max_examples=30, deadline=None)
def test_reversing_the_order_tells_position_from_trait(weight: float, z: float) -> None:
    """log p5/p1 is trait + w in one order and trait − w in the other: half the difference is w, the mean the trait."""
    model = StatisticalModel({"p": {"E": z}}, planted=Planted(position=weight))
    plain = _logprobs(StatisticalModel({"p": {"E": z}}), _asked_by("p"))[0]
    up, down = (_logprobs(model, _asked_by("p", **order))[0] for order in (UP, DOWN))
    ends = np.array([row[4] - row[0] for row in (up, down, plain)])
    assert (ends[0] - ends[1]) / 2 == pytest.approx(weight, abs=1e-9)
    assert (ends[0] + ends[1]) / 2 == pytest.approx(ends[2], abs=1e-9)
    for row in (up, down):
        assert np.exp(row).sum() == pytest.approx(1.0)
    # In between, nats grow evenly with the place.
    assert up - plain - (up - plain)[0] == pytest.approx(weight * np.arange(5) / 4, abs=1e-9)


def _asked_by(who: str, **more: str) -> list[dict[str, str]]:
    return [{"persona": who, "item": "i", "scale": "E", **more}]


def test_position_needs_no_order_of_meaning() -> None:
    """Three brands, without order: listed here as ranked 2, 3, 1 and shown last, first, middle."""
    brands, tags = ("B", "C", "A"), _asked_by("p", values="2,3,1", shown="2,0,1")
    plain, biased = (
        _logprobs(StatisticalModel({"p": {"E": 0.3}}, planted=Planted(position=w)), tags, brands)[0] for w in (0.0, 1.2)
    )
    gain = biased - plain
    assert gain - gain[1] == pytest.approx([1.2, 0.0, 0.6], abs=1e-12)
    # Listed in the order shown, no tag is needed, and the same brand has the same share.
    other = _logprobs(
        StatisticalModel({"p": {"E": 0.3}}, planted=Planted(position=1.2)),
        _asked_by("p", values="3,1,2"),
        ("C", "A", "B"),
    )[0]
    assert other[[2, 0, 1]] == pytest.approx(biased, abs=1e-12)


@pytest.mark.parametrize("weight", [0.0, 1.0, -1.0])
def test_position_is_recovered_from_generated_choices(weight: float) -> None:
    """Two equal options, n = 2000 (seed 0): the second is said with probability logistic(w); se .011 at most."""
    n = 2000
    model = StatisticalModel(_people(n), planted=Planted(effect=0.0, noise=0.0, position=weight))
    for shown, second in (("0,1", "B"), ("1,0", "A")):
        said = _replies(model, [{**t, "shown": shown} for t in _asked(n, 1)], ("A", "B"))
        share = float(np.mean([c.text == second for c in said]))
        assert share == pytest.approx(1 / (1 + math.exp(-weight)), abs=4 * 0.5 / math.sqrt(n))


def test_no_weight_and_no_trait_is_too_large_to_compute() -> None:
    model = StatisticalModel({"p": {"E": 60.0}}, planted=Planted(position=-1e6))
    row = _logprobs(model, _asked_by("p"))[0]
    assert np.isfinite(row).all()
    assert row[0] == pytest.approx(0.0)


# Acquiescence


@pytest.mark.parametrize("shift", [0.0, 0.5, -0.5])
def test_acquiescence_is_told_from_trait_by_balanced_keys(shift: float) -> None:
    """n = 300 people x 10 items, half reversed (seed 0). Raw means show the shift, keyed ones the trait alone."""
    n, items = 300, 10
    people = _people(n)
    model = StatisticalModel(people, planted=Planted(acquiescence=shift))
    raw = _expected(_logprobs(model, _asked(n, items))).reshape(n, items)
    # What the formula gives on average, over trait and noise: the latent value is normal around the shift.
    z = np.random.default_rng(5).standard_normal((200_000, 1))
    latent = shift + np.hypot(0.7, 0.5) * z[:, 0]
    predicted = float((answer_probabilities(latent, 5) @ np.arange(1.0, 6)).mean())
    person = raw.mean(axis=1)  # trait cancels over balanced keys
    assert person.mean() == pytest.approx(predicted, abs=4 * float(person.std()) / math.sqrt(n))
    assert abs(predicted - 3) == pytest.approx(0 if shift == 0 else 0.41, abs=0.03)
    key = np.tile([1, -1], items // 2)
    keyed = ((raw - 3) * key).mean(axis=1)
    scores = [p["E"] for p in people.values()]
    assert np.corrcoef(keyed, scores)[0, 1] > 0.9
    assert keyed.mean() == pytest.approx(np.polyfit(scores, keyed, 1)[0] * np.mean(scores), abs=0.06)
    assert abs(np.corrcoef(person, scores)[0, 1]) < 4 / math.sqrt(n)


def test_people_differ_in_acquiescence_by_its_sd() -> None:
    """Two options, no trait, no noise: log-odds / slope is a person's shift itself. n = 400 (seed 0)."""
    n, mean, sd = 400, 0.3, 0.8
    planted = Planted(effect=0.0, noise=0.0, acquiescence=mean, acquiescence_sd=sd)
    rows = _logprobs(StatisticalModel(_people(n), planted=planted), _asked(n, 2), ("no", "yes"))
    shift = ((rows[:, 1] - rows[:, 0]) / 1.7).reshape(n, 2)
    assert shift[:, 0] == pytest.approx(shift[:, 1])  # one deviate a person, whatever item and key
    assert shift[:, 0].mean() == pytest.approx(mean, abs=4 * sd / math.sqrt(n))
    assert shift[:, 0].std(ddof=1) == pytest.approx(sd, rel=4 / math.sqrt(2 * n))
    assert abs(np.corrcoef(shift[:, 0], [p["E"] for p in _people(n).values()])[0, 1]) < 4 / math.sqrt(n)
    # The same people acquiesce under another condition, here half as much.
    half = Planted(effect=0.0, noise=0.0, acquiescence_sd={"a": sd, "b": sd / 2})
    a, b = (
        _logprobs(StatisticalModel(_people(n), planted=half), _asked(n, 1, condition=c), ("no", "yes")) for c in "ab"
    )
    assert a[:, 1] - a[:, 0] == pytest.approx(2 * (b[:, 1] - b[:, 0]))


@pytest.mark.parametrize(("sd", "low", "high"), [(0.0, -0.23, 0.23), (0.8, 0.9, 0.98)])
def test_acquiescence_of_people_is_seen_in_balanced_halves(sd: float, low: float, high: float) -> None:
    """Raw means of two balanced halves correlate only through it. n = 300 (seed 0): se of a null r is .058.

    Predicted .94 in units of z: the trait cancels, and .8² stands against the noise of six items, .5² / 6.
    """
    n = 300
    model = StatisticalModel(_people(n), planted=Planted(acquiescence_sd=sd))
    raw = _expected(_logprobs(model, _asked(n, 12))).reshape(n, 12)
    r = np.corrcoef(raw[:, :6].mean(axis=1), raw[:, 6:].mean(axis=1))[0, 1]
    assert low < r < high


def test_an_empty_context_has_nothing_to_agree_with() -> None:
    planted = Planted(acquiescence=1.0, acquiescence_sd=1.0, noise=2.0)
    tags = [{"actor": "", "persona": "", "item": "", "condition": "self"}]
    assert _expected(_logprobs(StatisticalModel(planted=planted), tags))[0] == pytest.approx(3.0)
    # But options are shown there too.
    assert _expected(_logprobs(StatisticalModel(planted=Planted(position=1.0)), tags))[0] > 3.1


# Generated answers


def test_generated_answers_come_at_the_scored_probabilities() -> None:
    """1500 seeds of one question, options in no order of rank, all styles but refusal: within 4 se of each option."""
    n, options = 1500, ("neither", "very accurate", "inaccurate", "accurate", "very inaccurate")
    (tags,) = _asked_by("p", values="3,5,2,4,1", shown="1,0,4,3,2")
    model = StatisticalModel({"p": {"E": 1.0}}, planted=Planted(position=-0.8, acquiescence=0.3, acquiescence_sd=0.4))
    p = np.exp(_logprobs(model, [tags], options)[0])
    said = [_replies(model, [tags], options, seed=k)[0].text for k in range(n)]
    assert p.max() > 2 * p.min()
    for option, share in zip(options, p, strict=True):
        assert said.count(option) / n == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / n))


# Refusal


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_refusals_come_at_their_rate(rate: float) -> None:
    """n = 1500 answers (seed 0): se .0103 at .2."""
    n = 1500
    said = _replies(StatisticalModel(_people(n), planted=Planted(refusal=rate)), _asked(n, 1))
    refused = [c.finish_reason == "refused" for c in said]
    assert np.mean(refused) == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / n))
    assert {c.text in LIKERT for c, no in zip(said, refused, strict=True) if not no} <= {True}
    assert {c.text for c, no in zip(said, refused, strict=True) if no} <= {"I would rather not answer that."}


def test_who_refuses_depends_on_no_order_and_no_company() -> None:
    tags = _asked(40, 5)
    model = StatisticalModel(_people(40), planted=Planted(refusal=0.3))
    one_by_one = _replies(model, tags)
    assert {c.finish_reason for c in one_by_one} == {"stop", "refused"}
    assert _replies(model, tags[::-1])[::-1] == one_by_one
    assert _replies(StatisticalModel(_people(40), planted=Planted(refusal=0.3)), tags[100:]) == one_by_one[100:]

    async def together() -> list[Completion]:
        requests = [GenerateRequest(ASKED, tags={"options": json.dumps(LIKERT), **t}) for t in tags]
        return [g.completions[0] for g in await asyncio.gather(*map(model.generate, requests))]

    assert asyncio.run(together()) == one_by_one
    # A person refuses item by item.
    assert len({tuple(c.finish_reason for c in one_by_one[5 * k : 5 * k + 5]) for k in range(40)}) > 5
    # Another seed, of the model or of the request, is another draw.
    refused = [c.finish_reason for c in one_by_one]
    assert [c.finish_reason for c in _replies(model, tags, seed=1)] != refused
    other = StatisticalModel(_people(40), planted=Planted(refusal=0.3), seed=1)
    assert [c.finish_reason for c in _replies(other, tags)] != refused


def test_refusal_takes_answers_away_and_changes_none() -> None:
    tags = _asked(60, 5)
    never, some, often = (
        _replies(StatisticalModel(_people(60), planted=Planted(refusal=rate)), tags) for rate in (0.0, 0.2, 0.6)
    )
    for fewer, more in ((never, some), (some, often)):
        kept = [(a, b) for a, b in zip(fewer, more, strict=True) if b.finish_reason != "refused"]
        assert 0 < len(kept) < sum(c.finish_reason != "refused" for c in fewer)
        assert all(a == b for a, b in kept)


def test_lines_and_schema_values_can_be_refused_and_scores_cannot() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    model = StatisticalModel(_people(1), planted=Planted(refusal=1.0))
    for request in (GenerateRequest(ASKED, n=3), GenerateRequest(ASKED, n=3, json_schema=schema)):
        done = asyncio.run(model.generate(request))
        assert [c.finish_reason for c in done.completions] == ["refused"] * 3
    assert (_logprobs(model, _asked(1, 4)) == _logprobs(StatisticalModel(_people(1)), _asked(1, 4))).all()
    half = StatisticalModel(planted=Planted(refusal=0.5))
    many = asyncio.run(half.generate(GenerateRequest(ASKED, n=50))).completions
    assert 10 < sum(c.finish_reason == "refused" for c in many) < 40  # each completion on its own


# Noise


@pytest.mark.parametrize("sd", [0.0, 0.6])
def test_noise_is_recovered_per_condition(sd: float) -> None:
    """Two options, no trait: log-odds / slope is the deviate. n = 500 (seed 0)."""
    n = 500
    model = StatisticalModel(_people(n), planted=Planted(effect=0.0, noise={"on": sd}))
    for condition, planted in (("on", sd), ("off", 0.5)):
        rows = _logprobs(model, _asked(n, 1, condition=condition), ("no", "yes"))
        assert np.std((rows[:, 1] - rows[:, 0]) / 1.7) == pytest.approx(planted, rel=4 / math.sqrt(2 * n), abs=1e-12)


# Conditions


def _everything(planted: Planted, condition: str) -> dict[str, object]:
    """What a model scores, answers and says under one condition."""
    model = StatisticalModel(_people(6), planted=planted)
    tags = _asked(6, 4, condition=condition)
    talk = (Message("user", "one two three four five six"),)
    line = asyncio.run(model.generate(GenerateRequest(talk, n=6, tags={"condition": condition})))
    return {
        "scores": _logprobs(model, tags).tolist(),
        "answers": _replies(model, tags),
        "lines": [c.text for c in line.completions],
    }


@pytest.mark.parametrize("name", STYLES)
def test_a_mapping_reaches_the_named_condition_only(name: str) -> None:
    mapped, single = Planted(**{name: {"on": STYLES[name]}}), Planted(**{name: STYLES[name]})
    assert _everything(mapped, "off") == _everything(Planted(), "off")
    assert _everything(mapped, "") == _everything(Planted(), "")
    assert _everything(mapped, "on") == _everything(single, "on") != _everything(Planted(), "on")
    # Zero (for effect and noise, another number than the default) can be said for one condition too.
    assert Planted(**{name: {"on": 0.0}}).under("on", name) == 0.0


def test_a_mapping_is_copied() -> None:
    rates = {"on": 0.5}
    planted = Planted(refusal=rates)
    rates["on"] = 7.0
    assert planted.under("on", "refusal") == 0.5


def test_everything_planted_is_in_the_fingerprint() -> None:
    kinds = [Planted(), Planted(slope=1.0), Planted(words=3)]
    kinds += [Planted(**{name: value}) for name, value in STYLES.items()]
    kinds += [Planted(**{name: {"on": value}}) for name, value in STYLES.items()]
    assert len({StatisticalModel(planted=p).fingerprint["planted"] for p in kinds}) == len(kinds) == 17


# Model and simulator


@pytest.mark.parametrize("order", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("style", [{}, {"position": 0.8}, {"acquiescence": 0.6}, {"position": -0.8, "effect": 0.5}])
def test_without_deviates_simulator_and_model_are_equal(style: dict[str, float], order: dict[str, str]) -> None:
    n = 50
    people = _people(n)
    model = StatisticalModel(people, planted=Planted(noise=0.0, **style))
    single = _expected(_logprobs(model, _asked(n, 2, **order))).reshape(n, 2)
    z = np.array([[p["E"]] for p in people.values()])
    shown = None if order is UP else np.arange(5)[::-1]
    bulk = simulate_answers(
        np.random.default_rng(0), z, np.array([[0.7], [-0.7]]), noise=0.0, shown=shown, expected=True, **style
    )
    assert single == pytest.approx(bulk, abs=1e-12)


def test_with_all_deviates_simulator_and_model_agree() -> None:
    """Drawn answers of n = 1500 people to two items (model seed 0, simulator seed 2), differences within 4 se."""
    n = 1500
    people = _people(n)
    style = {"noise": 0.6, "position": 0.7, "acquiescence": 0.3, "acquiescence_sd": 0.6, "refusal": 0.15}
    model = StatisticalModel(people, planted=Planted(**style))
    said = _replies(model, _asked(n, 2, **DOWN))
    single = np.array([np.nan if c.finish_reason == "refused" else LIKERT.index(c.text) + 1 for c in said])
    single = single.reshape(n, 2)
    z = np.array([[p["E"]] for p in people.values()])
    loadings = np.array([[0.7], [-0.7]])
    bulk = simulate_answers(np.random.default_rng(2), z, loadings, shown=np.arange(5)[::-1], **style)
    assert np.isnan(bulk).mean() == pytest.approx(np.isnan(single).mean(), abs=4 * math.sqrt(0.15 * 0.85 / n))
    both = ~np.isnan(single).any(axis=1) & ~np.isnan(bulk).any(axis=1)
    assert both.sum() > 700
    se = 4 * math.sqrt(2) / math.sqrt(both.sum())
    for k in range(2):
        assert np.nanmean(single[:, k]) == pytest.approx(np.nanmean(bulk[:, k]), abs=se * np.nanstd(bulk[:, k]))
        for value in range(1, 6):
            assert np.mean(single[both, k] == value) == pytest.approx(np.mean(bulk[both, k] == value), abs=se * 0.5)
    # Keys are opposite and people acquiesce: what items share is trait (negative) plus style (positive).
    r = [np.corrcoef(table[both].T)[0, 1] for table in (single, bulk)]
    assert r[0] == pytest.approx(r[1], abs=se)


def test_a_world_with_one_style_differs_in_nothing_else() -> None:
    z, loadings = np.random.default_rng(3).standard_normal((40, 25, 1)), np.array([[0.7], [-0.7], [0.7], [-0.7]])

    def world(**style: float) -> np.ndarray:
        return simulate_answers(np.random.default_rng(4), z, loadings, **style)

    plain, refused = world(), world(refusal=0.25)
    kept = ~np.isnan(refused)
    assert (refused[kept] == plain[kept]).all()
    assert 1 - kept.mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / kept.size))
    assert (world(acquiescence=0.5) >= plain).all()
    assert (world(position=0.5) >= plain).all()
    assert world(acquiescence=0.5).mean() > plain.mean() + 0.2
    assert world(position=0.5).mean() > plain.mean() + 0.05
    moved = world(acquiescence_sd=1.0) - plain
    assert (moved > 0).any()
    assert (moved < 0).any()
    # Nobody moves both ways.
    assert not ((moved > 0).any(axis=-1) & (moved < 0).any(axis=-1)).any()
    quiet = simulate_answers(np.random.default_rng(4), z, loadings, refusal=0.9, expected=True)
    assert not np.isnan(quiet).any()


def test_items_may_be_shown_in_orders_of_their_own() -> None:
    z, loadings = np.zeros((3, 1)), np.array([[0.7], [0.7]])
    shown = np.array([[0, 1, 2], [2, 1, 0]])
    world = simulate_answers(
        np.random.default_rng(0), z, loadings, options=3, noise=0.0, position=1.0, shown=shown, expected=True
    )
    assert (world[:, 0] > 2).all()
    assert world[:, 0] - 2 == pytest.approx(2 - world[:, 1])


# Bad values

BAD = [
    *((name, value) for name in STYLES for value in (math.nan, math.inf, "high", True, None)),
    *((name, -0.1) for name in ("noise", "acquiescence_sd", "refusal", "echo", "slope")),
    *((name, 1.01) for name in ("refusal", "echo")),
    ("slope", math.nan),
    ("words", math.inf),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values_say_what_was_given_and_what_to_do(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"planted {name} is {value!r}\. Pass a .*number"):
        Planted(**{name: value})
    if name in STYLES:
        with pytest.raises(InputError, match=rf"planted {name} is {value!r} under condition 'twin'\. Pass a .*number"):
            Planted(**{name: {"self": STYLES[name], "twin": value}})
    if name not in {"echo", "words"}:
        with pytest.raises(InputError, match=rf"planted {name} is {value!r}"):
            simulate_answers(np.random.default_rng(0), np.zeros((2, 1)), np.ones((2, 1)), **{name: value})


def test_what_is_the_same_everywhere_takes_no_mapping() -> None:
    for name in ("slope", "words"):
        with pytest.raises(InputError, match=f"planted {name}"):
            Planted(**{name: {"self": 2}})


@pytest.mark.parametrize("shown", [[0, 1, 1, 2, 3], [1, 2, 3, 4, 5], [0, 1, 2], [[0, 1, 2, 3, 4]]])
def test_an_order_that_is_none_is_an_error(shown: list[int]) -> None:
    with pytest.raises(InputError, match="shown"):
        simulate_answers(np.random.default_rng(0), np.zeros((2, 1)), np.ones((3, 1)), shown=np.array(shown))
    tag = ",".join(map(str, shown)) if isinstance(shown[0], int) else "first,last"
    with pytest.raises(InputError, match=r"tag 'shown'.*places 0 to 4"):
        _logprobs(StatisticalModel(_people(1)), _asked(1, 1, shown=tag))


@pytest.mark.parametrize("options", ["a,b", "[]", '{"a": 1}', "[1, 2]"])
def test_options_that_cannot_be_read_are_an_error(options: str) -> None:
    with pytest.raises(InputError, match=r"tag 'options'.*JSON list of texts"):
        _replies(StatisticalModel(_people(1)), _asked(1, 1, options=options))
