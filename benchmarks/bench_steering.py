"""Steering on the embedded model in torch: reading, steered generation, the drift gauge; peers on the same prompts.

    python benchmarks/bench_steering.py [PAIRS] [--peers FOLDER]

CPU seconds of this process, one torch thread; the two sides of a ratio take turns, PAIRS times (7). FOLDER holds
repeng and steering-vectors with what they import (pip install --no-deps --target FOLDER repeng steering-vectors
scikit-learn joblib threadpoolctl cloudpickle); they get the same network and the same token ids.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _table import Line, show

from personae.models import GenerateRequest, HfModel, Message, Sampling
from personae.models._hf_convert import dequantised_folder
from personae.steering import Add, Direction, block_sites, drift, extract, learn_direction, steered

TRAITS = ("patient", "cheerful", "careful", "curious", "generous", "calm", "honest", "brave")
OPPOSITE = ("impatient", "gloomy", "careless", "incurious", "stingy", "nervous", "dishonest", "timid")
QUESTIONS = ("How was your day?", "What do you do when plans change?", "Tell me about a friend.")


def prompts(words: Sequence[str]) -> list[GenerateRequest]:
    """One request for each word and question, read at its last token."""
    return [
        GenerateRequest((Message("system", f"You are a very {word} person."), Message("user", question)))
        for word in words
        for question in QUESTIONS
    ]


async def took(work: Callable[[], Awaitable[Any]]) -> float:
    start = time.process_time()
    await work()
    return time.process_time() - start


async def turns(first: Callable[[], Awaitable[Any]], second: Callable[[], Awaitable[Any]], pairs: int) -> list[float]:
    """CPU of the second over CPU of the first, order alternating."""
    out: list[float] = []
    for k in range(pairs):
        if k % 2:
            b, a = await took(second), await took(first)
        else:
            a, b = await took(first), await took(second)
        out.append(b / a)
    return out


async def main(pairs: int, peers: str | None) -> None:
    path = dequantised_folder("smollm2")
    model = inner = HfModel("hf:smollm2", path, threads=1)
    net = inner._engine.opened()  # noqa: SLF001 - the bare network is what we compare with
    asked = prompts(TRAITS)
    ids = [[t for turn in inner.prompt_tokens(r) for t in turn] for r in asked]
    sites = block_sites(model)

    async def bare() -> None:
        for row in ids:
            net.forward([row], [range(len(row))], net.torch.ones((1, len(row)), dtype=net.torch.long), cache=False)

    await bare()
    lines: list[Line] = []
    ratios = await turns(bare, lambda: extract(model, asked, sites, tokens="last"), pairs)
    rate = [1 / r for r in ratios]
    note = f"{len(ids)} prompts of {np.mean([len(r) for r in ids]):.0f} tokens, 30 blocks"
    lines.append(Line("reading, share of the bare forward rate", rate, "x", note, ("at least", 0.8)))

    found = (
        await extract(model, asked, sites, tokens="last"),
        await extract(model, prompts(OPPOSITE), sites, tokens="last"),
    )
    learned = learn_direction("kind", *found, seed=7, shuffles=0, random=0).direction
    write = GenerateRequest(asked[0].messages, Sampling(temperature=0.0, max_tokens=64))
    one = steered(model, Add(learned.on(15), 0.1))
    whole = steered(model, Add(learned, 0.01))
    for name, other in (("one block", one), ("all 30 blocks", whole)):
        lengths: list[int] = []

        async def go(target: Any, lengths: list[int] = lengths) -> None:
            made = await target.generate(write)
            lengths.append(made.completions[0].tokens)

        ratios = await turns(lambda: go(model), lambda other=other: go(other), pairs)  # type: ignore[misc]
        per_token = [r * lengths[0] / lengths[1] for r in ratios]
        lines.append(
            Line(f"steered generation over plain, {name}", per_token, "x", "CPU per token, 64 asked", ("at most", 1.05))
        )

    talk = [
        Message(
            "user" if k % 2 == 0 else "assistant",
            f"{QUESTIONS[k % 3]} I think that people often say {TRAITS[k % 8]} things, and then they wonder what it "
            "was that they meant when they said it.",
        )
        for k in range(30)
    ]  # fmt: skip
    size = sum(len(t) for t in inner.prompt_tokens(GenerateRequest(tuple(talk))))
    gauge = [await took(lambda: drift(model, [talk], learned, block=15)) for _ in range(pairs)]
    lines.append(Line("drift gauge, 30 messages", gauge, "CPU s", f"{size} tokens, one pass", ("at most", 2.0)))
    show(lines)
    if peers:
        show(await beside(peers, inner, path, net, sites, pairs))
    await model.close()


async def beside(folder: str, inner: HfModel, path: Path, net: Any, sites: Any, pairs: int) -> list[Line]:
    """Learning from the same pairs with others: CPU over ours and the cosine of the directions."""
    sys.path.append(folder)
    import transformers

    vars(np)["float_"] = np.float64  # the name that it still uses
    from repeng import ControlVector, DatasetEntry
    from steering_vectors import train_steering_vector

    texts = [
        ["".join(inner.show_prompt(r)).replace("⟦", "").replace("⟧", "") for r in prompts(words)]
        for words in (TRAITS, OPPOSITE)
    ]
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(path))
    tokenizer.pad_token = tokenizer.eos_token
    for text, request in zip(texts[0], prompts(TRAITS), strict=True):
        assert tokenizer(text).input_ids == [t for turn in inner.prompt_tokens(request) for t in turn]
    made: dict[str, Direction] = {}

    async def ours(method: Any) -> None:
        up = await extract(inner, prompts(TRAITS), sites, tokens="last")
        down = await extract(inner, prompts(OPPOSITE), sites, tokens="last")
        made[f"ours {method}"] = learn_direction(
            "kind", up, down, method=method, seed=7, shuffles=0, random=0
        ).direction

    async def repeng() -> None:
        data = [DatasetEntry(a, b) for a, b in zip(*texts, strict=True)]
        vector = ControlVector.train(net.model, tokenizer, data, method="pca_center", batch_size=1)
        made["repeng"] = Direction("r", {k: np.asarray(v) for k, v in vector.directions.items() if k >= 0})

    async def vectors() -> None:
        pairs_of = list(zip(*texts, strict=True))
        vector = train_steering_vector(net.model, tokenizer, pairs_of, read_token_index=-1, show_progress=False)
        made["steering-vectors"] = Direction("s", {k: v.numpy() for k, v in vector.layer_activations.items()})

    lines: list[Line] = []
    for name, theirs, method in (("repeng", repeng, "pca"), ("steering-vectors", vectors, "difference")):
        ratios = await turns(lambda method=method: ours(method), theirs, pairs)  # type: ignore[misc]
        lines.append(Line(f"{name} over ours, 24 pairs", ratios, "x", f"CPU; ours: {method}", None))
        cosines = made[name].cosine(made[f"ours {method}"])
        values = [abs(cosines[b]) for b in sorted(cosines)]
        lines.append(Line(f"cosine with {name}", values, "", f"{len(values)} blocks; median, worst, best", None))
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="?", type=int, default=7)
    parser.add_argument("--peers")
    given = parser.parse_args()
    asyncio.run(main(given.pairs, given.peers))
