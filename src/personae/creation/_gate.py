"""The gate: who may join a corpus without being a near-copy of somebody in it, one by one or a whole corpus at once."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from personae.core import CorruptRunError, InputError, VersionError, naming_errors
from personae.creation._dedup import (
    Hashes,
    LexicalRule,
    Pairs,
    Vectors,
    codes_of,
    mixed_codes,
    near_vectors,
    resembles,
    row_hashes,
    sign,
    unit_vectors,
)
from personae.creation._gate_index import BandIndex, Rows
from personae.text import ShingleCounts, Shingles, banded_pairs, join_shingles, pair_jaccard, shingle_batches

Floats: TypeAlias = NDArray[np.float64]
Indexes: TypeAlias = NDArray[np.int64]

_SCHEMA: Final = 1
_SAMPLE: Final = 20_000
TextsOf: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[str]]
"""Persons k and attempts, both shape (m,), to m texts. A text depends on its own k and attempt alone."""


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the gate says of each newcomer.

    Attributes:
        accepted: Whether nothing accepted before is a near-copy, shape (newcomers,).
        rival: Label of the earliest accepted near-copy, −1 where there is none.
        similarity: Jaccard or cosine to it, NaN where there is none.
    """

    accepted: NDArray[np.bool_]
    rival: NDArray[np.int64]
    similarity: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Signed:
    """Newcomers: their sets, band keys of shape (bands, texts), and sketches of shape (texts, permutations)."""

    sets: Shingles
    keys: Hashes
    sketch: NDArray[np.uint8]

    @classmethod
    def of(cls, sets: Shingles, rule: LexicalRule) -> Self:
        return cls(sets, *sign(sets, np.arange(len(sets), dtype=np.int64), rule))

    def take(self, rows: Indexes) -> Self:
        return type(self)(self.sets.take(rows), self.keys[:, rows], self.sketch[rows])


class Gate:
    """Accepted texts, to be asked whether new ones are near-copies of any of them.

    Newcomers are judged in order: each against all accepted before it, those of the same batch included. So one by one
    and in batches of any size give the same answers. Equal texts, lexical near-copies (`LexicalRule`) and, where
    vectors are given, semantic ones of the same stratum are turned away. A text without words is never a near-copy.

    Keeps four bytes per word n-gram and about 800 bytes a text; vectors come on top.
    """

    def __init__(
        self, rule: LexicalRule | None = None, *, cosine: float | None = None, sample: Sequence[str] = ()
    ) -> None:
        """An empty gate.

        Args:
            rule: lexical similarity and search.
            cosine: smallest cosine of a semantic near-copy; then every newcomer needs its vector.
            sample: texts of the corpus, by which `rule.frequent` is judged; without them all n-grams count.
        """
        if cosine is not None and not 0 < cosine <= 1:
            raise InputError(f"cosine {cosine!r} is not usable, expected above 0 and at most 1.")
        self.rule = rule or LexicalRule()
        self.cosine = cosine
        self._banned: NDArray[np.bool_] | None = None
        if len(sample) and self.rule.frequent < 1:
            counts = ShingleCounts()
            for part in shingle_batches(sample, self.rule.n):
                counts.add(part)
            banned = counts.frequent(self.rule.frequent)
            self._banned = banned if banned.any() else None
        self._hashes: Rows[np.uint32] = Rows(np.uint32)
        self._edges: Rows[np.int64] = Rows.of(np.int64, np.zeros(1, dtype=np.int64))
        self._wholes: Rows[np.uint64] = Rows(np.uint64)
        self._labels: Rows[np.int64] = Rows(np.int64)
        self._sketch: Rows[np.uint8] = Rows(np.uint8, self.rule.permutations)
        self._index = BandIndex(self.rule.bands)
        self._vectors: dict[int, tuple[Rows[np.float32], Rows[np.int64]]] = {}  # stratum: vectors, positions

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of all accepted, in the order in which they came."""
        return self._labels.all.copy()

    def ask(
        self, texts: Sequence[str], *, vectors: Vectors | None = None, strata: ArrayLike | None = None
    ) -> GateAnswer:
        """What `offer` would answer; nothing is accepted. Rivals inside the batch are named by −2 − their place."""
        unit, codes = self._checked(len(texts), vectors, strata)
        return self._judge(self._newcomers(texts), unit, codes)

    def offer(
        self,
        texts: Sequence[str],
        *,
        labels: ArrayLike | None = None,
        vectors: Vectors | None = None,
        strata: ArrayLike | None = None,
    ) -> GateAnswer:
        """Accept those that are no near-copies.

        Args:
            texts: newcomers in order.
            labels: whole number per text, such as k, to name rivals by; None: how many were accepted before it.
            vectors: shape (texts, dimensions); needed when the gate has a `cosine`.
            strata: whole number per text; vectors are compared inside a stratum. None: all are one.

        Raises:
            InputError: lengths that do not fit, or vectors missing.
        """
        unit, codes = self._checked(len(texts), vectors, strata)
        named = None if labels is None else codes_of(labels, len(texts), "labels")
        come = self._newcomers(texts)
        found = self._judge(come, unit, codes)
        chosen = np.flatnonzero(found.accepted)
        places = np.full(len(texts), -1, dtype=np.int64)
        places[chosen] = len(self) + np.arange(chosen.size)
        names = places if named is None else named
        inside = found.rival <= -2
        found.rival[inside] = names[-2 - found.rival[inside]]
        self._accept(come.take(chosen), names[chosen], None if unit is None else unit[chosen], codes[chosen])
        return found

    def save(self, path: Path) -> Path:
        """Write everything accepted to one `.npz` file (arrays only); the old file stays until the new one is whole."""
        head = {"schema": _SCHEMA, "rule": self.rule.model_dump(mode="json"), "cosine": self.cosine}
        arrays: dict[str, NDArray[np.generic]] = {
            "head": np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            "banned": np.zeros(0, np.int64) if self._banned is None else np.flatnonzero(self._banned),
            "hashes": self._hashes.all, "ends": self._edges.all[1:],
            "wholes": self._wholes.all, "labels": self._labels.all,
        }  # fmt: skip
        for code, (vectors, positions) in self._vectors.items():
            arrays[f"vectors {code}"], arrays[f"positions {code}"] = vectors.all, positions.all
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with naming_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    np.savez(file, **arrays)  # type: ignore[arg-type]
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """The gate as it was saved; what it answers from here on is the same.

        Raises:
            CorruptRunError: the file is damaged, or not one of a gate.
            VersionError: another release wrote it.
            StorageError: it cannot be read.
        """
        try:
            with naming_errors(path), path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            head = json.loads(stored["head"].tobytes())
            if head["schema"] != _SCHEMA:
                raise VersionError(
                    f"{path}: gate of schema {head['schema']!r}, this release reads {_SCHEMA}.", hint="Make it again."
                )
            gate = cls(LexicalRule.model_validate(head["rule"]), cosine=head["cosine"])
            ends = stored["ends"].astype(np.int64)
            edges = np.concatenate([[0], ends])
            if edges[-1] != stored["hashes"].size or not ends.size == stored["wholes"].size == stored["labels"].size:
                raise ValueError("lengths do not fit")  # noqa: TRY301 - becomes the error below
            if stored["banned"].size:
                gate._banned = np.zeros(ShingleCounts().table.size, dtype=bool)
                gate._banned[stored["banned"]] = True
            sets = Shingles(stored["hashes"], edges, stored["wholes"])
            gate._accept(_Signed.of(sets, gate.rule), stored["labels"], None, None)
            for name in (n for n in stored if n.startswith("vectors ")):
                code = int(name.removeprefix("vectors "))
                gate._vectors[code] = (
                    Rows.of(np.float32, stored[name]), Rows.of(np.int64, stored[f"positions {code}"]),
                )  # fmt: skip
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError, IndexError, ValidationError) as error:
            raise CorruptRunError(
                f"{path}: this is no gate, or a damaged one ({error}).", hint="Delete it and offer the texts again."
            ) from error
        return gate

    def _newcomers(self, texts: Sequence[str]) -> _Signed:
        sets = join_shingles(list(shingle_batches(texts, self.rule.n)))
        return _Signed.of(sets if self._banned is None else sets.without(self._banned), self.rule)

    def _checked(
        self, size: int, vectors: Vectors | None, strata: ArrayLike | None
    ) -> tuple[Vectors | None, NDArray[np.int64]]:
        codes = codes_of(strata, size)
        if self.cosine is None:
            return None, codes
        if vectors is None or np.ndim(vectors) != 2 or len(vectors) != size:
            raise InputError(
                f"this gate compares cosines: vectors of shape ({size}, dimensions) expected, got "
                f"{None if vectors is None else np.shape(vectors)!r}.",
                hint="Encode the texts, or make the gate without `cosine`.",
            )
        return unit_vectors(vectors), codes

    def _accept(
        self, come: _Signed, labels: NDArray[np.int64], unit: Vectors | None, codes: NDArray[np.int64] | None
    ) -> None:
        sets, start = come.sets, len(self)
        if not len(sets):
            return
        filled = np.flatnonzero(sets.wholes)
        self._index.add(come.keys[:, filled], start + filled)
        self._edges.add(len(self._hashes) + sets.edges[1:])
        self._hashes.add(sets.hashes)
        self._wholes.add(sets.wholes)
        self._labels.add(labels)
        self._sketch.add(come.sketch)
        if unit is None or codes is None:
            return
        for code in np.unique(codes).tolist():
            own = np.flatnonzero(codes == code)
            if code not in self._vectors:
                self._vectors[code] = (Rows(np.float32, unit.shape[1]), Rows(np.int64))
            vectors, positions = self._vectors[code]
            vectors.add(unit[own])
            positions.add(start + own)

    def _judge(self, come: _Signed, unit: Vectors | None, codes: NDArray[np.int64]) -> GateAnswer:
        """Near-copies among the accepted and inside the batch, then newcomer by newcomer."""
        sets = come.sets
        size = len(sets)
        rival, similarity = np.full(size, -1, dtype=np.int64), np.full(size, np.nan)
        same = sets.wholes if unit is None else sets.wholes ^ row_hashes(unit) ^ mixed_codes(codes)
        old, old_values, new, new_values = self._lexical(come, same)
        if unit is not None and self.cosine is not None:
            more = self._semantic(unit, codes, self.cosine)
            old, old_values = np.concatenate([old, more[0]]), np.concatenate([old_values, more[1]])
            new, new_values = np.concatenate([new, more[2]]), np.concatenate([new_values, more[3]])
        order = np.lexsort((-old_values, old[:, 0], old[:, 1]))[::-1]
        rival[old[order, 1]] = old[order, 0]  # the last written, so the earliest accepted, stays
        similarity[old[order, 1]] = old_values[order]
        turned = rival >= 0
        rival[turned] = self._labels.all[rival[turned]]
        lost = turned.tolist()
        order = np.lexsort((-new_values, new[:, 0], new[:, 1]))
        for (first, second), value in zip(new[order].tolist(), new_values[order].tolist(), strict=True):
            if not lost[first] and not lost[second]:
                lost[second], rival[second], similarity[second] = True, -2 - first, value
        return GateAnswer(~np.array(lost, dtype=bool), rival, similarity)

    def _lexical(self, come: _Signed, same: Hashes) -> tuple[Pairs, NDArray[np.float64], Pairs, NDArray[np.float64]]:
        """Near pairs (accepted position, newcomer) and (earlier newcomer, newcomer), with their similarities.

        Newcomers with the same hash in `same` are equal in all that is looked at: the first stands for all.
        """
        sets = come.sets
        filled = np.flatnonzero(sets.wholes)
        _, where, inverse = np.unique(same[filled], return_index=True, return_inverse=True)
        rows = filled[np.sort(where)]
        keys, sketch = come.keys[:, rows], come.sketch[rows]
        stored = Shingles(self._hashes.all, self._edges.all, self._wholes.all)
        old, old_values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
        for block in self._index.pairs(keys):
            likely = block[resembles(self._sketch.all, sketch, block, self.rule)]
            likely = np.unique(likely, axis=0)
            named = np.stack([likely[:, 0], rows[likely[:, 1]]], axis=1)
            exact = pair_jaccard(stored, sets, named)
            old.append(named[exact >= self.rule.threshold])
            old_values.append(exact[exact >= self.rule.threshold])
        new, new_values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
        for block in banded_pairs(keys):
            likely = rows[block[resembles(sketch, sketch, block, self.rule)]]
            exact = pair_jaccard(sets, sets, likely)
            new.append(likely[exact >= self.rule.threshold])
            new_values.append(exact[exact >= self.rule.threshold])
        firsts = filled[where[inverse]]
        copies = np.flatnonzero(firsts != filled)
        every, values = np.concatenate(old), np.concatenate(old_values)
        more, more_values = _spread(every, values, firsts[copies], filled[copies])
        return (
            np.concatenate([every, more]),
            np.concatenate([values, more_values]),
            *_copied(np.concatenate(new), np.concatenate(new_values), firsts[copies], filled[copies]),
        )

    def _semantic(
        self, unit: Vectors, codes: NDArray[np.int64], cosine: float
    ) -> tuple[Pairs, NDArray[np.float64], Pairs, NDArray[np.float64]]:
        old, old_values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
        new, new_values = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0)]
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero((codes == code) & unit.any(axis=1))
            pairs, values = near_vectors(unit[rows], None, cosine)
            new.append(rows[pairs])
            new_values.append(values)
            if code in self._vectors:
                vectors, positions = self._vectors[code]
                pairs, values = near_vectors(unit[rows], vectors.all, cosine)
                old.append(np.stack([positions.all[pairs[:, 1]], rows[pairs[:, 0]]], axis=1))
                old_values.append(values)
        return np.concatenate(old), np.concatenate(old_values), np.concatenate(new), np.concatenate(new_values)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A corpus without near-copies.

    Attributes:
        attempts: Which attempt of each person stays, shape (n,).
        exhausted: Persons whose every attempt was a near-copy, ascending; their `attempts` entry is the last tried.
        redrawn: How many lost in each round.
        gate: Holds all that stay, labelled by k.
    """

    attempts: NDArray[np.int64]
    exhausted: NDArray[np.int64]
    redrawn: tuple[int, ...]
    gate: Gate


def resolve(
    texts_of: TextsOf,
    n: int,
    rule: LexicalRule | None = None,
    *,
    cosine: float | None = None,
    vectors_of: Callable[[Sequence[str]], Vectors] | None = None,
    strata: ArrayLike | None = None,
    most_attempts: int = 20,
    batch: int = 20_000,
) -> Resolved:
    """Draw again whoever is a near-copy, until nobody is: a function of the whole corpus.

    Round r judges, in the order of k, attempt r of those who lost before, against all who stay. Of two near-copies the
    later k loses, whoever stays is never drawn again, and `batch` changes nothing but memory.

    Args:
        texts_of: writes attempts; called with k ascending.
        n: persons 0 to n − 1.
        rule: lexical similarity; frequent n-grams are judged by attempt 0 of the first 20,000 persons.
        cosine: semantic near-copies too, from this cosine on; needs `vectors_of`.
        vectors_of: encodes texts.
        strata: whole number per person; vectors are compared inside a stratum.
        most_attempts: who loses this often is given up, and named.
        batch: persons written and judged at once.

    Raises:
        InputError: `cosine` without `vectors_of`, lengths that do not fit, or another number of texts than asked for.
    """
    if most_attempts < 1 or batch < 1:
        raise InputError(f"most_attempts {most_attempts!r} and batch {batch!r} given, expected at least 1 each.")
    if cosine is not None and vectors_of is None:
        raise InputError("a cosine needs vectors: give `vectors_of`.")
    codes = codes_of(strata, n)
    head = np.arange(min(n, _SAMPLE), dtype=np.int64)
    sample = texts_of(head, np.zeros_like(head)) if (rule or LexicalRule()).frequent < 1 and n else ()
    gate = Gate(rule, cosine=cosine, sample=sample)
    attempts, open_, redrawn = np.zeros(n, dtype=np.int64), np.arange(n, dtype=np.int64), list[int]()
    for attempt in range(most_attempts):
        lost = [np.zeros(0, dtype=np.int64)]
        attempts[open_] = attempt
        for low in range(0, open_.size, batch):
            k = open_[low : low + batch]
            texts = texts_of(k, np.full_like(k, attempt))
            if len(texts) != k.size:
                raise InputError(f"texts_of gave {len(texts)} texts for {k.size} persons, expected one each.")
            vectors = vectors_of(texts) if vectors_of is not None and cosine is not None else None
            found = gate.offer(texts, labels=k, vectors=vectors, strata=codes[k])
            lost.append(k[~found.accepted])
        open_ = np.concatenate(lost)
        if not open_.size:
            break
        redrawn.append(open_.size)
    return Resolved(attempts, open_, tuple(redrawn), gate)


def _spread(pairs: Pairs, values: Floats, firsts: Indexes, copies: Indexes, own: int = 1) -> tuple[Pairs, Floats]:
    """Pairs in which a first (column `own`) is replaced by each of its copies, which comes second."""
    order = np.argsort(pairs[:, own], kind="stable")
    owners = pairs[order, own]
    low = np.searchsorted(owners, firsts, side="left")
    many = np.searchsorted(owners, firsts, side="right") - low
    place = order[np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)]
    return np.stack([pairs[place, 1 - own], np.repeat(copies, many)], axis=1), values[place]


def _copied(pairs: Pairs, values: Floats, firsts: Indexes, copies: Indexes) -> tuple[Pairs, Floats]:
    """Pairs of newcomers and what follows for copies: only firsts are accepted, so pairs with a first are enough."""
    left, left_values = _spread(pairs, values, firsts, copies, 0)
    right, right_values = _spread(pairs, values, firsts, copies, 1)
    every = np.concatenate([pairs, left, right, np.stack([firsts, copies], axis=1)])
    return np.sort(every, axis=1), np.concatenate([values, left_values, right_values, np.ones(copies.size)])
