import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.text import Role, SwapKind, role_swap

ANY_TEXT = st.text(alphabet=st.characters(), max_size=160)


@pytest.mark.parametrize(
    "text",
    [
        "You should talk to your landlord first.",
        "You really need to rest more.",
        "Have you tried writing to him?",
        "Have you considered a second opinion?",
        "I would suggest that we start with a list.",
        "I recommend a long walk.",
        "Why don't you call the union?",
        "If I were you, I would wait.",
        "You could try a smaller pan.",
        "You might want to ask for a receipt.",
        "Make sure you keep the receipt.",
        "Try to breathe slowly.",
        "1. Start by writing down your goals.",
        "My advice would be to wait.",
        "It's important to give yourself breaks.",
        "Well, you have to speak to your boss.",
        "You shouldn't worry so much.",
    ],
)
def test_clients_who_advise(text):
    assert [swap.kind for swap in role_swap(text, Role.CLIENT)] == [SwapKind.ADVICE]
    assert role_swap(text, Role.RESPONDER) == []


@pytest.mark.parametrize(
    "text",
    [
        "Do you think I should talk to my landlord?",
        "What should I do now?",
        "You should know that I am allergic to nuts.",
        "You should have seen my kitchen!",
        "My doctor says you should never skip breakfast.",
        "She told me that you must rest.",
        'They wrote "you should move out" on the door.',
        "You must be tired of my questions.",
        "Tell me more about it, please.",
        "Check my numbers please.",
        "Help me understand this form.",
        "Take a look at this.",
        "I tried to call him, and I made sure to be polite.",
        "Could you recommend a doctor?",
        "Would you suggest that I wait?",
        "Have you ever been to Porto?",
        "I need to talk to someone.",
        "I think it's important to be honest.",
        "The dogs run through rings and you have to direct them.",
        "Should you need more details, I can send them.",
        "Keep in mind that I have two small children.",
    ],
)
def test_clients_who_stay_clients(text):
    assert role_swap(text, Role.CLIENT) == []


@pytest.mark.parametrize(
    "text", ["How can I help you today?", "What brings you here?", "I'm here to help you.", "What can I do for you?"]
)
def test_clients_who_offer_help(text):
    assert [swap.kind for swap in role_swap(text, Role.CLIENT)] == [SwapKind.OFFER]
    assert role_swap(text, Role.RESPONDER) == []


FACTS = ["nurse", "two sons", "Boston", "Maria", "insomnia"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("I am a nurse too.", "nurse"),
        ("I'm an experienced night nurse, so I know.", "nurse"),
        ("As a nurse, I see that every day.", "nurse"),
        ("I’ve been a nurse for ten years.", "nurse"),
        ("I work as a nurse.", "nurse"),
        ("I have two sons.", "two sons"),
        ("My two sons never call.", "two sons"),
        ("I live in Boston.", "Boston"),
        ("My name is Maria.", "Maria"),
        ("Hello, I'm Maria!", "Maria"),
        ("I suffer from insomnia.", "insomnia"),
    ],
)
def test_responders_who_claim_the_clients_facts(text, fact):
    found = role_swap(text, Role.RESPONDER, ["teacher"], FACTS)
    assert [(swap.kind, swap.fact) for swap in found] == [(SwapKind.CLAIMED_FACT, fact)]
    assert all(text[swap.start : swap.end] == swap.text for swap in found)
    assert role_swap(text, Role.RESPONDER, [fact.upper()], [fact]) == []


@pytest.mark.parametrize(
    "text",
    [
        "You are a nurse, so you know.",
        "I'm not a nurse.",
        "If I were a nurse, I would ask.",
        "I wish I was a nurse.",
        "Am I a nurse?",
        "As a nurse, you see that every day.",
        "I'm sorry to hear that, being a nurse is hard.",
        "I'm talking to a nurse tomorrow.",
        'You said "I am a nurse".',
        "You said I am a nurse, which is wrong.",
        "Imagine I am Maria.",
        "I'm glad your two sons visit.",
        "I know Boston well.",
        "I am a nurse's son.",
        "I'm a nursery teacher.",
        "I have a friend who is a nurse.",
        "Hi Maria, I'm glad you called.",
    ],
)
def test_responders_who_stay_themselves(text):
    assert role_swap(text, Role.RESPONDER, ["teacher"], FACTS) == []


def test_clients_can_claim_the_responders_facts_too():
    found = role_swap("I am a counsellor. You should rest.", Role.CLIENT, [], ["counsellor"])
    assert [swap.kind for swap in found] == [SwapKind.CLAIMED_FACT, SwapKind.ADVICE]


@given(ANY_TEXT, st.sampled_from(Role), st.lists(ANY_TEXT, max_size=3), st.lists(ANY_TEXT, max_size=3))
@settings(max_examples=100, deadline=None)
def test_never_fails_points_into_the_text_and_needs_facts(text, role, own, partner):
    turn = f"{text} I am a {partner[0] if partner else text}"
    found = role_swap(turn, role, own, partner)
    assert all(turn[swap.start : swap.end] == swap.text for swap in found)
    if role is Role.RESPONDER:
        assert role_swap(turn, role, own, []) == []
        assert role_swap(turn, role, partner, partner) == []


@pytest.mark.parametrize(
    "piece", ["I am a ", "you should. ", "as a nurse. ", '"', "You should really always ", "you could just "]
)
def test_hundred_thousand_characters_are_quick(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    role_swap(text, Role.CLIENT, [], FACTS)
    assert time.process_time() - start < 1.5
