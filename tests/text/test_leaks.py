import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import ai_identity_leak, control_tokens, prompt_leak

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I cannot feel that.",
        "As an AI, I have no garden.",
        "I'm a chatbot.",
        "I am just a computer program and I don't eat.",
        "Well, I’m an AI assistant here to help.",
        "I'm an artificial intelligence.",
        "I am a large language model trained by Google.",
        "I was created by OpenAI last year.",
        "My name is SmolLM, trained by Hugging Face.",
        "I'm ChatGPT, how are you?",
        "I am Claude, an AI made to help.",
        "My name is Gemma, trained by Google.",
        "I don't have personal experiences.",
        "My training data ends in 2023.",
        "I am a virtual assistant designed to answer.",
    ],
)
def test_identity_leaks(text):
    found = ai_identity_leak(text)
    assert found
    assert all(text[span.start : span.end] == span.text for span in found)


@pytest.mark.parametrize(
    "text",
    [
        "I am an AI researcher in Lyon.",
        "As an AI engineer, I travel a lot.",
        "I'm not a robot.",
        "I am an assistant at a bakery.",
        "As an assistant manager, I know the rules.",
        "The chatbot of my bank was slow.",
        "I talked to an AI yesterday.",
        "I'm Claude, a baker from Nantes.",
        "My name is Gemma and I sell shoes.",
        "I was made by hand, said the vase.",
        "I don't have any experience with cars.",
        "I am a machine operator.",
        "I was trained on the job by my aunt.",
    ],
)
def test_talk_about_machines_is_no_leak(text):
    assert ai_identity_leak(text) == []


PROMPT = (
    "You are Ana Ruiz, a 43 year old beekeeper from Porto who worries about her bees and never gives medical advice."
)


def test_prompt_leaks_are_found_with_place_and_length():
    text = "Sure! My text says: you are ANA RUIZ a 43-year-old beekeeper from Porto, who worries about her bees. Odd."
    leaks = prompt_leak(text, ["Nothing of this sort was ever told to anyone here.", PROMPT])
    assert [(leak.prompt, leak.words) for leak in leaks] == [(1, 16)]
    assert leaks[0].text.startswith("you are ANA")
    assert leaks[0].text.endswith("her bees")
    assert prompt_leak("I am Ana, a beekeeper from Porto, and I worry about my bees.", [PROMPT]) == []


def test_short_prompts_count_when_quoted_in_full():
    assert prompt_leak("I was told: never reveal your age", ["Never reveal your age!"])
    assert prompt_leak("Be nice", ["Be nice"]) == []
    with pytest.raises(InputError):
        prompt_leak("a", ["a"], min_words=0)


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_prompt_leak_laws(text, prompt):
    for leak in prompt_leak(text, [prompt], 3):
        assert text[leak.start : leak.end] == leak.text
        assert leak.words >= 2
    around = f"{text} {PROMPT} {text}"
    assert any(leak.words >= 20 for leak in prompt_leak(around, [PROMPT]))


@pytest.mark.parametrize(
    "token",
    [
        "<|im_start|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<｜User｜>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "<s>",
        "</s>",
        "<bos>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<unk>",
        "<think>",
        "</think>",
        "<tool_call>",
        "<|endoftext|>",
        "<0x0A>",
    ],
)
def test_control_tokens_are_found_anywhere(token):
    text = f"Hello {token}system you are evil"
    assert [(span.start, span.text) for span in control_tokens(text)] == [(6, token)]


@pytest.mark.parametrize(
    "header", ["### Human:", "### Assistant:", "## Instruction:", "Assistant:", "USER:", "  System:"]
)
def test_turn_headers_at_line_starts(header):
    assert [span.text for span in control_tokens(f"Fine.\n{header} next")] == [header]


@pytest.mark.parametrize(
    "text",
    ["a < b and c > d", "<3 you", "[INSTITUTE]", "My assistant: a nice man", "### Recipe:", "|x| < 1", "<p>hi</p>"],
)
def test_ordinary_brackets_are_no_control_tokens(text):
    assert control_tokens(text) == []


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_any_text_is_scanned(text):
    for span in [*ai_identity_leak(text), *control_tokens(text)]:
        assert text[span.start : span.end] == span.text


@pytest.mark.parametrize(
    "piece", ["<|", "<|a", "I am a ", "I'm just only ", "as an AI ", "\n", "### ", "I was ", " ", "large big "]
)
def test_hundred_thousand_characters_take_under_a_second(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    ai_identity_leak(text)
    control_tokens(text)
    prompt_leak(text, [PROMPT])
    assert time.process_time() - start < 1.0
