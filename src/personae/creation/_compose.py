"""Propose, validate, revise: owners write their part of a draft, guards object, and the owner named repairs it.

Owners share a whiteboard: each sees the slot and the draft as it stands, never what was said before, so a prompt grows
with the fields and not with the rounds. A guard is a function of the draft; guards always run. A model may add issues,
never remove one. What cannot be repaired is kept as failed, with every issue of every round.

Source: HACHIMI 2026 (orchestrated agents). We run the symbolic guards in every round, also after a passing fast check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from pydantic import Field

from personae.core import DraftRow, Frozen, InputError, IssueRow, SlotRow, canonical_json, derive_seed
from personae.creation._documents import require_known
from personae.creation._packs import RulePack

if TYPE_CHECKING:
    from personae.runs import Run

Status = Literal["accepted", "failed"]
EVERYTHING: Final = "everything"
"""name of the single owner of a one-shot draft"""
REVIEW: Final = "review"
"""owner of the row that says what a model's reviews of a draft cost"""


class Owner(Frozen):
    """Who writes which keys of a draft.

    Args:
        name: as issues name it.
        keys: key to JSON schema; it may write these and no others.
        brief: what it is told, before slot and draft.
        temperature: of its sampling.
        max_tokens: of one reply.
    """

    name: str = Field(min_length=1)
    keys: dict[str, dict[str, Any]] = Field(min_length=1)
    brief: str
    temperature: float = 0.9
    max_tokens: int = Field(default=700, ge=1)

    @property
    def schema_of_reply(self) -> dict[str, Any]:
        """JSON schema of one object with all its keys."""
        return {"type": "object", "properties": dict(self.keys), "required": list(self.keys)}


class Slot(Frozen):
    """What was decided before anything is written (a sampling constraint)."""

    k: int = Field(ge=0)
    fixed: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Issue:
    """One objection: a code, who repairs it, the fields it is about, and how."""

    code: str
    owner: str | None
    fields: tuple[str, ...]
    desc: str
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"
    source: Literal["guard", "parse", "review"] = "guard"


Guard: TypeAlias = Callable[[Slot, Mapping[str, Any]], Sequence[Issue]]


@dataclass(frozen=True, slots=True)
class Task:
    """What one owner is asked: slot and draft, and in a revision the issues that name it."""

    owner: Owner
    slot: Slot
    draft: Mapping[str, Any]
    attempt: int
    round: int
    seed: int
    issues: tuple[Issue, ...] = ()

    def view(self) -> str:
        """The whiteboard as the owner sees it."""
        lines = [f"Slot: {canonical_json(self.slot.fixed)}"]
        shown = {k: v for k, v in self.draft.items() if k != "k"}
        lines.append(f"Draft so far: {canonical_json(shown) if shown else 'empty'}")
        if self.issues:
            lines.append("Repair this in your part:")
            lines += [f"- {i.code}: {i.desc}" + (f" ({i.hint})" if i.hint else "") for i in self.issues]
        lines.append(f"Write one JSON object with exactly these keys: {', '.join(self.owner.keys)}.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Written:
    """What an owner wrote; `values` is None when the reply was no fitting value, and `problem` says why."""

    values: Mapping[str, Any] | None
    problem: str | None = None
    calls: int = 0
    tokens: int = 0


class Writer(Protocol):
    """Fills an owner's keys. Grammar, embedded model and endpoint are interchangeable."""

    @property
    def name(self) -> str:
        """What the record says wrote it."""
        ...

    async def write(self, task: Task) -> Written:
        """One turn."""
        ...


class Reviewer(Protocol):
    """Adds issues to those of the guards."""

    async def review(
        self, slot: Slot, draft: Mapping[str, Any], *, deep: bool, seed: int
    ) -> tuple[Sequence[Issue], Written]:
        """Issues, and what asking cost."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One owner's turn in one round."""

    owner: str
    changed: tuple[str, ...]
    refused: tuple[str, ...] = ()
    problem: str | None = None
    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """Turns, and what guards and reviewers said after them."""

    number: int
    turns: tuple[Turn, ...]
    issues: tuple[Issue, ...]

    @property
    def errors(self) -> int:
        """Issues of severity error."""
        return sum(i.severity == "error" for i in self.issues)


@dataclass(frozen=True, slots=True)
class Composition:
    """A draft with its whole history."""

    slot: Slot
    attempt: int
    draft: Mapping[str, Any]
    status: Status
    rounds: tuple[Round, ...]
    review_calls: int = 0
    review_tokens: int = 0

    @property
    def calls(self) -> int:
        """Model calls, reviews among them."""
        return self.review_calls + sum(t.calls for r in self.rounds for t in r.turns)

    @property
    def tokens(self) -> int:
        """Generated tokens, reviews among them."""
        return self.review_tokens + sum(t.tokens for r in self.rounds for t in r.turns)

    def rows(self, unit: str) -> list[SlotRow | IssueRow | DraftRow]:
        """Evidence: the outcome with its draft, every issue of every round, every turn."""
        k, attempt = self.slot.k, self.attempt
        last = [i.code for i in self.rounds[-1].issues if i.severity == "error"]
        accepted = self.status == "accepted"
        out: list[SlotRow | IssueRow | DraftRow] = [
            SlotRow(unit=unit, k=k, attempt=attempt, accepted=accepted, rule=None if accepted else last[0],
                    fields=canonical_json(dict(self.draft)))
        ]  # fmt: skip
        for r in self.rounds:
            out += [
                DraftRow(unit=unit, k=k, attempt=attempt, round=r.number, owner=t.owner, changed=t.changed,
                         refused=t.refused, problem=t.problem, calls=t.calls, tokens=t.tokens)
                for t in r.turns
            ]  # fmt: skip
            out += [
                IssueRow(unit=unit, k=k, attempt=attempt, round=r.number, code=i.code, owner=i.owner, fields=i.fields,
                         description=i.desc, hint=i.hint, severity=i.severity, source=i.source)
                for i in r.issues
            ]  # fmt: skip
        if self.review_calls:
            out.append(
                DraftRow(unit=unit, k=k, attempt=attempt, round=self.rounds[-1].number, owner=REVIEW, changed=(),
                         calls=self.review_calls, tokens=self.review_tokens)
            )  # fmt: skip
        return out


@dataclass(frozen=True, slots=True)
class DraftLog:
    """Evidence about drafts: outcomes, issues, turns."""

    slots: tuple[SlotRow, ...]
    issues: tuple[IssueRow, ...]
    turns: tuple[DraftRow, ...]

    @classmethod
    def of(cls, run: Run) -> DraftLog:
        """What a run has committed."""
        return cls(tuple(run.rows(SlotRow)), tuple(run.rows(IssueRow)), tuple(run.rows(DraftRow)))

    def parted(self, stem: str) -> tuple[DraftLog, DraftLog]:
        """(rows of units whose key does not start with `stem`, rows of those that do)."""

        def part(*, inside: bool) -> DraftLog:
            return DraftLog(
                tuple(r for r in self.slots if r.unit.startswith(stem) is inside),
                tuple(r for r in self.issues if r.unit.startswith(stem) is inside),
                tuple(r for r in self.turns if r.unit.startswith(stem) is inside),
            )

        return part(inside=False), part(inside=True)

    @property
    def tokens(self) -> dict[int, int]:
        """Generated tokens by k, reviews among them."""
        out: dict[int, int] = {}
        for turn in self.turns:
            out[turn.k] = out.get(turn.k, 0) + turn.tokens
        return out


def as_one(owners: Sequence[Owner]) -> Owner:
    """All owners as one, with their briefs together and their tokens added up: the one-shot baseline."""
    return Owner(
        name=EVERYTHING,
        keys={key: schema for owner in owners for key, schema in owner.keys.items()},
        brief="\n\n".join(owner.brief for owner in owners),
        temperature=sum(owner.temperature for owner in owners) / len(owners),
        max_tokens=sum(owner.max_tokens for owner in owners),
    )


def check_owners(owners: Sequence[Owner]) -> None:
    """Refuse two owners of one name or of one key.

    Raises:
        InputError: they share something.
    """
    seen: dict[str, str] = {}
    names = [o.name for o in owners]
    if not owners or len(set(names)) < len(names):
        raise InputError(f"owners {names!r} given, expected at least one, each with its own name.")
    for owner in owners:
        for key in owner.keys:
            if key in seen:
                raise InputError(
                    f"{key!r} belongs to {seen[key]!r} and to {owner.name!r}.", hint="Give each key to one owner."
                )
            seen[key] = owner.name


async def compose(
    slot: Slot,
    owners: Sequence[Owner],
    writer: Writer,
    guards: Sequence[Guard],
    *,
    seed: int,
    attempt: int = 0,
    rounds: int = 3,
    reviewer: Reviewer | None = None,
    validate: bool = True,
    one_shot: bool = False,
) -> Composition:
    """Write one draft and repair it until no guard objects or the rounds are used up.

    Round 0 proposes: every owner in order. Then guards (and the fast review) object; each owner named by an issue
    revises once per round, up to `rounds` rounds, each followed by guards (and the deep review). Only keys of the
    owner whose turn it is can change.

    Args:
        slot: what is fixed.
        owners: who writes which keys, in order.
        writer: who fills them.
        guards: functions of slot and draft; all run after every round.
        seed: root seed; each turn derives its own from (k, attempt, owner, round).
        attempt: which attempt at this slot it is.
        rounds: most rounds of revision.
        reviewer: a model that may add issues. They are repaired; alone they do not fail a draft.
        validate: False accepts the first draft as it is (guards still say what is wrong with it).
        one_shot: one owner of all keys, and no revision.

    Returns:
        The draft, accepted when no guard has an error left, with all rounds.

    Raises:
        ModelError: transport failures pass through; a reply that is no value is an issue, never an error.
    """
    check_owners(owners)
    team = [as_one(owners)] if one_shot else list(owners)
    board = _Board(slot, team, writer, tuple(guards), seed, attempt)
    log = [await board.round(0, team, (), reviewer if validate else None)]
    while validate and not one_shot and log[-1].issues and log[-1].number < rounds:
        named = {i.owner for i in log[-1].issues}
        called = [owner for owner in team if owner.name in named]
        if not called:
            break
        log.append(await board.round(log[-1].number + 1, called, log[-1].issues, reviewer))
    failed = validate and log[-1].errors > sum(i.source == "review" for i in log[-1].issues if i.severity == "error")
    return Composition(
        slot, attempt, dict(board.draft), "failed" if failed else "accepted", tuple(log), board.calls, board.tokens
    )


async def one_shot_drafts(
    slot: Slot,
    owners: Sequence[Owner],
    writer: Writer,
    guards: Sequence[Guard],
    *,
    seed: int,
    tokens: int,
    most: int,
) -> list[Composition]:
    """One-shot drafts of a slot until the guards accept one or the tokens are used: the baseline at equal cost.

    A draft is begun while tokens are left, so that the last one may end above the budget: the baseline gets no less.

    Args:
        slot: what is fixed.
        owners: who write as one (see `as_one`).
        writer: who fills the keys.
        guards: functions of slot and draft.
        seed: root seed.
        tokens: generated tokens that may be spent.
        most: drafts at most, for writers that count no tokens.
    """
    out: list[Composition] = []
    while len(out) < most and sum(c.tokens for c in out) < tokens and not (out and out[-1].status == "accepted"):
        out.append(await compose(slot, owners, writer, guards, seed=seed, attempt=len(out), one_shot=True))
    return out


@dataclass(slots=True)
class _Board:
    """The whiteboard of one draft."""

    slot: Slot
    team: list[Owner]
    writer: Writer
    guards: tuple[Guard, ...]
    seed: int
    attempt: int
    draft: dict[str, Any] = field(default_factory=dict[str, Any])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """owners whose last reply was no value while they have written nothing"""
    calls: int = 0
    tokens: int = 0

    async def round(
        self, number: int, called: Sequence[Owner], issues: tuple[Issue, ...], reviewer: Reviewer | None
    ) -> Round:
        turns = [await self._turn(number, o, tuple(i for i in issues if i.owner == o.name)) for o in called]
        found = self._objections()
        if reviewer is not None:
            seed = derive_seed(self.seed, "review", self.slot.k, self.attempt, number) % 2**31
            added, cost = await reviewer.review(self.slot, dict(self.draft), deep=number > 0, seed=seed)
            self.calls += cost.calls
            self.tokens += cost.tokens
            known = {i.code for i in found}
            found += [i for i in added if i.code not in known]
        return Round(number, tuple(turns), tuple(found))

    async def _turn(self, number: int, owner: Owner, issues: tuple[Issue, ...]) -> Turn:
        seed = derive_seed(self.seed, "turn", self.slot.k, self.attempt, owner.name, number) % 2**31
        task = Task(owner, self.slot, dict(self.draft), self.attempt, number, seed, issues)
        written = await self.writer.write(task)
        if written.values is None:
            self.problems[owner.name] = written.problem or "no value"
            return Turn(
                owner.name, (), problem=written.problem or "no value", calls=written.calls, tokens=written.tokens
            )
        self.problems.pop(owner.name, None)
        own = {key: value for key, value in written.values.items() if key in owner.keys}
        changed = tuple(key for key, value in own.items() if key not in self.draft or self.draft[key] != value)
        refused = tuple(sorted(key for key in written.values if key not in owner.keys))
        self.draft.update(own)
        return Turn(owner.name, changed, refused, None, written.calls, written.tokens)

    def _objections(self) -> list[Issue]:
        found = [
            Issue("unparsed", name, tuple(self._owner(name).keys), f"the reply was no value: {problem}",
                  "answer with one JSON object and nothing else", source="parse")
            for name, problem in self.problems.items()
        ]  # fmt: skip
        for owner in self.team:
            missing = tuple(key for key in owner.keys if self.draft.get(key) is None)
            if missing:
                found.append(
                    Issue("missing", owner.name, missing, f"missing: {', '.join(missing)}", "write every key you own")
                )
        for guard in self.guards:
            found += guard(self.slot, self.draft)
        return found

    def _owner(self, name: str) -> Owner:
        return next(o for o in self.team if o.name == name)


def pack_guard(
    pack: RulePack,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    *,
    skip: Callable[[str], bool] | None = None,
    targets: Mapping[str, str] | None = None,
) -> Guard:
    """The rules of a pack as a guard.

    Args:
        pack: the rules.
        complete: makes the fields that the rules look at from a draft.
        skip: codes of rules to leave out (an ablation).
        targets: key of the slot to field of the pack.
    """
    names = dict(targets or {})

    def guard(slot: Slot, draft: Mapping[str, Any]) -> list[Issue]:
        fields = {**complete(draft), **{names.get(k, k): v for k, v in slot.fixed.items()}}
        return [
            Issue(v.code, v.owner, tuple(n for n, _ in v.fields), str(v)[:300], v.hint, v.severity)
            for v in pack.check(fields)
            if skip is None or not skip(v.code)
        ]

    return guard


def pack_owners(
    pack: RulePack,
    schemas: Mapping[str, Mapping[str, Any]],
    briefs: Mapping[str, str],
    *,
    temperatures: Mapping[str, float],
    max_tokens: Mapping[str, int],
) -> tuple[Owner, ...]:
    """The owners of a pack, in its order, for the fields that have a schema.

    Raises:
        UnknownKeyError: a brief for an owner that the pack does not name.
    """
    for name in briefs:
        require_known(name, pack.owners, f"pack {pack.name!r}", kind="owner")
    return tuple(
        Owner(
            name=name,
            keys={f: dict(schemas[f]) for f in fields if f in schemas},
            brief=briefs[name],
            temperature=temperatures[name],
            max_tokens=max_tokens[name],
        )
        for name, fields in pack.owners.items()
        if name in briefs
    )
