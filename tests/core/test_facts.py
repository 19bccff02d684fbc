import pytest
from pydantic import ValidationError

from personae.core import PII, Fact, Names, Persona, Social, Source, Visibility, plain, visibility_of


def test_a_fact_without_metadata_is_its_value():
    bare = Persona(names=Names(full="Ana"), social=Social(age=58))
    told = Persona.parse({"names": {"full": {"value": "Ana"}}, "social": {"age": {"value": 58}}})
    assert told == bare
    assert told.id == bare.id
    assert told.social.age == 58


def test_metadata_is_kept_and_counts():
    fact = {"value": 58, "confidence": 0.5, "source": {"kind": "survey"}}
    told = Persona.parse({"names": {"full": "Ana"}, "social": {"age": fact}})
    leaf = told.social.age
    assert isinstance(leaf, Fact)
    assert leaf.source == Source(kind="survey")
    assert plain(leaf) == told.get("social.age") == 58
    assert told.id != Persona(names=Names(full="Ana"), social=Social(age=58)).id


def test_a_mapping_that_is_no_fact_is_refused():
    with pytest.raises(ValidationError):
        Social.model_validate({"occupation": {"value": "nurse", "colour": "red"}})


def test_visibility_and_pii_defaults():
    assert visibility_of("x") is Visibility.PUBLIC
    assert visibility_of(Fact(value="x", visibility=Visibility.HIDDEN)) is Visibility.HIDDEN
    person = Persona.parse(
        {
            "names": {"full": "Ana", "given": {"value": "Ana", "pii": "none"}},
            "social": {"age": 58, "religion": "none"},
            "attributes": {"a": 1},
        }
    )
    pii = person.pii()
    assert pii["names.full"] is PII.DIRECT
    assert pii["names.given"] is PII.NONE
    assert pii["social.age"] is PII.QUASI
    assert pii["social.religion"] is PII.SENSITIVE
    assert pii["attributes.a"] is PII.NONE


def test_values_are_frozen():
    fact = Fact(value=1)
    with pytest.raises(ValidationError, match="frozen"):
        fact.value = 2


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_confidence_is_a_probability(confidence):
    with pytest.raises(ValidationError):
        Fact(value=1, confidence=confidence)


def test_a_copy_does_not_keep_the_cached_id_of_the_original():
    ana = Persona(names=Names(full="Ana"))
    before = ana.id
    older = ana.model_copy(update={"social": Social(age=3)})
    assert older.id != before
    assert older.id == Persona(names=Names(full="Ana"), social=Social(age=3)).id
    assert ana.id == before
    assert ana.model_copy().id == before
