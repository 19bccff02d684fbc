"""People who exist get something to talk about that fits them."""

from __future__ import annotations

from personae.core import Names, Persona, Personal, Social
from personae.creation import Population, SchemaSampler, situate

SAMPLER = SchemaSampler("spasm_schema", 7)


def test_everybody_of_a_real_population_gets_a_concern_and_keeps_what_they_are() -> None:
    for k, person in enumerate(Population("us_adults", n=40, seed=7)):
        situated = situate(person, SAMPLER, k)
        assert situated.get("context.concern")
        assert situated.get("personal.mood")
        assert situated.social == person.social
        assert situated.personal.big_five == person.personal.big_five
        assert situated.provenance == person.provenance


def test_what_a_person_already_says_stays() -> None:
    sad = Persona(names=Names(full="Bo Lind"), social=Social(age=40), personal=Personal(mood="sad"))
    assert situate(sad, SAMPLER, 3).get("personal.mood") == "sad"


def test_the_same_draw_gives_the_same_situation_and_rules_see_the_real_age() -> None:
    child = Persona(names=Names(full="Ida Lind"), social=Social(age=16, occupation="secondary school student"))
    assert situate(child, SAMPLER, 5) == situate(child, SAMPLER, 5)
    pension = [r for r in SAMPLER.schema.rules if r.code == "teen_planning_pension"]
    for k in range(60):
        fields = {"age": 16, "domain": situate(child, SAMPLER, k).get("context.concern")}
        assert not any(rule.violated(fields) for rule in pension)
