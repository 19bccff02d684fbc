import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.text import BM25, char_ngrams, tfidf_similarity

ANY_TEXT = st.text(alphabet=st.characters(), max_size=80)
DOCUMENTS = ["the red boat sails", "a blue car", "red red wine and bread and cheese", ""]


def test_scores_equal_the_formula_written_out():
    index = BM25(DOCUMENTS, k1=1.5, b=0.6)
    lengths = [4, 3, 7, 0]
    mean = sum(lengths) / 4
    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))

    def part(tf, length):
        return idf * tf * 2.5 / (tf + 1.5 * (0.4 + 0.6 * length / mean))

    assert index.scores("RED") == pytest.approx([part(1, 4), 0, part(2, 7), 0])
    assert index.scores("red red") == pytest.approx(2 * index.scores("red"))
    assert index.idf("red") == pytest.approx(idf)


def test_ranking():
    index = BM25(DOCUMENTS)
    assert index.top("blue car") == [1]
    assert index.top("bread and wine", k=3) == [2]
    assert index.top("nothing known here") == []
    assert len(index) == 4
    assert BM25([]).scores("a").shape == (0,)


@given(st.lists(ANY_TEXT, min_size=1, max_size=6), ANY_TEXT)
@settings(max_examples=80, deadline=None)
def test_scores_are_never_negative_and_follow_the_documents(documents, query):
    scores = BM25(documents).scores(query)
    assert scores.shape == (len(documents),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert BM25(documents[::-1]).scores(query) == pytest.approx(scores[::-1])


@pytest.mark.parametrize(("k1", "b"), [(-1, 0.5), (math.nan, 0.5), (1.2, 1.5)])
def test_bad_constants_are_refused(k1, b):
    with pytest.raises(InputError):
        BM25(["a"], k1=k1, b=b)


def slow_similarity(texts, n):
    grams = [char_ngrams(text, n) for text in texts]
    known = sorted({gram for each in grams for gram in each})
    df = {gram: sum(gram in each for each in grams) for gram in known}
    rows = np.array(
        [
            [
                (1 + math.log(each.count(g))) * (1 + math.log((1 + len(texts)) / (1 + df[g]))) if g in each else 0.0
                for g in known
            ]
            for each in grams
        ]
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def test_similarity_equals_the_plain_computation():
    texts = ["I keep bees on my roof", "She keeps bees in the garden", "Trains are late again", "i keep bees"]
    assert tfidf_similarity(texts) == pytest.approx(slow_similarity(texts, 3), abs=1e-6)


@given(st.lists(ANY_TEXT, max_size=6))
@settings(max_examples=60, deadline=None)
def test_similarity_laws(texts):
    matrix = tfidf_similarity(texts, 2)
    blank = np.array([not char_ngrams(text, 2) for text in texts], dtype=bool)
    assert matrix.shape == (len(texts), len(texts))
    assert np.isnan(matrix).any(axis=1).tolist() == [bool(b or (blank.any())) for b in blank]
    kept = matrix[~blank][:, ~blank]
    assert (kept == kept.T).all()
    assert ((kept >= 0) & (kept <= 1)).all()
    assert (np.diag(kept) == 1).all()


def test_conversations_of_one_person_are_nearest_to_each_other():
    people = ["bees hives honey roof swarm smoke queen", "trains signals rails timetable station whistle"]
    texts = [f"talk {i}: {person} number {i * 7}" for person in people for i in range(5)]
    matrix = tfidf_similarity(texts)
    np.fill_diagonal(matrix, -1)
    assert [int(i) // 5 for i in matrix.argmax(axis=1)] == [0] * 5 + [1] * 5
