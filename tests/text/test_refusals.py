"""Refusals of open text: what refuses, what only sounds like it, and texts that try to take long."""

from __future__ import annotations

import time

import pytest

from personae.text import RefusalKind, refusal


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I'm sorry, but I can't assist with that.", RefusalKind.APOLOGY_CANNOT),
        ("I’m sorry, but I cannot help with this request.", RefusalKind.APOLOGY_CANNOT),
        ("I cannot provide instructions for making weapons.", RefusalKind.CANNOT),
        ("As an AI language model, I cannot have opinions about people.", RefusalKind.AI_CANNOT),
        ("That goes against my guidelines.", RefusalKind.POLICY),
        ("I'd rather not say.", RefusalKind.DECLINES),
        ("I refuse to answer that.", RefusalKind.DECLINES),
    ],
)
def test_refusals_and_how_they_are_made(text: str, kind: RefusalKind) -> None:
    found = refusal(text)
    assert found is not None
    assert found.kind is kind
    assert text[found.start : found.end] == found.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I can't believe it, what a day!",
        "I can't wait to see you on Friday.",
        "I can't help laughing when he says so.",
        "I'm sorry to hear that your dog is ill.",
        'She said, "I cannot help you with that," and closed the door.',
        "I can't make it on Friday, but Saturday is fine.",
        "Sure, here is the recipe: flour, eggs and milk.",
        "My boss would not answer my question, so I left.",
    ],
)
def test_what_only_sounds_like_one(text: str) -> None:
    assert refusal(text) is None


def test_a_person_may_decline_and_a_model_that_refuses_is_something_else() -> None:
    declined, broken = refusal("I'd rather not say."), refusal("I'm sorry, but I can't assist with that.")
    assert declined is not None
    assert broken is not None
    assert declined.personal
    assert not broken.personal


@pytest.mark.parametrize(
    "piece", ["I cannot ", "I'm sorry, ", "as an AI ", '"', "a ", "I can't provide any ", "but ", "\n"]
)
def test_long_hostile_texts_are_read_in_no_time(piece: str) -> None:
    start = time.process_time()
    refusal(piece * 20_000)
    refusal(f"I can't assist with that. {piece * 20_000}")
    assert time.process_time() - start < 2.0
