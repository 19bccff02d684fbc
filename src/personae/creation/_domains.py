"""What students, patients and customers have beyond other people: the sub-schemas of `Persona.ext` that packs fill.

They are loose on purpose: a level that is not in the set, or a grade that does not fit the age, is a finding of the
linter, not a reason not to read the file.
"""

from __future__ import annotations

from pydantic import Field

from personae.core import Frozen, extensions


class Stages(Frozen):
    """Developmental stages, in words."""

    piaget: str | None = None
    erikson: str | None = None
    kohlberg: str | None = None


class StudentLevels(Frozen):
    """Level words by dimension."""

    values: dict[str, str] = Field(default_factory=dict)
    creativity: dict[str, str] = Field(default_factory=dict)
    health: dict[str, str] = Field(default_factory=dict)


class SlotOfStudent(Frozen):
    """What a student was drawn for (the sampling constraint)."""

    grade: int | None = None
    sex: str | None = None
    subject_cluster: str | None = None
    academic_level: str | None = None


class Student(Frozen):
    """A pupil of grades 1 to 12: enrolment, subjects, and five paragraphs with their levels.

    Source: the record of HACHIMI (2026); the handle stands in `names.handle`, age and sex in `social`.
    """

    grade: int | None = None
    stages: Stages = Stages()
    strong_subjects: tuple[str, ...] = ()
    weak_subjects: tuple[str, ...] = ()
    academic_level: str | None = None
    personality: str | None = None
    values: str | None = None
    social_relations: str | None = None
    creativity: str | None = None
    mental_health: str | None = None
    levels: StudentLevels = StudentLevels()
    sampling: SlotOfStudent | None = None


class Medication(Frozen):
    """One medicine as it is taken."""

    name: str
    dose_mg: float | None = None
    per_day: float | None = None


class Patient(Frozen):
    """A person as a clinic's file has them: what is known, taken, measured and wished for."""

    conditions: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    medications: tuple[Medication, ...] = ()
    allergies: tuple[str, ...] = ()
    diet: str | None = None
    smoking: str | None = None
    alcohol: str | None = None
    weight_kg: float | None = None
    height_cm: float | None = None
    pregnant: bool | None = None
    onset_age: float | None = None
    admitted: str | None = None
    discharged: str | None = None
    note: str | None = None


class Customer(Frozen):
    """A person as a shop's file has them: one order, what went wrong, and what is asked for."""

    customer_since: str | None = None
    order_date: str | None = None
    delivery_date: str | None = None
    complaint_date: str | None = None
    product: str | None = None
    quantity: int | None = None
    price: float | None = None
    total: float | None = None
    refund: float | None = None
    budget: float | None = None
    channel: str | None = None
    status: str | None = None
    complaint: str | None = None
    loyalty: str | None = None
    satisfaction: int | None = None
    contacts: int | None = None


extensions.add("student", Student)
extensions.add("patient", Patient)
extensions.add("customer", Customer)
