"""Making people: a hundred thousand as columns, some of them as Personas, and their words.

    python benchmarks/bench_creation.py [PEOPLE ROUNDS]

CPU time of the one process. The shipped recipe is read and fitted once per round (its own line); a Persona made from it
is validated, has its name and its content id; words are the second-person text of everything the person knows.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _table import Line, show

from personae.core import Persona
from personae.creation import Population, load_gallery

RECIPE = "us_adults"
MADE = 2000


def words(text: str) -> int:
    """A counter of words that costs next to nothing."""
    return text.count(" ") + 1


def rendered(people: list[Persona], budget: int | None) -> float:
    """Texts per second."""
    start = time.process_time()
    for person in people:
        person.render("self", "second_person", budget, words)
    return len(people) / (time.process_time() - start)


def one_round(n: int, seed: int) -> tuple[float, ...]:
    """Seconds to fit, to fill columns, to make an Arrow table; Personas, texts and short texts per second."""
    start = time.process_time()
    population = Population(RECIPE, n=n, seed=seed)
    assert int(population.counts.counts.sum()) == n
    fitted = time.process_time()
    assert len(population.columns()["k"]) == n
    filled = time.process_time()
    people = list(population[:MADE])
    assert len({person.id for person in people}) == len(people)
    made = time.process_time()
    gallery = [*load_gallery()] * 10
    return (
        fitted - start,
        filled - fitted,
        len(people) / (made - filled),
        rendered(people, None),
        rendered(gallery, None),
        rendered(gallery, 60),
    )


def main(n: int, rounds: int) -> None:
    """Measure, print."""
    one_round(1000, 0)
    columns = list(zip(*(one_round(n, 1 + k) for k in range(rounds)), strict=True))
    names = (
        (f"fit {RECIPE}", "CPU s", f"recipe read, {n:,} people counted into cells"),
        (f"{n:,} people as columns", "CPU s", "all categories, ages, places, five T-scores"),
        ("Personas", "per CPU s", f"{MADE:,} of them, with content ids"),
        ("texts of drawn people", "per CPU s", "second person, no limit"),
        ("texts of the gallery", "per CPU s", "rich people, second person, no limit"),
        ("texts with a budget", "per CPU s", "the gallery, at most 60 words"),
    )
    show([Line(what, values, unit, how) for (what, unit, how), values in zip(names, columns, strict=True)])


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:3]]
    main(numbers[0] if numbers else 100_000, numbers[1] if len(numbers) > 1 else 5)
