"""Probes: closed questions about oneself on forks; the conversation never knows."""

from __future__ import annotations

import asyncio
import math

import pytest

from personae.conditioning import ExternalActor, Prompt, embody
from personae.core import (
    BigFive,
    CapabilityError,
    Context,
    Conversation,
    InputError,
    Names,
    Persona,
    Personal,
    Social,
    TurnRow,
)
from personae.models import Capability, OptionScores, ScriptedModel, Usage
from personae.simulation import Dialogue, converse, probe, probe_items
from personae.simulation._dialogue import probe_moments
from personae.simulation._probes import _shares


def someone(name: str, job: str | None = None, home: str | None = None, openness: float | None = None) -> Persona:
    traits = {} if openness is None else {"openness": openness}
    big_five = (
        BigFive(conscientiousness=50, extraversion=50, agreeableness=50, neuroticism=50, **traits) if traits else None
    )
    return Persona(
        names=Names(full=name),
        social=Social(occupation=job, residence=home),
        personal=Personal(big_five=big_five),
        context=Context(),
    )


ANA = someone("Ana Reis", "nurse", "Lisbon", openness=65)
POOL = [
    ANA,
    *(
        someone(f"P{k}", job, home)
        for k, (job, home) in enumerate([("baker", "Porto"), ("miller", "Braga"), ("smith", "Faro"), ("tutor", "Beja")])
    ),
]


class Asked(ScriptedModel):
    """Remembers the requests it was sent."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.generated, self.scored = [], []

    async def generate(self, request):
        self.generated.append(request)
        return await super().generate(request)

    async def score_options(self, requests):
        self.scored += requests
        return await super().score_options(requests)


def log(*lines: str) -> Conversation:
    out = Conversation(key="talk", participants=("client", "responder"))
    for k, text in enumerate(lines):
        out = out.append("utterance", ("client", "responder")[k % 2], text)
    return out


def ask(conversation: Conversation, model, items, *, at: int, mode="ecp"):
    async def go():
        async with embody(ANA, Prompt(), model, name="client") as actor:
            return await probe(
                actor, conversation, items, mode=mode, moment="last", at=at, unit="u", persona_id=ANA.id, seed=1
            )

    return asyncio.run(go())


# Items -------------------------------------------------------------------------------------------------------------


def test_the_target_is_what_the_record_says_and_the_rest_is_what_others_would_say() -> None:
    items = {i.id: i for i in probe_items(ANA, POOL, seed=1)}
    assert set(items) == {"occupation", "residence", "openness"}
    job = items["occupation"]
    assert job.group == "facts"
    assert len(job.options) == 4
    assert job.options[job.target] == " nurse"
    assert {o.strip() for o in job.options} < {"nurse", "baker", "miller", "smith", "tutor"}
    openness = items["openness"]
    assert openness.group == "traits"
    assert len(openness.options) == 2
    assert openness.options[openness.target] != openness.options[1 - openness.target]


def test_items_are_the_same_at_every_moment_and_depend_on_seed_and_person_alone() -> None:
    assert probe_items(ANA, POOL, seed=1) == probe_items(ANA, POOL[::-1], seed=1)
    assert any(probe_items(ANA, POOL, seed=1) != probe_items(ANA, POOL, seed=s) for s in range(2, 6))


def test_the_true_option_stands_in_every_place_equally_often() -> None:
    places = [next(i for i in probe_items(ANA, POOL, seed=s) if i.id == "occupation").target for s in range(400)]
    assert all(70 <= places.count(k) <= 130 for k in range(4))


def test_a_field_left_open_or_shared_by_everybody_makes_no_item() -> None:
    alone = [someone("A", "nurse", "Lisbon"), someone("B", "nurse", None)]
    assert {i.id for i in probe_items(alone[0], alone, seed=1)} == set()
    assert {i.id for i in probe_items(alone[1], POOL, seed=1)} == {"occupation"}


def test_fewer_others_make_fewer_options() -> None:
    (item,) = probe_items(someone("A", "nurse"), [someone("B", "baker")], seed=1)
    assert len(item.options) == 2


@pytest.mark.parametrize(("score", "asked"), [(50, False), (56, False), (58, True), (42, True), (44, False)])
def test_a_trait_near_the_mean_has_no_true_pole(score: float, asked: bool) -> None:
    assert ("openness" in {i.id for i in probe_items(someone("A", openness=score), POOL, seed=1)}) is asked


def test_poles_of_high_and_low_are_opposite() -> None:
    high, low = (probe_items(someone("A", openness=t), POOL, seed=1)[0] for t in (70, 30))
    assert high.options[high.target] == low.options[1 - low.target]


# Asking ------------------------------------------------------------------------------------------------------------


def test_probing_leaves_the_parents_digest_unchanged_and_sees_nothing_later() -> None:
    conversation, model = log("I am tired.", "Since when?", "Since the night shifts.", "SECRET OF LATER"), Asked()
    digest = conversation.digest
    rows = ask(conversation, model, probe_items(ANA, POOL, seed=1), at=2)
    assert conversation.digest == digest
    assert len(rows) == len(model.scored) == 3
    for request in model.scored:
        text = "\n".join(m.content for m in request.messages)
        assert "Since when?" in text
        assert "SECRET" not in text
        assert "night shifts" not in text


def test_the_question_is_the_last_thing_said_to_the_actor_in_either_projection() -> None:
    conversation = log("I am tired.", "Since when?", "A week.")
    for at in (1, 2, 3):
        for mode in ("ecp", "concat"):
            model = Asked()
            ask(conversation, model, probe_items(ANA, POOL, seed=1), at=at, mode=mode)
            last = model.scored[0].messages[-1]
            assert last.role == "user"
            assert last.content.endswith("What do you do for a living?")
            assert model.scored[0].messages[0].content.startswith("You are Ana Reis.")


def test_rows_say_what_was_asked_when_and_of_whom() -> None:
    rows = ask(
        log("Hi.", "Hello."),
        ScriptedModel(None, lambda r: [-1.0] * len(r.options)),
        probe_items(ANA, POOL, seed=1),
        at=1,
    )
    for row in rows:
        assert (row.unit, row.conversation, row.persona_id, row.at, row.moment) == ("u", "talk", ANA.id, 1, "last")
        assert math.fsum(row.probabilities) == pytest.approx(1)
        assert 0 <= row.target < len(row.probabilities)
        assert row.model == "fake:scripted"


def test_probabilities_do_not_punish_long_options() -> None:
    def scores(*logprobs: float) -> OptionScores:
        return OptionScores(logprobs, (1, 3), approximate=False, method="x", usage=Usage())

    even = _shares(scores(-2.0, -6.0), "q1")
    assert even == pytest.approx((0.5, 0.5))
    likely = _shares(scores(-1.0, -6.0), "q1")
    assert likely[0] > 0.7


def test_no_items_ask_nothing() -> None:
    model = Asked()
    assert ask(log("Hi."), model, (), at=1) == []
    assert model.scored == []


def test_a_place_beyond_the_log_is_refused() -> None:
    with pytest.raises(InputError, match="at=9"):
        ask(log("Hi."), ScriptedModel(), probe_items(ANA, POOL, seed=1), at=9)


def test_a_model_that_cannot_score_and_a_person_at_a_keyboard_are_told_apart_from_models_that_can() -> None:
    class Mute(ScriptedModel):
        capabilities = frozenset({Capability.GENERATE})

    with pytest.raises(CapabilityError, match="fake:scripted"):
        ask(log("Hi."), Mute(), probe_items(ANA, POOL, seed=1), at=1)
    human = ExternalActor("client", lambda messages: "hello")
    with pytest.raises(CapabilityError):
        asyncio.run(probe(human, log("Hi."), (), mode="ecp", moment="first", at=1, unit="u", persona_id="p", seed=1))


# Law: fork and probe -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ecp", "concat"])
def test_what_was_said_is_the_same_with_probes_and_without(mode) -> None:
    def talk(probes: bool):
        dialogue = Dialogue(utterances=8, probes=probes)
        return asyncio.run(converse(dialogue, ANA, ScriptedModel(), mode=mode, unit="u", seed=5, pool=POOL))

    kept = [[r for r in talk(probes) if r.table != "probes"] for probes in (True, False)]
    assert kept[0] == kept[1]
    assert sum(isinstance(r, TurnRow) for r in kept[0]) >= 2


def test_the_same_questions_are_asked_at_first_middle_and_last() -> None:
    rows = asyncio.run(converse(Dialogue(utterances=8), ANA, ScriptedModel(), mode="ecp", unit="u", seed=5, pool=POOL))
    asked = {}
    for row in rows:
        if row.table == "probes":
            asked.setdefault(row.moment, []).append((row.item, row.target, len(row.probabilities)))
    assert asked["first"] == asked["last"]
    assert set(asked) <= {"first", "middle", "last"}


@pytest.mark.parametrize(
    ("after", "moments"),
    [
        ([], {}),
        ([1], {"first": 1}),
        ([1, 3], {"first": 1, "last": 3}),
        ([1, 3, 5], {"first": 1, "middle": 3, "last": 5}),
        ([1, 3, 5, 7], {"first": 1, "middle": 5, "last": 7}),
    ],
)
def test_no_two_moments_share_a_place(after: list[int], moments: dict[str, int]) -> None:
    assert probe_moments(after) == moments
