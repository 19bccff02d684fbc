"""What comes in: numbers and labels checked once, with an error that says what to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personae.core import InputError, derive_rng

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Rng = np.random.Generator | int

CHUNK = 4_000_000
"""Elements a resampling step may hold at once (32 MB of floats)."""

_FLAT = 1e-12
"""Spread relative to size under which numbers that went through sums count as equal."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Labels as codes: row i belongs to `labels[codes[i]]`; labels are sorted."""

    labels: NDArray[np.generic]
    codes: IntArray

    @property
    def count(self) -> int:
        """How many distinct labels there are."""
        return int(self.labels.size)


def numbers(values: ArrayLike, name: str) -> FloatArray:
    """Floats of any shape; None and NaN mean missing; text and infinity are refused."""
    raw = np.asarray(values)
    if raw.dtype.kind not in "biufO":
        raise InputError(
            f"{name}: expected numbers, got {raw.dtype.name} data.", hint="Convert labels to numbers first."
        )
    try:
        out = raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: expected numbers, got {values!r:.80}.", hint="Use None or NaN for missing."
        ) from error
    if np.isinf(out).any():
        raise InputError(f"{name}: holds infinity.", hint="Use NaN for missing values.")
    return out


def vector(values: ArrayLike, name: str) -> FloatArray:
    """A flat array of floats; NaN means missing."""
    out = numbers(values, name)
    if out.ndim != 1:
        raise InputError(f"{name}: expected a flat list of numbers, got shape {out.shape}.", hint="Pass one column.")
    return out


def table(values: ArrayLike, name: str) -> FloatArray:
    """A two-dimensional array of floats; NaN means missing."""
    out = numbers(values, name)
    if out.ndim != 2:
        raise InputError(f"{name}: expected a table (rows × columns), got shape {out.shape}.", hint="Pass a 2-D array.")
    return out


def same_length(first: FloatArray, second: FloatArray, names: str) -> None:
    """Refuse two arrays that cannot be paired row by row."""
    if first.shape[0] != second.shape[0]:
        raise InputError(
            f"{names}: got {first.shape[0]} and {second.shape[0]} rows.", hint="Pass one value per row in both."
        )


def group(labels: ArrayLike | None, n: int, name: str) -> Groups:
    """Codes of `labels`; without labels every row is its own group."""
    if labels is None:
        rows = np.arange(n, dtype=np.intp)
        return Groups(rows, rows)
    raw = np.asarray(labels)
    if raw.shape != (n,):
        raise InputError(f"{name}: got shape {raw.shape} for {n} rows.", hint="Pass one label per row.")
    if raw.dtype.kind == "O":
        if any(label is None or label != label for label in raw):  # noqa: PLR0124 - NaN is not equal to itself
            raise InputError(f"{name}: holds a missing label.", hint="Every row needs its unit of randomisation.")
        raw = np.asarray([str(label) for label in raw])
    elif raw.dtype.kind == "f" and np.isnan(raw).any():
        raise InputError(f"{name}: holds NaN.", hint="Every row needs its unit of randomisation.")
    unique, codes = np.unique(raw, return_inverse=True)
    return Groups(unique, codes.astype(np.intp, copy=False))


def generator(rng: Rng | None, method: str) -> np.random.Generator:
    """The generator to draw from; an integer is taken as a seed."""
    if rng is None:
        raise InputError(
            f"{method} needs randomness, got rng=None.", hint="Pass rng=derive_rng(seed, 'name') or a seed."
        )
    return rng if isinstance(rng, np.random.Generator) else derive_rng(int(rng), "statistics")


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise InputError(f"level: got {level!r}, expected a share between 0 and 1.", hint="Use 0.95 for 95 %.")


def check_draws(draws: int) -> None:
    """Refuse a number of draws that cannot give a p-value or a quantile."""
    if draws < 1:
        raise InputError(f"draws: got {draws!r}, expected at least 1.", hint="2,000 is a good start.")


def is_flat(values: FloatArray) -> bool:
    """True when all values are equal up to rounding."""
    if values.size == 0:
        return True
    return float(np.ptp(values)) <= _FLAT * float(np.abs(values).max())


def midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; ties share the mean of their ranks."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def chunks(draws: int, row: int) -> list[int]:
    """Sizes that split `draws` so that no step holds more than `CHUNK` elements. Depends on the sizes alone."""
    step = max(1, CHUNK // max(1, row))
    return [min(step, draws - start) for start in range(0, draws, step)]
