"""People in files: JSONL, JSON or YAML, read whole or not at all, with file and line in every error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from personae.core import InputError, Persona, SchemaError, StorageError, replace_file
from personae.creation._documents import compose_yaml, parse_yaml, read_text, shipped, yaml_error

if TYPE_CHECKING:
    from personae.creation._fitted import PopulationFit
    from personae.creation._parts import Part, PeopleFormat
    from personae.creation._population import Population
    from personae.creation._recipe import Recipe

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


def write_population(
    population: Population,
    out_dir: str | Path,
    *,
    format: PeopleFormat = "jsonl",  # noqa: A002 - the word people use
    part: int | None = None,
    shards: tuple[int, int] = (0, 1),
    told: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the people, `fit.json` and `recipe.yaml` into a folder. A run that was killed goes on where it stopped.

    The recipe is there first and names n and seed as drawn, so that the folder says what is to go on in it; the fit
    counts the people as written and holds the digest of their content. The same call writes the same bytes.

    Args:
        population: whom to write.
        out_dir: the folder; missing ones are made.
        format: `jsonl`, whole Personas in `people.jsonl`; or `parquet`, columns (with names) in `people/part-…`.
        part: people per part, a multiple of 1,024; parts are what a resumed run keeps.
        shards: (i, m): write every m-th part only, beginning with the i-th. The fit is written by the call that finds
            all parts there.
        told: called after every part with the people of this shard that are there, and how many it has.

    Raises:
        InputError: the folder holds another population, a run or people of unknown origin; a bad part size or shard.
        StorageError: the folder or a file cannot be written.
        DiskFullError: what is missing would not fit on the disk.
    """
    from personae.creation._parts import Shard, check_room, digest_jsonl, plan_parts, write_parts

    folder, shard = Path(out_dir), Shard(*shards)
    if format not in {"jsonl", "parquet"}:
        raise InputError(f"format {format!r}, expected 'jsonl' or 'parquet'.")
    whole = folder / "people.jsonl"
    beside = folder / ("people" if format == "parquet" else "people.parts")
    _check_owner(population, folder, format)
    if format == "jsonl" and (done := _finished(population, folder)) and done == digest_jsonl(whole):
        return folder
    check_room(population, beside, format, shard)
    parts = plan_parts(population, beside, format, part)
    if not (folder / "recipe.yaml").exists():
        replace_file(folder / "recipe.yaml", [_as_drawn(population).to_yaml().encode()])
    write_parts(population, parts, format, shard, told)
    try:
        _finish(population, folder, parts, format)
    except (FileNotFoundError, StorageError):
        if shard.of == 1 or not whole.exists():  # else another shard was faster and has put the parts together
            raise
    return folder


def _as_drawn(population: Population) -> Recipe:
    return population.recipe.model_copy(update={"n": population.n, "seed": population.seed})


def _check_owner(population: Population, folder: Path, kind: PeopleFormat) -> None:
    """Refuse a folder whose people are others: they are not ours to write over.

    Raises:
        InputError: see above.
    """
    from personae.creation._recipe import Recipe

    kept = folder / "recipe.yaml"
    if (folder / "manifest.json").exists():
        raise InputError(f"{folder} is the folder of a run.", hint="Write into another folder.")
    if not kept.exists():
        if kind == "jsonl" and (folder / "people.jsonl").exists():
            raise InputError(
                f"{folder / 'people.jsonl'} is there, and no recipe.yaml beside it says who these people are.",
                hint="Write into another folder, or move the file away.",
            )
        return
    text = read_text(kept)
    if text == _as_drawn(population).to_yaml():
        return
    begun = Recipe.of(parse_yaml(text, str(kept)), where=str(kept), folder=folder)
    if (begun.hash, begun.n, begun.seed) != (population.hash, population.n, population.seed):
        raise InputError(
            f"{folder} belongs to another population ({begun.name!r}, {begun.hash}, n {begun.n}, seed {begun.seed}; "
            f"asked for: {population.hash}, n {population.n}, seed {population.seed}).",
            hint="Write into another folder, or with the same recipe, n and seed.",
        )


def _finish(population: Population, folder: Path, parts: list[Part], kind: PeopleFormat) -> None:
    """Once all parts are there: the fit of the people as written, and for JSONL the one file."""
    from personae.creation._parts import digest_parts, merge_jsonl, part_codes, part_people

    digest = digest_parts(population, parts, kind)
    if digest is None:
        return
    if kind == "jsonl":
        fit = population.fit(part_people(parts))
        merge_jsonl(parts, folder / "people.jsonl")
    else:
        fit = population.fit_codes(*part_codes(population, parts))
    body = {**fit_record(population, fit), "format": kind, "digest": digest}
    for stray in parts[0].path.parent.glob(".part-*.tmp"):  # what a killed run had begun
        stray.unlink(missing_ok=True)
    replace_file(folder / "fit.json", [json.dumps(body, ensure_ascii=False, indent=1).encode(), b"\n"])


def _finished(population: Population, folder: Path) -> str | None:
    """The digest that `fit.json` of this very population holds."""
    try:
        body = json.loads((folder / "fit.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(body, dict) and (body.get("recipe"), body.get("n"), body.get("seed"), body.get("format")) == (
        population.hash, population.n, population.seed, "jsonl",
    )  # fmt: skip
    return body.get("digest") if same else None


def fit_record(population: Population, fit: PopulationFit) -> dict[str, Any]:
    """What `fit.json` says: how the joint distribution meets the margins, and how the people meet them."""
    recipe, fitted = population.recipe, population.recipe.fitted.report
    return {
        "recipe": population.hash,
        "name": recipe.name,
        "source": recipe.source,
        "licence": recipe.licence,
        "note": recipe.note,
        "traits": recipe.traits.note if recipe.traits else None,
        "n": population.n,
        "seed": population.seed,
        "synthetic": True,
        "rarity": recipe.rarity,
        "strata": recipe.strata.model_dump(mode="json") if recipe.strata else None,
        "hard_quotas_exact": fit.hard_exact,
        "distance": fit.distance,
        "unknown": fit.unknown,
        "measures": {name: _finite(asdict(m)) for name, m in fit.measures.items()},
        "weighted": {name: _finite(asdict(m)) for name, m in fit.weighted.items()},
        "joint": asdict(fitted),
        "rows": [row.model_dump(mode="json") for row in fit.rows],
    }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity: null stands for what cannot be said as a number."""
    return {key: value if math.isfinite(value) else None for key, value in values.items()}


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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no key stands twice: of two values one would be lost without a word."""
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return out


def _jsonl(text: str, where: str) -> Iterator[tuple[int, Any]]:
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            try:
                yield line, json.loads(row, object_pairs_hook=_once)
            except (ValueError, RecursionError) as cause:
                raise SchemaError(f"{where}:{line}: not valid JSON ({cause}).", hint="One object a line.") from cause


def _json(text: str, where: str) -> Iterator[tuple[int, Any]]:
    """Elements of a JSON list (or of `people`), or the one object, each with its line."""
    try:
        whole = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as cause:
        raise SchemaError(f"{where}:{cause.lineno}: not valid JSON ({cause.msg}).", hint="Nothing was read.") from cause
    except RecursionError as cause:
        raise SchemaError(f"{where}: nested too deeply to be read.", hint="Flatten it.") from cause
    except ValueError as cause:  # a key twice, a number of thousands of digits
        raise SchemaError(f"{where}: {cause}.", hint="Nothing was read.") from cause
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
