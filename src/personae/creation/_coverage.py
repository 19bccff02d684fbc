"""What a kind of persona needs, what is there, and what stands in the way: coverage over fourteen facets, and lint.

The facets are those of the persona schema's own map (identity to generator trace). Which fields a kind requires follows
the survey's table of kinds (Chen et al. 2024); the choice of single fields is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

from personae.core import Fact, Frozen, Persona, PersonaKind, UnknownKeyError, plain
from personae.creation._kinds import KINDS, PersonaKinds, classify, has_field
from personae.creation._lint import Finding, short
from personae.creation._rules import Severity
from personae.text import words

Facet: TypeAlias = Literal[
    "identity", "demographics", "psychometrics", "background", "beliefs", "skills", "style", "life_context",
    "demonstrations", "memory", "preferences", "observations", "policies", "trace",
]  # fmt: skip
_R, _W = True, False  # required, wished
_COVER: Final[dict[PersonaKind, tuple[tuple[Facet, str, bool], ...]]] = {
    "demographic": (
        ("identity", "names.full", _R),
        (
            "demographics",
            "social.age | social.occupation | social.sex | social.gender | social.ethnicity | description",
            _R,
        ),
        ("demographics", "social.age", _W),
        ("demographics", "social.sex | social.gender", _W),
        ("demographics", "social.residence | social.nationality", _W),
        ("demographics", "social.education", _W),
        ("demographics", "social.occupation | social.employment", _W),
        ("psychometrics", "personal.big_five | personal.psychometrics | personal.types | personal.values", _W),
        ("life_context", "context.situation | context.interests", _W),
        ("trace", "provenance.recipe | provenance.cell", _R),
        ("trace", "provenance.weight", _R),
        ("trace", "provenance.seed | provenance.k", _W),
    ),
    "character": (
        ("identity", "names.full", _R),
        ("identity", "provenance.licence", _R),
        ("background", "description | timeline", _R),
        ("background", "knowledge.boundary", _R),
        ("background", "timeline", _W),
        ("background", "relations", _W),
        ("beliefs", "goals | personal.motives", _W),
        ("beliefs", "beliefs | personal.values | personal.fears", _W),
        ("skills", "knowledge.skills", _W),
        ("skills", "knowledge.ignorance", _W),
        ("style", "style.register | style.verbosity | style.humour | style.dialect", _W),
        ("style", "style.catchphrases | style.examples", _W),
        ("demonstrations", "demonstrations | style.examples", _R),
    ),
    "individualized": (
        ("identity", "names.full | names.handle", _R),
        ("identity", "consent", _R),
        ("memory", "evidence", _R),
        ("preferences", "context.likes | context.dislikes | attributes.preference | attributes.favourite", _R),
        ("policies", "policy.retention", _R),
        ("policies", "policy.allowed_topics | policy.refused_topics", _W),
        ("demographics", "social.age | social.occupation | social.residence", _W),
        ("life_context", "context.routines | context.interests | context.situation", _W),
        ("style", "style.register | style.verbosity | style.examples", _W),
        ("observations", "personal.psychometrics", _W),
    ),
}
DEMONSTRATIONS: Final = 2
"""least dialogues or examples by which a way of talking can be told"""


class Coverage(Frozen):
    """How far a persona has what its kind needs.

    Args:
        required: expressions of paths (`a | b`: either) without which the kind cannot be used as meant.
        scores: share of the facet's expressions that are set, 0 to 1; facets the kind wants nothing of are left out.
        blockers: required and missing, in words.
    """

    kind: PersonaKind
    required: tuple[str, ...]
    recommended: tuple[str, ...]
    present: tuple[str, ...]
    missing: tuple[str, ...]
    scores: dict[Facet, float]
    blockers: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share of all expressions that are set."""
        return len(self.present) / (len(self.present) + len(self.missing))


def coverage(persona: Persona, kind: PersonaKind) -> Coverage:
    """What `kind` asks for and what is there.

    Raises:
        UnknownKeyError: no such kind.
    """
    if kind not in _COVER:
        raise UnknownKeyError.of(kind, KINDS, where="kind")
    asked = _COVER[kind]
    here = [has_field(persona, path) for _, path, _ in asked]
    tally: dict[Facet, list[bool]] = {}
    for (facet, _, _), there in zip(asked, here, strict=True):
        tally.setdefault(facet, []).append(there)
    needed = [(path, there) for (_, path, required), there in zip(asked, here, strict=True) if required]
    return Coverage.model_construct(
        kind=kind,
        required=tuple(path for path, _ in needed),
        recommended=tuple(path for _, path, required in asked if not required),
        present=tuple(path for (_, path, _), there in zip(asked, here, strict=True) if there),
        missing=tuple(path for (_, path, _), there in zip(asked, here, strict=True) if not there),
        scores={facet: sum(found) / len(found) for facet, found in tally.items()},
        blockers=tuple(f"{kind}: {path} is not set" for path, there in needed if not there),
    )


def lint_kind(persona: Persona, kinds: PersonaKinds | None = None) -> tuple[Finding, ...]:
    """What is missing for each kind of the persona's mix; `kinds` saves classifying it again.

    Codes begin with the kind. Demographic: a population and a weight. Character: an edge of knowledge, demonstrations,
    rights. Individualized: consent, retention, and dated evidence of the same direction for each preference.
    """
    found = kinds or classify(persona)
    return tuple(finding for kind in found.mix for finding in _LINTERS[kind](persona))


def _demographic(p: Persona) -> Iterator[Finding]:
    if p.provenance.recipe is None and not p.provenance.cell and not _has_source(p, {"census", "survey", "microdata"}):
        yield _finding(
            "demographic.no_population", "population", ("provenance.recipe", "provenance.cell"), "error",
            "Say which population this is: draw it from a recipe, or give each value its census or survey source.",
        )  # fmt: skip
    if p.provenance.weight is None:
        yield _finding(
            "demographic.no_weight", "population", ("provenance.weight",), "warning",
            "Give the weight that makes groups add up to the population; 1 for an equal draw.",
        )  # fmt: skip
    if not has_field(p, "social.age | social.occupation | social.sex | social.gender | social.ethnicity | description"):
        yield _finding("demographic.no_group", "social", ("social",), "error", "Give at least one group label.")


def _character(p: Persona) -> Iterator[Finding]:
    if p.knowledge.boundary is None:
        yield _finding(
            "character.no_boundary", "knowledge", ("knowledge.boundary",), "error",
            "Say the time or world beyond which the character knows nothing.",
        )  # fmt: skip
    shown = len(p.demonstrations) + len(p.style.examples) + len(p.style.catchphrases)
    if shown < DEMONSTRATIONS:
        yield _finding(
            "character.few_demonstrations", "style", ("demonstrations", "style.examples"), "warning",
            f"Show the character talking at least {DEMONSTRATIONS} times; {shown} found.",
        )  # fmt: skip
    if p.provenance.licence is None:
        yield _finding(
            "character.no_rights", "rights", ("provenance.licence",), "warning",
            "Name the licence or the rights under which the figure is used.",
        )  # fmt: skip


def _individualized(p: Persona) -> Iterator[Finding]:
    if p.consent is None:
        yield _finding(
            "individualized.no_consent", "consent", ("consent",), "error" if p.evidence else "warning",
            "Record who consented to what and when; for an invented user write a consent that says so.",
        )  # fmt: skip
    if p.policy.retention is None:
        yield _finding(
            "individualized.no_retention", "policy", ("policy.retention",), "error",
            "Say how long the data are kept.",
        )  # fmt: skip
    for k, one in enumerate(p.evidence):
        if not is_dated(one.when):
            yield _finding(
                "individualized.undated_evidence", "evidence", (f"evidence.{k}.when",), "warning",
                "Give the date of the observation as YYYY-MM-DD.", one.when,
            )  # fmt: skip
    for name, sign in (("likes", 1), ("dislikes", -1)):
        for k, leaf in enumerate(getattr(p.context, name)):
            yield from _preference(p, f"context.{name}.{k}", leaf, sign)


def _preference(p: Persona, path: str, leaf: object, sign: int) -> Iterator[Finding]:
    if isinstance(leaf, Fact) and leaf.valid_from is not None and is_dated(leaf.valid_from):
        return
    told = str(plain(leaf))
    about = _stems(told)
    on_it = [e for e in p.evidence if about & _stems(e.text)]
    if any(e.polarity == -sign for e in on_it) and not any(e.polarity == sign for e in on_it):
        yield _finding(
            "individualized.contradicted", "evidence", (path, "evidence"), "error",
            "The evidence says the opposite: correct the preference or add what came later.", told,
        )  # fmt: skip
    elif not any(is_dated(e.when) for e in on_it):
        yield _finding(
            "individualized.no_evidence", "evidence", (path, "evidence"), "warning",
            "Add the dated observation that this preference rests on.", told,
        )  # fmt: skip


_LINTERS: Final[dict[PersonaKind, Callable[[Persona], Iterator[Finding]]]] = {
    "demographic": _demographic,
    "character": _character,
    "individualized": _individualized,
}
_DATED: Final = re.compile(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?(?:[T ].*)?$")
_SMALL: Final = frozenset(
    ["a", "an", "the", "of", "in", "on", "for", "and", "or", "to", "at", "by", "with", "it", "them"]
)


def is_dated(when: str) -> bool:
    """Whether a time is a calendar date (year at least, ISO 8601)."""
    return _DATED.match(when.strip()) is not None


def _stems(text: str) -> set[str]:
    return {w[:5] for w in words(text) if w not in _SMALL}


def _has_source(p: Persona, kinds: set[str]) -> bool:
    return any(isinstance(v, Fact) and v.source is not None and v.source.kind in kinds for _, v in p.leaves())


def _finding(code: str, owner: str, fields: tuple[str, ...], severity: Severity, hint: str, *held: str) -> Finding:
    """`held`: what stands in the first fields."""
    given = tuple((name, short(value)) for name, value in zip(fields, held, strict=False))
    return Finding(code, owner, fields, severity, hint, given)
