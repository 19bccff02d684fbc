"""Deep people: how many a second with 250 attributes, and how much of the taxonomy they use.

    python benchmarks/bench_deep.py [PEOPLE ROUNDS]

CPU time of the one process, no model. Leaves are embedded once (their own line), cores in batches; a person is a
validated Persona with its narrative of up to 400 words. With the sentence encoder, if it is installed, on fewer people.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _table import Line, show

from personae.core import MissingError
from personae.creation import DeepPeople, Population, check_deep
from personae.measures import taxonomy_coverage
from personae.models import Encoder, HashEncoder, SentenceEncoder

DEPTH = 250
FEW = 60


def made(n: int, seed: int, encoder: Encoder) -> tuple[float, float, float, float]:
    """Seconds to embed the leaves, people per second, coverage of the taxonomy, share of people who break a rule."""
    crowd = DeepPeople(Population("us_adults", n=n, seed=seed), depth=DEPTH, encoder=encoder)
    start = time.process_time()
    leaves = len(crowd.leaf_vectors)
    embedded = time.process_time() - start
    start = time.process_time()
    people = [*crowd]
    rate = n / (time.process_time() - start)
    has = np.zeros((n, leaves), dtype=np.bool_)
    for row, choice in enumerate(crowd.choose(range(n))):
        has[row, choice.leaves] = True
    assert all(len(p.ext["deep"]["marks"]) == DEPTH for p in people)
    return embedded, rate, taxonomy_coverage(has), sum(bool(check_deep(p)) for p in people) / n


def main() -> None:
    n, rounds = (int(a) for a in (*sys.argv[1:3], *("500", "3")[len(sys.argv) - 1 :]))
    found = [made(n, seed, HashEncoder()) for seed in range(rounds)]
    lines = [
        Line("leaves embedded, hash", [f[0] for f in found], "s", "once for all people"),
        Line(f"deep people, k = {DEPTH}, hash", [f[1] for f in found], "people/s", f"{n} people", ("at least", 100)),
        Line("taxonomy coverage", [f[2] for f in found], "share", f"{n} people"),
        Line("people who break a word rule", [f[3] for f in found], "share", f"{n} people", ("at most", 0)),
    ]
    try:
        slow = made(FEW, 0, SentenceEncoder())
        lines += [
            Line("leaves embedded, minilm", [slow[0]], "s", "once for all people"),
            Line(f"deep people, k = {DEPTH}, minilm", [slow[1]], "people/s", f"{FEW} people"),
        ]
    except MissingError:
        pass
    show(lines)


if __name__ == "__main__":
    main()
