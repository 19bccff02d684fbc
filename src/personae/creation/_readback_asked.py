"""Read-back with a model: closed questions by option likelihood, open ones by quotation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from personae.creation._readback import EvidenceSpan, ReadFact
from personae.creation._readback_shown import Shown
from personae.creation._readback_values import given_away

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from personae.models import Model, OptionScores, ScoreRequest

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
"""Closed sets: how the answer begins, and the option of each value. None of a special category: what a model presumes
about those is no evidence."""
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


def closed_paths(known: Collection[str]) -> list[str]:
    """The closed questions that are open when the rules found values at `known`."""
    return [path for path in CLOSED if path not in known and not (path.endswith("age_band") and "social.age" in known)]


def closed_request(path: str, text: str | None) -> ScoreRequest:
    """A closed question about a text, or about nothing."""
    from personae.models import Message, ScoreRequest

    lead, options = CLOSED[path]
    return ScoreRequest(
        messages=(
            Message("system", "You read messages and say who wrote them."),
            Message("user", f"Messages:\n{'(none)' if text is None else text}\n\nWho is the writer?"),
        ),
        options=tuple(options.values()),
        prefill=lead,
        tags={"stage": "read_back", "path": path},
    )


async def closed_chances(
    model: Model, path: str, text: str, empty: OptionScores | None = None
) -> NDArray[np.float64] | None:
    """Probability of each value of a closed question, shape (options,); None when nothing can be compared.

    The options are compared by what the text adds to them (pointwise mutual information with an empty text).

    Args:
        model: has to score options.
        path: of `CLOSED`.
        text: what the writer wrote.
        empty: the model's answer about nothing, when it is known already.
    """
    from personae.models import option_probabilities

    requests = [closed_request(path, text), *([closed_request(path, None)] if empty is None else [])]
    told, *others = await model.score_options(requests)
    return option_probabilities(told, "pmi", empty=empty or others[0])


async def closed_facts(
    model: Model, messages: Sequence[Shown], paths: Sequence[str], thresholds: Mapping[str, float]
) -> list[ReadFact]:
    """Answers to the closed questions that have a threshold, where one option reaches it."""
    window, spans = _window(messages)
    out: list[ReadFact] = []
    for path in paths if window else ():
        cut = thresholds.get(path)
        chances = await closed_chances(model, path, window) if cut is not None else None
        if cut is None or chances is None:
            continue
        best = int(np.argmax(chances))
        if chances[best] >= cut:
            out.append(
                ReadFact(
                    path=path, value=tuple(CLOSED[path][1])[best], evidence=spans, rule="closed set", method="option",
                    confidence=float(min(1.0, chances[best])), approximate=True,
                )
            )  # fmt: skip
    return out


async def quoted_facts(
    model: Model, messages: Sequence[Shown], special: frozenset[str], seed: int
) -> tuple[list[ReadFact], int, list[str]]:
    """Facts with quotations from a model; how many were dropped for want of their quotation; unusable answers."""
    from personae.models import GenerateRequest, Message, Sampling, generate_json

    paths = [*_PATHS, *(_SPECIAL_PATHS[name] for name in sorted(special))]
    text = "\n".join(f"[{k}] {message.prompt}" for k, message in enumerate(messages))
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
        if given_away(f"{item['value']} {quote}", special):
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
    return out, unverified, [p for p in answer.problems if not given_away(p, special)]


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


def _find(quote: str, messages: Sequence[Shown]) -> EvidenceSpan | None:
    if len(quote) < 2:
        return None
    for message in messages:
        at = message.find(quote)
        if at >= 0:
            return EvidenceSpan(source=message.source, start=at, end=at + len(quote), text=quote, when=message.when)
    return None


def _window(messages: Sequence[Shown]) -> tuple[str, tuple[EvidenceSpan, ...]]:
    """The latest of what may be seen that fits, one line a stretch."""
    out: list[EvidenceSpan] = []
    room = _WINDOW
    for message in reversed(messages):
        for low, end in reversed(list(message.clear())):
            high = min(end, low + room)
            piece = message.text[low:high]
            out.append(EvidenceSpan(source=message.source, start=low, end=high, text=piece, when=message.when))
            room -= len(piece)
            if room <= 0:
                break
        if room <= 0:
            break
    out.reverse()
    return "\n".join(s.text.strip() for s in out), tuple(out)
