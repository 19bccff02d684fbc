"""Microdata as a seed: a file of people, one a row, counted into the joint table a fit starts from.

Files are read in batches, so memory does not grow with them. Counting goes by the distinct words of a batch; only when
something is wrong is a CSV read a second time, row by row, to say on which line.
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from personae.core import RecipeError, UnknownKeyError
from personae.creation._draws import Floats, Indexes
from personae.creation._recipe import SEPARATOR, SeedTable, Variable

_BLOCK: Final = 4 << 20
_ROWS: Final = 65_536
_KEPT_WORDS: Final = 100_000
_DROPPED: Final = -1
_KEYS: Final = frozenset({"seed_file", "vars", "columns", "recode", "weight", "source", "smoothing"})
_ENDINGS: Final = (".csv", ".parquet", ".pq")


def seed_records(
    path: str | Path,
    variables: Mapping[str, Variable],
    *,
    weight: str | None = None,
    columns: Mapping[str, str] | None = None,
    recode: Mapping[str, Mapping[str, str | None]] | None = None,
    smoothing: float = 0.0,
    source: str | None = None,
) -> SeedTable:
    """Count a CSV or Parquet file of people (one a row) into a seed table, in constant memory.

    Args:
        path: a `.csv` (UTF-8, with a header, commas) or `.parquet` file.
        variables: the variables to count, by name; numbers are put into `bins` (whole years: 39.9 is 39).
        weight: column with the weight of each row; without one every row counts 1.
        columns: variable to column of the file, where they differ.
        recode: per variable, word of the file to category label; null leaves the row out, and `*` speaks of every word
            that would not be known otherwise.
        smoothing: see `SeedTable`.
        source: where the file is from; by default its name.

    Raises:
        RecipeError: no such file or column, a row of another length, a word that is no category, a number in no bin, a
            weight that is not above 0. File, line (Parquet: row) and column are named; nothing is counted.
    """
    file = Path(path)
    columns, recode = columns or {}, recode or {}
    for what, given in (("columns", columns), ("recode", recode)):
        for name in given:
            if name not in variables:
                raise UnknownKeyError.of(name, variables, where=f"{file.name}: {what}")
    readers = [
        _Reader(name, columns.get(name, name), variable, dict(recode.get(name, {})))
        for name, variable in variables.items()
    ]
    for one in readers:
        one.check(file)
    if not file.is_file():
        raise RecipeError(f"There is no file {str(file)!r}.", hint="Check the path of the seed.")
    if file.suffix.lower() not in _ENDINGS:
        raise RecipeError(f"{str(file)!r}: unknown ending {file.suffix!r}.", hint="A seed is a .csv or .parquet file.")
    batches = _csv_batches if file.suffix.lower() == ".csv" else _parquet_batches
    found: dict[int, float] = {}
    records = dropped = 0
    for codes, weights in batches(file, readers, weight):
        known = (codes >= 0).all(axis=0)
        records, dropped = records + int(known.sum()), dropped + int((~known).sum())
        flat = np.zeros(int(known.sum()), dtype=np.int64)
        for one, own in zip(readers, codes, strict=True):
            flat = flat * len(one.labels) + own[known]
        cells, inverse = np.unique(flat, return_inverse=True)
        sums = np.bincount(inverse, weights=weights[known], minlength=len(cells))
        for cell, total in zip(cells.tolist(), sums.tolist(), strict=True):
            found[cell] = found.get(cell, 0.0) + total
    if not found:
        raise RecipeError(f"{file}: no row is left to count ({dropped:,} left out).", hint="Check recode.")
    table = {_spelt(cell, readers): float(f"{total:.12g}") for cell, total in sorted(found.items())}
    return SeedTable(
        vars=tuple(variables), table=table, source=source or file.name, smoothing=smoothing, records=records,
        dropped=dropped,
    )  # fmt: skip


def seed_from_file(body: Mapping[str, Any], variables: Any, folder: Path | None) -> SeedTable:
    """The seed table of a recipe that names a file, relative to the folder of the recipe.

    Raises:
        RecipeError, UnknownKeyError: a key that does not belong, or what `seed_records` raises.
    """
    for key in body:
        if key in {"table", "rows"}:
            raise RecipeError(f"seed_table has both seed_file and {key}.", hint="Keep one of them.")
        if key not in _KEYS:
            raise UnknownKeyError.of(str(key), sorted(_KEYS), where="recipe: seed_table")
    names = body.get("vars", ())
    names = (names,) if isinstance(names, str) else tuple(str(v) for v in names)
    if not names or len(set(names)) < len(names):
        raise RecipeError(f"seed_table: vars {list(names)!r}, expected different variables.")
    chosen: dict[str, Variable] = {}
    known: Mapping[str, Any] = variables if isinstance(variables, Mapping) else {}
    for name in names:
        if name not in known:
            raise UnknownKeyError.of(name, known, where="seed_table: vars")
        raw = known[name]
        try:
            chosen[name] = raw if isinstance(raw, Variable) else Variable.model_validate(raw)
        except ValidationError as cause:
            raise RecipeError(f"variable {name!r}: {cause.errors()[0]['msg']}.") from cause
    recode = {
        str(name): {str(k): None if v is None else str(v) for k, v in words.items()}
        for name, words in (body.get("recode") or {}).items()
    }
    return seed_records(
        (folder or Path()) / str(body["seed_file"]), chosen, weight=body.get("weight"),
        columns=body.get("columns") or {}, recode=recode, smoothing=body.get("smoothing", 0.0),
        source=body.get("source"),
    )  # fmt: skip


class _FaultError(Exception):
    """What is wrong with one value, before anybody knows on which line."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(slots=True)
class _Reader:
    """One variable: which column holds it and which category a word of that column means."""

    name: str
    column: str
    variable: Variable
    recode: dict[str, str | None]
    kept: dict[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.variable.labels

    def check(self, file: Path) -> None:
        for word, label in self.recode.items():
            if label is not None and label not in self.labels:
                raise UnknownKeyError.of(label, self.labels, where=f"{file.name}: recode.{self.name}.{word}")

    def code(self, word: str) -> int:
        """Category code of a word; `_DROPPED` leaves its row out."""
        if word not in self.kept:
            if len(self.kept) >= _KEPT_WORDS:
                self.kept.clear()
            self.kept[word] = self._judge(word)
        return self.kept[word]

    def _judge(self, word: str) -> int:
        bare = word.strip()
        for spelt in (word, bare):
            if spelt in self.recode and spelt != "*":
                label = self.recode[spelt]
                return _DROPPED if label is None else self.labels.index(label)
        if bare in self.labels:
            return self.labels.index(bare)
        inside = self._bin(bare)
        if inside is not None:
            return inside
        if "*" in self.recode:
            label = self.recode["*"]
            return _DROPPED if label is None else self.labels.index(label)
        if self.variable.bins:
            spans = ", ".join(f"{low} to {high}" for low, high in list(self.variable.bins.values())[:8])
            raise _FaultError(
                f"{word!r} is in no bin of {self.name!r} ({spans}).", "Correct it, widen the bins, or recode it."
            )
        near = difflib.get_close_matches(bare, self.labels, n=1, cutoff=0.6)
        known = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(self.labels[:12])}."
        raise _FaultError(f"{word!r} is no value of {self.name!r}.", f"{known} Or recode it.")

    def _bin(self, word: str) -> int | None:
        if not self.variable.bins:
            return None
        try:
            value = float(word)
        except ValueError:
            return None
        if not math.isfinite(value):
            return None
        spans = self.variable.bins.values()
        return next((c for c, (low, high) in enumerate(spans) if low <= math.floor(value) <= high), None)


def _weight(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise _FaultError(f"weight {word!r}, expected a number above 0.", "Correct the weight or leave the row out.")
    return value


def _spelt(cell: int, readers: Sequence[_Reader]) -> str:
    words: list[str] = []
    for one in reversed(readers):
        cell, code = divmod(cell, len(one.labels))
        words.append(one.labels[code])
    return SEPARATOR.join(reversed(words))


Batch = tuple[NDArray[np.int64], Floats]


def _coded(words: Sequence[str], own: Indexes, judge: Any) -> tuple[NDArray[Any], int | None]:
    """Values of all rows from the distinct words of a batch, and the first row whose word is at fault."""
    values, bad = np.zeros(len(words)), np.zeros(len(words), dtype=np.bool_)
    for k, word in enumerate(words):
        try:
            values[k] = judge(word)
        except _FaultError:
            bad[k] = True
    return values[own], int(bad[own].argmax()) if bad.any() else None


# CSV ----------------------------------------------------------------------------------------------------------------


def _csv_batches(file: Path, readers: Sequence[_Reader], weight: str | None) -> Iterator[Batch]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wanted = [one.column for one in readers] + ([weight] if weight else [])
    header = next(_csv_rows(file), None)
    if header is None:
        raise RecipeError(f"{file}: is empty.", hint="A seed has a header and one row per person.")
    _check_header(file, header[1], wanted)
    names = list(dict.fromkeys(wanted))
    try:
        with arrow_csv.open_csv(
            file,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK, use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=names, column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
            ),
        ) as stream:
            for batch in stream:
                codes, weights = np.zeros((len(readers), batch.num_rows), dtype=np.int64), np.ones(batch.num_rows)
                for row, (column, judge) in enumerate(_judges(readers, weight)):
                    encoded: Any = batch.column(names.index(column)).dictionary_encode()
                    try:
                        words = [w.decode("utf-8") for w in encoded.dictionary.to_pylist()]
                    except UnicodeDecodeError as cause:
                        _blame_csv(file, readers, weight, cause)
                    values, bad = _coded(words, encoded.indices.to_numpy(), judge)
                    if bad is not None:
                        _blame_csv(file, readers, weight)
                    if row < len(readers):
                        codes[row] = values
                    else:
                        weights = values
                yield codes, weights
    except pa.ArrowInvalid as cause:
        if "Empty CSV" in str(cause):
            return
        _blame_csv(file, readers, weight, cause)


def _judges(readers: Sequence[_Reader], weight: str | None) -> Iterator[tuple[str, Any]]:
    for one in readers:
        yield one.column, one.code
    if weight:
        yield weight, _weight


def _check_header(file: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1, cutoff=0.6)
            raise RecipeError(
                f"{file}: there is no column {column!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Columns: {', '.join(header[:20])}.",
            )
        if list(header).count(column) > 1:
            raise RecipeError(f"{file}: column {column!r} is there twice.", hint="Name each column once.")


def _csv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the line it starts on.

    Raises:
        RecipeError: a line that is not UTF-8, or a quotation that never ends.
    """

    def lines() -> Iterator[str]:
        with file.open("rb") as raw:
            for number, line in enumerate(raw, start=1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as cause:
                    raise RecipeError(
                        f"{file}:{number}: not UTF-8 (byte 0x{line[cause.start]:02x}).", hint="Save the file as UTF-8."
                    ) from cause

    rows = csv.reader(lines(), strict=True)
    start = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as cause:
            raise RecipeError(
                f"{file}:{start}: not valid CSV ({cause}).", hint="Look for a quotation mark that is never closed."
            ) from cause
        if row:
            yield start, row
        start = rows.line_num + 1


def _blame_csv(
    file: Path, readers: Sequence[_Reader], weight: str | None, cause: BaseException | None = None
) -> NoReturn:
    """Raise the error of the first row at fault, found by reading the file again row by row."""
    rows = _csv_rows(file)
    _, header = next(rows)
    places = [(column, header.index(column), judge) for column, judge in _judges(readers, weight)]
    for line, row in rows:
        if len(row) != len(header):
            raise RecipeError(
                f"{file}:{line}: {len(row)} field(s), expected {len(header)}.",
                hint="Correct this row; nothing was counted.",
            ) from cause
        for column, at, judge in places:
            try:
                judge(row[at])
            except _FaultError as fault:
                raise RecipeError(f"{file}:{line}, column {column!r}: {fault.message}", hint=fault.hint) from None
    raise RecipeError(f"{file}: cannot be read as CSV ({cause}).", hint="Check the file.") from cause


# Parquet ------------------------------------------------------------------------------------------------------------


def _parquet_batches(file: Path, readers: Sequence[_Reader], weight: str | None) -> Iterator[Batch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(file)
    except pa.ArrowInvalid as cause:
        raise RecipeError(f"{file}: not a Parquet file ({cause}).", hint="It may be cut off.") from cause
    with source:
        _check_header(file, source.schema_arrow.names, [c for c, _ in _judges(readers, weight)])
        names = list(dict.fromkeys(c for c, _ in _judges(readers, weight)))
        start = 0
        try:
            for batch in source.iter_batches(batch_size=_ROWS, columns=names):
                yield _parquet_batch(file, batch, readers, weight, start)
                start += batch.num_rows
        except (pa.ArrowInvalid, OSError) as cause:
            raise RecipeError(
                f"{file}, after row {start}: cannot be read ({cause}).",
                hint="The file is damaged; nothing was counted.",
            ) from cause


def _parquet_batch(file: Path, batch: Any, readers: Sequence[_Reader], weight: str | None, start: int) -> Batch:
    import pyarrow as pa

    codes, weights = np.zeros((len(readers), batch.num_rows), dtype=np.int64), np.ones(batch.num_rows)
    faults: list[tuple[int, int, str, str, Any]] = []
    for row, (column, judge) in enumerate(_judges(readers, weight)):
        own: Any = batch.column(column)
        if pa.types.is_dictionary(own.type):
            own = own.dictionary_decode()
        encoded: Any = own.dictionary_encode(null_encoding="encode")
        words = [_as_word(v) for v in encoded.dictionary.to_pylist()]
        values, bad = _coded(words, encoded.indices.to_numpy(), judge)
        if bad is not None:
            faults.append((bad, row, column, words[encoded.indices[bad].as_py()], judge))
        if row < len(readers):
            codes[row] = values
        else:
            weights = values
    if faults:
        bad, _, column, word, judge = min(faults, key=lambda f: f[:2])
        try:
            judge(word)
        except _FaultError as fault:
            raise RecipeError(
                f"{file}, row {start + bad + 1}, column {column!r}: {fault.message}", hint=fault.hint
            ) from None
    return codes, weights


def _as_word(value: object) -> str:
    """A value as it would stand in a CSV: whole floats without their point, nothing for a missing one."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
