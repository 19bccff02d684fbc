"""What each operation does to activations, on tiny random models of every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
from hf_folders import FAMILIES
from personae.core import InputError
from personae.models import GenerateRequest, Message, Sampling, ScoreRequest, Site
from personae.steering import (
    Ablate,
    Add,
    Ceil,
    Direction,
    Floor,
    Head,
    HeadShift,
    When,
    steered,
    stream,
)

CHAT = (Message("system", "You are Ada."), Message("user", "Say it."), Message("assistant", "the hat"))
ASKED = [ScoreRequest(CHAT[:2], (" the cat", " no", "x")), ScoreRequest(CHAT, ("he", "hat"), prefill="I")]
WRITE = GenerateRequest(CHAT[:2], Sampling(temperature=1.0, max_tokens=12), seed=5)


def direction(*blocks: int, seed: int = 3, size: int = 48, **more: Any) -> Direction:
    rng = np.random.default_rng(seed)
    norms = dict.fromkeys(blocks or (1,), 5.0)
    return Direction("d", {b: rng.standard_normal(size) for b in blocks or (1,)}, norms=norms, **more)


async def held(model: Any, block: int = 1, part: str = "block") -> np.ndarray:
    """Activations of all tokens, shape (tokens, size)."""
    rows = [r async for r in stream(model, [GenerateRequest(CHAT)], [Site(block, part)], tokens="all", pool="none")]  # type: ignore[arg-type]
    return rows[0].values[:, 0]


async def scores(model: Any) -> list[Any]:
    return [s.logprobs for s in await model.score_options(ASKED)]


@pytest.mark.parametrize("family", FAMILIES)
def test_bounds(using: Any, family: str) -> None:
    async def use(model: Any) -> None:
        d = direction()
        plain = await held(model)
        before = d.project(plain, 1)
        bound = float(np.median(before))
        low, same = steered(model, Floor(d, bound)), steered(model, Ceil(-d, -bound))
        floored = await held(low)
        after = d.project(floored, 1)
        assert after.min() == pytest.approx(bound, abs=1e-4)
        above = before > bound
        assert 0 < above.sum() < len(above)
        assert np.array_equal(floored[above], plain[above])  # bit for bit
        # What is orthogonal to the direction stays.
        rest = lambda rows: rows - np.outer(d.project(rows, 1), d.unit().at(1))
        assert rest(floored) == pytest.approx(rest(plain), abs=1e-4)
        assert np.array_equal(await held(same), floored)
        assert await scores(low) == await scores(same) != await scores(model)
        high = steered(model, Ceil(d, bound))
        assert d.project(await held(high), 1).max() == pytest.approx(bound, abs=1e-4)
        out = steered(model, Ablate(d))
        assert d.project(await held(out), 1) == pytest.approx(0, abs=1e-4)
        mean = steered(model, Ablate(d, to={1: 0.7}))
        assert d.project(await held(mean), 1) == pytest.approx(0.7, abs=1e-4)

    using(use, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_adding_moves_every_token_by_the_same_and_nothing_is_left_behind(using: Any, family: str) -> None:
    async def use(model: Any) -> None:
        d = direction(0, 1)
        before, plain, text = await scores(model), await held(model), (await model.generate(WRITE)).text
        by_norm, raw = Add(d.on(1), 0.2), Add(d.on(1).unit(), 1.0, unit="raw")
        for operation in (by_norm, raw):
            moved = await held(steered(model, operation))
            assert moved - plain == pytest.approx(np.broadcast_to(d.unit().at(1), plain.shape), abs=1e-5)
        strong = steered(model, Add(d, 2.0), Floor(d.on(1), 0.0))
        assert await scores(strong) != before
        await strong.generate(WRITE)
        assert await scores(steered(model, Add(d, 0.0))) == before
        assert await scores(model) == before
        assert (await model.generate(WRITE)).text == text

    using(use, family)


def test_scopes_divide_the_tokens(using: Any) -> None:
    """In generation and in option scoring: prompt and reply together are everything, each alone is less."""

    async def use(model: Any) -> None:
        d = direction(0, 1)
        options = [
            await scores(steered(model, Add(d, 1.0, scope=s)))
            for s in ("all", "prompt", "reply")  # type: ignore[arg-type]
        ]
        both = await scores(steered(model, Add(d, 1.0, scope="prompt"), Add(d, 1.0, scope="reply")))
        assert both == options[0]
        assert len({str(o) for o in (*options, await scores(model))}) == 4
        # An option of one token is decided before any token of the reply is read.
        one = [ScoreRequest(CHAT[:2], ("x", "y"))]
        reply = steered(model, Add(d, 1.0, scope="reply"))
        assert (await reply.score_options(one))[0].logprobs == (await model.score_options(one))[0].logprobs
        assert np.array_equal(await held(reply), await held(model))
        texts = [
            (await steered(model, Add(d, 4.0, scope=s)).generate(WRITE)).text
            for s in ("all", "prompt", "reply")  # type: ignore[arg-type]
        ]
        assert len(set(texts)) == 3
        bound = steered(model, Floor(d, 9.0, scope="reply"), Ceil(d, -9.0, scope="prompt"))
        assert d.project(await held(bound), 1).max() == pytest.approx(-9, abs=1e-3)

    using(use)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_shift_is_a_bias_on_the_output_projection(using: Any, family: str) -> None:
    async def use(model: Any) -> None:
        import torch

        from personae.models._hf_net import output_projection

        size = model.anatomy.head_size
        rng = np.random.default_rng(5)
        heads = tuple(Head(b, h, rng.standard_normal(size).astype(np.float32)) for b, h in ((1, 0), (1, 3), (2, 1)))
        shifted = steered(model, HeadShift(heads, 1.5))
        plain, moved = [await held(m, 1, "heads") for m in (model, shifted)]
        gap = (moved - plain).reshape(len(plain), 4, size)
        assert gap[:, 0] == pytest.approx(np.broadcast_to(1.5 * heads[0].vector, gap[:, 0].shape), abs=1e-5)
        assert gap[:, 1:3] == pytest.approx(0, abs=0)
        found = await scores(shifted)
        # The same by hand: a constant on what the projection gives.
        handles = []
        for block in (1, 2):
            module = output_projection(model._engine.opened().blocks[block])
            row = torch.zeros(4 * size)
            for h in (h for h in heads if h.block == block):
                row[h.head * size : (h.head + 1) * size] = torch.tensor(h.vector * 1.5)
            weight = module.weight.T if type(module).__name__ != "Conv1D" else module.weight
            bias = row @ weight
            handles.append(module.register_forward_hook(lambda m, a, out, bias=bias: out + bias))
        by_bias = await scores(model)
        for handle in handles:
            handle.remove()
        for ours, theirs in zip(found, by_bias, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-4)
        assert found != await scores(model)
        with pytest.raises(InputError, match="has heads 0 to 3"):
            steered(model, HeadShift((Head(1, 4, np.zeros(size, np.float32)),)))

    using(use, family)


def test_a_gate_opens_for_some_tokens(using: Any) -> None:
    async def use(model: Any) -> None:
        gate, d = direction(seed=8), direction(seed=9)
        plain = await held(model)
        seen = gate.project(plain, 1)
        bound = float(np.sort(seen)[len(seen) // 2 - 1 : len(seen) // 2 + 1].mean())
        moved = await held(steered(model, When(gate, Add(d, 1.0), above=bound)))
        changed = np.any(moved != plain, axis=1)
        assert np.array_equal(changed, seen > bound)
        assert 0 < changed.sum() < len(changed)
        between = await held(steered(model, When(gate, Add(d, 1.0), above=-1e9, below=bound)))
        assert np.array_equal(np.any(between != plain, axis=1), seen < bound)
        with pytest.raises(InputError, match="needs above= or below="):
            When(gate, Add(d, 1.0))
        with pytest.raises(InputError, match="no block 1; it has 0"):
            steered(model, When(direction(0), Add(d, 1.0), above=0.0))

    using(use)


def test_labels_tell_apart_what_differs_and_only_that() -> None:
    d = direction(0, 1)
    same = [Add(d, 0.2), Add(d * 2.0, 0.2), Add(Direction("other name", d.vectors, norms=d.norms), 0.2)]
    assert len({o.label for o in same}) == 1
    others = [
        Add(d, 0.3), Add(d, 0.2, unit="raw"), Add(d, 0.2, scope="reply"), Add(d.on(1), 0.2), Ablate(d), Ablate(d, 1.0),
        Floor(d, 0.0), Ceil(d, 0.0), Floor(d, {0: 0.0, 1: 0.5}), Floor(-d, 0.0), When(d, Add(d, 0.2), above=0.0),
        When(d, Add(d, 0.2), below=0.0), HeadShift((Head(0, 0, np.ones(3, np.float32)),)),
        HeadShift((Head(0, 0, np.ones(3, np.float32)),), 2.0),
    ]  # fmt: skip
    assert len({o.label for o in (*same, *others)}) == 1 + len(others)
    assert Floor(d, 1.0).label == Floor(d * 2.0, 1.0).label  # a bound is along the unit vector


def test_what_makes_no_sense_is_refused(using: Any) -> None:
    d = direction()
    with pytest.raises(InputError, match="scope is 'some'"):
        Add(d, 1.0, scope="some")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="finite"):
        Add(d, float("nan"))
    with pytest.raises(InputError, match="without heads"):
        HeadShift(())
    with pytest.raises(InputError, match="how long activations are"):
        Add(Direction("d", d.vectors), 0.1).label  # noqa: B018

    async def use(model: Any) -> None:
        for wrong, told in (
            (Add(direction(size=7), 0.1), "7; this model|of 7 numbers"),
            (Floor(direction(5), 0.1), "blocks up to 5"),
            (Floor(d, {0: 1.0}), "no threshold of 'd' for block 1"),
        ):
            with pytest.raises(InputError, match=told):
                steered(model, wrong)
        assert steered(model) is model

    using(use)
