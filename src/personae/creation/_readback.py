"""Read-back: who somebody is, from what they wrote, with the characters each fact rests on.

Rules come first. A model may then be asked closed questions about what the rules left open (scored, marked
approximate, and only with a calibrated threshold), and for further facts, each with a quotation that has to stand in
the text word for word. Health, religion, politics, orientation and ethnicity are left out unless they are asked for by
name: never asked, never scored, and sentences with words of them never reach the model (`_readback_shown`). Nothing is
resolved in silence: two ages are two facts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import Field

from personae.core import (
    PII,
    Consent,
    Conversation,
    Evidence,
    Fact,
    Frozen,
    InputError,
    Persona,
    Provenance,
    Source,
    UnknownKeyError,
)
from personae.creation._paths import leaf_kind
from personae.creation._readback_grammar import Grammatical
from personae.creation._readback_rules import SelfStatement, read_statements
from personae.creation._readback_shown import Messages, shown
from personae.creation._readback_thresholds import AnswerThresholds
from personae.creation._readback_words import SPECIAL

if TYPE_CHECKING:
    from personae.models import Model

SPECIAL_CATEGORIES: Final = tuple(sorted(SPECIAL))
"""What has to be asked for by name."""
Method: TypeAlias = Literal["rule", "option", "model"]


class EvidenceSpan(Frozen):
    """Characters of a message: `text` stands at `start` to `end` (end exclusive) of the message `source`."""

    source: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text: str
    when: str | None = None


class ReadFact(Frozen):
    """One thing read about somebody.

    Args:
        path: where it belongs in a persona; relations stand under `relations.KIN`.
        evidence: the characters it rests on, at least one span.
        rule: name of the rule, of the closed set, or of the model.
        method: `option` values are approximate.
        polarity: -1 when the text denies it.
        name: of the other person, for relations.
        category: special category, if it belongs to one.
    """

    path: str
    value: str | int
    evidence: tuple[EvidenceSpan, ...] = Field(min_length=1)
    rule: str
    method: Method = "rule"
    confidence: float = Field(ge=0, le=1)
    polarity: Literal[-1, 1] = 1
    tense: Literal["past", "present"] = "present"
    name: str | None = None
    category: str | None = None
    approximate: bool = False


class ReadBack(Frozen):
    """What was read.

    Args:
        unverified: facts of a model whose quotation does not stand in the text; they are gone.
        hidden: stretches of the messages that a model was not shown, because they tell of what was not asked for.
    """

    facts: tuple[ReadFact, ...] = ()
    messages: int = 0
    special: tuple[str, ...] = ()
    unverified: int = 0
    hidden: int = 0
    problems: tuple[str, ...] = ()

    def at(self, path: str) -> tuple[ReadFact, ...]:
        """Facts of one path, in reading order."""
        return tuple(f for f in self.facts if f.path == path)

    @cached_property
    def conflicts(self) -> Mapping[str, tuple[ReadFact, ...]]:
        """Paths that hold one value at a time, but for which the text gives several now."""
        groups: dict[str, list[ReadFact]] = defaultdict(list)
        for fact in self.facts:
            if fact.polarity > 0 and fact.tense == "present" and _single(fact.path):
                groups[fact.path].append(fact)
        return {p: tuple(f) for p, f in groups.items() if len({str(x.value).casefold() for x in f}) > 1}

    def to_persona(self, *, name: str | None = None, synthetic: bool = True, consent: Consent | None = None) -> Persona:
        """A persona whose leaves are Facts with source, place and confidence.

        What is denied stands under `attributes.not.…`, what is past under `attributes.past.…`, conflicting values
        together under `attributes.conflict.…`, with a line in `provenance.issues`.

        Raises:
            ConsentError: `synthetic=False` without `consent`.
        """
        return Persona.parse(_body(self, name, synthetic=synthetic, consent=consent), where="read-back")


def self_statements(text: str, *, special: Sequence[str] = ()) -> tuple[SelfStatement, ...]:
    """What a text in the first person says about its writer, by rules, with character places in `text`.

    >>> [(r.path, r.value) for r in self_statements("I'm 34 and my sister is a nurse.")]
    [('social.age', 34), ('relations.sister', 'is a nurse')]
    """
    return tuple(read_statements(text, "first", _categories(special)))


def read_back(
    source: str | Conversation,
    *,
    special: Sequence[str] = (),
    speaker: str | None = None,
    person: Grammatical | None = None,
    model: Model | None = None,
    threshold: AnswerThresholds | float | None = None,
    seed: int = 0,
) -> ReadBack:
    """What a text or one side of a conversation says about its writer; see the module docstring.

    Args:
        source: a text, or a conversation, of which one speaker's utterances are read.
        special: special categories to read as well, of `SPECIAL_CATEGORIES`.
        speaker: whose lines of a conversation; needed when there are several speakers.
        person: grammatical person that means the one described; None: first for conversations, else as the text looks.
        model: also ask this model (see `read_back_asked`); the call blocks.
        threshold: as for `read_back_asked`.
        seed: of the model's generation.

    Raises:
        UnknownKeyError: no such special category.
        InputError: a conversation of several without `speaker`, or nobody of that name in it.
    """
    if model is not None:
        from personae.runs import run_sync

        return run_sync(
            read_back_asked(
                model, source, special=special, speaker=speaker, person=person, threshold=threshold, seed=seed
            )
        )
    wanted, messages = _categories(special), _messages(source, speaker)
    chosen = person or ("first" if isinstance(source, Conversation) else grammatical_person(source))
    facts = [
        _fact(reading, key, text, when)
        for key, text, when in messages
        for reading in read_statements(text, chosen, wanted)
    ]
    return ReadBack(facts=tuple(facts), messages=len(messages), special=tuple(sorted(wanted)))


async def read_back_asked(
    model: Model,
    source: str | Conversation,
    *,
    special: Sequence[str] = (),
    speaker: str | None = None,
    person: Grammatical | None = None,
    threshold: AnswerThresholds | float | None = None,
    generate: bool | None = None,
    seed: int = 0,
) -> ReadBack:
    """`read_back`, then closed questions where the rules found nothing, then generation with quotations.

    Args:
        model: whom to ask.
        source: as for `read_back`.
        special: as for `read_back`.
        speaker: as for `read_back`.
        person: as for `read_back`.
        threshold: least probability of a closed answer: what `calibrate_answers` found for this model, or one number
            for all. None: no closed question is asked, since nobody knows what its answers are worth.
        generate: ask for further facts; None: when the model can generate.
        seed: of the generation.

    Raises:
        InputError: `threshold` was calibrated for another model.
    """
    from personae.creation._readback_asked import CLOSED, closed_facts, closed_paths, quoted_facts
    from personae.models import Capability

    read = read_back(source, special=special, speaker=speaker, person=person)
    wanted = frozenset(read.special)
    messages = shown(_messages(source, speaker), wanted)
    facts, unverified, problems = list(read.facts), 0, list[str]()
    known = {f.path for f in facts if f.polarity > 0 and f.tense == "present"}
    if threshold is not None and Capability.SCORE in model.capabilities:
        cuts = threshold.of(model) if isinstance(threshold, AnswerThresholds) else dict.fromkeys(CLOSED, threshold)
        facts += await closed_facts(model, messages, closed_paths(known), cuts)
    if generate or (generate is None and Capability.GENERATE in model.capabilities and messages):
        more, unverified, problems = await quoted_facts(model, messages, wanted, seed)
        have = {(f.path, str(f.value).casefold(), f.polarity) for f in facts}
        facts += [f for f in more if (f.path, str(f.value).casefold(), f.polarity) not in have]
    told = {"unverified": unverified, "problems": tuple(problems), "hidden": sum(len(m.hidden) for m in messages)}
    return read.model_copy(update={"facts": tuple(facts), **told})


def grammatical_person(text: str) -> Grammatical:
    """Whether a text speaks of its writer, its reader or somebody else, by its pronouns.

    >>> grammatical_person("You are Ana. You live in Faro.")
    'second'
    """
    first = len(re.findall(r"\b(?:i|i'm|im|my|me)\b", text, re.IGNORECASE))
    second = len(re.findall(r"\b(?:you|your|you're)\b", text, re.IGNORECASE))
    third = len(re.findall(r"\b(?:he|she|they|his|her|their)\b", text, re.IGNORECASE))
    named = re.match(r"\s*(?:[A-ZÀ-Þ][\w'-]+ ?){1,3}(?:,|is\b|was\b|works?\b|lives?\b|has\b|loves?\b)", text)
    if first and first >= max(second, third):
        return "first"
    if second > third:
        return "second"
    return "third" if third or named else "first"


# Shared with what asks a model --------------------------------------------------------------------------------------


def _categories(special: Iterable[str]) -> frozenset[str]:
    for name in special:
        if name not in SPECIAL:
            raise UnknownKeyError.of(name, SPECIAL, where="special")
    return frozenset(special)


def _messages(source: str | Conversation, speaker: str | None) -> Messages:
    if isinstance(source, str):
        return (("text", source, None),)
    speakers = sorted({e.speaker for e in source.utterances})
    if speaker is None and len(speakers) > 1:
        raise InputError(f"{len(speakers)} people speak in {source.key!r}.", hint=f"speaker: {', '.join(speakers)}.")
    if speaker is not None and speaker not in speakers:
        raise InputError(f"nobody called {speaker!r} speaks in {source.key!r}.", hint=f"Known: {', '.join(speakers)}.")
    return tuple(
        (f"{source.key}#{e.index}", e.text, str(e.meta["when"]) if e.meta.get("when") else None)
        for e in source.utterances
        if speaker is None or e.speaker == speaker
    )


def _fact(reading: SelfStatement, source: str, text: str, when: str | None) -> ReadFact:
    low, high = max(0, reading.start), min(len(text), reading.end)
    return ReadFact(
        path=reading.path,
        value=reading.value,
        evidence=(EvidenceSpan(source=source, start=low, end=high, text=text[low:high], when=when),),
        rule=reading.rule,
        confidence=reading.confidence,
        polarity=reading.polarity,
        tense=reading.tense,
        name=reading.name,
        category=reading.category,
    )


# Into a persona -----------------------------------------------------------------------------------------------------

_SINGLE_ATTRIBUTES: Final = (
    "attributes.family.children",
    "attributes.body",
    "attributes.identity",
    "attributes.food.diet",
)


def _single(path: str) -> bool:
    if path.startswith(("relations.", "goals")):
        return False
    if path.startswith("attributes."):
        return path.startswith(_SINGLE_ATTRIBUTES)
    return leaf_kind(path, "read-back") != "list"


def _leaf(facts: Sequence[ReadFact]) -> dict[str, Any]:
    first = facts[0]
    values = tuple(dict.fromkeys(f.value for f in facts))
    span = first.evidence[0]
    kind = {"rule": "user", "option": "model", "model": "user"}[first.method]
    leaf = Fact(
        value=values[0] if len(values) == 1 else values,
        source=Source(kind=kind, ref=f"{span.source}:{span.start}-{span.end}"),
        confidence=min(f.confidence for f in facts),
        valid_from=span.when,
        pii=PII.SENSITIVE if any(f.category for f in facts) else None,
    )
    return leaf.model_dump(mode="json", exclude_defaults=True)


def _body(read: ReadBack, name: str | None, *, synthetic: bool, consent: Consent | None) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": "individualized", "synthetic": synthetic, "attributes": {}}
    if consent is not None:
        body["consent"] = consent.model_dump()
    now: dict[str, list[ReadFact]] = defaultdict(list)
    for fact in read.facts:
        branch = "not" if fact.polarity < 0 else "past" if fact.tense == "past" else ""
        now[f"attributes.{branch}.{fact.path.removeprefix('attributes.')}" if branch else fact.path].append(fact)
    for path, facts in now.items():
        if path in read.conflicts:
            body["attributes"][f"conflict.{path.removeprefix('attributes.')}"] = _leaf(facts)
        else:
            _put(body, path, facts)
    body.setdefault("names", {}).setdefault("full", name or "Unnamed")
    if name is not None:
        body["names"]["full"] = name
    body["evidence"] = [
        Evidence(
            text=f.evidence[0].text,
            when=f.evidence[0].when or f.evidence[0].source,
            polarity=f.polarity if not f.path.startswith("context.dislikes") else -1,
            ref=f"{f.evidence[0].source}:{f.evidence[0].start}-{f.evidence[0].end}",
        ).model_dump()
        for f in read.facts
        if f.method != "option"
    ]
    issues = tuple(
        f"conflict at {path}: {', '.join(repr(f.value) for f in facts)}" for path, facts in read.conflicts.items()
    )
    body["provenance"] = Provenance(generator="read-back", issues=issues).model_dump(exclude_defaults=True)
    return {key: value for key, value in body.items() if value not in ({}, [])}


def _put(body: dict[str, Any], path: str, facts: list[ReadFact]) -> None:
    if path.startswith("attributes."):
        body["attributes"][path.removeprefix("attributes.")] = _leaf(facts)
    elif path.startswith("relations."):
        kind = path.removeprefix("relations.").replace("_", " ")
        body.setdefault("relations", []).extend(
            {"name": {**_leaf([f]), "value": f.name or kind}, "kind": kind, "note": _leaf([f])} for f in facts
        )
    elif path == "goals":
        body.setdefault("goals", []).extend({"text": _leaf([f])} for f in facts)
    else:
        section, leaf = path.split(".", 1)
        node = body.setdefault(section, {})
        if path == "social.languages":
            node[leaf] = list(dict.fromkeys(str(f.value) for f in facts))
        elif leaf_kind(path, "read-back") == "list":
            distinct = {str(f.value).casefold(): f for f in facts}
            node[leaf] = [_leaf([f]) for f in distinct.values()]
        else:
            node[leaf] = _leaf(facts)
