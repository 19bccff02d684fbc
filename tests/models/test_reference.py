from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from personae.core import InputError, MissingError, VersionError
from personae.models import (
    KINDS,
    CachedModel,
    CallLog,
    GenerateRequest,
    Message,
    ModelKind,
    OpenAIModel,
    RecordedModel,
    ScriptedModel,
    open_model,
    parse_reference,
    unwrap,
    wrap_model,
)

SECRET = "sk-abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize("name", ["scripted", "statistical", "echo"])
def test_fakes_open_bare(name: str) -> None:
    model = open_model(f"fake:{name}")
    assert model.reference == f"fake:{name}"
    assert unwrap(model) is model


@pytest.mark.parametrize(
    ("reference", "near"),
    [
        ("smolm2", "smollm2"),
        ("opnai:gpt@http://x", "openai:NAME@URL"),
        ("ggfu:x.gguf", "gguf:PATH"),
        ("fake:scriptd", "fake:scripted"),
        ("fak:scripted", "fake:"),
        ("GGUF:x", "gguf:PATH"),
        ("", "Known"),
        ("llama", "Known"),
    ],
)
def test_unknown_references_suggest_the_nearest(reference: str, near: str) -> None:
    with pytest.raises(InputError, match=near):
        open_model(reference)


@pytest.mark.parametrize(
    "reference",
    [
        f"openai:gpt@https://user:{SECRET}@host/v1",
        f"openai:gpt@https://host/v1?key={SECRET}",
        "openai:gpt@https://user:hunter2hunter2@host/v1",
        "openai:gpt@https://hunter2hunter2@host/v1",
        "openai:gpt@https://host/v1?api_key=hunter2hunter2",
        "openai:gpt@https://host/v1?access_token=hunter2hunter2",
        "openai:gpt@https://host/v1?code=1&sig=hunter2hunter2",
        f"openai:{SECRET}",
        SECRET,
        "opnai:gpt@https://user:hunter2hunter2@host/v1",
    ],
)
def test_secrets_in_references_are_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(InputError) as caught:
        open_model(reference)
    assert "hunter2" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None or "hunter2" not in str(caught.value.__cause__)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "localhost:8080", "http://[::1", "http://host:99999/v1"])
def test_bad_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="endpoint URL"):
        open_model(f"openai:gpt@{url}")


def test_endpoints_with_and_without_a_url() -> None:
    default = open_model("openai:gpt-x", cache="off")
    assert isinstance(default, OpenAIModel)
    assert default.fingerprint["url"] == "https://api.openai.com/v1"
    assert default.reference == "openai:gpt-x"
    own = open_model("openai:org/model:tag@http://127.0.0.1:8080/v1", cache="off")
    assert own.reference == "openai:org/model:tag@http://127.0.0.1:8080/v1"
    assert own.fingerprint["name"] == "org/model:tag"
    assert open_model("openai:model@2024", cache="off").fingerprint["name"] == "model@2024"
    with pytest.raises(InputError, match="names no model"):
        open_model("openai:@http://127.0.0.1:8080/v1")


def test_files_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"no GGUF file at 'missing\.gguf'"):
        open_model("gguf:missing.gguf")
    with pytest.raises(InputError, match="no run folder"):
        open_model("replay:")
    with pytest.raises(InputError, match="takes nothing after it"):
        open_model("smollm2:big")


def test_missing_weights_say_how_to_get_them() -> None:
    with pytest.raises(MissingError, match="personae models get smollm2"):
        open_model("smollm2")


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(InputError, match="mode is 'fast'"):
        open_model("fake:scripted", mode="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cache is 'on'"):
        open_model("fake:scripted", cache="on")  # type: ignore[arg-type]


def test_wrappers_stand_in_order(tmp_path: Path) -> None:
    with CallLog(tmp_path / "calls.sqlite") as log:
        model = open_model("openai:m@http://127.0.0.1:9/v1", cache_path=tmp_path / "c.sqlite", log=log)
        assert isinstance(model, RecordedModel)
        assert isinstance(model.inner, CachedModel)
        assert isinstance(unwrap(model), OpenAIModel)
        asyncio.run(model.close())
    assert not (tmp_path / "home" / "cache").exists()


def test_fakes_are_not_cached(tmp_path: Path) -> None:
    model = open_model("fake:scripted", cache="refresh", cache_path=tmp_path / "c.sqlite")
    asyncio.run(model.generate(GenerateRequest((Message("user", "Hi"),))))
    assert not (tmp_path / "c.sqlite").exists()
    bare = open_model("fake:statistical", cache="off")
    assert wrap_model(bare, cache="read_write", cache_path=tmp_path / "c.sqlite") is bare
    assert not (tmp_path / "c.sqlite").exists()


def test_a_cache_of_another_version_stops_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=77")
    connection.close()
    with pytest.raises(VersionError, match=r"c\.sqlite.*version 77.*Delete"):
        open_model("openai:m@http://127.0.0.1:9/v1", cache_path=path)


def test_a_plug_in_adds_a_kind() -> None:
    kind = ModelKind("mine:ANY", "a test", lambda rest, mode: ScriptedModel([rest], reference=f"mine:{rest}"), False)
    KINDS.add("mine", kind)
    try:
        assert parse_reference("mine:a:b").rest == "a:b"
        answer = asyncio.run(open_model("mine:hello").generate(GenerateRequest((Message("user", "Hi"),))))
        assert answer.text == "hello"
        with pytest.raises(InputError, match="mine:ANY"):
            open_model("min:x")
    finally:
        KINDS._items.pop("mine")
