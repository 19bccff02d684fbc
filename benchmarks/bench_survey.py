"""Closed questions at prefill speed: 50 items × 5 options × many people, against one prompt per option.

    python benchmarks/bench_survey.py [PEOPLE PAIRS]

Every person of a population answers the whole inventory by option scoring, prior included; tokens are those that the
engine says it computed, the naive count is what one call per option would compute. For the time, one person's
inventory runs in turn with a sample of the same options put one prompt at a time to the same engine, and the sample's
time is multiplied up.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from _table import Line, show

from personae.conditioning import Prompt, embody
from personae.core import MissingError, derive_rng
from personae.creation import load_gallery
from personae.instruments import load_instrument, plan_scores
from personae.models import GgufModel, ScoreRequest, weights_path

FEWER = 20.0
FASTER = 10.0
SAMPLE = 8
"""options put one at a time, of 250 and the prior's"""


def alone(request: ScoreRequest, option: str) -> ScoreRequest:
    """The request for one option."""
    return ScoreRequest(request.messages, (option,), request.prefill, request.system_default, request.condition)


async def main(count: int, pairs: int) -> None:
    """Measure, print."""
    paths = weights_path("smollm2", "generate"), weights_path("smollm2", "score")
    model = GgufModel("smollm2", *paths, threads=os.cpu_count())
    people, inventory = load_gallery(), load_instrument("ipip50")
    plans, lengths = [], list[int]()
    for k in range(count):
        async with embody(people[k % len(people)], Prompt(), model) as actor:
            plans.append([p.request for p in plan_scores(actor, inventory, seed=k)])
            lengths.append(sum(model.count_tokens(m.content) for m in actor.context()))
    await model.score_options(plans[0][:2])  # loads the weights
    computed = naive = 0
    start = time.perf_counter()
    for requests in plans:
        scores = await model.score_options(requests)
        computed += sum(s.usage.prefilled for s in scores)
        naive += sum(s.usage.prompt for s in scores)
    wall = time.perf_counter() - start
    grouped, single = list[float](), list[float]()
    for k in range(pairs):
        requests = plans[k % count]
        options = [(r, o) for r in requests for o in r.options]
        picked = derive_rng(k, "sample").choice(len(options), SAMPLE, replace=False)

        async def group(requests: list[ScoreRequest] = requests) -> None:
            begun = time.perf_counter()
            await model.score_options(requests)
            grouped.append(time.perf_counter() - begun)

        async def one_by_one(options: list[tuple[ScoreRequest, str]] = options, picked: list[int] = picked) -> None:
            begun = time.perf_counter()
            for which in picked:
                await model.score_options([alone(*options[int(which)])])
            single.append((time.perf_counter() - begun) * len(options) / SAMPLE)

        for step in (group, one_by_one) if k % 2 == 0 else (one_by_one, group):
            await step()
    await model.close()
    persona = f"personas of {sum(lengths) / len(lengths):.0f} tokens ({min(lengths)}–{max(lengths)})"
    ratio = [b / a for a, b in zip(grouped, single, strict=True)]
    show(
        [
            Line("tokens computed", [computed], "tokens", f"{count} people × 50 items × 5 options, {persona}"),
            Line("tokens, naive", [naive], "tokens", "one prompt per option"),
            Line("naive / computed", [naive / computed], "times", "all people", ("at least", FEWER)),
            Line("answers", [50 * count / wall], "per s", f"{count} people one after another, {wall:.0f} s"),
            Line("one person, group", grouped, "s", "50 items and the prior"),
            Line("one person, one by one", single, "s", f"{SAMPLE} options measured, multiplied up"),
            Line("one by one / group", ratio, "times", "same engine, pairs in turn", ("at least", FASTER)),
        ]
    )


if __name__ == "__main__":
    try:
        weights_path("smollm2", "score")
    except MissingError:
        print("skipped: no weights (run: personae models get smollm2)")
    else:
        numbers = [int(a) for a in sys.argv[1:3]]
        asyncio.run(main(*(numbers + [7, 7][len(numbers) :])))
