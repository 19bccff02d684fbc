"""Deep people as a crowd: how much of the taxonomy they use, how unlike each other they are, and how consistent.

Everything here is computed from which leaves people have and what they say, without a judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError, Measurement, Persona, SlotRow, canonical_json, plain
from personae.creation import DeepPeople, WordRule, check_deep
from personae.measures._make import Maker
from personae.models import Encoder
from personae.statistics import mean_interval, paired_interval, proportion_interval

Table = NDArray[np.bool_]
"""who has which leaf, shape (people, leaves)"""

Chosen: TypeAlias = "dict[tuple[str, int, int], tuple[Table, NDArray[np.float64]]]"
"""(sampling, depth, repeat) → who has which leaf, and each person's mean rank of leaves by nearness to the core"""

_PAIRS: Final = 2000
"""people beyond which pairwise measures would be too many; the first so many are taken"""


def taxonomy_coverage(has: Table, at: int | None = None) -> float:
    """Share of the leaves that at least one of the first `at` people has (None: everybody).

    >>> taxonomy_coverage(np.array([[True, False], [True, False]]))
    0.5
    """
    table = _table(has)[: at if at is not None else None]
    return float(table.any(axis=0).mean())


def coverage_curve(has: Table, at: Sequence[int]) -> dict[int, float]:
    """Coverage after so many people, for each number of `at`."""
    seen = np.logical_or.accumulate(_table(has), axis=0).mean(axis=1)
    return {n: float(seen[min(n, len(seen)) - 1]) for n in at if n >= 1}


def attribute_jaccard(has: Table) -> NDArray[np.float64]:
    """Jaccard similarity of every pair of people by the leaves they have, shape (people, people); diagonal 1."""
    table = _table(has)[:_PAIRS].astype(np.float64)
    both = table @ table.T
    sizes = table.sum(axis=1)
    either = sizes[:, None] + sizes[None, :] - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def mean_pairwise(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean similarity of each person to all others, shape (people,)."""
    people = len(similarity)
    if people < 2:
        raise InputError("a pair needs two people.", hint="Draw more.")
    return (similarity.sum(axis=1) - np.diag(similarity)) / (people - 1)


def nearest_neighbour_distances(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """1 minus the cosine to the nearest other person, shape (people,); vectors of unit length."""
    unit = np.asarray(vectors, dtype=np.float64)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return 1.0 - similarity.max(axis=1)


def value_agreement(people: Sequence[Persona]) -> NDArray[np.float64]:
    """For each person, the mean share of attributes that others answer in the same words (of those both have)."""
    paths = sorted({path for p in people for path in p.attributes})
    codes = np.full((len(people), len(paths)), -1, dtype=np.int64)
    words: dict[tuple[int, str], int] = {}
    for row, person in enumerate(people):
        for column, path in enumerate(paths):
            if path in person.attributes:
                key = column, str(plain(person.attributes[path]))
                codes[row, column] = words.setdefault(key, len(words))
    out = np.zeros(len(people))
    for row in range(len(people)):
        shared = (codes >= 0) & (codes[row] >= 0)
        shared[row] = False
        same = shared & (codes == codes[row])
        sizes = shared.sum(axis=1)
        out[row] = float((same.sum(axis=1)[sizes > 0] / sizes[sizes > 0]).mean()) if (sizes > 0).any() else np.nan
    return out


def filled_depth(person: Persona) -> int:
    """Attributes that say something: empty values, placeholders and repeats of the leaf's own name do not count."""
    return sum(_says(path, plain(leaf)) for path, leaf in person.attributes.items())


def depth_measurements(
    people: Sequence[Persona], *, model: str, seed: int, rules: Sequence[WordRule] | None = None
) -> list[Measurement]:
    """Depth, rule violations, tone of core values, uniqueness of attributes, source of values."""
    make = Maker(model, seed)
    records: list[Mapping[str, Any]] = [p.ext["deep"] for p in people if "deep" in p.ext]
    if not records:
        reason = "nobody has a deep record"
        return [
            make.number(
                "depth.attributes", "Attributes with a value", None, unit="count", n=0, method="count", reason=reason
            )
        ]
    found = [check_deep(p, rules) for p in people]
    out = [
        make.estimate(
            "depth.attributes", "Attributes with a value", mean_interval([float(filled_depth(p)) for p in people]),
            unit="attributes per person", direction="higher is better", method="count, t over people",
        ),
        make.estimate(
            "depth.violations", "People who break a word rule",
            proportion_interval(np.array([float(bool(v)) for v in found])),
            unit="share", direction="lower is better", method="word rules on the finished record",
            note=_worst(found),
        ),
        *(
            make.estimate(
                f"tone.{tone}", f"Core values of {tone} tone",
                proportion_interval(np.array([float(r["tone"] == tone) for r in records])),
                unit="share", method="tone the value was written in", note="Asked for: one third each.",
            )
            for tone in ("positive", "negative", "neutral")
        ),
    ]  # fmt: skip
    if len(people) > 1:
        out.append(
            make.estimate(
                "uniqueness.value_agreement", "Attributes shared with others that say the same",
                mean_interval(value_agreement(people[:_PAIRS])).within(0, 1), unit="share", direction="lower is better",
                method="per person mean over the others, t over people (pairs share people: too narrow)",
            )
        )  # fmt: skip
    sources = [[_source(p.attributes[path]) for path in r["marks"]] for p, r in zip(people, records, strict=True)]
    for kind in ("table", "rule", "model"):
        shares = [float(np.mean([s == kind for s in own])) if own else np.nan for own in sources]
        if any(share > 0 for share in shares):
            out.append(
                make.estimate(
                    f"source.{kind}", f"Attribute values from a {kind}", mean_interval(shares).within(0, 1),
                    unit="share",
                    method="source of each attribute, t over people",
                )
            )  # fmt: skip
    return out


def choice_rows(crowds: Sequence[DeepPeople], repeat: int, *, judge: Encoder, unit: str) -> list[SlotRow]:
    """Which leaves each person would get, as evidence, and how far down the judge's own ranking they lie.

    The mean rank of the chosen leaves among those that apply runs from 0 (the nearest) to 1 (the farthest); any choice
    that does not look at the core has 0.5 on average. Give another encoder than the one that ranked the leaves: by its
    own measure a ranking is near by construction.

    Args:
        crowds: the same people under several ways of choosing.
        repeat: number of the repetition.
        judge: ranks leaves anew.
        unit: key of the unit of work.
    """
    first, ks = crowds[0], range(len(crowds[0]))
    leaves = judge.encode(first.leaf_texts).astype(np.float64)
    cores = judge.encode(first.cores(ks)).astype(np.float64)
    nearness = [leaves @ core for core in cores]
    rows: list[SlotRow] = []
    for people in crowds:
        for choice in people.choose(ks):
            order = np.argsort(-nearness[choice.k][choice.usable], kind="stable")
            rank = np.empty(len(order))
            rank[order] = np.arange(len(order)) / max(1, len(order) - 1)
            own = float(rank[np.searchsorted(choice.usable, choice.leaves)].mean())
            body = {
                "sampling": people.sampling, "depth": people.depth, "repeat": repeat, "leaves": choice.leaves.tolist(),
                "all": len(people.leaf_texts), "rank": round(own, 6), "judge": judge.name,
            }  # fmt: skip
            fields = canonical_json(body)
            rows.append(SlotRow(unit=unit, k=choice.k, attempt=0, accepted=True, rule=None, fields=fields))
    return rows


def chosen_tables(rows: Iterable[SlotRow]) -> Chosen:
    """Evidence of `choice_rows` as tables: (sampling, depth, repeat) → who has which leaf, and distances."""
    found: dict[tuple[str, int, int], list[tuple[int, dict[str, Any]]]] = {}
    for row in rows:
        body = json.loads(row.fields)
        if "leaves" in body:
            found.setdefault((body["sampling"], body["depth"], body["repeat"]), []).append((row.k, body))
    out: Chosen = {}
    for key, people in found.items():
        people.sort(key=lambda p: p[0])
        table = np.zeros((len(people), people[0][1]["all"]), dtype=np.bool_)
        for r, (_, body) in enumerate(people):
            table[r, body["leaves"]] = True
        out[key] = table, np.array([body["rank"] for _, body in people])
    return out


def choice_measurements(chosen: Chosen, *, model: str, seed: int) -> list[Measurement]:
    """Ways of choosing leaves side by side: coverage, uniqueness, incoherence, over seeds.

    Args:
        chosen: what `chosen_tables` read.
        model: who is behind it, for the record.
        seed: of the intervals.

    Returns:
        Per sampling and depth the three numbers over seeds, and paired differences of 5:3:2 to each other sampling at
        the depth they share.
    """
    make = Maker(model, seed, cluster="seed")
    numbers: dict[tuple[str, int], dict[int, tuple[float, ...]]] = {}
    for (sampling, depth, own), (has, rank) in chosen.items():
        row = (
            taxonomy_coverage(has, _FEW),
            taxonomy_coverage(has),
            float(mean_pairwise(attribute_jaccard(has)).mean()),
            float(np.mean(rank)),
        )
        numbers.setdefault((sampling, depth), {})[own] = row
    out: list[Measurement] = []
    for (sampling, depth), rows in sorted(numbers.items()):
        for which, (name, label, unit) in enumerate(_CHOICE):
            out.append(
                make.estimate(
                    f"choice.{name}.{sampling}.k{depth}", f"{label}, {sampling}, k = {depth}",
                    mean_interval([row[which] for row in rows.values()]), unit=unit, condition=sampling,
                    method="mean over seeds, t",
                )
            )  # fmt: skip
    for (sampling, depth), rows in sorted(numbers.items()):
        base = numbers.get(("5:3:2", depth))
        if sampling == "5:3:2" or base is None:
            continue
        both = sorted(set(rows) & set(base))
        for which, (name, label, unit) in enumerate(_CHOICE):
            out.append(
                make.estimate(
                    f"choice.{name}.532_minus_{sampling}.k{depth}", f"{label}: 5:3:2 minus {sampling}, k = {depth}",
                    paired_interval([base[s][which] for s in both], [rows[s][which] for s in both]), unit=unit,
                    method="paired by seed, t",
                )
            )  # fmt: skip
    return out


_FEW: Final = 10
"""people after whom coverage still tells ways of choosing apart"""
_CHOICE: Final = (
    (f"coverage_at_{_FEW}", f"Taxonomy coverage by {_FEW} people", "share of leaves"),
    ("coverage", "Taxonomy coverage by everybody", "share of leaves"),
    ("jaccard", "Pairwise overlap of leaves", "Jaccard"),
    ("incoherence", "Rank of leaves by nearness to the core", "0 nearest to 1 farthest"),
)


def _table(has: Table) -> Table:
    table = np.asarray(has, dtype=np.bool_)
    if table.ndim != 2 or not table.size:
        raise InputError(f"who has which leaf: got shape {table.shape}, expected (people, leaves).")
    return table


def _says(path: str, value: object) -> bool:
    words = " ".join(str(value).split()).lower() if value is not None else ""
    leaf = path.rpartition(".")[2].replace("_", " ")
    return bool(words) and words not in {"n/a", "none given", "unknown", "string", "value", "null", "...", leaf}


def _source(leaf: object) -> str:
    source = getattr(leaf, "source", None)
    return "rule" if source is None else "table" if source.kind in {"table", "user", "census"} else str(source.kind)


def _worst(found: Sequence[Sequence[Any]]) -> str | None:
    codes = [v.code for own in found for v in own]
    if not codes:
        return None
    names, counts = np.unique(codes, return_counts=True)
    return "Most often: " + ", ".join(f"{names[i]} {counts[i]}" for i in np.argsort(-counts)[:3])
