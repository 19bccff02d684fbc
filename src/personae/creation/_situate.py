"""Give somebody who already exists something to talk about: fields of a schema that fit the person as it is."""

from __future__ import annotations

from typing import Any, Final

from personae.core import Persona, RecipeError
from personae.creation._paths import place_words
from personae.creation._schema import SchemaSampler

SITUATION: Final = ("context.concern", "personal.mood", "context.situation", "goals")


def situate(persona: Persona, sampler: SchemaSampler, k: int, *, paths: tuple[str, ...] = SITUATION) -> Persona:
    """The same person with a concern, a mood and what belongs to them, drawn from `sampler`'s schema.

    Draw k of the schema is tried, then k's further attempts. The person's own values stand in for the fields they
    already have, so the schema's rules see the real age and occupation; rules about these alone are not asked. Only
    `paths` are filled, and only where the person says nothing yet.

    Raises:
        RecipeError: no draw fits this person within the schema's `max_attempts`.
    """
    known = {
        name: value
        for name, field in sampler.schema.fields.items()
        if field.path is not None and field.path not in paths and (value := persona.get(field.path)) is not None
    }
    settled = {rule.code for rule in sampler.schema.rules if set(rule.fields) <= set(known)}
    for attempt in range(sampler.schema.max_attempts):
        fields = sampler.draw(k, attempt) | known
        if any(broken.code not in settled for broken in sampler.judge(fields)):
            continue
        body: dict[str, Any] = persona.model_dump(mode="json", exclude_defaults=True)
        for name, field in sampler.schema.fields.items():
            if field.path not in paths or persona.get(field.path):
                continue
            words = field.text.get(str(fields[name]), str(fields[name]))
            if words is not None:
                place_words(body, field.path, words, f"field {name!r}")
        return Persona.model_validate(body)
    raise RecipeError(
        f"schema {sampler.schema.name!r}: nothing fits {persona.name!r} in {sampler.schema.max_attempts} draws.",
        hint="Loosen the rules or raise max_attempts.",
    )
