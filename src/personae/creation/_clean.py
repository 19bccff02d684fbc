"""Small invented records of students, patients and customers: examples of the domains, with nothing wrong in them.

They follow the packs by construction, not by trial: what is drawn later is drawn inside what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal

import numpy as np

from personae.core import InputError, Persona, derive_rng
from personae.creation._domains import Customer as _Customer  # registers the sub-schemas of ext
from personae.creation._names import NameBook, NamesSpec

RecordDomain = Literal["student", "patient", "customer"]
_HIGH: Final = ("high", "fairly high", "upper-middle")
_LOW: Final = ("middle", "fairly low", "low")
_VALUES: Final = {
    "moral": "Moral cultivation", "body_mind": "Body-mind health", "law": "Rule-of-law awareness",
    "responsibility": "Social responsibility", "political": "Political identity", "cultural": "Cultural literacy",
    "family": "Sense of family",
}  # fmt: skip
_CREATIVITY: Final = {
    "fluency": "Fluency", "novelty": "Novelty", "flexibility": "Flexibility", "feasibility": "Feasibility",
    "finding": "Problem finding", "analysis": "Problem analysis", "proposing": "Proposing solutions",
    "improving": "Improving solutions",
}  # fmt: skip
_SUBJECTS: Final = (
    "mathematics", "physics", "chemistry", "biology", "history", "geography", "literature", "foreign language", "art",
    "music", "sport", "computing",
)  # fmt: skip
_ACADEMIC: Final = ("top 10%", "10-30%", "30-50%", "bottom 50%")
_SYLLABLES: Final = ("mei", "lin", "an", "rui", "bo", "chen", "jia", "ning", "tao", "yu")
_MEDICINES: Final = (
    ("hypertension", "amlodipine", (5.0, 10.0)), ("hypertension", "lisinopril", (10.0, 20.0)),
    ("type 2 diabetes", "metformin", (500.0, 850.0)), ("high cholesterol", "atorvastatin", (20.0, 40.0)),
    ("depression", "sertraline", (50.0, 100.0)), ("back pain", "ibuprofen", (200.0, 400.0)),
    ("reflux", "omeprazole", (20.0, 40.0)),
)  # fmt: skip
_PRODUCTS: Final = ("kettle", "desk lamp", "rain jacket", "headphones", "bicycle pump", "bookshelf", "running shoes")
_COMPLAINTS: Final = (
    "The handle came loose after two days.", "The colour is not the one in the picture.", "It makes a rattling noise.",
    "One part was missing in the box.", "The size does not fit as described.", "The battery is empty after an hour.",
)  # fmt: skip


def clean_people(domain: RecordDomain, n: int, seed: int) -> tuple[Persona, ...]:
    """N invented records of a domain, none of which breaks a rule of its pack. Person k depends on (domain, seed, k).

    Raises:
        InputError: another domain, or n below 0.

    Example:
        >>> clean_people("customer", 1, seed=7)[0].get("ext.customer.quantity") >= 1
        True
    """
    make = {"student": _student, "patient": _patient, "customer": _customer}.get(domain)
    if make is None or n < 0:
        raise InputError(f"clean_people({domain!r}, {n!r}).", hint="Domains: student, patient, customer; n from 0.")
    names = NameBook(NamesSpec(), seed, domain)
    return tuple(_people(domain, n, seed, make, names))


def _people(domain: str, n: int, seed: int, make: Any, names: NameBook) -> Iterator[Persona]:
    for k in range(n):
        rng = derive_rng(seed, "clean", domain, k)
        sex = "female" if rng.random() < 0.5 else "male"
        name = names.name(k, sex)  # pyright: ignore[reportArgumentType]
        body: dict[str, Any] = {"names": {"full": name.full, "given": name.given, "family": name.family}}
        body["social"] = {"sex": sex}
        make(body, rng)
        yield Persona.model_validate(body)


def _one(rng: np.random.Generator, items: Sequence[Any]) -> Any:
    return items[int(rng.integers(len(items)))]


def _levels(rng: np.random.Generator, names: Sequence[str], low: int) -> dict[str, str]:
    """Levels of which at least `low` stand at middle or below."""
    count = min(len(names), low + int(rng.integers(0, 2)))
    chosen = set(rng.permutation(len(names))[:count].tolist())
    return {name: _one(rng, _LOW if k in chosen else _HIGH) for k, name in enumerate(names)}


def _student(body: dict[str, Any], rng: np.random.Generator) -> None:
    grade = int(rng.integers(1, 13))
    age = grade + int(rng.integers(5, 7))
    academic = int(rng.integers(4))
    values = _levels(rng, tuple(_VALUES), academic)
    creativity = _creativity(rng, academic)
    health = _health(rng, academic, healthy=values["body_mind"] == "high")
    subjects = [_SUBJECTS[i] for i in rng.permutation(len(_SUBJECTS))[:4].tolist()]
    body["names"]["handle"] = f"{_syllable(rng)}{_syllable(rng)}_{_syllable(rng)}"
    body["social"]["age"] = age
    body["ext"] = {
        "student": {
            "grade": grade,
            "stages": {
                "piaget": "concrete operational" if age < 12 else "formal operational",
                "erikson": "industry vs inferiority" if age < 12 else "identity vs role confusion",
                "kohlberg": "pre-conventional" if age <= 10 else "conventional",
            },
            "strong_subjects": subjects[:2],
            "weak_subjects": subjects[2:],
            "academic_level": _ACADEMIC[academic],
            "personality": _personality(rng, subjects[0]),
            "values": " ".join(f"{_VALUES[k]} is {v}." for k, v in values.items()),
            "social_relations": _social(rng, body["names"]["given"]),
            "creativity": f"Overall the ideas come from {subjects[0]}. "
            + " ".join(f"{_CREATIVITY[k]} is {v}." for k, v in creativity.items())
            + f" The radar leans towards {_CREATIVITY[min(creativity, key=lambda k: _PLACE[creativity[k]])].lower()}.",
            "mental_health": _mental(rng, health),
            "levels": {"values": values, "creativity": creativity, "health": health},
            "sampling": {"grade": grade, "sex": body["social"]["sex"], "academic_level": _ACADEMIC[academic]},
        }
    }


_PLACE: Final = {word: place for place, word in enumerate((*_HIGH, *_LOW))}


def _syllable(rng: np.random.Generator) -> str:
    return f"{_one(rng, _SYLLABLES)}{int(rng.integers(1, 5))}"


def _creativity(rng: np.random.Generator, academic: int) -> dict[str, str]:
    levels = _levels(rng, tuple(_CREATIVITY), academic + 1 if academic else 0)
    if levels["feasibility"] in {"fairly low", "low"} and levels["proposing"] in _HIGH:
        levels["proposing"] = "middle"
    if len(set(levels.values())) == 1:
        levels["fluency"] = "upper-middle" if levels["novelty"] == "high" else "high"
    return levels


def _health(rng: np.random.Generator, academic: int, *, healthy: bool) -> dict[str, str]:
    weak = academic >= 2
    return {
        "overall": _one(rng, ("middle",) if weak or rng.random() < 0.2 else _HIGH),
        "happiness": _one(rng, _HIGH if healthy else (*_HIGH, *_LOW)),
        "depression": _one(rng, ("fairly low", "middle") if weak else ("low", "fairly low")),
        "anxiety": _one(rng, ("low", "fairly low", "middle")),
    }


def _personality(rng: np.random.Generator, subject: str) -> str:
    likes = _one(rng, ("asks a second question before answering", "would rather finish one thing than start three",
                       "laughs easily and forgives quickly", "keeps a list of small plans in a notebook"))  # fmt: skip
    return f"A pupil who {likes}, and who can talk about {subject} until somebody changes the topic. Deadlines help."


def _social(rng: np.random.Generator, given: str) -> str:
    friends = _one(rng, ("two close friends from the same street", "a small group that meets at the bus stop",
                         "a seat neighbour who shares lunch", "cousins who live one floor up"))  # fmt: skip
    adults = _one(
        rng, ("a class teacher who listens", "a coach who is strict but fair", "a librarian who saves good books")
    )
    return (
        f"{given} spends most breaks with {friends} and gets on with nearly everyone in class. There is {adults}, and "
        f"arguments seldom last longer than a day. With strangers it takes a while before the first joke."
    )


def _mental(rng: np.random.Generator, health: dict[str, str]) -> str:
    one, two = _one(
        rng, (("calm", "sensitive"), ("cheerful", "restless"), ("thoughtful", "shy"), ("lively", "patient"))
    )
    signs = _one(rng, (
        "There are no significant symptoms.",
        "At times there is a tendency to worry before tests, and a counsellor gives support.",
    ))  # fmt: skip
    coping = _one(rng, ("copes by drawing", "calms down on the way home", "deals with stress by running"))
    return (
        f"Overall this is a {one} and {two} pupil. Overall state is {health['overall']}. Happiness is "
        f"{health['happiness']}. Depression risk is {health['depression']}. Anxiety risk is {health['anxiety']}. "
        f"{signs} The family background is stable. When things pile up the pupil {coping}."
    )


def _patient(body: dict[str, Any], rng: np.random.Generator) -> None:
    age = int(rng.integers(22, 88))
    condition, medicine, doses = _one(rng, _MEDICINES)
    dose = _one(rng, doses)
    height = float(rng.integers(152, 196))
    admitted = date(2019, 1, 1) + timedelta(days=int(rng.integers(2000)))
    smoking = _one(rng, ("never", "former", "ten a day"))
    told = f"Takes {dose:g} mg of {medicine} in the morning." if rng.random() < 0.5 else "Sleeps well, eats little."
    body["social"]["age"] = age
    body["ext"] = {
        "patient": {
            "conditions": [condition],
            "symptoms": [_one(rng, ("headache", "tiredness", "dizziness", "poor sleep"))],
            "medications": [{"name": medicine, "dose_mg": dose, "per_day": float(rng.integers(1, 3))}],
            "allergies": [_one(rng, ("penicillin", "latex", "birch pollen"))],
            "smoking": smoking,
            "alcohol": _one(rng, ("none", "a glass at weekends")),
            "weight_kg": round(height * height * float(rng.uniform(19, 34)) / 10_000, 1),
            "height_cm": height,
            "onset_age": float(rng.integers(max(18, age - 20), age + 1)),
            "admitted": admitted.isoformat(),
            "discharged": (admitted + timedelta(days=int(rng.integers(1, 15)))).isoformat(),
            "note": told,
        }
    }


def _customer(body: dict[str, Any], rng: np.random.Generator) -> None:
    ordered = date(2020, 1, 1) + timedelta(days=int(rng.integers(1500)))
    delivered = ordered + timedelta(days=int(rng.integers(1, 9)))
    price, quantity = round(float(rng.uniform(5, 300)), 2), int(rng.integers(1, 4))
    total = round(price * quantity, 2)
    body["social"]["age"] = int(rng.integers(18, 85))
    record = {
        "customer_since": str(ordered.year - int(rng.integers(0, 8))),
        "order_date": ordered.isoformat(),
        "delivery_date": delivered.isoformat(),
        "complaint_date": (delivered + timedelta(days=int(rng.integers(0, 30)))).isoformat(),
        "product": _one(rng, _PRODUCTS),
        "quantity": quantity,
        "price": price,
        "total": total,
        "refund": _one(rng, (None, total, round(total / 2, 2))),
        "channel": _one(rng, ("shop", "web", "phone")),
        "status": "delivered",
        "complaint": _one(rng, _COMPLAINTS),
        "loyalty": _one(rng, ("none", "silver", "gold member")),
        "satisfaction": int(rng.integers(1, 6)),
        "contacts": int(rng.integers(0, 5)),
    }
    body["ext"] = {"customer": _Customer.model_validate(record).model_dump(exclude_none=True)}
