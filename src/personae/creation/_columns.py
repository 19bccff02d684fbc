"""Columns by their distinct values: what is judged once need not be judged for every row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from personae.creation._match import Match

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
_KEYS: Final = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column as distinct `values` and one code a row; code -1 is a missing value (None or NaN)."""

    values: list[Any]
    codes: Codes

    @classmethod
    def of(cls, column: Any) -> Column:
        """From a NumPy array, an Arrow array (plain, dictionary, list, chunked), or a sequence of values or lists."""
        if isinstance(column, Column):
            return column
        if isinstance(column, np.ndarray):
            return _numpy(column)
        if type(column).__module__.partition(".")[0] == "pyarrow":
            return _arrow(column)
        return _plain(list(column))

    @classmethod
    def missing(cls, rows: int) -> Column:
        """A column nobody has a value in."""
        return cls([], np.full(rows, -1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def of_mappings(self) -> bool:
        """Whether its first value is a mapping."""
        return bool(self.values) and isinstance(self.values[0], dict)

    @property
    def known(self) -> Mask:
        """Rows with a value."""
        return self.codes >= 0

    def judge(self, test: Callable[[Any], bool]) -> Mask:
        """A test of every row by its distinct value; missing values fail."""
        judged = np.zeros(len(self.values) + 1, dtype=np.bool_)
        judged[:-1] = np.fromiter((test(v) for v in self.values), dtype=np.bool_, count=len(self.values))
        return judged[self.codes]

    def holds(self, match: Match) -> Mask:
        """Rows whose value matches."""
        return self.judge(match.holds)

    def map(self, read: Callable[[Any], Any]) -> Column:
        """Another column, read from the distinct values of this one."""
        return _plain([read(v) for v in self.values]).take(self.codes)

    @staticmethod
    def together(columns: Sequence[Column], read: Callable[..., Any]) -> Column:
        """Another column, read from several: once for each combination of values that occurs."""
        return Combinations.of(columns).map(read)

    def take(self, codes: Codes) -> Column:
        """Rows of this column in the order of `codes`; -1 stays missing."""
        padded = np.append(self.codes, -1)
        return Column(self.values, padded[codes])

    def with_other(self, other: Column, test: Callable[[Any, Any], bool]) -> Mask:
        """A test of two columns, once for each pair of values that occurs; rows with a missing value fail."""
        known = self.known & other.known
        keys = self.codes[known] * max(len(other.values), 1) + other.codes[known]
        pairs, inverse = np.unique(keys, return_inverse=True)
        lefts, rights = np.divmod(pairs, max(len(other.values), 1))
        judged = np.fromiter(
            (test(self.values[i], other.values[j]) for i, j in zip(lefts.tolist(), rights.tolist(), strict=True)),
            dtype=np.bool_,
            count=len(pairs),
        )
        out = np.zeros(len(self), dtype=np.bool_)
        out[known] = judged[inverse]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Combinations:
    """The combinations of values that occur in some columns, and which one stands in each row."""

    rows: list[list[Any]]
    codes: Codes

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Combinations:
        """From columns of one length; None is a missing value."""
        codes = columns[0].codes + 1
        for column in columns[1:]:
            if column.values:
                _, codes = np.unique(codes * (len(column.values) + 1) + column.codes + 1, return_inverse=True)
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        rows = [[None if c.codes[row] < 0 else c.values[c.codes[row]] for c in columns] for row in first.tolist()]
        return cls(rows, inverse.astype(np.int64))

    def map(self, read: Callable[..., Any]) -> Column:
        """A column, read once from each combination."""
        return _plain([read(*row) for row in self.rows]).take(self.codes)


def _plain(column: Sequence[Any]) -> Column:
    """From values or lists; what cannot be hashed is its own value."""
    seen: dict[Any, int] = {}
    values: list[Any] = []
    codes = np.empty(len(column), dtype=np.int64)
    for row, given in enumerate(column):
        value = tuple(given) if isinstance(given, (list, np.ndarray, set, frozenset)) else given
        if value is None or (isinstance(value, float) and math.isnan(value)):
            codes[row] = -1
            continue
        key = (type(value), value)
        try:
            code = seen.setdefault(key, len(values))
        except TypeError:
            code = len(values)
        if code == len(values):
            values.append(value)
        codes[row] = code
    return Column(values, codes)


def _numpy(column: NDArray[Any]) -> Column:
    if column.dtype.kind == "O":
        return _plain(column.tolist())
    if column.ndim > 1:
        return _plain([tuple(row) for row in column.tolist()])
    if column.dtype.kind in "US" and len(column) > 10_000:
        import pyarrow as pa

        return _arrow(pa.array(column))
    distinct, inverse = np.unique(column, return_inverse=True)
    codes = inverse.astype(np.int64)
    if column.dtype.kind == "f":
        codes[np.isnan(column)] = -1
        distinct = distinct[~np.isnan(distinct)]
    return Column(distinct.tolist(), codes)


def _arrow(column: Any) -> Column:
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # no chunk at all, or more than fit into one
        return _plain(column.to_pylist())
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _arrow_lists(column)
    if pa.types.is_nested(column.type):
        return _plain(column.to_pylist())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    # A dictionary may hold a value twice, or a missing one.
    values = _plain(column.dictionary.to_pylist())
    return values.take(codes) if len(values) else Column.missing(len(codes))


def _arrow_lists(column: Any) -> Column:
    """Lists as whole numbers: the codes of their elements, position by position."""
    offsets = column.offsets.to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    items = Column.of(column.values)
    base, longest = len(items.values) + 2, int(lengths.max(initial=0))
    if longest * math.log2(base) >= math.log2(_KEYS):
        return _plain(column.to_pylist())
    keys = np.zeros(len(lengths), dtype=np.int64)
    for place in range(longest):
        has = lengths > place
        keys *= base
        keys[has] += items.codes[offsets[:-1][has] + place] + 2
    distinct, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    values = [
        tuple(items.values[c] if c >= 0 else None for c in items.codes[offsets[row] : offsets[row] + lengths[row]])
        for row in first.tolist()
    ]
    del distinct
    return Column(values, np.where(known, inverse, -1).astype(np.int64))
