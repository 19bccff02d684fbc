"""The linter: people per second, and recall and precision of every kind of seeded defect.

python benchmarks/bench_lint.py --people 420 --rows 1000000
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from personae.creation import CORRUPTIONS, Population, clean_people, lint, lint_many, load_pack
from personae.statistics import wilson_interval

sys.path.insert(0, str(Path(__file__).parents[1]))


def speed(people: int) -> None:
    sets: dict[str, Any] = {"us_adults": list(Population("us_adults", n=people, seed=1))}
    sets |= {d: clean_people(d, people, seed=3) for d in ("student", "patient", "customer")}
    for name, crowd in sets.items():
        list(lint_many(crowd[:20]))
        start = time.process_time()
        list(lint_many(crowd))
        many = time.process_time() - start
        start = time.process_time()
        for person in crowd[:200]:
            lint(person)
        single = time.process_time() - start
        print(
            f"{name:10} n={people}  lint_many {people / many:8.0f}/CPU-s   lint {min(200, people) / single:8.0f}/CPU-s"
        )


def columns(rows: int) -> None:
    pack = load_pack("student")
    rng = np.random.default_rng(0)
    levels = np.array(pack.vocab["level"].words)
    grade = rng.integers(1, 13, rows)
    given: dict[str, Any] = {"grade": grade, "age": grade + rng.integers(5, 8, rows)}
    given["academic_level"] = np.array(pack.vocab["academic"].words)[rng.integers(0, 4, rows)]
    for name in (*pack.groups["value_dimensions"], *pack.groups["creativity_dimensions"]):
        given[name] = levels[rng.integers(0, 6, rows)]
    start = time.process_time()
    masks = pack.masks(given)
    broken = sum(int(m.sum()) for m in masks.values())
    print(f"masks: {len(masks)} rules over {rows:,} rows, {time.process_time() - start:.1f} CPU-s, {broken:,} broken")


def table(people: int, seed: int) -> None:
    from tests.creation.test_lint import table as measure

    cells, alarms = measure(people, seed)
    print(f"alarms on clean people ({people} in each of 4 domains): {alarms.total()} {dict(alarms)}")
    print(f"{'kind':34}{'n':>5}{'recall':>8} {'95 %':^14}{'precision':>10} {'95 %':^14}")
    for kind in CORRUPTIONS:
        cell = cells[kind]
        r, p = wilson_interval(cell.hit, cell.n), wilson_interval(cell.hit, cell.hit + cell.false)
        share = cell.hit / max(cell.hit + cell.false, 1)
        found = f"{cell.hit / cell.n:8.3f} [{r.low:.3f}, {r.high:.3f}]"
        print(f"{kind:34}{cell.n:5}{found}{share:9.3f} [{p.low:.3f}, {p.high:.3f}]")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=420)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=6)
    asked = parser.parse_args()
    speed(asked.people)
    columns(asked.rows)
    table(asked.people, asked.seed)
