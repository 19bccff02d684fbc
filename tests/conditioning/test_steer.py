"""Steering as a condition: beside a prompt as natural as alone, in every cache key, and gone afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from personae.conditioning import NoPersona, Prompt, Steer, compose, embody
from personae.core import CapabilityError, Condition, InputError, Names, Persona
from personae.models import CallLog, HfModel, Message, ScoreRequest, open_model, wrap_model
from personae.steering import Add, Direction, Floor

ANA = Persona(names=Names(full="Ana Reis"))
CHAT = (Message("user", "Tea?"),)


def direction(seed: int = 1) -> Direction:
    values = np.random.default_rng(seed).standard_normal((2, 48))
    return Direction("d", {0: values[0], 1: values[1]}, norms={0: 4.0, 1: 4.0})


def test_hash_and_order() -> None:
    add, floor = Steer(Add(direction(), 0.3)), Steer(Floor(direction(2), 0.5))
    assert isinstance(add, Condition)
    assert (add + Prompt()).hash == (Prompt() + add).hash
    assert add == Steer(Add(direction(), 0.3))
    assert len({add.hash, floor.hash, Steer(Add(direction(), 0.4)).hash, (add + floor).hash, Prompt().hash}) == 5
    for both in (add + floor, floor + add, compose(Prompt(), floor, add)):
        assert [p for p in both.parts if isinstance(p, Steer)] == [add, floor]  # bounds hold at the end
    assert [type(p).__name__ for p in (Prompt() + add).parts] == ["Steer", "Prompt"]
    assert add.system(ANA, len) is None
    assert add.system_default
    assert not (add + Prompt()).system_default
    assert not (add + NoPersona(control="empty_system")).system_default
    with pytest.raises(InputError, match="without operations"):
        Steer()


def test_a_prompt_a_vector_and_both_are_four_models_in_cache_and_log(
    folders: Callable[..., Path], tmp_path: Path
) -> None:
    steer = Steer(Add(direction(), 0.5))
    conditions = {
        "none": NoPersona(control="empty_system"),
        "prompt": Prompt(),
        "steer": steer,
        "both": Prompt() + steer,
    }

    async def answers(model: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, condition in conditions.items():
            async with embody(ANA, condition, model, label=name) as actor:
                asked = ScoreRequest((*actor.context(), *CHAT), ("yes", "no"), condition=actor.condition_hash)
                score = (await actor.model.score_options([asked]))[0]
                said = await actor.act(CHAT, seed=3)
                out[name] = (score.logprobs, said.text, said.call)
        return out

    async def go() -> None:
        inner = HfModel("hf:tiny", folders(), threads=1, context=256)
        with CallLog(tmp_path / "calls.sqlite") as log:
            model = wrap_model(inner, cache="read_write", cache_path=tmp_path / "cache.sqlite", log=log)
            first = await answers(model)
            again = await answers(model)
            assert first == again
            assert len({v[0] for v in first.values()}) == 4
            assert len({v[2] for v in first.values()}) == 4
            plain = wrap_model(inner, cache="off")
            assert await answers(plain) == {k: (s, t, c) for k, (s, t, c) in (await answers(plain)).items()}
            assert {k: v[:2] for k, v in (await answers(plain)).items()} == {k: v[:2] for k, v in first.items()}
        await model.close()

    asyncio.run(go())


def test_undo_law_after_exceptions_and_nesting(folders: Callable[..., Path]) -> None:
    async def go() -> None:
        model = HfModel("hf:tiny", folders(), threads=1, context=256)
        asked = [ScoreRequest(CHAT, ("yes", "no"))]

        async def logs(one: Any = model) -> Any:
            return (await one.score_options(asked))[0].logprobs

        before = await logs()
        outer, inner = Steer(Add(direction(), 0.5)), Steer(Floor(direction(2), 3.0))
        async with outer.attach(model) as once:
            steered = await logs(once)
            async with inner.attach(once) as twice:
                assert await logs(twice) not in (steered, before)
            assert await logs(once) == steered != before
            assert await logs() == before  # the model itself is never touched
        with pytest.raises(ZeroDivisionError):
            async with (outer + Prompt()).attach(model):
                raise ZeroDivisionError
        assert await logs() == before
        await model.close()

    asyncio.run(go())


def test_a_model_out_of_reach_is_refused_clearly() -> None:
    async def go() -> None:
        model = open_model("fake:echo", cache="off")
        with pytest.raises(CapabilityError, match="cannot be steered"):
            async with Steer(Add(direction(), 0.1)).attach(model):
                pass
        wrapped = wrap_model(model, cache="off")
        with pytest.raises(CapabilityError, match="cannot be steered"):
            async with Steer(Add(direction(), 0.1)).attach(wrapped):
                pass
        await model.close()

    asyncio.run(go())
