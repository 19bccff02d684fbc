"""Near-copies in a whole corpus: lexical by MinHash and exact Jaccard, semantic by exact cosine inside strata."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from personae.core import Frozen, InputError
from personae.text import (
    BandCounts,
    ShingleCounts,
    Shingles,
    banded_pairs,
    hash_text,
    pair_jaccard,
    shingle_bands,
    shingle_batches,
    shingle_minhash,
)

Pairs = NDArray[np.int64]
Vectors = NDArray[np.float32]
Hashes = NDArray[np.uint64]

EQUAL: Final = 1
LEXICAL: Final = 2
SEMANTIC: Final = 4
"""Bits of `DuplicateReport.found_by`."""

_ROWS: Final = 16_384
_BLOCK: Final = 2048
_PAIRS: Final = 512
"""Pairs computed again at once: their rows stay in the processor's cache (2 MiB)."""

_PAIR_LIMIT: Final = 2_000_000
"""Pairs of one stratum beyond which the threshold tells nobody apart."""

_SLACK: Final = 1e-4
"""How far single-precision products may lie from the cosine; what is nearer the threshold is computed again."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


class LexicalRule(Frozen):
    """When two texts are lexical near-copies, and how they are looked for.

    The similarity is the Jaccard index of their sets of word n-grams. The defaults were measured by
    `benchmarks/bench_dedup.py`.
    """

    threshold: float = Field(default=0.4, gt=0, le=1)
    """Jaccard similarity from which two texts are near-copies"""
    n: int = Field(default=2, ge=1, le=8)
    """words in a shingle"""
    permutations: int = Field(default=192, ge=1, le=1024)
    bands: int = Field(default=48, ge=1)
    """of permutations / bands columns each; similarity s is seen with probability 1 − (1 − s^columns)^bands"""
    frequent: float = Field(default=0.5, gt=0, le=1)
    """shingles of more than this share of the texts (and of more than 20) do not count; 1: all count"""
    seed: int = 0

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.permutations % self.bands:
            raise ValueError(f"{self.bands} bands do not divide {self.permutations} permutations: choose a divisor")
        return self

    @property
    def floor(self) -> float:
        """Estimate below which a pair is not verified: 3.5 standard errors under the threshold."""
        return self.threshold - 3.5 * float(np.sqrt(self.threshold * (1 - self.threshold) / self.permutations))


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """Near-copies of a corpus as arrays.

    Attributes:
        texts: How many texts (or vectors) were compared.
        pairs: Positions, first < second, sorted, shape (pairs, 2). Of texts that are equal, only the first stands in
            a pair with each other near-copy of them: enough to know who loses.
        similarity: Jaccard or cosine, shape (pairs,); the larger one where both methods found the pair.
        found_by: EQUAL, LEXICAL, SEMANTIC as bits, shape (pairs,).
        thresholds: Method and threshold.
        copies: Texts equal to an earlier one.
        candidates: Pairs that were compared.
        crowded: Buckets that held too many texts to compare all; their members were compared with neighbours only.
        skipped: Pairs of such buckets that were not compared there.
    """

    texts: int
    pairs: Pairs
    similarity: NDArray[np.float64]
    found_by: NDArray[np.uint8]
    thresholds: tuple[tuple[str, float], ...]
    copies: int = 0
    candidates: int = 0
    crowded: int = 0
    skipped: int = 0

    @property
    def losers(self) -> NDArray[np.int64]:
        """Positions to drop or draw again, ascending: see `losers`."""
        return losers(self.pairs)

    def merged(self, other: DuplicateReport) -> DuplicateReport:
        """The pairs of both reports on the same texts.

        Where equal texts stand in different strata, one that stays may still equal another: `resolve` looks again.

        Raises:
            InputError: they are on different numbers of texts.
        """
        if self.texts != other.texts:
            raise InputError(f"reports on {self.texts} and {other.texts} texts cannot be merged, expected one corpus.")
        pairs, place = _unique_pairs(np.concatenate([self.pairs, other.pairs]), self.texts)
        similarity, found_by = np.zeros(len(pairs)), np.zeros(len(pairs), dtype=np.uint8)
        np.maximum.at(similarity, place, np.concatenate([self.similarity, other.similarity]))
        np.bitwise_or.at(found_by, place, np.concatenate([self.found_by, other.found_by]))
        return DuplicateReport(
            self.texts, pairs, similarity, found_by,
            tuple(dict.fromkeys([*self.thresholds, *other.thresholds])),
            max(self.copies, other.copies), self.candidates + other.candidates,
            self.crowded + other.crowded, self.skipped + other.skipped,
        )  # fmt: skip


def losers(pairs: Pairs) -> NDArray[np.int64]:
    """Who has to go so that no pair is left, ascending.

    Position by position: a text loses when it is a near-copy of an earlier one that stays. The order of `pairs` does
    not matter, and what stays is the same as if the texts had come one by one.
    """
    if not len(pairs):
        return np.zeros(0, dtype=np.int64)
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    order = np.argsort(high, kind="stable")
    lost: set[int] = set()
    for first, second in zip(low[order].tolist(), high[order].tolist(), strict=True):
        if first not in lost:
            lost.add(second)
    return np.array(sorted(lost), dtype=np.int64)


def lexical_duplicates(
    texts: Iterable[str],
    rule: LexicalRule | None = None,
    *,
    strata: ArrayLike | None = None,
    most: int = 128,
    reach: int = 16,
) -> DuplicateReport:
    """Near-copies by their words: MinHash bands propose, the exact Jaccard index decides.

    The texts are read once, as a stream; about five bytes a word are kept, and 600 bytes a text. Which pairs are found
    does not depend on the order of the texts. Texts equal but for case, punctuation and white space are collapsed
    first. A text without words matches nothing.

    Args:
        texts: any iterable.
        rule: similarity and search; None: the defaults.
        strata: whole number per text; only texts of one stratum are compared. None: all are.
        most: largest bucket of which all pairs are compared; beyond, see `DuplicateReport.crowded`.
        reach: neighbours that a member of a crowded bucket is compared with.

    Source: Broder 1997; banding after Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, §3.4. Frequent shingles
        are left out, which is ours.

    Raises:
        InputError: `strata` has another length than `texts`.
    """
    rule = rule or LexicalRule()
    sets = _kept_sets(texts, rule)
    codes = codes_of(strata, len(sets))
    first = _first_equal(sets.wholes ^ mixed_codes(codes), sets.wholes != 0)
    rows = np.flatnonzero((first == np.arange(len(sets))) & (sets.wholes != 0))
    keys, sketch = sign(sets, rows, rule)
    keys ^= mixed_codes(codes[rows])
    told = BandCounts()
    parts, values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
    for block in banded_pairs(keys, most=most, reach=reach, order=sets.wholes[rows], counts=told):
        likely = rows[block[resembles(sketch, sketch, block, rule)]]
        likely = likely[codes[likely[:, 0]] == codes[likely[:, 1]]]
        exact = pair_jaccard(sets, sets, likely)
        parts.append(likely[exact >= rule.threshold])
        values.append(exact[exact >= rule.threshold])
    return _report(
        first, np.concatenate(parts), np.concatenate(values), LEXICAL,
        f"Jaccard of word {rule.n}-grams", rule.threshold, told,
    )  # fmt: skip


def semantic_duplicates(
    vectors: Vectors, strata: ArrayLike | None = None, threshold: float = 0.95, *, centre: bool = False
) -> DuplicateReport:
    """All pairs inside a stratum whose cosine is at least `threshold`: exact, by blocked matrix products.

    Needs memory for one stratum in single precision and 2,048 of its rows of products. Rows of zeros match nothing.

    Args:
        vectors: shape (texts, dimensions), any length each.
        strata: whole number per text; None: all are one stratum.
        threshold: smallest cosine of a pair.
        centre: subtract the mean of the stratum first. Long texts of one kind all point one way; what is left is
            what sets them apart.

    Raises:
        InputError: shapes that do not fit, a value that is no number, a threshold outside (0, 1], or one so low that
            a stratum has more than two million pairs.
    """
    table = np.asarray(vectors)
    if table.ndim != 2:
        raise InputError(f"vectors of shape {table.shape!r} cannot be compared, expected (texts, dimensions).")
    if not 0 < threshold <= 1:
        raise InputError(f"threshold {threshold!r} is not usable, expected a cosine above 0 and at most 1.")
    codes = codes_of(strata, len(table))
    order = np.argsort(codes, kind="stable").astype(np.int64)
    first = np.arange(len(table), dtype=np.int64)
    parts, values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
    told = BandCounts()
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        if len(rows) < 2:
            continue
        unit = unit_vectors(table[rows], centre=centre)
        filled: NDArray[np.bool_] = np.asarray(unit.any(axis=1))
        own = _first_equal(row_hashes(unit), filled)
        first[rows] = rows[own]
        chosen = np.flatnonzero((own == np.arange(len(rows))) & filled)
        pairs, cosines = near_vectors(unit[chosen], None, threshold)
        told.candidates += chosen.size * (chosen.size - 1) // 2
        parts.append(rows[chosen[pairs]])
        values.append(cosines)
    return _report(first, np.concatenate(parts), np.concatenate(values), SEMANTIC, "cosine", threshold, told)


def near_vectors(unit: Vectors, others: Vectors | None, threshold: float) -> tuple[Pairs, NDArray[np.float64]]:
    """Pairs (row of `unit`, row of `others`) of at least this cosine, and cosines; None: inside `unit`, once each.

    Products are taken in single precision, those near the threshold again in double: blocks cannot change a pair.

    Raises:
        InputError: there are more than two million of them.
    """
    other = unit if others is None else others
    squares = [np.einsum("ij,ij->i", t, t, dtype=np.float64) for t in (unit, other)]
    parts, values, found = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)], 0
    for low in range(0, len(unit), _BLOCK):
        start = low if others is None else 0
        close = unit[low : low + _BLOCK] @ other[start:].T >= np.float32(threshold - _SLACK)
        found += np.count_nonzero(close) - (len(close) if others is None else 0)
        if found > _PAIR_LIMIT:
            raise InputError(
                f"more than {_PAIR_LIMIT:,} pairs of {len(unit):,} vectors have a cosine of {threshold:g} or more: "
                "at this threshold they are not near-copies but all alike.",
                hint="Raise the threshold, or take `centre=True`: long texts of one kind all point one way.",
            )
        left, right = np.nonzero(close)
        block = np.stack([left + low, right + start], axis=1)
        if others is None:
            block = block[block[:, 0] < block[:, 1]]
        for place in range(0, len(block), _PAIRS):
            part = block[place : place + _PAIRS]
            a, b = unit[part[:, 0]].astype(np.float64), other[part[:, 1]].astype(np.float64)
            cosine = np.einsum("ij,ij->i", a, b) / np.sqrt(squares[0][part[:, 0]] * squares[1][part[:, 1]])
            parts.append(part[cosine >= threshold])
            values.append(cosine[cosine >= threshold])
    return np.concatenate(parts), np.minimum(np.concatenate(values), 1.0)


def sign(sets: Shingles, rows: NDArray[np.int64], rule: LexicalRule) -> tuple[Hashes, NDArray[np.uint8]]:
    """Band keys, shape (bands, rows), and the low byte of every minimum, shape (rows, permutations)."""
    keys = np.empty((rule.bands, rows.size), dtype=np.uint64)
    sketch = np.empty((rows.size, rule.permutations), dtype=np.uint8)
    for low in range(0, rows.size, _ROWS):
        chosen = slice(low, low + _ROWS)
        minima = shingle_minhash(sets.take(rows[chosen]), rule.permutations, seed=rule.seed)
        keys[:, chosen] = shingle_bands(minima, rule.bands)
        sketch[chosen] = minima.astype(np.uint8)
    return keys, sketch


def resembles(
    first: NDArray[np.uint8], second: NDArray[np.uint8], pairs: Pairs, rule: LexicalRule
) -> NDArray[np.bool_]:
    """Which pairs may be near-copies by their bytes; chance agreement of 1 in 256 is allowed for.

    Source: b-bit minwise hashing (Li & König 2010).
    """
    out = np.empty(len(pairs), dtype=bool)
    need = rule.permutations * (rule.floor + (1 - rule.floor) / 256)
    for low in range(0, len(pairs), 32_768):
        block = pairs[low : low + 32_768]
        same = first[block[:, 0]] == second[block[:, 1]]
        out[low : low + 32_768] = np.count_nonzero(same, axis=1) >= need
    return out


def _kept_sets(texts: Iterable[str], rule: LexicalRule) -> Shingles:
    """The sets of all texts in one growing array, frequent shingles dropped in place at the end."""
    hashes, sizes, wholes = np.zeros(1 << 16, dtype=np.uint32), list[NDArray[np.int64]](), list[Hashes]()
    counts, used = ShingleCounts(), 0
    for part in shingle_batches(texts, rule.n):
        size = part.hashes.size
        if used + size > hashes.size:
            hashes.resize(max(used + size, hashes.size + hashes.size // 4), refcheck=False)
        hashes[used : used + size] = part.hashes
        used += size
        sizes.append(np.diff(part.edges))
        wholes.append(part.wholes)
        if rule.frequent < 1:
            counts.add(part)
    hashes.resize(used, refcheck=False)
    edges = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes]))]).astype(np.int64)
    sets = Shingles(hashes, edges, np.concatenate([np.zeros(0, np.uint64), *wholes]))
    banned = counts.frequent(rule.frequent)
    return _drop(sets, banned) if banned.any() else sets


def _drop(sets: Shingles, banned: NDArray[np.bool_]) -> Shingles:
    edges, used = [0], 0
    for low in range(0, len(sets), _ROWS):
        kept = sets.take(np.arange(low, min(low + _ROWS, len(sets)))).without(banned)
        sets.hashes[used : used + kept.hashes.size] = kept.hashes  # never longer than what stood there
        edges.extend((kept.edges[1:] + used).tolist())
        used += kept.hashes.size
    hashes = sets.hashes
    hashes.resize(used, refcheck=False)
    return Shingles(hashes, np.array(edges, dtype=np.int64), sets.wholes)


def codes_of(strata: ArrayLike | None, size: int, name: str = "strata") -> NDArray[np.int64]:
    """One whole number per text; zeros when None."""
    if strata is None:
        return np.zeros(size, dtype=np.int64)
    codes = np.asarray(strata)
    if codes.shape != (size,):
        raise InputError(f"{name} of shape {codes.shape!r} given, expected one per text: ({size},).")
    if codes.size and codes.dtype.kind not in "iu":
        raise InputError(
            f"{name} of type {codes.dtype} given, expected whole numbers.",
            hint="np.unique(labels, return_inverse=True)[1] gives them.",
        )
    return codes.astype(np.int64)


def _first_equal(hashes: Hashes, filled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Position of the first item with the same hash; its own where not `filled`."""
    first = np.arange(hashes.size, dtype=np.int64)
    rows = np.flatnonzero(filled)
    _, where, inverse = np.unique(hashes[rows], return_index=True, return_inverse=True)
    first[rows] = rows[where[inverse]]
    return first


def row_hashes(unit: Vectors) -> Hashes:
    """64-bit hash of each row's bits."""
    bits = np.ascontiguousarray(unit).view(np.uint32)
    factors = np.array([hash_text(f"column {k}") | 1 for k in range(unit.shape[1])], dtype=np.uint64)
    out = np.zeros(len(unit), dtype=np.uint64)
    for column, factor in enumerate(factors):
        mixed = (bits[:, column].astype(np.uint64) ^ factor) * factor
        out += mixed ^ (mixed >> np.uint64(29))
    return out


def unit_vectors(vectors: NDArray[np.floating], *, centre: bool = False) -> Vectors:
    """Rows of unit length, minus their mean first when `centre`; rows of zeros stay."""
    wide = vectors.astype(np.float64)
    if not np.isfinite(wide).all():
        raise InputError("vectors hold a value that is no finite number, expected finite ones.")
    if centre:
        zero = ~wide.any(axis=1)
        wide -= wide.mean(axis=0)
        wide[zero] = 0
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    wide /= np.where(norms > 0, norms, 1.0)[:, None]
    return wide.astype(np.float32)


def mixed_codes(codes: NDArray[np.int64]) -> Hashes:
    """A 64-bit word per stratum, 0 for stratum 0."""
    return codes.astype(np.uint64) * _GOLDEN


def _unique_pairs(pairs: Pairs, size: int) -> tuple[Pairs, NDArray[np.int64]]:
    codes, place = np.unique(pairs[:, 0] * max(size, 1) + pairs[:, 1], return_inverse=True)
    return np.stack([codes // max(size, 1), codes % max(size, 1)], axis=1), place.astype(np.int64)


def _report(
    first: NDArray[np.int64], pairs: Pairs, values: NDArray[np.float64], bit: int, method: str, threshold: float,
    told: BandCounts,
) -> DuplicateReport:  # fmt: skip
    """Pairs among the firsts, and what follows from them for the texts that equal a first."""
    copies = np.flatnonzero(first != np.arange(first.size))
    every, all_values = [pairs, np.stack([first[copies], copies], axis=1)], [values, np.ones(copies.size)]
    copies = copies[np.argsort(first[copies], kind="stable")]
    owners = first[copies]
    for near, own in ((0, 1), (1, 0)):  # each near-copy of a first is one of the first's copies too
        low = np.searchsorted(owners, pairs[:, own], side="left")
        many = np.searchsorted(owners, pairs[:, own], side="right") - low
        place = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
        every.append(np.stack([np.repeat(pairs[:, near], many), copies[place]], axis=1))
        all_values.append(np.repeat(values, many))
    bits = np.full(sum(map(len, every)), bit, dtype=np.uint8)
    bits[len(pairs) : len(pairs) + copies.size] |= EQUAL
    joined = np.sort(np.concatenate(every), axis=1)
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    return DuplicateReport(
        first.size, joined[order], np.concatenate(all_values)[order], bits[order], ((method, threshold),),
        copies.size, told.candidates, told.crowded, told.skipped,
    )  # fmt: skip
