"""The spectrum study: without a model, on a scripted one, and its law of the same digest after a kill."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from personae.core import CapabilityError, InputError, MeasurementRow, StatementRow
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


@pytest.mark.model
def test_likelihood_on_the_embedded_model(start: Start, tmp_path: Path) -> None:
    """Rules write, the model matches: with everything told, more owners are found than by chance alone."""
    more = {"people": 4, "likelihood": True, "scored": 2}
    values, _ = evidence(start("spectrum", tmp_path / "a", model="smollm2", more=more, cache="off").folder)
    found = [v for k, v in values.items() if k.startswith("identity_by_likelihood.top1.") and "minus" not in k]
    assert len(found) == 7
    assert sum(v or 0 for v in found) / 7 > 1 / 4
