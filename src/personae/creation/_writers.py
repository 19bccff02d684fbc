"""Writers of drafts: a phrase grammar, and any model (embedded with constrained decoding, or an endpoint)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from personae.core import ReplyError
from personae.creation._compose import Issue, Owner, Slot, Task, Written
from personae.creation._students import StudentSource, record_rows

if TYPE_CHECKING:
    from personae.models import Model

_ROUND: Final = 1_000
"""Attempts of the grammar apart between two rounds, so that a revision is another draw."""


class GrammarWriter:
    """Writes from a `StudentSource`: no model, no calls. Round 0 is the record that the source gives in bulk."""

    def __init__(self, source: StudentSource) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """What the record says wrote it."""
        return "grammar"

    async def write(self, task: Task) -> Written:
        """The owner's keys of student k at this attempt and round."""
        k = np.array([task.slot.k], dtype=np.int64)
        (record,) = record_rows(self.source.columns(k, task.attempt + _ROUND * task.round))
        return Written({key: record[key] for key in task.owner.keys if key in record})


class ModelWriter:
    """Asks a model for one JSON object per turn, shows it a misfit once or twice, and gives up on that turn.

    Args:
        model: anything that generates.
        repairs: how often a misfit is shown to it at most.
    """

    def __init__(self, model: Model, *, repairs: int = 1) -> None:
        self.model, self.repairs = model, repairs

    @property
    def name(self) -> str:
        """The model's reference."""
        return self.model.reference

    async def write(self, task: Task) -> Written:
        """One reply for the owner's keys."""
        return await ask_json(self.model, task.owner, task.view(), seed=task.seed, repairs=self.repairs, tags={
            "stage": "compose", "owner": task.owner.name, "k": str(task.slot.k), "round": str(task.round),
        })  # fmt: skip


async def ask_json(
    model: Model, owner: Owner, text: str, *, seed: int, repairs: int, tags: Mapping[str, str]
) -> Written:
    """One JSON object from a model; prose for ever is a counted problem, never an error."""
    from personae.models import GenerateRequest, Message, Sampling, generate_json

    request = GenerateRequest(
        messages=(Message("system", owner.brief), Message("user", text)),
        sampling=Sampling(temperature=owner.temperature, max_tokens=owner.max_tokens),
        seed=seed,
        json_schema=owner.schema_of_reply,
        tags=tags,
    )
    try:
        answer = await generate_json(model, request, repairs=repairs)
    except ReplyError as error:
        return Written(None, f"unusable reply: {error}", 1, 0)
    usage = answer.usage
    if not isinstance(answer.value, dict):
        problem = answer.problems[-1] if answer.problems else "no object"
        return Written(None, problem[:300], usage.calls, usage.generated)
    return Written(answer.value, None, usage.calls, usage.generated)


@dataclass(frozen=True, slots=True)
class ModelReviewer:
    """A model as fast and deep validator: it may add issues, and only for owners there are.

    Args:
        model: anything that generates.
        fast: brief and sampling of the one fast pass.
        deep: brief and sampling of each deep pass.
        owners: names that an issue may carry.
    """

    model: Model
    fast: Owner
    deep: Owner
    owners: tuple[str, ...]

    @classmethod
    def of(
        cls, model: Model, owners: Sequence[Owner], *, fast: tuple[str, float, int], deep: tuple[str, float, int]
    ) -> ModelReviewer:
        """A reviewer of these owners' drafts; `fast` and `deep` are brief, temperature and most tokens."""
        names = tuple(o.name for o in owners)
        quick, careful = (
            Owner(name=name, keys=review_schema(names), brief=brief, temperature=warmth, max_tokens=most)
            for name, (brief, warmth, most) in (("fast", fast), ("deep", deep))
        )
        return cls(model, quick, careful, names)

    async def review(
        self, slot: Slot, draft: Mapping[str, Any], *, deep: bool, seed: int
    ) -> tuple[Sequence[Issue], Written]:
        """Issues that the model sees, and what asking cost; a reply that is no value adds nothing."""
        owner = self.deep if deep else self.fast
        text = Task(owner, slot, draft, 0, 0, seed).view()
        written = await ask_json(self.model, owner, text, seed=seed, repairs=0, tags={"stage": "review"})
        found = [] if written.values is None else written.values.get("issues", [])
        issues = [
            Issue(f"review:{body['code']}", body["owner"], tuple(body.get("fields", ())), body.get("desc", ""),
                  body.get("hint") or None, source="review")
            for body in found
            if isinstance(body, dict) and body.get("owner") in self.owners and body.get("code")
        ]  # fmt: skip
        return issues, written


def review_schema(owners: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a review: issues with code, desc, owner, fields and hint; and whether the draft is ready."""
    text = {"type": "string", "maxLength": 160}
    return {
        "issues": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "maxLength": 40},
                    "desc": text,
                    "owner": {"enum": list(owners)},
                    "fields": {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 30}},
                    "hint": text,
                },
                "required": ["code", "desc", "owner", "fields", "hint"],
            },
        },
        "final_ready": {"type": "boolean"},
    }
