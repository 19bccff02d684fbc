"""Records under a rule pack: errors found by a pass of its own, quotas, templates, optimism; and how drafts fared."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from personae.core import CorpusRow, FitRow, Measurement, Persona
from personae.creation import PARAGRAPHS, REVIEW, DraftLog, RulePack
from personae.measures._make import Maker
from personae.statistics import correlation_interval, mean_interval, proportion_interval
from personae.text import jaccard

POLARITY: Final = (1.0, 0.8, 0.5, 0.0, -0.5, -1.0)
"""What the six level words count, best first (HACHIMI, analysis script)."""
_LONG: Final = ("values", "creativity", "mental_health")
_SAMPLE: Final = 500


def record_measurements(
    people: Sequence[Persona], pack: RulePack, fit: Sequence[FitRow], *, anchors: bool = True, model: str, seed: int
) -> list[Measurement]:
    """What the finished records are worth, from the records alone.

    Rules are applied to columns of the finished people, not by the guards that made them. Optimism is the mean polarity
    of the levels of values, creativity, overall state and happiness: −1 to 1.

    Args:
        people: finished records.
        pack: their rules, with a vocabulary `level` and levels under `ext.student.levels`.
        fit: quotas and their people.
        anchors: False judges without the anchors (their ablation).
        model: who wrote.
        seed: of the run.
    """
    make = Maker(model=model, seed=seed, cluster="record")
    out = quota_measurements(make, fit)
    if not people:
        return out
    values = [pack.values(person) for person in people]
    columns = {name: _column([v[name] for v in values]) for name in pack.fields}
    masks = {c: m for c, m in pack.masks(columns).items() if anchors or not c.startswith("anchor_")}
    severity = {rule.code: rule.severity for rule in pack.rules}
    broken = Counter({code: int(mask.sum()) for code, mask in masks.items() if mask.any()})
    for name, label, wanted in (
        ("hard_errors", "Records that break a rule", {c for c in masks if severity[c] == "error"}),
        ("warnings", "Records with a warning", {c for c in masks if severity[c] == "warning"}),
        (
            "stage_errors",
            "Records with age, grade and stages at odds",
            {c for c in masks if c.startswith(("R1_", "R2_"))},
        ),
    ):
        hit = np.any([masks[c] for c in wanted], axis=0) if wanted else np.zeros(len(people), dtype=bool)
        most = ", ".join(f"{c} {n}" for c, n in broken.most_common(5) if c in wanted)
        out.append(
            make.estimate(
                f"records.{name}", label, proportion_interval(hit.astype(float)), unit="share",
                direction="lower is better", method="vectorised rules over the finished records", note=most or None,
            )
        )  # fmt: skip
    return [*out, *_text_measurements(make, people), *_optimism(make, people, pack)]


def quota_measurements(make: Maker, fit: Sequence[FitRow]) -> list[Measurement]:
    """Largest difference to a quota, and the Kullback-Leibler divergence from the asked shares, per margin."""
    if not fit:
        return []
    out = [
        make.number(
            "records.quota_error", "Largest difference between a quota and its people",
            float(max(abs(r.count - round(r.target_count)) for r in fit)), unit="people", n=len(fit),
            method="count of the finished records per quota", direction="lower is better",
            reason="a design quantity: no interval",
        )
    ]  # fmt: skip
    margins: dict[str, list[FitRow]] = defaultdict(list)
    for row in fit:
        margins[row.margin].append(row)
    for margin, rows in margins.items():
        n = sum(r.count for r in rows)
        divergence = sum(
            r.count / n * math.log(r.count / n / r.target_share) for r in rows if r.count and r.target_share > 0
        ) if n else None  # fmt: skip
        out.append(
            make.number(
                f"records.kl.{margin}", f"Divergence of {margin} from the asked shares", divergence, unit="nats", n=n,
                method="sum of p ln(p/q) over the cells", direction="lower is better",
                reason="a design quantity: no interval" if n else "nobody",
            )
        )  # fmt: skip
    return out


def _text_measurements(make: Maker, people: Sequence[Persona]) -> list[Measurement]:
    texts = {p: [str(person.get(f"ext.student.{p}") or "") for person in people] for p in PARAGRAPHS}
    out = [
        make.estimate(
            f"records.length.{p}", f"Length of {p.replace('_', ' ')}", mean_interval([float(len(t)) for t in own]),
            unit="characters", method="t over records", note=f"{min(map(len, own))} to {max(map(len, own))}",
        )
        for p, own in texts.items()
    ]  # fmt: skip
    pairs = [(a, b) for i, a in enumerate(_LONG) for b in _LONG[i + 1 :]]
    alike = [
        float(np.nanmean([_nan(jaccard(texts[a][k], texts[b][k], 2, unit="word").value) for a, b in pairs]))
        for k in range(min(len(people), _SAMPLE))
        if any(texts[p][k] for p in _LONG)
    ]
    out.append(
        make.estimate(
            "records.paragraph_overlap", "Overlap of the three long paragraphs of a record", mean_interval(alike),
            unit="Jaccard", direction="lower is better", method="word pairs, mean of the three pairs; t over records",
        )
    )  # fmt: skip
    return out


def _optimism(make: Maker, people: Sequence[Persona], pack: RulePack) -> list[Measurement]:
    scale = dict(zip(pack.vocab["level"].words, POLARITY, strict=True))
    academic = {word: float(-place) for place, word in enumerate(pack.vocab["academic"].words)}
    kept = ("value_", "creativity_", "health_overall", "health_happiness")
    polarity, level = list[float](), list[float]()
    for person in people:
        fields = pack.values(person)
        known = [scale[v] for name, v in fields.items() if name.startswith(kept) and v in scale]
        polarity.append(float(np.mean(known)) if known else math.nan)
        level.append(academic.get(str(fields.get("academic_level")), math.nan))
    return [
        make.estimate(
            "records.optimism", "Optimism index", mean_interval(polarity), unit="polarity",
            method="mean polarity of level words (+1, .8, .5, 0, -.5, -1); t over records",
        ),
        make.estimate(
            "records.optimism_by_level", "Academic level against polarity",
            correlation_interval(level, polarity, kind="spearman"), unit="rho", method="Spearman, Fisher interval",
        ),
    ]  # fmt: skip


def composition_measurements(log: DraftLog, *, model: str, seed: int) -> list[Measurement]:
    """How drafts fared: accepted share, slots filled, parse failures, keys refused, errors by round, tokens."""
    slots, issues, drafts = log.slots, log.issues, log.turns
    if not slots:
        return []
    make = Maker(model=model, seed=seed, cluster="slot")
    ks = [s.k for s in slots]
    filled = {k: any(s.accepted for s in slots if s.k == k) for k in dict.fromkeys(ks)} if len(slots) < 5000 else {}
    out = [
        make.estimate(
            "compose.accepted", "Drafts accepted", proportion_interval([float(s.accepted) for s in slots], ks),
            unit="share", direction="higher is better", method="share of drafts, clustered by slot",
        ),
    ]  # fmt: skip
    if filled:
        out.append(
            make.estimate(
                "compose.filled", "Slots with an accepted draft", proportion_interval([*map(float, filled.values())]),
                unit="share", direction="higher is better", method="share of slots after all attempts",
            )
        )  # fmt: skip
    turns = [d for d in drafts if d.owner != REVIEW]
    out.append(
        make.estimate(
            "compose.parse_failures", "Turns whose reply was no value",
            proportion_interval([float(d.problem is not None) for d in turns], [d.k for d in turns]), unit="share",
            direction="lower is better", method="share of turns, clustered by slot",
        )
    )  # fmt: skip
    errors = Counter((i.k, i.attempt, i.round) for i in issues if i.severity == "error" and i.round >= 0)
    reached: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for d in drafts:
        reached[d.round].add((d.k, d.attempt))
    # A draft that needed no further round has as many errors in it as in its last one.
    last = {key: max(r for r, keys in reached.items() if key in keys) for key in reached.get(0, set())}
    for number in sorted(reached):
        found = {key: errors[*key, min(number, last[key])] for key in last}
        out.append(
            make.estimate(
                f"compose.errors.round_{number}", f"Errors of a draft after round {number}",
                mean_interval([float(v) for v in found.values()], [k for k, _ in found]), unit="issues",
                direction="lower is better", method="mean over drafts, clustered by slot",
                note="drafts that ended earlier count with their last round",
            )
        )  # fmt: skip
    tokens: dict[tuple[int, int], float] = defaultdict(float)
    for d in drafts:
        tokens[d.k, d.attempt] += d.tokens
    out.append(
        make.estimate(
            "compose.tokens", "Generated tokens of a draft",
            mean_interval(list(tokens.values()), [k for k, _ in tokens]),
            unit="tokens", method="mean over drafts, clustered by slot",
            note=f"{sum(len(d.refused) for d in drafts)} keys of other owners refused",
        )
    )  # fmt: skip
    return out


def corpus_measurements(corpora: Sequence[CorpusRow], *, model: str, seed: int) -> list[Measurement]:
    """The whole corpus of a bulk run, as its check counted it."""
    make = Maker(model=model, seed=seed, cluster="record")
    out: list[Measurement] = []
    for row in corpora:
        report: dict[str, Any] = json.loads(row.report)
        for name, label, value in (
            ("errors", "Records that break a rule, whole corpus", report["errors"]),
            ("quota_error", "Largest difference to a quota, whole corpus", report["quota_error"]),
            ("redrawn", "Near-copies drawn again, whole corpus", sum(report["redrawn"])),
        ):
            out.append(
                make.number(
                    f"corpus.{name}", label, float(value), unit="records", n=row.rows, direction="lower is better",
                    method="rules and counts over the columns of the written files", reason="a count of all records",
                    note=f"digest {row.digest[:16]}",
                )
            )  # fmt: skip
    return out


def _column(values: list[Any]) -> Any:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
