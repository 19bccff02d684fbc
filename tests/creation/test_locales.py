"""Packs in other languages: the same rules in other words, and the defects of students found in German."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from creation.test_lint import ALSO, TOLD, Cell, is_one_of
from personae.cli._app import app
from personae.core import InputError, RecipeError, UnknownKeyError
from personae.creation import CORRUPTIONS, Rule, clean_people, corrupt, lint, lint_many, load_pack
from personae.statistics import wilson_interval

STUDENTS = [name for name, kind in CORRUPTIONS.items() if kind.domain == "student"]
GERMAN = ["student.de"]


def table(n: int, seed: int) -> tuple[dict[str, Cell], Counter[str], set[str]]:
    """(counts per kind, codes in clean records, rules that spoke) of German records."""
    people = clean_people("student", n, seed=23, locale="de")
    alarms = Counter(f.code for found in lint_many(people, GERMAN) for f in found)
    cells, spoke = {kind: Cell() for kind in STUDENTS}, set[str]()
    for kind in STUDENTS:
        bodies: list[dict[str, Any]] = []
        for k, person in enumerate(people):
            try:
                bodies.append(corrupt(person, kind, np.random.default_rng((seed, k)), locale="de"))
            except InputError:
                continue
        for body, found in zip(bodies, lint_many(bodies, GERMAN), strict=True):
            codes = {f.code for f in found}
            spoke |= codes
            hit = any(is_one_of(c, TOLD[kind]) for c in codes)
            cells[kind].n += 1
            cells[kind].hit += hit
            if not hit:
                cells[kind].missed.append(str(body["ext"])[:900])
            for code in codes:
                if is_one_of(code, TOLD[kind]) or is_one_of(code, ALSO.get(kind, ())):
                    continue
                for other, cell in cells.items():
                    cell.false += other != kind and is_one_of(code, TOLD[other])
    return cells, alarms, spoke


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, Cell], Counter[str], set[str]]:
    return table(60, seed=5)


@pytest.mark.parametrize("kind", STUDENTS)
def test_defects_are_found_in_german(kind: str, measured: tuple[dict[str, Cell], Counter[str], set[str]]) -> None:
    cell = measured[0][kind]
    recall, precision = wilson_interval(cell.hit, cell.n), wilson_interval(cell.hit, cell.hit + cell.false)
    print(f"{kind:34}{cell.n:4} recall {cell.hit / cell.n:.3f} [{recall.low:.3f}, {recall.high:.3f}] precision "
          f"{cell.hit / (cell.hit + cell.false):.3f} [{precision.low:.3f}, {precision.high:.3f}]")  # fmt: skip
    assert cell.n >= 15
    assert cell.hit / cell.n >= 0.95, cell.missed[:2]
    assert cell.hit / (cell.hit + cell.false) >= 0.95


def test_clean_german_records_give_no_alarm(measured: tuple[dict[str, Cell], Counter[str], set[str]]) -> None:
    assert measured[1] == Counter()


STUDENT = clean_people("student", 12, seed=2, locale="de")[1].dump()
RECORD = STUDENT["ext"]["student"]
LONG = "Beim Essen sitzt sie am Fenster. " * 8
# One broken record for each of the fifteen rules; the paragraphs of R8 to R10 lose what they have to say.
BROKEN: dict[str, tuple[str, Any]] = {
    "R1_age_grade": ("grade", 12),
    "R2_piaget_known": ("stages", {"piaget": "sensomotorisch"}),
    "R3_subjects_disjoint": ("weak_subjects", RECORD["strong_subjects"]),
    "R4_creativity_varies": ("levels", {"creativity": dict.fromkeys(RECORD["levels"]["creativity"], "mittel")}),
    "R5_steady_values": ("mental_health", "Insgesamt: Es ist eine schwere Krise."),
    "R6_handle": ("handle", "vogt_lena"),
    "R7_values": ("values", " "),
    "R8_value_levels": ("values", "Die moralische Bildung ist hoch, mehr ist nicht bekannt."),
    "R9_creativity_levels": ("creativity", "Insgesamt ist der Ideenfluss hoch. Radarbild: rund."),
    "R10_slots": ("mental_health", "Insgesamt ruhig und sensibel; der Gesamtzustand ist hoch."),
    "R11_body_mind_depression": ("levels", {"values": {"body_mind": "hoch"}, "health": {"depression": "eher hoch"}}),
    "R12_not_diagnostic": ("mental_health", "Insgesamt liegt eine Angststörung vor."),
    "R13_boilerplate_social": ("social_relations", LONG + "Ich hoffe, das hilft."),
    "R14_paragraph_social": ("social_relations", LONG + "\n\n" + LONG),
    "R15_academic_level": ("academic_level", "top 10%"),
}  # fmt: skip


@pytest.mark.parametrize("code", BROKEN)
def test_each_of_the_fifteen_rules_speaks_german(code: str) -> None:
    key, value = BROKEN[code]
    body = json.loads(json.dumps(STUDENT))
    student = body["ext"]["student"]
    if code == "R5_steady_values":
        student["levels"]["values"] = dict.fromkeys(student["levels"]["values"], "eher hoch")
    if key == "handle":
        body["names"][key] = value
    else:
        student[key] = value
    assert code not in {f.code for f in lint(STUDENT, GERMAN)}
    (found,) = (f for f in lint(body, GERMAN) if f.code == code)
    assert found.hint == {r.code: r.hint for r in load_pack("student.de").rules}[code]
    assert code.split("_", maxsplit=1)[0] == f"R{list(BROKEN).index(code) + 1}"


def frame(rule: Rule) -> Any:
    """What a rule is without its words."""
    said = {"values", "not_", "scale", "at_least", "at_most", "any_of", "none_of", "pattern"}

    def walked(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: k if k in said and isinstance(v, (str, tuple, list)) else walked(v) for k, v in value.items()
                    if k not in {"min_chars", "max_chars"}}  # fmt: skip
        return [walked(v) for v in value] if isinstance(value, (list, tuple)) else value

    return walked(rule.model_dump(exclude={"hint", "code"}))


def test_a_locale_changes_words_and_nothing_else() -> None:
    base, german = load_pack("student"), load_pack("student", locale="de")
    assert german is load_pack("student.de") is load_pack("student.de", locale="de")
    assert base is load_pack("student", locale="en")
    assert (german.name, german.locale, german.domain, german.owners) == ("student.de", "de", "student", base.owners)
    assert list(german.fields) == list(base.fields)
    assert german.paths == base.paths
    for one, two in zip(base.rules, german.rules, strict=True):
        assert (one.severity, one.owner, one.fields) == (two.severity, two.owner, two.fields)
        assert frame(one) == frame(two)
        anchored = one.code.partition(":")[0]
        assert two.code == one.code or (anchored.startswith("anchor_") and two.code.startswith(anchored))
    assert [g for g in base.groups if base.groups[g] == german.groups[g]] == [
        "value_dimensions", "creativity_dimensions", "said_values", "said_creativity", "health_dimensions",
        "said_health",
    ]  # fmt: skip
    english = {w for v in base.vocab.values() for w in v.words}
    assert not english & {w for v in german.vocab.values() for w in v.words}


def test_english_words_are_none_in_german() -> None:
    codes = {f.code for f in lint(clean_people("student", 3, seed=1)[0], GERMAN)}
    assert {"R15_academic_level", "R8_value_levels", "R6_handle", "level_words_values"} <= codes


BASE = """
name: base
domain: d
fields: {a: attributes.a, b: attributes.b, t: {path: description, read: said, term: [dog, cat]}}
vocab: {size: {order: best_first, words: [large, small]}}
groups: {both: [a, b], pets: [dog, cat]}
rules:
  - {code: one, when: {a: large}, forbid: {b: {scale: "@size", at_least: large}}, hint: not twice}
  - {code: two, forbid: {t: {values: "@pets", min_items: 1}}, owner: null}
  - {code: three, count: {fields: "@both", match: {not: [small]}, at_least: 1}}
  - {code: four, require: {b: {min_chars: 2}}}
"""
OWN: dict[str, Any] = {
    "extends": "base.yaml", "locale": "xx", "vocab": {"size": {"large": "lara", "small": "smi"}},
    "groups": {"pets": ["doko", "kata"]}, "fields": {"t": {"term": ["doko", "kata"]}}, "hints": {"not twice": "nu du"},
    "limits": {"four": {"b": {"min_chars": 5}}},
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    (folder / "base.yaml").write_text(BASE, "utf-8")
    own = {k: v for k, v in (OWN | changes).items() if v is not None}
    lines = [f"{k}: {json.dumps(v) if k != 'extends' else v}" for k, v in own.items()]
    (folder / "base.xx.yaml").write_text("\n".join(lines), "utf-8")
    return folder / "base.yaml"


def test_a_users_pack_is_extended_by_a_file_beside_it(tmp_path: Path) -> None:
    pack = load_pack(written(tmp_path), locale="xx")
    assert pack.name == "base.xx"
    assert [v.code for v in pack.check({"a": "lara", "b": "lara", "t": ("kata",)})] == ["one", "two", "four"]
    assert [v.code for v in pack.check({"a": "smi", "b": "smi"})] == ["three", "four"]
    assert [v.hint for v in pack.check({"a": "lara", "b": "lara xx"})] == []
    assert not load_pack(tmp_path / "base.yaml").check({"a": "lara", "b": "lara"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocab": {"size": {"large": "lara"}}}, "'small' is not said"),
        ({"vocab": {"size": {"large": "lara", "smal": "smi"}}}, "unknown word 'smal'"),
        ({"vocab": {"size": ["lara", "smi"]}}, "is a list"),
        ({"vocab": {}}, "'size' is not said"),
        ({"groups": {}}, "'pets' is not said"),
        ({"groups": {"pets": ["doko"], "both": ["a"]}}, "unknown group 'both'"),
        ({"fields": {}}, "'t' is not said"),
        ({"fields": {"t": {"term": ["doko"], "path": "names.full"}}}, "unknown key 'path'"),
        ({"hints": {}}, "'not twice' is not said"),
        ({"limits": {"five": {}}}, "unknown rule 'five'"),
        ({"limits": {"four": {"b": {"min": 1}}}}, "unknown limit 'min'"),
        ({"limits": {"four": {"a": {"min_chars": 1}}}}, "unknown limit 'min_chars'"),
        ({"rules": []}, "unknown key 'rules'"),
        ({"owners": {}}, "unknown key 'owners'"),
        ({"locale": "en"}, "locale is 'en'"),
        ({"locale": None}, "locale is None"),
        ({"groups": ["pets"]}, "groups is list"),
    ],
)
def test_a_locale_that_is_not_whole_or_says_more_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises((RecipeError, UnknownKeyError), match=says):
        load_pack(written(tmp_path, **changes), locale="xx")


def test_an_unknown_locale_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'fr'") as caught:
        load_pack("student", locale="fr")
    assert caught.value.hint == "Locales: de, en."
    with pytest.raises(InputError, match=r"base\.fr\.yaml"):
        load_pack(written(tmp_path), locale="fr")
    with pytest.raises(InputError, match="'fr'"):
        clean_people("student", 1, seed=1, locale="fr")
    with pytest.raises(InputError, match="patient"):
        clean_people("patient", 1, seed=1, locale="de")
    with pytest.raises(InputError, match="'age_negative' has no words"):
        corrupt(clean_people("student", 1, seed=1)[0], "age_negative", np.random.default_rng(0), locale="de")


def test_the_command_lints_german_students(tmp_path: Path) -> None:
    people = clean_people("student", 4, seed=9, locale="de")
    path = tmp_path / "people.jsonl"
    bodies = [*people, corrupt(people[0], "diagnosis_claimed", np.random.default_rng(1), locale="de")]
    path.write_text(
        "\n".join(json.dumps(b if isinstance(b, dict) else b.dump(), ensure_ascii=False) for b in bodies), "utf-8"
    )
    told = CliRunner().invoke(app, ["lint", str(path), "--pack", "student.de", "--json"])
    assert told.exit_code == 2
    found = json.loads(told.stdout)["data"]["findings"]
    assert {(f["line"], f["code"], f["pack"]) for f in found} == {(5, "R12_not_diagnostic", "student.de")}


def test_auto_takes_the_language_of_the_record() -> None:
    (german,), (english,) = (clean_people("student", 1, seed=2, locale=locale) for locale in ("de", "en"))
    assert lint(german) == lint(english) == ()
    rng = np.random.default_rng(3)
    wrong = corrupt(german, "level_against_text", rng, locale="de")
    (found,) = {f.pack for f in lint(wrong)}
    assert found == "student.de"
    assert list(lint_many([wrong, english, {"ext": {"student": {"academic_level": "good"}}}])) == [
        lint(wrong), (), lint({"ext": {"student": {"academic_level": "good"}}}),
    ]  # fmt: skip
    assert {f.pack for f in lint({"ext": {"student": {"academic_level": "good"}}})} == {None, "student"}
