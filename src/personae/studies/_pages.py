"""Sections that every study's report shares: the question and design first, evidence and cost last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from personae.core import ConversationRow, FailureRow, FitRow, Measurement, PersonaRow, ResponseRow, TurnRow
from personae.models import Bill, Usage
from personae.reports import (
    Block,
    DataTable,
    Notice,
    Prose,
    Section,
    answers_section,
    conversations_section,
    cost_section,
    environment_section,
    failures_section,
    limits_section,
    people_section,
    status_counts,
)
from personae.studies._base import Bench, Card
from personae.text import is_degenerate, refusal


def opening_sections(bench: Bench, card: Card, design: str) -> list[Section]:
    """Question and claims, design, people with their fit to the margins."""
    claims = DataTable(
        ("Claim", "Reference", "Source", "Checked here", "Found by us", "Needs a larger model", "Where we deviate"),
        [
            (
                c.claim,
                c.reference,
                c.source,
                c.checked_here,
                c.found or None,
                c.needs_large_model or None,
                c.deviation or None,
            )
            for c in card.claims
        ],
        "Claims of the method and what this run can say about them",
    )
    settings = DataTable(
        ("Setting", "Value"),
        [(k, str(v)) for k, v in bench.spec.model_dump(mode="json").items()],
        "Settings of this run",
    )
    notices: list[Block] = [Notice("limit", text) for text in card.limits]
    return [
        Section(
            "question", "Question", [Prose(card.question), *notices, claims], f"{card.title}. Paper: {card.paper}."
        ),
        Section("design", "Design", [Prose(design.strip()), settings]),
        people_section(bench.run.rows(PersonaRow), bench.run.rows(FitRow), seed=bench.seed),
    ]


def closing_sections(bench: Bench) -> list[Section]:
    """Conversations drawn by seed, answers with their prompts, failures, cost, environment, limits."""
    run = bench.run
    responses = list(run.rows(ResponseRow))
    prompts = prompt_lookup(bench)
    manifest = run.manifest
    stages = dict(manifest.stages.items())
    sections: list[Section] = []
    if any(True for _ in run.rows(ConversationRow)):
        sections.append(
            conversations_section(run.rows(ConversationRow), run.rows(TurnRow), bench.seed, 3, prompts=prompts)
        )
    if responses:
        sections.append(answers_section(responses, seed=bench.seed, prompts=prompts))
    limit = max((record.failure_limit for record in stages.values()), default=1.0)
    sections += [
        failures_section(
            run.rows(FailureRow),
            status_counts(responses),
            units=run.count() + run.count(failed=True),
            limit=limit,
            lines=line_outcomes(run.rows(TurnRow)),
        ),
        cost_section(
            usage_by_verb(bench),
            {"executing, all sessions": manifest.seconds},
            faults=faults_by_kind(bench),
            money=Bill.of(bench.reference, bench.run.usage).words,
        ),
        environment_section(manifest),
        limits_section(bench.reference, dict(bench.model.fingerprint)),
    ]
    return sections


_OUTCOMES: Final[tuple[str, ...]] = (
    "fit for use", "refused", "empty", "degenerate", "malformed", "cut off at the token limit"
)  # fmt: skip


def line_outcomes(turns: Iterable[TurnRow]) -> dict[str, int]:
    """Generated lines by what became of them, each counted once, at the first that holds; {} when there are none."""
    counts = {str(outcome): 0 for outcome in _OUTCOMES}
    for turn in turns:
        if turn.finish_reason is not None:
            counts[_OUTCOMES[_outcome(turn)]] += 1
    return counts if any(counts.values()) else {}


def _outcome(turn: TurnRow) -> int:
    declined = refusal(turn.text)
    if turn.finish_reason == "refused" or (declined and not declined.personal):
        return 1
    if turn.finish_reason == "empty" or not turn.text.strip():
        return 2
    if is_degenerate(turn.text):
        return 3
    return {"malformed": 4, "length": 5}.get(turn.finish_reason or "", 0)


def usage_by_verb(bench: Bench) -> dict[str, Usage]:
    """Calls and tokens of a run by verb, as its call log holds them; answers from the cache are a line of their own."""
    out: dict[str, Usage] = {}
    for record in bench.run.calls.records():
        verb = f"{record.verb}, from cache" if record.cached else record.verb
        out[verb] = out.get(verb, Usage(calls=0)) + record.usage
    return out


def faults_by_kind(bench: Bench) -> dict[str, int]:
    """Tries that failed on the way to an answer, by kind."""
    out: Counter[str] = Counter()
    for record in bench.run.calls.records():
        out.update(record.faults)
    return dict(out)


def prompt_lookup(bench: Bench) -> Callable[[str | None], str | None]:
    """From the key of a recorded call to the exact prompt the model got."""

    def find(key: str | None) -> str | None:
        record = bench.run.calls.find(key) if key else None
        return None if record is None else record.prompt()

    return find


def describe(m: Measurement) -> str:
    """One measurement as a line; one that is not told from zero says so.

    Signs are written where they say something: at differences, and where zero could lie inside.
    """
    if m.value is None:
        return f"{m.label}: no value ({m.reason})"
    low, high = (m.interval.low, m.interval.high) if m.interval else (m.value, m.value)
    form = "+.2f" if min(m.value, low) < 0 or "minus" in m.label or "difference" in m.unit else ".2f"
    span = f"[{low:{form}}, {high:{form}}]" if m.interval else f"(no interval: {m.reason})"
    p = f", p = {m.p:.3f}" if m.p is not None else ""
    # A share of nobody has an interval that begins at 0: that is what was counted, not an effect that was not found.
    null = "  (not told from zero)" if m.interval and low <= 0 <= high and not low == m.value == 0 else ""
    return f"{m.label}: {m.value:{form}} {span}{p}, n = {m.n}{null}"
