import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import derive_rng
from personae.text import ContactKind, find_contacts, passes_iban, passes_luhn, redact

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)

PLANTED = {
    ContactKind.EMAIL: [
        "ann@example.org",
        "first.last+tag@mail.example.co.uk",
        "X_1@sub-domain.example.com",
        "ann (at) example.org",
    ],
    ContactKind.URL: [
        "https://example.org/a?b=c#d",
        "http://10.0.0.1:8080/x",
        "www.example.com",
        "example.org/path",
        "shop.example.de",
    ],
    ContactKind.PHONE: [
        "+1 415 555 0132",
        "(415) 555-0132",
        "415-555-0132",
        "415.555.0132",
        "1-800-555-0199",
        "+44 20 7946 0958",
        "020 7946 0958",
        "+49 (0)30 901820",
        "030/901820",
        "06 12 34 56 78",
        "+33612345678",
        "0049 30 901820",
        "555-0132",
    ],
    ContactKind.CARD: ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "6011000990139424"],
    ContactKind.IBAN: ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "fr1420041010050500013m02606"],
    ContactKind.SSN: ["219-09-9999", "078-05-1120"],
    ContactKind.IP: ["192.168.10.20", "8.8.8.8", "2001:db8::ff00:42:8329"],
    ContactKind.API_KEY: [
        "sk-abcdefghijklmnopqrstuvwxyz0123456789",
        "sk-proj-Ab3_Ab3Ab3Ab3Ab3Ab3Ab3Ab3",
        "ghp_" + "a1B2" * 9,
        "AKIAIOSFODNN7EXAMPLE",
        "hf_" + "AbCdEfGhIj" * 3,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dGhpc2lzbm90cmVhbA",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
}
CLEAN = [
    "We met on 2024-05-12 and again on 12.05.2024, or was it 5/12/2024?",
    "It lasted from 1998-2004, then 2019–2021, and 1914 1918.",
    "In 2019, 2020, 2021 and 2022 prices rose by 3.14159265 %.",
    "The house costs $1,250,000 or 1.250.000 euros, about 12 500 per month.",
    "Version 1.2.3.4 replaced v10.0.0.1 and release 3.11.9.",
    "Order 123456789012 has 3 items at 19.99 each.",
    "At 10:30:45 we ran 42.195 km in 3:59:01.",
    "The ratio is 16:9, scores were 21-19, 19-21 and 15-13.",
    "Read pages 200-1999 of ISBN 978-3-16-148410-0.",
    "My password is too weak, and the login is on the left.",
    "The pin is lost. She is e.g. in Rome, i.e. far away.",
    "I like Node.js, ASP.NET and std::vector.",
    "He came at night.It was cold.So what.",
    "Chapter 4 (1111) and room 555.",
    "Call me in 2024, after 10 years.",
    "The population is 331 449 281 people.",
    "@ann wrote to us @ noon.",
    "12345678",
    "000-12-3456 and 123-45-67890 are no numbers of anyone.",
    "DE89 is a road, GB29 is another.",
    "4111 1111 1111 1112",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PLANTED.items() for text in texts])
def test_planted_contacts_are_found_whole(kind, text):
    for before, after in (("", ""), ("Write it down: ", " is mine."), ("I have (", "), you know"), ("Here:\n", "\nOk")):
        found = find_contacts(f"{before}{text}{after}")
        assert [(span.kind, span.text) for span in found] == [(kind, text)]


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_numbers_and_words_stay(text):
    assert find_contacts(text) == []
    assert redact(text).text == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my password is hunter2!", "hunter2"),
        ("Password: correct-horse_7", "correct-horse_7"),
        ("api_key = 'abc123def456'", "abc123def456"),
        ("The PIN is 4821.", "4821"),
        ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
    ],
)
def test_credentials_give_the_value_only(text, value):
    assert [(span.kind, span.text) for span in find_contacts(text)] == [(ContactKind.CREDENTIAL, value)]


def test_local_numbers_need_a_word_that_says_so():
    assert [span.kind for span in find_contacts("Call me at 234-5678.")] == [ContactKind.PHONE]
    assert find_contacts("We sold 234-5678 of them.") == []


def test_checks():
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
    assert passes_iban("GB29 NWBK 6016 1331 9268 19")
    assert not passes_iban("GB29 NWBK 6016 1331 9268 18")
    assert not passes_iban("ZZ29 NWBK 6016 1331 9268 19")


def test_redaction_types_and_counts():
    result = redact("Mail ann@example.org or bo@example.org, call +1 415 555 0132.")
    assert result.text == "Mail [EMAIL] or [EMAIL], call [PHONE]."
    assert dict(result.counts) == {ContactKind.EMAIL: 2, ContactKind.PHONE: 1}


@given(st.integers(0, 2**32), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_everything_planted_is_redacted_and_nothing_else_changes(seed, count):
    rng = derive_rng(seed, "plant")
    flat = [(kind, text) for kind, texts in PLANTED.items() for text in texts]
    chosen = [flat[int(i)] for i in rng.integers(0, len(flat), size=count)]
    prose = ["I grow tea", "it rained", "see below", "nothing new", "we left early"]
    pieces = [str(rng.choice(prose)) for _ in range(count + 1)]
    text, expected = pieces[0], pieces[0]
    for (kind, planted), piece in zip(chosen, pieces[1:], strict=True):
        text += f"; {planted} ; {piece}"
        expected += f"; [{kind}] ; {piece}"
    result = redact(text)
    assert result.text == expected
    assert sum(result.counts.values()) == count
    assert redact(result.text).counts == {}


@given(ANY_TEXT)
@settings(max_examples=120, deadline=None)
def test_laws_on_any_text(text):
    spans = find_contacts(text)
    assert all(text[span.start : span.end] == span.text for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    once = redact(text)
    assert redact(once.text).text == once.text


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "1",
        "1 ",
        "1-",
        "@",
        "a@",
        "a@b.",
        "DE89 ",
        ":",
        "a:",
        "+1 (",
        "https://",
        "eyJ",
        "1.",
        "www.",
        "sk-a",
        "[",
        "pin is ",
    ],
)
def test_hundred_thousand_characters_take_under_a_second(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    find_contacts(text)
    assert time.process_time() - start < 1.0
