"""Second-person descriptions: by template, or by a model whose words are checked against the facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from personae.core import InputError, Persona, ReplyError, derive_seed, plain

if TYPE_CHECKING:
    from personae.models import Message, Model

CraftReason = Literal[
    "unusable_reply", "empty", "cut_off", "name_missing", "age_missing", "occupation_missing", "other_age",
    "not_second_person", "meta_talk", "too_long",
]  # fmt: skip
_LONGEST: Final = 1500
_META: Final = re.compile(
    r"\b(as an ai\b|language model|as a virtual assistant|i cannot|i can't help|here is (?:a|the|your)|sure[,!])"
    r"|<\||\[/?inst\]",
    re.IGNORECASE,
)
_AGE: Final = re.compile(r"\b(\d{1,3})[ -]years?[ -]old\b", re.IGNORECASE)
_INSTRUCTION: Final = (
    "You write short character descriptions. Write in the second person ('You are …'), in plain English, 60 to 120 "
    "words, one paragraph. Keep the name, the age and the occupation exactly as given. You may add small everyday "
    "details that fit; never contradict a fact. Write only the description."
)


@dataclass(frozen=True, slots=True)
class Crafted:
    """A description and where it came from.

    `reason` says why the model's last text was not taken; `reasons` lists one for each refused attempt.
    """

    text: str
    writer: Literal["template", "grammar", "model"]
    attempts: int
    reasons: tuple[CraftReason, ...] = ()
    calls: tuple[str, ...] = ()

    @property
    def reason(self) -> CraftReason | None:
        """Why the template was used although a model was asked; None when it was not."""
        return self.reasons[-1] if self.writer == "template" and self.reasons else None


def craft(persona: Persona) -> str:
    """The fields of a persona as a second-person description, without a model."""
    return persona.render("self", "second_person")


def craft_faults(persona: Persona, text: str) -> CraftReason | None:
    """The first thing that makes a written description unusable, or None.

    The full name, the age and the occupation have to stand in it word for word, no other age may, and it has to speak
    to the person and of nothing else.
    """
    words = text.strip()
    lower = words.lower()
    if not words:
        return "empty"
    if len(words) > _LONGEST:
        return "too_long"
    if _META.search(words):
        return "meta_talk"
    if not re.search(r"\byou\b", lower):
        return "not_second_person"
    if not _stands_in(persona.name, words):
        return "name_missing"
    age = persona.get("social.age")
    if age is not None and not re.search(rf"\b{age}\b", words):
        return "age_missing"
    if age is not None and any(int(found) != age for found in _AGE.findall(words)):
        return "other_age"
    occupation = persona.get("social.occupation")
    if occupation is not None and not _stands_in(str(occupation), words):
        return "occupation_missing"
    return None


def craft_messages(persona: Persona) -> tuple[Message, ...]:
    """What the model is asked: the instruction and the facts as a list."""
    from personae.models import Message

    return (Message("system", _INSTRUCTION), Message("user", f"Facts:\n{persona.render('self', 'list')}"))


async def craft_description(model: Model, persona: Persona, seed: int, *, attempts: int = 2) -> Crafted:
    """Let a model write the description; fall back to the template when its words fail the check.

    Args:
        model: anything that generates.
        persona: whom to describe.
        seed: root seed; each attempt derives its own.
        attempts: how many texts to ask for before the template is used.

    Returns:
        The description, who wrote it, and why each refused text was refused.

    Raises:
        ModelError: transport failures and missing recordings pass through; only unusable replies count as attempts.
    """
    from personae.models import GenerateRequest, Sampling

    if attempts < 1:
        raise InputError(f"craft_description: attempts is {attempts!r}, expected at least 1.")
    reasons: list[CraftReason] = []
    calls: list[str] = []
    for attempt in range(attempts):
        request = GenerateRequest(
            messages=craft_messages(persona),
            sampling=Sampling(temperature=0.7, max_tokens=220),
            seed=derive_seed(seed, "craft", persona.id, attempt) % 2**31,
            replicate=attempt,
            tags={"stage": "craft", "persona": persona.id},
        )
        try:
            answer = await model.generate(request)
        except ReplyError:
            reasons.append("unusable_reply")
            continue
        if answer.call:
            calls.append(answer.call)
        fault = "cut_off" if answer.finish_reason == "length" else craft_faults(persona, answer.text)
        if fault is None:
            return Crafted(answer.text.strip(), "model", attempt + 1, tuple(reasons), tuple(calls))
        reasons.append(fault)
    return Crafted(craft(persona), "template", attempts, tuple(reasons), tuple(calls))


def fallback_counts(crafted: Iterable[Crafted]) -> dict[str, int]:
    """How many descriptions each writer wrote (`model`, `template`) and why texts were refused (`refused: …`)."""
    out = Counter[str]()
    for one in crafted:
        out[one.writer] += 1
        out.update(f"refused: {reason}" for reason in one.reasons)
    return dict(sorted(out.items()))


def _stands_in(phrase: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(str(plain(phrase)))}(?!\w)", text, re.IGNORECASE) is not None
