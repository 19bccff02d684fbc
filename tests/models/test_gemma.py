"""The optional second family, whose terms a user accepts. Nothing here runs where its weights are not."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from personae.conditioning import Prompt, embody
from personae.core import MissingDependencyError, MissingError
from personae.creation import load_gallery
from personae.instruments import load_instrument, plan_scores
from personae.models import GenerateRequest, Message, Sampling, ScoreRequest, open_model, weights_path

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True)
def _weights() -> None:
    try:
        weights_path("gemma3-270m", "generate")
    except MissingError:
        pytest.skip("gemma3-270m is not here (optional; personae models get gemma3-270m)")


def test_it_talks_in_plain_text_and_stops_at_the_next_speaker():
    request = GenerateRequest(
        (Message("system", "Ada is a baker."), Message("user", "What do you do?")), Sampling(max_tokens=24), seed=3
    )

    async def scene():
        model = open_model("gemma3-270m", cache="off")
        try:
            shown = model.show_prompt(request)
            return shown, await model.generate(request), await model.generate(request)
        finally:
            await model.close()

    shown, first, second = asyncio.run(scene())
    assert first.completions == second.completions
    assert first.text.strip()
    assert "\nUser:" not in first.text
    assert "What do you do?" in shown
    assert shown == "⟦<bos>⟧Ada is a baker.⟦\n\n⟧⟦User:\n⟧What do you do?⟦\n\n⟧⟦Assistant:\n⟧"


def test_exact_mode_gives_the_same_bits_in_any_order():
    asks = [
        GenerateRequest((Message("user", text),), Sampling(max_tokens=12), seed=k)
        for k, text in enumerate(("Do you like rain?", "Who are you?", "What is your dream?"))
    ]
    rate = [ScoreRequest(ask.messages, ("Yes.", "No.", "I cannot say.")) for ask in asks]

    async def unit(model, ask):
        async with model.session(str(ask.seed)):
            return (await model.generate(ask)).text

    async def scene():
        model = open_model("gemma3-270m", cache="off")
        try:
            alone = [await unit(model, ask) for ask in asks]
            together = await asyncio.gather(*(unit(model, ask) for ask in reversed(asks)))
            before = await model.score_options(rate)
            await model.score_options(rate[:1])
            return alone, together[::-1], before, await model.score_options(rate), model.determinism
        finally:
            await model.close()

    alone, together, before, after, determinism = asyncio.run(scene())
    assert determinism == "exact"
    assert alone == together
    assert [s.logprobs for s in before] == [s.logprobs for s in after]


def test_options_rank_as_in_float32_torch():
    """Ten items × five options of two people: the compiled engine's tree on F16 against torch."""

    async def scene(reference, groups):
        model = open_model(reference, cache="off")
        try:
            if not groups:
                for k in range(2):
                    async with embody(load_gallery()[k], Prompt(), model) as actor:
                        plan = plan_scores(actor, load_instrument("ipip50"), pmi=False, seed=k)
                        groups.append([p.request for p in plan][:10])
            return [s for group in groups for s in await model.score_options(group)]
        finally:
            await model.close()

    groups = []
    found = asyncio.run(scene("gemma3-270m", groups))
    assert {s.method for s in found} == {"exact:sequences-kv32"}
    try:
        reference = asyncio.run(scene("hf:gemma3-270m", groups))
    except MissingDependencyError as error:
        pytest.skip(str(error))
    both = list(zip(found, reference, strict=True))
    gaps = [abs(a - b) for f, r in both for a, b in zip(f.logprobs, r.logprobs, strict=True)]
    pairs = [
        (f.logprobs[i] - f.logprobs[j], r.logprobs[i] - r.logprobs[j])
        for f, r in both
        for i, j in itertools.combinations(range(5), 2)
    ]
    clear = [(a, b) for a, b in pairs if abs(b) > 0.02]
    print(f"largest difference {max(gaps):.4f} nats, {len(clear)} clear pairs")
    assert max(gaps) < 0.05
    assert sum(a * b > 0 for a, b in clear) >= 0.98 * len(clear)
