"""Seeded defects of students: what the frozen operators do to a clean record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from personae.creation import _defects as d
from personae.creation._defects import Body, Rng
from personae.creation._record_words import RecordWords, record_words

Said = RecordWords
_SHIFT: Final = (4, 5, 5, 0, 1, 2)
"""A level, by its place from the best one, and what it is made into."""


def _of_student(operator: Callable[[Body, Rng, Said], bool]) -> Callable[[Body, Rng, Said], bool]:
    """Register an operator that takes its words from a language."""
    name = operator.__name__.removeprefix("_")

    def apply(body: Body, rng: Rng, locale: str = "en") -> bool:
        return operator(body, rng, record_words(locale))

    d.KINDS[name] = d.Corruption(name, "student", (operator.__doc__ or "").strip(), apply, apply)
    return operator


def _student(body: Body) -> Body | None:
    return body.get("ext", {}).get("student")


@_of_student
def _grade_against_age(body: Body, rng: Rng, _said: Said) -> bool:
    """A grade at least three years off the age."""
    student = _student(body)
    if student is None or student.get("grade") is None:
        return False
    old = int(student["grade"])
    options = [g for g in range(1, 13) if abs(g - old) >= 3]
    student["grade"] = d.one(rng, options)
    (student.get("sampling") or {}).pop("grade", None)
    return True


@_of_student
def _piaget_against_age(body: Body, rng: Rng, said: Said) -> bool:
    """A stage of thinking that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None or 10 < age < 13:
        return False
    words = said.defects.piaget_young if age <= 10 else said.defects.piaget_older
    student.setdefault("stages", {})["piaget"] = d.one(rng, words)
    return True


@_of_student
def _erikson_against_age(body: Body, rng: Rng, said: Said) -> bool:
    """A psychosocial crisis that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None or 10 < age < 14:
        return False
    words = said.defects.erikson_young if age <= 10 else said.defects.erikson_older
    student.setdefault("stages", {})["erikson"] = d.one(rng, words)
    return True


@_of_student
def _kohlberg_against_age(body: Body, rng: Rng, said: Said) -> bool:
    """A stage of moral judgement that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None:
        return False
    if age == 14:
        return False
    bad = said.defects
    wrong = bad.kohlberg_young if age <= 9 else bad.kohlberg_middle if age <= 13 else bad.kohlberg_older
    student.setdefault("stages", {})["kohlberg"] = d.one(rng, wrong)
    return True


@_of_student
def _strong_is_weak(body: Body, rng: Rng, _said: Said) -> bool:
    """A subject that is strong and weak."""
    student = _student(body)
    if student is None or not student.get("strong_subjects"):
        return False
    subject = str(d.one(rng, list(student["strong_subjects"])))
    student["weak_subjects"] = [
        *student.get("weak_subjects", ()),
        d.one(rng, (subject, subject.title(), subject.upper())),
    ]
    return True


@_of_student
def _no_weak_subject(body: Body, rng: Rng, _said: Said) -> bool:
    """No weak (or no strong) subject at all."""
    student = _student(body)
    if student is None:
        return False
    student[d.one(rng, ("weak_subjects", "strong_subjects"))] = d.one(rng, ([], [""]))
    return True


@_of_student
def _unknown_academic_level(body: Body, rng: Rng, said: Said) -> bool:
    """An academic level outside the set."""
    student = _student(body)
    if student is None:
        return False
    student["academic_level"] = d.one(rng, said.defects.unknown_levels)
    (student.get("sampling") or {}).pop("academic_level", None)
    return True


@_of_student
def _level_against_target(body: Body, rng: Rng, said: Said) -> bool:
    """Another academic level than the slot asked for."""
    student = _student(body)
    if student is None or student.get("academic_level") is None:
        return False
    slot = student.get("sampling") or {}
    levels = [w for w in said.academic if w != student["academic_level"]]
    student["sampling"] = {**slot, "academic_level": d.one(rng, levels)}
    return True


@_of_student
def _level_against_text(body: Body, rng: Rng, said: Said) -> bool:
    """A paragraph that gives another level than the record."""
    student = _student(body)
    levels = (student or {}).get("levels") or {}
    group = d.one(rng, ("values", "creativity", "health"))
    found = levels.get(group) or {}
    if not found:
        return False
    name = d.one(rng, sorted(found))
    if found[name] not in said.levels:
        return False
    found[name] = said.levels[_SHIFT[said.levels.index(found[name])]]
    return True


@_of_student
def _too_optimistic(body: Body, rng: Rng, said: Said) -> bool:
    """A weak pupil in whom everything is high."""
    student = _student(body)
    if student is None or student.get("academic_level") not in said.academic[2:]:
        return False
    group = d.one(rng, ("values", "creativity"))
    levels = (student.get("levels") or {}).get(group) or {}
    if not levels:
        return False
    for name in levels:
        levels[name] = d.one(rng, said.high)
    return True


@_of_student
def _empty_paragraph(body: Body, rng: Rng, _said: Said) -> bool:
    """A paragraph that nobody wrote."""
    student = _student(body)
    if student is None:
        return False
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    student[key] = d.one(rng, ("", "   ", None))
    return True


@_of_student
def _two_paragraphs(body: Body, rng: Rng, _said: Said) -> bool:
    """A paragraph broken in two."""
    student = _student(body)
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    text = (student or {}).get(key)
    if student is None or not text or ". " not in text:
        return False
    head, _, tail = text.partition(". ")
    student[key] = f"{head}.{d.one(rng, (chr(10), chr(10) * 2, chr(13) + chr(10)))}{tail}"
    return True


@_of_student
def _diagnosis_claimed(body: Body, rng: Rng, said: Said) -> bool:
    """A diagnosis in text that must not diagnose."""
    student = _student(body)
    if student is None or not student.get("mental_health"):
        return False
    student["mental_health"] += " " + d.one(rng, said.defects.diagnoses)
    return True


@_of_student
def _severe_crisis_with_steady_values(body: Body, rng: Rng, said: Said) -> bool:
    """Steady, positive values beside severe impairment."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("values") or {}
    positive = sum(v in said.high for v in levels.values())
    if student is None or positive < 5 or levels.get("body_mind") in {*said.levels[4:], None}:
        return False
    if not student.get("mental_health"):
        return False
    student["mental_health"] += " " + d.one(rng, said.defects.crises)
    return True


@_of_student
def _flat_creativity(body: Body, rng: Rng, said: Said) -> bool:
    """Eight creativity levels that are all the same."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("creativity") or {}
    if student is None or len(levels) < 8:
        return False
    word = d.one(rng, said.low)
    for name in levels:
        levels[name] = word
    return True


@_of_student
def _broken_handle(body: Body, rng: Rng, _said: Said) -> bool:
    """A handle that does not follow the pattern."""
    if _student(body) is None:
        return False
    body["names"]["handle"] = d.one(
        rng, ("coolkid99", "mei3lin2", "_mei3", "Mei Lin", "mei_lin", "mei3-lin2", "@mei3_lin2")
    )
    return True


@_of_student
def _infeasible_but_proposing(body: Body, rng: Rng, said: Said) -> bool:
    """Low feasibility beside excellent proposals."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("creativity") or {}
    if student is None or not {"feasibility", "proposing"} <= set(levels):
        return False
    levels["feasibility"] = said.levels[-1]
    levels["proposing"] = d.one(rng, said.high)
    return True


@_of_student
def _healthy_body_ill_mind(body: Body, rng: Rng, said: Said) -> bool:
    """High body-mind health beside a low overall state or a high risk."""
    student = _student(body)
    levels = (student or {}).get("levels") or {}
    if student is None or "body_mind" not in (levels.get("values") or {}) or not levels.get("health"):
        return False
    high, *_, fairly_low, low = said.levels
    levels["values"]["body_mind"] = high
    name, word = d.one(rng, (("overall", low), ("depression", high), ("anxiety", high), ("overall", fairly_low)))
    levels["health"][name] = word
    return True


@_of_student
def _avoidant_team_player(body: Body, rng: Rng, said: Said) -> bool:
    """Avoids people, and is always in a team."""
    student = _student(body)
    if student is None or not student.get("social_relations") or not student.get("creativity"):
        return False
    bad = said.defects
    avoids, teams = d.one(rng, bad.avoids), d.one(rng, bad.teams)
    student["social_relations"] += " " + bad.avoiding.format(avoids=avoids)
    student["creativity"] += " " + bad.teaming.format(teams=teams)
    return True


@_of_student
def _stock_phrase(body: Body, rng: Rng, said: Said) -> bool:
    """A stock phrase or filler in a paragraph."""
    student = _student(body)
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    if student is None or not student.get(key):
        return False
    student[key] += " " + d.one(rng, said.defects.stock_phrases)
    return True


@_of_student
def _same_paragraph_twice(body: Body, rng: Rng, _said: Said) -> bool:
    """One paragraph used for two fields."""
    student = _student(body)
    one, two = d.one(rng, (("personality", "social_relations"), ("social_relations", "personality")))
    if student is None or not student.get(one):
        return False
    student[two] = student[one]
    return True
