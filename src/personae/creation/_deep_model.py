"""A model writes the values of a deep person, batch by batch; the grammar's values stand where it fails.

Batches follow the order in which leaves depend on each other; every call sees what is finished. A value is taken when
it fits the schema, is short, says something and breaks no word rule; otherwise the grammar's value stays, and the
record says why. A batch that fails altogether is recorded, never dropped.

Source: DeepPersona, slot filling (batches of at most 50 leaves, values of at most 50 characters, JSON by full path).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from personae.core import (
    EndpointDownError,
    Fact,
    InputError,
    ModelError,
    Persona,
    ReplayMissError,
    Source,
    derive_seed,
    plain,
)
from personae.creation._deep import assemble
from personae.creation._deep_record import DeepRecord, FailedBatch
from personae.creation._deep_rules import WordRule, check_values, load_word_rules
from personae.creation._narrative import NarrativeBudget
from personae.creation._value_grammar import MAX_VALUE

if TYPE_CHECKING:
    from personae.models import GenerateRequest, Model

BATCH: Final = 50
_SECTIONS: Final = (
    ("demographics",), ("career",), ("core_values",), ("lifestyle", "culture"), ("hobbies",),
    ("education", "emotional_skills", "media", "physical_health", "psychology", "relationships"),
)  # fmt: skip
_SHOWN: Final = 40
"""finished attributes a call sees, the nearest first"""
_HOLLOW: Final = re.compile(
    r"^(n/?a|none given|unknown|string|value|null|text|example|\.+|-+|_+|\?+)$|<\||\[/?inst\]|as an ai|language model|"
    r"[{}\[\]\\]|lorem ipsum", re.IGNORECASE
)  # fmt: skip
_INSTRUCTION: Final = (
    "You fill in facts about one invented person. Stay consistent with everything that is known, also with what is "
    "unpleasant; do not make the person nicer or happier than the record. Each value is a short phrase of at most "
    "50 characters, without the person's name. Answer with one JSON object that has every key of the list."
)


async def write_values(
    model: Model,
    person: Persona,
    seed: int,
    *,
    batch: int = BATCH,
    rules: Sequence[WordRule] | None = None,
    budget: NarrativeBudget | None = NarrativeBudget(),  # noqa: B008 - frozen
    repairs: int = 1,
) -> Persona:
    """The person with values in a model's words where they pass, and the source of each.

    Args:
        model: anything that generates.
        person: made by `DeepPeople`.
        seed: each batch derives its own.
        batch: most leaves of a call, 1 to 50.
        rules: word rules that values must keep; None: the shipped ones.
        budget: of the narrative, which is told anew from the new values.
        repairs: how often an answer that does not fit is asked for again.

    Raises:
        InputError: the person has no deep record, or a batch size outside 1 to 50.
        EndpointDownError, ReplayMissError: nobody answers at all; other failures of a call are recorded as the batch's.
    """
    if "deep" not in person.ext:
        raise InputError(f"{person.name!r} has no deep record.", hint="Make the person with DeepPeople first.")
    if not 1 <= batch <= BATCH:
        raise InputError(f"batch is {batch!r}, expected 1 to {BATCH}.", hint="Longer lists lose keys.")
    record = DeepRecord.model_validate(person.ext["deep"])
    attributes: dict[str, Any] = dict(person.attributes)
    failed: list[FailedBatch] = []
    fallbacks: dict[str, str] = {}
    done: list[str] = []
    for number, (section, paths) in enumerate(batches(record, attributes, batch)):
        request = value_request(person, record, attributes, paths, done, derive_seed(seed, section, number) % 2**31)
        values, problem, call = await _ask(model, request, repairs)
        if values is None:
            failed.append(FailedBatch(section=section, leaves=len(paths), problem=problem[:300]))
            fallbacks |= dict.fromkeys(paths, "failed_batch")
        else:
            source = Source(kind="model", ref=call or model.reference)
            for path in paths:
                reason = _refused(person, attributes, path, values.get(path), rules)
                if reason is None:
                    old = attributes[path]
                    attributes[path] = Fact(
                        value=values[path].strip(), source=source, pii=old.pii if isinstance(old, Fact) else None
                    )
                else:
                    fallbacks[path] = reason
        done += paths
    record = record.model_copy(
        update={"failed_batches": (*record.failed_batches, *failed), "fallbacks": record.fallbacks | fallbacks}
    )
    return assemble(person, attributes, record, budget)


def batches(record: DeepRecord, attributes: Mapping[str, Any], size: int = BATCH) -> Iterator[tuple[str, list[str]]]:
    """(section, leaf paths) of each call, in dependent order. What came from a table is never asked for."""
    ordered = sorted(record.marks, key=lambda path: record.marks[path].order)
    for roots in _SECTIONS:
        own = [p for p in ordered if p.partition(".")[0] in roots and _kind(attributes[p]) == "rule"]
        for start in range(0, len(own), size):
            yield roots[0] if len(roots) < 3 else "other", own[start : start + size]


def value_schema(paths: Sequence[str]) -> dict[str, Any]:
    """JSON schema of one batch: every path, each a short text."""
    text = {"type": "string", "minLength": 2, "maxLength": MAX_VALUE}
    return {"type": "object", "properties": dict.fromkeys(paths, text), "required": list(paths)}


def value_request(
    person: Persona,
    record: DeepRecord,
    attributes: Mapping[str, Any],
    paths: Sequence[str],
    done: Sequence[str],
    seed: int,
) -> GenerateRequest:
    """What one batch asks: the core, what is finished, and the keys to fill."""
    from personae.models import GenerateRequest, Message, Sampling

    anchors = [
        f"{path.rpartition('.')[2]}: {plain(leaf)}"
        for path, leaf in person.leaves()
        if path.startswith("social.") and plain(leaf) not in (None, ())
    ]
    life = record.life_attitude
    core = [
        f"holds dear: {record.values_orientation}",
        f"attitude: {life.attitude}; {life.attitude_details}",
        f"copes by: {life.coping_mechanism}",
        *(f"at {e.age}: {e.event}" for story in record.stories for e in story.key_events),
        *(f"likes: {interest}" for interest in record.interests),
    ]
    near = sorted(done, key=lambda p: (("near", "mid", "far").index(record.marks[p].tier), record.marks[p].order))
    known = [f"{path}: {plain(attributes[path])}" for path in near[:_SHOWN]]
    parts = [f"Person: {person.name}", *anchors, *core]
    if known:
        parts += ["Known already:", *known]
    parts += ["Fill in these keys:", *paths]
    return GenerateRequest(
        messages=(Message("system", _INSTRUCTION), Message("user", "\n".join(parts))),
        sampling=Sampling(temperature=0.8, max_tokens=60 + 34 * len(paths)),
        seed=seed,
        json_schema=value_schema(paths),
        tags={"stage": "deep", "persona": person.id},
    )


async def _ask(model: Model, request: GenerateRequest, repairs: int) -> tuple[dict[str, Any] | None, str, str]:
    from personae.models import generate_json

    try:
        answer = await generate_json(model, request, repairs=repairs)
    except (EndpointDownError, ReplayMissError):
        raise
    except ModelError as error:
        return None, f"{type(error).__name__}: {error}", ""
    call = answer.generations[-1].call if answer.generations else ""
    if not isinstance(answer.value, dict):
        return None, answer.problems[-1] if answer.problems else "no answer", call
    return answer.value, "", call


def _refused(
    person: Persona, attributes: Mapping[str, Any], path: str, value: Any, rules: Sequence[WordRule] | None
) -> str | None:
    """Why a value is not taken, or None."""
    if not isinstance(value, str) or not value.strip():
        return "empty"
    words = value.strip()
    leaf = path.rpartition(".")[2].replace("_", " ")
    if len(words) > MAX_VALUE:
        return "too_long"
    if "\n" in words or _HOLLOW.search(words) or words.lower() in {leaf, path}:
        return "hollow"
    if not any(c.isalnum() for c in words):
        return "hollow"
    kept = {p: str(plain(leaf_)) for p, leaf_ in attributes.items()}
    chosen = load_word_rules() if rules is None else rules
    before = {(v.code, v.path) for v in check_values(person, kept, chosen)}
    broken = [v for v in check_values(person, kept | {path: words}, chosen) if (v.code, v.path) not in before]
    return f"rule {broken[0].code}" if broken else None


def _kind(leaf: Any) -> str:
    return leaf.source.kind if isinstance(leaf, Fact) and leaf.source is not None else "rule"
