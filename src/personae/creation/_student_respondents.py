"""Students who answer a survey: what a cohort can be told by, and the record as a text that is put on a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from personae.core import Persona, PersonaRow, derive_rng, plain
from personae.creation._packs import load_pack
from personae.instruments import Codebook

_TOLD_FIRST = ("personality", "social_relations", "mental_health", "values", "creativity")


def student_fields(person: Persona) -> dict[str, Any]:
    """The fields of a student record by the pack's names, and `risk`.

    It is `high` when depression or anxiety risk is middle or above, `low` when neither is, None when none is known.
    """
    pack = load_pack("student")
    fields = dict(pack.values(person))
    words = pack.vocab["level"].words
    risks = [r for r in (fields.get("health_depression"), fields.get("health_anxiety")) if r in words]
    high = any(words.index(str(r)) <= words.index("middle") for r in risks)
    return fields | {"risk": ("high" if high else "low") if risks else None}


def respondent_rows(people: Sequence[Persona], book: Codebook, *, seed: int, unit: str, role: str) -> list[PersonaRow]:
    """The students with their cohorts; whoever is in no cohort of the codebook is left out.

    Args:
        people: students.
        book: cohorts.
        seed: root seed, for what students are told and their records do not say.
        unit: key of the unit of work.
        role: of the rows.
    """
    cells = book.cells([student_fields(p) for p in people], derive_rng(seed, "cohorts"))
    return [
        PersonaRow.of(student_respondent(p, cell, book.told(cell)), unit=unit, k=p.provenance.k or 0, role=role)
        for p, cell in zip(people, cells, strict=True)
        if cell is not None
    ]


def student_respondent(person: Persona, cell: Mapping[str, str], told: str = "") -> Persona:
    """The student with a description in the second person, and with the cohort as the cell of the provenance.

    The description says first what decides the cohort, so that a budget of tokens drops the last paragraphs and not
    that. Paragraphs are as the record has them.

    Args:
        person: a student (see `student_persona`).
        cell: cohort label by column of the codebook.
        told: sentences that the record does not hold and the cohort needs.
    """
    body = person.ext["student"]
    noun = {"female": "girl", "male": "boy"}.get(str(plain(person.social.sex)), "pupil")
    age = f", {plain(person.social.age)} years old" if person.social.age is not None else ""
    said = [f"You are {person.name}, a {noun} in grade {body.get('grade')}{age}."]
    if told:
        said.append(told)
    if body.get("academic_level"):
        said.append(f"Counted from the top, your marks put you in this part of your year: {body['academic_level']}.")
    for name, words in (("strong", body.get("strong_subjects")), ("weak", body.get("weak_subjects"))):
        if words:
            said.append(f"Your {name} subjects: {', '.join(words)}.")
    said += [str(body[p]).strip() for p in _TOLD_FIRST if body.get(p)]
    origin = person.provenance.model_copy(update={"cell": dict(cell)})
    return person.model_copy(update={"description": " ".join(said), "provenance": origin})
