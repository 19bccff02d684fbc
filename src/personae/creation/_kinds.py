"""Which of the three kinds a persona is, or which mix, and the fields that say so.

Source: Chen et al. 2024, From Persona to Personalization: demographic (a group's profile), character (an established
figure), individualized (one user, built up by interaction). The survey names the kinds; the points of our rules are
ours. A kind that is declared (`Persona.kind`) is a claim and counts for nothing here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, get_args

from pydantic import BaseModel, Field

from personae.core import Fact, Frozen, InputError, Persona, PersonaKind, UnknownKeyError, plain
from personae.creation._names import is_public_name

KINDS: Final[tuple[PersonaKind, ...]] = get_args(PersonaKind)
MIX_FROM: Final = 0.3
"""least weight of a kind that belongs to the mix; set on the dev half of the labelled personas"""
_TIE: Final = 0.02
_CAPS: Final = {
    "group label": 2.4, "group value with census or survey source": 2.0, "trait scores from a norm": 0.3,
    "user evidence, dated": 3.6, "user evidence, undated": 1.2, "value from a user": 2.4, "dated note": 3.0,
    "life event": 1.5, "relation": 1.0, "inner life": 1.25, "way of talking": 1.5, "value from a work": 2.0,
    "demonstration": 2.5, "own words": 1.5,
}  # fmt: skip
"""most points of a rule that may hold for many fields"""
_GROUP_SOURCES: Final = frozenset({"census", "survey", "microdata", "table"})
_LORE_SOURCES: Final = frozenset(
    {"novel", "book", "script", "encyclopedia", "wiki", "wikipedia", "film", "play", "lore"}
)
_USER_SOURCES: Final = frozenset({"user", "chat", "message", "log", "conversation", "feedback", "email"})
_DATE: Final = re.compile(r"\b(?:19|20)\d\d[-_/.](?:0?[1-9]|1[0-2])(?:[-_/.](?:0?[1-9]|[12]\d|3[01]))?\b")
_GROUP_NAME: Final = re.compile(
    r"(?:an?|the|average|typical|young|old|male|female|people|respondent|participant|persona|household|person|member|"
    r"subject|agent|citizen|voter|worker)\b",
    re.IGNORECASE,
)
_GROUP_TEXT: Final = re.compile(
    r"(?:(?i:an?) (?:\d+[- ]year|[\w-]+ (?:man|woman|person|who|from|in|aged)|\w+ (?:\w+ )?(?:who|from|in|at|with)\b)|"
    r"(?i:people|someone|those) |[A-Z][\w ]{2,40} in [A-Z])",
)  # fmt: skip


class KindEvidence(Frozen):
    """A rule that holds for a field, and what it adds to a kind."""

    kind: PersonaKind
    field: str
    rule: str
    points: float = Field(gt=0)


class PersonaKinds(Frozen):
    """What kind of persona this is.

    Args:
        weights: share of each kind, sum 1; a third each when nothing speaks for any.
        primary: the heaviest kind; None when two are level.
        mix: kinds that weigh at least `MIX_FROM`, heaviest first; more than one means a mix, not a mistake.
        evidence: every rule that held, with its field; a function of the persona's fields alone.
        confidence: weight of the mix, held back where little speaks at all (set on the dev half).
    """

    weights: dict[PersonaKind, float]
    primary: PersonaKind | None
    mix: tuple[PersonaKind, ...]
    evidence: tuple[KindEvidence, ...]
    confidence: float = Field(ge=0, le=1)

    def of(self, kind: PersonaKind) -> tuple[KindEvidence, ...]:
        """Evidence for one kind."""
        return tuple(e for e in self.evidence if e.kind == kind)


def classify(persona: Persona) -> PersonaKinds:
    """Weigh the evidence for each kind: normalised points of the rules that hold.

    A field speaks for at most one kind, so taking it away never makes that kind heavier.

    >>> from personae.core import Names, Social
    >>> classify(Persona(names=Names(full="A nurse"), social=Social(age=45, sex="female"))).primary
    'demographic'
    """
    evidence = tuple(_evidence(persona))
    by_rule: dict[tuple[PersonaKind, str], float] = defaultdict(float)
    for one in evidence:
        by_rule[one.kind, one.rule] += one.points
    scores: dict[PersonaKind, float] = dict.fromkeys(KINDS, 0.0)
    for (kind, rule), points in by_rule.items():
        scores[kind] += min(points, _CAPS.get(rule, points))
    told = max(scores["character"], scores["individualized"])
    labels = min(by_rule.get(("demographic", "group label"), 0.0), _CAPS["group label"])
    if told >= 2 and scores["demographic"] <= labels:  # anybody with a history also has an age and a town
        scores["demographic"] *= 0.4
    total = sum(scores.values())
    weights: dict[PersonaKind, float] = {k: scores[k] / total if total else 1 / len(KINDS) for k in KINDS}
    order: list[PersonaKind] = list(weights)
    order.sort(key=lambda k: -weights[k])
    mix: tuple[PersonaKind, ...] = tuple(k for k in order if weights[k] >= MIX_FROM)
    tied = weights[order[0]] - weights[order[1]] <= _TIE
    return PersonaKinds(
        weights=weights,
        primary=None if tied else order[0],
        mix=mix,
        evidence=evidence,
        confidence=min(1.0, sum(weights[k] for k in mix)) * total / (total + 0.1) if total else 0.0,
    )


def _evidence(p: Persona) -> Iterator[KindEvidence]:
    yield from _of_name(p)
    yield from _of_leaves(p)
    yield from _of_bookkeeping(p)
    yield from _of_story(p)


def _add(kind: PersonaKind, field: str, rule: str, points: float) -> KindEvidence:
    return KindEvidence.model_construct(kind=kind, field=field, rule=rule, points=points)


def _of_name(p: Persona) -> Iterator[KindEvidence]:
    name = p.name
    if is_public_name(name):
        yield _add("character", "names.full", "name of a widely known person", 2.0)
    elif _GROUP_NAME.match(name) and " " in name:
        yield _add("demographic", "names.full", "name of a group or number", 1.2)


def _of_leaves(p: Persona) -> Iterator[KindEvidence]:
    """Group labels, and what the source of a value says; each leaf speaks once."""
    for path, value in p.leaves():
        leaf = next((v for v in value if isinstance(v, Fact)), value) if isinstance(value, tuple) else value
        source = leaf.source.kind.casefold() if isinstance(leaf, Fact) and leaf.source is not None else ""
        dated = isinstance(leaf, Fact) and leaf.valid_from is not None
        if source in _USER_SOURCES or (dated and source not in _GROUP_SOURCES | _LORE_SOURCES):
            yield _add("individualized", path, "value from a user", 1.2)
        elif source in _LORE_SOURCES:
            yield _add("character", path, "value from a work", 1.5)
        elif source in _GROUP_SOURCES:
            yield _add("demographic", path, "group value with census or survey source", 0.7)
        elif path.startswith("attributes."):
            if _DATE.search(path) or _DATE.search(str(plain(leaf))):
                yield _add("individualized", path, "dated note", 1.2)
            elif path.startswith(("attributes.preference.", "attributes.memory.", "attributes.feedback.")):
                yield _add("individualized", path, "dated note", 0.6)
        elif path.startswith("social."):
            yield _add("demographic", path, "group label", 0.4)


def _of_bookkeeping(p: Persona) -> Iterator[KindEvidence]:
    made = p.provenance
    if made.recipe is not None:
        yield _add("demographic", "provenance.recipe", "drawn from a population", 1.5)
    if made.cell:
        yield _add("demographic", "provenance.cell", "cell of a population table", 0.5)
    if made.weight is not None:
        yield _add("demographic", "provenance.weight", "survey weight", 0.5)
    if p.consent is not None:
        yield _add("individualized", "consent", "recorded consent", 2.5)
    if p.policy.retention is not None:
        yield _add("individualized", "policy.retention", "retention of personal data", 0.8)
    for k, one in enumerate(p.evidence):
        dated = _DATE.search(one.when) is not None
        rule = "user evidence, dated" if dated else "user evidence, undated"
        yield _add("individualized", f"evidence.{k}", rule, 1.2 if dated else 0.5)


def _of_story(p: Persona) -> Iterator[KindEvidence]:
    yield from _of_inner_life(p)
    yield from _of_talk(p)
    if p.description is not None:
        yield from _of_description(p, str(plain(p.description)))


def _of_inner_life(p: Persona) -> Iterator[KindEvidence]:
    for section, points in (("timeline", 0.6), ("relations", 0.4)):
        for k, _ in enumerate(getattr(p, section)):
            rule = "life event" if section == "timeline" else "relation"
            yield _add("character", f"{section}.{k}", rule, points)
    for section, held in (("personal", ("fears", "motives")), ("", ("goals", "beliefs"))):
        for name in held:
            if getattr(getattr(p, section) if section else p, name):
                yield _add("character", f"{section}.{name}".strip("."), "inner life", 0.4)


def _of_talk(p: Persona) -> Iterator[KindEvidence]:
    style = p.style
    for name in ("register", "verbosity", "humour", "dialect"):
        if getattr(style, "register_" if name == "register" else name) is not None:
            yield _add("character", f"style.{name}", "way of talking", 0.4)
    for name in ("catchphrases", "examples"):
        if getattr(style, name):
            yield _add("character", f"style.{name}", "own words", 0.9)
    for k, _ in enumerate(p.demonstrations):
        yield _add("character", f"demonstrations.{k}", "demonstration", 1.25)
    if p.knowledge.boundary is not None:
        yield _add("character", "knowledge.boundary", "edge of what can be known", 1.2)
    if p.knowledge.ignorance:
        yield _add("character", "knowledge.ignorance", "named ignorance", 0.5)


def _of_description(p: Persona, text: str) -> Iterator[KindEvidence]:
    if _DATE.search(text):
        yield _add("individualized", "description", "dated description", 1.5)
    elif p.name in text:
        yield _add("character", "description", "description of a named person", 1.2 if len(text.split()) < 25 else 1.6)
    elif _GROUP_TEXT.match(text.strip()):
        yield _add("demographic", "description", "description of a group", 1.5)
    elif len(text.split()) >= 40:
        yield _add("character", "description", "long description", 0.8)


# Fields -------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _alternatives(expression: str) -> tuple[tuple[str, ...], ...]:
    """`a | b` as steps, each path checked against the schema.

    Raises:
        UnknownKeyError: a path no persona has.
    """
    return tuple(_steps(path.strip()) for path in expression.split("|"))


def _steps(path: str) -> tuple[str, ...]:
    steps = tuple(path.split("."))
    if steps[0] == "attributes" or steps[0] == "ext":
        return steps
    model: Any = Persona
    out: list[str] = []
    for step in steps:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            out.append(step)  # below a mapping: any key
            continue
        aliases = {f.alias: name for name, f in fields.items() if f.alias}
        name = aliases.get(step, step)
        if name not in fields:
            raise UnknownKeyError.of(step, fields, where=f"path {path!r}")
        out.append(name)
        model = _inner(fields[name].annotation)
    return tuple(out)


def _inner(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None if issubclass(annotation, Fact) else annotation
    if getattr(annotation, "__origin__", None) in (tuple, dict):
        return None
    for part in get_args(annotation):
        found = _inner(part)
        if found is not None:
            return found
    return None


def has_field(persona: Persona, expression: str) -> bool:
    """Whether a path is set, non-empty; `a | b` means either, `attributes.food` any attribute below it.

    Raises:
        UnknownKeyError: a path no persona has.

    >>> from personae.core import Names
    >>> has_field(Persona(names=Names(full="Ana")), "social.age | names.full")
    True
    """
    return any(_is_set(persona, steps) for steps in _alternatives(expression))


def _is_set(persona: Persona, steps: tuple[str, ...]) -> bool:
    if steps[0] == "attributes":
        prefix = ".".join(steps[1:])
        return any(not prefix or k == prefix or k.startswith(f"{prefix}.") for k in persona.attributes)
    node: Any = persona
    for step in steps:
        node = node.get(step) if isinstance(node, dict) else getattr(node, step, None)
        if node is None:
            return False
    node = plain(node)
    if isinstance(node, (str, tuple, dict)):
        return len(node) > 0
    if isinstance(node, BaseModel):
        return node != type(node).model_construct() and bool(node.model_dump(exclude_defaults=True))
    return True


def without_field(persona: Persona, path: str) -> Persona:
    """The persona with one path emptied; the same persona when it was not set.

    Raises:
        InputError: the path cannot be emptied (every persona has a name).
        UnknownKeyError: a path no persona has.
    """
    steps = _steps(path)
    body = persona.dump()
    body.pop("id")
    body["provenance"] = persona.provenance.model_dump(mode="json", exclude_defaults=True)
    if path in {"names", "names.full"}:
        raise InputError(f"{path!r} cannot be taken away.", hint="Every persona has a name.")
    if steps[0] == "attributes":
        prefix = ".".join(steps[1:])
        body["attributes"] = {
            k: v for k, v in body.get("attributes", {}).items() if not (k == prefix or k.startswith(f"{prefix}."))
        }
        return Persona.parse(body)
    node: Any = body
    words = path.split(".")
    for word in words[:-1]:
        node = node[int(word)] if isinstance(node, list) else node.get(word) if isinstance(node, dict) else None
        if node is None:
            return persona
    if isinstance(node, list):
        del node[int(words[-1])]
    elif isinstance(node, dict):
        node.pop(words[-1], None)
    if path == "consent":
        body["synthetic"] = True
    return Persona.parse(body)
