"""What statements are rated for: whose they are, whether they fit, and whether people find themselves in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from personae.core import InputError, JudgementRow, StatementRow, derive_rng
from personae.instruments import FIT_JUDGE, FitPair, fit_pairs, statement_sets
from personae.measures._ratings import RatingQuestion, RatingTask

Ask: TypeAlias = Literal["match", "fit", "self"]
"""`match`: statements and several profiles, whose are they? `fit`: one statement and one profile, half of them
exchanged, was it this person? `self`: people rate what was said in their name under every condition."""
ASKS: Final[tuple[Ask, ...]] = get_args(Ask)
_LETTERS: Final = ("A", "B", "C", "D")
_POINTS: Final = tuple(map(str, range(1, 8)))
_BELIEVABLE: Final = RatingQuestion(
    name="believable",
    text="Could a real person have said this? (1 not at all, 7 certainly)",
    answers=_POINTS,
    scale=True,
)
QUESTIONS: Final[Mapping[Ask, tuple[RatingQuestion, ...]]] = {
    "match": (
        RatingQuestion(name="whose", text="Which of these people said it?", answers=_LETTERS),
        _BELIEVABLE,
    ),
    "fit": (RatingQuestion(name="fits", text="Was it this person?", answers=("yes", "no")),),
    "self": (
        RatingQuestion(
            name="like_me", text="How much is this like you? (1 not at all, 7 very much)", answers=_POINTS, scale=True
        ),
        _BELIEVABLE,
    ),
}


def rating_tasks(
    ask: Ask,
    statements: Sequence[StatementRow],
    profiles: Mapping[str, str],
    *,
    seed: int,
    verdicts: Sequence[JudgementRow] = (),
    conditions: Sequence[str] = (),
    limit: int | None = None,
) -> list[RatingTask]:
    """Tasks about what people said of themselves; the questions are `QUESTIONS[ask]`.

    Args:
        ask: see `Ask`.
        statements: what people said, under which condition.
        profiles: full text of everybody, by persona id, without names.
        seed: decides which profiles stand beside, in which place, and which statements are exchanged.
        verdicts: what a model judge said of the same pairs (`fit` alone); those pairs are then rated.
        conditions: keep these alone; empty: all.
        limit: tasks at most, as evenly over conditions as they go; not for `self`.

    Raises:
        InputError: too few people, or a condition nobody was in.
    """
    known = dict.fromkeys(s.condition for s in statements)
    if strange := [c for c in conditions if c not in known]:
        raise InputError(f"condition {strange[0]!r}.", hint=f"The run has: {', '.join(known) or 'none'}.")
    kept = [s for s in statements if not conditions or s.condition in conditions]
    if ask == "fit":
        tasks = _fit(kept, profiles, seed, verdicts)
    elif ask == "match":
        tasks = _match(kept, profiles, seed)
    else:
        return [
            RatingTask(shown={"statements": "\n".join(lines)}, persona_id=person, condition=condition, rater=person)
            for (condition, person), lines in statement_sets(kept).items()
        ]
    return tasks if limit is None else _evenly(tasks, limit, seed)


def _match(statements: Sequence[StatementRow], profiles: Mapping[str, str], seed: int) -> list[RatingTask]:
    if len(profiles) < len(_LETTERS):
        raise InputError(f"{len(profiles)} people.", hint=f"Matching shows {len(_LETTERS)} profiles; draw more people.")
    out: list[RatingTask] = []
    for (condition, person), lines in statement_sets(statements).items():
        rng = derive_rng(seed, "rating match", condition, person)
        others = sorted(set(profiles) - {person})
        beside = [others[k] for k in rng.permutation(len(others))[: len(_LETTERS) - 1].tolist()]
        own = int(rng.integers(len(_LETTERS)))
        beside.insert(own, person)
        shown = {"statements": "\n".join(lines)} | {a: profiles[p] for a, p in zip(_LETTERS, beside, strict=True)}
        out.append(RatingTask(shown=shown, truth={"whose": _LETTERS[own]}, persona_id=person, condition=condition))
    return out


def _fit(
    statements: Sequence[StatementRow], profiles: Mapping[str, str], seed: int, verdicts: Sequence[JudgementRow]
) -> list[RatingTask]:
    judged = {v.subject: v.value for v in verdicts if v.judge == FIT_JUDGE}
    pairs = _judged_pairs(statements, judged) if judged else fit_pairs(statements, sorted(profiles), per=2, seed=seed)
    sides: dict[str, list[FitPair]] = {}
    for pair in pairs:
        sides.setdefault(pair.key.rpartition("/")[0], []).append(pair)
    both = [sorted(s, key=lambda p: not p.own) for s in sides.values() if len(s) == 2]
    # One side of each statement: who sees both could tell that one of them has to be true.
    exchanged = set(derive_rng(seed, "rating fit").permutation(len(both))[: len(both) // 2].tolist())
    return [
        RatingTask(
            shown={"statement": pair.text, "person": profiles[pair.profile_id]},
            truth={"fits": "yes" if pair.own else "no"}, persona_id=pair.persona_id, condition=pair.condition,
            judged=judged.get(pair.key),
        )
        for pair in (s[k in exchanged] for k, s in enumerate(both))
    ]  # fmt: skip


def _judged_pairs(statements: Sequence[StatementRow], judged: Mapping[str, float | None]) -> list[FitPair]:
    said = {f"{s.condition}/{s.kind}/{s.index}/{s.persona_id}": s for s in statements}
    split = (subject.rpartition("/") for subject in judged)
    return [FitPair.of(said[stem], profile) for stem, _, profile in split if stem in said]


def _evenly(tasks: Sequence[RatingTask], limit: int, seed: int) -> list[RatingTask]:
    """`limit` tasks, the same number of each condition (and of right answers) as far as there are any."""
    piles: dict[tuple[str, ...], list[RatingTask]] = {}
    for k in derive_rng(seed, "rating limit").permutation(len(tasks)).tolist():
        piles.setdefault((tasks[k].condition, *tasks[k].truth.values()), []).append(tasks[k])
    out: list[RatingTask] = []
    while len(out) < min(limit, len(tasks)):
        for pile in piles.values():
            if pile and len(out) < limit:
                out.append(pile.pop())
    return out
