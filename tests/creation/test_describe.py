"""Descriptions by phrase grammar: many wordings of the same facts, the same one for the same person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from personae.core import BigFive, Context, Fact, InputError, Names, Persona, Personal, Social, Visibility, clauses
from personae.creation import (
    Population,
    craft_faults,
    describe_people,
    lint_many,
    load_phrases,
    load_recipe,
    recipe_names,
)  # fmt: skip

EXAMPLES = Path(__file__).parents[2] / "examples" / "recipes"
RECIPES = (*recipe_names(), *(str(EXAMPLES / f"{name}.yaml") for name in ("panel", "village", "waiting_room")))
ANA = Persona(
    names=Names(full="Ana Reis"),
    social=Social(age=1, gender="girl", occupation="retired", residence="near Porto"),
    personal=Personal(big_five=BigFive(openness=50, neuroticism=70, facets={"trust": 60})),
    context=Context(likes=("rain",)),
    description="Somebody else entirely.",
)


def drawn(recipe: str, n: int) -> list[Persona]:
    return list(Population(load_recipe(recipe), n=n, seed=7))


def test_there_are_more_than_a_million_wordings_of_the_barest_person() -> None:
    assert load_phrases("description.en").count("description") >= 1_000_000
    nobody = [Persona(names=Names(full="Bo Li"))] * 3000
    texts = describe_people(nobody, range(3000), seed=1)
    assert len(set(texts)) > 2990  # of 3.5 million, 3,000 draws repeat 1.3 on average
    assert all("Bo Li" in text and "  " not in text and "{" not in text for text in texts)


@pytest.mark.parametrize("recipe", RECIPES)
def test_descriptions_say_the_facts_and_contradict_none(recipe: str) -> None:
    people = drawn(recipe, 150)
    texts = describe_people(people, range(150), seed=7)
    assert len(set(texts)) == 150
    assert [craft_faults(p, t) for p, t in zip(people, texts, strict=True)] == [None] * 150
    told = [p.model_copy(update={"description": t}) for p, t in zip(people, texts, strict=True)]
    for person, before, after, text in zip(people, lint_many(people), lint_many(told), texts, strict=True):
        assert [f.code for f in after] == [f.code for f in before], text
        for clause in clauses(person):
            if clause.section != "T":
                assert clause.value in text


def test_neither_order_nor_company_nor_shards_change_a_text() -> None:
    people = drawn("us_adults", 60)
    texts = describe_people(people, range(60), seed=3)
    order = np.random.default_rng(1).permutation(60).tolist()
    mixed = describe_people([people[i] for i in order], order, seed=3)
    assert list(mixed) == [texts[i] for i in order]
    assert [describe_people([people[i]], [i], seed=3)[0] for i in range(0, 60, 7)] == list(texts[::7])
    assert texts != describe_people(people, range(60), seed=4)
    assert texts != describe_people(people, range(1, 61), seed=3)


def test_traits_states_and_odd_fields() -> None:
    (text,) = describe_people([ANA], [5], seed=2)
    told = ("Ana Reis", "1 year", "a girl", "You are retired.", "near Porto", "extremely", "openness", "in trust")
    for words in (*told, "You like rain."):
        assert words in text
    assert "somebody else" not in text.lower()
    assert "years" not in text


def test_what_is_hidden_stays_hidden() -> None:
    def hidden(value: object) -> Fact:
        return Fact.model_validate({"value": value, "visibility": Visibility.HIDDEN})

    person = Persona(
        names=Names(full="Ana Reis"),
        social=Social(age=hidden(58), occupation=hidden("nurse"), residence=hidden("Porto"), sex=hidden("female")),
        personal=Personal(big_five=BigFive(extraversion=hidden(80.0))),
    )
    for text in describe_people([person] * 40, range(40), seed=2):
        assert not [w for w in ("58", "nurse", "Porto", "female", "outgoing", "talkative") if w in text]


def test_numbers_that_do_not_fit_are_refused() -> None:
    assert describe_people([], [], seed=1) == ()
    with pytest.raises(InputError, match="2 numbers for 1 people"):
        describe_people([ANA], [1, 2], seed=1)
