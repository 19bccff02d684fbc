"""Students as respondents: their risk, what is said first, and whoever has no cohort is left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personae.core import Persona
from personae.creation import StudentSource, record_rows, respondent_rows, student_fields, student_persona
from personae.instruments import load_codebook
from personae.studies.hachimi import Hachimi

RECORDS = record_rows(StudentSource(48, 3).columns(np.arange(48)))
BOOK = load_codebook(Hachimi.folder() / "data" / "records.yaml")


@pytest.mark.parametrize(
    ("depression", "anxiety", "risk"),
    [("low", "fairly low", "low"), ("low", "middle", "high"), ("high", "low", "high"), (None, None, None)],
)
def test_risk_is_high_when_either_is_middle_or_above(depression: str, anxiety: str, risk: str) -> None:
    record = RECORDS[0] | {"health_depression": depression, "health_anxiety": anxiety}
    assert student_fields(student_persona(record))["risk"] == risk


def test_respondents_say_first_what_their_cohort_rests_on() -> None:
    people = [student_persona(r) for r in RECORDS]
    people.append(student_persona(RECORDS[0] | {"academic_level": None}))
    rows = respondent_rows(people, BOOK, seed=1, unit="cohorts", role="respondent")
    assert [r.k for r in rows] == list(range(48))
    book = load_codebook(Hachimi.folder() / "data" / "hsb82.yaml")
    cells = respondent_rows(people, book, seed=1, unit="cohorts", role="respondent")
    assert len(cells) == 49
    assert all("your family is" in r.body for r in cells)
    text = str(Persona.parse(json.loads(cells[0].body)).description)
    assert text.index("your family is") < text.index(str(RECORDS[0]["personality"]))
    assert [r.body for r in cells] == [
        r.body for r in respondent_rows(people, book, seed=1, unit="cohorts", role="respondent")
    ]
    assert [r.body for r in cells] != [
        r.body for r in respondent_rows(people, book, seed=2, unit="cohorts", role="respondent")
    ]
