"""The narrative of a deep person: first person, from the record alone, up to a stated length.

Sentences go in by importance: who, what is held dear, what happened, then the attributes, one branch after the other
over all roots, so that a longer budget means more of everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from personae.core import Frozen, Persona, plain
from personae.creation._deep_record import DeepRecord, NarrativeReport
from personae.creation._taxonomy import ROOTS

_TOLD_ALREADY: Final = ("demographics.identity.age", "demographics.identity.sex", "psychology.traits")


class NarrativeBudget(Frozen):
    """How long a narrative shall be. Default: 150 to 400 words (DeepPersona's summary)."""

    unit: Literal["words", "characters"] = "words"
    least: int = Field(default=150, ge=0)
    most: int = Field(default=400, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> NarrativeBudget:
        if self.least > self.most:
            raise ValueError(f"least {self.least} is above most {self.most}")
        return self

    def size(self, text: str) -> int:
        """Length of a text in this unit."""
        return len(text.split()) if self.unit == "words" else len(text)


@dataclass(frozen=True, slots=True)
class Narrative:
    """The text, its sections, and whether the budget was met."""

    text: str
    sections: dict[str, str]
    report: NarrativeReport


def tell(person: Persona, record: DeepRecord, budget: NarrativeBudget) -> Narrative:
    """The person's own account of themselves.

    Sections grow up to `budget.most`; a sentence that does not fit is left out, never cut. When everything the record
    holds is shorter than `budget.least`, the report says so.
    """
    chosen: dict[str, list[str]] = {}
    used, left_out = 0, 0
    join = 1 if budget.unit == "characters" else 0
    for section, sentence in _sentences(person, record):
        size = budget.size(sentence) + join
        if used + size > budget.most + join:
            left_out += 1
            continue
        chosen.setdefault(section, []).append(sentence)
        used += size
    order = ["opening", "outlook", "stories", *ROOTS]
    sections = {name: " ".join(chosen[name]) for name in order if name in chosen}
    text = " ".join(sections.values())
    used = budget.size(text)
    reason = None
    if used < budget.least:
        why = "the next sentences are too long for the rest" if left_out else "the record holds no more"
        reason = f"{used} of at least {budget.least} {budget.unit}: {why}"
    report = NarrativeReport(
        unit=budget.unit, least=budget.least, most=budget.most, used=used, complete=reason is None, reason=reason
    )
    return Narrative(text, sections, report)


def _sentences(person: Persona, record: DeepRecord) -> Iterator[tuple[str, str]]:
    yield from (("opening", s) for s in _opening(person))
    attitude = record.life_attitude
    yield "outlook", f"What I hold to is this: {record.values_orientation}."
    yield "outlook", f"On the whole I am {attitude.attitude}."
    yield from (("stories", story.text) for story in record.stories)
    yield "outlook", f"When it gets too much, what helps is {attitude.coping_mechanism}."
    yield "outlook", f"Somebody who knows me would say of me: “{attitude.attitude_details}”"
    if record.interests:
        yield "outlook", f"Alone, I like {' and '.join(record.interests)}."
    yield from _attributes(person, record)


def _opening(person: Persona) -> Iterator[str]:
    def get(path: str) -> Any:
        return plain(person.get(path))

    age, place, work = get("social.age"), get("social.residence"), get("social.occupation")
    born = f" and I am {age} years old" if age is not None else ""
    yield f"My name is {person.name}{born}."
    if place:
        yield f"I live in {place}."
    if work and str(work) not in {"none", "retired", "pupil", "student"}:
        yield f"I work as {_article(str(work))}."
    elif get("social.employment"):
        yield (
            f"As for work, I am {get('social.employment')}."
            if str(get("social.employment"))[:2] != "at"
            else (f"I am {get('social.employment')}.")
        )


def _article(words: str) -> str:
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def _attributes(person: Persona, record: DeepRecord) -> Iterator[tuple[str, str]]:
    """One sentence a branch, the nearest leaves first, roots in turn."""
    branches: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for path, mark in record.marks.items():
        if path.startswith(_TOLD_ALREADY):
            continue
        root, _, rest = path.partition(".")
        branch, _, leaf = rest.rpartition(".")
        value = str(plain(person.attributes[path]))
        near = {"near": 0, "mid": 1, "far": 2}[mark.tier]
        words = leaf.replace("_", " ")
        branches.setdefault(root, {}).setdefault(branch or leaf, []).append((near, f"{words} – {value}"))
    queue = [
        (root, [(branch, [text for _, text in sorted(parts, key=lambda p: p[0])]) for branch, parts in found.items()])
        for root, found in branches.items()
    ]
    turn = 0
    while any(found for _, found in queue):
        for root, found in queue:
            if not found:
                continue
            branch, parts = found[turn % len(found)]
            head = branch.rpartition(".")[2].replace("_", " ")
            now, later = parts[:3], parts[3:]
            yield root, f"On {head}: {'; '.join(now)}."
            if later:
                found[turn % len(found)] = branch, later
            else:
                found.pop(turn % len(found))
        turn += 1
