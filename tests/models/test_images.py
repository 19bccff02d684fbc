"""Pictures in messages: on the wire, in keys, in the call log, and refused where a model cannot see."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest

from personae.core import CapabilityError, InputError
from personae.models import (
    CallLog,
    Capability,
    GenerateRequest,
    GgufModel,
    Image,
    Message,
    OpenAIModel,
    open_replay,
    wrap_model,
)

pytest.importorskip("openai")

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def picture(tmp_path: Path) -> Image:
    path = tmp_path / "pixel.bin"  # the name does not matter
    path.write_bytes(PIXEL)
    return Image.read(path)


def asked(picture: Image) -> GenerateRequest:
    return GenerateRequest((Message("system", "You see."), Message("user", "What is this?", (picture,))))


def test_a_picture_travels_as_a_data_url_before_its_text(endpoint, picture: Image) -> None:
    async def scene() -> None:
        model = OpenAIModel("tiny", endpoint.url)
        assert Capability.IMAGES in model.capabilities
        await model.generate(asked(picture))
        await model.close()

    asyncio.run(scene())
    content = endpoint.bodies()[0]["messages"][1]["content"]
    assert [part["type"] for part in content] == ["image_url", "text"]
    kind, data = content[0]["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == PIXEL
    assert content[1]["text"] == "What is this?"


def test_the_log_keeps_each_picture_once_and_replays_it(endpoint, picture: Image, tmp_path: Path) -> None:
    first, second = asked(picture), replace(asked(picture), seed=2)

    async def record() -> list[str]:
        with CallLog(tmp_path / "calls.sqlite") as log:
            model = wrap_model(OpenAIModel("tiny", endpoint.url), log=log)
            texts = [(await model.generate(request)).text for request in (first, second)]
            await model.close()
        return texts

    said = asyncio.run(record())
    with CallLog(tmp_path / "calls.sqlite") as log:
        records = list(log.records())
        assert [r.pictures for r in records] == [{picture.sha256: PIXEL}] * 2
        assert records[0].asked().messages[1].images == (picture,)
        assert "data:image/png;base64,…" in records[0].prompt()
        assert base64.b64encode(PIXEL).decode() not in records[0].request
    assert (tmp_path / "calls.sqlite").read_bytes().count(PIXEL) == 1

    async def replayed() -> list[str]:
        model = open_replay(tmp_path)
        return [(await model.generate(request)).text for request in (first, second)]

    assert asyncio.run(replayed()) == said


def test_another_picture_is_another_call(endpoint, picture: Image, tmp_path: Path) -> None:
    other = Image(PIXEL + b"\0", "image/png")

    async def record() -> None:
        with CallLog(tmp_path / "calls.sqlite") as log:
            model = wrap_model(OpenAIModel("tiny", endpoint.url), log=log)
            for image in (picture, other):
                await model.generate(asked(image))
            await model.close()
            assert len({r.key for r in log.records()}) == 2

    asyncio.run(record())


def test_a_model_that_cannot_see_says_so(tiny: Path, picture: Image) -> None:
    async def scene() -> None:
        model = GgufModel("gguf:tiny", tiny, tiny, context=256)
        assert Capability.IMAGES not in model.capabilities
        try:
            await model.generate(asked(picture))
        finally:
            await model.close()

    with pytest.raises(CapabilityError, match="picture"):
        asyncio.run(scene())


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "fake.png"
    text.write_text("not a picture")
    with pytest.raises(InputError, match="no picture of a known kind"):
        Image.read(text)
    with pytest.raises(InputError, match="cannot read the picture"):
        Image.read(tmp_path / "missing.png")
