"""Sections about the run itself: failures, cost, environment, and what this size of model can show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from personae.core import FailureRow, ResponseRow, ResponseStatus
from personae.models import Usage
from personae.reports._blocks import BarChart, Block, Cell, Columns, DataTable, Fold, KeyFacts, Notice, Prose, Section
from personae.reports._numbers import number, seconds_text

_STATUSES: Final[dict[ResponseStatus, str]] = {
    "ok": "answered",
    "zero_variance": "zero variance",
    "refused": "refused",
    "unparsed": "unparsed",
    "failed": "failed",
    "missing": "missing",
}
_SECRET: Final = re.compile(
    r"api[_-]?key|secret|password|authorization|credential|bearer|access[_-]?token", re.IGNORECASE
)
_SIZE: Final = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)\s?([mMbB])(?![A-Za-z0-9])")
_EMBEDDED: Final = {"smollm2": 135e6, "gemma3-270m": 268e6}
"""reference strings that do not say their size"""


def status_counts(response_rows: Iterable[ResponseRow]) -> dict[ResponseStatus, int]:
    """How many answers have each status; every status is present."""
    counted: Counter[ResponseStatus] = Counter(row.status for row in response_rows)
    return {status: counted[status] for status in _STATUSES}


def failures_section(
    failure_rows: Iterable[FailureRow],
    statuses: Mapping[ResponseStatus, int],
    *,
    units: int | None = None,
    limit: float | None = None,
    lines: Mapping[str, int] | None = None,
) -> Section:
    """What went wrong, in words first.

    Args:
        failure_rows: failed units.
        statuses: answers per status, e.g. from `status_counts`; empty when the run asked nothing.
        units: units of the run, to put failed units in proportion.
        limit: share of failed units (0 to 1) over which the run counts as failed.
        lines: generated lines by what became of them, zeros included; None when nobody spoke.
    """
    failures = list(failure_rows)
    total = sum(statuses.values())
    blocks: list[Block] = []
    if total:
        if statuses.get("zero_variance", 0):
            blocks.append(
                Notice(
                    "warning",
                    f"{statuses['zero_variance']:,} answers come from actors who gave one answer to everything. "
                    "They carry no information about traits and are excluded from trait measures.",
                )
            )
        blocks.append(
            BarChart(
                categories=[word for status, word in _STATUSES.items() if status in statuses],
                observed=[100 * statuses[status] / total for status in _STATUSES if status in statuses],
                counts=[statuses[status] for status in _STATUSES if status in statuses],
                caption="Answers by status",
                unit="% of answers",
            )
        )
    if lines:
        said = sum(lines.values())
        rows = [(word, count, f"{number(100 * count / max(1, said), 1)} %") for word, count in lines.items()]
        blocks.append(DataTable(("Line", "n", "Share"), rows, f"What became of {said:,} generated lines, by rule"))
    blocks.append(_failed_units(failures, units, limit))
    if failures:
        blocks.append(_failure_table(failures))
    return Section("failures", "Failures", blocks, _lead(failures, statuses, total))


def _lead(failures: Sequence[FailureRow], statuses: Mapping[ResponseStatus, int], total: int) -> str:
    units = f"{len(failures):,} failed {'unit' if len(failures) == 1 else 'units'}"
    if not total:
        return f"{units}."
    words = ", ".join(f"{statuses.get(status, 0):,} {word}" for status, word in _STATUSES.items())
    return f"Of {total:,} answers: {words}. {units}."


def _failed_units(failures: Sequence[FailureRow], units: int | None, limit: float | None) -> Notice | Prose:
    count = len({f.unit for f in failures})
    of = f" of {units:,}" if units else ""
    cap = "" if limit is None else f" The run would count as failed over {number(100 * limit, 1)} %."
    text = (
        f"{count:,}{of} units failed.{cap} A failed unit is recorded with the boundary it crossed; it is never a zero."
    )
    over = limit is not None and units and count / units > limit
    return Notice("warning", text) if over else Prose(text)


def _failure_table(failures: Sequence[FailureRow]) -> DataTable:
    groups: dict[tuple[str, str, str], list[FailureRow]] = {}
    for f in failures:
        groups.setdefault((f.stage, f.boundary, f.code), []).append(f)
    rows = [
        (stage, boundary, code, len(group), group[0].unit, _short(group[0].message))
        for (stage, boundary, code), group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    columns = ("Stage", "Boundary", "Code", "Units", "First unit", "First message")
    return DataTable(columns, rows, "Failed units by the boundary they crossed")


def _short(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def cost_section(
    usage: Mapping[str, Usage],
    timing: Mapping[str, float],
    *,
    faults: Mapping[str, int] | None = None,
    money: str = "",
    note: str = "",
) -> Section:
    """Calls, tokens and wall-clock seconds by stage.

    Args:
        usage: what each stage asked of the model.
        timing: wall seconds of each stage.
        faults: tries that failed on the way to an answer, by kind.
        money: what it cost, in words; '' when nothing is said about it.
        note: money, machine load, or whatever else the reader should hold against the numbers.
    """
    rows: list[tuple[Cell, ...]] = []
    total = Usage(calls=0)
    for stage in dict.fromkeys([*usage, *timing]):
        used = usage.get(stage)
        rows.append(_cost_row(stage, used, timing.get(stage)))
        total = total + used if used else total
    rows.append(_cost_row("total", total, sum(timing.values()) if timing else None))
    columns = ("Stage", "Calls", "Prompt tokens", "Computed", "Reused", "Generated", "Wall time")
    table = DataTable(columns, rows, "Cost by stage")
    lead = "Prompt tokens are what the prompts hold; computed ones are what the engine really worked through."
    blocks: list[Block] = [table]
    if faults:
        by_count = sorted(faults.items(), key=lambda item: (-item[1], item[0]))
        blocks.append(DataTable(("Fault", "Tries"), by_count, "Tries that failed on the way to an answer"))
    blocks += [Prose(text) for text in (money, note) if text]
    return Section("cost", "Cost", blocks, lead)


def _cost_row(stage: str, used: Usage | None, seconds: float | None) -> tuple[Cell, ...]:
    wall = None if seconds is None else seconds_text(seconds)
    if used is None:
        return (stage, None, None, None, None, None, wall)
    reused = f"{number(100 * (1 - used.prefilled / used.prompt), 0)} %" if used.prompt else None
    return (stage, used.calls, used.prompt, used.prefilled, reused, used.generated, wall)


def environment_section(manifest: Mapping[str, object] | BaseModel) -> Section:
    """Everything the manifest says, secrets left out: short values in sight, nested ones folded by topic."""
    body = manifest.model_dump(mode="json") if isinstance(manifest, BaseModel) else manifest
    top: dict[str, Cell] = {}
    nested: list[Block] = []
    for key, value in body.items():
        if isinstance(value, (Mapping, list, tuple)):
            rows = [(path, text) for path, text in _flat("", value) if text]
            if rows:
                nested.append(
                    Fold(
                        f"{key} ({len(rows)})",
                        [DataTable(("Key", "Value"), rows, f"{key}, as the manifest records it")],
                    )
                )
        else:
            top[key] = _shown(key, value)
    return Section("environment", "Environment", [KeyFacts(top), *nested], "What this run was made with and on.")


def _flat(path: str, value: object) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        mapping: Mapping[object, object] = value
        for key, item in mapping.items():
            yield from _flat(f"{path}.{key}" if path else str(key), item)
    elif isinstance(value, (list, tuple)) and any(isinstance(v, (Mapping, list, tuple)) for v in value):
        items: Sequence[object] = value
        for k, item in enumerate(items):
            yield from _flat(f"{path}.{k}" if path else str(k), item)
    elif isinstance(value, (list, tuple)):
        plain: Sequence[object] = value
        yield path, ", ".join(str(_shown(path, v)) for v in plain)
    else:
        yield path, str(_shown(path, value))


def _shown(key: str, value: object) -> Cell:
    if _SECRET.search(key):
        return "(left out)"
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def model_size(reference: str, fingerprint: Mapping[str, str | int | float | bool]) -> float | None:
    """Parameters of a model, from its fingerprint or from a size in its name (`135M`, `7b`); None if neither says."""
    stated = fingerprint.get("parameters")
    if isinstance(stated, (int, float)) and not isinstance(stated, bool) and stated > 0:
        return float(stated)
    for text in (reference, *(v for v in fingerprint.values() if isinstance(v, str))):
        if found := _SIZE.search(text.replace("_", "-")):
            return float(found[1]) * (1e9 if found[2] in "bB" else 1e6)
    return _EMBEDDED.get(reference.lower())


def limits_section(model_reference: str, fingerprint: Mapping[str, str | int | float | bool]) -> Section:
    """What a model of this kind and size can and cannot show."""
    size = model_size(model_reference, fingerprint)
    kind, can, cannot = _limits(model_reference, size)
    blocks: list[Block] = [
        Notice("limit", kind),
        Columns(
            (
                Prose("**It can show**\n\n" + "\n".join(f"- {line}" for line in can)),
                Prose("**It cannot show**\n\n" + "\n".join(f"- {line}" for line in cannot)),
            )
        ),
    ]
    return Section("limits", "What this model can and cannot show", blocks)


def _limits(reference: str, size: float | None) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    people = "How people would answer or talk. Nothing here was compared with human answers unless a measure says so."
    if reference.startswith("fake:"):
        return (
            f"`{reference}` is not a language model: it draws answers from distributions with planted effects.",
            (
                "Whether the measures find an effect that is there, and stay quiet when there is none.",
                "Whether runs resume, replay and count failures as they should.",
            ),
            ("Anything at all about language models.", people),
        )
    if reference == "none":
        return (
            "No model was asked: rules and tables made everything here.",
            ("Whether rules, quotas and measures do what they say.",),
            ("Anything at all about language models.", people),
        )
    if size is None:
        return (
            f"The size of `{reference}` is not known, so nothing is assumed about it.",
            ("What was measured above, for this model and these prompts.",),
            ("Whether another model, or another prompt, would do the same.", people),
        )
    label = f"{size / 1e9:g} billion" if size >= 1e9 else f"{size / 1e6:g} million"
    if size < 1e9:
        return (
            f"`{reference}` has {label} parameters. Its numbers check the method; they are no findings about people.",
            (
                "That the machinery works end to end: quotas, prompts, scoring, resuming, failure counts.",
                "Effects on likelihoods: whether a persona in the prompt moves the probability of an answer.",
                "Effects of geometry: how the history shown to a speaker changes echo and role swaps, in paired runs.",
            ),
            (
                "Believable people: a model this small repeats itself, loses the thread and contradicts its persona.",
                "That an effect seen, or not seen, here is the same in a larger model.",
                people,
            ),
        )
    if size < 15e9:
        return (
            f"`{reference}` has {label} parameters: enough for short coherent dialogue, not for subtle characters.",
            (
                "Effects of persona and condition on answers and on short conversations.",
                "Differences between conditions, where they are paired.",
            ),
            (
                "Fine distinctions between similar people, or steadiness over long talks, unless measured above.",
                "That another family of models would do the same.",
                people,
            ),
        )
    return (
        f"`{reference}` has {label} parameters.",
        ("What was measured above, for this model, these prompts and these people.",),
        (
            "Whether texts like these were in its training data: knowing an inventory is not having a personality.",
            "That another family of models would do the same.",
            people,
        ),
    )
