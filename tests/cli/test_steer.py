"""Directions from the command line, on a tiny random model: files, tables, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

FIT = (
    "--positive", "You are calm.", "--positive", "You are at ease.", "--negative", "You are tense.",
    "--negative", "You are nervous.",
)  # fmt: skip


@pytest.fixture(scope="module")
def model(folders: Callable[..., Path]) -> str:
    return f"hf:{folders()}"


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("q") / "questions.txt"
    path.write_text("How are you?\n\nWhat now?\nGo on.\n")
    return path


@pytest.fixture
def fitted(personae: Any, model: str, questions: Path, tmp_path: Path) -> Path:
    path = tmp_path / "calm.safetensors"
    said = personae("steer", "fit", "calm", *FIT, "--model", model, "--questions", questions, "--out", path)
    assert said.code == 0, said.err
    assert [line.split()[0] for line in said.out.splitlines()[:4]] == ["BLOCK", "0", "1", "2"]
    assert "n = 6 and 6 rows, seed 7" in said.out
    assert "2 pairs of system texts: p cannot get below 0.50" in said.err
    return path


def test_fit_show_apply_export(personae: Any, model: str, fitted: Path, questions: Path, tmp_path: Path) -> None:
    again = ("steer", "fit", "calm", *FIT, "--model", model, "--questions", questions, "--out", fitted)
    assert "--force" in personae(*again).err
    told = personae(*again, "--force", "--read", "reply", "--method", "pca", "--blocks", "1-2", "--json").data
    assert [row["block"] for row in told["blocks"]] == [1, 2]
    shown = personae("steer", "show", fitted, "--json").data["directions"]
    assert {d["name"] for d in shown} == {"calm", *(f"random-{k}" for k in range(5)), "shuffled-0"}
    assert "method pca" in shown[0]["made"]
    said = personae(
        "steer", "apply", fitted, "Tea?", "--model", model, "--strength", "1.5", "--tokens", "5", "--json"
    ).data
    assert [a["strength"] for a in said["answers"]] == [0.0, 1.5]
    assert said["answers"][0]["text"] != said["answers"][1]["text"]
    plain = personae("steer", "apply", fitted, "Tea?", "--model", model, "--tokens", "5")
    assert plain.out.count("calm]") == 2
    out = tmp_path / "calm.gguf"
    assert personae("steer", "export", fitted, "--out", out, "--json").data["blocks"] == [1, 2]
    assert out.is_file()
    assert personae("steer", "show", out, "--json").data["directions"][0]["blocks"] == "1-2 (2)"


def test_drift_reads_transcripts_of_many_shapes(
    personae: Any, model: str, fitted: Path, finished: Any, tmp_path: Path
) -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Tea"}] * 2
    shapes: dict[str, Any] = {
        "list.json": talk,
        "chat.json": {"messages": talk},
        "share.json": [
            {"id": "a", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Tea"}] * 2}
        ],
        "axis.json": {"auditor_model": "x", "turns": 4, "conversation": talk},
    }
    found = []
    for name, body in shapes.items():
        (tmp_path / name).write_text(json.dumps(body))
        data = personae("drift", tmp_path / name, "--direction", fitted, "--model", model, "--json").data
        assert [c["turns"] for c in data["conversations"]] == [2]
        found.append(data["conversations"][0]["projections"])
    assert found[0] == found[1] == found[2] == found[3]
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps({"messages": talk}) for _ in range(3)))
    said = personae("drift", tmp_path / "lines.jsonl", "--direction", fitted, "--model", model, "--threshold", "1e6")
    assert said.out.count("turn 0") == 3
    assert "one conversation" not in said.err
    run = personae("drift", finished.data["folder"], "--direction", fitted, "--model", model, "--json").data
    assert len(run["conversations"]) >= 2
    assert all(c["turns"] for c in run["conversations"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "no conversation"),
        ("{", "line 1: not JSON"),
        ('{"text": "x"}', "expected one of messages"),
        ('{"messages": []}', "not empty"),
        ('[{"role": "narrator", "content": "x"}]', "role 'narrator'"),
        ('{"messages": ["x"]}', "expected role and content"),
        ('{"messages": [{"role": "user", "content": 3}]}', "content is int"),
    ],
)
def test_what_is_no_transcript_is_said(
    personae: Any, model: str, fitted: Path, tmp_path: Path, body: str, told: str
) -> None:
    (tmp_path / "t.jsonl").write_text(body)
    said = personae("drift", tmp_path / "t.jsonl", "--direction", fitted, "--model", model)
    assert said.code == 2
    assert told in said.err


def test_what_cannot_be_done_is_said(personae: Any, model: str, fitted: Path, tmp_path: Path) -> None:
    for arguments, told in (
        (("steer", "apply", fitted, "Hi", "--name", "x", "--model", model), "no direction 'x'"),
        (("steer", "apply", fitted, "Hi", "--blocks", "a-b", "--model", model), "--blocks 'a-b'"),
        (("steer", "apply", fitted, "Hi", "--blocks", "9", "--model", model), "no block 9"),
        (("steer", "apply", fitted, "Hi", "--model", "fake:echo"), "cannot be steered"),
        (("steer", "show", tmp_path / "none.safetensors"), "no file"),
        (("drift", tmp_path / "none", "--direction", fitted, "--model", model), "no file"),
        (("drift", tmp_path, "--direction", fitted, "--model", model), "not a run folder"),
        (
            ("steer", "fit", "x", *FIT, "--model", "fake:echo", "--out", tmp_path / "x.safetensors"),
            "cannot be looked into",
        ),
        (
            ("steer", "fit", "x", *FIT, "--model", model, "--read", "all", "--out", tmp_path / "x.safetensors"),
            "--read 'all'",
        ),
    ):
        said = personae(*arguments)
        assert said.code in {2, 3, 4}, said.err
        assert told in said.err
    assert not (tmp_path / "x.safetensors").exists()
