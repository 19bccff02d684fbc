"""Lexical retrieval and similarity: Okapi BM25 and TF-IDF over character n-grams."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import InputError
from personae.text._tokens import char_ngrams, check_positive, words

Floats = NDArray[np.float64]

_COLUMNS: Final = 4096
"""N-grams multiplied at once: bounds the dense block at documents × 4,096 float32."""


class BM25:
    """Okapi BM25 over a fixed list of documents.

    score(d, q) = Σ over the words t of q of idf(t) · tf · (k1 + 1) / (tf + k1 · (1 − b + b · |d| / mean |d|)), with
    idf(t) = ln(1 + (N − df + 0.5) / (df + 0.5)), never negative. A word repeated in the query counts each time.

    >>> index = BM25(["the red boat", "a blue car", "red red wine"])
    >>> [int(i) for i in index.scores("boat").nonzero()[0]]
    [0]

    Source: Robertson & Zaragoza 2009, eq. 3.15; the +1 inside the logarithm is the common non-negative variant.
    """

    def __init__(self, documents: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> None:
        """Index `documents`.

        Args:
            documents: Texts; their positions are their names.
            k1: How slowly repeated words saturate, 0 or more.
            b: How much long documents are penalised, 0 to 1.

        Raises:
            InputError: `k1` is negative or not finite, or `b` outside 0..1.
        """
        if not (np.isfinite(k1) and k1 >= 0):
            raise InputError(f"k1 {k1!r} is not usable, expected a finite number of at least 0.")
        if not 0 <= b <= 1:
            raise InputError(f"b {b!r} is not usable, expected 0 to 1.")
        self.k1, self.b = k1, b
        lengths = np.zeros(len(documents), dtype=np.float64)
        postings: dict[str, tuple[list[int], list[int]]] = {}
        for position, document in enumerate(documents):
            tokens = words(document)
            lengths[position] = len(tokens)
            for token, count in Counter(tokens).items():
                places, counts = postings.setdefault(token, ([], []))
                places.append(position)
                counts.append(count)
        mean = float(lengths.mean()) if lengths.any() else 1.0
        self._size = len(documents)
        self._discount = k1 * (1 - b + b * lengths / mean)
        self._postings = {
            token: (np.array(places, dtype=np.int64), np.array(counts, dtype=np.float64))
            for token, (places, counts) in postings.items()
        }

    def __len__(self) -> int:
        return self._size

    def idf(self, word: str) -> float:
        """Weight of a lower-case word; words in no document weigh most but score nothing."""
        frequency = self._postings[word][0].size if word in self._postings else 0
        return math.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5))

    def scores(self, query: str) -> Floats:
        """TextScore of every document for `query`, shape (documents,), 0 = no word in common."""
        totals = np.zeros(self._size, dtype=np.float64)
        for token, times in Counter(words(query)).items():
            if token in self._postings:
                places, counts = self._postings[token]
                gains = counts * (self.k1 + 1) / (counts + self._discount[places])
                totals[places] += times * self.idf(token) * gains
        return totals

    def top(self, query: str, k: int = 10) -> list[int]:
        """Positions of the `k` best documents with a score above 0, best first; ties go to the lower position.

        Raises:
            InputError: `k` is below 1.
        """
        check_positive("k", k)
        scores = self.scores(query)
        order = np.argsort(-scores, kind="stable")[:k]
        return [int(i) for i in order if scores[i] > 0]


def tfidf_similarity(texts: Sequence[str], n: int = 3) -> Floats:
    """Cosine similarity of TF-IDF vectors over character `n`-grams, every text with every text.

    tf = 1 + ln(count), idf = 1 + ln((1 + N) / (1 + df)). N-grams of a single text never meet another one, so they enter
    the lengths only. Dense in blocks: meant for up to about 2,000 texts.

    Returns:
        Symmetric, shape (len(texts), len(texts)), values 0 to 1, diagonal 1. Rows and columns of texts without an
        n-gram are NaN.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    counts = [Counter(char_ngrams(text, n)) for text in texts]
    frequency = Counter(gram for count in counts for gram in count)
    size = len(texts)
    idf = {gram: 1 + math.log((1 + size) / (1 + df)) for gram, df in frequency.items()}
    columns = {gram: i for i, gram in enumerate(sorted(gram for gram, df in frequency.items() if df > 1))}
    lengths = np.array([_length(count, idf) for count in counts], dtype=np.float64)
    rows, places, weights = _shared_weights(counts, columns, idf, lengths)
    similarity = np.zeros((size, size), dtype=np.float64)
    order = np.argsort(places, kind="stable")
    rows, places, weights = rows[order], places[order], weights[order]
    for low in range(0, len(columns), _COLUMNS):
        inside = slice(*np.searchsorted(places, [low, low + _COLUMNS]))
        block = np.zeros((size, min(_COLUMNS, len(columns) - low)), dtype=np.float32)
        block[rows[inside], places[inside] - low] = weights[inside]
        similarity += block @ block.T
    similarity = np.clip((similarity + similarity.T) / 2, 0.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    blank = lengths == 0
    similarity[blank, :] = np.nan
    similarity[:, blank] = np.nan
    return similarity


def _length(count: Counter[str], idf: dict[str, float]) -> float:
    return math.sqrt(sum(((1 + math.log(times)) * idf[gram]) ** 2 for gram, times in count.items()))


def _shared_weights(
    counts: Sequence[Counter[str]], columns: dict[str, int], idf: dict[str, float], lengths: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    rows: list[int] = []
    places: list[int] = []
    weights: list[float] = []
    for row, count in enumerate(counts):
        for gram, times in count.items():
            if gram in columns:
                rows.append(row)
                places.append(columns[gram])
                weights.append((1 + math.log(times)) * idf[gram] / lengths[row])
    return np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64), np.array(weights, dtype=np.float64)
