"""People from other tools' files: one verb, one record at a time, and nothing lost that could not be read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, cast

from personae.core import Consent, InputError, Persona, SchemaError, UnknownKeyError, naming_errors
from personae.formats._families import ENDINGS, IMPORTERS, Body, Form, Guess, Head, PeopleFormat
from personae.formats._flat import REST, csv_value, unflatten
from personae.formats._leaves import leaf_kinds
from personae.formats._mapping import PeopleMapping, check_columns, load_mapping
from personae.formats._png import SIGNATURE, extract_card
from personae.formats._reading import (
    Broken,
    CsvRows,
    Record,
    decoded,
    json_file,
    json_lines,
    lines,
    open_file,
    parse_json,
    text_blocks,
    text_lines,
)
from personae.formats._shape import Json, Written

OnError: TypeAlias = Literal["stop", "report"]
_HEAD_LINES: Final = 50
_CHUNK: Final = 3 * 2**16


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is, and how that was seen."""

    format: str
    form: Form
    reason: str


def sniff(path: str | Path) -> Sniffed:
    """The format of a file of people.

    Raises:
        InputError: no such file, no format fits, or several fit equally well (all are named, with reasons).
    """
    return _sniff(_inside(Path(path))[0])


def _sniff(file: Path) -> Sniffed:
    head = _head(file)
    guesses = {name: g for name in IMPORTERS if (g := _guess(IMPORTERS.get(name), head)) is not None}
    if not guesses:
        raise InputError(
            f"{file}: no known format of people fits ({head.form}).",
            hint=f"Name one (--format): {', '.join(IMPORTERS)}; tables of your own need a mapping (--mapping).",
        )
    best = max(g.sure for g in guesses.values())
    fitting = {name: g for name, g in guesses.items() if g.sure == best}
    if len(fitting) > 1:
        told = "; ".join(f"{name} ({g.reason})" for name, g in fitting.items())
        raise InputError(f"{file}: could be {told}.", hint="Name the one you mean (--format).")
    name, guess = next(iter(fitting.items()))
    return Sniffed(name, head.form, guess.reason)


def _guess(known: PeopleFormat, head: Head) -> Guess | None:
    return known.looks(head) if head.form in known.forms else None


class PeopleImport(Iterator[Persona]):
    """People as they are read. Counts what went wrong; the file of rejected rows appears with the first of them.

    Attributes:
        format: name of the format.
        reason: how it was recognised, or that it was named.
        people: read so far.
        rejected: rows that could not be read, so far.
        records: both of them: rows, blocks or objects that the files gave so far.
    """

    def __init__(
        self,
        path: Path,
        known: PeopleFormat,
        reason: str,
        *,
        mapping: PeopleMapping | None,
        on_error: OnError,
        rejected: Path,
        consent: Consent | None,
    ) -> None:
        self.path = path
        self.format = known.name
        self.reason = reason
        self.people = 0
        self.rejected = 0
        self.records = 0
        self.rejected_path = rejected
        self._known = known
        self._mapping = mapping
        self._consent = consent
        self._sink = _Rejected(rejected) if on_error == "report" else None
        self._digest = hashlib.sha256()
        self._found = self._find()
        self._stream = (person for people in self.by_record() for person in people)

    def __next__(self) -> Persona:
        return next(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that is being read."""
        self._found.close()
        if self._sink is not None:
            self._sink.close()

    @property
    def digest(self) -> str:
        """sha256 of the bytes of all records so far."""
        return self._digest.hexdigest()

    def by_record(self) -> Iterator[list[Persona]]:
        """The people of one record after the other; nobody for one that was rejected."""
        for found, file, form in self._found:
            people = self._people(found, file, form)
            self._count(found)
            yield people

    def pass_over(self, records: int) -> bool:
        """Read so many records without making people of them; False when there are fewer.

        Rejected rows then go behind those that their file holds.
        """
        if self._sink is not None:
            self._sink.mode = "a"
        for _ in range(records):
            entry = next(self._found, None)
            if entry is None:
                return False
            self._count(entry[0])
        return True

    def _count(self, found: Record | Broken) -> None:
        self.records += 1
        self._digest.update(found.raw or repr(found).encode("utf-8", "surrogatepass"))

    def _find(self) -> Generator[tuple[Record | Broken, Path, Form]]:
        try:
            for file in _inside(self.path):
                form = form_of(file)
                if form not in self._known.forms:
                    raise InputError(
                        f"{file}: {self._known.title} are read from {', '.join(self._known.forms)}, not from {form}."
                    )
                for found in _records(file, form, self._known, self._mapping):
                    yield found, file, form
        finally:
            if self._sink is not None:
                self._sink.close()

    def _people(self, found: Record | Broken, file: Path, form: Form) -> list[Persona]:
        """The people of one record: all of them, or none and a rejection."""
        if isinstance(found, Record):
            where = f"{file}:{found.line}"
            try:
                people = [self._parse(b, where) for b in self._bodies(found, form)]
            except InputError as error:
                located = error if error.message.startswith(str(file)) else _located(error, where)
                found = Broken(found.line, located, found.raw)
            else:
                self.people += len(people)
                return people
        if self._sink is None:
            raise found.error
        self._sink.add(file, found)
        self.rejected += 1
        return []

    def _bodies(self, record: Record, form: Form) -> list[Body]:
        if self._mapping is not None:
            return [self._mapping.shape.read(record.document)]
        return self._known.read(record, form)

    def _parse(self, body: Body, where: str) -> Persona:
        if self._consent is not None:
            body = {**body, "synthetic": False, "consent": self._consent.model_dump(mode="json", exclude_none=True)}
        return Persona.parse(body, where=where)


def import_people(
    path: str | Path,
    format: str = "auto",  # noqa: A002 - the word users know
    mapping: PeopleMapping | str | Path | None = None,
    *,
    on_error: OnError = "stop",
    rejected: str | Path | None = None,
    consent: Consent | None = None,
) -> PeopleImport:
    r"""People of a file of another tool, or of a folder of such files, one after the other and in constant memory.

    Everybody is taken for invented, unless `consent` (or the mapping) records the consent of real people. What a
    persona has no place for stays in `ext["source"]`, so that `export_people` in the same format gives the record back.

    Args:
        path: a file, a folder of files of one format, or a dataset folder (`data/*.parquet`).
        format: a name of `IMPORTERS`, or `auto` to look (see `sniff`).
        mapping: which column is which leaf, for tables of your own (a `PeopleMapping` or its YAML file).
        on_error: `stop` at the first row that does not fit, or `report`: write it to `rejected` with line and reason,
            and go on.
        rejected: where `report` writes; by default `rejected.jsonl` beside the file.
        consent: the recorded consent of everybody in the file.

    Raises:
        InputError: no such file, no or several formats fit, unknown mapping keys, columns that are not there.
        SchemaError: while reading, with `stop`: file, line and what is wrong with it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "people.txt"
        ...     _ = file.write_text("Name: Ana Reis\nAge: 58\nPets: two cats\n")
        ...     [(p.name, p.get("social.age"), p.get("attributes.pets")) for p in import_people(file)]
        [('Ana Reis', 58, 'two cats')]
    """
    source = Path(path)
    if on_error not in {"stop", "report"}:
        raise InputError(f"on_error is {on_error!r}, expected 'stop' or 'report'.")
    if mapping is not None and not isinstance(mapping, PeopleMapping):
        mapping = load_mapping(mapping)
    first = _inside(source)[0]
    if mapping is not None and format in {"auto", "csv"}:
        format, reason = "csv", "a mapping is given"  # noqa: A001
    elif mapping is not None:
        raise InputError(f"A mapping is for tables of your own, not for {format!r}.", hint="Leave one of them out.")
    elif format == "auto":
        seen = _sniff(first)
        format, reason = seen.format, seen.reason  # noqa: A001
    else:
        reason = "named"
    if format not in IMPORTERS.names():
        raise UnknownKeyError.of(format, IMPORTERS.names(), where="import format")
    if not first.is_file():
        raise InputError(f"There is no file {str(first)!r}.", hint="Check the path.")
    return PeopleImport(
        source,
        IMPORTERS.get(format),
        reason,
        mapping=mapping,
        on_error=on_error,
        rejected=Path(rejected) if rejected is not None else source.parent / "rejected.jsonl",
        consent=consent,
    )


def _located(error: InputError, where: str) -> InputError:
    return type(error)(f"{where}: {error.message}", hint=error.hint)


def _inside(path: Path) -> list[Path]:
    """The files that a path means."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("data/*.parquet")) or sorted(
        f for f in path.iterdir() if f.suffix.lower() in ENDINGS and f.is_file() and not f.name.startswith(".")
    )
    if not found:
        raise InputError(f"{path}: no file of people in this folder.", hint=f"Endings: {', '.join(ENDINGS)}.")
    return found


def form_of(path: Path) -> Form:
    """How the file is written: by its ending, else by its first byte."""
    known = ENDINGS.get(path.suffix.lower())
    if known is not None:
        return known
    with open_file(path) as file:
        head = file.read(64)
    if head.startswith(SIGNATURE):
        return "png"
    if head.startswith(b"PAR1"):
        return "parquet"
    return "json" if head.lstrip()[:1] in {b"{", b"["} else "text"


def _head(path: Path) -> Head:
    form = form_of(path)
    if form == "csv":
        return Head(path, form, columns=CsvRows(path).columns)
    if form == "parquet":
        from personae.formats._people_parquet import parquet_columns

        return Head(path, form, columns=parquet_columns(path))
    if form == "png":
        return Head(path, form, document=extract_card(_bytes(path), str(path)))
    if form in {"json", "jsonl"}:
        first = next(json_file(path) if form == "json" else json_lines(path), None)
        if isinstance(first, Broken):
            raise first.error
        return Head(path, form, document=None if first is None else first.document)
    if form == "yaml":
        open_file(path).close()
        return Head(path, form)
    told: list[str] = []
    for line in lines(path):
        told.append(decoded(line, path).rstrip("\r\n"))
        if len(told) >= _HEAD_LINES:
            break
    while told and not told[-1].strip():
        told.pop()
    return Head(path, form, lines=tuple(told))


def _bytes(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read()


def _records(path: Path, form: Form, known: PeopleFormat, mapping: PeopleMapping | None) -> Iterator[Record | Broken]:
    if form == "csv":
        rows = CsvRows(path, mapping.delimiter if mapping else None)
        if mapping is not None:
            check_columns(mapping, rows.columns, str(path))
        elif known.name == "csv":
            _check_flat(rows.columns, path)
        missing = [c for c in known.columns[:2] if c not in rows.columns] if len(known.columns) == 3 else []
        if missing:
            raise UnknownKeyError.of(missing[0], rows.columns, where=f"{path}:1: a column is not there")
        yield from rows
    elif form == "parquet":
        from personae.formats._people_parquet import parquet_columns, parquet_rows

        if mapping is not None:
            check_columns(mapping, parquet_columns(path), str(path))
        yield from parquet_rows(path)
    elif form == "png":
        raw = _bytes(path)
        try:
            yield Record(1, extract_card(raw, str(path)), raw)
        except SchemaError as error:
            yield Broken(1, error, raw)
    elif form == "yaml":
        from personae.creation import load_people

        for k, person in enumerate(load_people(path), start=1):
            yield Record(k, person.dump())
    elif form == "text":
        yield from text_lines(path) if known.name == "persona_hub" else text_blocks(path)
    else:
        yield from json_file(path) if form == "json" else json_lines(path)


# Our own tables ----------------------------------------------------------------------------------------------------


def _is_path(column: str) -> bool:
    return (
        column in {"id", "synthetic", REST}
        or column in leaf_kinds()
        or column.split(".", maxsplit=1)[0] in Persona.model_fields.keys() - {"ext", "schema_version"}
    )


def _check_flat(columns: tuple[str, ...], path: Path) -> None:
    strange = [c for c in columns if not _is_path(c)]
    if strange:
        starter = "\n".join(f"  {json.dumps(c, ensure_ascii=False)}: attributes.NAME" for c in columns[:4])
        raise InputError(
            f"{path}:1: column {strange[0]!r} is no path of a persona.",
            hint=f"Give a mapping, e.g. a YAML file with\ncolumns:\n{starter}",
        )


def _read_flat(record: Record, form: Form) -> list[Body]:
    """A row of our own flat table; in CSV its cells are read as `csv_cell` wrote them."""
    row = cast("dict[str, Json]", record.document)
    where = "row"
    rest = row.get(REST) or "[]"
    values = {k: v for k, v in row.items() if k not in {REST, "id"} and v is not None}
    if form == "csv":
        values = {k: v for k, cell in values.items() if (v := csv_value(cell, f"column {k!r}")) is not None}
    body = unflatten(values, parse_json(rest, where), where)
    if not isinstance(body.get("names"), dict):
        body["names"] = {"full": ""}
    return [body | ({"id": row["id"]} if row.get("id") else {})]


def _looks_flat(head: Head) -> Guess | None:
    known = bool(head.columns) and head.form == "csv" and all(_is_path(c) for c in head.columns)
    return Guess(2, "columns are paths of a persona") if known else None


def _read_table(record: Record, form: Form) -> list[Body]:
    row = cast("dict[str, Json]", record.document)
    body = row.get("body")
    if isinstance(body, str) and "id" in row:
        return [cast("Body", parse_json(body, "column 'body'"))]
    return _read_flat(record, form)


def _looks_table(head: Head) -> Guess | None:
    if {"id", "body"} <= set(head.columns):
        return Guess(2, "our own nested table: id and body")
    known = bool(head.columns) and all(_is_path(c) for c in head.columns)
    return Guess(2, "columns are paths of a persona") if known else None


def _never(dumped: object, form: object) -> Written:
    raise InputError(f"tables are written whole, not row by row ({form}, {type(dumped).__name__}).")


IMPORTERS.add(
    "csv", PeopleFormat("csv", "tables (flat, or with a mapping)", ("csv", "parquet"), _looks_flat, _read_flat, _never)
)
IMPORTERS.add(
    "parquet", PeopleFormat("parquet", "our own Parquet tables", ("parquet",), _looks_table, _read_table, _never)
)


class _Rejected:
    """Rows that could not be read: one JSON object a line, written as they come."""

    def __init__(self, path: Path) -> None:
        self.mode: Literal["w", "a"] = "w"
        self._path = path
        self._file = None

    def add(self, source: Path, found: Broken) -> None:
        with naming_errors(self._path):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open(self.mode, encoding="utf-8", newline="\n")
            entry = {"file": str(source), "line": found.line, "reason": found.error.message, "hint": found.error.hint}
            head = json.dumps(entry, ensure_ascii=False)[:-1]
            if found.size > len(found.raw):
                self._file.write(f'{head}, "raw_base64": "')
                with source.open("rb") as file:
                    file.seek(found.start)
                    left = found.size
                    while left and (chunk := file.read(min(_CHUNK, left))):
                        self._file.write(base64.b64encode(chunk).decode())
                        left -= len(chunk)
                self._file.write('"}\n')
            else:
                self._file.write(f"{head}, {_raw(found.raw)}}}\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _raw(raw: bytes) -> str:
    try:
        return f'"raw": {json.dumps(raw.decode("utf-8"), ensure_ascii=False)}'
    except UnicodeDecodeError:
        return f'"raw_base64": "{base64.b64encode(raw).decode()}"'
