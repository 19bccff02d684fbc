"""Identity: can what somebody says about themselves be matched with who they are?

Statements made under a condition (what the speaker knew of the person) are matched with the full profiles of
everybody: by vectors, or by likelihood. Two controls bound every number: statements whose owners were shuffled should
be matched at chance, and the profile's own text should be matched nearly always. Each share is tested against the same
scores with owners exchanged by lot (permutation null, Holm over conditions).

By likelihood the score of statement set i and profile j is log p(i | j) − log p(i | nobody), with each profile's mean
over all sets taken out, because some profiles make anything likelier.

Source: SPeCtrum (arXiv 2502.08599) for conditions and the statements test; identifiability is our own measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import Instrument, Measurement, ResponseRow, StatementRow, derive_rng, derive_seed
from personae.instruments import SELVES, statement_sets
from personae.measures._drift import Encode
from personae.measures._make import Maker, adjusted
from personae.measures._traits import mean_correlation, recovery, recovery_test, trait_table
from personae.statistics import (
    TestResult,
    bootstrap_interval,
    exact_mcnemar,
    matching_accuracy,
    mean_interval,
    mean_reciprocal_rank,
    permutation_test,
)
from personae.text import copy_share, jaccard, sentences

Vectors: TypeAlias = NDArray[np.floating]
NOBODY: Final = "nobody"
_ALIKE: Final = 0.7
"""word Jaccard above which two statements of one person say the same"""


def identity_measurements(
    statements: Sequence[StatementRow],
    profiles: Mapping[str, str],
    encode: Encode,
    *,
    backend: str,
    model: str,
    seed: int,
) -> list[Measurement]:
    """Top-1, top-5 and reciprocal rank of every condition by vectors, with controls, contrasts and self-consistency.

    Args:
        statements: what people said.
        profiles: full text of everybody, by persona id; the candidates.
        encode: texts to unit vectors, shape (texts, dimension).
        backend: name of the encoder.
        model: reference of the model that wrote the statements.
        seed: of the shuffled control and the bootstrap.
    """
    make = Maker(model=model, seed=seed)
    roster = sorted(profiles)
    candidates = _centred(encode([profiles[p] for p in roster]))
    texts = {key: " ".join(lines) for key, lines in statement_sets(statements).items()}
    out: list[Measurement] = []
    hits: dict[str, dict[str, float]] = {}
    method = f"nearest of {len(roster)} full profiles, {backend} vectors, common part taken out"
    for condition in dict.fromkeys(s.condition for s in statements):
        who = [p for p in roster if (condition, p) in texts]
        queries = _centred(encode([texts[condition, p] for p in who]))
        scores = queries @ candidates.T
        own = [roster.index(p) for p in who]
        out += _matched(make, condition, scores, own, method, hits, who)
        out.append(_consistency(make, condition, statements, who, encode, method))
    verbatim = candidates @ candidates.T
    out.append(_control(make, "verbatim", "Profile's own text matched (ceiling)", verbatim, range(len(roster)), method))
    whole = max(hits, key=len, default=None)
    if whole is not None and len(roster) > 1:
        who = [p for p in roster if (whole, p) in texts]
        scores = _centred(encode([texts[whole, p] for p in who])) @ candidates.T
        moved = derive_rng(seed, "shuffled owners").permutation(len(roster))[: len(who)].tolist()
        label = "Statements under shuffled names matched (chance)"
        out.append(_control(make, "shuffled", label, scores, moved, method))
    return [*adjusted(out, family="conditions, by vectors"), *_contrasts(make, hits, "vectors")]


def likelihood_identity_measurements(
    rows: Sequence[ResponseRow], *, model: str, seed: int, instrument: str = "who_am_i"
) -> list[Measurement]:
    """The same by likelihood, from rows that `score_statements` made: one per profile (and nobody) and condition.

    `logprobs` of a row are those of the statement sets of all people, in the order of their ids.
    """
    make = Maker(model=model, seed=seed)
    scored = [r for r in rows if r.instrument == instrument and r.status == "ok"]
    out: list[Measurement] = []
    hits: dict[str, dict[str, float]] = {}
    for condition in dict.fromkeys(r.item for r in scored):
        own = {r.persona_id: r.logprobs for r in scored if r.item == condition}
        nobody = own.pop(None, None)
        roster = sorted(str(p) for p in own)
        table = np.array([own[p] for p in roster], dtype=float).T  # (statement sets, profiles)
        if nobody is None or table.shape != (len(roster), len(roster)):
            out.append(
                make.number(
                    f"identity_by_likelihood.top1.{condition}", f"Owner found by likelihood, {condition}", None,
                    unit="share", n=len(roster), method="pointwise mutual information", condition=condition,
                    reason="not every profile was asked",
                )
            )  # fmt: skip
            continue
        pmi = table - np.array(nobody, dtype=float)[:, None]
        out += _matched(
            make, condition, pmi - pmi.mean(axis=0, keepdims=True), list(range(len(roster))),
            f"best of {len(roster)} full profiles by pointwise mutual information, profile means taken out",
            hits, roster, stem="identity_by_likelihood", label="Owner found by likelihood",
        )  # fmt: skip
    pairs = _contrasts(make, hits, "likelihood", stem="identity_by_likelihood")
    return [*adjusted(out, family="conditions, by likelihood"), *pairs]


def statement_measurements(
    statements: Sequence[StatementRow], shown: Mapping[tuple[str, str], str], *, model: str, seed: int
) -> list[Measurement]:
    """What was said, as text: copied from the profile, and said twice; per condition, people are the clusters.

    Args:
        statements: what people said.
        shown: what the speaker knew, by (condition, persona id).
        model: reference of the model that wrote the statements.
        seed: of the run.
    """
    make = Maker(model=model, seed=seed)
    out: list[Measurement] = []
    for condition in dict.fromkeys(s.condition for s in statements):
        own = [s for s in statements if s.condition == condition]
        people = [s.persona_id for s in own]
        copied = [copy_share(s.text, shown.get((condition, s.persona_id), "")).value for s in own]
        values = np.array([np.nan if c is None else c for c in copied], dtype=float)
        out.append(
            make.estimate(
                f"statements_copied.{condition}", f"Words copied from the profile, {condition}",
                mean_interval(values, people), unit="share of 4-grams", direction="lower is better",
                condition=condition, method="share of a statement's word 4-grams that stand in the profile shown",
            )
        )  # fmt: skip
        twice = np.array([float(_said_twice(k, own)) for k in range(len(own))])
        out.append(
            make.estimate(
                f"statements_repeated.{condition}", f"Statements said twice, {condition}",
                mean_interval(twice, people), unit="share", direction="lower is better", condition=condition,
                method=f"word Jaccard with an earlier statement of the person at least {_ALIKE}",
            )
        )  # fmt: skip
        sentence = np.array([float(len(sentences(s.text)) == 1 and s.text[-1:] in ".!?") for s in own])
        out.append(
            make.estimate(
                f"statements_whole.{condition}", f"Statements that are one whole sentence, {condition}",
                mean_interval(sentence, people), unit="share", direction="higher is better", condition=condition,
                method="exactly one sentence, ended",
            )
        )  # fmt: skip
    return out


def round_trip_measurements(
    rows: Sequence[ResponseRow],
    scores: Mapping[str, Mapping[str, float]],
    instrument: Instrument,
    conditions: Sequence[str],
    *,
    model: str,
    seed: int,
) -> list[Measurement]:
    """Does an inventory, answered under a condition, give back the scores of the profile?

    Under `P` this is a round trip; under `C` and `S` it asks whether the rest of a life tells the personality. Mean
    over domains of the correlation over people, jackknife interval, permutation of whole people.

    Args:
        rows: answers.
        scores: domain scores of each profile, by persona id and domain name.
        instrument: what was answered.
        conditions: in the order to report.
        model: reference of the model.
        seed: of the permutation.
    """
    make = Maker(model=model, seed=seed)
    own = [r for r in rows if r.instrument == instrument.name]
    out: list[Measurement] = []
    for condition in conditions:
        found = trait_table(own, scores, instrument, condition)
        if not found.n:
            continue
        flat = found.n < 2 or np.isnan(mean_correlation(found.intended, found.answered))
        out.append(
            make.estimate(
                f"round_trip.{condition}", f"Personality given and answered, told {condition}",
                recovery(found.intended, found.answered), unit="r", direction="higher is better",
                condition=condition, method="mean over domains of r over people",
                test=None if flat else recovery_test(
                    found.intended, found.answered, seed=derive_seed(seed, "round trip", condition)
                ),
            )
        )  # fmt: skip
    return adjusted(out, family="conditions of the round trip")


# Parts ---------------------------------------------------------------------------------------------------------------


def _centred(vectors: Vectors) -> Vectors:
    """Unit vectors without what all have in common."""
    moved = vectors - vectors.mean(axis=0)
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)


def _matched(
    make: Maker,
    condition: str,
    scores: Vectors,
    own: Sequence[int],
    method: str,
    hits: dict[str, dict[str, float]],
    who: Sequence[str],
    *,
    stem: str = "identity",
    label: str = "Owner found",
) -> list[Measurement]:
    out: list[Measurement] = []
    for k in (1, 5):
        if k >= scores.shape[1]:
            continue
        found = matching_accuracy(scores, own, k=k)
        if k == 1:
            hits[condition] = dict(zip(who, found.scores, strict=True))
        test = _exchanged_owners(scores, own, seed=derive_seed(make.seed, stem, "null", condition)) if k == 1 else None
        out.append(
            make.estimate(
                f"{stem}.top{k}.{condition}", f"{label} among the first {k}, told {condition}", found, unit="share",
                direction="higher is better", condition=condition, method=method, test=test,
                note=f"Chance {found.chance:.3f}.",
            )
        )  # fmt: skip
    rank = mean_reciprocal_rank(scores, own, rng=derive_rng(make.seed, stem, condition))
    out.append(
        make.estimate(
            f"{stem}.mrr.{condition}", f"Mean reciprocal rank of the owner, told {condition}", rank,
            unit="1 / rank", direction="higher is better", condition=condition, method=f"{method}; bootstrap",
        )
    )  # fmt: skip
    return out


def _exchanged_owners(scores: Vectors, own: Sequence[int], *, seed: int) -> TestResult:
    """Is the owner found more often than when everybody is given somebody's statements by lot?

    Args:
        scores: statement sets × profiles, larger is closer.
        own: column of each set's owner.
        seed: of the permutations.
    """
    best = scores == scores.max(axis=1, keepdims=True)
    credit = best / best.sum(axis=1, keepdims=True)  # ties count by chance

    def found(rows: Vectors, owners: Vectors) -> float:
        return float(credit[rows.astype(int), owners.astype(int)].mean())

    return permutation_test(found, np.arange(len(own)), np.array(own), alternative="greater", rng=seed)


def _control(make: Maker, name: str, label: str, scores: Vectors, own: Sequence[int], method: str) -> Measurement:
    found = matching_accuracy(scores, list(own))
    return make.estimate(
        f"identity.top1.{name}", label, found, unit="share", method=method, control=True,
        note=f"Chance {found.chance:.3f}.",
    )  # fmt: skip


def _consistency(
    make: Maker, condition: str, statements: Sequence[StatementRow], who: Sequence[str], encode: Encode, method: str
) -> Measurement:
    """Do the open and the hidden half of one person find each other?"""
    own = [s for s in statements if s.condition == condition]
    halves = [statement_sets(own, kind=kind) for kind in SELVES]
    both = [p for p in who if all((condition, p) in half for half in halves)]
    first, second = (_centred(encode([" ".join(half[condition, p]) for p in both])) for half in halves)
    found = matching_accuracy(first @ second.T, list(range(len(both))))
    return make.estimate(
        f"self_consistency.{condition}", f"Open self finds its hidden self, told {condition}", found, unit="share",
        direction="higher is better", condition=condition,
        method=method.replace("full profiles", "hidden halves"), note=f"Chance {found.chance:.3f}.",
    )  # fmt: skip


def _contrasts(
    make: Maker, hits: Mapping[str, Mapping[str, float]], by: str, *, stem: str = "identity"
) -> list[Measurement]:
    """All pairs of conditions: difference of top-1 with a bootstrap over people, exact McNemar, Holm."""
    out: list[Measurement] = []
    for one, two in combinations(hits, 2):
        people = sorted(set(hits[one]) & set(hits[two]))
        a = np.array([hits[one][p] for p in people])
        b = np.array([hits[two][p] for p in people])
        if len(people) < 2:
            continue
        gap = bootstrap_interval(
            lambda rows, a=a, b=b: float((a[rows] - b[rows]).mean()), len(people),
            rng=derive_rng(make.seed, stem, "contrast", one, two),
        )  # fmt: skip
        out.append(
            make.estimate(
                f"{stem}.top1.{one}_minus_{two}", f"Owner found, {one} minus {two}", gap, unit="difference of shares",
                test=exact_mcnemar(int(((a > 0.5) & (b <= 0.5)).sum()), int(((a <= 0.5) & (b > 0.5)).sum())),
                method=f"matched by {by}, bootstrap over people",
            )
        )  # fmt: skip
    return adjusted(out, family=f"pairs of conditions, by {by}")


def _said_twice(k: int, own: Sequence[StatementRow]) -> bool:
    mine = own[k]
    earlier = (s for s in own[:k] if s.persona_id == mine.persona_id)
    return any((jaccard(mine.text, s.text, 1, unit="word").value or 0.0) >= _ALIKE for s in earlier)
