"""Option scores of the engines beside a float32 torch reference, on many item-option sets.

    python benchmarks/bench_parity.py [PEOPLE SEQUENCE_PEOPLE]

Every person answers the 50 items (5 options each) by option scoring on the F16 copy, in numpy and in the compiled
engine (for fewer people: it is slower), and on the same weights dequantised to float32 in torch. Reported: the largest
difference of a summed log-probability, and how often two options that torch puts more than .02 nats apart stand in the
same order. Target: 98 %.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence

import numpy as np
from _table import Line, show

from personae.conditioning import Prompt, embody
from personae.core import MissingDependencyError, MissingError
from personae.creation import load_gallery
from personae.instruments import load_instrument, plan_scores
from personae.models import GgufModel, Model, OptionScores, ScoreRequest, open_model, weights_path
from personae.models import _gguf as engines

GAP = 0.02
RANK = 0.98


async def plan(model: Model, people: int) -> list[list[ScoreRequest]]:
    """The requests of every person, items only."""
    gallery, inventory, groups = load_gallery(), load_instrument("ipip50"), list[list[ScoreRequest]]()
    for k in range(people):
        async with embody(gallery[k % len(gallery)], Prompt(), model) as actor:
            groups.append([p.request for p in plan_scores(actor, inventory, pmi=False, seed=k)])
    return groups


async def scored(model: Model, groups: Sequence[Sequence[ScoreRequest]]) -> list[OptionScores]:
    """Scores of all requests."""
    return [s for group in groups for s in await model.score_options(group)]


def compare(found: Sequence[OptionScores], reference: Sequence[OptionScores]) -> tuple[float, float, float, int]:
    """Largest and median difference in nats, share of clear pairs in the same order, and their number."""
    gaps = [
        abs(a - b) for f, r in zip(found, reference, strict=True) for a, b in zip(f.logprobs, r.logprobs, strict=True)
    ]
    same = clear = 0
    for one, other in zip(found, reference, strict=True):
        for i, j in itertools.combinations(range(len(other.logprobs)), 2):
            gap = other.logprobs[i] - other.logprobs[j]
            if abs(gap) > GAP:
                clear += 1
                same += (one.logprobs[i] - one.logprobs[j]) * gap > 0
    return max(gaps), float(np.median(gaps)), same / clear, clear


async def main(people: int, fewer: int) -> None:
    """Measure, print."""
    paths = weights_path("smollm2", "generate"), weights_path("smollm2", "score")
    torch = open_model("hf:smollm2", cache="off")
    groups = await plan(torch, people)
    reference = await scored(torch, groups)
    await torch.close()
    lines = list[Line]()
    kinds = [("numpy, F16", True, groups), ("compiled, F16", False, groups[:fewer])]
    for name, dense, asked in kinds:
        fits = engines.dense_fits
        engines.dense_fits = fits if dense else lambda _: False
        model = GgufModel("smollm2", *paths)
        found = await scored(model, asked)
        await model.close()
        engines.dense_fits = fits
        sets = sum(len(group) for group in asked)
        largest, median, rank, clear = compare(found, reference[:sets])
        what = f"{sets:,} item-option sets, method {found[0].method}"
        lines += [
            Line(f"largest Δ, {name}", [largest], "nats", what),
            Line(f"median Δ, {name}", [median], "nats", what),
            Line(f"same order, {name}", [rank], "of 1", f"{clear:,} pairs > {GAP} nats apart", ("at least", RANK)),
        ]
    show(lines)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:3]]
    try:
        weights_path("smollm2", "score")
        asyncio.run(main(*(numbers + [4, 1][len(numbers) :])))
    except (MissingError, MissingDependencyError) as error:
        print(f"skipped: {error}")
