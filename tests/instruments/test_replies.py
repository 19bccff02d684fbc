"""Replies written by hand: what people and models say when they are asked a closed question."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import ResponseOption
from personae.instruments import load_instrument, parse_reply

ACCURACY = load_instrument("ipip50").options
AGREEMENT = tuple(
    ResponseOption(text=t, value=v)
    for v, t in enumerate(("strongly disagree", "disagree", "neutral", "agree", "strongly agree"), start=1)
)

ANSWERS = [
    ("very accurate", 5),
    ("Very accurate.", 5),
    ("  VERY INACCURATE  ", 1),
    ("It is moderately accurate.", 4),
    ("I'd say moderately inaccurate, most days.", 2),
    ("neither accurate nor inaccurate", 3),
    ("Neither accurate nor inaccurate, to be honest.", 3),
    ("**Very accurate**", 5),
    ("“Moderately accurate”", 4),
    ("very-accurate", 5),
    ("This statement is very accurate", 5),
    ("very accurate, very accurate", 5),
    ("Very\naccurate", 5),
    ("4", 4),
    ("4.", 4),
    ("(4)", 4),
    ("[2]", 2),
    ("5!", 5),
    ("Answer: 4", 4),
    ("My answer is 2.", 2),
    ("I would rate it a 3", 3),
    ("Rating = 1", 1),
    ("I'd give it 5 out of 5", 5),
    ("4/5", 4),
    ("four", 4),
    ("I'd say a two.", 2),
    ("4 - moderately accurate", 4),
    ("5 (very accurate)", 5),
    ("4, because I like people.", 4),
    ("As an AI I have no body, but I'd say moderately accurate.", 4),
    ("I have 2 or 3 close friends, so very inaccurate.", 1),
    ("I moved here 5 years ago. Very accurate.", 5),
    ("I am not one for parties, so: very inaccurate", 1),
    ("I'm sorry, but very inaccurate.", 1),
    ("No, very inaccurate", 1),
    ("I am uncomfortable around people: very inaccurate", 1),
    ("I can't help worrying. Very accurate.", 5),
    ("a score of 4", 4),
]
REFUSALS = [
    "I cannot answer that.",
    "I can't rate statements about myself.",
    "I’m not able to answer this question.",
    "I am unable to provide an answer.",
    "I prefer not to say.",
    "I'd rather not.",
    "As an AI language model, I don't have personal experiences.",
    "I am just a language model.",
    "I do not have feelings or opinions.",
    "I decline to respond.",
    "No comment.",
    "I'm sorry, but I can't assist with that.",
    "I'm not comfortable answering this.",
]
UNPARSED = [
    "",
    "   ",
    "...",
    "accurate",
    "inaccurate",
    "very",
    "yes",
    "I love parties!",
    "not very accurate",
    "It isn't very accurate.",
    "I wouldn't say it is very accurate.",
    "That is hardly very accurate",
    "anything but moderately accurate",
    "I cannot say whether it is very accurate",
    "very accurate or moderately accurate",
    "somewhere between moderately inaccurate and moderately accurate",
    "Very accurate. No, actually very inaccurate.",
    "very inaccurate, moderately inaccurate, neither accurate nor inaccurate, moderately accurate, very accurate",
    "3-4",
    "3 or 4",
    "between 2 and 3",
    "4-5, moderately accurate",
    "3.5",
    "0",
    "7",
    "-4",
    "10/10",
    "1. very accurate",
    "5 - very inaccurate",
    "I have 2 children.",
    "5 years ago I was outgoing.",
    "We met at 4 in the afternoon",
    "1 2 3 4 5",
    "My answer is 4. My answer is 2.",
    "I decline to answer, though very accurate fits.",
    "maybe",
    "strongly agree",
]


def test_there_are_enough_replies():
    assert len(ANSWERS) + len(REFUSALS) + len(UNPARSED) >= 60


@pytest.mark.parametrize(("reply", "value"), ANSWERS)
def test_answers_are_read(reply, value):
    parsed = parse_reply(reply, ACCURACY)
    assert (parsed.status, parsed.value) == ("ok", float(value)), parsed
    assert ACCURACY[parsed.option].value == value


@pytest.mark.parametrize("reply", REFUSALS)
def test_refusals_are_refusals(reply):
    parsed = parse_reply(reply, ACCURACY)
    assert (parsed.status, parsed.value, parsed.option) == ("refused", None, None), parsed


@pytest.mark.parametrize("reply", UNPARSED)
def test_the_rest_is_unparsed_with_a_reason(reply):
    parsed = parse_reply(reply, ACCURACY)
    assert (parsed.status, parsed.value, parsed.option) == ("unparsed", None, None), parsed
    assert parsed.reason


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("agree", 4), ("I strongly agree", 5), ("Disagree.", 2), ("strongly disagree", 1), ("I agree", 4),
        ("neutral", 3), ("I don't agree", None), ("I neither agree nor disagree", None), ("agreed", None),
        ("I do not strongly agree", None),
    ],
)  # fmt: skip
def test_an_option_inside_another_is_not_found(reply, value):
    assert parse_reply(reply, AGREEMENT).value == value


def test_a_repeated_item_is_not_an_answer():
    options = (ResponseOption(text="shy", value=1), ResponseOption(text="bold", value=2))
    assert parse_reply("I am shy. Bold.", options).status == "unparsed"
    assert parse_reply("I am shy. Bold.", options, item="I am shy.").value == 2


def test_a_repeated_prefix_is_not_an_answer():
    options = (ResponseOption(text="no", value=0), ResponseOption(text="yes", value=1))
    assert parse_reply("Is it a yes: no", options, prefix="Is it a yes:").value == 0


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_value_of_the_scale_or_none_with_a_reason(text):
    parsed = parse_reply(text, ACCURACY)
    if parsed.status == "ok":
        assert parsed.value in {1, 2, 3, 4, 5}
        assert ACCURACY[parsed.option].value == parsed.value
    else:
        assert parsed.value is None
        assert parsed.reason


@given(
    st.sampled_from(ACCURACY),
    st.sampled_from(["{}", "{}.", "I'd say {}", "My answer: {}!", '"{}"', "Well... {}, I think"]),
)
@settings(max_examples=60, deadline=None)
def test_every_option_is_found_in_plain_sentences(option, frame):
    assert parse_reply(frame.format(option.text), ACCURACY).value == option.value
    assert parse_reply(frame.format(f"{option.value:g}"), ACCURACY).value in {option.value, None}
