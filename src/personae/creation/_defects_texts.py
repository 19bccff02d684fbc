"""Seeded defects of texts: ages, names and jobs that the record denies, and what templates and models leave behind."""

from __future__ import annotations

from personae.creation import _defects as d
from personae.creation._defects import Body, Rng


@d.kind("general")
def _other_age_in_text(body: Body, rng: Rng) -> bool:
    """A description that gives another age than the field."""
    age = d.age_of(body)
    if age is None:
        return False
    shift = d.between(rng, 2, 30)
    other = age - shift if age - shift > 18 and rng.random() < 0.5 else age + shift
    name = d.given_name(body)
    text = d.one(rng, (
        f"{name} is {other} years old and likes quiet evenings.",
        f"A {other}-year-old who knows what to want.",
        f"{name}, {other}, lives a steady life.",
        f"At {other}, {name} has seen a good deal.",
        f"I am {other} years old.",
        f"I'm a {other} year old with a lot to say.",
        f"{name} (age {other}) keeps to a few close friends.",
        f"{name} turned {other} last spring.",
        f"Now aged {other}, {name} is content.",
    ))  # fmt: skip
    d.say(body, text)
    return True


@d.kind("general")
def _other_name_in_text(body: Body, rng: Rng) -> bool:
    """A description about somebody of another name."""
    first = d.one(rng, ("Zebulon", "Philippa", "Evander", "Marisol", "Thaddeus", "Ottilie", "Rosalind", "Casimir"))
    last = d.one(rng, ("Quackenbush", "Featherstone", "Okonkwo", "Lindqvist", "Bellweather", "Tanaka", "Vandermeer"))
    if first in d.full_name(body) or last in d.full_name(body):
        return False
    text = d.one(rng, (
        f"My name is {first} {last}.",
        f"I am {first} {last}, and I like quiet evenings.",
        f"{first} {last} is known in the street for good bread.",
        f"Meet {first} {last}, who never misses a market day.",
        f"{first} {last} grew up near the sea.",
        f"I'm {first} and I like the sea.",
        f"Her friends call {first} {last} by a short name." if rng.random() < 0.5 else f"{first} {last} works hard.",
    ))  # fmt: skip
    d.say(body, text)
    return True


@d.kind("general")
def _other_sex_in_text(body: Body, rng: Rng) -> bool:
    """A description that calls a man a woman, or a woman a man."""
    social = body.get("social", {})
    sex = str(d.value_of(social.get("sex") or social.get("gender") or "")).lower()
    other = {"female": "man", "woman": "man", "girl": "boy", "male": "woman", "man": "woman", "boy": "girl"}.get(sex)
    if other is None:
        return False
    name = d.given_name(body)
    text = d.one(rng, (
        f"{name} is a quiet {other} with large hands.",
        f"{name} is a {other} who likes early mornings.",
        f"I am a {other} of few words.",
        f"A cheerful {other} from the end of the street.",
        f"As a {other}, {name} was used to long days.",
    ))  # fmt: skip
    d.say(body, text)
    return True


@d.kind("general")
def _other_job_in_text(body: Body, rng: Rng) -> bool:
    """A description that gives another job than the field."""
    social = body.get("social", {})
    job = str(d.value_of(social.get("occupation")) or "").lower()
    if not job or not d.grown(body):
        return False
    trades = ("dentist", "train driver", "florist", "beekeeper", "notary", "butcher", "airline pilot", "tailor")
    jobs = [j for j in trades
            if j not in job]  # fmt: skip
    other = d.one(rng, jobs)
    article = "an" if other[0] in "aeiou" else "a"
    name = d.given_name(body)
    text = d.one(rng, (
        f"{name} works as {article} {other}.",
        f"I work as {article} {other}.",
        f"{name} earns a living as {article} {other} in town.",
        f"By profession {name} is {article} {other}.",
        f"{name} is {article} {other} by trade.",
        f"{name} is employed as {article} {other}.",
    ))  # fmt: skip
    d.say(body, text)
    return True


@d.kind("general")
def _template_slot(body: Body, rng: Rng) -> bool:
    """A slot that nobody filled in."""
    slot = d.one(rng, (
        "{name}", "{{occupation}}", "[insert hobby here]", "[NAME]", "<name>", "[Your Name]", "{age}", "[city]",
        "<INSERT JOB>", "${first_name}", "%(name)s", ("[TO" + "DO]"), "{{ person.name }}", "[insert name]",
        "XXXX", "____",
    ))  # fmt: skip
    text = d.one(
        rng, (f"A person from {slot} with many plans.", f"{slot} likes long walks.", f"Works for {slot} since spring.")
    )
    if rng.random() < 0.6:
        d.say(body, text)
    else:
        d.part_of(body, "context")["situation"] = text
    return True


@d.kind("general")
def _ai_phrase(body: Body, rng: Rng) -> bool:
    """Words of the model that wrote the text."""
    text = d.one(rng, (
        "As an AI language model, I don't have personal experiences.",
        "As an AI, I cannot describe a real person.",
        "I'm sorry, but I can't help with that request.",
        "Sure! Here is a detailed persona:",
        "Here's the JSON you asked for:",
        "I hope this helps! Let me know if you need any changes.",
        "I am a large language model trained by OpenAI.",
        "Certainly! Below is the description:",
        "I'm just an AI assistant, so I have no hobbies.",
        "As a language model I do not have a family.",
    ))  # fmt: skip
    if rng.random() < 0.6:
        d.say(body, text)
    else:
        d.part_of(body, "context")["situation"] = text
    return True


@d.kind("general")
def _lorem_ipsum(body: Body, rng: Rng) -> bool:
    """Filler text."""
    d.say(body, d.one(rng, (
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
        "lorem ipsum dolor sit amet",
        "Sed ut perspiciatis unde omnis iste natus error sit voluptatem.",
        "Ut enim ad minim veniam, quis nostrud exercitation ullamco.",
        "Duis aute irure dolor in reprehenderit in voluptate velit.",
    )))  # fmt: skip
    return True


@d.kind("general")
def _repeated_paragraph(body: Body, rng: Rng) -> bool:
    """A paragraph that is there twice."""
    name = d.given_name(body)
    text = d.value_of(body.get("description")) or d.one(rng, (
        f"{name} gets up early, makes tea, and reads the paper from back to front before anybody else is awake.",
        f"On Sundays {name} walks along the river with a thermos and comes back with stories about strangers.",
        f"People in the street know {name} for mending things that others would throw away without a thought.",
    ))  # fmt: skip
    if len(text) < 60:
        text += " There is more to say about that, and most of it was said at the kitchen table late at night."
    if rng.random() < 0.5:
        body["description"] = d.one(
            rng, (f"{text}\n\n{text}", f"{text}\n{text}", f"{text}\n\nThen again.\n\n{text.upper()}")
        )
    else:
        body["description"] = text
        d.part_of(body, "context")["situation"] = text
    return True
