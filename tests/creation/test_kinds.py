"""Kinds of personas: laws of the classifier, coverage, findings, risks and conversions."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

import personae.studies.persona_taxonomy
from personae.core import Consent, Evidence, InputError, Names, Persona, Social, UnknownKeyError
from personae.creation import (
    KINDS,
    Finding,
    aggregate,
    character_prompt,
    classify,
    coverage,
    has_field,
    individualize,
    lint_kind,
    load_gallery,
    risk_report,
    without_field,
)
from personae.studies import plan_for

DATA = Path(personae.studies.persona_taxonomy.__file__).parent / "data"
ITEMS = yaml.safe_load((DATA / "labelled.yaml").read_text("utf-8"))["items"]
PEOPLE = [Persona.parse(i["persona"], where=i["id"]) for i in ITEMS]
SEEDED = yaml.safe_load((DATA / "defects.yaml").read_text("utf-8"))["items"]


def test_the_labelled_set_is_large_and_has_all_kinds_and_mixes() -> None:
    assert len(ITEMS) >= 150
    assert {k for i in ITEMS for k in i["label"]} == set(KINDS)
    assert sum(len(i["label"]) > 1 for i in ITEMS) >= 20
    assert not any("kind" in i["persona"] for i in ITEMS)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_most_personas_get_exactly_their_label(split: str) -> None:
    pairs = [(set(classify(p).mix), set(i["label"])) for p, i in zip(PEOPLE, ITEMS, strict=True) if i["split"] == split]
    assert sum(a == b for a, b in pairs) / len(pairs) > 0.9


@pytest.mark.parametrize("index", range(0, len(PEOPLE), 5))
def test_taking_a_field_away_never_makes_its_kind_heavier(index: int) -> None:
    person = PEOPLE[index]
    before = classify(person)
    for one in before.evidence:
        if one.field.startswith("names"):
            continue
        after = classify(without_field(person, one.field))
        assert after.weights[one.kind] <= before.weights[one.kind] + 1e-9, one


def test_evidence_depends_on_the_fields_alone_and_not_on_what_is_declared() -> None:
    for person in PEOPLE[::7]:
        again = Persona.parse({k: v for k, v in person.dump().items() if k != "id"})
        assert classify(again) == classify(person)
        for kind in KINDS:
            assert classify(person.model_copy(update={"kind": kind})).evidence == classify(person).evidence


def test_a_tie_is_a_mix_and_a_bare_name_is_anything() -> None:
    bare = classify(Persona(names=Names(full="Ana Reis")))
    assert bare.primary is None
    assert set(bare.mix) == set(KINDS)
    assert bare.confidence == 0
    assert not bare.evidence


def test_coverage_names_what_is_missing_by_path() -> None:
    nurse = Persona(names=Names(full="A nurse"), social=Social(age=40))
    found = coverage(nurse, "demographic")
    assert "social.age" in found.present
    assert "provenance.weight" in found.missing
    assert found.scores["demographics"] == pytest.approx(2 / 6)
    assert any("provenance.weight is not set" in b for b in found.blockers)
    with pytest.raises(UnknownKeyError, match="demographic"):
        coverage(nurse, "demografic")  # type: ignore[arg-type]


def test_seeded_defects_are_found_and_clean_personas_are_clean() -> None:
    for item in SEEDED:
        found = {f.code for f in lint_kind(Persona.parse(item["persona"]))}
        assert found == set(item["expect"]), item["id"]


def test_findings_of_a_kind_are_those_of_the_linter() -> None:
    evidence = (Evidence(text="never drinks tea", when="last week", polarity=-1),)
    person = Persona(names=Names(full="Jo"), context={"likes": ["tea"]}, evidence=evidence)  # type: ignore[arg-type]
    found = {f.code: f for f in lint_kind(person, classify(person)) if f.code.startswith("individualized.")}
    assert all(isinstance(f, Finding) and f.pack is None for f in found.values())
    assert found["individualized.contradicted"].given == (("context.likes.0", "'tea'"),)
    assert found["individualized.undated_evidence"].given == (("evidence.0.when", "'last week'"),)
    assert str(found["individualized.no_retention"]) == (
        "error individualized.no_retention (Say how long the data are kept.)"
    )


def test_risks_look_at_words_contacts_consent_and_names() -> None:
    loud = Persona(
        names=Names(full="Louis Armstrong"), description="He hates all foreigners. Mail him at lou@example.org."
    )
    report = risk_report(loud)
    assert report.toxicity.status == "high"
    assert report.privacy.status == "high"
    assert "lou@example.org" not in report.model_dump_json()
    assert report.impersonation.status == "high"
    logged = Persona(names=Names(full="Jo"), evidence=(Evidence(text="likes tea", when="2025-01-01", polarity=1),))
    assert risk_report(logged).consent.status == "high"
    agreed = logged.model_copy(update={"consent": Consent(who="Jo", scope="test", date="2025-01-01")})
    assert risk_report(agreed).consent.status == "nothing found"
    claim = Persona(names=Names(full="Jo"), description="Like all women, she is naturally submissive.")
    assert risk_report(claim).bias.status == "high"


def test_hardly_any_gallery_person_is_called_harmful() -> None:
    assert sum(risk_report(p).toxicity.status != "nothing found" for p in load_gallery()) == 0
    assert sum(risk_report(p).bias.status == "high" for p in load_gallery()) == 0


def test_evidence_makes_a_profile_one_user() -> None:
    nurse = Persona(names=Names(full="A nurse"), social=Social(age=40))
    seen = [Evidence(text=f"asked for tea {k}", when=f"2025-01-0{k}", polarity=1) for k in (1, 2, 3)]
    user = individualize(nurse, seen, retention="1 year")
    assert classify(user).weights["individualized"] > classify(nurse).weights["individualized"]
    assert user.get("social.age") == 40
    assert individualize(user, seen).evidence == user.evidence
    with pytest.raises(InputError):
        individualize(nurse, [])


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_no_group_is_smaller_than_k_and_the_rest_cannot_be_told(k: int) -> None:
    people = [
        Persona(names=Names(full=f"P {n}"), social=Social(age=20 + n % 50, sex="female" if n % 7 else "male"))
        for n in range(60)
    ]
    found = aggregate(people, ["social.age", "social.sex"], k=k)
    assert found.n == 60
    assert sum(g.count for g in found.groups) + found.suppressed == 60
    assert all(g.count >= k for g in found.groups)
    assert found.suppressed == 0 or found.suppressed >= k
    assert all(classify(p).primary == "demographic" for p in found.personas())
    with pytest.raises(InputError, match="at least 2"):
        aggregate(people, ["social.age"], k=1)


def test_a_character_prompt_tells_the_boundary_and_shows_the_lines() -> None:
    person = next(p for p in PEOPLE if p.demonstrations)
    text = character_prompt(person)
    assert person.name in text
    assert person.demonstrations[0].lines[1].text in text


def test_paths_of_needs_are_checked() -> None:
    ana = Persona(names=Names(full="Ana"), attributes={"food.breakfast": "oats"})
    assert has_field(ana, "attributes.food")
    assert not has_field(ana, "attributes.foo")
    assert has_field(ana, "context.situation | names.full")
    with pytest.raises(UnknownKeyError, match="age"):
        has_field(ana, "social.agee")


def test_a_thousand_mixed_personas_in_two_seconds() -> None:
    people = (PEOPLE * 6)[:1000]
    began = time.process_time()
    for person in people:
        kinds = classify(person)
        lint_kind(person, kinds)
        plan_for(person, kinds=kinds)
    assert time.process_time() - began < 2
