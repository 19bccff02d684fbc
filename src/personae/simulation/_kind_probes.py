"""Probes of kinds: does a character know what they cannot know, and does the same fact come back in other words?"""

from __future__ import annotations

from typing import Final

from personae.core import Persona, derive_seed
from personae.simulation._probes import ProbeItem

UNKNOWN: Final = (" I do not know what that is.", " Yes, I know that well.")
_MODERN: Final = (
    "the internet", "a smartphone", "a microwave oven", "video streaming", "a credit card", "a nuclear power station",
    "the Moon landing of 1969", "an electric car", "a web browser", "a hybrid work meeting",
)  # fmt: skip
"""ten things that nobody knows whose world ends before 1900 or is made up"""
_FACTS: Final[tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        "social.occupation",
        " {}",
        ("nurse", "farmer", "lawyer", "sailor"),
        ("What do you do for a living?", "What is your job?", "How do you earn your bread?", "What work do you do?",
         "If I asked what your occupation is, what would you say?"),
    ),
    (
        "social.residence",
        " {}",
        ("Oslo", "Lima", "Nairobi", "Osaka"),
        ("Where do you live?", "Which place is your home?", "Where is your house?", "What town do you live in?",
         "If I sent you a letter, where would it go?"),
    ),
    (
        "names.full",
        " {}",
        ("Maria Keller", "John Adeyemi", "Li Na", "Pedro Alves"),
        ("What is your name?", "Who are you?", "How are you called?", "Whom am I talking to?",
         "What should I call you?"),
    ),
)  # fmt: skip


def boundary_items(persona: Persona) -> tuple[ProbeItem, ...]:
    """Ten questions about things beyond the persona's boundary; none where no boundary is set.

    They suit worlds that end before 1900 or are made up; the first option says that it is not known.
    """
    if persona.knowledge.boundary is None:
        return ()
    return tuple(
        ProbeItem(
            id=f"boundary.{k}", group="boundary", question=f"Do you know {thing}?", options=UNKNOWN, target=0, prefix=""
        )
        for k, thing in enumerate(_MODERN)
    )


def consistency_items(persona: Persona, seed: int) -> tuple[ProbeItem, ...]:
    """One fact asked in five ways with the same options in a fixed order; the first fact that is set is taken."""
    for path, form, others, questions in _FACTS:
        value = persona.get(path)
        if value is None:
            continue
        wrong = [o for o in others if o != value][:3]
        place = derive_seed(seed, "consistency", persona.id) % 4
        options = tuple(form.format(v) for v in (*wrong[:place], value, *wrong[place:]))
        return tuple(
            ProbeItem(id=f"consistency.{k}", group="consistency", question=q, options=options, target=place, prefix="")
            for k, q in enumerate(questions)
        )
    return ()
