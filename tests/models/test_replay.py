from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from personae.core import EndpointError, InputError, ModelError, ReplayMissError
from personae.models import (
    CallLog,
    GenerateRequest,
    Message,
    RecordedModel,
    ScoreRequest,
    ScriptedModel,
    open_model,
    open_replay,
)

ASK = GenerateRequest((Message("system", "You are Ada."), Message("user", "Hi")), seed=3, tags={"unit": "u1"})
SCORE = ScoreRequest((Message("user", "Q"),), ("no", "yes"), tags={"unit": "u1"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with CallLog(tmp_path / "calls.sqlite") as log:
        model = RecordedModel(ScriptedModel(), log)
        asyncio.run(model.generate(ASK))
        asyncio.run(model.score_options([SCORE]))
        asyncio.run(model.embed(["x", "y"]))
    return tmp_path


def test_replay_says_what_was_said(run: Path) -> None:
    bare, model = ScriptedModel(), open_replay(run)
    assert asyncio.run(model.generate(ASK)).text == asyncio.run(bare.generate(ASK)).text
    assert asyncio.run(model.score_options([SCORE]))[0].logprobs == asyncio.run(bare.score_options([SCORE]))[0].logprobs
    assert (asyncio.run(model.embed(["x", "y"])).vectors == asyncio.run(bare.embed(["x", "y"])).vectors).all()
    assert model.fingerprint == bare.fingerprint
    assert model.recorded_reference == "fake:scripted"
    assert model.reference == f"replay:{run}"
    asyncio.run(model.close())


def test_a_miss_says_what_is_nearest(run: Path) -> None:
    model = open_model(f"replay:{run}")
    with pytest.raises(ReplayMissError, match=r"generate.*unit 'u1'.*differs in seed\b"):
        asyncio.run(model.generate(replace(ASK, seed=4)))
    with pytest.raises(ReplayMissError, match=r"messages\[1\]\[1\]"):
        asyncio.run(model.generate(replace(ASK, messages=(ASK.messages[0], Message("user", "Ho")))))
    with pytest.raises(ReplayMissError, match="score_options"):
        asyncio.run(model.score_options([SCORE, SCORE]))
    asyncio.run(model.close())


def test_a_miss_where_nothing_was_recorded(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        RecordedModel(ScriptedModel(), log)
    model = open_replay(tmp_path)
    with pytest.raises(ReplayMissError, match="no call of this kind"):
        asyncio.run(model.generate(ASK))
    asyncio.run(model.close())


def test_no_log_and_an_empty_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no call log"):
        open_replay(tmp_path)
    CallLog(tmp_path / "calls.sqlite").close()
    with pytest.raises(InputError, match="holds no calls"):
        open_replay(tmp_path)


def test_each_unit_gets_its_own_recording(tmp_path: Path) -> None:
    said = iter(["first", "second", "third"])
    with CallLog(tmp_path / "calls.sqlite") as log:
        model = RecordedModel(ScriptedModel(lambda request: next(said)), log)
        for unit in ("u1", "u2", "u2"):
            asyncio.run(model.generate(replace(ASK, tags={"unit": unit})))
    replayed = open_replay(tmp_path)
    texts = [asyncio.run(replayed.generate(replace(ASK, tags={"unit": u}))).text for u in ("u1", "u2")]
    assert texts == ["first", "third"]  # a unit that was started twice counts as it ended
    asyncio.run(replayed.close())


def test_a_recorded_failure_fails_again(tmp_path: Path) -> None:
    def fail(request: GenerateRequest) -> str:
        raise EndpointError("down", hint="Start it.", transient=True)

    with CallLog(tmp_path / "calls.sqlite") as log, pytest.raises(EndpointError):
        asyncio.run(RecordedModel(ScriptedModel(fail), log).generate(ASK))
    model = open_replay(tmp_path)
    with pytest.raises(EndpointError, match="down") as caught:
        asyncio.run(model.generate(ASK))
    assert caught.value.transient
    assert caught.value.hint == "Start it."
    asyncio.run(model.close())


def test_several_models_have_to_be_told_apart(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        for name in ("fake:a", "fake:b"):
            asyncio.run(RecordedModel(ScriptedModel([name], reference=name), log).generate(ASK))
    with pytest.raises(InputError, match="2 models"):
        open_replay(tmp_path)
    with pytest.raises(InputError, match="no calls to 'fake:c'"):
        open_model(f"replay:{tmp_path}#fake:c")
    model = open_model(f"replay:{tmp_path}#fake:b")
    assert asyncio.run(model.generate(ASK)).text == "fake:b"
    asyncio.run(model.close())


def test_token_counts_are_those_of_the_run(tmp_path: Path) -> None:
    class Wordy(ScriptedModel):
        def count_tokens(self, text: str) -> int:
            return len(text.split())

    with CallLog(tmp_path / "calls.sqlite") as log:
        RecordedModel(Wordy(), log).count_tokens("one two three four")
    model = open_replay(tmp_path)
    assert model.count_tokens("one two three four") == 4
    assert model.count_tokens("never counted") == 4  # estimated: 13 characters
    asyncio.run(model.close())


def test_a_closed_replay_says_so(run: Path) -> None:
    model = open_replay(run)
    asyncio.run(model.close())
    with pytest.raises(ModelError, match="closed"):
        asyncio.run(model.generate(ASK))


def test_a_replayed_run_can_be_recorded_again(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    with CallLog(again / "calls.sqlite") as log:
        model = open_model(f"replay:{run}", log=log)
        first = asyncio.run(model.generate(ASK))
        asyncio.run(model.close())
    second = open_replay(again)
    assert asyncio.run(second.generate(ASK)) == replace(first, cached=True)
    asyncio.run(second.close())
