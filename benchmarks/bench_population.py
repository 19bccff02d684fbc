"""A population: people per second, error of the margins, memory, and the same margins in other tools.

    python benchmarks/bench_population.py [PEOPLE ROUNDS] [--peers PYTHON]

CPU time of one process. The fit is timed on the shipped recipe with its rules and conditional tables, and on its
counted margins alone, which is what other tools are given (peers/peer_population.py, run in the interpreter PYTHON,
which has humanleague, ipfn, Faker and data-designer; one that is missing is a line that says so). Ratios are theirs
over ours: above 1, ours is faster. People of humanleague are counts of cells; ours are rows with ages, places, five
scores and names.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _table import Line, show

from personae.creation import Population, Recipe, load_recipe, people_digest, write_population

RECIPE = "us_adults"
SCALE = 640
PROFILES = 1000
PERSONAS = 2000


def margins_alone() -> Recipe:
    """The counted margins of the shipped recipe, without rules, tables and details."""
    whole = load_recipe(RECIPE)
    named = {v for m in whole.margins for v in m.vars}
    return Recipe.of(
        {
            "name": "margins",
            "variables": {n: v.model_dump() for n, v in whole.variables.items() if n in named},
            "margins": [m.model_dump() for m in whole.margins],
        }
    )


def fitted(recipe: Recipe) -> tuple[float, float]:
    """CPU seconds of a fit from scratch, and the largest gap it leaves."""
    fresh = Recipe.of(recipe.model_dump())
    start = time.process_time()
    report = fresh.fitted.report
    return time.process_time() - start, report.residual


def one_round(n: int, seed: int) -> dict[str, float]:
    """CPU seconds of each stage and the errors of the people made."""
    out: dict[str, float] = {}
    out["fit"], _ = fitted(load_recipe(RECIPE))
    out["fit margins"], out["gap margins"] = fitted(margins_alone())
    population = Population(RECIPE, n, seed)
    start = time.process_time()
    assert int(population.counts.counts.sum()) == n
    out["counts"] = time.process_time() - start
    start = time.process_time()
    rows = sum(batch.num_rows for batch in population.batches(names=False))
    out["columns"] = time.process_time() - start
    start = time.process_time()
    rows += sum(batch.num_rows for batch in population.batches())
    out["named"] = time.process_time() - start
    assert rows == 2 * n
    fit = population.fit()
    assert fit.hard_exact
    out["error"] = max(abs(r.count / n - r.target_share) for r in fit.rows)
    start = time.process_time()
    digest = people_digest(population.batches())
    out["digest"] = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        write_population(population, folder, format="parquet")
        out["written"] = time.process_time() - start
        assert json.loads((Path(folder) / "fit.json").read_text("utf-8"))["digest"] == digest
    start = time.process_time()
    assert len(population[: min(PERSONAS, n)]) == min(PERSONAS, n)
    out["personas"] = min(PERSONAS, n) / (time.process_time() - start)
    return out


def counts_of(people: int) -> float:
    """CPU seconds of whole counts per cell, from margins to counts, for the problem the peers are given."""
    recipe = margins_alone()
    start = time.process_time()
    assert int(Population(recipe, people).counts.counts.sum()) == people
    return time.process_time() - start


def peers(python: str, people: int) -> list[dict[str, Any]]:
    """What the peers make of the same margins."""
    recipe = margins_alone()
    names = list(recipe.variables)
    dims = [[names.index(v) for v in m.vars] for m in recipe.margins]
    counts = [
        (
            np.transpose(recipe.shares(m).reshape([len(recipe.labels[v]) for v in m.vars]), np.argsort(d))
            * sum(m.table.values())
        )
        for m, d in zip(recipe.margins, dims, strict=True)
    ]
    job = {
        "sizes": [len(recipe.labels[n]) for n in names],
        "dims": [sorted(d) for d in dims],  # some peers take axes in ascending order only
        "counts": [c.reshape(-1).tolist() for c in counts],
        "scale": SCALE,
        "profiles": PROFILES,
        "people": people,
    }
    script = Path(__file__).parent / "peers" / "peer_population.py"
    done = subprocess.run([python, str(script)], input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        return [{"what": "peers", "fault": done.stderr.strip().splitlines()[-1] if done.stderr else "no answer"}]
    return list(json.loads(done.stdout.splitlines()[-1]))  # some peers print as they go


def main(n: int, rounds: int, python: str | None) -> None:
    """Measure, print."""
    one_round(min(n, 5000), 0)
    found = [one_round(n, 1 + k) for k in range(rounds)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    of = {key: [r[key] for r in found] for key in found[0]}
    everything = [r["fit"] + r["counts"] + r["named"] for r in found]
    show(
        [
            Line(f"fit {RECIPE}", of["fit"], "CPU s", "rules, conditional tables, hard margins"),
            Line("fit of its margins alone", of["fit margins"], "CPU s", f"largest gap {max(of['gap margins']):.1e}"),
            Line("whole people per cell", of["counts"], "CPU s", "hard quotas exact (checked)"),
            Line("columns", of["columns"], "CPU s", f"{n:,} people: categories, ages, places, five scores"),
            Line("columns with names", of["named"], "CPU s", "and given, family and full names"),
            Line(
                "all of it",
                everything,
                "CPU s",
                f"fit to named columns, {n:,} people",
                ("at most", 45) if n <= 1_000_000 else None,
            ),
            Line("people", [n / s for s in everything], "per CPU s", "structured, named"),
            Line("largest error of a margin cell", of["error"], "share", "people against recipe", ("at most", 5e-4)),
            Line("digest", of["digest"], "CPU s", "made and hashed"),
            Line("Parquet parts", of["written"], "CPU s", "made, hashed, written, read again, fitted"),
            Line("Personas", of["personas"], "per CPU s", "validated, with content ids"),
            Line("peak memory", [peak], "MiB", "of the whole benchmark", ("at most", 2048)),
        ]
    )
    if python is None:
        print("peers: none named (--peers PYTHON)")
        return
    ours = {"fit": min(of["fit margins"]), "counts": counts_of(sum_of_margins()), "named": min(everything) / n}
    print(f"\npeers, once, in {python}:")
    for row in peers(python, n):
        print(f"  {compared(row, ours)}")
    print(
        f"  ours: fit {ours['fit']:.3g} s, gap {max(of['gap margins']):.1e}; {sum_of_margins():,} whole people per "
        f"cell, fit included, {ours['counts']:.3g} s; {1 / ours['named']:,.0f} named people per CPU s"
    )


def sum_of_margins() -> int:
    """People of the problem that peers draw whole people for."""
    return int(sum(load_recipe(RECIPE).margins[0].table.values())) * SCALE


def compared(row: dict[str, Any], ours: dict[str, float]) -> str:
    """One line about a peer, with its ratio to ours."""
    if "fault" in row:
        return f"{row['what']}: {row['fault']}"
    name = f"{row['what']} {row['version']}"
    if row["what"].startswith(("Faker", "Data Designer")):
        each = row["cpu"] / row["people"]
        error = f", largest gap {row['gap']:.1e}" if "gap" in row else ""
        ratio = each / ours["named"]
        return f"{name}: {1 / each:,.0f} people per CPU s{error} ({row['note']}); ratio {ratio:,.3g}"
    base = ours["counts"] if "people" in row else ours["fit"]
    whom = f", {row['people']:,.0f} people" if "people" in row else ""
    note = f" ({row['note']})" if row["note"] else ""
    return f"{name}: {row['cpu']:.3g} CPU s{whom}, largest gap {row['gap']:.1e}{note}; ratio {row['cpu'] / base:.2g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="People per second, margin error, peers.")
    parser.add_argument("people", type=int, nargs="?", default=100_000)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--peers", default=None, help="an interpreter that has humanleague, ipfn, Faker, data-designer")
    chosen = parser.parse_args(sys.argv[1:])
    main(chosen.people, chosen.rounds, chosen.peers)
