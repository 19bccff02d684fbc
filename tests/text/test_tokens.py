import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import char_ngrams, ngrams, normalise, sentence_spans, sentences, word_spans, words

# All code points, lone surrogates and unassigned ones included.
ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)


def test_words_keep_apostrophes_and_numbers():
    assert words("Don't pay 3.5 € — it’s o'clock, the dogs' bowl!") == [
        "don't",
        "pay",
        "3.5",
        "it's",
        "o'clock",
        "the",
        "dogs",
        "bowl",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße café", ["straße", "café"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("привет, мир", ["привет", "мир"]),
        ("你好吗", ["你", "好", "吗"]),
        ("I ❤️ Brötchen 🥐", ["i", "brötchen"]),
        ("snake_case", ["snake", "case"]),
        ("🥐🥐", []),
        ("", []),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert words(text) == expected


def test_composed_and_decomposed_spelling_give_the_same_words():
    assert words("cafe\u0301") == words("caf\u00e9") == ["caf\u00e9"]
    assert normalise("Cafe\u0301  ") == normalise("CAF\u00c9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Lee came at 5 p.m. on Monday. Really? Yes.", ["Dr. Lee came at 5 p.m. on Monday.", "Really?", "Yes."]),
        ("We met at 5 p.m. Then it rained.", ["We met at 5 p.m.", "Then it rained."]),
        ("I saw J. Smith, e.g. at work. He waved.", ["I saw J. Smith, e.g. at work.", "He waved."]),
        ('"Stop!" she said. He did.', ['"Stop!" she said.', "He did."]),
        (
            "It costs 3.50 today. No. 5 is gone. No. I stay.",
            ["It costs 3.50 today.", "No. 5 is gone.", "No.", "I stay."],
        ),
        ("Well... maybe later. Fine", ["Well... maybe later.", "Fine"]),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("你好。再见。", ["你好。", "再见。"]),
        ("  ", []),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_spans_point_into_the_text(text):
    assert all(text[span.start : span.end] == span.text for span in sentence_spans(text))
    previous = 0
    for span in word_spans(text):
        assert previous <= span.start < span.end <= len(text)
        previous = span.end
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_words_are_lower_case_and_stable(text):
    found = words(text)
    assert all(word == word.lower() and word.strip() == word and word for word in found)
    assert words(" ".join(found)) == found


@given(st.lists(st.integers(), max_size=20), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_ngrams_count_and_content(tokens, n):
    grams = ngrams(tokens, n)
    assert len(grams) == max(0, len(tokens) - n + 1)
    assert all(gram == tuple(tokens[i : i + n]) for i, gram in enumerate(grams))


def test_char_ngrams_are_over_normalised_text():
    assert char_ngrams(" AB\n c", 3) == ["ab ", "b c"]


@pytest.mark.parametrize("call", [lambda: ngrams(["a"], 0), lambda: char_ngrams("a", -1)])
def test_sizes_below_one_are_refused(call):
    with pytest.raises(InputError, match="at least 1"):
        call()


@pytest.mark.parametrize("piece", ["a", "a b. ", "e\u0301\u0316", ".", "don't ", "!?", "'", "\ud800", "1."])
def test_hundred_thousand_characters_take_under_a_second(piece):
    text = piece * (100_000 // len(piece))
    words("warm é")
    start = time.process_time()
    words(text)
    sentences(text)
    normalise(text)
    assert time.process_time() - start < 1.0


def test_combining_flood_does_not_stall():
    text = "a" + "\u0300\u0316" * 50_000
    start = time.process_time()
    assert len(words(text)) == 1
    assert time.process_time() - start < 1.0


WESTERN = st.text(
    st.characters(max_codepoint=0x2FF) | st.sampled_from("\u2010\u2013\u2019\u201c\u201e\u2026\u20ac\u0301\u212b\u0340")
)


@given(WESTERN | st.text())
@settings(max_examples=300)
def test_normalise_is_nfc_folded_and_collapsed(text):
    plain = unicodedata.normalize("NFC", text)
    for mark in "\u2019\u2018\u02bc\u2032\uff07":
        plain = plain.replace(mark, "'")
    assert normalise(text) == re.sub(r"\s+", " ", plain.casefold()).strip()


def test_what_is_taken_for_composed_is_composed():
    for code in (*range(0x300), *range(0x2010, 0x2027)):
        assert unicodedata.is_normalized("NFC", chr(code))
        assert not unicodedata.combining(chr(code))
