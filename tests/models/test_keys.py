from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.models import api_key, redact
from personae.models._keys import MASK, is_clean


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnopqrstuvwx",
        "sk-proj-abc_def-ghijklmnopqrstuv",
        "hf_abcdefghijklmnopqrst",
        "gsk_abcdefghijklmnopqrst",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    ],
)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
@settings(max_examples=25, deadline=None)
def test_keys_never_survive(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijklmnop.qrst",
        "api_key=abcdefghijklmnop1234",
        '{"api_key": "abcdefghijklmnop1234"}',
    ],
)
def test_labelled_tokens_are_masked_and_the_label_stays(text: str) -> None:
    assert MASK in redact(text)
    assert "abcdefghijklmnop" not in redact(text)
    assert redact(text)[:5] == text[:5]


@pytest.mark.parametrize(
    "text", ["The bearer of bad news was task-oriented.", "I use sk-learn at work.", "key lime pie", "", "risk-averse"]
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_the_key_of_the_environment_is_masked_whatever_it_looks_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "correct horse battery")
    assert redact("my key is correct horse battery!") == f"my key is {MASK}!"
    assert api_key() == "correct horse battery"
    monkeypatch.setenv("PERSONAE_API_KEY", "another secret")
    assert api_key() == "another secret"


def test_what_was_clean_is_searched_again_for_a_new_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ("the word is swordfish42", "nothing here")
    assert is_clean(parts)
    assert not is_clean(parts, "Bearer abcdefghijklmnopqrst")
    monkeypatch.setenv("OPENAI_API_KEY", "swordfish42")
    assert not is_clean(parts)


def test_no_key_is_no_key() -> None:
    assert api_key() is None


def test_masking_inside_json_leaves_json() -> None:
    import json

    text = json.dumps({"messages": [["user", 'use api_key: "abcdefghijklmnop1234" or Bearer abcdefghijklmnopqrst']]})
    assert "abcdefghijklmnop" not in redact(text)
    assert json.loads(redact(text))["messages"][0][0] == "user"
