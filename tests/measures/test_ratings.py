"""Blind ratings: dealing hides sources and overlaps hands; planted raters are found, guessing ones are not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from personae.core import InputError, JudgementRow, Measurement, StatementRow
from personae.measures import (
    QUESTIONS,
    Ask,
    Rating,
    RatingKey,
    RatingTask,
    deal_tasks,
    rating_measurements,
    rating_tasks,
)

PEOPLE = [f"p-{k:02d}" for k in range(20)]
PROFILES = {p: f"profile of {p}" for p in PEOPLE}
STATEMENTS = [
    StatementRow(
        unit="u", persona_id=p, condition=c, kind=kind, index=k, text=f"I am {p} {kind} {k} told {c}.", writer="rules"
    )
    for p in PEOPLE
    for c in ("S", "C")
    for kind in ("open_self", "hidden_self")
    for k in range(2)
]  # fmt: skip


def key_of(ask: Ask, *, raters: int = 3, each: int = 2, seed: int = 1, **more) -> RatingKey:
    tasks = rating_tasks(ask, STATEMENTS, PROFILES, seed=seed, **more)
    return deal_tasks(tasks, QUESTIONS[ask], ask=ask, writer="rules", raters=raters, each=each, seed=seed)


def rate(key: RatingKey, seed: int, *, skill: float, lift: float = 0.0, blank: float = 0.0) -> list[Rating]:
    """Raters who know the right answer with probability `skill`, else guess; scales are 4 + lift in C, with noise."""
    rng = np.random.default_rng(seed)
    out: list[Rating] = []
    for rater, form in key.forms.items():
        for name in form:
            task, answers = key.task(name), dict[str, str | None]()
            for q in key.questions:
                if q.scale:
                    point = round(4 + lift * (task.condition == "C") + rng.normal())
                    answers[q.name] = str(min(7, max(1, point)))
                else:
                    knows = rng.random() < skill
                    answers[q.name] = task.truth[q.name] if knows else str(rng.choice(q.answers))
                if rng.random() < blank:
                    answers[q.name] = None
            out.append(Rating(rater=rater, task=name, answers=answers))
    return out


def found(key: RatingKey, ratings: list[Rating]) -> dict[str, Measurement]:
    return {m.name: m for m in rating_measurements(ratings, key)}


@pytest.mark.parametrize("ask", ["match", "fit"])
def test_hands_overlap_and_forms_are_shuffled(ask: Ask) -> None:
    key = key_of(ask, raters=4, each=2)
    times = Counter(t for form in key.forms.values() for t in form)
    assert set(times.values()) == {2}
    sizes = [len(form) for form in key.forms.values()]
    assert max(sizes) - min(sizes) <= 1
    order = [t.id for t in key.tasks]
    assert all([t for t in order if t in form] != list(form) for form in key.forms.values())
    assert key_of(ask, raters=4, each=2) == key
    assert key_of(ask, raters=4, each=2, seed=2) != key


def test_the_right_profile_stands_in_every_place_and_half_of_the_statements_are_exchanged() -> None:
    match, fit = key_of("match"), key_of("fit")
    places = Counter(t.truth["whose"] for t in match.tasks)
    assert set(places) == set("ABCD")
    assert max(places.values()) <= 18  # 10 expected of 40
    for task in match.tasks:
        assert task.shown[task.truth["whose"]] == PROFILES[task.persona_id]
        assert len({task.shown[a] for a in "ABCD"}) == 4
    truths = Counter(t.truth["fits"] for t in fit.tasks)
    assert truths["yes"] == truths["no"] == 40
    for task in fit.tasks:
        assert (task.shown["person"] == PROFILES[task.persona_id]) == (task.truth["fits"] == "yes")
    assert len({t.shown["statement"] for t in fit.tasks}) == len(fit.tasks)  # never both sides of one


def test_people_rate_their_own_and_nobody_elses() -> None:
    key = key_of("self")
    assert len(key.forms) == len(PEOPLE)
    for rater, form in key.forms.items():
        assert {key.task(t).persona_id for t in form} == {key.people[rater]}
        assert {key.task(t).condition for t in form} == {"S", "C"}
        assert all("told" in key.task(t).shown["statements"] for t in form)
    got = found(key, rate(key, 1, skill=0, lift=1.5))
    assert "ratings.like_me.agreement" not in got  # nobody shares a task
    assert got["ratings.like_me.C_minus_S"].value == pytest.approx(1.5, abs=0.6)
    assert (got["ratings.like_me.C_minus_S"].p or 1) < 0.01
    assert got["ratings.like_me.C_minus_S"].n == len(PEOPLE)


def test_a_limit_keeps_conditions_even_and_conditions_can_be_chosen() -> None:
    limited = rating_tasks("fit", STATEMENTS, PROFILES, seed=1, limit=16)
    assert Counter(t.condition for t in limited) == {"S": 8, "C": 8}
    assert Counter(t.truth["fits"] for t in limited) == {"yes": 8, "no": 8}
    assert {t.condition for t in rating_tasks("match", STATEMENTS, PROFILES, seed=1, conditions=["C"])} == {"C"}
    with pytest.raises(InputError, match="condition 'X'"):
        rating_tasks("match", STATEMENTS, PROFILES, seed=1, conditions=["X"])
    with pytest.raises(InputError, match="Matching shows 4 profiles"):
        rating_tasks("match", STATEMENTS[:8], dict.fromkeys(PEOPLE[:3], ""), seed=1)
    with pytest.raises(InputError, match="nothing to rate"):
        deal_tasks([], QUESTIONS["fit"], ask="fit", writer="rules", raters=1, each=1, seed=1)
    with pytest.raises(InputError, match="3 raters per task out of 2"):
        deal_tasks(limited, QUESTIONS["fit"], ask="fit", writer="rules", raters=2, each=3, seed=1)


def test_planted_raters_are_found() -> None:
    key = key_of("match")
    got = found(key, rate(key, 1, skill=0.6, lift=1.5))
    right = got["ratings.whose.right"]
    assert right.value == pytest.approx(0.7, abs=0.12)  # .6 known, a quarter of the rest guessed
    assert right.interval is not None
    assert right.interval.low > 0.25
    assert (right.p_adjusted or 1) < 0.01
    assert right.note is not None
    assert right.note.startswith("Chance 0.250.")
    assert (got["ratings.whose.agreement"].value or 0) > 0.2
    assert got["ratings.believable.C_minus_S"].value == pytest.approx(1.5, abs=0.5)
    assert (got["ratings.believable.C_minus_S"].p_adjusted or 1) < 0.01
    assert got["ratings.whose.right"].failures == 0
    assert got["ratings.whose.answered"].value == 1.0


def test_guessing_raters_are_flagged_at_the_nominal_rate_and_do_not_agree() -> None:
    flagged = held = 0
    for seed in range(30):
        key = key_of("fit", seed=seed)
        got = found(key, rate(key, seed, skill=0.0))
        flagged += (got["ratings.fits.right"].p or 1) < 0.05
        span = got["ratings.fits.agreement"].interval
        held += span is not None and span.low <= 0 <= span.high
    assert flagged <= 5  # 1.5 expected
    assert held >= 25


def test_what_was_left_out_is_counted_wherever_it_was_lost() -> None:
    key = key_of("match")
    all_rows = rate(key, 1, skill=1.0, blank=0.25)
    kept = [r for r in all_rows if r.rater != "r03"][:-4]
    answered = sum(r.answers["whose"] is not None for r in kept)
    asked = sum(map(len, key.forms.values()))
    got = found(key, kept)
    assert got["ratings.whose.answered"].value == pytest.approx(answered / asked)
    assert got["ratings.whose.answered"].n == asked
    assert "2 of 3 forms" in got["ratings.whose.answered"].method
    assert got["ratings.whose.right"].failures == asked - answered
    assert got["ratings.whose.right"].value == 1.0
    nothing = found(key, [])
    assert nothing["ratings.whose.answered"].value == 0.0
    assert nothing["ratings.whose.right"].value is None


def judged(seed: int, *, good: bool) -> list[JudgementRow]:
    rng = np.random.default_rng(seed)
    rows: list[JudgementRow] = []
    for s in STATEMENTS:
        for beside in (s.persona_id, PEOPLE[(PEOPLE.index(s.persona_id) + 1) % len(PEOPLE)]):
            nats = rng.normal() + good * (2 if beside == s.persona_id else -2)
            rows.append(
                JudgementRow(
                    unit="u", conversation="", persona_id=s.persona_id, condition=s.condition, judge="fit",
                    subject=f"{s.condition}/{s.kind}/{s.index}/{s.persona_id}/{beside}", verdict="",
                    value=float(1 / (1 + np.exp(-nats))), agreement="unvalidated",
                )
            )  # fmt: skip
    return rows


def test_a_model_judge_is_held_against_the_people() -> None:
    good = key_of("fit", verdicts=judged(1, good=True))
    assert len(good.tasks) == len(STATEMENTS)
    got = found(good, rate(good, 1, skill=0.9))
    assert (got["ratings.fits.judge_kappa"].value or 0) > 0.6
    assert (got["ratings.fits.judge_auc"].value or 0) > 0.8
    assert got["ratings.fits.judge_auc"].validated.startswith("kappa 0.")
    blind = key_of("fit", verdicts=judged(1, good=False))
    chance = found(blind, rate(blind, 1, skill=0.9))["ratings.fits.judge_kappa"]
    assert chance.interval is not None
    assert chance.interval.low < 0 < chance.interval.high


def test_a_key_with_a_form_of_unknown_tasks_is_refused() -> None:
    task = RatingTask(id="t-1", shown={"text": "x"}, persona_id="p", condition="S")
    with pytest.raises(ValueError, match="a form names a task that is not there"):
        RatingKey(ask="fit", seed=1, writer="rules", questions=QUESTIONS["fit"], tasks=(task,), forms={"r01": ("t-2",)})
