"""From one kind of persona to another: evidence makes a profile one user, users become groups of at least k."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import Field

from personae.core import Consent, Evidence, Fact, Frozen, InputError, Names, Persona, Provenance, Source, plain
from personae.creation._paths import place

_BANDS: Final = (0, 18, 25, 35, 45, 55, 65, 75, 121)


class Group(Frozen):
    """A group of at least k people and the values they share."""

    values: dict[str, str]
    count: int = Field(ge=1)
    share: float


class Aggregate(Frozen):
    """Groups by shared values. `suppressed` people are in groups that would be smaller than k, told of no further."""

    by: tuple[str, ...]
    k: int
    n: int
    groups: tuple[Group, ...]
    suppressed: int

    def personas(self) -> tuple[Persona, ...]:
        """One demographic persona a group; its weight is the group's size."""
        return tuple(_group_persona(self, j, group) for j, group in enumerate(self.groups))


def individualize(
    persona: Persona, evidence: Sequence[Evidence], *, consent: Consent | None = None, retention: str | None = None
) -> Persona:
    """The persona with dated observations of one user added; what it held stays.

    Raises:
        InputError: no evidence.
    """
    if not evidence:
        raise InputError("individualize: no evidence was given.", hint="Give at least one dated observation.")
    policy = persona.policy if retention is None else persona.policy.model_copy(update={"retention": retention})
    known = {(e.text, e.when) for e in persona.evidence}
    fresh = tuple(e for e in evidence if (e.text, e.when) not in known)
    return persona.model_copy(
        update={
            "kind": "individualized",
            "evidence": (*persona.evidence, *fresh),
            "consent": consent or persona.consent,
            "policy": policy,
        }
    )


def aggregate(people: Iterable[Persona], by: Sequence[str], *, k: int = 5) -> Aggregate:
    """Counts of people by the values of `by`, without any group smaller than `k` (k-anonymity; Sweeney 2002).

    Ages become bands, missing values `unknown`. When fewer than k people would be suppressed in all, the smallest kept
    group goes too, so that the rest cannot be told from the total.

    Raises:
        InputError: k below 2, or no path.
    """
    if k < 2:
        raise InputError(f"aggregate: k is {k!r}, expected at least 2.", hint="A group of one is that one.")
    if not by:
        raise InputError("aggregate: no path was given.", hint="Example: by=['social.age', 'social.sex'].")
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for person in people:
        counts[tuple(_coarse(path, person.get(path)) for path in by)] += 1
    total = sum(counts.values())
    kept = sorted(((v, c) for v, c in counts.items() if c >= k), key=lambda pair: (-pair[1], pair[0]))
    rest = total - sum(c for _, c in kept)
    while kept and 0 < rest < k:
        rest += kept.pop()[1]
    groups = tuple(Group(values=dict(zip(by, v, strict=True)), count=c, share=c / total) for v, c in kept)
    return Aggregate(by=tuple(by), k=k, n=total, groups=groups, suppressed=rest)


def character_prompt(persona: Persona) -> str:
    """A character as a prompt: who they are, what they cannot know, and how they talk, by their own lines."""
    parts = [persona.render("self", "second_person")]
    knows = persona.knowledge
    if knows.boundary is not None and knows.boundary not in parts[0]:
        parts.append(f"Beyond this you know nothing: {knows.boundary}. Asked about it, you say that you do not know.")
    if knows.ignorance and not all(word in parts[0] for word in knows.ignorance):
        parts.append(f"You know nothing about {', '.join(knows.ignorance)}.")
    for shown in persona.demonstrations:
        lines = "\n".join(f"{line.speaker}: {line.text}" for line in shown.lines)
        parts.append(f"{shown.scene}\n{lines}" if shown.scene else lines)
    return "\n\n".join(parts)


def _coarse(path: str, value: Any) -> str:
    if value is None or value in ((), ""):
        return "unknown"
    if path == "social.age":
        low = max(edge for edge in _BANDS if edge <= int(value))
        high = _BANDS[_BANDS.index(low) + 1] - 1
        return f"{low}-{high}" if high < 120 else f"{low}+"
    return ", ".join(str(plain(v)) for v in value) if isinstance(value, tuple) else str(value)


def _group_persona(whole: Aggregate, j: int, group: Group) -> Persona:
    body: dict[str, Any] = {
        "names": Names(full="Group: " + ", ".join(group.values.values())).model_dump(mode="json", exclude_defaults=True)
    }
    source = Source(kind="survey", ref=f"{group.count} of {whole.n} people")
    put: Mapping[str, str] = {p: v for p, v in group.values.items() if v != "unknown"}
    for path, value in put.items():
        leaf = Fact(value=value, source=source).model_dump(mode="json", exclude_defaults=True)
        place(body, "attributes.age_band" if path == "social.age" else path, leaf)
    made = Provenance(generator="aggregate", k=j, n=whole.n, cell=dict(group.values), weight=float(group.count))
    body["provenance"] = made.model_dump(mode="json", exclude_defaults=True)
    return Persona.parse(body)
