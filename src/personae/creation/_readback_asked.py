"""Read-back with a model: closed questions by option likelihood, open ones by quotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from personae.core import InputError
from personae.creation._readback import EvidenceSpan, Messages, ReadFact, withheld

if TYPE_CHECKING:
    from personae.models import Model

_WINDOW: Final = 1500
"""characters of the messages that a closed question shows"""
CLOSED: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "social.sex": ("The writer is a", {"female": " woman", "male": " man"}),
    "attributes.age_band": (
        "The writer is in their",
        {"teens": " teens", "20-29": " twenties", "30-39": " thirties", "40-49": " forties", "50-59": " fifties",
         "60+": " sixties or older"},
    ),
    "social.education": (
        "The writer's highest education is",
        {"secondary school": " school", "some college": " some college", "university degree": " a university degree"},
    ),
    "social.marital_status": (
        "The writer is", {"single": " single", "married": " married", "divorced": " divorced", "widowed": " widowed"},
    ),
}  # fmt: skip
"""Closed sets: how the answer begins, and the option of each value."""
_PATHS: Final = (
    "names.full", "social.age", "social.occupation", "social.residence", "social.birthplace", "social.nationality",
    "social.education", "social.marital_status", "social.employment", "context.likes", "context.dislikes",
    "context.interests", "context.routines", "personal.fears", "goals", "attributes.home.pets",
    "attributes.family.children", "attributes.food.eats",
)  # fmt: skip
_SPECIAL_PATHS: Final = {
    "health": "context.health",
    "religion": "social.religion",
    "politics": "social.politics",
    "orientation": "attributes.identity.orientation",
    "ethnicity": "social.ethnicity",
}


async def closed_facts(
    model: Model, messages: Messages, known: set[str], special: frozenset[str], threshold: float
) -> list[ReadFact]:
    """Answers to the closed questions that the rules left open, where one option reaches `threshold`.

    The options are compared by what the text adds to them (pointwise mutual information with an empty text).
    """
    from personae.models import Message, ScoreRequest, option_probabilities

    window, spans = _window(messages, special)
    asked = [path for path in CLOSED if path not in known and not (path.endswith("age_band") and "social.age" in known)]
    if not window or not asked:
        return []

    def request(path: str, text: str) -> Any:
        lead, options = CLOSED[path]
        return ScoreRequest(
            messages=(
                Message("system", "You read messages and say who wrote them."),
                Message("user", f"Messages:\n{text}\n\nWho is the writer?"),
            ),
            options=tuple(options.values()),
            prefill=lead,
            tags={"stage": "read_back", "path": path},
        )

    out: list[ReadFact] = []
    for path in asked:
        told, empty = await model.score_options([request(path, window), request(path, "(none)")])
        chances = option_probabilities(told, "pmi", empty=empty)
        if chances is None:
            continue
        best = int(np.argmax(chances))
        if chances[best] >= threshold:
            out.append(
                ReadFact(
                    path=path, value=tuple(CLOSED[path][1])[best], evidence=spans, rule="closed set", method="option",
                    confidence=float(min(1.0, chances[best])), approximate=True,
                )
            )  # fmt: skip
    return out


async def quoted_facts(
    model: Model, messages: Messages, special: frozenset[str], seed: int
) -> tuple[list[ReadFact], int, list[str]]:
    """Facts with quotations from a model; how many were dropped for want of their quotation; unusable answers."""
    from personae.models import GenerateRequest, Message, Sampling, generate_json

    paths = [*_PATHS, *(_SPECIAL_PATHS[name] for name in sorted(special))]
    text = "\n".join(f"[{k}] {body}" for k, (_, body, _) in enumerate(messages))
    schema = {
        "type": "object",
        "properties": {"facts": {"type": "array", "maxItems": 24, "items": _item(paths)}},
        "required": ["facts"],
        "additionalProperties": False,
    }
    asked = (
        "List what the writer of these messages says about themselves: not about other people, not in questions, "
        "wishes or quotations. For each fact copy the exact words it rests on into quote.\n\n" + text
    )
    request = GenerateRequest(
        messages=(Message("system", "You read messages and list facts with exact quotations."), Message("user", asked)),
        sampling=Sampling(temperature=0.0, max_tokens=900),
        seed=seed % 2**31,
        json_schema=schema,
        tags={"stage": "read_back"},
    )
    answer = await generate_json(model, request)
    out, unverified = list[ReadFact](), 0
    for item in (answer.value or {}).get("facts", ()):
        quote = str(item["quote"]).strip()
        if withheld(f"{item['value']} {quote}", special):
            continue
        place = _find(quote, messages)
        if place is None:
            unverified += 1
            continue
        value: str | int = str(item["value"]).strip()
        if item["path"] == "social.age":
            if not (value.isdigit() and 0 < int(value) <= 120):
                unverified += 1
                continue
            value = int(value)
        if value == "":
            unverified += 1
            continue
        category = next((c for c, p in _SPECIAL_PATHS.items() if p == item["path"]), None)
        out.append(
            ReadFact(
                path=str(item["path"]), value=value, evidence=(place,), rule=model.reference, method="model",
                confidence=0.5, polarity=-1 if item["denied"] else 1, tense="past" if item["past"] else "present",
                category=category,
            )
        )  # fmt: skip
    return out, unverified, list(answer.problems)


def answer_threshold(chances: Sequence[float], right: Sequence[bool], *, precision: float = 0.8) -> float | None:
    """The lowest threshold from which on answers are right with at least `precision`; None when there is none.

    Precision is judged by the lower end of Wilson's interval.

    >>> answer_threshold([0.6] * 20 + [0.9] * 40, [False] * 20 + [True] * 40)
    0.9
    """
    from personae.statistics import wilson_interval

    if len(chances) != len(right):
        raise InputError(f"{len(chances)} chances and {len(right)} verdicts.", hint="Give one of each per answer.")
    best: float | None = None
    for cut in sorted(set(chances), reverse=True):
        kept = [ok for chance, ok in zip(chances, right, strict=True) if chance >= cut]
        if wilson_interval(sum(kept), len(kept)).low >= precision:
            best = cut
    return best


def _item(paths: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "path": {"enum": list(paths)},
            "value": {"type": "string", "maxLength": 120},
            "quote": {"type": "string", "maxLength": 240},
            "denied": {"type": "boolean"},
            "past": {"type": "boolean"},
        },
        "required": ["path", "value", "quote", "denied", "past"],
        "additionalProperties": False,
    }


def _find(quote: str, messages: Messages) -> EvidenceSpan | None:
    if len(quote) < 2:
        return None
    for source, text, when in messages:
        at = text.find(quote)
        if at >= 0:
            return EvidenceSpan(source=source, start=at, end=at + len(quote), text=quote, when=when)
    return None


def _window(messages: Messages, special: frozenset[str]) -> tuple[str, tuple[EvidenceSpan, ...]]:
    """The latest messages that fit, without those that tell of a category nobody asked for."""
    out: list[EvidenceSpan] = []
    room = _WINDOW
    for source, text, when in reversed(messages):
        piece = text[:room]
        if not piece.strip() or withheld(text, special):
            continue
        out.append(EvidenceSpan(source=source, start=0, end=len(piece), text=piece, when=when))
        room -= len(piece)
        if room <= 0:
            break
    out.reverse()
    return "\n".join(s.text for s in out), tuple(out)
