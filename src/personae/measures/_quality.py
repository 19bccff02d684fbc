"""Quality of a corpus of conversations and of the detectors that made it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from personae.core import AUDIT, CLEAN, ConversationRow, JudgementRow, Measurement, SlotRow
from personae.measures._make import Maker
from personae.statistics import Estimate, proportion_interval, proportion_upper_bound, wilson_interval
from personae.text import evaluate_closing_cues


def closing_rule_measurements(judgements: Sequence[JudgementRow], *, model: str, seed: int) -> list[Measurement]:
    """The termination detector as a classifier: precision and recall of the rules, kappa of the judge if any."""
    found = evaluate_closing_cues("test")
    make = Maker(model="rules, no model", seed=seed, cluster="labelled turn")
    out: list[Measurement] = []
    counts = {
        "precision": (found.true_positives, found.true_positives + found.false_positives),
        "recall": (found.true_positives, found.true_positives + found.false_negatives),
    }
    for name, (hits, n) in counts.items():
        out.append(
            make.estimate(
                f"termination_rules.{name}",
                f"Closing-cue rules, {name}",
                Estimate(hits / n, wilson_interval(hits, n), n, n),
                unit="share",
                direction="higher is better",
                method="held-out half of the labelled set, Wilson interval",
                note="The same author wrote sentences and rules: an upper bound.",
                validated=f"author-labelled, n = {found.n}",
            )
        )
    asked = Maker(model=model, seed=seed, cluster="labelled turn")
    out.extend(
        asked.number(
            "termination_judge.kappa",
            "End judge against the labelled set",
            judged.value,
            unit="kappa",
            n=found.n,
            method="likelihood yes/no judge",
            reason="interval in the note",
            note=judged.agreement,
        )
        for judged in judgements
        if judged.judge == "ended" and judged.condition == "labelled set"
    )
    return out


def audit_measurements(
    judgements: Sequence[JudgementRow], conversations: Sequence[ConversationRow], *, model: str, seed: int
) -> list[Measurement]:
    """Share of conversations with any finding, per condition, and what was found."""
    make = Maker(model=model, seed=seed)
    flags: dict[str, dict[str, bool]] = defaultdict(dict)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for j in (j for j in judgements if j.judge == AUDIT):
        flagged = j.verdict != CLEAN
        flags[j.condition][j.conversation] = flags[j.condition].get(j.conversation, False) or flagged
        if flagged:
            kinds[j.condition][j.verdict.split("_of_")[0]] += 1
    people = {c.conversation: c.persona_id for c in conversations}
    out: list[Measurement] = []
    for condition, seen in sorted(flags.items()):
        values = [float(v) for v in seen.values()]
        note = ", ".join(f"{kind} {n}" for kind, n in kinds[condition].most_common())
        if not any(values):
            note = f"0 of {len(values)}; upper bound {proportion_upper_bound(0, len(values)):.3f} (95 %)."
        out.append(
            make.estimate(
                f"audit.{condition}",
                f"Conversations with an audit finding, {condition}",
                proportion_interval(values, [people[c] for c in seen]),
                unit="share",
                direction="lower is better",
                method="scanners by rule",
                condition=condition,
                note=note,
                validated="rules; not validated by people",
            )
        )
    return out


def rejection_measurement(slots: Sequence[SlotRow], *, model: str, seed: int) -> Measurement:
    """Share of schema draws that the plausibility rules rejected."""
    found = proportion_interval([float(not s.accepted) for s in slots])
    return Maker(model=f"{model} (not asked)", seed=seed, cluster="draw").estimate(
        "schema.rejected", "Draws rejected as implausible", found, unit="share", method="Wilson interval over draws"
    )
