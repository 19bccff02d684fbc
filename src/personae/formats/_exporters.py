"""People into other tools' files, tables and datasets: streamed, whole or not at all, naming what got lost."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, cast

from personae.core import InputError, Persona, UnknownKeyError, naming_errors, replace_file
from personae.formats._card import CardFacts, PeopleCounts, people_card_text
from personae.formats._families import ENDINGS, IMPORTERS, Form, PeopleFormat, merge_halves
from personae.formats._files import ExportedFile, ExportFolder
from personae.formats._flat import REST, FlatColumns, FlatRow, csv_cell, flatten, row_cells
from personae.formats._lines import json_line
from personae.formats._mapping import PeopleMapping, load_mapping
from personae.formats._png import embed_card
from personae.formats._privacy import Redactor, anonymised
from personae.formats._shape import Json, Written

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_OURS: Final = ("parquet_nested", "hf_dataset")
_BATCH: Final = 1_000
SHARD: Final = 250_000
"""most people in one file of a dataset folder"""


def exporters() -> tuple[str, ...]:
    """Names of the formats that people can be written in."""
    return tuple(sorted((*IMPORTERS, *_OURS)))


@dataclass(slots=True)
class PeopleExport:
    """What an export of people wrote, and what it could not write."""

    path: Path
    format: str
    people: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])
    """persona path to the number of people whose leaf the format has no room for; list positions are `*`"""
    redactions: Counter[str] = field(default_factory=Counter[str])
    """kind of string to how many were replaced; only when anonymised"""
    files: tuple[ExportedFile, ...] = ()
    """of a dataset folder"""


def export_people(
    people: Iterable[Persona],
    path: str | Path,
    format: str = "auto",  # noqa: A002 - the word users know
    *,
    mapping: PeopleMapping | str | Path | None = None,
    anonymise: bool = False,
    redactor: Redactor | None = None,
    card: CardFacts | None = None,
    image: str | Path | None = None,
) -> PeopleExport:
    """Write people in a format of `exporters()`. Somebody imported from it comes out as the record they came from.

    The file appears whole or not at all; people are read once and never held together in memory.

    Args:
        people: any number of them.
        path: the file; for `hf_dataset` a folder.
        format: name of a format; `auto` takes our own one for the ending.
        mapping: for `csv`, the mapping that the table was or shall be read with.
        anonymise: replace names by placeholders, drop leaves of PII class `direct`, redact contact-like strings.
        redactor: what redacts when anonymising; by default the patterns of the text room.
        card: licence, title, recipe and the like for a dataset folder.
        image: the picture that carries a character card written as `.png`.

    Raises:
        UnknownKeyError: a format nobody knows.
        InputError: the ending is not of that format, a picture for several people, text that the format cannot hold.
        StorageError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from personae.core import Goal, Names, Social
        >>> ana = Persona(names=Names(full="Ana"), social=Social(age=58), goals=(Goal(text="Rest.", horizon="now"),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dict(export_people([ana], Path(folder) / "ana.json", "tinytroupe").dropped)
        {'goals (horizon)': 1}
    """
    target = Path(path)
    if mapping is not None and not isinstance(mapping, PeopleMapping):
        mapping = load_mapping(mapping)
    name = _default_format(target) if format == "auto" else format
    if name not in exporters():
        raise UnknownKeyError.of(name, exporters(), where="export format")
    if mapping is not None and name != "csv":
        raise InputError(f"A mapping is for csv, not for {name!r}.", hint="Leave one of them out.")
    done = PeopleExport(target, name)
    made = _Made()
    counted = _counted(made.watch(people), done, _redactor(redactor) if anonymise else None, anonymise=anonymise)
    if name == "hf_dataset":
        return _write_dataset(counted, target, done, card or CardFacts(title="Synthetic people"), made, anonymise)
    form = _form(target, name)
    if name in {"parquet", "parquet_nested"}:
        with placed(target) as temporary:
            _write_parquet(counted, temporary, nested=name == "parquet_nested")
    elif name == "csv" and mapping is None:
        _write_flat_csv(counted, target)
    else:
        _write_records(counted, target, form, IMPORTERS.get(name), mapping, done, image)
    return done


def check_target(path: Path) -> None:
    """Whether our own formats can be written there.

    Raises:
        InputError: the ending is of none.
    """
    name = _default_format(path)
    if name != "hf_dataset":
        _form(path, name)


def _default_format(path: Path) -> str:
    if path.suffix == "":
        return "hf_dataset"
    form = ENDINGS.get(path.suffix.lower())
    names: dict[Form | None, str] = {"jsonl": "personae", "json": "personae", "yaml": "personae", "csv": "csv",
                                     "parquet": "parquet", "png": "character_card"}  # fmt: skip
    if form not in names:
        raise InputError(f"{path}: which format?", hint=f"Name one (--format): {', '.join(exporters())}.")
    return names[form]


def _form(path: Path, name: str) -> Form:
    form = ENDINGS.get(path.suffix.lower())
    forms = ("parquet",) if name in {"parquet", "parquet_nested"} else IMPORTERS.get(name).forms
    forms = ("csv",) if name == "csv" else forms
    if form is None or form not in forms:
        endings = [e for e, f in ENDINGS.items() if f in forms]
        raise InputError(
            f"{path}: {name} is not written with the ending {path.suffix!r}.", hint=f"Use {', '.join(endings)}."
        )
    return form


def _redactor(given: Redactor | None) -> Redactor:
    if given is not None:
        return given
    from personae.text import redact

    return redact


def _counted(
    people: Iterable[Persona], done: PeopleExport, redactor: Redactor | None, *, anonymise: bool
) -> Iterator[Persona]:
    for person in people:
        done.people += 1
        if anonymise:
            person, counts, gone = anonymised(person, redactor)  # noqa: PLW2901
            done.redactions.update(counts)
            done.dropped.update(dict.fromkeys(map(_stars, gone), 1))
        yield person


def _stars(path: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


# Records -----------------------------------------------------------------------------------------------------------


def _write_records(
    people: Iterator[Persona], path: Path, form: Form, known: PeopleFormat, mapping: PeopleMapping | None,
    done: PeopleExport, image: str | Path | None,
) -> None:  # fmt: skip
    documents = _documents(people, form, known, mapping, done)
    if known.name == "synthetic_persona_chat":
        documents = _joined(documents, done)
    if form == "png":
        found = list(islice(documents, 2))
        if len(found) != 1:
            raise InputError(f"{path}: a picture carries one card, got {'several' if found else 'no'} people.")
        picture = None if image is None else Path(image).read_bytes()
        replace_file(path, [embed_card(found[0], picture)])
    elif form == "parquet":
        with placed(path) as temporary:
            _write_foreign_parquet(documents, temporary, known.columns)
    else:
        columns = tuple(mapping.columns) if mapping is not None else known.columns
        delimiter = (mapping.delimiter if mapping else None) or ("\t" if path.suffix.lower() == ".tsv" else ",")
        writers: dict[Form, Callable[[], Iterator[str]]] = {
            "jsonl": lambda: (json_line(d) + "\n" for d in documents),
            "json": lambda: _json_text(documents),
            "yaml": lambda: _yaml_text(documents),
            "csv": lambda: _csv_text(documents, columns, delimiter, done),
            "text": lambda: (_no_nul(known.text(d), path) for d in documents),
        }
        replace_file(path, (part.encode() for part in writers[form]()))


def _documents(
    people: Iterable[Persona], form: Form, known: PeopleFormat, mapping: PeopleMapping | None, done: PeopleExport
) -> Iterator[Json]:
    for person in people:
        if known.name == "personae" and mapping is None:
            yield person.dump()
            continue
        dumped = person.model_dump(mode="json", exclude_defaults=True)
        written: Written = mapping.shape.write(dumped) if mapping is not None else known.write(dumped, form)
        done.dropped.update(dict.fromkeys(map(_stars, written.dropped), 1))
        yield written.document


def _joined(halves: Iterator[Json], done: PeopleExport) -> Iterator[Json]:
    """Rows of two users each."""
    waiting: Json = None
    for half in halves:
        if waiting is None:
            waiting = half
            continue
        row = merge_halves(waiting, half)
        if row is None:
            raise InputError(
                f"person {done.people - 1}: the other user of the row is not the next person.",
                hint="Keep both people of a row together and in order.",
            )
        yield row
        waiting = None
    if waiting is not None:
        raise InputError("An odd number of people: a row needs two users.", hint="Add or leave out one.")


def _json_text(documents: Iterator[Json]) -> Iterator[str]:
    """One object for one person, else a list."""
    first = list(islice(documents, 2))
    if len(first) == 1 and not isinstance(first[0], list):
        yield _pretty(first[0]) + "\n"
        return
    yield "["
    for k, document in enumerate(chain(first, documents)):
        yield f"{',' if k else ''}\n{_pretty(document)}"
    yield "\n]\n"


def _pretty(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)


def _yaml_text(documents: Iterator[Json]) -> Iterator[str]:
    import yaml

    for document in documents:
        yield yaml.safe_dump([document], sort_keys=False, allow_unicode=True, width=118)


def _csv_text(documents: Iterator[Json], columns: tuple[str, ...], delimiter: str, done: PeopleExport) -> Iterator[str]:
    """Rows under the columns of the format and those that the first record has besides."""
    first: dict[str, Json] | None = next(documents, None)
    header: tuple[str, ...] = tuple(dict.fromkeys((*columns, *(first or {}))))
    yield _csv_line(header, delimiter)
    for document in chain(() if first is None else (first,), documents):
        yield _csv_line([_cell(document.get(c)) for c in header], delimiter)
        done.dropped.update(f"source.{c} (no such column)" for c in document.keys() - set(header))


def _csv_line(cells: Iterable[str], delimiter: str = ",") -> str:
    out = io.StringIO()
    # A bare return inside a cell is quoted only when the line ends with one.
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return _no_nul(out.getvalue().removesuffix("\r\n") + "\n", "CSV")


def _no_nul(text: str, where: object) -> str:
    if "\0" in text:
        raise InputError(f"{where}: a NUL character in {text[:60]!r}.", hint="Write JSON Lines, or remove it.")
    return text


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _write_foreign_parquet(documents: Iterator[Json], path: Path, columns: tuple[str, ...]) -> None:
    import pyarrow as pa

    from personae.formats._people_parquet import write_rows

    first: dict[str, Json] | None = next(documents, None)
    names: tuple[str, ...] = tuple(dict.fromkeys((*columns, *(first or {}))))
    schema = pa.schema([pa.field(n, pa.int64() if n == "age" else pa.string()) for n in names])
    rows = chain(() if first is None else (first,), documents)
    write_rows(path, ({k: _typed(k, v) for k, v in row.items()} for row in rows), schema)


def _typed(name: str, value: Json) -> Json:
    if name == "age":
        return int(value) if isinstance(value, (int, float)) or str(value).strip().isdecimal() else None
    return value if value is None else _cell(value)


# Tables ------------------------------------------------------------------------------------------------------------


class _Spool:
    """People as flat rows in a temporary file, read again once all columns are known."""

    def __init__(self, people: Iterable[Persona], folder: Path) -> None:
        self.columns = FlatColumns()
        self.count = 0
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder, newline="\n")  # noqa: SIM115
        try:
            with naming_errors(folder):
                for person in people:
                    row = flatten(person)
                    self.columns.see(row)
                    self._file.write(json.dumps([row.id, row.values, row.rest], ensure_ascii=False) + "\n")
                    self.count += 1
        except BaseException:
            self._file.close()
            raise

    def rows(self) -> Iterator[dict[str, Json]]:
        """Cells of each row by column."""
        kept = self.columns.kept()
        self._file.seek(0)
        for line in self._file:
            person_id, values, rest = cast("list[Any]", json.loads(line))
            cells, left = row_cells(FlatRow(person_id, values, rest), kept)
            yield {"id": person_id, **cells, REST: left}

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


@contextmanager
def _spooled(people: Iterable[Persona], folder: Path) -> Generator[_Spool]:
    with naming_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    spool = _Spool(people, folder)
    try:
        yield spool
    finally:
        spool.close()


def _write_parquet(people: Iterator[Persona], path: Path, *, nested: bool) -> None:
    from personae.formats._people_parquet import flat_schema, nested_row, nested_schema, write_rows

    if nested:
        write_rows(path, map(nested_row, people), nested_schema())
        return
    with _spooled(people, path.parent) as spool:
        write_rows(path, spool.rows(), flat_schema(spool.columns))


def _write_flat_csv(people: Iterator[Persona], path: Path) -> None:
    with _spooled(people, path.parent) as spool:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        kinds = spool.columns.kept()
        header = ["id", *kinds, REST]

        def text() -> Iterator[str]:
            yield _csv_line(header, delimiter)
            for row in spool.rows():
                yield _csv_line([_flat_cell(row.get(c), kinds.get(c)) for c in header], delimiter)

        replace_file(path, (part.encode() for part in text()))


def _flat_cell(value: Json, kind: str | None) -> str:
    if value is None:
        return ""
    # Ids and what is JSON already go as they are.
    return str(value) if kind in {None, "json"} else csv_cell(value)


@contextmanager
def placed(path: Path) -> Generator[Path]:
    """A temporary path that takes the place of `path` when all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with naming_errors(path):
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


# Dataset folders ---------------------------------------------------------------------------------------------------


def _write_dataset(
    people: Iterator[Persona],
    path: Path,
    done: PeopleExport,
    card: CardFacts,
    made: _Made,
    anonymise: bool,  # noqa: FBT001 - one caller
) -> PeopleExport:
    from personae.formats._people_parquet import flat_schema, write_rows

    if path.suffix:
        raise InputError(f"{path}: a dataset is a folder.", hint="Give a path without an ending.")
    with _spooled(people, path) as spool, ExportFolder(path) as folder:
        schema = flat_schema(spool.columns)
        shards = max(1, -(-spool.count // SHARD))
        rows = spool.rows()
        for k in range(shards):
            name = f"data/train-{k:05d}-of-{shards:05d}.parquet"
            folder.done(name, write_rows(folder.stage(name), islice(rows, SHARD), schema))
        counts = PeopleCounts(
            people=spool.count,
            real=made.real,
            recipes=tuple(sorted(made.recipes)),
            seeds=tuple(sorted(made.seeds)),
            generators=tuple(sorted(made.generators)),
            licences=tuple(sorted(made.licences)),
            columns=_described(schema),
            redactions=dict(sorted(done.redactions.items())) if anonymise else None,
            dropped=dict(done.dropped.most_common(20)),
        )
        files = [f for f in folder.staged() if f.name != "README.md"]
        folder.stage("README.md").write_text(people_card_text(card, counts, files), encoding="utf-8")
        done.files = folder.commit()
    return done


def _described(schema: pa.Schema) -> list[Mapping[str, str]]:
    """Name, type as the datasets library spells it, and PII class of each column."""
    types = {"int64": "int64", "double": "float64", "bool": "bool", "string": "string"}
    out: list[Mapping[str, str]] = []
    for column in schema:
        pii = (column.metadata or {}).get(b"personae.pii", b"none").decode()
        kind = types.get(str(column.type))
        out.append({"name": column.name, "dtype": kind or "string", "list": "" if kind else "yes", "pii": pii})
    return out


@dataclass(slots=True)
class _Made:
    """How the people of a dataset came to be."""

    real: int = 0
    recipes: set[str] = field(default_factory=set[str])
    seeds: set[int] = field(default_factory=set[int])
    generators: set[str] = field(default_factory=set[str])
    licences: set[str] = field(default_factory=set[str])

    def watch(self, people: Iterable[Persona]) -> Iterator[Persona]:
        """The same people, counted."""
        for person in people:
            self.real += not person.synthetic
            origin = person.provenance
            source = person.ext.get("source")
            for found, into in ((origin.recipe, self.recipes), (origin.licence, self.licences)):
                if found is not None and len(into) < _BATCH:
                    into.add(found)
            if origin.seed is not None and len(self.seeds) < _BATCH:
                self.seeds.add(origin.seed)
            generator = origin.generator or (f"imported from {source['format']}" if source else None)
            if generator is not None and len(self.generators) < _BATCH:
                self.generators.add(generator)
            yield person
