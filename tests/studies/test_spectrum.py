"""The spectrum study: without a model, on a scripted one, and its law of the same digest after a kill."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from personae.core import (
    CapabilityError,
    FailureRow,
    InputError,
    JudgementRow,
    Measurement,
    MeasurementRow,
    ResponseRow,
    StatementRow,
)
from personae.models import ScriptedModel
from personae.runs import open_run

if TYPE_CHECKING:
    from loopback import Endpoint

Start = Callable[..., Any]


def evidence(folder: Path) -> tuple[dict[str, float | None], list[StatementRow]]:
    with open_run(folder) as run:
        values = {r.measurement.name: r.measurement.value for r in run.rows(MeasurementRow)}
        return values, list(run.rows(StatementRow))


def test_without_a_model(start: Start, tmp_path: Path) -> None:
    told = start("spectrum", tmp_path / "a")  # whatever model is named, none is opened
    values, statements = evidence(told.folder)
    assert values["identity.top1.verbatim"] == 1.0
    assert {f"identity.top1.{s}" for s in ("S", "P", "C", "SP", "SC", "PC", "SPC")} <= set(values)
    assert len(statements) == 6 * 7 * 6
    assert any("model none" in line for line in told.said)
    assert start("spectrum", tmp_path / "b", model="none").run.digest == told.run.digest
    assert "Owner found from statements" in told.run.report.read_text("utf-8")


def test_on_a_scripted_model(start: Start, tmp_path: Path) -> None:
    more = {"writer": "model", "likelihood": True, "round_trip": True, "scored": 2}
    told = start("spectrum", tmp_path / "a", model="fake:scripted", more=more)
    values, statements = evidence(told.folder)
    assert "identity_by_likelihood.top1.SPC" in values
    assert "round_trip.P" in values
    assert {s.writer for s in statements} == {"fake:scripted"}


def test_a_run_that_asks_needs_a_model(start: Start, tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match="no model that generates"):
        start("spectrum", tmp_path / "a", model="none", more={"writer": "model"})


def test_missing_profiles_are_one_clear_error(start: Start, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file '.*nobody\.json'"):
        start("spectrum", tmp_path / "a", more={"profiles": str(tmp_path / "nobody.json")})


def test_on_an_endpoint(start: Start, tmp_path: Path, endpoint: Endpoint) -> None:
    """Statements from a server that knows JSON schemas; its answers say what its prompts said."""

    def reply(body: dict[str, Any]) -> str:
        told = str(zlib.crc32(body["messages"][0]["content"].encode()))
        lines = [f"I am somebody with the number {told} and {k}." for k in range(3)]
        return json.dumps({"open_self": lines, "hidden_self": lines[::-1]})

    endpoint.reply = reply
    told = start("spectrum", tmp_path / "a", model=f"openai:tiny-1@{endpoint.url}", more={"writer": "model"})
    values, statements = evidence(told.folder)
    assert len(statements) == 6 * 7 * 6
    assert {s.writer for s in statements} == {f"openai:tiny-1@{endpoint.url}"}
    assert values["identity.top1.verbatim"] == 1.0
    assert len(endpoint.bodies()) == 6 * 7


def knows(request: Any) -> tuple[float, float]:
    """Sees whether the long words of a statement stand in the profile, and likes the first letter anyway."""
    body = request.messages[-1].content
    told, _, said = body.partition("Somebody was asked")
    words = set(re.findall(r"\w{6,}", told.lower()))
    own = set(re.findall(r"\w{6,}", said.partition("Was it this person")[0].lower())) - {"asked", "they", "said"}
    first = 1 if "A: this person" in body else -1
    return 1.0 + first * 8.0 * len(own & words) / max(1, len(own)), 0.0


def judgements(folder: Path) -> dict[str, Measurement]:
    with open_run(folder) as run:
        return {r.measurement.name: r.measurement for r in run.rows(MeasurementRow)}


def test_a_judge_finds_planted_fakes_and_says_when_it_sees_none(
    start: Start, tmp_path: Path, answer_with: Callable[..., None]
) -> None:
    more = {"judge": "options", "judged": 3}
    answer_with(lambda: ScriptedModel(scores=knows))
    seen = judgements(start("spectrum", tmp_path / "a", more=more).folder)
    apart = seen["judge_fit.told_apart"]
    assert apart.interval is not None
    assert apart.interval.low > 0.5
    assert (seen["judged_fit.own_minus_exchanged.SPC"].value or 0) > 0.05
    assert seen["judged_fit.SPC"].note is None
    answer_with(lambda: ScriptedModel(scores=lambda request: (3.0, 0.0)))  # the first letter, always
    told = start("spectrum", tmp_path / "b", more=more)
    blind = judgements(told.folder)
    assert blind["judge_fit.told_apart"].value == 0.5
    assert blind["judged_fit.SPC"].value == 0.5
    assert "Not informative" in (blind["judged_fit.SPC"].note or "")
    assert "Judged" in told.run.report.read_text("utf-8")


@pytest.mark.parametrize("judge", ["options", "json"])
def test_a_judge_on_an_endpoint(start: Start, tmp_path: Path, endpoint: Endpoint, judge: str) -> None:
    endpoint.reply = lambda body: json.dumps(
        {"verdict": "fits" if zlib.crc32(json.dumps(body["messages"]).encode()) % 2 else "foreign"}
    )
    endpoint.echoes = judge == "options"
    more = {"people": 4, "judge": judge, "judged": 1}
    told = start("spectrum", tmp_path / "a", model=f"openai:tiny-1@{endpoint.url}", more=more)
    with open_run(told.folder) as run:
        rows = list(run.rows(JudgementRow))
        assert not list(run.rows(FailureRow))
    assert len(rows) == 4 * 7 * 2
    assert {r.judge for r in rows} == {"fit"}
    assert sum(r.subject.split("/")[-1] == r.persona_id for r in rows) == 4 * 7


def test_copyrighted_inventories_come_with_the_users_own_words(start: Start, tmp_path: Path) -> None:
    """Keys score answers without words; where the inventory is asked, words are needed, and they reach the model."""
    keys = {"traits": "bfi2s", "values": "pvq21", "people": 4}
    start("spectrum", tmp_path / "a", more=keys)
    with pytest.raises(InputError, match=r"'bfi2s' is a key without words"):
        start("spectrum", tmp_path / "b", model="fake:scripted", more=keys | {"round_trip": True})
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"my wording of item {k}" for k in range(30)), "utf-8")
    more = keys | {"round_trip": True, "traits_text": str(words)}
    told = start("spectrum", tmp_path / "c", model="fake:scripted", more=more)
    with open_run(told.folder) as run:
        asked = [r for r in run.rows(ResponseRow) if r.instrument == "bfi2s"]
    assert len(asked) == 4 * 3 * 30
    words.write_text("one line", "utf-8")
    with pytest.raises(InputError, match="1 lines, expected 30"):
        start("spectrum", tmp_path / "d", more=more)


@pytest.mark.model
def test_likelihood_on_the_embedded_model(start: Start, tmp_path: Path) -> None:
    """Rules write, the model matches: with everything told, more owners are found than by chance alone."""
    more = {"people": 4, "likelihood": True, "scored": 2}
    values, _ = evidence(start("spectrum", tmp_path / "a", model="smollm2", more=more, cache="off").folder)
    found = [v for k, v in values.items() if k.startswith("identity_by_likelihood.top1.") and "minus" not in k]
    assert len(found) == 7
    assert sum(v or 0 for v in found) / 7 > 1 / 4
