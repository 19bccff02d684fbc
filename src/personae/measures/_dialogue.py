"""What happened in dialogues: echo, self-repetition, role swaps, style convergence, length, endings.

Everything is computed per conversation first; people are the unit of randomisation. With two projections per person
the difference is paired by (person, seed). Echo is lexical copying of the partner beyond what turns of other
conversations share, so that a model that says the same to everybody is not mistaken for one that copies.

Source: SPASM names drift and echo; the estimators here are ours and are written out in each docstring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from personae.core import ConversationRow, Measurement, Persona, TurnRow, derive_rng, derive_seed, plain
from personae.measures._make import Direction, Maker, adjusted
from personae.statistics import (
    TestResult,
    mean_interval,
    paired_interval,
    proportion_interval,
    proportion_upper_bound,
    sign_flip_test,
)
from personae.text import (
    Role,
    cosine,
    directional_copy,
    is_echo,
    role_swap,
    self_repetition,
    standardise,
    style_vector,
)

CONTROL_TURNS: Final = 3
_WHAT: Final[dict[str, tuple[str, str, Direction]]] = {
    "echo_copy": ("Echo: 4-grams copied from the partner beyond control turns", "share", "lower is better"),
    "echo_event": ("Echo events: longest common substring over half", "share of turns", "lower is better"),
    "self_repetition": ("Self-repetition: 4-grams said before by the same speaker", "share", "lower is better"),
    "role_swap": (
        "Role swaps: advice from the client, client's facts from the responder",
        "share of turns",
        "lower is better",
    ),
    "convergence": ("Style convergence: slope of similarity to the partner", "cosine per turn", "neither"),
    "utterances": ("Length", "utterances", "neither"),
}


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation with its turns in order."""

    head: ConversationRow
    turns: tuple[TurnRow, ...]

    @property
    def key(self) -> tuple[str, str]:
        """(person, seed): what pairs two conditions."""
        return self.head.persona_id, str(self.head.seed)


def talks(conversations: Sequence[ConversationRow], turns: Sequence[TurnRow]) -> list[Talk]:
    """Join the two tables, sorted by conversation key; forks are left out."""
    said: dict[str, list[TurnRow]] = defaultdict(list)
    for turn in turns:
        said[turn.conversation].append(turn)
    heads = sorted((c for c in conversations if c.parent is None), key=lambda c: c.conversation)
    return [Talk(c, tuple(sorted(said[c.conversation], key=lambda t: t.index))) for c in heads]


def talk_metrics(
    talk: Talk,
    others: Sequence[Talk],
    persona: Persona | None,
    styles: Mapping[tuple[str, int], np.ndarray],
    *,
    seed: int,
) -> dict[str, float]:
    """Numbers of one conversation; NaN where there was nothing to compute from.

    Args:
        talk: the conversation.
        others: conversations of other people under the same condition, for control turns.
        persona: the client, whose facts the responder must not claim.
        styles: standardised style vector of each turn, see `turn_styles`.
        seed: of the draw of control turns.
    """
    pairs = _answered(talk)
    events = [float(is_echo(turn.text, before.text)) for before, turn in pairs]
    similar = [cosine(styles[t.conversation, t.index], styles[b.conversation, b.index]) for b, t in pairs]
    return {
        "echo_copy": echo_copy(talk, others, seed=seed),
        "echo_event": float(np.mean(events)) if events else float("nan"),
        "self_repetition": _self_repetition(talk),
        "role_swap": _role_swaps(talk, persona),
        "convergence": _slope(similar),
        "utterances": float(len(talk.turns)),
    }


def echo_copy(talk: Talk, others: Sequence[Talk], *, seed: int) -> float:
    """Mean over turns of the directional lexical copy; NaN if no turn has four words.

    Share of a turn's word 4-grams that stand in the partner's previous turn, minus the mean of the same share against
    turns of the partner's role drawn from `others`.
    """
    rng = derive_rng(seed, "control", talk.head.conversation)
    pool: dict[str, list[str]] = defaultdict(list)
    for turn in (t for other in others for t in other.turns):
        pool[turn.role].append(turn.text)
    copies: list[float] = []
    for before, turn in _answered(talk):
        copied = directional_copy(turn.text, before.text, _controls(pool[before.role], rng)).value
        if copied is not None:
            copies.append(copied)
    return float(np.mean(copies)) if copies else float("nan")


def turn_styles(all_talks: Sequence[Talk]) -> dict[tuple[str, int], np.ndarray]:
    """Style vector of every turn, each feature standardised over all turns (raw features differ in scale)."""
    said = [t for talk in all_talks for t in talk.turns]
    if not said:
        return {}
    vectors = standardise([style_vector(t.text) for t in said])
    return {(t.conversation, t.index): v for t, v in zip(said, vectors, strict=True)}


def _answered(talk: Talk) -> list[tuple[TurnRow, TurnRow]]:
    """(partner's turn, reply) pairs in order."""
    return [(b, t) for b, t in zip(talk.turns, talk.turns[1:], strict=False) if b.speaker != t.speaker]


def _controls(pool: Sequence[str], rng: np.random.Generator) -> list[str]:
    """A few turns of the same role from other people's conversations."""
    if not pool:
        return []
    return [pool[int(k)] for k in rng.integers(0, len(pool), size=CONTROL_TURNS)]


def _self_repetition(talk: Talk) -> float:
    """Mean over speakers of the share of 4-grams that the same speaker had said earlier."""
    shares: list[float] = []
    for speaker in talk.head.participants:
        shares += [
            s.value
            for s in self_repetition([t.text for t in talk.turns if t.speaker == speaker])
            if s.value is not None
        ]
    return float(np.mean(shares)) if shares else float("nan")


def _role_swaps(talk: Talk, persona: Persona | None) -> float:
    """Share of turns with a role-swap event."""
    facts = client_facts(persona)
    hits: list[bool] = []
    for turn in talk.turns:
        role = Role(turn.role)
        own, partner = (facts, ()) if role is Role.CLIENT else ((), facts)
        hits.append(bool(role_swap(turn.text, role, own, partner)))
    return float(np.mean(hits)) if hits else float("nan")


def client_facts(persona: Persona | None) -> tuple[str, ...]:
    """Short facts that are the client's alone: occupation, residence, name."""
    if persona is None:
        return ()
    found = (persona.social.occupation, persona.social.residence, persona.names.given)
    return tuple(str(plain(f)) for f in found if f is not None)


def _slope(values: Sequence[float]) -> float:
    """Least-squares slope of the values over their positions; NaN for fewer than three."""
    clean = [(k, v) for k, v in enumerate(values) if not np.isnan(v)]
    if len(clean) < 3:
        return float("nan")
    x, y = np.array(clean).T
    return float(np.polyfit(x, y, 1)[0])


def dialogue_measurements(
    conversations: Sequence[ConversationRow],
    turns: Sequence[TurnRow],
    people: Mapping[str, Persona],
    *,
    model: str,
    seed: int,
    failures: int = 0,
) -> list[Measurement]:
    """Per condition and as paired differences (ecp − concat), with intervals over people."""
    make = Maker(model=model, seed=seed, failures=failures)
    all_talks = talks(conversations, turns)
    styles = turn_styles(all_talks)
    values: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    for condition in sorted({t.head.condition for t in all_talks}):
        members = [t for t in all_talks if t.head.condition == condition]
        values[condition] = {
            t.key: talk_metrics(
                t,
                [o for o in members if o.head.persona_id != t.head.persona_id],
                people.get(t.head.persona_id),
                styles,
                seed=seed,
            )
            for t in members
        }
    out: list[Measurement] = []
    for name, (label, unit, direction) in _WHAT.items():
        for condition, found in values.items():
            keys = sorted(found)
            data = np.array([found[k][name] for k in keys])
            out.append(
                make.estimate(
                    f"{name}.{condition}",
                    f"{label}, {condition}",
                    mean_interval(data, [k[0] for k in keys]),
                    unit=unit,
                    direction=direction,
                    method="mean over conversations, t over people",
                    condition=condition,
                    note=_zero_note(all_talks, condition, data) if name in {"echo_event", "role_swap"} else None,
                )
            )
    out += _paired(make, values, seed)
    out += _endings(make, all_talks)
    return out


def _zero_note(all_talks: Sequence[Talk], condition: str, data: np.ndarray) -> str | None:
    """A zero rate is never printed without its upper bound."""
    if np.isnan(data).all() or np.nansum(data) > 0:
        return None
    n = sum(len(t.turns) for t in all_talks if t.head.condition == condition)
    return f"0 of {n} turns; upper bound {proportion_upper_bound(0, n):.3f} (95 %, turns taken as independent)."


def echo_test(differences: Sequence[float], *, seed: int, draws: int = 2000) -> TestResult:
    """Sign-flip test of paired echo differences, one per person: the null is that the projection does not matter."""
    return sign_flip_test(np.asarray(differences, dtype=float), rng=np.random.default_rng(seed), draws=draws)


def _paired(
    make: Maker, values: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]], seed: int
) -> list[Measurement]:
    if not {"ecp", "concat"} <= set(values):
        return []
    keys = sorted(set(values["ecp"]) & set(values["concat"]))
    people = [k[0] for k in keys]
    out: list[Measurement] = []
    for name, (label, unit, direction) in _WHAT.items():
        a = np.array([values["ecp"][k][name] for k in keys], dtype=float)
        b = np.array([values["concat"][k][name] for k in keys], dtype=float)
        found = paired_interval(a, b, people)
        difference = per_person(a - b, people)
        test = echo_test(difference, seed=derive_seed(seed, "paired", name)) if len(difference) else None
        out.append(
            make.estimate(
                f"{name}.ecp_minus_concat",
                f"{label}, ecp − concat",
                found,
                unit=unit,
                direction=direction,
                test=test,
                method="paired by person and seed, t over people",
                condition="ecp − concat",
                note=effect_note(found.d_z),
            )
        )
    return adjusted(out, family="paired dialogue contrasts")


def effect_note(d_z: float) -> str | None:
    """The standardised effect as a note."""
    return None if np.isnan(d_z) else f"d_z = {d_z:+.2f}."


def per_person(values: np.ndarray, people: Sequence[str]) -> list[float]:
    """Mean of the known values of each person; people without any are left out."""
    groups: dict[str, list[float]] = defaultdict(list)
    for value, person in zip(values, people, strict=True):
        if not np.isnan(value):
            groups[person].append(float(value))
    return [float(np.mean(v)) for _, v in sorted(groups.items())]


def _endings(make: Maker, all_talks: Sequence[Talk]) -> list[Measurement]:
    out: list[Measurement] = []
    for condition in sorted({t.head.condition for t in all_talks}):
        members = [t for t in all_talks if t.head.condition == condition]
        natural = [float(t.head.end_reason.startswith("closed")) for t in members]
        reasons: dict[str, int] = defaultdict(int)
        for t in members:
            reasons[t.head.end_reason] += 1
        out.append(
            make.estimate(
                f"natural_end.{condition}",
                f"Conversations that ended by themselves, {condition}",
                proportion_interval(natural, [t.head.persona_id for t in members]),
                unit="share",
                method="share of conversations, Wilson interval over people",
                condition=condition,
                note="; ".join(f"{r}: {c}" for r, c in sorted(reasons.items())) + ".",
            )
        )
        drafts = [t for talk in members for t in talk.turns]
        retried = sum(t.retries > 0 for t in drafts)
        kept = sum(t.guard is not None for t in drafts)
        if drafts:
            out.append(
                make.estimate(
                    f"guard_retries.{condition}",
                    f"Lines drafted again after a guard objected, {condition}",
                    mean_interval([float(t.retries > 0) for t in drafts], [t.persona_id for t in drafts]),
                    unit="share of turns",
                    direction="lower is better",
                    method="share of turns, t over people",
                    condition=condition,
                    note=f"{retried} of {len(drafts)} turns; {kept} kept in spite of an objection, as the best draft.",
                )
            )
    return out
