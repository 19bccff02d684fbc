"""Kinds of personas: the classifier and the linter against labels, and probes of boundary and consistency."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from personae.core import JudgementRow, Measurement, ProbeRow
from personae.creation import KINDS
from personae.measures._make import Maker
from personae.statistics import Estimate, classifier_scores, mean_interval, wilson_interval

_BINS = 5


def kind_measurements(judgements: Sequence[JudgementRow], *, model: str, seed: int) -> list[Measurement]:
    """Rows of the judges `label`, `kinds`, `defect`, `lint` and `second_opinion`, as measured numbers.

    Accuracy counts a mix as right when it is exactly the labelled set of kinds; F1 takes each kind as yes or no.
    """
    by: dict[str, dict[str, JudgementRow]] = defaultdict(dict)
    for row in judgements:
        by[row.judge][row.persona_id] = row
    truth = {who: frozenset(r.verdict.split("+")) for who, r in by["label"].items()}
    make = Maker(model="rules, no model", seed=seed, cluster="labelled persona")
    out: list[Measurement] = []
    if truth:
        said = {who: frozenset(by["kinds"][who].verdict.split("+")) for who in truth}
        for split in ("dev", "test"):
            chosen = [who for who in truth if by["label"][who].condition == split]
            out.append(_share(make, f"kinds.accuracy.{split}", f"Mix exactly as labelled, {split} half",
                              [said[w] == truth[w] for w in chosen]))  # fmt: skip
        test = [who for who in truth if by["label"][who].condition == "test"]
        for kind in KINDS:
            scores = classifier_scores([kind in truth[w] for w in test], [kind in said[w] for w in test])
            out.append(
                make.estimate(
                    f"kinds.f1.{kind}", f"F1 of {kind}, test half", scores.f1, unit="F1",
                    direction="higher is better", method="held-out half of the labelled set",
                    validated=f"author-labelled, n = {len(test)}",
                )
            )  # fmt: skip
        out.append(_calibration(make, [(by["kinds"][w].value or 0.0, said[w] == truth[w]) for w in test]))
    if by["defect"]:
        out.extend(_lint_quality(make, judgements))
    if by["second_opinion"] and truth:
        single = [w for w in by["second_opinion"] if len(truth.get(w, ())) == 1]
        asked = Maker(model=model, seed=seed, cluster="labelled persona")
        right = [by["second_opinion"][w].verdict in truth[w] for w in single]
        out.append(_share(asked, "kinds.second_opinion", "Second opinion of the model names the labelled kind", right))
    return out


def probe_measurements(probes: Iterable[ProbeRow], *, model: str, seed: int) -> list[Measurement]:
    """P(do not know) beyond the boundary, and agreement of five ways of asking one fact; intervals over people."""
    boundary: list[tuple[str, float]] = []
    answers: dict[str, list[int]] = defaultdict(list)
    right: list[tuple[str, float]] = []
    for row in probes:
        if row.group == "boundary":
            boundary.append((row.persona_id, row.probabilities[row.target]))
        elif row.group == "consistency":
            best = max(range(len(row.probabilities)), key=lambda k: row.probabilities[k])
            answers[row.persona_id].append(best)
            right.append((row.persona_id, float(best == row.target)))
    make = Maker(model=model, seed=seed)
    out: list[Measurement] = []
    same = [(who, Counter(a).most_common(1)[0][1] / len(a)) for who, a in answers.items()]
    for name, label, values, unit in (
        ("boundary.unknown", "P(do not know) for ten things beyond the boundary", boundary, "probability"),
        ("consistency.same", "Share of five ways of asking that get the most common answer", same, "share"),
        ("consistency.right", "Share of five ways of asking that get the persona's own fact", right, "share"),
    ):
        if values:
            found = mean_interval([v for _, v in values], [w for w, _ in values]).within(0, 1)
            out.append(
                make.estimate(name, label, found, unit=unit, direction="higher is better",
                              method="mean over people, t interval by person")
            )  # fmt: skip
    return out


def _share(make: Maker, name: str, label: str, hits: Sequence[bool]) -> Measurement:
    n = len(hits)
    value = sum(hits) / n if n else float("nan")
    found = Estimate(value, wilson_interval(sum(hits), n), n, n, 0, None if n else "no labelled case")
    return make.estimate(name, label, found, unit="share", direction="higher is better", method="Wilson interval",
                         validated=f"author-labelled, n = {n}")  # fmt: skip


def _calibration(make: Maker, pairs: Sequence[tuple[float, bool]]) -> Measurement:
    """Expected calibration error over five bins of equal width (Guo et al. 2017, equation 3)."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for chance, right in pairs:
        bins[min(int(chance * _BINS), _BINS - 1)].append((chance, right))
    error = sum(abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins.values()) / len(pairs)
    return make.number(
        "kinds.calibration_error", "Confidence against being right, test half", error, unit="probability", n=len(pairs),
        method=f"expected calibration error, {_BINS} bins", direction="lower is better",
        reason="biased upwards by binning; an interval would be read as one of the classifier",
    )  # fmt: skip


def _lint_quality(make: Maker, judgements: Sequence[JudgementRow]) -> list[Measurement]:
    seeded = {r.condition: set(filter(None, r.verdict.split("+"))) for r in judgements if r.judge == "defect"}
    found: dict[str, set[str]] = defaultdict(set)
    for row in judgements:
        if row.judge == "lint" and row.condition in seeded:
            found[row.condition].add(row.subject)
    told = [code in seeded[who] for who in seeded for code in found[who]]
    caught = [code in found[who] for who, codes in seeded.items() for code in codes]
    return [
        _share(make, "lint.precision", "Findings that are seeded defects", told),
        _share(make, "lint.recall", "Seeded defects that are found", caught),
    ]
