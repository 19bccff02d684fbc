"""Crafting: the template is the facts; a model's words are taken only when the facts stand in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from personae.core import EndpointError, InputError, Names, Persona, ReplyError, Social
from personae.creation import Crafted, craft, craft_description, craft_faults, craft_messages, fallback_counts
from personae.models import Completion, FinishReason, GenerateRequest, Generation, Usage

ANA = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse", gender="woman"))
GOOD = "You are Ana Reis, 58 years old, and you work as a nurse on a quiet ward. You like strong coffee."


@dataclass
class Scripted:
    """Says the given lines one after the other; an exception is raised."""

    lines: Sequence[str | Exception]
    finish_reason: FinishReason = "stop"
    asked: list[GenerateRequest] = field(default_factory=list)

    async def generate(self, request: GenerateRequest) -> Generation:
        self.asked.append(request)
        line = self.lines[len(self.asked) - 1]
        if isinstance(line, Exception):
            raise line
        return Generation((Completion(line, self.finish_reason, 20),), Usage(), call=f"c{len(self.asked)}")


def made(model: Any, **options: Any) -> Crafted:
    return asyncio.run(craft_description(model, ANA, 7, **options))


def test_the_template_is_the_second_person_rendering() -> None:
    assert craft(ANA) == ANA.render("self", "second_person")
    assert craft_faults(ANA, craft(ANA)) is None


def test_good_words_are_taken() -> None:
    model = Scripted([f"  {GOOD}\n"])
    assert made(model) == Crafted(GOOD, "model", 1, (), ("c1",))
    (request,) = model.asked
    assert "Ana Reis" in request.messages[1].content
    assert request.messages == craft_messages(ANA)
    assert request.tags["persona"] == ANA.id


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("You are 58 years old and work as a nurse.", "name_missing"),
        ("You are Ana Reis and work as a nurse.", "age_missing"),
        ("You are Ana Reis, 58, once 30 years old, a nurse.", "other_age"),
        ("You are Ana Reis, 58, a baker.", "occupation_missing"),
        ("Ana Reis is a nurse, 58.", "not_second_person"),
        (f"As an AI language model: {GOOD}", "meta_talk"),
        (f"Sure! {GOOD}", "meta_talk"),
        (f"{GOOD}<|im_end|>", "meta_talk"),
        (GOOD + " You wait." * 300, "too_long"),
        ("You are Ana Reisner, 58, a nurse.", "name_missing"),
        ("You are Ana Reis, 158, a nurse.", "age_missing"),
    ],
)
def test_faults(text: str, reason: str) -> None:
    assert craft_faults(ANA, text) == reason


def test_an_aircraft_mechanic_is_no_ai() -> None:
    person = Persona(names=Names(full="Bo Li"), social=Social(age=40, occupation="aircraft mechanic"))
    assert craft_faults(person, craft(person)) is None
    assert craft_faults(person, f"As an AI, I say: {craft(person)}") == "meta_talk"


def test_second_attempt_then_template_with_counted_reasons() -> None:
    second = made(Scripted(["You are Ana.", GOOD]))
    assert (second.writer, second.attempts, second.reasons, second.reason) == ("model", 2, ("name_missing",), None)
    model = Scripted(["", ReplyError("nothing usable"), "You are Ana."])
    third = made(model, attempts=3)
    assert (third.text, third.writer, third.reason) == (craft(ANA), "template", "name_missing")
    assert third.reasons == ("empty", "unusable_reply", "name_missing")
    assert len({request.seed for request in model.asked}) == 3
    assert fallback_counts([second, third]) == {
        "model": 1, "refused: empty": 1, "refused: name_missing": 2, "refused: unusable_reply": 1, "template": 1,
    }  # fmt: skip


def test_text_that_hit_the_token_limit_is_refused() -> None:
    assert made(Scripted([GOOD, GOOD], finish_reason="length")).reasons == ("cut_off", "cut_off")


def test_transport_failures_pass_through_and_bad_calls_are_refused() -> None:
    with pytest.raises(EndpointError):
        made(Scripted([EndpointError("down", transient=True)]))
    with pytest.raises(InputError, match="attempts is 0"):
        made(Scripted([]), attempts=0)
