from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.models import neutralise

CONTROL = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>",
    "<｜User｜>", "<｜end▁of▁sentence｜>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "<<SYS>>", "<</SYS>>", "<unk>",
    "<|start_header_id|>", "<think>", "<repo_name>", "<file_sep>", "<fim_prefix>", "<extra_id_0>", "<0x0A>",
    "<pad>", "<|fim prefix|>", "[CLS]", "[SEP]",
]  # fmt: skip


@pytest.mark.parametrize("token", CONTROL)
@given(before=st.text(max_size=6), after=st.text(max_size=6))
@settings(max_examples=20, deadline=None)
def test_no_control_string_survives(token: str, before: str, after: str) -> None:
    out = neutralise(before + token + after)
    assert token not in out.text
    assert out.count >= 1


@given(st.text(alphabet="<>|[]/ISTN_im｜ !s", max_size=30))
@settings(max_examples=150, deadline=None)
def test_nothing_spelled_like_a_token_is_left_and_nothing_is_lost(text: str) -> None:
    out = neutralise(text)
    assert not re.search(r"<[^\s<>]{1,64}>|<[|｜]|[|｜]>", out.text)
    assert neutralise(out.text).count == 0
    assert out.text.replace(" ", "") == text.replace(" ", "")
    assert len(out.text) == len(text) + out.count


@pytest.mark.parametrize(
    "text", ["", "2 < 3 and 5 > 4", "I <3 you", "a | b", "[1] see [note]", "x -> y", "plain words"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert neutralise(text).text == text
    assert neutralise(text).count == 0
