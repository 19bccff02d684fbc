from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, derive_rng
from personae.text import (
    SimHashIndex,
    hamming,
    hash_text,
    jaccard,
    jaccard_estimate,
    minhash_many,
    minhash_pairs,
    simhash,
    simhash_many,
    simhash_pairs,
)

ANY_TEXT = st.text(alphabet=st.characters(), max_size=120)
U64 = st.integers(0, 2**64 - 1)


def planted(count, edited_share, seed):
    """`count` random texts of 60 words, each followed by a copy with some words replaced."""
    rng = derive_rng(seed, "planted")
    vocabulary = ["".join(rng.choice(list("abcdefghiklmnoprstu"), size=rng.integers(3, 9))) for _ in range(2000)]
    texts = []
    for _ in range(count):
        original = list(rng.choice(vocabulary, size=60))
        copy = list(original)
        for place in rng.choice(60, size=max(1, round(60 * edited_share)), replace=False):
            copy[place] = str(rng.choice(vocabulary))
        texts += [" ".join(original), " ".join(copy)]
    return texts


def test_hashes_never_change():
    assert (
        hash_text("persona")
        == int.from_bytes(blake2b(b"persona", digest_size=8).digest(), "little")
        == 5934035037567627716
    )
    assert simhash("the quick brown fox") == 14684004322606478745
    assert minhash_many(["the quick brown fox"], permutations=3)[0].tolist() == [161540686, 624159820, 199192188]


@given(st.lists(ANY_TEXT, max_size=5))
@settings(max_examples=80, deadline=None)
def test_simhash_of_many_is_simhash_of_each(texts):
    many = simhash_many(texts)
    assert [int(value) for value in many] == [simhash(text) for text in texts]
    table = minhash_many(texts, permutations=8)
    for row, text in zip(table, texts, strict=True):
        assert (row == minhash_many([text], permutations=8)[0]).all()


@given(U64, U64, U64)
@settings(max_examples=80, deadline=None)
def test_hamming_is_a_metric(a, b, c):
    assert hamming(a, b) == hamming(b, a) <= 64
    assert (hamming(a, b) == 0) == (a == b)
    assert hamming(a, c) <= hamming(a, b) + hamming(b, c)


@pytest.mark.parametrize("distance", [0, 1, 3, 6])
def test_banded_search_misses_nothing(distance):
    rng = derive_rng(3, "bits", distance)
    base = rng.integers(0, 2**63, size=60, dtype=np.uint64)
    near = base.copy()
    for i in range(near.size):
        for bit in rng.choice(64, size=int(rng.integers(0, distance + 3)), replace=False):
            near[i] ^= np.uint64(1) << np.uint64(bit)
    signatures = np.concatenate([base, near, base[:5]])
    expected = {
        (i, j)
        for i in range(signatures.size)
        for j in range(i + 1, signatures.size)
        if hamming(int(signatures[i]), int(signatures[j])) <= distance
    }
    pairs = simhash_pairs(signatures, distance)
    assert [(p.first, p.second) for p in pairs] == sorted(expected)
    assert all(p.distance == hamming(int(signatures[p.first]), int(signatures[p.second])) for p in pairs)
    index = SimHashIndex(distance)
    for place, signature in enumerate(signatures):
        assert index.near(int(signature)) == sorted(i for i, j in expected if j == place)
        assert index.add(int(signature)) == place
    assert len(index) == signatures.size


def test_small_edits_move_few_bits_and_different_texts_many():
    text = "My landlord keeps the deposit and does not answer any of my letters, although I wrote three times. " * 3
    assert hamming(simhash(text), simhash(text.replace("three", "four", 1))) <= 8
    assert hamming(simhash(text), simhash("An otter sleeps on its back and holds hands with its neighbour. " * 5)) >= 16
    assert simhash("Some TEXT ") == simhash("some text")


def test_minhash_finds_planted_copies_that_simhash_misses():
    texts = planted(150, 0.05, seed=11)
    true = {(2 * i, 2 * i + 1) for i in range(150)}
    found = {(p.first, p.second) for p in minhash_pairs(minhash_many(texts), 0.6)}
    assert len(found & true) / len(true) >= 0.97
    assert len(found - true) <= 1
    near = {(p.first, p.second) for p in simhash_pairs(simhash_many(texts), 3)}
    assert len(near & true) / len(true) < 0.6


def test_jaccard_estimate_is_close_to_the_truth():
    texts = planted(60, 0.15, seed=5)
    signatures = minhash_many(texts, 5, permutations=256)
    errors = [
        jaccard_estimate(signatures[i], signatures[i + 1]) - float(jaccard(texts[i], texts[i + 1], 5))
        for i in range(0, len(texts), 2)
    ]
    assert abs(float(np.mean(errors))) < 0.012  # standard error of the mean is 0.03 / sqrt(60)
    assert float(np.max(np.abs(errors))) < 0.15


def test_blank_texts_match_nothing():
    signatures = minhash_many(["", " \n", "a real text here", "a real text here"])
    assert [(p.first, p.second, p.similarity) for p in minhash_pairs(signatures)] == [(2, 3, 1.0)]
    assert np.isnan(jaccard_estimate(signatures[0], signatures[1]))
    assert simhash("") == 0
    assert minhash_pairs(minhash_many([])) == []
    assert simhash_pairs(simhash_many([])) == []


def test_another_seed_gives_other_signatures_and_the_same_answer():
    texts = ["one two three four five", "one two three four six"]
    first, second = minhash_many(texts, seed=1), minhash_many(texts, seed=2)
    assert (first != second).mean() > 0.95
    assert abs(jaccard_estimate(*first) - jaccard_estimate(*second)) < 0.25


def test_bad_arguments_are_refused():
    signatures = minhash_many(["a"], permutations=8)
    for call in (
        lambda: simhash_pairs(simhash_many(["a"]), 16),
        lambda: SimHashIndex(-1),
        lambda: minhash_pairs(signatures, 0.0, bands=8),
        lambda: minhash_pairs(signatures, 0.5, bands=3),
        lambda: minhash_many(["a"], permutations=0),
        lambda: jaccard_estimate(signatures[0], minhash_many(["a"], permutations=4)[0]),
        lambda: simhash("a", 0),
        lambda: simhash_pairs(np.zeros(7000, dtype=np.uint64), 3),
    ):
        with pytest.raises(InputError):
            call()
