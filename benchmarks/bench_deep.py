"""Deep people: how many a second with 250 attributes, and how much of the taxonomy they use.

    python benchmarks/bench_deep.py [PEOPLE ROUNDS]

CPU time of the one process, no model. Leaves are embedded once (their own line). The parts that cores are made of are
embedded when they first occur: that is inside the time of the first people, and mostly over for the next as many. A
person is a validated Persona with its narrative of up to 400 words. With the sentence encoder, if it is installed, also
with the whole core as one text, as in the paper, on fewer people.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _table import Line, show

from personae.core import MissingError
from personae.creation import CoreVector, DeepPeople, Population, check_deep
from personae.measures import taxonomy_coverage
from personae.models import Encoder, HashEncoder, SentenceEncoder

DEPTH = 250
FEW = 60


def crowd(n: int, seed: int, encoder: Encoder, core_vector: CoreVector = "parts") -> DeepPeople:
    """Deep people whose leaves are embedded already."""
    made = DeepPeople(Population("us_adults", n=n, seed=seed), depth=DEPTH, encoder=encoder, core_vector=core_vector)
    assert len(made.leaf_vectors)
    return made


def rate(made: DeepPeople, start: int, end: int) -> float:
    """People per CPU second."""
    begun = time.process_time()
    people = [*made.draw(range(start, end))]
    seconds = time.process_time() - begun
    assert all(len(p.ext["deep"]["marks"]) == DEPTH for p in people)
    assert not any(check_deep(p) for p in people)
    return (end - start) / seconds


def coverage(made: DeepPeople, n: int) -> float:
    """Share of the leaves that n people use."""
    has = np.zeros((n, len(made.leaf_vectors)), dtype=np.bool_)
    for row, choice in enumerate(made.choose(range(n))):
        has[row, choice.leaves] = True
    return taxonomy_coverage(has)


def main() -> None:
    n, rounds = (int(a) for a in (*sys.argv[1:3], *("500", "3")[len(sys.argv) - 1 :]))
    people = f"{n} people"
    crowds = [crowd(n, seed, HashEncoder()) for seed in range(rounds)]
    rates = [rate(made, 0, n) for made in crowds]
    lines = [
        Line(f"deep people, k = {DEPTH}, hash", rates, "people/s", people, ("at least", 100)),
        Line("taxonomy coverage", [coverage(made, n) for made in crowds], "share", people),
    ]
    try:
        begun = time.process_time()
        slow = [crowd(2 * n, seed, SentenceEncoder()) for seed in range(rounds)]
        embedded = (time.process_time() - begun) / rounds
        first, again = [rate(made, 0, n) for made in slow], [rate(made, n, 2 * n) for made in slow]
        whole = rate(crowd(FEW, 0, SentenceEncoder(), "whole"), 0, FEW)
        lines += [
            Line("leaves embedded, minilm", [embedded], "s", "once for all people"),
            Line(f"deep people, k = {DEPTH}, minilm, first", first, "people/s", f"{people}, parts embedded"),
            Line(f"deep people, k = {DEPTH}, minilm", again, "people/s", f"the next {people}", ("at least", 100)),
            Line(f"deep people, k = {DEPTH}, minilm, whole core", [whole], "people/s", f"{FEW} people"),
        ]
    except MissingError:
        pass
    show(lines)


if __name__ == "__main__":
    main()
