"""Which tokens are read, at which block, and how they are pooled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from hf_folders import FAMILIES  # noqa: E402
from personae.core import CapabilityError, InputError  # noqa: E402
from personae.models import EchoModel, GenerateRequest, Message, Site, wrap_model  # noqa: E402
from personae.steering import block_sites, extract, stream  # noqa: E402

TALK = (
    Message("system", "You are Ada."),
    Message("user", "Say the word."),
    Message("assistant", "the hat"),
    Message("user", "Go on"),
    Message("assistant", "a long long long answer"),
)
REQUEST = GenerateRequest(TALK)


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_are_counted_from_0_without_the_embedding(using: Any, folders: Any, family: str) -> None:
    """hidden_states[b + 1] is the stream after block b; the last entry may lie behind the final norm."""

    async def use(model: Any) -> None:
        sites = block_sites(model)
        assert [s.block for s in sites] == [0, 1, 2]
        (found,) = [r async for r in stream(model, [REQUEST], sites, tokens="all", pool="none")]
        ids = [t for turn in model.prompt_tokens(REQUEST) for t in turn]
        net = transformers.AutoModelForCausalLM.from_pretrained(str(folders(family)), dtype=torch.float32).eval()
        with torch.no_grad():
            states = net(torch.tensor([ids]), output_hidden_states=True).hidden_states
        assert found.values.shape == (len(ids), 3, 48)
        for b in (0, 1):
            assert found.values[:, b] == pytest.approx(states[b + 1][0].numpy(), abs=1e-4)
            assert np.abs(found.values[:, b] - states[b][0].numpy()).max() > 0.01

    using(use, family)


def test_rules_read_the_tokens_they_name(using: Any) -> None:
    async def use(model: Any) -> None:
        sites = [Site(1), Site(0)]
        (whole,) = await model.activations([REQUEST], sites)
        text = {s.message: whole.values[s.start : s.end] for s in whole.spans}
        read = lambda **how: extract(model, [REQUEST], sites, **how)
        both = await read()
        # Long messages weigh no more than short ones.
        assert both.values[0] == pytest.approx((text[2].mean(0) + text[4].mean(0)) / 2, abs=1e-5)
        assert both.tokens.tolist() == [len(text[2]) + len(text[4])]
        lengths = np.linalg.norm(np.concatenate([text[2], text[4]]), axis=2).mean(0)
        assert both.norms == pytest.approx(lengths, rel=1e-5)
        turns = await read(per_turn=True)
        assert turns.rows == ((0, 2), (0, 4))
        assert turns.values[1] == pytest.approx(text[4].mean(0), abs=1e-5)
        assert (await read(tokens="reply")).values[0] == pytest.approx(text[4].mean(0), abs=1e-5)
        assert (await read(tokens="user")).values[0] == pytest.approx((text[1].mean(0) + text[3].mean(0)) / 2, abs=1e-5)
        assert (await read(tokens="system")).values[0] == pytest.approx(text[0].mean(0), abs=1e-5)
        assert np.array_equal((await read(tokens="last")).values[0], whole.values[-1])
        assert (await read(tokens="all")).values[0] == pytest.approx(whole.values.mean(0), abs=1e-5)
        assert (await read(tokens=[[(2, 4)]])).values[0] == pytest.approx(whole.values[2:4].mean(0), abs=1e-5)
        prefilled = GenerateRequest(TALK[:2], prefill="I am")
        (got,) = [r async for r in stream(model, [prefilled], sites, per_turn=True)]
        assert (got.message, got.tokens) == (-1, 4)

    using(use)


def test_later_text_changes_nothing_about_earlier_turns(using: Any) -> None:
    async def use(model: Any) -> None:
        long = await extract(model, [REQUEST], [Site(2)], per_turn=True)
        short = await extract(model, [GenerateRequest(TALK[:3])], [Site(2)], per_turn=True)
        assert long.values[0] == pytest.approx(short.values[0], abs=1e-5)

    using(use)


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_have_a_size_of_their_own(using: Any, family: str) -> None:
    async def use(model: Any) -> None:
        found = await extract(model, [REQUEST, REQUEST], [Site(b, "heads") for b in range(3)])
        assert found.values.shape == (2, 3, model.anatomy.heads * model.anatomy.head_size)
        assert np.array_equal(found.values[0], found.values[1])

    using(use, family)


def test_what_cannot_be_read_is_said(using: Any, tmp_path: Any) -> None:
    async def use(model: Any) -> None:
        wrapped = wrap_model(model, cache="read_write", cache_path=tmp_path / "cache.sqlite")
        assert (await extract(wrapped, [REQUEST], [Site(1)])).model.startswith("hf:tiny ")
        with pytest.raises(InputError, match="request 1 has no assistant message"):
            await extract(model, [REQUEST, GenerateRequest(TALK[:2])], [Site(1)])
        with pytest.raises(InputError, match="do not lie in its"):
            await extract(model, [REQUEST], [Site(1)], tokens=[[(0, 999)]])
        with pytest.raises(InputError, match="1 lists of spans for 2"):
            await extract(model, [REQUEST, REQUEST], [Site(1)], tokens=[[(0, 1)]])
        with pytest.raises(InputError, match="tokens is 'some'"):
            await extract(model, [REQUEST], [Site(1)], tokens="some")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="blocks 0 to 2"):
            block_sites(model, [3])
        with pytest.raises(InputError, match="nothing to read"):
            await extract(model, [], [Site(1)])
        with pytest.raises(CapabilityError, match="cannot be looked into"):
            await extract(EchoModel(), [REQUEST], [Site(1)])

    using(use)
