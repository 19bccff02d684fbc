"""Undo law: entering and leaving any composition of conditions leaves the model's answers bit for bit as they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.conditioning import Composition, NoPersona, Prompt, compose, embody
from personae.core import Condition, Names, Persona, Social
from personae.models import (
    GenerateRequest,
    Message,
    Model,
    ModelWrapper,
    Sampling,
    ScoreRequest,
    ScriptedModel,
    open_model,
)

ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse"))
QUESTION = (Message("user", "Tea or coffee?"),)
PLAIN = ScoreRequest(QUESTION, (" tea", " coffee"))

prompts = st.builds(
    Prompt,
    view=st.sampled_from(["self", "public", "social", "traits"]),
    cue_style=st.sampled_from(["second_person", "first_person", "list", "narrative", "name_only"]),
    budget=st.sampled_from([None, 40, 400]),
    rules=st.sampled_from(["", "Be brief.", "Answer in one word."]),
)
controls = st.builds(NoPersona, control=st.sampled_from(["template_default", "empty_system"]))


class Louder(ModelWrapper):
    """A model whose likelihoods are shifted while a condition is on."""

    async def score_options(self, requests):
        return tuple(
            type(s)(tuple(v - 1.0 for v in s.logprobs), s.tokens, s.approximate, s.method, s.usage)
            for s in await self.inner.score_options(requests)
        )


class Shift:
    """A condition that touches the model, as adapters and steering do."""

    system_default = False

    def __init__(self, order: int, entered: list[int]) -> None:
        self.order, self.hash, self.entered = order, f"shift-{order}", entered

    def system(self, persona, count_tokens) -> None:
        return None

    @asynccontextmanager
    async def attach(self, model: Model) -> AsyncGenerator[Model]:
        self.entered.append(self.order)
        try:
            yield Louder(model)
        finally:
            self.entered.append(-self.order - 1)


async def logits(model: Model) -> tuple[float, ...]:
    return (await model.score_options([PLAIN]))[0].logprobs


async def round_trip(model: Model, conditions: list[Condition]) -> None:
    sampled = GenerateRequest(QUESTION, Sampling(temperature=0.7, max_tokens=12), 3)
    before = await logits(model), (await model.generate(sampled)).text
    async with embody(ANA, compose(*conditions), model) as actor:
        told = ScoreRequest((*actor.context(), *QUESTION), PLAIN.options, system_default=actor.system_default)
        await actor.model.score_options([told])
        await actor.act(QUESTION, seed=1)
    assert (await logits(model), (await model.generate(sampled)).text) == before


@given(st.lists(prompts | controls, min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_any_composition_of_text_conditions_leaves_nothing_behind(conditions: list[Condition]) -> None:
    asyncio.run(round_trip(ScriptedModel(), conditions))


@given(st.lists(prompts | controls, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_order_of_composition_changes_neither_text_nor_hash(conditions: list[Condition], random) -> None:
    shuffled = random.sample(conditions, len(conditions))
    one, other = compose(*conditions), compose(*shuffled)
    assert one.hash == other.hash
    assert one.system(ANA, len) == other.system(ANA, len)
    assert one.system_default == other.system_default


def test_conditions_that_touch_the_model_are_entered_in_order_and_left_in_reverse() -> None:
    async def check() -> None:
        entered: list[int] = []
        model = ScriptedModel()
        before = await logits(model)
        both = compose(Prompt(), Shift(1, entered), Shift(0, entered))
        async with both.attach(model) as conditioned:
            assert await logits(conditioned) == tuple(v - 2.0 for v in before)
            assert entered == [0, 1]
        assert entered == [0, 1, -2, -1]
        assert await logits(model) == before

    asyncio.run(check())


def test_a_failure_inside_undoes_all_the_same() -> None:
    async def check() -> None:
        entered: list[int] = []
        model = ScriptedModel()
        before = await logits(model)
        with pytest.raises(ZeroDivisionError):
            async with embody(ANA, compose(Shift(0, entered), Shift(1, entered), Prompt()), model):
                raise ZeroDivisionError
        assert entered == [0, 1, -2, -1]
        assert await logits(model) == before

    asyncio.run(check())


def test_a_composition_is_a_value() -> None:
    a, b = Prompt(), Prompt(rules="x")
    assert {a + b, b + a, compose(a, b)} == {a + b}
    assert a + b != a + a
    assert (a + b) != "something else"
    assert isinstance((a + b) + a, Composition)


@pytest.mark.model
def test_the_embedded_model_is_bit_equal_before_and_after() -> None:
    async def check() -> None:
        model = open_model("smollm2", cache="off")
        try:
            await round_trip(model, [Prompt(rules="Be brief."), Prompt(cue_style="list")])
            await round_trip(model, [NoPersona(control="empty_system")])
        finally:
            await model.close()

    asyncio.run(check())
