"""n-grams of a whole corpus as numbers, and self-BLEU: how far each text can be put together from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.text._tokens import check_positive, words

_SMALL: Final = 0.1
"""Matches counted where there are none: method 1 of Chen & Cherry 2014, as in the published self-BLEU."""


@dataclass(frozen=True, slots=True)
class CorpusGrams:
    """All word n-grams of a corpus, each occurrence, in order.

    Attributes:
        codes: Equal for equal n-grams, 0 to kinds − 1, shape (occurrences,).
        owner: Position of the text, shape (occurrences,).
        kinds: How many different n-grams there are.
        texts: How many texts.
    """

    codes: NDArray[np.int64]
    owner: NDArray[np.int64]
    kinds: int
    texts: int


def corpus_grams(texts: Sequence[str], n: int = 1) -> CorpusGrams:
    """The word `n`-grams of `texts`, numbered exactly (nothing is hashed). Texts with fewer words have none.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    return _grams([words(text) for text in texts], n)


def self_bleu(texts: Sequence[str], n: int = 2) -> NDArray[np.float64]:
    """BLEU of each text with all others as references, shape (texts,): 1 = said by the others, near 0 = its own.

    Orders 1 to `n` in equal parts, clipped by the largest count in any one other text, brevity penalty by the nearest
    length, an order without a match counted as 0.1 matches. NaN for a text of fewer than `n` words, or without others.
    Grows with the number of texts: compare equal numbers only.

    Source: Zhu et al. 2018 (Texygen), with BLEU of Papineni et al. 2002. Zhu et al. take a sample as references; here
        all of `texts` are.

    Raises:
        InputError: `n` is below 1.
    """
    check_positive("n", n)
    tokens = [words(text) for text in texts]
    sizes = np.array([len(found) for found in tokens], dtype=np.int64)
    usable = np.flatnonzero(sizes >= n)
    scores = np.full(len(texts), np.nan)
    if np.count_nonzero(sizes) < 2 or not usable.size:
        return scores
    logs = np.zeros(len(texts))
    alone = np.zeros(len(texts), dtype=bool)
    for order in range(1, n + 1):
        matched = _clipped(_grams(tokens, order))
        possible = np.maximum(sizes - order + 1, 1)
        logs += np.log(np.where(matched > 0, matched, _SMALL) / possible) / n
        alone |= (matched == 0) if order == 1 else False
    nearest = _nearest_size(sizes)
    penalty = np.where(sizes < nearest, 1 - nearest / np.maximum(sizes, 1), 0.0)
    scores[usable] = np.where(alone, 0.0, np.exp(logs + penalty))[usable]
    return scores


def _grams(tokens: Sequence[list[str]], n: int) -> CorpusGrams:
    sizes = np.array([len(found) for found in tokens], dtype=np.int64)
    total = int(sizes.sum())
    place: dict[str, int] = {}
    ids = np.fromiter(
        (place.setdefault(word, len(place)) for word in chain.from_iterable(tokens)), dtype=np.int64, count=total
    )
    owner = np.repeat(np.arange(len(tokens), dtype=np.int64), sizes)
    left = np.repeat(np.cumsum(sizes), sizes) - np.arange(total)  # words from here to the end of the text
    starts = np.flatnonzero(left >= n)
    codes, kinds = ids[starts], len(place)
    for offset in range(1, n):
        joined = codes * max(len(place), 1) + ids[starts + offset]
        unique, codes = np.unique(joined, return_inverse=True)
        kinds = unique.size
    return CorpusGrams(codes.astype(np.int64), owner[starts], kinds if starts.size else 0, len(tokens))


def _clipped(grams: CorpusGrams) -> NDArray[np.float64]:
    """Per text, its n-grams that the other texts hold as often, shape (texts,)."""
    if not grams.codes.size:
        return np.zeros(grams.texts)
    keys, counts = np.unique(grams.codes * grams.texts + grams.owner, return_counts=True)
    codes, owner = keys // grams.texts, keys % grams.texts
    order = np.lexsort((counts, codes))
    codes, owner, counts = codes[order], owner[order], counts[order]
    last = np.flatnonzero(np.append(codes[1:] != codes[:-1], True))  # the largest count of each n-gram
    first = np.append(0, last[:-1] + 1)
    largest = np.repeat(counts[last], last - first + 1)
    second = np.repeat(np.where(last > first, counts[np.maximum(last - 1, 0)], 0), last - first + 1)
    holder = np.zeros(counts.size, dtype=bool)
    holder[last] = True
    elsewhere = np.where(holder, second, largest)
    return np.bincount(owner, weights=np.minimum(counts, elsewhere), minlength=grams.texts).astype(np.float64)


def _nearest_size(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of the other text whose length is nearest; the shorter one when two are. Blank texts do not count."""
    filled = np.flatnonzero(sizes)
    order = filled[np.argsort(sizes[filled], kind="stable")]
    ordered = sizes[order]
    far = np.int64(1) << 40
    below, above = np.append(-far, ordered[:-1]), np.append(ordered[1:], far)
    out = np.zeros_like(sizes)
    out[order] = np.where(ordered - below <= above - ordered, below, above)
    return out
