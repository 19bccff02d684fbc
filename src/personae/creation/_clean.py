"""Small invented records of students, patients and customers: examples of the domains, with nothing wrong in them.

They follow the packs by construction, not by trial: what is drawn later is drawn inside what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, Final, Literal

import numpy as np

from personae.core import InputError, Persona, derive_rng
from personae.creation._domains import Customer as _Customer  # registers the sub-schemas of ext
from personae.creation._names import NameBook, NamesSpec
from personae.creation._record_words import CleanWords, RecordWords, record_words

_PLAIN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ç": "c"})
RecordDomain = Literal["student", "patient", "customer"]
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


def clean_people(domain: RecordDomain, n: int, seed: int, *, locale: str = "en") -> tuple[Persona, ...]:
    """N invented records of a domain, none of which breaks a rule of its pack. Person k depends on (domain, seed, k).

    Args:
        domain: student, patient or customer.
        n: how many.
        seed: root seed.
        locale: `en`; students also `de`, which keep to the pack `student.de`.

    Raises:
        InputError: another domain or locale, or n below 0.

    Example:
        >>> clean_people("customer", 1, seed=7)[0].get("ext.customer.quantity") >= 1
        True
    """
    make = {"student": _student, "patient": _patient, "customer": _customer}.get(domain)
    if make is None or n < 0:
        raise InputError(f"clean_people({domain!r}, {n!r}).", hint="Domains: student, patient, customer; n from 0.")
    if domain == "student":
        words = record_words(locale)
        names = NameBook(NamesSpec(shipped=words.clean.names), seed, domain)
        return tuple(_people(domain, n, seed, partial(_student, words=words), names))
    if locale != "en":
        raise InputError(f"There are no {domain} records in the locale {locale!r}.", hint="Locales: en.")
    return tuple(_people(domain, n, seed, make, NameBook(NamesSpec(), seed, domain)))


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


def _levels(rng: np.random.Generator, names: Sequence[str], low: int, words: RecordWords) -> dict[str, str]:
    """Levels of which at least `low` stand at middle or below."""
    count = min(len(names), low + int(rng.integers(0, 2)))
    chosen = set(rng.permutation(len(names))[:count].tolist())
    return {name: _one(rng, words.low if k in chosen else words.high) for k, name in enumerate(names)}


def _student(body: dict[str, Any], rng: np.random.Generator, words: RecordWords) -> None:
    said = words.clean
    grade = int(rng.integers(1, 13))
    age = grade + int(rng.integers(5, 7))
    academic = int(rng.integers(4))
    values = _levels(rng, tuple(words.values), academic, words)
    creativity = _creativity(rng, academic, words)
    health = _health(rng, academic, words, healthy=values["body_mind"] == words.levels[0])
    subjects = [said.subjects[i] for i in rng.permutation(len(said.subjects))[:4].tolist()]
    body["names"]["handle"] = _handle(rng, body["names"], said.syllables)
    told = {"subject": subjects[0], "given": body["names"]["given"], "pupil": said.pupil[body["social"]["sex"]]}
    body["social"] = {"sex": said.sex[body["social"]["sex"]], "age": age}
    peak = words.creativity[min(creativity, key=lambda k: words.levels.index(creativity[k]))]
    told["peak"] = peak[0].lower() + peak[1:]
    body["ext"] = {
        "student": {
            "grade": grade,
            "stages": {
                "piaget": words.piaget[age >= 12],
                "erikson": words.erikson[age >= 12],
                "kohlberg": words.kohlberg[age > 10],
            },
            "strong_subjects": subjects[:2],
            "weak_subjects": subjects[2:],
            "academic_level": words.academic[academic],
            "personality": said.personality.format(likes=_one(rng, said.likes), **told),
            "values": _dimensions(values, words.values, said.dimension),
            "social_relations": _social(rng, said, told),
            "creativity": f"{said.overview.format(**told)} "
            f"{_dimensions(creativity, words.creativity, said.dimension)} {said.radar.format(**told)}",
            "mental_health": _mental(rng, health, said, told),
            "levels": {"values": values, "creativity": creativity, "health": health},
            "sampling": {"grade": grade, "sex": body["social"]["sex"], "academic_level": words.academic[academic]},
        }
    }


def _dimensions(levels: dict[str, str], names: Mapping[str, str], sentence: str) -> str:
    return " ".join(sentence.format(dimension=names[k], level=level) for k, level in levels.items())


def _handle(rng: np.random.Generator, names: Mapping[str, str], syllables: Sequence[str]) -> str:
    """Syllables with tone digits; or the name in plain letters with two digits."""
    if syllables:
        one, two, three = (f"{_one(rng, syllables)}{int(rng.integers(1, 5))}" for _ in range(3))
        return f"{one}{two}_{three}"
    family, given = (re.sub("[^a-z]", "", names[part].lower().translate(_PLAIN)) for part in ("family", "given"))
    return f"{family}.{given}{int(rng.integers(100)):02d}"


def _creativity(rng: np.random.Generator, academic: int, words: RecordWords) -> dict[str, str]:
    levels = _levels(rng, tuple(words.creativity), academic + 1 if academic else 0, words)
    high, _, upper, middle, *lower = words.levels
    if levels["feasibility"] in lower and levels["proposing"] in words.high:
        levels["proposing"] = middle
    if len(set(levels.values())) == 1:
        levels["fluency"] = upper if levels["novelty"] == high else high
    return levels


def _health(rng: np.random.Generator, academic: int, words: RecordWords, *, healthy: bool) -> dict[str, str]:
    weak = academic >= 2
    middle, fairly_low, low = words.low
    return {
        "overall": _one(rng, (middle,) if weak or rng.random() < 0.2 else words.high),
        "happiness": _one(rng, words.high if healthy else words.levels),
        "depression": _one(rng, (fairly_low, middle) if weak else (low, fairly_low)),
        "anxiety": _one(rng, (low, fairly_low, middle)),
    }


def _social(rng: np.random.Generator, said: CleanWords, told: Mapping[str, str]) -> str:
    friends = _one(rng, said.friends)
    return said.social.format(friends=friends, adults=_one(rng, said.adults), **told)


def _mental(rng: np.random.Generator, health: dict[str, str], said: CleanWords, told: Mapping[str, str]) -> str:
    one, two = _one(rng, said.traits)
    signs = _one(rng, said.signs)
    coping = _one(rng, said.coping).format(**told)
    return said.mental.format(one=one, two=two, signs=signs, coping=coping, **health, **told)


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
