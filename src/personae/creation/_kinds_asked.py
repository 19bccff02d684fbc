"""A model's second opinion on the kind of a persona, by option likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from personae.core import Persona, PersonaKind
from personae.creation._kinds import KINDS

if TYPE_CHECKING:
    from personae.models import Model

_OPTIONS: Final[dict[PersonaKind, str]] = {
    "demographic": " a member of a group",
    "character": " a character of a story or of history",
    "individualized": " one user of a service",
}


async def kind_opinion(model: Model, persona: Persona) -> dict[PersonaKind, float] | None:
    """P(kind) by a model, relative to an empty record (pointwise mutual information); None when nothing is finite.

    Raises:
        CapabilityError: the model cannot score options.
    """
    from personae.models import Message, ScoreRequest, option_probabilities

    def request(text: str) -> ScoreRequest:
        return ScoreRequest(
            messages=(
                Message("system", "You read records of people and say what kind of record it is."),
                Message("user", f"Record:\n{text}\n\nWho is described?"),
            ),
            options=tuple(_OPTIONS[k] for k in KINDS),
            prefill="The record describes",
            tags={"stage": "kinds", "persona": persona.id},
        )

    words = persona.render("self", "list")[:2000] + "".join(f"\n{e.when}: {e.text}" for e in persona.evidence[:5])
    told, empty = await model.score_options([request(words), request("(empty)")])
    chances = option_probabilities(told, "pmi", empty=empty)
    return None if chances is None else {k: float(c) for k, c in zip(KINDS, chances, strict=True)}
