"""Records of files, one at a time and in constant memory, each with its line; a broken one is handed over, not lost."""

from __future__ import annotations

import csv
import json
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from personae.core import InputError, SchemaError, naming_errors
from personae.formats._shape import Json

LINE_LIMIT: Final = 16 * 2**20
"""longest line that is read as a record, in bytes"""
DEPTH_LIMIT: Final = 96
"""deepest nesting of a JSON value; more than a record of another tool may have, since ours hold such records"""
WHOLE_LIMIT: Final = 512 * 2**20
"""largest file that is read at once, in bytes (JSON that is no JSON Lines, PNG)"""
_SPAN: Final = 2_000
"""most lines that one CSV record may span: more means a quote that nobody closed"""
_CELLS: Final = 1_000
"""most cells of a broken line that are looked at to name its column"""
_BOMS: Final = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"),
                (b"\xfe\xff", "UTF-16"))  # fmt: skip
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file."""

    line: int
    document: Json
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Broken:
    """A stretch of a file that is no record. `raw` is its bytes; of a line over the limit, where it lies."""

    line: int
    error: InputError
    raw: bytes
    start: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end."""

    number: int
    raw: bytes
    start: int
    size: int

    @property
    def too_long(self) -> bool:
        """Only its beginning was read."""
        return self.size > LINE_LIMIT


def open_file(path: Path) -> BinaryIO:
    """The file for reading.

    Raises:
        InputError: there is no such file.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}.", hint="Check the path.")
    with naming_errors(path):
        return path.open("rb")


def lines(path: Path) -> Iterator[Line]:
    """Lines of a file; of one that is too long, only the beginning is kept in memory.

    Raises:
        SchemaError: the file is UTF-16 or UTF-32.
    """
    with open_file(path) as file:
        head = file.read(4)
        for mark, name in _BOMS:
            if head.startswith(mark):
                raise SchemaError(f"{path}:1: the file is {name}, expected UTF-8.", hint="Save it as UTF-8.")
        start = len(_BOM) if head.startswith(_BOM) else 0
        file.seek(start)
        number = 0
        while raw := file.readline(LINE_LIMIT + 1):
            number += 1
            size, last = len(raw), raw[-1:]
            while last != b"\n" and (more := file.readline(LINE_LIMIT)):
                size, last = size + len(more), more[-1:]
            yield Line(number, raw[:1_000] if size > LINE_LIMIT else raw, start, size)
            start += size


def decoded(line: Line, path: Path) -> str:
    """Text of a line.

    Raises:
        SchemaError: too long, not UTF-8, or with a NUL in it; names line and column.
    """
    if line.too_long:
        raise SchemaError(
            f"{path}:{line.number}: the line has {line.size:,} bytes; one record may have {LINE_LIMIT:,}.",
            hint="Is it a whole file without line breaks? Write one record a line.",
        )
    try:
        text = line.raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        column = len(line.raw[: cause.start].decode("utf-8")) + 1
        raise SchemaError(
            f"{path}:{line.number}:{column}: not UTF-8 (byte 0x{line.raw[cause.start]:02x}).",
            hint="The file mixes encodings, or is of another one: save it as UTF-8.",
        ) from cause
    if "\0" in text:
        raise SchemaError(f"{path}:{line.number}:{text.index(chr(0)) + 1}: a NUL byte.", hint="Remove it.")
    return text


def broken(line: Line, error: InputError) -> Broken:
    """A line that is no record."""
    return Broken(line.number, error, b"" if line.too_long else line.raw, line.start, line.size)


# JSON --------------------------------------------------------------------------------------------------------------


def json_lines(path: Path) -> Iterator[Record | Broken]:
    """One JSON value a line; empty lines are skipped."""
    for line in lines(path):
        if not line.raw.strip():
            continue
        try:
            text = decoded(line, path)
            yield Record(line.number, parse_json(text, f"{path}:{line.number}"), line.raw)
        except InputError as error:
            yield broken(line, error)


def json_file(path: Path) -> Iterator[Record | Broken]:
    """The records of one JSON document: the elements of a list or of `people`, else the document itself.

    Raises:
        SchemaError: the file is no JSON at all.
    """
    text = whole_text(path)
    document = parse_json(text, str(path))
    if isinstance(document, dict) and isinstance(document.get("people"), list):
        found = cast("list[Json]", document["people"])
        start = text.index("[", text.index('"people"'))
    elif isinstance(document, list) and document and not all(isinstance(v, str) for v in document):
        found, start = cast("list[Json]", document), text.index("[")
    else:
        yield Record(1, document, text.encode())
        return
    for (line, raw), entry in zip(_spans(text, start), found, strict=True):
        yield Record(line, entry, raw.encode())


def _spans(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Line and text of each element of the JSON list that begins at `start`."""
    decoder = json.JSONDecoder()
    position, line, counted = start + 1, 1, 0
    while True:
        while text[position] in " \t\r\n,":
            position += 1
        if text[position] == "]":
            return
        line, counted = line + text.count("\n", counted, position), position
        _, end = decoder.raw_decode(text, position)
        yield line, text[position:end]
        position = end


def whole_text(path: Path) -> str:
    """The text of a file that has to be read at once.

    Raises:
        SchemaError: too large, not UTF-8, or with NUL bytes.
    """
    with open_file(path) as file:
        raw = file.read(WHOLE_LIMIT + 1)
    if len(raw) > WHOLE_LIMIT:
        raise SchemaError(
            f"{path}: more than {WHOLE_LIMIT:,} bytes in one JSON document.", hint="Write JSON Lines (.jsonl)."
        )
    for mark, name in _BOMS:
        if raw.startswith(mark):
            raise SchemaError(f"{path}:1: the file is {name}, expected UTF-8.", hint="Save it as UTF-8.")
    raw = raw.removeprefix(_BOM)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        line = raw[: cause.start].count(b"\n") + 1
        raise SchemaError(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[cause.start]:02x} at offset {cause.start}).",
            hint="The file mixes encodings, or is of another one: save it as UTF-8.",
        ) from cause


def parse_json(text: str, where: str) -> Json:
    """A JSON value, strictly: no NaN, no number beyond the range of a float, no key twice, no endless nesting.

    Raises:
        SchemaError: what is wrong, with line and column.
    """
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_unique)
    except json.JSONDecodeError as cause:
        place = f"{where}:{cause.colno}" if "\n" not in text.rstrip() else f"{where}:{cause.lineno}:{cause.colno}"
        raise SchemaError(f"{place}: not valid JSON ({cause.msg}).", hint="Nothing was taken from it.") from cause
    except RecursionError as cause:
        raise SchemaError(f"{where}: nested too deeply to be read.", hint="Flatten it.") from cause
    except ValueError as cause:
        raise SchemaError(f"{where}: {cause}.", hint="Nothing was taken from it.") from cause
    _check_tree(value, where)
    return value


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"the number {word} is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return out


def _check_tree(value: Json, where: str) -> None:
    """Depth within the limit, and no half of a surrogate pair, which no UTF-8 file can hold."""
    level: list[Json] = [value]
    for _ in range(DEPTH_LIMIT):
        below: list[Json] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.keys())
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str) and not node.isascii() and any("\ud800" <= c <= "\udfff" for c in node):
                raise SchemaError(
                    f"{where}: half of a surrogate pair in {node[:40]!a}.", hint="Write whole characters."
                )
        if not below:
            return
        level = below
    raise SchemaError(f"{where}: nested deeper than {DEPTH_LIMIT} levels.", hint="Flatten it.")


# CSV ---------------------------------------------------------------------------------------------------------------


class CsvRows:
    """Rows of a CSV file as mappings from column to cell, each with its line.

    A record with an open quote never swallows the rest of the file: when it spans too much, its first line alone is
    handed over as broken and reading goes on with the next.

    Raises:
        SchemaError: no header, or a column named twice.
    """

    def __init__(self, path: Path, delimiter: str | None = None) -> None:
        self.path = path
        self._lines = lines(path)
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
        self.columns: tuple[str, ...] = ()
        self.delimiter = delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        self.columns = self._header()

    def _header(self) -> tuple[str, ...]:
        found = next(self._rows(), None)
        if found is None:
            raise SchemaError(f"{self.path}:1: no header.", hint="The first line names the columns.")
        if isinstance(found, Broken):
            raise found.error
        columns: list[str] = found.document
        twice = sorted({c for c in columns if columns.count(c) > 1})
        if twice:
            raise SchemaError(f"{self.path}:1: column {twice[0]!r} is named twice.", hint="Rename one of them.")
        return tuple(columns)

    def __iter__(self) -> Iterator[Record | Broken]:
        for found in self._rows():
            if isinstance(found, Broken):
                yield found
                continue
            cells: list[str] = found.document
            if not cells:
                continue
            if len(cells) != len(self.columns):
                last = self.columns[min(len(cells), len(self.columns)) - 1]
                side = "the last one filled is" if len(cells) < len(self.columns) else "more follow after"
                error = SchemaError(
                    f"{self.path}:{found.line}: {len(cells)} cells for {len(self.columns)} columns ({side} {last!r}).",
                    hint="A stray delimiter or quote? Nothing was taken from this row.",
                )
                yield Broken(found.line, error, found.raw)
                continue
            yield Record(found.line, dict(zip(self.columns, cells, strict=True)), found.raw)

    def _rows(self) -> Iterator[Record | Broken]:
        while True:
            self._taken.clear()
            # A field may be as long as a record: the record itself is bounded by `_feed`.
            csv.field_size_limit(max(csv.field_size_limit(), 2 * LINE_LIMIT))
            try:
                cells = next(csv.reader(self._feed(), delimiter=self.delimiter, strict=True), None)
            except (csv.Error, InputError) as cause:
                yield self._given_up(cause)
                continue
            if cells is None:
                return
            if len(self._taken) > 1 and self.columns and len(cells) != len(self.columns):
                yield self._given_up(csv.Error("a quote runs on"))
                continue
            yield Record(self._taken[0].number, cells, b"".join(line.raw for line in self._taken))

    def _given_up(self, cause: csv.Error | InputError) -> Broken:
        """The first of the lines that were taken is broken; those that a stray quote ran into are read again."""
        first, *rest = self._taken
        self._again.extendleft(reversed(rest))
        place = f"{self.path}:{first.number}:"
        if isinstance(cause, csv.Error) and rest:
            cause = csv.Error(f"a quote opens here and runs into line {rest[-1].number}")
        elif isinstance(cause, InputError) and not cause.message.startswith(place):
            cause = csv.Error(f"a quote opens here and runs into a line that cannot be read, {cause.message}")
        column = self._column(first, cause)
        if isinstance(cause, InputError):
            where, _, why = cause.message.partition(": ")
            return broken(first, SchemaError(f"{where}: {column}{why}", hint=cause.hint))
        told = f"{place} {column}not valid CSV ({cause})."
        return broken(first, SchemaError(told, hint="Quotes inside a quoted cell are doubled."))

    def _column(self, line: Line, cause: Exception) -> str:
        """In which column a line broke: the one in which its readable beginning ends."""
        wrong = cause.__cause__
        raw = line.raw[: wrong.start] if isinstance(wrong, UnicodeDecodeError) else line.raw.rstrip(b"\r\n")
        pieces = raw.decode("utf-8", "replace").split(self.delimiter)[:_CELLS]
        upto = len(pieces)
        if "expected after" in str(cause):  # a quote that closes too early: the first beginning that has it
            upto = next((k for k in range(1, upto) if _reads(pieces[:k], self.delimiter, str(cause)) is None), upto)
        at = len(_reads(pieces[:upto], self.delimiter) or [""])
        return f"column {self.columns[at - 1]!r}: " if at <= len(self.columns) else ""

    def _feed(self) -> Iterable[str]:
        size = 0
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            size += line.size
            if len(self._taken) > _SPAN or size > LINE_LIMIT:
                first = self._taken[0]
                if line.too_long and len(self._taken) == 1:
                    decoded(line, self.path)
                raise SchemaError(
                    f"{self.path}:{first.number}: a quote opens here and is not closed within {len(self._taken) - 1} "
                    "lines.",
                    hint="Close or double it.",
                )
            yield decoded(line, self.path)


def _reads(pieces: list[str], delimiter: str, fault: str | None = None) -> list[str] | None:
    """The cells of a beginning of a line; None when reading it strictly ends in `fault`."""
    try:
        return next(csv.reader([delimiter.join(pieces)], delimiter=delimiter, strict=fault is not None), [])
    except csv.Error as error:
        return None if str(error) == fault else []


def csv_header(path: Path) -> tuple[str, ...]:
    """Columns of a CSV file."""
    return CsvRows(path).columns


# Text --------------------------------------------------------------------------------------------------------------


def text_lines(path: Path) -> Iterator[Record | Broken]:
    """Lines that hold something, without their ends."""
    for line in lines(path):
        try:
            text = decoded(line, path).rstrip("\r\n")
        except InputError as error:
            yield broken(line, error)
            continue
        if text.strip():
            yield Record(line.number, text, line.raw)


def text_blocks(path: Path) -> Iterator[Record | Broken]:
    """Runs of lines between empty ones, as lists of lines. A block with a broken line is broken as a whole."""
    block: list[str] = []
    raw: list[bytes] = []
    first = 1
    bad: InputError | None = None

    def close() -> Iterator[Record | Broken]:
        if bad is not None:
            yield Broken(first, bad, b"".join(raw))
        elif block:
            yield Record(first, list(block), b"".join(raw))

    for line in lines(path):
        if line.raw in {b"\n", b"\r\n"}:
            yield from close()
            block.clear()
            raw.clear()
            bad = None
            continue
        if not raw:
            first = line.number
        raw.append(line.raw)
        try:
            block.append(decoded(line, path).rstrip("\r\n"))
        except InputError as error:
            bad = bad or error
        if len(block) == _SPAN and bad is None:
            bad = SchemaError(
                f"{path}:{first}: a block of more than {_SPAN:,} lines.", hint="People are parted by empty lines."
            )
    yield from close()
