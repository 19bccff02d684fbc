"""n-grams of a corpus as numbers, and self-BLEU beside a plain one written out."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import corpus_grams, distinct_n, ngrams, self_bleu, words

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=8).map(" ".join), min_size=1, max_size=6)


def plain_bleu(texts, place, n):
    own, others = words(texts[place]), [words(t) for k, t in enumerate(texts) if k != place and words(t)]
    if len(own) < n or not others:
        return math.nan
    logs = 0.0
    for order in range(1, n + 1):
        counts = Counter(ngrams(own, order))
        best = Counter()
        for other in others:
            best |= Counter(ngrams(other, order))
        matched = sum(min(c, best[g]) for g, c in counts.items())
        if order == 1 and not matched:
            return 0.0
        logs += math.log((matched or 0.1) / max(1, sum(counts.values()))) / n
    nearest = min((abs(len(o) - len(own)), len(o)) for o in others)[1]
    return math.exp(logs + (1 - nearest / len(own) if len(own) < nearest else 0))


@given(TEXTS, st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_self_bleu_is_that_of_the_papers(texts, n):
    found = self_bleu(texts, n)
    expected = [plain_bleu(texts, k, n) for k in range(len(texts))]
    assert found == pytest.approx(np.array(expected), nan_ok=True)


@given(TEXTS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_numbered_grams_are_the_grams(texts, n):
    grams = corpus_grams(texts, n)
    said = [(k, gram) for k, text in enumerate(texts) for gram in ngrams(words(text), n)]
    assert grams.owner.tolist() == [k for k, _ in said]
    assert len(set(zip(grams.codes.tolist(), [g for _, g in said], strict=True))) == grams.kinds
    assert len({g for _, g in said}) == grams.kinds
    if said:
        assert distinct_n(texts, n).value == grams.kinds / len(said)


def test_copies_score_one_and_strangers_little():
    assert self_bleu(["one two three four"] * 2, 4).tolist() == [1.0, 1.0]
    assert self_bleu(["a b c d", "e f g h"], 2).tolist() == [0.0, 0.0]
    assert np.isnan(self_bleu(["a b c d"], 2)).all()
    assert self_bleu([], 2).size == 0
    with pytest.raises(InputError):
        self_bleu(["a"], 0)
