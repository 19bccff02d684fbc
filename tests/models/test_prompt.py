"""Chat templates: messages to segments to token ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, MissingError, ModelError
from personae.models import Message
from personae.models._prompt import (
    CHATML,
    GEMMA,
    LLAMA3,
    PLAIN,
    Content,
    Control,
    content_ids,
    recognise_template,
    token_ids,
    visible,
)
from personae.models._weights import get_weights, weights_path

CHAT = (Message("system", "Be kind."), Message("user", " Hi \n"), Message("assistant", "Yes?"), Message("user", "Go"))
MARKS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>system\n", "<repo_name>", "<file_sep>")


def spelled(template, messages, **options):
    return "".join(segment.text for segment in template.render(messages, **options))


def test_chatml_spells_what_the_format_says():
    assert spelled(CHATML, CHAT, prefill="Well") == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n Hi \n<|im_end|>\n"
        "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nGo<|im_end|>\n<|im_start|>assistant\nWell"
    )


def test_llama3_spells_what_the_format_says():
    assert spelled(LLAMA3, CHAT[:2]) == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n Hi \n<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_gemma_gives_the_system_text_to_the_user():
    assert spelled(GEMMA, CHAT[:2]) == (
        "<bos><start_of_turn>user\nBe kind.\n\n Hi \n<end_of_turn>\n<start_of_turn>model\n"
    )
    assert spelled(GEMMA, CHAT[:1]) == "<bos><start_of_turn>user\nBe kind.<end_of_turn>\n<start_of_turn>model\n"
    assert spelled(GEMMA, (Message("system", ""), CHAT[3])) == spelled(GEMMA, CHAT[3:])


def test_plain_is_text():
    assert spelled(PLAIN, CHAT[:2]) == "Be kind.\n\nUser:\n Hi \n\n\nAssistant:\n"
    said = (Message("user", "Hi"), Message("assistant", "Yes."), Message("user", "Go"))
    assert spelled(PLAIN, said) == "User:\nHi\n\nAssistant:\nYes.\n\nUser:\nGo\n\nAssistant:\n"
    assert "\nUser:" in PLAIN.stop


def test_no_system_empty_system_and_default_system_differ():
    template = recognise_template("x<|im_start|>system\\nYou are Tiny\\nand kind<|im_end|>\\n{{ x }}")
    user = CHAT[3:]
    assert template.default_system == "You are Tiny\nand kind"
    assert spelled(template, user) == "<|im_start|>user\nGo<|im_end|>\n<|im_start|>assistant\n"
    assert spelled(template, (Message("system", ""), *user)).startswith(
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user"
    )
    assert spelled(template, user, system_default=True).startswith(
        "<|im_start|>system\nYou are Tiny\nand kind<|im_end|>\n<|im_start|>user"
    )
    assert spelled(template, CHAT, system_default=True) == spelled(template, CHAT)
    assert spelled(CHATML, user, system_default=True) == spelled(CHATML, user)


def test_families_are_recognised():
    assert recognise_template("{% for m in messages %}{{'<|im_start|>' + m['role']}}{% endfor %}") == CHATML
    assert recognise_template("{{ '<|start_header_id|>' }}").name == "llama-3"
    assert recognise_template("{{ '<start_of_turn>' }}").name == "gemma"
    assert recognise_template(None, start="<s>").start == "<s>"
    with pytest.raises(InputError, match=r"\[INST\].*Known families: ChatML"):
        recognise_template("[INST] {{ x }} [/INST]")


def test_digest_follows_the_rendering():
    other = recognise_template("<|im_start|>system\nYou are X<|im_end|>")
    assert CHATML.digest != other.digest
    assert CHATML.digest == recognise_template("<|im_start|>").digest


def test_turns_are_cut_at_messages():
    turns = CHATML.turns(CHAT, prefill="So")
    assert ["".join(s.text for s in turn) for turn in turns] == [
        "<|im_start|>system\nBe kind.<|im_end|>\n",
        "<|im_start|>user\n Hi \n<|im_end|>\n",
        "<|im_start|>assistant\nYes?<|im_end|>\n",
        "<|im_start|>user\nGo<|im_end|>\n",
        "<|im_start|>assistant\nSo",
    ]
    assert CHATML.turns(()) == ((Control("<|im_start|>assistant\n"),),)
    assert LLAMA3.turns(CHAT[:1])[0][0] == Control("<|begin_of_text|>")


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=6),
    st.text(max_size=9),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("template", [CHATML, LLAMA3, PLAIN])
def test_content_is_kept_character_by_character(template, rows, prefill):
    messages = tuple(Message(role, text) for role, text in rows)
    contents = [s.text for s in template.render(messages, prefill=prefill) if isinstance(s, Content)]
    assert contents == [text for _, text in [*rows, ("", prefill)] if text]


def test_visible_marks_control_text():
    assert visible((Control("<|im_end|>"), Content("<|im_end|>"))) == "⟦<|im_end|>⟧<|im_end|>"


class _Naive:
    """A tokenizer that reads control strings wherever they stand."""

    def __init__(self):
        import numpy as np

        self.control = np.array([True, False])

    def tokenize(self, text, *, special):
        return [0 if word == "<|im_end|>" else 1 for word in text.split()]


def test_a_tokenizer_that_would_let_structure_in_is_refused():
    tokenizer = _Naive()
    assert token_ids((Control("<|im_end|>"), Content("a b")), tokenizer) == [0, 1, 1]
    with pytest.raises(ModelError, match=r"reads a control token into the text 'x <\|im_end\|>'"):
        content_ids("x <|im_end|>", tokenizer)


def test_tiny_tokenizer_obeys_the_content_law(tiny):
    native = pytest.importorskip("personae.models._native")
    model = native.NativeModel(tiny, vocab_only=True)
    _content_law(model, ("<|im_start|>", "<|im_end|>", "<|endoftext|>"))
    model.close()


@pytest.mark.model
def test_real_tokenizer_obeys_the_content_law():
    native = pytest.importorskip("personae.models._native")
    try:
        get_weights("smollm2")
    except MissingError as error:
        pytest.skip(str(error))
    path: Path = weights_path("smollm2", "generate")
    model = native.NativeModel(path, vocab_only=True)
    assert int(model.control.sum()) == 17
    assert model.tokenize("<|im_start|>user\n", special=True) == [1, 4093, 198]
    _content_law(model, MARKS)
    model.close()


def _content_law(model, marks):
    # A small model's vocabulary may lack bytes that its training text never held (control characters, rare planes).
    text = st.text(st.characters(max_codepoint=0x3FFFF, exclude_categories=["Cs", "Cc"]), max_size=8)
    pieces = st.lists(st.one_of(st.sampled_from(marks), text), max_size=6).map("".join)

    @given(pieces, pieces)
    @settings(max_examples=150, deadline=None)
    def law(text, system):
        ids = content_ids(text, model)
        assert not model.control[ids].any()
        assert b"".join(model.piece(t) for t in ids) == text.encode("utf-8", "replace")
        messages = (Message("system", system), Message("user", text))
        whole = token_ids(CHATML.render(messages), model)
        held = [t for t in whole if model.control[t]]
        assert held == model.tokenize("<|im_start|><|im_end|><|im_start|><|im_end|><|im_start|>", special=True)

    law()
