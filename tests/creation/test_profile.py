"""Profiles: level words, what each subset shows, presumptions, and statements that know no more than their view."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from personae.core import InputError, Persona, SchemaError, plain
from personae.creation import (
    SUBSETS,
    ProfileAnswers,
    SocialIdentity,
    answers_of_person,
    assemble_profile,
    blank_profile,
    load_gallery,
    load_profiles,
    subset_view,
    write_statements,
)
from personae.creation._profile import LEVELS, level
from personae.instruments import load_instrument

TRAITS, VALUES = load_instrument("ipip30"), load_instrument("portraits20")
SENTINELS = {"S": ("Qulunda", "vetnor"), "P": ("calm when others worry",), "C": ("zibble soup", "gnarfing", "plumwick")}


def sentinel() -> Persona:
    answers = ProfileAnswers(
        name="Ona Secretname",
        social=SocialIdentity(residence="Qulunda", social_class="vetnor"),
        traits={i.id: (1.0 if i.key == 1 else 5.0) for i in TRAITS.items},
        values={},
        loves=("zibble soup",),
        hates=("gnarfing",),
        weekday="I go to the plumwick.",
    )
    return assemble_profile(answers, TRAITS, VALUES)


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("style", ["second_person", "first_person", "list", "narrative"])
def test_a_subset_shows_its_groups_and_nothing_of_the_others(subset: str, style: str) -> None:
    text = sentinel().render(subset_view(subset), style)  # type: ignore[arg-type]
    for group, words in SENTINELS.items():
        for word in words:
            assert (word in text) == (group in subset), (word, text)
    assert "Secretname" not in text


def test_levels_have_equal_width_and_the_floor_of_the_released_code() -> None:
    means = [1.0, 1.99, 2.0, 3.5, 4.0, 5.8, 6.0, 7.0]
    assert [LEVELS[level(m, 1, 7)] for m in means] == [
        "very low", "very low", "low", "slightly below average", "slightly above average", "high", "very high",
        "very high",
    ]  # fmt: skip
    assert level(5.99, 1, 6) == 5
    assert level(5.99, 1, 6, floor=True) == 4
    with pytest.raises(InputError, match="scale of 1 to 7"):
        level(7.5, 1, 7)


def test_presumptions_are_facts_with_low_confidence() -> None:
    answers = ProfileAnswers(name="x", social=SocialIdentity(religion="Presumably (Lutheran)", race=("a", "b")))
    person = assemble_profile(answers, TRAITS, VALUES)
    fact = person.fact("social.religion")
    assert (plain(fact), fact.confidence) == ("Lutheran", 0.5)
    assert person.get("attributes.social.race") == "a, b"
    assert "social.politics" not in dict(person.leaves())


def test_scores_stand_in_the_record_and_words_in_the_text() -> None:
    person = next(p for p in load_gallery() if p.personal.big_five)
    profile = assemble_profile(answers_of_person(person, TRAITS, VALUES, 7), TRAITS, VALUES)
    scales = [s.scale for s in profile.personal.psychometrics]
    assert len(scales) == 5 + 15 + 10
    text = profile.render("personal")
    assert all((s.words or "") in text for s in profile.personal.psychometrics)
    assert not any(ch.isdigit() for ch in text)


def test_centring_changes_the_grade_of_somebody_who_likes_everything() -> None:
    answers = ProfileAnswers(name="x", values={i.id: (6.0 if i.scale == "HE" else 5.0) for i in VALUES.items})
    plainly = assemble_profile(answers, TRAITS, VALUES)
    against = assemble_profile(answers, TRAITS, VALUES, centre=True)

    def words(p: Persona, scale: str) -> str | None:
        return next(s.words for s in p.personal.psychometrics if s.scale == scale)

    assert "cares much about" in str(words(plainly, "power"))
    assert "more than about almost anything" in str(words(plainly, "hedonism"))
    assert words(against, "power") != words(plainly, "power")


def test_answers_of_invented_people_follow_their_traits() -> None:
    people = [p for p in load_gallery() if p.personal.big_five]
    extraverts = sorted(people, key=lambda p: p.personal.big_five.scores()["extraversion"])  # type: ignore[union-attr]
    low, high = extraverts[:10], extraverts[-10:]

    def mean(group: list[Persona]) -> float:
        made = [assemble_profile(answers_of_person(p, TRAITS, VALUES, 3), TRAITS, VALUES) for p in group]
        return sum(s.value for m in made for s in m.personal.psychometrics if s.scale == "extraversion") / len(group)

    assert mean(high) - mean(low) > 0.8
    assert answers_of_person(low[0], TRAITS, VALUES, 3) == answers_of_person(low[0], TRAITS, VALUES, 3)


@pytest.mark.parametrize("subset", SUBSETS)
def test_statements_are_ten_and_ten_and_know_only_their_view(subset: str) -> None:
    rows = write_statements(sentinel(), subset_view(subset), 5, unit="u", condition=subset)
    assert [(r.kind, r.index) for r in rows] == [("open_self", k) for k in range(10)] + [
        ("hidden_self", k) for k in range(10)
    ]
    assert len({r.text for r in rows}) == 20
    text = " ".join(r.text for r in rows)
    for group, words in SENTINELS.items():
        if group not in subset:
            assert not any(word in text for word in words)
    assert ("gnarfing" in text) == ("C" in subset)


def test_profiles_from_files(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    path.write_text(json.dumps({"profiles": [{"name": "A", "loves": ["tea"]}, {"name": "B"}]}), "utf-8")
    assert [p.name for p in load_profiles(path)] == ["A", "B"]
    path.write_text(json.dumps([{"name": "A"}, {"nam": "B"}]), "utf-8")
    with pytest.raises(SchemaError, match="profile 2"):
        load_profiles(path)
    path.write_text(json.dumps({"people": []}), "utf-8")
    with pytest.raises(SchemaError, match="a list of them"):
        load_profiles(path)
    with pytest.raises(InputError, match="One of: S, P"):
        subset_view("CS")


def test_an_empty_form_asks_everything_and_reads_as_nothing(tmp_path: Path) -> None:
    traits, values = load_instrument("ipip30"), load_instrument("portraits20")
    form = blank_profile(traits, values)
    for item in (*traits.items, *values.items):
        assert item.text in form
    for name in SocialIdentity.model_fields:
        assert re.search(rf"^  {name}:", form, re.MULTILINE)
    path, first = tmp_path / "form.yaml", traits.items[0].id
    path.write_text(form, "utf-8")
    with pytest.raises(SchemaError, match="name"):
        load_profiles(path)
    filled = form.replace("name:", "name: Ada", 1).replace("  age:", "  age: 41", 1)
    filled = filled.replace("  race: []", "  race: [one, another]", 1).replace(f'"{first}":', f'"{first}": 5', 1)
    filled = filled.replace("  employment:", "  employment: Presumably (retired)", 1)
    path.write_text(filled, "utf-8")
    (answers,) = load_profiles(path)
    assert (answers.name, answers.social.age, answers.social.race) == ("Ada", 41, ("one", "another"))
    assert answers.traits[first] == 5
    assert sum(v is not None for v in (*answers.traits.values(), *answers.values.values())) == 1
    (tmp_path / "two.yml").write_text(filled.replace("Ada", "Bo"), "utf-8")
    assert [a.name for a in load_profiles(tmp_path)] == ["Ada", "Bo"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no profile in this folder"):
        load_profiles(tmp_path / "none")
    person = assemble_profile(answers, traits, values)
    assert [s.scale for s in person.personal.psychometrics] == ["sociability"]  # one of two items is half
    assert "one, another" in person.render(subset_view("S"), "list")
