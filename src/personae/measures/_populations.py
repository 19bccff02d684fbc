"""Two populations side by side: shares of each variable, and how variables go together in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError, UnknownKeyError
from personae.statistics import association_matrix, pair_table, srmse, total_variation_distance

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 512
"""Distinct values of a variable that can still be compared value by value."""


@dataclass(frozen=True, slots=True, eq=False)
class AssociationMap:
    """Cramér's V of every pair of variables, shape (variables, variables), and how many people it rests on."""

    names: tuple[str, ...]
    v: NDArray[np.float64]
    people: int


@dataclass(frozen=True, slots=True)
class VariableComparison:
    """Shares of one variable in both populations; `distance` is the total variation distance, 0 to 1.

    `missing` counts the people of each without a value; shares are of the others.
    """

    name: str
    values: tuple[str, ...]
    shares: tuple[tuple[float, ...], tuple[float, ...]]
    distance: float
    missing: tuple[int, int]

    @property
    def differences(self) -> tuple[float, ...]:
        """Share in the first population minus share in the second, by value."""
        return tuple(a - b for a, b in zip(*self.shares, strict=True))


@dataclass(frozen=True, slots=True)
class PairComparison:
    """Two variables: Cramér's V in both populations, and SRMSE of the first one's table against the second one's."""

    names: tuple[str, str]
    v: tuple[float, float]
    srmse: float


@dataclass(frozen=True, slots=True, eq=False)
class PopulationComparison:
    """How one population differs from another, which is the reference."""

    people: tuple[int, int]
    variables: tuple[VariableComparison, ...]
    pairs: tuple[PairComparison, ...]
    maps: tuple[AssociationMap, AssociationMap]

    @property
    def mean_srmse(self) -> float:
        """Mean of `srmse` over all pairs; NaN without pairs."""
        return float(np.mean([pair.srmse for pair in self.pairs])) if self.pairs else float("nan")


def association_map(
    columns: Mapping[str, ArrayLike] | pa.Table,
    variables: Sequence[str] | None = None,
    *,
    weight: str = "weight",
    corrected: bool = False,
) -> AssociationMap:
    """Cramér's V of all pairs of variables of one population.

    Args:
        columns: one column of values per variable, as `Population.columns` or `Population.arrow` gives them.
        variables: which; default: every column of words.
        weight: column with the weight of each person; not used when there is none.
        corrected: see `statistics.cramers_v`.

    Raises:
        UnknownKeyError, InputError: no such column, or one with too many distinct values to be a category.
    """
    names = tuple(variables) if variables is not None else _words(columns)
    coded = [_coded(columns, name) for name in names]
    codes = np.column_stack([codes for codes, _ in coded]) if coded else np.zeros((0, 0), dtype=np.int64)
    v = association_matrix(codes, tuple(len(w) for _, w in coded), _weights(columns, weight), corrected=corrected)
    return AssociationMap(names, v, len(codes))


def compare_populations(
    a: Mapping[str, ArrayLike] | pa.Table,
    b: Mapping[str, ArrayLike] | pa.Table,
    variables: Sequence[str] | None = None,
    *,
    weight: str = "weight",
    corrected: bool = False,
) -> PopulationComparison:
    """Compare two populations variable by variable and pair by pair; `b` is the reference.

    Args:
        a: one column of values per variable.
        b: likewise.
        variables: which; default: every column of words that both have.
        weight: column with the weight of each person, where there is one.
        corrected: see `statistics.cramers_v`.

    Raises:
        UnknownKeyError, InputError: as for `association_map`; or nothing that both have.

    Source: SRMSE of pairwise tables as in Pritchard and Miller (2009), on shares, so sizes need not be equal.
    """
    both = tuple(variables) if variables is not None else tuple(n for n in _words(a) if n in _words(b))
    if not both:
        raise InputError("compare_populations: the two have no variable in common.", hint="Name the variables.")
    sides = (a, b)
    weights = [_weights(side, weight) for side in sides]
    coded = [{name: _coded(side, name) for name in both} for side in sides]
    values = {name: tuple(sorted({*coded[0][name][1], *coded[1][name][1]})) for name in both}
    codes = [{name: _recoded(own, words, values[name]) for name, (own, words) in side.items()} for side in coded]
    compared = tuple(_variable(name, values[name], [side[name] for side in codes], weights) for name in both)
    sizes = tuple(len(values[name]) for name in both)
    maps = [
        association_matrix(np.column_stack([side[name] for name in both]), sizes, own, corrected=corrected)
        for side, own in zip(codes, weights, strict=True)
    ]
    pairs: list[PairComparison] = []
    for i, j in combinations(range(len(both)), 2):
        tables = [
            pair_table(side[both[i]], side[both[j]], (sizes[i], sizes[j]), own)
            for side, own in zip(codes, weights, strict=True)
        ]
        error = srmse(*(t / t.sum() for t in tables)) if all(t.sum() > 0 for t in tables) else float("nan")
        pairs.append(PairComparison((both[i], both[j]), (float(maps[0][i, j]), float(maps[1][i, j])), error))
    people = (len(codes[0][both[0]]), len(codes[1][both[0]]))
    return PopulationComparison(
        people,
        compared,
        tuple(pairs),
        (AssociationMap(both, maps[0], people[0]), AssociationMap(both, maps[1], people[1])),
    )


def _variable(
    name: str, values: tuple[str, ...], codes: list[NDArray[np.int64]], weights: list[NDArray[np.float64] | None]
) -> VariableComparison:
    shares: list[tuple[float, ...]] = []
    for own, weight in zip(codes, weights, strict=True):
        known = own >= 0
        found = np.bincount(own[known], weights=None if weight is None else weight[known], minlength=len(values))
        total = float(found.sum())
        shares.append(tuple((found / total).tolist()) if total > 0 else (float("nan"),) * len(values))
    distance = total_variation_distance(*shares) if not np.isnan(shares).any() else float("nan")
    missing = (int((codes[0] < 0).sum()), int((codes[1] < 0).sum()))
    return VariableComparison(name, values, (shares[0], shares[1]), distance, missing)


def _columns(side: Mapping[str, ArrayLike] | pa.Table) -> tuple[str, ...]:
    return tuple(side) if isinstance(side, Mapping) else tuple(side.column_names)


def _words(side: Mapping[str, ArrayLike] | pa.Table) -> tuple[str, ...]:
    """Columns that hold words which repeat."""
    if isinstance(side, Mapping):
        return tuple(n for n, v in side.items() if np.asarray(v).dtype.kind in "UOSb" and not n.startswith("names."))
    import pyarrow as pa

    kinds = {f.name: f.type for f in side.schema}
    return tuple(
        n
        for n, t in kinds.items()
        if not n.startswith("names.") and (pa.types.is_dictionary(t) or pa.types.is_string(t))
    )


def _coded(side: Mapping[str, ArrayLike] | pa.Table, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (-1 for a missing value) and the words they stand for."""
    if name not in _columns(side):
        raise UnknownKeyError.of(name, _columns(side), where="population")
    if isinstance(side, Mapping):
        raw = np.asarray(side[name])
        missing = np.array([v is None or v != v for v in raw.tolist()]) if raw.dtype.kind in "Of" else None  # noqa: PLR0124 - NaN is not equal to itself
        known = raw if missing is None else raw[~missing]
        words, inverse = np.unique(known if known.dtype.kind != "O" else known.astype(str), return_inverse=True)
        codes = inverse.astype(np.int64)
        if missing is not None:
            codes = np.full(len(raw), -1, dtype=np.int64)
            codes[~missing] = inverse
        found = tuple(str(w) for w in words.tolist())
    else:
        codes, found = _arrow_codes(side.column(name))
    if len(found) > _MOST:
        raise InputError(
            f"population: {name!r} has {len(found):,} distinct values, at most {_MOST} can be compared.",
            hint="Put numbers into bins first.",
        )
    return codes, found


def _arrow_codes(column: Any) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.combine_chunks().dictionary_encode()
    found = tuple(str(w) for w in encoded.dictionary.to_pylist())
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), found


def _recoded(codes: NDArray[np.int64], words: tuple[str, ...], values: tuple[str, ...]) -> NDArray[np.int64]:
    place = {value: code for code, value in enumerate(values)}
    table = np.array([*(place[word] for word in words), -1], dtype=np.int64)  # the last one answers code -1
    return table[codes]


def _weights(side: Mapping[str, ArrayLike] | pa.Table, name: str) -> NDArray[np.float64] | None:
    if name not in _columns(side):
        return None
    raw: Any = side[name] if isinstance(side, Mapping) else side.column(name).to_numpy()
    out = np.asarray(raw, dtype=np.float64)
    if not (out >= 0).all() or not np.isfinite(out).all():
        raise InputError(f"population: column {name!r} holds a weight that is negative or NaN.", hint="Correct it.")
    return out
