import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from personae.core import (
    DOMAINS,
    TEXT_LIMIT,
    BigFive,
    Consent,
    ConsentError,
    InputError,
    Names,
    Persona,
    Personal,
    Provenance,
    SchemaError,
    Social,
    UnknownKeyError,
    VersionError,
    extensions,
    upgrades,
)

FIXTURES = Path(__file__).parent / "fixtures"
ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse"))


class Sailing(BaseModel):
    boat: str
    years: int = 0


@pytest.fixture(scope="module")
def sailing():
    return extensions.add("test_sailing", Sailing)


def test_golden_content_ids():
    # Ids of people are in published data sets: a change here is a new schema version.
    assert ANA.id == "p-9708eca4b84d8b30"
    assert Persona(names=Names(full="Ana Reis")).id == "p-82680395e3dad222"


def test_provenance_and_defaults_are_not_identity():
    made = ANA.model_copy(update={"provenance": Provenance(recipe="r", n=3, seed=1, k=2)})
    assert made.id == ANA.id
    assert made != ANA
    assert Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse", sex=None)).id == ANA.id


@given(
    st.text(min_size=1, max_size=30),
    st.integers(0, 120) | st.none(),
    st.dictionaries(st.sampled_from(DOMAINS), st.floats(0, 100)),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5})?", fullmatch=True), st.text(max_size=9) | st.integers(), max_size=4
    ),
)
@settings(max_examples=60, deadline=None)
def test_dump_and_parse_are_inverse(name, age, traits, attributes):
    person = Persona(
        names=Names(full=name),
        social=Social(age=age),
        personal=Personal(big_five=BigFive(**traits)) if traits else Personal(),
        attributes=attributes,
        provenance=Provenance(seed=3),
    )
    body = person.dump()
    assert {"id", "schema_version", "synthetic"} <= set(body)
    again = Persona.parse(json.dumps(body))
    assert again == person
    assert again.id == person.id
    assert hash(again) == hash(person)


def test_an_old_file_is_upgraded():
    old = Persona.parse((FIXTURES / "persona_v0.json").read_text(encoding="utf-8"))
    assert old.schema_version == 1
    assert old.name == "Tilda Holt"
    assert old.get("social.occupation") == "harbour pilot"
    assert old.personal.big_five.scores() == {"conscientiousness": 64.5, "extraversion": 38.0}
    assert old.get("attributes.food.breakfast") == "crispbread with brown cheese"
    assert "sleeps badly" in old.description
    assert Persona.parse(old.dump()) == old
    assert old.id == "p-bcf263e9675db374"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, "newer release"),
        ("1", "expected a whole number"),
        (True, "expected a whole number"),
        (-1, "no upgrade path"),
    ],
)
def test_versions_that_cannot_be_read(version, message):
    with pytest.raises(VersionError, match=message):
        Persona.parse({"schema_version": version, "names": {"full": "A"}})


def test_upgrades_run_one_version_at_a_time():
    from personae.core import upgrade

    upgrades("test_kind", 0)(lambda b: {**b, "steps": "0"})
    upgrades("test_kind", 1)(lambda b: {**b, "steps": b["steps"] + "1"})
    assert upgrade("test_kind", {"schema_version": 0}, 2, where="x") == {"schema_version": 2, "steps": "01"}
    assert upgrade("test_kind", {"a": 1}, 2, where="x") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("{", SchemaError, "not valid JSON"),
        ("[]", SchemaError, "got list, expected one mapping"),
        ({"name": "Ana"}, UnknownKeyError, "Did you mean 'names'"),
        ({}, SchemaError, "names: Field required"),
        ({"names": {"full": "A"}, "social": {"age": 200}}, SchemaError, "social.age: age must be whole years from 0"),
        ({"names": {"full": "A"}, "social": {"age": -1}}, SchemaError, "0 to 120"),
        ({"names": {"full": "A"}, "social": {"job": "x"}}, SchemaError, "social.job: unknown key 'job'"),
        ({"names": {"full": "A"}, "personal": {"big_five": {"opennes": 3}}}, SchemaError, "did you mean 'openness'"),
        ({"names": {"full": "A"}, "personal": {"big_five": {"openness": 999}}}, SchemaError, "T-score lies near 50"),
        ({"names": {"full": "A"}, "personal": {"strengths": [[]]}}, SchemaError, r"personal\.strengths\.0: "),
        ({"names": {"full": "A"}, "context": {"interests": 3}}, SchemaError, r"context\.interests: "),
        ({"names": {"full": "A"}, "attributes": {"Bad Path": 1}}, SchemaError, "lower-case words joined by dots"),
        ({"names": {"full": "A"}, "ext": {"nothing": {}}}, SchemaError, "no registered sub-schema"),
        ({"names": {"full": "A"}, "beliefs": [{"topic": "x", "stance": "y", "strength": 2}]}, SchemaError, "strength"),
        ({"names": {"full": "A"}, "attributes": {"x": float("nan")}}, SchemaError, "finite number"),
    ],
)
def test_what_does_not_fit_is_named_in_one_error(data, error, message):
    with pytest.raises(error, match=message):
        Persona.parse(data, where="ana.json")


def test_every_problem_is_in_the_message():
    with pytest.raises(SchemaError) as caught:
        Persona.parse({"names": {"full": 5}, "social": {"age": "old"}, "goals": [{}]})
    message = str(caught.value)
    assert "names.full" in message
    assert "social.age" in message
    assert "goals.0.text" in message
    assert message.count("Fact") == 0


def test_very_long_fields_are_refused_with_a_short_message():
    with pytest.raises(SchemaError, match="at most 20000 characters") as caught:
        Persona.parse({"names": {"full": "A"}, "description": "x" * 100_000})
    assert len(str(caught.value)) < 500
    assert Persona.parse({"names": {"full": "A"}, "description": "x" * TEXT_LIMIT})


def test_an_edited_file_with_its_old_id_is_noticed():
    body = ANA.dump()
    body["social"]["age"] = 59
    with pytest.raises(SchemaError, match="edited after it was written"):
        Persona.parse(body)
    del body["id"]
    assert Persona.parse(body).get("social.age") == 59


def test_a_real_person_needs_consent():
    with pytest.raises(ConsentError, match="carries no consent"):
        Persona(names=Names(full="Somebody Real"), synthetic=False)
    with pytest.raises(ConsentError):
        Persona.parse({"names": {"full": "Somebody Real"}, "synthetic": False})
    real = Persona(
        names=Names(full="Somebody Real"),
        synthetic=False,
        consent=Consent(who="Somebody Real", scope="research", date="2026-01-01"),
    )
    assert real.dump()["synthetic"] is False
    assert Persona.parse(real.dump()) == real


def test_synthetic_is_in_every_dump():
    assert ANA.dump()["synthetic"] is True


def test_extensions_are_checked_against_their_schema(sailing):
    person = Persona(names=Names(full="A"), ext={"test_sailing": {"boat": "Albin"}})
    assert person.ext == {"test_sailing": {"boat": "Albin", "years": 0}}
    assert Persona.parse(person.dump()) == person
    with pytest.raises(SchemaError, match="years"):
        Persona.parse({"names": {"full": "A"}, "ext": {"test_sailing": {"boat": "x", "years": "many"}}})


def test_paths():
    assert ANA.get("social.age") == 58
    assert ANA.get("social.religion") is None
    assert ANA.get("social.religion", "?") == "?"
    assert ANA.get("attributes.nothing", 4) == 4
    assert ANA.get("personal.big_five.openness") is None
    assert ANA.fact("names.full") == "Ana Reis"
    with pytest.raises(InputError, match="has no field 'agee'"):
        ANA.get("social.agee")


def test_leaves_name_every_value_once():
    person = Persona.parse(
        {
            "names": {"full": "A"},
            "style": {"register": "plain"},
            "relations": [{"name": "B", "kind": "brother"}],
            "attributes": {"x.y": 2},
            "knowledge": {"skills": {"chess": "fair"}},
            "description": "d",
            "ext": {"source": {"format": "cards", "body": {"shoe": {"size": 44}}}},
        }
    )
    leaves = dict(person.leaves())
    assert dict(person.leaves(ext=True)) == leaves | {
        "ext.source.format": "cards", "ext.source.body.shoe.size": 44,
    }  # fmt: skip
    assert leaves["names.full"] == "A"
    assert leaves["style.register"] == "plain"
    assert leaves["relations.0.name"] == "B"
    assert leaves["attributes.x.y"] == 2
    assert leaves["knowledge.skills.chess"] == "fair"
    assert leaves["description"] == "d"
    assert len(leaves) == len(list(person.leaves()))


def test_a_twin_with_other_traits():
    person = ANA.with_traits({"openness": 60})
    norm = person.personal.big_five.model_copy(update={"norm": "mine", "facets": {"ideas": 70}})
    person = person.model_copy(update={"personal": Personal(big_five=norm)})
    person.id  # noqa: B018 - cached before the copy is made
    twin = person.with_traits({"extraversion": 30})
    assert twin.personal.big_five == BigFive(extraversion=30, norm="mine")
    assert twin.social == person.social
    assert twin.id != person.id
    with pytest.raises(SchemaError, match="did you mean 'openness'"):
        ANA.with_traits({"opennes": 3})


def test_personas_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        ANA.synthetic = False
