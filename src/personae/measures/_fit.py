"""What a judge said about statements beside profiles: the share that fits, own against exchanged, how it judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import JudgementRow, Measurement, derive_rng
from personae.instruments import FIT_JUDGE
from personae.measures._contrasts import paired_contrasts
from personae.measures._make import Maker, adjusted
from personae.statistics import (
    Estimate,
    auc,
    bootstrap_interval,
    mean_interval,
    paired_interval,
    proportion_interval,
    sign_flip_test,
)

_SELVES: Final = ("open_self", "hidden_self")
_CHANCE: Final = 0.5


def fit_measurements(rows: Sequence[JudgementRow], *, model: str, seed: int) -> list[Measurement]:
    """Share of statements that fit under each condition, with the planted fakes beside them; people are the clusters.

    Args:
        rows: verdicts that `judge_fit` made, on own and exchanged profiles; other rows are left alone.
        model: reference of the judge.
        seed: of bootstraps and tests.

    Returns:
        For each condition the share that fits (all, open and hidden self) and the gap between own and exchanged
        profiles; the differences between conditions; over everything the same share for exchanged profiles (control),
        the chance that an own statement gets more than an exchanged one (AUC), and the share of verdicts that turn
        with the order of the answers. Shares say in `validated` how well the judge tells own from exchanged.
    """
    make = Maker(model=model, seed=seed)
    verdicts = [r for r in rows if r.judge == FIT_JUDGE and r.value is not None]
    if not verdicts:
        return []
    own = [r for r in verdicts if _owner(r) == _beside(r)]
    other = [r for r in verdicts if _owner(r) != _beside(r)]
    apart = _apart(own, other, seed)
    told = f"own against exchanged profiles: {_said(apart)}; people: unvalidated"
    note = None
    if not apart.interval.known or apart.interval.low <= _CHANCE:
        note = "Not informative: the judge does not tell own from exchanged statements here."
    out: list[Measurement] = []
    shares: dict[str, dict[str, float]] = {}
    for condition in dict.fromkeys(r.condition for r in own):
        mine = [r for r in own if r.condition == condition]
        shares[condition] = _by_person(mine)
        for kind in ("", *_SELVES):
            part = [r for r in mine if not kind or r.subject.startswith(f"{condition}/{kind}/")]
            words = f", {kind.replace('_', ' ')}" if kind else ""
            out.append(
                make.estimate(
                    f"judged_fit.{condition}{kind and f'.{kind}'}", f"Statements that fit, told {condition}{words}",
                    _share(_fits(part), part), unit="share",
                    direction="higher is better", condition=condition, method="P(fits) above .5, full profile",
                    note=note, validated=told,
                )
            )  # fmt: skip
    gaps = [_gap(make, c, [r for r in verdicts if r.condition == c]) for c in shares]
    out += adjusted(gaps, family="conditions, own against exchanged profiles")
    out += paired_contrasts(
        make, "judged_fit", "Statements that fit", shares, unit="difference of shares",
        family="pairs of conditions, by the judge",
    )  # fmt: skip
    return [*out, *_about_the_judge(make, own, other, verdicts, apart)]


def _about_the_judge(
    make: Maker,
    own: Sequence[JudgementRow],
    other: Sequence[JudgementRow],
    verdicts: Sequence[JudgementRow],
    apart: Estimate,
) -> list[Measurement]:
    turned = np.array([float(r.verdict == "undecided") for r in verdicts])
    return [
        make.estimate(
            "judged_fit.exchanged", "Statements that fit somebody else's profile",
            _share(_fits(other), other), unit="share", control=True,
            method="P(fits) above .5, profile of another person",
        ),
        make.estimate(
            "judge_fit.told_apart", "Own statement above an exchanged one, by the judge", apart, unit="AUC",
            direction="higher is better", method="chance that P(fits) is higher; bootstrap over people",
            note=f"Chance .5; {len(own)} own and {len(other)} exchanged.",
        ),
        make.estimate(
            "judge_fit.undecided", "Verdicts that turn with the order of the answers",
            _share(turned, verdicts), unit="share", direction="lower is better",
            method="the two orders disagree once the empty profile is taken out",
        ),
    ]  # fmt: skip


def _gap(make: Maker, condition: str, rows: Sequence[JudgementRow]) -> Measurement:
    """P(fits) beside the own profile minus beside the other one, statement by statement."""
    pairs: dict[str, dict[bool, float]] = {}
    owners: dict[str, str] = {}
    for r in rows:
        statement = r.subject.rpartition("/")[0]
        pairs.setdefault(statement, {})[_owner(r) == _beside(r)] = r.value or 0.0
        owners[statement] = r.persona_id
    whole = [s for s, pair in pairs.items() if len(pair) == 2]
    a, b = (np.array([pairs[s][side] for s in whole], dtype=float) for side in (True, False))
    people = [owners[s] for s in whole]
    return make.estimate(
        f"judged_fit.own_minus_exchanged.{condition}", f"P(fits), own minus exchanged profile, told {condition}",
        paired_interval(a, b, people), unit="difference of probabilities", direction="higher is better",
        condition=condition, method="paired by statement, t over people",
        test=sign_flip_test(a - b, people, rng=derive_rng(make.seed, "judged fit", condition)) if whole else None,
    )  # fmt: skip


def _apart(own: Sequence[JudgementRow], other: Sequence[JudgementRow], seed: int) -> Estimate:
    rows = [*own, *other]
    scores = np.array([r.value for r in rows], dtype=float)
    labels = np.array([1.0] * len(own) + [0.0] * len(other))
    return bootstrap_interval(
        lambda k: auc(scores[k], labels[k]).value, len(rows), [r.persona_id for r in rows],
        rng=derive_rng(seed, "judge told apart"), draws=1000,
    )  # fmt: skip


def _share(values: NDArray[np.float64], rows: Sequence[JudgementRow]) -> Estimate:
    people = [r.persona_id for r in rows]
    whole = bool(np.isin(values, (0.0, 1.0)).all())
    return proportion_interval(values, people) if whole else mean_interval(values, people, weighting="observations")


def _fits(rows: Sequence[JudgementRow]) -> NDArray[np.float64]:
    """1 above .5, 0 below; a verdict of exactly .5 says nothing and counts half."""
    return np.array([0.5 + 0.5 * np.sign((r.value or 0.0) - _CHANCE) for r in rows], dtype=float)


def _by_person(rows: Sequence[JudgementRow]) -> dict[str, float]:
    values = _fits(rows)
    people = np.array([r.persona_id for r in rows])
    return {str(p): float(values[people == p].mean()) for p in np.unique(people)}


def _owner(row: JudgementRow) -> str:
    return row.subject.split("/")[-2]


def _beside(row: JudgementRow) -> str:
    return row.subject.split("/")[-1]


def _said(found: Estimate) -> str:
    span = f"[{found.interval.low:.2f}, {found.interval.high:.2f}]" if found.interval.known else "(no interval)"
    return f"AUC {found.value:.2f} {span}, {found.n} pairs of {found.clusters} people"
