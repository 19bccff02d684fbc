"""Seeded defects of students, patients and customers. Frozen: operators are added, never changed."""

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


# Patients -----------------------------------------------------------------------------------------------------------


def _patient(body: Body) -> Body | None:
    return body.get("ext", {}).get("patient")


@d.kind("patient")
def _takes_what_is_not_tolerated(body: Body, rng: Rng) -> bool:
    """A medicine among the allergies."""
    patient = _patient(body)
    if patient is None:
        return False
    name = d.one(rng, ("amoxicillin", "ibuprofen", "aspirin", "codeine", "naproxen"))
    patient["medications"] = [*patient.get("medications", ()), {"name": name, "dose_mg": 250.0, "per_day": 2.0}]
    patient["allergies"] = [*patient.get("allergies", ()), d.one(rng, (name, name.capitalize()))]
    return True


@d.kind("patient")
def _dose_beyond_any_limit(body: Body, rng: Rng) -> bool:
    """A daily dose many times the highest that is given."""
    patient = _patient(body)
    if patient is None:
        return False
    name, most = d.one(
        rng,
        (
            ("metformin", 3000),
            ("ibuprofen", 3200),
            ("paracetamol", 4000),
            ("atorvastatin", 80),
            ("lisinopril", 80),
            ("warfarin", 20),
        ),
    )
    dose = float(most * d.between(rng, 3, 20))
    others = [m for m in patient.get("medications", ()) if m["name"] != name]
    patient["medications"] = [*others, {"name": name, "dose_mg": dose, "per_day": 1.0}]
    patient.pop("note", None)
    return True


@d.kind("patient")
def _dose_in_text_differs(body: Body, rng: Rng) -> bool:
    """A note that gives another dose than the record."""
    patient = _patient(body)
    meds = [m for m in (patient or {}).get("medications", ()) if m.get("dose_mg")]
    if patient is None or not meds:
        return False
    med = d.one(rng, meds)
    other = med["dose_mg"] * d.one(rng, (2, 4, 0.5, 10))
    patient["note"] = d.one(rng, (
        f"Takes {other:g} mg of {med['name']} every morning.",
        f"{med['name'].capitalize()} {other:g} mg is taken with meals.",
        f"On {med['name']} {other:g} mg since spring.",
    ))  # fmt: skip
    return True


@d.kind("patient")
def _diabetes_drug_without_diabetes(body: Body, rng: Rng) -> bool:
    """Insulin, though diabetes is ruled out."""
    patient = _patient(body)
    if patient is None:
        return False
    patient["conditions"] = [c for c in patient.get("conditions", ()) if "diabetes" not in c.lower()]
    if not patient["conditions"]:
        patient["conditions"] = ["asthma"]
    patient["medications"] = [*(m for m in patient.get("medications", ()) if m["name"] != "metformin"),
                              {"name": d.one(rng, ("insulin", "insulin glargine", "insulin lispro"))}]  # fmt: skip
    patient["note"] = d.one(
        rng, ("No diabetes.", "Has no diabetes.", "Does not have diabetes.", "Diabetes was ruled out.")
    )
    return True


@d.kind("patient")
def _pregnant_man(body: Body, rng: Rng) -> bool:
    """A man who is pregnant."""
    patient = _patient(body)
    if patient is None:
        return False
    body.setdefault("social", {}).pop("gender", None)
    body["social"]["sex"] = "male"
    body["social"]["age"] = d.age_of(body) or d.between(rng, 20, 60)
    patient["pregnant"] = True
    return True


@d.kind("patient")
def _discharged_before_admitted(body: Body, rng: Rng) -> bool:
    """Left the ward before coming in."""
    patient = _patient(body)
    if patient is None:
        return False
    year = d.between(rng, 2015, 2024)
    patient["admitted"] = f"{year}-06-{d.between(rng, 10, 28):02d}"
    patient["discharged"] = d.one(rng, (f"{year}-05-{d.between(rng, 1, 28):02d}", f"{year - 1}-12-01", f"{year}-06-02"))
    return True


@d.kind("patient")
def _ill_before_born_or_later(body: Body, rng: Rng) -> bool:
    """An illness that began at an age the person has not reached."""
    patient, age = _patient(body), d.age_of(body)
    if patient is None or age is None:
        return False
    patient["onset_age"] = float(age + d.between(rng, 1, 40)) if rng.random() < 0.7 else -float(d.between(rng, 1, 20))
    return True


@d.kind("patient")
def _smoker_who_never_smoked(body: Body, rng: Rng) -> bool:
    """Never smoked, and smokes."""
    patient = _patient(body)
    if patient is None:
        return False
    patient["smoking"] = d.one(rng, ("never", "never smoked", "non-smoker"))
    patient["note"] = d.one(
        rng, ("Smokes a pack a day.", "Smokes ten cigarettes a day.", "A heavy smoker since youth.")
    )
    return True


@d.kind("patient")
def _body_mass_impossible(body: Body, rng: Rng) -> bool:
    """A weight or height that no living adult has."""
    patient = _patient(body)
    if patient is None or (d.age_of(body) or 0) < 18:
        return False
    key, value = d.one(
        rng, (("weight_kg", 9.0), ("weight_kg", 700.0), ("height_cm", 30.0), ("height_cm", 390.0), ("weight_kg", -70.0))
    )
    patient[key] = value
    return True


@d.kind("patient")
def _illness_of_old_age_in_a_child(body: Body, rng: Rng) -> bool:
    """An illness of old age in a child."""
    patient = _patient(body)
    if patient is None:
        return False
    keep = body["ext"]
    d.child(body, rng)
    body["ext"] = keep
    for key in ("medications", "weight_kg", "height_cm", "pregnant", "onset_age", "smoking", "alcohol", "note"):
        patient.pop(key, None)
    patient["conditions"] = [
        d.one(rng, ("Alzheimer's disease", "dementia", "Parkinson's disease", "prostate cancer", "menopause"))
    ]
    return True


# Customers ----------------------------------------------------------------------------------------------------------


def _customer(body: Body) -> Body | None:
    return body.get("ext", {}).get("customer")


@d.kind("customer")
def _complaint_before_order(body: Body, rng: Rng) -> bool:
    """A complaint about something not yet ordered."""
    customer = _customer(body)
    if customer is None:
        return False
    year = d.between(rng, 2018, 2024)
    customer["order_date"] = f"{year}-08-{d.between(rng, 5, 28):02d}"
    customer["complaint_date"] = d.one(rng, (f"{year}-07-15", f"{year - 1}-11-02", f"{year}-08-01"))
    for key in ("delivery_date", "customer_since"):
        customer.pop(key, None)
    return True


@d.kind("customer")
def _delivered_before_ordered(body: Body, rng: Rng) -> bool:
    """A delivery before the order."""
    customer = _customer(body)
    if customer is None:
        return False
    year = d.between(rng, 2018, 2024)
    customer["order_date"] = f"{year}-03-{d.between(rng, 5, 28):02d}"
    customer["delivery_date"] = d.one(rng, (f"{year}-02-20", f"{year}-03-01", f"{year - 1}-12-24"))
    customer.pop("complaint_date", None)
    customer.pop("customer_since", None)
    return True


@d.kind("customer")
def _refund_above_price(body: Body, rng: Rng) -> bool:
    """A refund larger than what was paid."""
    customer = _customer(body)
    paid = (customer or {}).get("total") or (customer or {}).get("price")
    if customer is None or not paid:
        return False
    customer["refund"] = round(float(paid) * d.one(rng, (1.5, 2, 10)) + 1, 2)
    return True


@d.kind("customer")
def _total_is_not_the_sum(body: Body, rng: Rng) -> bool:
    """A total that is not price times quantity."""
    customer = _customer(body)
    if customer is None or not customer.get("price"):
        return False
    customer["quantity"] = d.between(rng, 2, 9)
    customer["total"] = round(customer["price"] * customer["quantity"] * d.one(rng, (0.5, 2, 3)), 2)
    customer.pop("refund", None)
    return True


@d.kind("customer")
def _nothing_ordered(body: Body, rng: Rng) -> bool:
    """An order of no or fewer things."""
    customer = _customer(body)
    if customer is None:
        return False
    customer["quantity"] = d.one(rng, (0, -1, -12))
    customer.pop("total", None)
    customer.pop("refund", None)
    return True


@d.kind("customer")
def _price_below_zero(body: Body, rng: Rng) -> bool:
    """A price below nothing."""
    customer = _customer(body)
    if customer is None:
        return False
    customer["price"] = -float(d.between(rng, 1, 500))
    customer.pop("total", None)
    customer.pop("refund", None)
    return True


@d.kind("customer")
def _rating_outside_scale(body: Body, rng: Rng) -> bool:
    """A rating outside 1 to 5."""
    customer = _customer(body)
    if customer is None:
        return False
    customer["satisfaction"] = d.one(rng, (0, 6, 10, -1, 99))
    return True


@d.kind("customer")
def _customer_after_order(body: Body, rng: Rng) -> bool:
    """A customer only since after the order."""
    customer = _customer(body)
    if customer is None:
        return False
    year = d.between(rng, 2016, 2023)
    customer["order_date"] = f"{year}-04-11"
    customer["customer_since"] = d.one(rng, (str(year + 1), f"{year + 1}-02", f"{year}-09-01"))
    for key in ("delivery_date", "complaint_date"):
        customer.pop(key, None)
    return True


@d.kind("customer")
def _never_arrived_but_delivered(body: Body, rng: Rng) -> bool:
    """A parcel that never arrived, with a date of delivery."""
    customer = _customer(body)
    if customer is None:
        return False
    customer["complaint"] = d.one(
        rng,
        (
            "The parcel never arrived.",
            "It was never delivered.",
            "My order has not arrived yet.",
            "The package never came.",
        ),
    )
    customer["order_date"] = "2023-04-02"
    customer["delivery_date"] = "2023-04-09"
    customer["complaint_date"] = "2023-04-20"
    customer.pop("customer_since", None)
    customer["status"] = "delivered"
    return True


@d.kind("customer")
def _first_order_of_an_old_customer(body: Body, rng: Rng) -> bool:
    """A first order by a member of many years."""
    customer = _customer(body)
    if customer is None:
        return False
    customer["loyalty"] = d.one(
        rng, ("gold member", "platinum", "loyal customer for ten years", "member for many years")
    )
    customer["complaint"] = d.one(
        rng, ("This was my first order with you.", "I am a new customer.", "I have never ordered here before.")
    )
    customer.pop("status", None)
    customer.pop("delivery_date", None)
    return True
