"""Near-copies of a corpus: what is found, who goes, and that nothing depends on order or batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import CorruptRunError, InputError, VersionError, derive_rng
from personae.creation import Gate, LexicalRule, lexical_duplicates, losers, resolve, semantic_duplicates
from personae.creation._dedup import sign
from personae.text import Shingles, jaccard, shingle_bands, shingle_minhash, shingle_sets
from personae.text._hashing import mix, stream

VOCABULARY = [a + b for a in "bdfgklmnprst" for b in ("an", "ert", "olin", "ute", "ish", "aro", "end", "ilk", "ump")]
SMALL = st.lists(
    st.lists(st.sampled_from(["ann", "bob", "cat", "dog", "eel", "fox"]), max_size=7).map(" ".join), max_size=14
)


def words_of(seed: int, size: int = 60) -> list[str]:
    rng = derive_rng(seed, "words")
    return [VOCABULARY[i] + VOCABULARY[j] for i, j in rng.integers(0, len(VOCABULARY), (size, 2))]


def edited(tokens: list[str], share: float, seed: int) -> list[str]:
    """Substituted, inserted and deleted words in equal parts."""
    rng = derive_rng(seed, "edits")
    out: list[str] = []
    places = set(rng.choice(len(tokens), max(1, round(share * len(tokens))), replace=False).tolist())
    for place, word in enumerate(tokens):
        kind = int(rng.integers(3)) if place in places else 3
        new = words_of(int(rng.integers(1 << 40)), 1)
        out += [new, [word, *new], [], [word]][kind]
    return out


def corpus(size: int, share: float, seed: int = 0) -> list[str]:
    """`size` texts, then a near-copy of each."""
    originals = [words_of(seed + k) for k in range(size)]
    return [" ".join(t) for t in originals] + [" ".join(edited(t, share, seed + k)) for k, t in enumerate(originals)]


def brute(texts: list[str], threshold: float, n: int) -> set[tuple[int, int]]:
    return {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if float(jaccard(texts[i], texts[j], n, unit="word")) >= threshold
    }


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in pairs}


def sequential(pairs: set[tuple[int, int]], size: int) -> list[int]:
    kept: list[int] = []
    for k in range(size):
        if not any((a, k) in pairs for a in kept):
            kept.append(k)
    return [k for k in range(size) if k not in kept]


@pytest.mark.parametrize(("share", "recall"), [(0.05, 0.99), (0.1, 0.99), (0.2, 0.9)])
def test_planted_copies_are_found_and_others_are_not(share: float, recall: float) -> None:
    report = lexical_duplicates(corpus(150, share))
    planted = {(k, 150 + k) for k in range(150)}
    assert len(as_set(report.pairs) & planted) >= recall * 150
    assert not as_set(report.pairs) - planted
    assert report.thresholds == (("Jaccard of word 2-grams", 0.4),)


def test_pairs_do_not_depend_on_the_order_of_the_texts() -> None:
    texts = corpus(80, 0.1) + corpus(10, 0.05) + ["", "  ", "one two", "One, two!"]
    expected = brute([t for t in texts if t.strip()], 0.4, 2)
    order = derive_rng(5, "order").permutation(len(texts))
    here, there = lexical_duplicates(texts), lexical_duplicates(iter([texts[k] for k in order]))
    assert here.copies == there.copies == 11
    assert len(here.losers) == len(there.losers)
    named = {tuple(sorted(texts[k] for k in pair)) for pair in as_set(here.pairs)}
    assert named == {tuple(sorted(texts[order[k]] for k in pair)) for pair in as_set(there.pairs)}
    kept = [texts[k] for k in sorted(set(range(len(texts))) - set(here.losers.tolist()))]
    assert not brute([t for t in kept if t.strip()], 0.4, 2)
    assert len(expected) >= len(here.losers)


def test_frequent_shingles_do_not_count_and_a_mode_is_still_found() -> None:
    form = " ".join(words_of(999, 30))
    texts = [f"{form} {' '.join(words_of(k, 31))}" for k in range(120)]
    assert not len(lexical_duplicates(texts, LexicalRule(threshold=0.3)).pairs)
    counted = lexical_duplicates(texts, LexicalRule(threshold=0.3, frequent=1.0, bands=192))
    assert len(counted.pairs) > 7000
    mode = words_of(7)
    copies = [" ".join(edited(mode, 0.05, k)) for k in range(100)]  # every second text says the same
    assert len(lexical_duplicates([t for pair in zip(copies, texts, strict=False) for t in pair]).losers) >= 99


def test_crowded_buckets_are_reported_and_cost_little() -> None:
    mode = words_of(3, 80)
    texts = [" ".join([*mode, *words_of(1000 + k, 6)]) for k in range(400)]
    report = lexical_duplicates(texts, most=32, reach=4)
    assert report.crowded > 0
    assert report.skipped > 10_000
    assert report.candidates < 400 * 4 * 48
    assert len(report.losers) > 300
    shuffled = lexical_duplicates(texts[::-1], most=32, reach=4)
    assert as_set(399 - shuffled.pairs[:, ::-1]) == as_set(report.pairs)


def test_only_texts_of_one_stratum_are_compared() -> None:
    texts = corpus(20, 0.05)
    strata = np.arange(40) % 20
    strata[30:] += 100
    assert as_set(lexical_duplicates(texts, strata=strata).pairs) == {(k, 20 + k) for k in range(10)}


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)).filter(lambda p: p[0] != p[1]), max_size=40))
@settings(max_examples=100, deadline=None)
def test_losers_are_those_of_one_by_one(pairs: list[tuple[int, int]]) -> None:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    lost = losers(table).tolist()
    assert lost == losers(table[::-1, ::-1]).tolist() == sequential({(min(p), max(p)) for p in pairs}, 16)
    kept = set(range(16)) - set(lost)
    assert not any(a in kept and b in kept for a, b in pairs)


def vectors_for_tests(size: int, seed: int = 1) -> np.ndarray:
    rng = derive_rng(seed, "vectors")
    base = rng.normal(size=(size // 3 + 1, 8))
    table = base[rng.integers(0, len(base), size)] + 0.1 * rng.normal(size=(size, 8))
    table[::7] = table[0]
    table[3] = 0
    return table.astype(np.float32)


@pytest.mark.parametrize("centre", [False, True])
def test_semantic_pairs_are_exact(centre: bool) -> None:
    table = vectors_for_tests(90)
    strata = derive_rng(2, "s").integers(0, 3, 90)
    report = semantic_duplicates(table, strata, 0.95, centre=centre)
    wide = table.astype(np.float64)
    if centre:
        for s in range(3):
            wide[strata == s] -= wide[strata == s].mean(axis=0)
        wide[3] = 0
    norms = np.linalg.norm(wide, axis=1)
    expected = {
        (i, j)
        for j in range(90)
        for i in range(j)
        if strata[i] == strata[j] and norms[i] and norms[j] and wide[i] @ wide[j] / norms[i] / norms[j] >= 0.95
    }
    assert as_set(report.pairs) <= expected
    assert report.losers.tolist() == sequential(expected, 90)
    assert report.copies > 0
    order = derive_rng(3, "o").permutation(90)
    moved = semantic_duplicates(table[order], strata[order], 0.95, centre=centre)
    assert len(moved.pairs) == len(report.pairs) or report.copies  # equal rows stand behind another first
    kept = sorted(set(range(90)) - set(moved.losers.tolist()))
    assert not any((min(a, b), max(a, b)) in expected for a in order[kept] for b in order[kept] if a != b)


def test_blocks_of_products_do_not_change_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    table = vectors_for_tests(200, seed=4)
    whole = semantic_duplicates(table, None, 0.98)
    assert len(whole.pairs) > 10
    monkeypatch.setattr("personae.creation._dedup._BLOCK", 7)
    monkeypatch.setattr("personae.creation._dedup._PAIRS", 3)
    small = semantic_duplicates(table, None, 0.98)
    assert np.array_equal(whole.pairs, small.pairs)
    assert np.array_equal(whole.similarity, small.similarity)


def test_reports_merge() -> None:
    texts = corpus(6, 0.05)
    table = np.eye(12, dtype=np.float32)
    table[5] = table[2]
    table[6] = table[0]
    both = lexical_duplicates(texts).merged(semantic_duplicates(table, None, 0.9))
    assert as_set(both.pairs) == {(k, 6 + k) for k in range(6)} | {(2, 5)}
    assert dict(zip(map(tuple, both.pairs.tolist()), both.found_by.tolist(), strict=True))[(0, 6)] == 2 | 4 | 1
    assert both.losers.tolist() == [5, 6, 7, 8, 9, 10, 11][: len(both.losers)] or 11 not in both.losers
    with pytest.raises(InputError, match="one corpus"):
        both.merged(lexical_duplicates(["a"]))


@given(SMALL, st.integers(1, 5), st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_a_gate_answers_the_same_in_batches_and_one_by_one(texts: list[str], batch: int, n: int) -> None:
    rule = LexicalRule(n=n, threshold=0.5, permutations=64, bands=64)
    single, many = Gate(rule), Gate(rule)
    first = [single.offer([t], labels=[10 + k]) for k, t in enumerate(texts)]
    parts = [
        many.offer(texts[low : low + batch], labels=10 + np.arange(low, min(low + batch, len(texts))))
        for low in range(0, len(texts), batch)
    ]
    for name in ("accepted", "rival", "similarity"):
        one = [getattr(answer, name)[0] for answer in first]
        assert np.array_equal(one, [v for answer in parts for v in getattr(answer, name)], equal_nan=True), name
    assert single.labels.tolist() == many.labels.tolist()


def test_a_gate_is_the_same_as_the_report_on_the_whole() -> None:
    texts = corpus(120, 0.1) + corpus(30, 0.05)
    whole = lexical_duplicates(texts, LexicalRule(frequent=1.0))
    gate = Gate()
    for low in range(0, len(texts), 70):
        gate.offer(texts[low : low + 70])
    assert gate.labels.size == len(gate) == len(texts) - whole.losers.size
    assert not gate.ask(texts).accepted.any()
    assert gate.ask(texts[:1]).rival.tolist() == [0]


def test_sorted_runs_hold_what_was_added(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(150, 0.1)
    plain = Gate()
    expected = plain.offer(texts)
    monkeypatch.setattr("personae.creation._gate_index._TAIL", 5)
    for batch in (3, 40):
        gate = Gate()
        got = [gate.offer(texts[low : low + batch]).accepted for low in range(0, 300, batch)]
        assert np.array_equal(np.concatenate(got), expected.accepted)


@pytest.mark.parametrize("batch", [1, 4, 60])
def test_a_gate_with_vectors_judges_in_order(batch: int) -> None:
    table, strata = vectors_for_tests(60), derive_rng(2, "s").integers(0, 2, 60)
    texts = [" ".join(words_of(k % 50, 20)) for k in range(60)]
    gate, whole = Gate(cosine=0.95), Gate(cosine=0.95)
    expected = whole.offer(texts, vectors=table, strata=strata)
    got = [
        gate.offer(texts[i : i + batch], vectors=table[i : i + batch], strata=strata[i : i + batch])
        for i in range(0, 60, batch)
    ]
    assert np.array_equal(np.concatenate([g.accepted for g in got]), expected.accepted)
    assert 5 < expected.accepted.sum() < 50
    pairs = as_set(lexical_duplicates(texts).pairs) | as_set(semantic_duplicates(table, strata, 0.95).pairs)
    assert np.flatnonzero(~expected.accepted).tolist() == sequential(pairs, 60)


def test_a_saved_gate_goes_on_where_it_was(tmp_path) -> None:
    texts, table = corpus(40, 0.1), vectors_for_tests(80)
    gate = Gate(LexicalRule(seed=3), cosine=0.97, sample=texts)
    gate.offer(texts[:50], labels=np.arange(100, 150), vectors=table[:50])
    again = Gate.load(gate.save(tmp_path / "deep" / "gate.npz"))
    a = gate.offer(texts[50:], vectors=table[50:])
    b = again.offer(texts[50:], vectors=table[50:])
    assert np.array_equal(a.accepted, b.accepted)
    assert np.array_equal(a.rival, b.rival)
    assert gate.labels.tolist() == again.labels.tolist()
    assert again.rule == gate.rule
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["gate.npz"]


def test_a_damaged_gate_is_refused(tmp_path) -> None:
    gate = Gate()
    gate.offer(corpus(5, 0.1))
    path = gate.save(tmp_path / "gate.npz")
    whole = path.read_bytes()
    for broken in (b"", b"no archive", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(CorruptRunError, match="gate"):
            Gate.load(path)
    np.savez(path, head=np.frombuffer(b'{"schema": 9}', dtype=np.uint8))
    with pytest.raises(VersionError, match="schema 9"):
        Gate.load(path)


def writer(vary: int):
    """Every third person says what another one says, until the attempt named by `vary`."""

    def texts_of(k: np.ndarray, attempts: np.ndarray) -> list[str]:
        return [
            " ".join(words_of(int(p) % 7 if p % 3 == 0 and a < vary else int(p) + 1000 * int(a) + 50))
            for p, a in zip(k, attempts, strict=True)
        ]

    return texts_of


def test_a_corpus_is_redrawn_until_nobody_is_a_copy() -> None:
    done = resolve(writer(2), 60)
    assert done.exhausted.size == 0
    assert len(done.redrawn) == 2
    assert set(done.attempts.tolist()) == {0, 2}
    texts = writer(2)(np.arange(60), done.attempts)
    assert not len(lexical_duplicates(texts).pairs)
    for batch in (1, 7, 59):
        other = resolve(writer(2), 60, batch=batch)
        assert other.attempts.tolist() == done.attempts.tolist()
        assert sorted(other.gate.labels.tolist()) == list(range(60))


def test_who_cannot_be_told_apart_is_named() -> None:
    done = resolve(writer(99), 60, most_attempts=3)
    assert done.redrawn == (13, 13, 13)
    assert len(done.exhausted) == 13
    assert all(k % 3 == 0 for k in done.exhausted)
    assert not set(done.exhausted.tolist()) & set(done.gate.labels.tolist())


def test_bad_arguments_are_refused() -> None:
    table = np.eye(3, dtype=np.float32)
    for call, says in (
        (lambda: lexical_duplicates(["a"], strata=[0, 1]), "one per text"),
        (lambda: lexical_duplicates(["a"], strata=["x"]), "whole numbers"),
        (lambda: semantic_duplicates(table[0]), "texts, dimensions"),
        (lambda: semantic_duplicates(table, None, 1.5), "cosine above 0"),
        (lambda: semantic_duplicates(table * np.nan), "no finite number"),
        (lambda: Gate(cosine=2), "cosine 2"),
        (lambda: Gate(cosine=0.9).offer(["a"]), "vectors of shape"),
        (lambda: Gate().offer(["a"], labels=[1, 2]), "labels of shape"),
        (lambda: resolve(writer(0), 3, cosine=0.9), "vectors_of"),
        (lambda: resolve(lambda k, a: ["x"], 3), "one each"),
        (lambda: resolve(writer(0), 3, batch=0), "at least 1"),
    ):
        with pytest.raises(InputError, match=says):
            call()
    with pytest.raises(ValueError, match="do not divide"):
        LexicalRule(permutations=10, bands=3)


def test_nothing_is_a_corpus_too() -> None:
    assert lexical_duplicates([]).losers.size == 0
    assert semantic_duplicates(np.zeros((0, 4), dtype=np.float32)).texts == 0
    assert Gate().offer([]).accepted.size == 0
    assert resolve(writer(0), 0).attempts.size == 0
    assert Gate().offer(["", ""]).accepted.all()


def test_a_threshold_that_tells_nobody_apart_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personae.creation._dedup._PAIR_LIMIT", 500)
    alike = derive_rng(1, "alike").normal(size=(60, 8)) + 20
    with pytest.raises(InputError, match="centre=True"):
        semantic_duplicates(alike.astype(np.float32), None, 0.9)
    assert len(semantic_duplicates(alike.astype(np.float32), None, 0.9, centre=True).pairs) < 500


@pytest.mark.parametrize("cells", [1, 7, 1 << 15])
def test_minima_are_those_of_the_formula_in_blocks_of_any_size(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personae.text._shingles._CELLS", cells)
    rng = derive_rng(1, "minima")
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 50, size)) for size in (0, 1, 2, 40, 0, 3, 90, 0)]
    sets = shingle_sets(texts, 2)
    found = shingle_minhash(sets, 12, seed=5)
    constants = [int(c) for c in stream(5, 24)]
    for row in range(len(texts)):
        own = [int(h) for h in sets.hashes[sets.edges[row] : sets.edges[row + 1]]]
        for column in range(12):
            factor, shift = constants[column] | 1, constants[12 + column]
            expected = min((((h * factor + shift) % 2**64) >> 32 for h in own), default=2**32 - 1)
            assert found[row, column] == expected
    keys = shingle_bands(found, 4)
    for band in range(4):
        for row in range(len(texts)):
            key = np.array([band], dtype=np.uint64)
            for column in range(3 * band, 3 * band + 3):
                key = mix(key ^ np.uint64(found[row, column]))
            assert keys[band, row] == key[0]


def test_a_gate_signs_a_newcomer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[int] = []

    def counted(sets: Shingles, rows: np.ndarray, rule: LexicalRule) -> tuple[np.ndarray, np.ndarray]:
        signed.append(len(rows))
        return sign(sets, rows, rule)

    monkeypatch.setattr("personae.creation._gate.sign", counted)
    gate = Gate()
    texts = ["one two three four", "", "one two three four", "five six seven eight"]
    assert gate.offer(texts).accepted.tolist() == [True, True, False, True]
    assert gate.offer(["Five six seven eight!"]).rival.tolist() == [2]
    assert signed == [4, 1]
