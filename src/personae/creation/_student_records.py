"""Student records as Persona, and as what a model is asked for: JSON schemas, and levels read from paragraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from personae.core import Names, Persona, Provenance, Social
from personae.creation._packs import RulePack, load_pack
from personae.creation._students import PARAGRAPHS, SKILLS, SOCIAL_CHARS


def student_persona(record: Mapping[str, Any], *, recipe: str | None = None, seed: int | None = None) -> Persona:
    """A record as a Persona: name, age and sex in the typed core, the rest under `ext.student`."""

    def level(prefix: str) -> dict[str, str]:
        return {f.removeprefix(prefix): v for f, v in record.items() if f.startswith(prefix) and v is not None}

    def number(name: str) -> int | None:
        value = record.get(name)
        return int(value) if value is not None else None

    body = {
        "grade": number("grade"),
        "stages": {name: record.get(name) for name in ("piaget", "erikson", "kohlberg")},
        "strong_subjects": tuple(record.get("strong_subjects") or ()),
        "weak_subjects": tuple(record.get("weak_subjects") or ()),
        "academic_level": record.get("academic_level"),
        **{name: record.get(name) for name in PARAGRAPHS},
        "levels": {"values": level("value_"), "creativity": level("creativity_"), "health": level("health_")},
        "sampling": {
            "grade": number("target_grade"),
            "sex": record.get("target_sex"),
            "subject_cluster": record.get("target_cluster"),
            "academic_level": record.get("target_level"),
        },
    }
    slot = {k.removeprefix("target_"): str(v) for k, v in record.items() if k.startswith("target_")}
    return Persona(
        names=Names(full=record.get("name") or "unnamed", handle=record.get("handle")),
        social=Social(age=number("age"), sex=record.get("sex")),
        ext={"student": body},
        provenance=Provenance(recipe=recipe, seed=seed, k=number("k"), attempt=number("attempt") or 0, cell=slot),
    )


def student_text(person: Persona) -> str:
    """The five paragraphs of a student, joined; those that are missing are left out."""
    return " ".join(str(text) for p in PARAGRAPHS if (text := person.get(f"ext.student.{p}")))


def student_schemas(*, guided: bool = False) -> dict[str, dict[str, Any]]:
    """JSON schema of every field that an owner of the student pack writes.

    Levels are not among them: as in the paper they are read from the paragraphs (see `read_levels`).

    Args:
        guided: give the paragraphs patterns that hold the frame the rules ask for (dimension beside level word,
            overview, radar, risk slots), for engines that decode under a schema.
    """
    pack = load_pack("student")
    text = {"type": "string", "minLength": 2, "maxLength": 40}
    subjects = {
        "type": "array",
        "minItems": 1,
        "maxItems": 3,
        "items": {"type": "string", "minLength": 3, "maxLength": 24},
    }
    paragraph = {"type": "string", "minLength": 80, "maxLength": 1200}
    out: dict[str, dict[str, Any]] = {
        "name": text,
        "handle": {"type": "string", "pattern": "^[a-z]{1,6}[1-5]_[a-z]{1,6}[1-5]([a-z]{1,6}[1-5])?$"},
        "age": {"type": "integer", "minimum": 5, "maximum": 19},
        "sex": {"enum": list(pack.vocab["sex"].words)},
        "grade": {"type": "integer", "minimum": 1, "maximum": 12},
        "piaget": {"enum": ["concrete operational", "formal operational"]},
        "erikson": {"enum": ["industry vs inferiority", "identity vs role confusion"]},
        "kohlberg": {"enum": ["pre-conventional", "conventional", "post-conventional"]},
        "strong_subjects": subjects,
        "weak_subjects": subjects,
        "academic_level": {"enum": list(pack.vocab["academic"].words)},
        "personality": {"type": "string", "minLength": 80, "maxLength": 500},
        "values": paragraph,
        "social_relations": {"type": "string", "minLength": SOCIAL_CHARS[0], "maxLength": SOCIAL_CHARS[1]},
        "creativity": paragraph,
        "mental_health": paragraph,
    }
    if guided:
        for name, pattern in _patterns(pack).items():
            out[name] = {"type": "string", "pattern": pattern}
    return out


def _patterns(pack: RulePack) -> dict[str, str]:
    """Frames of the three paragraphs that say levels."""
    level = "(" + "|".join(pack.vocab["level"].words) + ")"
    free = "[a-z][a-z ,']{18,70}"
    dims = ("Moral cultivation", "Body-mind health", "Rule-of-law awareness", "Social responsibility",
            "Political identity", "Cultural literacy", "Sense of family")  # fmt: skip
    skills = tuple(word.capitalize() for word in SKILLS.values())
    traits = "(" + "|".join(pack.groups["mental_traits"][:24]) + ")"
    return {
        "values": "^" + " ".join(f"{d} is {level}: {free}\\." for d in dims) + "$",
        "creativity": f"^Overall, {free}\\. "
        + " ".join(f"{d} is {level}: {free}\\." for d in skills)
        + f" The radar summary: {free}\\.$",
        "mental_health": f"^Overall, (she|he) is {traits} and {traits}\\. The overall state is {level} and happiness "
        f"is {level}\\. Depression risk is {level} and anxiety risk is {level}(; there are no significant symptoms|; "
        f"there is a tendency to {free}, with support from {free})\\. The background: {free}\\. To cope, "
        f"(she|he) {free}\\.$",
    }


def read_levels(draft: Mapping[str, Any]) -> dict[str, Any]:
    """A draft with the levels that its paragraphs say, where it does not give them itself."""
    pack = load_pack("student")
    out = dict(draft)
    read = pack.values(draft)
    for rule in pack.rules:
        for compare in rule.compare if rule.code.startswith("text_") else ():
            level, said = compare.fields
            if out.get(level) is None:
                out[level] = read.get(said)
    return out
