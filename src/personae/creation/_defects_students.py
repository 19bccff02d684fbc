"""Seeded defects of students: what the frozen operators do to a clean record."""

from __future__ import annotations

from typing import Final

from personae.creation import _defects as d
from personae.creation._defects import Body, Rng

# Students -----------------------------------------------------------------------------------------------------------

_SHIFT: Final = {
    "high": "fairly low", "fairly high": "low", "upper-middle": "low", "middle": "high", "fairly low": "fairly high",
    "low": "upper-middle",
}  # fmt: skip


def _student(body: Body) -> Body | None:
    return body.get("ext", {}).get("student")


@d.kind("student")
def _grade_against_age(body: Body, rng: Rng) -> bool:
    """A grade at least three years off the age."""
    student = _student(body)
    if student is None or student.get("grade") is None:
        return False
    old = int(student["grade"])
    options = [g for g in range(1, 13) if abs(g - old) >= 3]
    student["grade"] = d.one(rng, options)
    (student.get("sampling") or {}).pop("grade", None)
    return True


@d.kind("student")
def _piaget_against_age(body: Body, rng: Rng) -> bool:
    """A stage of thinking that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None or 10 < age < 13:
        return False
    young = ("formal operational", "formal operational stage", "formal operations")
    older = ("concrete operational", "concrete operational stage", "sensorimotor", "preoperational")
    student.setdefault("stages", {})["piaget"] = d.one(rng, young if age <= 10 else older)
    return True


@d.kind("student")
def _erikson_against_age(body: Body, rng: Rng) -> bool:
    """A psychosocial crisis that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None or 10 < age < 14:
        return False
    young = ("identity vs role confusion", "intimacy vs isolation", "identity versus role confusion")
    older = ("industry vs inferiority", "initiative vs guilt", "industry versus inferiority", "integrity vs despair")
    student.setdefault("stages", {})["erikson"] = d.one(rng, young if age <= 10 else older)
    return True


@d.kind("student")
def _kohlberg_against_age(body: Body, rng: Rng) -> bool:
    """A stage of moral judgement that does not fit the age."""
    student, age = _student(body), d.age_of(body)
    if student is None or age is None:
        return False
    wrong = (
        ("post-conventional", "conventional level") if age <= 9
        else ("post-conventional",) if age <= 13
        else ("pre-conventional", "preconventional")
    )  # fmt: skip
    if age == 14:
        return False
    student.setdefault("stages", {})["kohlberg"] = d.one(rng, wrong)
    return True


@d.kind("student")
def _strong_is_weak(body: Body, rng: Rng) -> bool:
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


@d.kind("student")
def _no_weak_subject(body: Body, rng: Rng) -> bool:
    """No weak (or no strong) subject at all."""
    student = _student(body)
    if student is None:
        return False
    student[d.one(rng, ("weak_subjects", "strong_subjects"))] = d.one(rng, ([], [""]))
    return True


@d.kind("student")
def _unknown_academic_level(body: Body, rng: Rng) -> bool:
    """An academic level outside the set."""
    student = _student(body)
    if student is None:
        return False
    student["academic_level"] = d.one(
        rng, ("average", "top 5%", "good", "excellent", "Top 10", "30%", "bottom half", "middle")
    )
    (student.get("sampling") or {}).pop("academic_level", None)
    return True


@d.kind("student")
def _level_against_target(body: Body, rng: Rng) -> bool:
    """Another academic level than the slot asked for."""
    student = _student(body)
    if student is None or student.get("academic_level") is None:
        return False
    slot = student.get("sampling") or {}
    levels = [w for w in ("top 10%", "10-30%", "30-50%", "bottom 50%") if w != student["academic_level"]]
    student["sampling"] = {**slot, "academic_level": d.one(rng, levels)}
    return True


@d.kind("student")
def _level_against_text(body: Body, rng: Rng) -> bool:
    """A paragraph that gives another level than the record."""
    student = _student(body)
    levels = (student or {}).get("levels") or {}
    group = d.one(rng, ("values", "creativity", "health"))
    found = levels.get(group) or {}
    if not found:
        return False
    name = d.one(rng, sorted(found))
    if found[name] not in _SHIFT:
        return False
    found[name] = _SHIFT[found[name]]
    return True


@d.kind("student")
def _too_optimistic(body: Body, rng: Rng) -> bool:
    """A weak pupil in whom everything is high."""
    student = _student(body)
    if student is None or student.get("academic_level") not in {"30-50%", "bottom 50%"}:
        return False
    group = d.one(rng, ("values", "creativity"))
    levels = (student.get("levels") or {}).get(group) or {}
    if not levels:
        return False
    for name in levels:
        levels[name] = d.one(rng, ("high", "fairly high", "upper-middle"))
    return True


@d.kind("student")
def _empty_paragraph(body: Body, rng: Rng) -> bool:
    """A paragraph that nobody wrote."""
    student = _student(body)
    if student is None:
        return False
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    student[key] = d.one(rng, ("", "   ", None))
    return True


@d.kind("student")
def _two_paragraphs(body: Body, rng: Rng) -> bool:
    """A paragraph broken in two."""
    student = _student(body)
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    text = (student or {}).get(key)
    if student is None or not text or ". " not in text:
        return False
    head, _, tail = text.partition(". ")
    student[key] = f"{head}.{d.one(rng, (chr(10), chr(10) * 2, chr(13) + chr(10)))}{tail}"
    return True


@d.kind("student")
def _diagnosis_claimed(body: Body, rng: Rng) -> bool:
    """A diagnosis in text that must not diagnose."""
    student = _student(body)
    if student is None or not student.get("mental_health"):
        return False
    student["mental_health"] += " " + d.one(rng, (
        "A doctor diagnosed depression last year.", "This meets the criteria for generalised anxiety disorder.",
        "Clinical depression has been confirmed.", "There is a diagnosis of ADHD.", "Symptoms of PTSD are present.",
        "A major depressive disorder is likely.", "Treatment with antidepressants has begun.",
        "The pupil suffers from bipolar disorder.", "An eating disorder was found.",
    ))  # fmt: skip
    return True


@d.kind("student")
def _severe_crisis_with_steady_values(body: Body, rng: Rng) -> bool:
    """Steady, positive values beside severe impairment."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("values") or {}
    positive = sum(v in {"high", "fairly high", "upper-middle"} for v in levels.values())
    if student is None or positive < 5 or levels.get("body_mind") in {"fairly low", "low", None}:
        return False
    if not student.get("mental_health"):
        return False
    student["mental_health"] += " " + d.one(rng, (
        "Daily life is severely impaired.", "There are suicidal thoughts.",
        "The pupil is unable to function at school.",
        "Self-harm happens every week.", "It is a severe crisis.",
    ))  # fmt: skip
    return True


@d.kind("student")
def _flat_creativity(body: Body, rng: Rng) -> bool:
    """Eight creativity levels that are all the same."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("creativity") or {}
    if student is None or len(levels) < 8:
        return False
    word = d.one(rng, ("middle", "fairly low", "low"))
    for name in levels:
        levels[name] = word
    return True


@d.kind("student")
def _broken_handle(body: Body, rng: Rng) -> bool:
    """A handle that does not follow the pattern."""
    if _student(body) is None:
        return False
    body["names"]["handle"] = d.one(
        rng, ("coolkid99", "mei3lin2", "_mei3", "Mei Lin", "mei_lin", "mei3-lin2", "@mei3_lin2")
    )
    return True


@d.kind("student")
def _infeasible_but_proposing(body: Body, rng: Rng) -> bool:
    """Low feasibility beside excellent proposals."""
    student = _student(body)
    levels = ((student or {}).get("levels") or {}).get("creativity") or {}
    if student is None or not {"feasibility", "proposing"} <= set(levels):
        return False
    levels["feasibility"] = "low"
    levels["proposing"] = d.one(rng, ("high", "fairly high", "upper-middle"))
    return True


@d.kind("student")
def _healthy_body_ill_mind(body: Body, rng: Rng) -> bool:
    """High body-mind health beside a low overall state or a high risk."""
    student = _student(body)
    levels = (student or {}).get("levels") or {}
    if student is None or "body_mind" not in (levels.get("values") or {}) or not levels.get("health"):
        return False
    levels["values"]["body_mind"] = "high"
    name, word = d.one(
        rng, (("overall", "low"), ("depression", "high"), ("anxiety", "high"), ("overall", "fairly low"))
    )
    levels["health"][name] = word
    return True


@d.kind("student")
def _avoidant_team_player(body: Body, rng: Rng) -> bool:
    """Avoids people, and is always in a team."""
    student = _student(body)
    if student is None or not student.get("social_relations") or not student.get("creativity"):
        return False
    avoids = d.one(
        rng, ("avoids other people", "is socially withdrawn", "keeps away from everyone", "avoids social contact")
    )
    teams = d.one(
        rng, ("always works in a team", "never works alone", "is constantly in teams", "always works in groups")
    )
    student["social_relations"] += f" At school this pupil {avoids}."
    student["creativity"] += f" For every project this pupil {teams}."
    return True


@d.kind("student")
def _stock_phrase(body: Body, rng: Rng) -> bool:
    """A stock phrase or filler in a paragraph."""
    student = _student(body)
    key = d.one(rng, ("personality", "values", "social_relations", "creativity", "mental_health"))
    if student is None or not student.get(key):
        return False
    student[key] += " " + d.one(rng, (
        "As an AI language model, I cannot say more.", "Lorem ipsum dolor sit amet.", "[insert detail here]",
        "I hope this helps!", "{name} likes school.", "TBD.", "Here is the paragraph you asked for.",
    ))  # fmt: skip
    return True


@d.kind("student")
def _same_paragraph_twice(body: Body, rng: Rng) -> bool:
    """One paragraph used for two fields."""
    student = _student(body)
    one, two = d.one(rng, (("personality", "social_relations"), ("social_relations", "personality")))
    if student is None or not student.get(one):
        return False
    student[two] = student[one]
    return True
