"""The static encoder: distilled once, cached with a checksum, and a function of each text alone."""

from __future__ import annotations

import logging
import sys
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import CorruptRunError, MissingDependencyError, MissingWeightsError, derive_rng
from personae.models import SentenceEncoder, StaticEncoder, open_encoder, open_model
from personae.models import _static as static

tokenizers = pytest.importorskip("tokenizers")

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Teacher:
    """A tiny tokenizer and vectors by seed, instead of MiniLM."""

    asked = 0

    def __init__(self) -> None:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{c}" for c in LETTERS)]
        names += [f"[unused{k}]" for k in range(static._FIRST_WORD - len(names))]
        names += ["the", "cat", "dog", "sat", "ran", *(f"w{a}{b}" for a in LETTERS for b in LETTERS)]
        self.tokenizer = Tokenizer(models.WordPiece({n: k for k, n in enumerate(names)}, unk_token="[UNK]"))
        self.tokenizer.normalizer = normalizers.Lowercase()
        self.tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()

    def token_vectors(self, ids):
        Teacher.asked += len(ids)
        return table()[ids]


@lru_cache(maxsize=1)
def table():
    return derive_rng(1, "pieces").normal(size=(3000, 384))


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch):
    Teacher.asked = 0
    monkeypatch.setattr(static, "SentenceEncoder", Teacher)
    return Teacher


def test_it_is_made_once_and_then_read(teacher, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "personae.models")
    first = StaticEncoder()
    asked = teacher.asked
    assert asked == first._tokenizer.get_vocab_size() > 2000
    assert [r.message.split(":")[0] for r in caplog.records][:1] == ["making the static encoder"]
    again = StaticEncoder()
    assert teacher.asked == asked
    assert again.digest == first.digest
    assert np.array_equal(first.encode(["the cat sat"]), again.encode(["the cat sat"]))
    assert sorted(p.name for p in static.static_folder().iterdir() if p.name != ".lock") == [
        "pieces.npy",
        "static.json",
    ]


def test_vectors_depend_on_their_text_alone(teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = StaticEncoder()
    texts = ["the cat sat", "", "the dog ran wab wzz", "!?", "qqq zz", "The CAT, sat."]
    together = encoder.encode(texts)
    assert np.array_equal(together, np.concatenate([encoder.encode([t]) for t in texts]))
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    assert np.array_equal(together[0], together[5])
    assert np.array_equal(together[1], together[3])
    assert encoder.encode([]).shape == (0, 256)
    monkeypatch.setattr(static, "_TEXTS", 2)
    monkeypatch.setattr(static, "_KNOWN", 1)
    assert np.array_equal(encoder.encode(texts * 3), np.tile(together, (3, 1)))


@given(st.lists(st.text(max_size=20), max_size=4))
@settings(max_examples=20, deadline=None)
def test_any_text_has_a_unit_vector(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static, "SentenceEncoder", Teacher)
        vectors = StaticEncoder().encode(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def test_frequent_words_weigh_less(teacher) -> None:
    encoder = StaticEncoder()
    the, rare, both = encoder.encode(["the", "wab", "the wab"])
    assert both @ rare > 0.9 > both @ the


def test_damage_is_named_and_other_versions_are_made_again(teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    StaticEncoder()
    pieces, notes = static.static_folder() / "pieces.npy", static.static_folder() / "static.json"
    whole = pieces.read_bytes()
    pieces.write_bytes(whole[:-1] + b"x")
    with pytest.raises(CorruptRunError, match=r"sha256.*Delete"):
        StaticEncoder()
    notes.write_text("{")
    with pytest.raises(CorruptRunError, match="cannot be read"):
        StaticEncoder()
    pieces.write_bytes(whole)
    notes.write_text('{"version": 0}')
    asked = teacher.asked
    StaticEncoder()
    assert teacher.asked == 2 * asked
    assert pieces.read_bytes() == whole


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingWeightsError, match="personae models get minilm"):
        open_encoder("static")
    assert not static.static_folder().exists()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="embed"):
        open_encoder("static")


def test_its_fingerprint_names_the_table(teacher) -> None:
    model = open_model("encoder:static", cache="off")
    assert StaticEncoder().digest[:16] in str(model.fingerprint["weights"])
    assert "static" in str(model.fingerprint["name"])
    assert model.fingerprint["dimension"] == 256


@pytest.mark.model
def test_it_agrees_with_the_sentence_encoder() -> None:
    groups = (
        "I own a dog and walk it daily.|My dog goes for a walk every day.|We take the puppy out each morning.",
        "She is a nurse in a hospital.|He works as a doctor in a clinic.|The surgeon saves lives.",
        "They play the guitar in a band.|I sing songs and love music.|My brother is a drummer.",
        "I bake bread and cakes.|Cooking pasta is my passion.|He is a chef in a restaurant.",
        "The stock market fell today.|I invest money in shares.|Banks lend money to companies.",
    )
    texts = [t for group in groups for t in group.split("|")]
    upper = np.triu_indices(len(texts), 1)
    teacher, student = SentenceEncoder().encode(texts), open_encoder("static").encode(texts)
    assert np.corrcoef((teacher @ teacher.T)[upper], (student @ student.T)[upper])[0, 1] > 0.6
