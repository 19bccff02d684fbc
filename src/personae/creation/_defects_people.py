"""Seeded defects that anybody may have. Frozen: operators are added, never changed."""

from __future__ import annotations

from personae.creation import _defects as d
from personae.creation._defects import Body, Rng


@d.kind("general")
def _age_negative(body: Body, rng: Rng) -> bool:
    """An age below 0."""
    d.part_of(body, "social")["age"] = -d.between(rng, 1, 60)
    return True


@d.kind("general")
def _age_over_120(body: Body, rng: Rng) -> bool:
    """An age nobody reaches."""
    d.part_of(body, "social")["age"] = d.between(rng, 124, 900)
    return True


@d.kind("general")
def _child_with_degree(body: Body, rng: Rng) -> bool:
    """A child with a degree."""
    d.child(body, rng)
    degrees = (
        "a doctorate", "PhD in physics", "Ph.D.", "a master's degree", "a graduate degree", "MBA",
        "a bachelor's degree", "a college degree", "law degree", "medical degree", "university degree in history",
        "postgraduate diploma",
    )  # fmt: skip
    body["social"]["education"] = d.one(rng, degrees)
    return True


@d.kind("general")
def _child_with_profession(body: Body, rng: Rng) -> bool:
    """A child with a job that takes years of training."""
    d.child(body, rng)
    jobs = (
        "surgeon", "lawyer", "airline pilot", "physician", "accountant", "police officer", "truck driver", "engineer",
        "electrician", "nurse on a night ward", "university lecturer", "retired judge", "construction worker",
        "bank manager", "taxi driver", "school principal", "software developer", "architect",
    )  # fmt: skip
    body["social"]["occupation"] = d.one(rng, jobs)
    return True


@d.kind("general")
def _retired_young(body: Body, rng: Rng) -> bool:
    """Retired from working life at an age when it has just begun."""
    if not d.grown(body):
        return False
    social = body["social"]
    social["age"] = d.between(rng, 18, 30)
    for key in ("occupation", "income", "education"):
        social.pop(key, None)
    for key in ("timeline", "relations", "description", "attributes", "provenance"):
        body.pop(key, None)
    if rng.random() < 0.5:
        social["employment"] = d.one(rng, ("retired", "Retired", "retired, on a pension", "in retirement"))
    else:
        social.pop("employment", None)
        social["occupation"] = d.one(rng, ("retired", "retired teacher", "retired nurse", "pensioner"))
    return True


@d.kind("general")
def _married_child(body: Body, rng: Rng) -> bool:
    """A child who is or was married."""
    d.child(body, rng)
    body["social"]["marital_status"] = d.one(
        rng, ("married", "divorced", "widowed", "separated", "Married with two kids")
    )
    return True


@d.kind("general")
def _child_older_than_parent(body: Body, rng: Rng) -> bool:
    """A son or daughter who is older than, or nearly as old as, the parent."""
    if not d.grown(body):
        return False
    age = min(body["social"]["age"] + d.between(rng, -5, 15), 110)
    note = d.one(
        rng, (f"{age} years old", f"aged {age}", f"age {age}", f"is {age} years old", f"a {age}-year-old plumber")
    )
    kind = d.one(rng, ("son", "daughter", "eldest daughter", "younger son", "child"))
    body["relations"] = [
        *body.get("relations", ()),
        {"name": d.one(rng, ("Kim", "Robin", "Sasha")), "kind": kind, "note": note},
    ]
    return True


@d.kind("general")
def _parent_younger_than_child(body: Body, rng: Rng) -> bool:
    """A mother or father who is younger than the person."""
    if not d.grown(body, 25):
        return False
    age = max(body["social"]["age"] - d.between(rng, 0, 20), 3)
    note = d.one(rng, (f"{age} years old", f"aged {age}", f"age {age}", f"turned {age} this year"))
    kind = d.one(rng, ("mother", "father", "mum", "dad"))
    body["relations"] = [
        *body.get("relations", ()),
        {"name": d.one(rng, ("Pat", "Lee", "Jo")), "kind": kind, "note": note},
    ]
    return True


@d.kind("general")
def _birth_year_against_age(body: Body, rng: Rng) -> bool:
    """A year of birth that the age contradicts."""
    age = d.age_of(body)
    if age is None or "student" in body.get("ext", {}):
        return False
    year = 2026 - age
    year = year - d.between(rng, 45, 90) if rng.random() < 0.6 else year + d.between(rng, 30, 60)
    if rng.random() < 0.5:
        d.attribute(body, d.one(rng, ("birth_year", "born", "year_of_birth", "birth.year")), year)
    else:
        d.say(body, d.one(rng, (f"Born in {year}, {d.given_name(body)} is {age} years old.",
                              f"{d.given_name(body)} was born in {year} and is now {age}.")))  # fmt: skip
    return True


@d.kind("general")
def _death_before_event(body: Body, rng: Rng) -> bool:
    """An own death in the timeline, followed by more life."""
    age = d.age_of(body)
    if age is None or age < 12:
        return False
    year = 2026 - d.between(rng, 3, 9)
    death = d.one(rng, ("died of a heart attack", "passed away after a long illness", "was killed in a car crash",
                       "died in an avalanche", "drowned while swimming"))  # fmt: skip
    after = d.one(rng, ("opened a second shop", "moved to another town", "took up the cello", "adopted a dog"))
    body["timeline"] = [
        *(e for e in body.get("timeline", ()) if not str(e.get("when", "")).isdigit()),
        {"when": str(year), "what": death},
        {"when": str(year + d.between(rng, 1, 2)), "what": after},
    ]
    return True


@d.kind("general")
def _event_before_birth(body: Body, rng: Rng) -> bool:
    """An event of the own life before it began."""
    age = d.age_of(body)
    if age is None or age > 105:
        return False
    year = 2026 - age
    d.attribute(body, "birth_year", year)
    event = d.one(rng, ("left school", "married a neighbour", "won a rowing medal", "bought a first car"))
    when = str(year - d.between(rng, 2, 60))
    body["timeline"] = [
        *body.get("timeline", ()),
        {"when": d.one(rng, (when, f"{when}-05", f"{when}-03-14")), "what": event},
    ]
    return True


@d.kind("general")
def _event_after_age(body: Body, rng: Rng) -> bool:
    """An event at an age that the person has not reached."""
    age = d.age_of(body)
    if age is None or age > 95:
        return False
    then = age + d.between(rng, 1, 40)
    when = d.one(rng, (f"Age {then}", f"age {then}", f"At {then}", f"at the age of {then}", f"At age {then}"))
    event = d.one(rng, ("learned to sail", "gave up smoking", "lost the house keys for good", "changed trade"))
    body["timeline"] = [*body.get("timeline", ()), {"when": when, "what": event}]
    return True


@d.kind("general")
def _vegetarian_likes_meat(body: Body, rng: Rng) -> bool:
    """A vegetarian or vegan who likes meat."""
    diet = d.one(rng, ("vegetarian", "vegan", "strictly vegetarian", "a lifelong vegetarian"))
    d.attribute(body, d.one(rng, ("diet", "food.diet", "food.eats", "eating_habits")), diet)
    d.append(body, "context", "likes", d.one(rng, (
        "a rare steak", "grilled lamb chops", "bacon for breakfast", "barbecued ribs", "roast chicken", "beef stew",
        "hamburgers", "pork sausages", "chicken wings",
    )))  # fmt: skip
    return True


@d.kind("general")
def _allergic_to_own_pet(body: Body, rng: Rng) -> bool:
    """Somebody allergic to the animal at home."""
    animal = d.one(rng, ("cat", "dog", "horse", "rabbit"))
    many = f"{animal}s"
    if rng.random() < 0.5:
        d.part_of(body, "context")["health"] = d.one(
            rng, (f"allergic to {many}", f"severe allergy to {many}", f"{animal} allergy")
        )
    else:
        d.attribute(body, d.one(rng, ("allergies", "health.allergies", "allergy")), many)
    own = d.one(rng, (f"two {many}", f"one {animal}", f"a {animal} called Pim"))
    if rng.random() < 0.5:
        d.attribute(body, d.one(rng, ("pets", "home.pets", "pet")), own)
    else:
        body["relations"] = [*body.get("relations", ()), {"name": "Pim", "kind": d.one(rng, (animal, f"pet {animal}"))}]
    return True


@d.kind("general")
def _teetotal_drinker(body: Body, rng: Rng) -> bool:
    """Somebody who never drinks and likes strong drink."""
    word = d.one(
        rng, ("teetotal", "never drinks alcohol", "does not drink alcohol", "teetotaller", "no alcohol at all")
    )
    d.attribute(body, d.one(rng, ("alcohol", "drinks", "drinking", "health.alcohol")), word)
    d.append(body, "context", "likes", d.one(rng, (
        "single malt whisky", "a pint of stout after work", "red wine", "gin and tonic", "craft beer", "vodka shots",
        "a glass of bourbon", "champagne breakfasts",
    )))  # fmt: skip
    return True


@d.kind("general")
def _unemployed_with_job(body: Body, rng: Rng) -> bool:
    """Out of work, and with a job."""
    if not d.grown(body):
        return False
    social = body["social"]
    social["occupation"] = d.value_of(social.get("occupation")) or d.one(
        rng, ("nurse", "cook", "bus driver", "office clerk")
    )
    if any(
        w in str(social["occupation"]).lower() for w in ("retired", "student", "unemployed", "between jobs", "former")
    ):
        social["occupation"] = "bus driver"
    social["employment"] = d.one(
        rng, ("unemployed", "unemployed and looking for work", "out of work", "jobless", "Unemployed")
    )
    body.get("attributes", {}).pop("main_activity", None)
    body.pop("description", None)
    social.pop("income", None)
    body.pop("provenance", None)
    return True


@d.kind("general")
def _student_without_schooling(body: Body, rng: Rng) -> bool:
    """A university student who never went to school."""
    if not d.grown(body):
        return False
    social = body["social"]
    social["age"] = d.between(rng, 18, 24)
    social.pop("employment", None)
    social.pop("income", None)
    for key in ("timeline", "relations", "description", "attributes", "provenance", "context", "knowledge"):
        body.pop(key, None)
    social["occupation"] = d.one(
        rng, ("university student", "medical student", "PhD student", "law student", "college student")
    )
    social["education"] = d.one(
        rng, ("none", "no schooling", "never went to school", "no formal education", "never attended school")
    )
    return True


@d.kind("general")
def _income_above_band(body: Body, rng: Rng) -> bool:
    """An exact income far outside the band."""
    if not d.grown(body):
        return False
    low, high, band = d.one(rng, (
        (0, 15000, "up to $15,000 a year"), (15000, 35000, "$15,000 to $35,000 a year"),
        (0, 20000, "under $20,000 a year"),
        (35000, 60000, "$35,000 to $60,000 a year"), (20000, 40000, "20,000-40,000 dollars"),
        (0, 30000, "less than $30,000"),
    ))  # fmt: skip
    body["social"]["income"] = band
    exact = high * d.between(rng, 2, 9)
    del low
    if rng.random() < 0.5:
        d.attribute(body, d.one(rng, ("yearly_income", "income.exact", "annual_income", "salary")), exact)
    else:
        name = d.given_name(body)
        d.say(
            body,
            d.one(
                rng,
                (
                    f"{name} earns ${exact:,} a year.",
                    f"I make ${exact:,} a year.",
                    f"{name} has an income of ${exact:,} per year.",
                ),
            ),
        )
    return True


@d.kind("general")
def _single_with_spouse(body: Body, rng: Rng) -> bool:
    """Never married, and with a wife or husband."""
    if not d.grown(body):
        return False
    body["social"]["marital_status"] = d.one(rng, ("single", "never married", "Single", "unmarried"))
    body["relations"] = [
        *(r for r in body.get("relations", ()) if r.get("kind") not in {"wife", "husband", "spouse"}),
        {"name": d.one(rng, ("Robin", "Chris", "Alex")), "kind": d.one(rng, ("wife", "husband", "spouse"))},
    ]
    return True


@d.kind("general")
def _liked_and_disliked(body: Body, rng: Rng) -> bool:
    """The same thing among likes and dislikes."""
    thing = d.one(rng, ("long train journeys", "board games", "rain", "crowded markets", "opera", "spicy food"))
    context = d.part_of(body, "context")
    old = context.get("likes") or ()
    if old and rng.random() < 0.5:
        thing = str(d.value_of(d.one(rng, list(old))))
    else:
        d.append(body, "context", "likes", thing)
    d.append(body, "context", "dislikes", d.one(rng, (thing, thing.upper(), thing.capitalize())))
    return True


@d.kind("general")
def _skilled_and_ignorant(body: Body, rng: Rng) -> bool:
    """A skill among the things not known."""
    skill = d.one(rng, ("cooking", "chess", "car repair", "statistics", "Spanish", "sewing"))
    knows = d.part_of(body, "knowledge")
    knows["skills"] = {**knows.get("skills", {}), skill: d.one(rng, ("expert", "very good", "professional"))}
    knows["ignorance"] = [*knows.get("ignorance", ()), d.one(rng, (skill, skill.capitalize()))]
    return True


@d.kind("general")
def _illiterate_reader(body: Body, rng: Rng) -> bool:
    """Cannot read, and loves reading."""
    word = d.one(rng, ("cannot read or write", "illiterate", "never learned to read", "unable to read"))
    d.attribute(body, d.one(rng, ("literacy", "reading", "skills.reading")), word)
    d.append(body, "context", d.one(rng, ("likes", "interests")), d.one(rng, (
        "reading long novels", "reading the newspaper", "crime novels", "reading poetry", "writing letters",
    )))  # fmt: skip
    return True


@d.kind("general")
def _non_smoker_smokes(body: Body, rng: Rng) -> bool:
    """Never smokes, and smokes every day."""
    word = d.one(rng, ("non-smoker", "never smoked", "does not smoke", "never"))
    d.attribute(body, d.one(rng, ("smoking", "health.smoking", "smokes")), word)
    d.append(body, "context", "routines", d.one(rng, (
        "smokes a pack a day", "a cigarette on the balcony after dinner", "smokes two cigarettes before work",
        "rolls a cigarette at ten", "a cigar every Friday",
    )))  # fmt: skip
    return True


@d.kind("general")
def _career_longer_than_life(body: Body, rng: Rng) -> bool:
    """More years in the trade than the age leaves room for."""
    age = d.age_of(body)
    if not d.grown(body) or age is None or age > 80:
        return False
    years = age - d.between(rng, -4, 3)
    name = d.given_name(body)
    d.say(body, d.one(rng, (
        f"{name} has worked in the same trade for {years} years.",
        f"{name} has {years} years of experience in the job.",
        f"With {years} years of work experience, {name} knows every trick.",
        f"I have been working for {years} years.",
    )))  # fmt: skip
    return True


@d.kind("general")
def _language_denied(body: Body, rng: Rng) -> bool:
    """A language among those spoken, and said not to be spoken."""
    language = d.one(rng, ("French", "Portuguese", "Arabic", "German", "Hindi", "Polish"))
    social = d.part_of(body, "social")
    social["languages"] = [*(w for w in social.get("languages", ()) if d.value_of(w) != language), language]
    name = d.given_name(body)
    d.say(body, d.one(rng, (
        f"{name} speaks no {language}.",
        f"{name} does not speak {language}.",
        f"I don't speak {language} at all.",
        f"{name} never learned {language}.",
        f"{name} cannot speak a word of {language}.",
    )))  # fmt: skip
    return True
