"""People who rate without knowing where a text comes from: who gets what, and what their answers say.

A task shows texts and asks questions; what is true of it, and which condition it came from, stays in the key. Tasks are
dealt to raters in overlapping hands, so that agreement can be measured. The answers come back as `Rating`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from personae.core import Frozen, InputError, Measurement, derive_rng, sha256_hex
from personae.measures._contrasts import paired_contrasts
from personae.measures._make import Maker, adjusted
from personae.statistics import (
    auc,
    bootstrap_interval,
    cohen_kappa,
    krippendorff_alpha,
    mean_interval,
    permutation_test,
    proportion_interval,
)

Array = NDArray[np.float64]
_FIXED: Final = ("rater", "task")
"""columns every form has beside those of its texts and questions"""


class RatingQuestion(Frozen):
    """A question with closed answers. `scale`: the answers are points in order, 1 first."""

    name: str = Field(pattern=r"^[a-z][a-z_]*$")
    text: str
    answers: tuple[str, ...] = Field(min_length=2)
    scale: bool = False

    def code(self, answer: str) -> int:
        """Place of an answer, from 0; letter case and outer blanks do not count, nor does a trailing `.0`.

        Raises:
            ValueError: not one of the answers.
        """
        return [a.casefold() for a in self.answers].index(answer.strip().casefold().removesuffix(".0"))


class RatingTask(Frozen):
    """One thing to rate.

    Args:
        id: what the form calls it; says nothing about where it comes from.
        shown: column to text: all that a rater sees.
        truth: question to right answer, where there is one.
        persona_id: the person it is about: the unit that statistics cluster by.
        condition: how the text was made; hidden.
        judged: what a model judge thinks of the first answer of the first question, as a probability.
        rater: persona id of the only person who may rate it (people who rate themselves).
    """

    id: str = ""
    shown: dict[str, str] = Field(min_length=1)
    truth: dict[str, str] = Field(default_factory=dict)
    persona_id: str
    condition: str
    judged: float | None = None
    rater: str | None = None


class RatingKey(Frozen):
    """Everything raters must not see: which task is what, and who was given which."""

    schema_version: int = 1
    ask: str
    seed: int
    writer: str
    """reference of the model that wrote the texts, or rules"""
    questions: tuple[RatingQuestion, ...] = Field(min_length=1)
    tasks: tuple[RatingTask, ...] = Field(min_length=1)
    forms: dict[str, tuple[str, ...]] = Field(min_length=1)
    """rater → ids of tasks, in the order of the form"""
    people: dict[str, str] = Field(default_factory=dict)
    """rater → persona id, where people rate themselves"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = {t.id for t in self.tasks}
        if len(ids) != len(self.tasks) or any(set(form) - ids for form in self.forms.values()):
            raise ValueError("task ids are not unique, or a form names a task that is not there")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a form: rater, task, the texts, the questions."""
        return (*_FIXED, *self.tasks[0].shown, *(q.name for q in self.questions))

    def task(self, task: str) -> RatingTask:
        """The task of that id."""
        return next(t for t in self.tasks if t.id == task)


class Rating(Frozen):
    """What one rater answered about one task: question to answer, None for a cell left empty."""

    rater: str
    task: str
    answers: dict[str, str | None]


def deal_tasks(
    tasks: Sequence[RatingTask],
    questions: Sequence[RatingQuestion],
    *,
    ask: str,
    writer: str,
    raters: int,
    each: int,
    seed: int,
) -> RatingKey:
    """Deal tasks to raters: shuffled, each task to `each` raters, every rater's form in an order of its own.

    Args:
        tasks: what to rate; those that name a `rater` go to that person alone.
        questions: what is asked of every task.
        ask: name of the protocol.
        writer: reference of the model that wrote the texts.
        raters: how many people rate.
        each: raters per task; neighbours in the ring of raters share tasks, so two are enough to compare everybody.
        seed: of the shuffling.
    """
    if not tasks:
        raise InputError("there is nothing to rate.", hint="The run holds no texts of the conditions asked for.")
    if not 1 <= each <= raters:
        raise InputError(f"{each} raters per task out of {raters}.", hint="Expected 1 ≤ each ≤ raters.")
    order = derive_rng(seed, "ratings", "tasks").permutation(len(tasks)).tolist()
    named = [
        tasks[k].model_copy(update={"id": f"t-{sha256_hex([seed, place, tasks[k].shown])[:10]}"})
        for place, k in enumerate(order)
    ]
    selves = sorted({t.rater for t in named if t.rater is not None})
    people = {f"r{k:02d}": person for k, person in enumerate(selves, start=1)}
    hands: dict[str, list[str]] = {f"r{k:02d}": [] for k in range(1, (len(selves) or raters) + 1)}
    names = list(hands)
    for place, task in enumerate(named):
        chosen = [selves.index(task.rater)] if task.rater else [(place + j) % len(names) for j in range(each)]
        for k in chosen:
            hands[names[k]].append(task.id)
    forms = {
        name: tuple(hand[k] for k in derive_rng(seed, "ratings", name).permutation(len(hand)).tolist())
        for name, hand in hands.items()
        if hand
    }
    return RatingKey(
        ask=ask, seed=seed, writer=writer, questions=tuple(questions), tasks=tuple(named), forms=forms, people=people
    )


def rating_measurements(ratings: Sequence[Rating], key: RatingKey) -> list[Measurement]:
    """What raters said: how much came back, how far they agree, how often they were right, what they gave on scales.

    Raters are taken as they are: intervals are over the people whose texts were rated. The test against chance
    exchanges the right answers between tasks, which is how they were drawn: it is valid however raters hang together.

    Args:
        ratings: what came back (`personae.formats.read_forms`); tasks without a rating count as not answered.
        key: what was given out.
    """
    out: list[Measurement] = []
    for question in key.questions:
        table = _table(ratings, key, question)
        answered, asked = int((~np.isnan(table)).sum()), sum(map(len, key.forms.values()))
        make = Maker(model=key.writer, seed=key.seed, failures=asked - answered)
        stem, name = f"ratings.{question.name}", question.text
        out.append(
            make.number(
                f"{stem}.answered", f"Answered: {name}", answered / asked, unit="share of cells", n=asked,
                method=f"{len({r.rater for r in ratings})} of {len(key.forms)} forms came back",
                reason="a count of cells, not an estimate",
            )
        )  # fmt: skip
        clusters = [t.persona_id for t in key.tasks]
        if any(len(t) > 1 for t in _raters_of(key).values()):
            alpha = krippendorff_alpha(
                table, metric="ordinal" if question.scale else "nominal", clusters=clusters,
                rng=derive_rng(key.seed, stem, "alpha"),
            )  # fmt: skip
            out.append(
                make.estimate(
                    f"{stem}.agreement", f"Raters agree: {name}", alpha, unit="alpha", direction="higher is better",
                    method=f"Krippendorff's alpha ({'ordinal' if question.scale else 'nominal'})",
                )
            )  # fmt: skip
        if any(question.name in t.truth for t in key.tasks):
            out += _right(make, stem, question, table, key)
        if question.scale:
            out += _points(make, stem, question, table, key)
        if question is key.questions[0] and any(t.judged is not None for t in key.tasks):
            out += _judge(make, stem, question, table, key)
    return out


def _table(ratings: Sequence[Rating], key: RatingKey, question: RatingQuestion) -> Array:
    """Codes of answers, tasks × raters; NaN where there is none."""
    place = {t.id: k for k, t in enumerate(key.tasks)}
    names = list(key.forms)
    out = np.full((len(key.tasks), len(names)), np.nan)
    for r in ratings:
        said = r.answers.get(question.name)
        if said is not None:
            out[place[r.task], names.index(r.rater)] = question.code(said)
    return out


def _raters_of(key: RatingKey) -> Mapping[str, list[str]]:
    out: dict[str, list[str]] = {}
    for rater, form in key.forms.items():
        for task in form:
            out.setdefault(task, []).append(rater)
    return out


def _right(make: Maker, stem: str, question: RatingQuestion, table: Array, key: RatingKey) -> list[Measurement]:
    """Share of right answers, in all and under each condition, against answers that belong to other tasks."""
    truth = np.array([question.code(t.truth[question.name]) if question.name in t.truth else -1 for t in key.tasks])
    conditions = list(dict.fromkeys(sorted(t.condition for t in key.tasks)))
    made: list[Measurement] = []
    for condition in [None, *conditions] if len(conditions) > 1 else [None]:
        rows = np.array([k for k, t in enumerate(key.tasks) if truth[k] >= 0 and condition in {None, t.condition}])
        if not rows.size:
            continue
        codes, right = table[rows], truth[rows]
        people = np.array([key.tasks[k].persona_id for k in rows])
        seen = ~np.isnan(codes)
        hits = (codes == right[:, None])[seen].astype(float)
        found = proportion_interval(hits, np.repeat(people, seen.sum(axis=1)))
        answers = range(len(question.answers))
        counts = np.stack([(codes == a).sum(axis=1) for a in answers], axis=1).astype(float)  # (tasks, answers)
        truths = np.stack([(right == a).astype(float) for a in answers], axis=1)
        test = (
            permutation_test(
                lambda a, b, n=hits.size: float((a * b).sum()) / n, counts, truths, alternative="greater",
                rng=derive_rng(make.seed, stem, "chance", condition or ""),
            )
            if hits.size and len(set(right.tolist())) > 1
            else None
        )  # fmt: skip
        made.append(
            make.estimate(
                f"{stem}.right{f'.{condition}' if condition else ''}",
                f"Right: {question.text}{f' ({condition})' if condition else ''}", found, unit="share",
                direction="higher is better", condition=condition, test=test,
                method="share of answers; against right answers exchanged between tasks",
                note=f"Chance {1 / len(question.answers):.3f}.",
            )
        )  # fmt: skip
    return adjusted(made, family=f"all and each condition, {question.name}")


def _points(make: Maker, stem: str, question: RatingQuestion, table: Array, key: RatingKey) -> list[Measurement]:
    """Mean rating of each condition, and all differences between conditions within people."""
    means = np.array([float(row.mean()) + 1 for row in _known(table)])
    unit = f"points of 1 to {len(question.answers)}"
    out: list[Measurement] = []
    values: dict[str, dict[str, float]] = {}
    for condition in sorted({t.condition for t in key.tasks}):
        rows = [k for k, t in enumerate(key.tasks) if t.condition == condition]
        people = np.array([key.tasks[k].persona_id for k in rows])
        own = means[rows]
        values[condition] = {str(p): float(np.nanmean(own[people == p])) for p in np.unique(people[~np.isnan(own)])}
        out.append(
            make.estimate(
                f"{stem}.{condition}", f"{question.text} ({condition})", mean_interval(own, people), unit=unit,
                direction="higher is better", condition=condition, method="mean of task means, t over people",
            )
        )  # fmt: skip
    return [
        *out,
        *paired_contrasts(
            make, stem, question.text, values, unit=unit, family=f"pairs of conditions, {question.name}"
        ),
    ]  # fmt: skip


def _judge(make: Maker, stem: str, question: RatingQuestion, table: Array, key: RatingKey) -> list[Measurement]:
    """Does the model judge say what most raters say? Tasks on which raters are split are left out and counted."""
    yes = np.array([math.nan if np.isnan(row).all() else float((row == 0).mean()) for row in _known(table)])
    human = np.where(np.isnan(yes) | (yes == 0.5), np.nan, (yes > 0.5).astype(float))
    judged = np.array([math.nan if t.judged is None else t.judged for t in key.tasks])
    people = [t.persona_id for t in key.tasks]
    rng = derive_rng(make.seed, stem, "judge")
    ranked = bootstrap_interval(
        lambda k: auc(judged[k], human[k]).value, len(people), people, rng=rng, draws=1000
    )  # fmt: skip
    said = [None if math.isnan(j) or j == 0.5 else j > 0.5 for j in judged.tolist()]
    meant = [None if math.isnan(h) else h > 0.5 for h in human.tolist()]
    kappa = cohen_kappa(said, meant, categories=[False, True], clusters=people)
    split = int((yes == 0.5).sum())
    note = f"{split} tasks left out: raters are split." if split else None
    told = f"kappa {kappa.value:.2f} with most raters" if not math.isnan(kappa.value) else "unvalidated"
    return [
        make.estimate(
            f"{stem}.judge_kappa", f"Model judge and most raters agree: {question.text}", kappa, unit="kappa",
            direction="higher is better", method="Cohen's kappa, P above .5", note=note, validated=told,
        ),
        make.estimate(
            f"{stem}.judge_auc", f"Model judge ranks as raters do: {question.text}", ranked, unit="AUC",
            direction="higher is better", method="chance that a yes of most raters got more; bootstrap over people",
            note=note, validated=told,
        ),
    ]  # fmt: skip


def _known(table: Array) -> list[Array]:
    """Rows with only the answers that were given, or one NaN."""
    return [row[~np.isnan(row)] if (~np.isnan(row)).any() else np.array([np.nan]) for row in table]
