"""People in files: JSONL, JSON or YAML, read whole or not at all, with file and line in every error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from personae.core import InputError, Persona, SchemaError, replace_file
from personae.creation._documents import compose_yaml, read_text, shipped, yaml_error

if TYPE_CHECKING:
    from personae.creation._population import Population

FileKind = Literal["jsonl", "json", "yaml"]


def load_people(path: str | Path) -> tuple[Persona, ...]:
    """All people in a file: an object a line (`.jsonl`), a list or one object (`.json`, `.yaml`, `.yml`).

    JSON and YAML may also hold a mapping with `people:`. Older schema versions are upgraded.

    Raises:
        InputError: no such file, not UTF-8, an unknown ending, or the same person twice (both lines are named).
        SchemaError, UnknownKeyError, VersionError, ConsentError: a record that does not fit, with file and line.
    """
    return _unique(read_records(path), str(Path(path)))


def read_records(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Every record of a file of people with its line, as it stands there: not upgraded, not checked against the schema.

    Raises:
        InputError: no such file, not UTF-8, or an unknown ending.
        SchemaError: it is no JSON or YAML, with file and line.
    """
    source = Path(path)
    kind = _kind(source)
    return {"jsonl": _jsonl, "json": _json, "yaml": _yaml}[kind](read_text(source), str(source))


@cache
def load_gallery() -> tuple[Persona, ...]:
    """About forty original, invented people across ages, places and temperaments.

    >>> sorted(p.get("social.age") for p in load_gallery())[0]
    9
    """
    text = shipped("gallery", "people.yaml")
    return _unique(_yaml(text or "", "gallery/people.yaml"), "gallery/people.yaml")


def save_people(people: Iterable[Persona], path: str | Path) -> Path:
    """Write people so that `load_people` gives them back with the same ids; `synthetic` is always written.

    The ending decides the format, as for `load_people`. The file appears whole or not at all.

    Raises:
        InputError: an unknown ending.
        StorageError: the file cannot be written.
    """
    target = Path(path)
    kind = _kind(target)
    if kind == "jsonl":
        replace_file(target, (f"{json.dumps(p.dump(), ensure_ascii=False)}\n".encode() for p in people))
    elif kind == "json":
        replace_file(target, [json.dumps([p.dump() for p in people], ensure_ascii=False, indent=1).encode(), b"\n"])
    else:
        import yaml

        body = [p.dump() for p in people]
        replace_file(target, [yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=118).encode()])
    return target


def write_population(population: Population, out_dir: str | Path) -> Path:
    """Write `people.jsonl`, `fit.json` and `recipe.yaml` into a folder, each file whole or not.

    The recipe names n and seed as drawn; the fit counts the people as written. The same call writes the same bytes.

    Raises:
        StorageError: the folder or a file cannot be written.
    """
    folder = Path(out_dir)
    fitted = population.recipe.fitted.report
    as_drawn = population.recipe.model_copy(update={"n": population.n, "seed": population.seed})
    replace_file(folder / "recipe.yaml", [as_drawn.to_yaml().encode()])
    save_people(population, folder / "people.jsonl")
    fit = population.fit(population)
    body = {
        "recipe": population.hash,
        "name": population.recipe.name,
        "source": population.recipe.source,
        "licence": population.recipe.licence,
        "note": population.recipe.note,
        "traits": population.recipe.traits.note if population.recipe.traits else None,
        "n": population.n,
        "seed": population.seed,
        "synthetic": True,
        "hard_quotas_exact": fit.hard_exact,
        "distance": fit.distance,
        "unknown": fit.unknown,
        "joint": {
            "cells": fitted.cells,
            "forbidden": fitted.forbidden,
            "rounds": fitted.rounds,
            "converged": fitted.converged,
            "residual": fitted.residual,
            "worst": fitted.worst,
        },
        "rows": [row.model_dump(mode="json") for row in fit.rows],
    }
    replace_file(folder / "fit.json", [json.dumps(body, ensure_ascii=False, indent=1).encode(), b"\n"])
    return folder


def _kind(path: Path) -> FileKind:
    endings: dict[str, FileKind] = {".jsonl": "jsonl", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}
    if path.suffix.lower() not in endings:
        raise InputError(f"{str(path)!r}: unknown ending {path.suffix!r}.", hint="Use .jsonl, .json, .yaml or .yml.")
    return endings[path.suffix.lower()]


def _unique(records: Iterator[tuple[int, Any]], where: str) -> tuple[Persona, ...]:
    """Parse records (line, body), refusing the same person twice."""
    seen: dict[str, int] = {}
    out: list[Persona] = []
    for line, body in records:
        person = Persona.parse(body, where=f"{where}:{line}")
        if person.id in seen:
            raise InputError(
                f"{where}:{line}: duplicate id {person.id!r} ({person.name!r}), first on line {seen[person.id]}.",
                hint="Remove one of them.",
            )
        seen[person.id] = line
        out.append(person)
    return tuple(out)


def _jsonl(text: str, where: str) -> Iterator[tuple[int, Any]]:
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            try:
                yield line, json.loads(row)
            except (ValueError, RecursionError) as cause:
                raise SchemaError(f"{where}:{line}: not valid JSON ({cause}).", hint="One object a line.") from cause


def _json(text: str, where: str) -> Iterator[tuple[int, Any]]:
    """Elements of a JSON list (or of `people`), or the one object, each with its line."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as cause:
        raise SchemaError(f"{where}:{cause.lineno}: not valid JSON ({cause.msg}).", hint="Nothing was read.") from cause
    except RecursionError as cause:
        raise SchemaError(f"{where}: nested too deeply to be read.", hint="Flatten it.") from cause
    if isinstance(whole, dict) and isinstance(whole.get("people"), list):
        start = text.index("[", text.index('"people"'))
    elif isinstance(whole, list):
        start = text.index("[")
    else:
        yield 1, whole
        return
    decoder, position = json.JSONDecoder(), start + 1
    line, counted = 1, 0
    while True:
        while text[position] in " \t\r\n,":
            position += 1
        if text[position] == "]":
            return
        line, counted = line + text.count("\n", counted, position), position
        body, position = decoder.raw_decode(text, position)
        yield line, body


def _yaml(text: str, where: str) -> Iterator[tuple[int, Any]]:
    import yaml

    node, loader = compose_yaml(text, where)
    if isinstance(node, yaml.MappingNode):
        people = next((value for key, value in node.value if key.value == "people"), None)
        node = people if people is not None else node
    if node is None:
        return
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for item in items:
        try:
            body = loader.construct_document(item)
        except yaml.YAMLError as cause:
            raise yaml_error(cause, where) from cause
        yield item.start_mark.line + 1, body
