"""Judge every answer by one rule, and print the tables."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from _proxy import Counts


@dataclass(frozen=True)
class Measured:
    """One driver on one job, once."""

    name: str
    title: str
    job: str
    wall: float
    client_cpu: float
    server_cpu: float
    counts: Counts
    exit_code: int
    claims: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What became of the answers or lines that were asked for."""

    asked: int
    lost: int
    """nothing that the library, or we, could take for one of the options; or an empty line"""
    contradict: int
    """the reply names a number or letter and, in words, another option"""
    alike: str
    """people who gave one answer to everything, or lines said before in the same dialogue"""

    @property
    def unusable(self) -> int:
        return self.lost + self.contradict


def judge(measured: Measured, work: dict[str, Any]) -> Verdict:
    """The same rule for everybody."""
    return _survey(measured, work) if measured.job == "survey" else _dialogue(measured, work)


def contradicts(raw: str, value: float, options: Sequence[str]) -> bool:
    """Whether a reply names an option in words, and not the one that was taken."""
    named = {k for k, text in enumerate(options, 1) if re.search(rf"\b{re.escape(text)}\b", raw, re.IGNORECASE)}
    return bool(named) and value not in named


def _survey(measured: Measured, work: dict[str, Any]) -> Verdict:
    options, people = work["options"], work["asked"]
    asked = people * len(work["items"])
    taken = [
        a
        for a in measured.result.get("answers", [])
        if isinstance(a["value"], int | float) and 1 <= a["value"] <= len(options)
    ]
    wrong = sum(contradicts(a["raw"], a["value"], options) for a in taken)
    by_person = [{round(a["value"], 6) for a in taken if a["person"] == k} for k in range(people)]
    stuck = sum(len(values) == 1 for values in by_person) if len(work["items"]) > 1 else 0
    return Verdict(asked, asked - len(taken), wrong, f"{stuck} of {people} people")


def _dialogue(measured: Measured, work: dict[str, Any]) -> Verdict:
    asked = len(work["dialogues"]) * work["turns"]
    said = [row for row in measured.result.get("lines", []) if row["text"].strip()]
    kept = {(row["dialogue"], row["text"].partition(" -- ")[2] or row["text"]) for row in said}
    return Verdict(asked, asked - len(said), 0, f"{len(said) - len(kept)} of {len(said)} lines")


_HEAD = (
    "client", "wall s", "client CPU s", "server CPU s", "calls", "repeats", "most at once", "sent", "computed",
    "generated", "usable", "lost", "contradict", "all alike", "exit",
)  # fmt: skip


def show(measured: Sequence[Measured], work: dict[str, Any], excuses: Sequence[str], machine: str) -> None:
    """Print one table for each job, then ours divided by theirs, then what cannot be shown in numbers."""
    print(f"machine: {machine}; SmolLM2-135M Q8_0 behind one server, {work['slots']} slots, 1 engine thread")
    print(f"cap {work['cap']:g} s for each client and job; medians over repeats; times of this machine, now")
    for job in ("survey", "dialogue"):
        runs = [m for m in measured if m.job == job]
        if not runs:
            continue
        size = (
            f"{work['asked']} people × {len(work['items'])} items × {len(work['options'])} options"
            if job == "survey"
            else f"{len(work['dialogues'])} dialogues × {work['turns']} lines"
        )
        groups = [list(g) for _, g in groupby(sorted(runs, key=lambda m: m.name), key=lambda m: m.name)]
        order = list(dict.fromkeys(m.name for m in runs))
        groups.sort(key=lambda g: order.index(g[0].name))
        print(f"\n{job}: {size}")
        _print([_HEAD, *(_row(group, work) for group in groups)])
        _ratios(groups, work)
        for group in groups:
            print(f"  {group[0].title} says: {group[-1].claims}{_troubles(group[-1])}")
    if any(m.exit_code for m in measured):
        print("\n* ended with an error or at the cap: what it did not finish counts as lost, and its ratios say little")
    if excuses:
        print()
    for excuse in excuses:
        print(excuse)


def _troubles(measured: Measured) -> str:
    counts = measured.counts
    found = [f"{n} calls {what}" for n, what in ((counts.refused, "refused"), (counts.abandoned, "abandoned")) if n]
    return f" ({', '.join(found)})" if found else ""


def _title(group: Sequence[Measured]) -> str:
    """With a star where a run did not end well."""
    return f"{group[0].title} *" if any(m.exit_code for m in group) else group[0].title


def _median(group: Sequence[Measured], number: Callable[[Measured], float]) -> float:
    return statistics.median(number(m) for m in group)


def _row(group: Sequence[Measured], work: dict[str, Any]) -> tuple[str, ...]:
    verdicts = [judge(m, work) for m in group]
    numbers = [
        _median(group, number)
        for number in (
            lambda m: m.counts.calls,
            lambda m: m.counts.repeated,
            lambda m: m.counts.most,
            lambda m: m.counts.sent,
            lambda m: m.counts.computed,
            lambda m: m.counts.generated,
        )
    ]
    asked = verdicts[0].asked
    return (
        _title(group),
        *(f"{_median(group, n):.1f}" for n in (lambda m: m.wall, lambda m: m.client_cpu, lambda m: m.server_cpu)),
        *(f"{n:,.0f}" if n else "–" for n in numbers),
        f"{asked - statistics.median(v.unusable for v in verdicts):g} of {asked}",
        f"{statistics.median(v.lost for v in verdicts):g}",
        f"{statistics.median(v.contradict for v in verdicts):g}",
        verdicts[-1].alike,
        "/".join(str(code) for code in dict.fromkeys(m.exit_code for m in group)),
    )


def _ratios(groups: Sequence[Sequence[Measured]], work: dict[str, Any]) -> None:
    """Ours divided by theirs: below 1 is less time, fewer calls, fewer tokens."""
    ours = [g for g in groups if g[0].name.startswith("ours")]
    theirs = [g for g in groups if not g[0].name.startswith("ours")]
    rows = [("ours ÷ theirs", "time", "CPU, both sides", "calls", "computed", "unusable, ours : theirs")]
    for mine in ours:
        for other in theirs:
            ratios = [
                _quotient(_median(mine, number), _median(other, number))
                for number in (
                    lambda m: m.wall,
                    lambda m: m.client_cpu + m.server_cpu,
                    lambda m: m.counts.calls,
                    lambda m: m.counts.computed,
                )
            ]
            lost = [statistics.median(judge(m, work).unusable for m in group) for group in (mine, other)]
            rows.append((f"{_title(mine)} ÷ {_title(other)}", *ratios, f"{lost[0]:g} : {lost[1]:g}"))
    if len(rows) > 1:
        _print(rows)


def _quotient(mine: float, theirs: float) -> str:
    return f"{mine / theirs:.2f}" if theirs else "–"


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        cells = [c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        print(f"  {'  '.join(cells)}".rstrip())
