"""Seeded defects of patients and customers: what the frozen operators do to a clean record."""

from __future__ import annotations

from personae.creation import _defects as d
from personae.creation._defects import Body, Rng

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
