"""Conditions compose, have content hashes, and leave the model as it was."""

from __future__ import annotations

import asyncio

from personae.conditioning import NoPersona, Prompt, compose, embody
from personae.core import Condition, Names, Persona, Social
from personae.models import Message, ScoreRequest, open_model

ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse"))


def test_a_prompt_is_the_rendered_person_and_the_rules() -> None:
    text = Prompt(cue_style="first_person", rules="Answer briefly.").system(ANA, len)
    assert text is not None
    assert text.startswith("My name is Ana Reis.")
    assert text.endswith("\n\nAnswer briefly.")


def test_nobody_with_rules_gets_the_rules_alone_and_without_any_nothing() -> None:
    assert Prompt(rules="Be kind.").system(None, len) == "Be kind."
    assert Prompt().system(None, len) is None


def test_the_two_controls_differ() -> None:
    template, empty = NoPersona(control="template_default"), NoPersona(control="empty_system")
    assert template.system(ANA, len) is None
    assert empty.system(ANA, len) == ""
    assert template.system_default
    assert not empty.system_default
    assert template.hash != empty.hash


def test_every_setting_counts_in_the_hash_and_order_of_composition_does_not() -> None:
    a, b = Prompt(), Prompt(rules="x")
    assert len({a.hash, b.hash, Prompt(budget=9).hash, Prompt(view="public").hash, Prompt(cue_style="list").hash}) == 5
    assert (a + b).hash == (b + a).hash
    assert (a + b) == compose(b, a)
    assert (
        compose(a, compose(b, NoPersona(control="empty_system"))).hash
        == (a + b + NoPersona(control="empty_system")).hash
    )
    assert isinstance(a, Condition)
    assert isinstance(a + b, Condition)


def test_composition_says_what_its_parts_say_once_each() -> None:
    both = Prompt(view="social", budget=None) + Prompt(view="traits", cue_style="list", budget=None)
    text = both.system(ANA, len)
    assert text is not None
    assert "58" in text
    assert text.count("\n\n") == 1


def test_undo_law_scores_before_and_after_a_condition_are_equal() -> None:
    async def check() -> None:
        model = open_model("fake:scripted", cache="off")
        plain = [ScoreRequest((Message("user", "Tea or coffee?"),), (" tea", " coffee"))]
        before = (await model.score_options(plain))[0].logprobs
        async with embody(ANA, Prompt() + Prompt(rules="Be brief."), model) as actor:
            assert actor.context()[0].role == "system"
            told = ScoreRequest((*actor.context(), Message("user", "Tea or coffee?")), (" tea", " coffee"))
            await actor.model.score_options([told])
        assert (await model.score_options(plain))[0].logprobs == before
        await model.close()

    asyncio.run(check())


def test_an_actor_sends_its_context_first_and_names_its_condition() -> None:
    async def check() -> None:
        model = open_model("fake:scripted", cache="off")
        async with embody(ANA, Prompt(), model, label="self") as actor:
            request = actor.request([Message("user", "Hi.")], seed=3)
            assert [m.role for m in request.messages] == ["system", "user"]
            assert request.condition == Prompt().hash
            assert (await actor.act([Message("user", "Hi.")], seed=3)).text
        async with embody(None, NoPersona(control="template_default"), model, label="template_default") as nobody:
            assert nobody.context() == ()
            assert nobody.request([], seed=0).system_default
        await model.close()

    asyncio.run(check())
