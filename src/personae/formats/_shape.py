"""Two-way maps between another tool's record and a persona, which lose nothing in either direction.

Reading takes every value that has a place out of the record; the rest stays in `ext["source"]` as it was. Writing puts
the persona's values back where they came from, so an edit shows, and says which leaves the other tool has no room for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from personae.core import TEXT_LIMIT, SchemaError, SourceRecord

Json: TypeAlias = Any
Pointer: TypeAlias = tuple[str, ...]
_PATH: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_FACT: Final = frozenset({"value", "source", "confidence", "valid_from", "valid_to", "visibility", "pii"})
_TOLD: Final = ("source", "confidence", "valid_from", "valid_to", "visibility", "pii")


class Missing:
    """No value: neither null nor empty."""


MISSING: Final = Missing()


def _nothing(leaf: Json) -> str:
    del leaf
    return ""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one value is read and written. Both give MISSING for what does not fit; reading gives None for "unknown"."""

    read: Callable[[Json], Json]
    write: Callable[[Json], Json]
    expects: str = "text"
    lost: Callable[[Json], str] = _nothing
    """what of a leaf (as dumped, Facts and all) the written form does not say; '' when nothing"""


@dataclass(frozen=True, slots=True)
class Place:
    """One value of the record and the leaf of the persona that is the same thing."""

    source: Pointer
    target: str
    codec: Codec
    also: tuple[Pointer, ...] = ()
    """other places where records keep it"""
    strict: bool = False
    """a value that does not fit is an error instead of staying in the source record"""
    fact: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """what every value of this place carries, e.g. its PII class"""


@dataclass(frozen=True, slots=True)
class Open:
    """A mapping of the record whose keys are not known: each scalar or list of scalars becomes an attribute."""

    source: Pointer
    prefix: str = "attributes."
    label: Callable[[str], str] = str
    """the key we would write for the last part of an attribute path"""


@dataclass(frozen=True, slots=True)
class Written:
    """A record, and what of the person it does not hold."""

    document: Json
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """A family of records."""

    name: str
    places: tuple[Place, ...]
    opens: tuple[Open, ...] = ()
    constants: Mapping[str, Json] = field(default_factory=dict[str, Json])
    skeleton: Json = field(default_factory=dict[str, Json])
    """what a record made from nothing starts with"""
    cells: bool = False
    """every value is text, as in CSV"""

    def read(self, document: Json, *, version: str | None = None) -> dict[str, Json]:
        """The body of a persona. `Persona.parse` reads it."""
        rest = _copied(document, DEPTH_LIMIT)
        body: dict[str, Json] = {}
        spelled: dict[str, Json] = {}
        places: dict[str, str] = {}
        for place in self.places:
            self._take(place, rest, body, spelled, places)
        for opened in self.opens:
            self._take_open(opened, rest, body, spelled, places)
        for target, value in self.constants.items():
            _put(body, target, value)
        if _get(body, "names.full") is MISSING:
            _put(body, "names.full", "")
        # `Persona.parse` checks it against `SourceRecord`; here it would be checked a second time.
        source: dict[str, Json] = {"format": self.name, "version": version, "body": rest}
        return body | {"ext": {"source": source | {"spelled": spelled, "places": places}}}

    def write(self, dumped: Mapping[str, Json]) -> Written:
        """The record of a dumped persona (`model_dump(mode="json", exclude_defaults=True)`)."""
        body = cast("dict[str, Json]", _copied(dict(dumped)))
        origin = _origin(body)
        own = origin is not None and origin.format == self.name
        document = _copied(origin.body if own and origin else self.skeleton)
        dropped: list[str] = []
        for place in self.places:
            self._give(place, body, document, origin if own else None, dropped)
        self._give_open(body, document, origin if own else None)
        for target, value in self.constants.items():
            if same(_get(body, target), value):
                _pop(body, target)
        if _get(body, "names.full") == "":
            _pop(body, "names.full")
        if origin is not None and not own:
            dropped += _kept(origin)
        return Written(document, (*dropped, *paths_of(body)))

    def origin(self, dumped: Mapping[str, Json]) -> SourceRecord | None:
        """The source record of a person that came from this family."""
        source = dumped.get("ext", {}).get("source")
        return SourceRecord.model_validate(source) if source and source["format"] == self.name else None

    def _take(self, place: Place, rest: Json, body: Json, spelled: Json, places: Json) -> None:
        if _get(body, place.target) is not MISSING:
            return
        for pointer in (place.source, *place.also):
            raw = look(rest, pointer)
            if raw is MISSING or raw is None or raw == "":
                continue
            got = place.codec.read(raw)
            if got is MISSING:
                if place.strict:
                    raise SchemaError(
                        f"column {pointer[-1]!r}: {_shown(raw)} is no {place.codec.expects} for {place.target}."
                    )
                continue
            if got is None:
                return
            written = place.codec.write(got)
            if written is MISSING:  # readable, but not to be written again: better left as it is
                continue
            _put(body, place.target, {"value": got, **place.fact} if place.fact else got)
            remove(rest, pointer)
            if not same(_cell(written) if self.cells else written, raw):
                spelled[spell(pointer)] = raw
            if pointer != place.source:
                places[place.target] = spell(pointer)
            return

    def _take_open(self, opened: Open, rest: Json, body: Json, spelled: Json, places: Json) -> None:
        node = look(rest, opened.source)
        if not isinstance(node, dict):
            return
        children = cast("dict[str, Json]", node)
        for key, raw in sorted(children.items()):  # whatever the order of keys, the same attributes
            slug = key if _PATH.fullmatch(key) else re.sub(r"[^a-z0-9]+", "_", key.casefold()).strip("_")
            pointer = (*opened.source, key)
            got = VALUE.read(raw)
            target = opened.prefix + slug
            if not slug or got is MISSING or _get(body, target) is not MISSING:
                continue
            if any(pointer == p for place in self.places for p in (place.source, *place.also)):
                continue
            _put(body, target, got)
            remove(rest, pointer)
            if self._usual(target) != pointer:
                places[target] = spell(pointer)
            if not same(_cell(got) if self.cells else got, raw):
                spelled[spell(pointer)] = raw

    def _give(self, place: Place, body: Json, document: Json, origin: SourceRecord | None, dropped: list[str]) -> None:
        leaf = _get(body, place.target)
        if leaf is MISSING:
            return
        raw = place.codec.write(leaf)
        if raw is MISSING:
            return
        moved = origin.places.get(place.target) if origin else None
        pointer = unspell(moved) if moved else place.source
        raw = self._spelling(pointer, place.codec, leaf, raw, origin)
        if not put(document, pointer, raw):
            return
        _pop(body, place.target)
        told = place.codec.lost is not _nothing
        lost = place.codec.lost(leaf) if told else _metadata(leaf, place.fact)
        if lost:
            dropped.append(f"{place.target} ({lost})")

    def _give_open(self, body: Json, document: Json, origin: SourceRecord | None) -> None:
        """Attributes that no place names go where they came from, else to the mapping that is open for their path."""
        moved = origin.places if origin else {}
        fixed = {place.source for place in self.places}
        targets = [f"attributes.{path}" for path in body.get("attributes", {})]
        for target in sorted(targets, key=lambda t: t not in moved):
            pointer = unspell(moved[target]) if target in moved else self._usual(target)
            if pointer is None:
                continue
            if target not in moved and (pointer in fixed or look(document, pointer) is not MISSING):
                continue
            leaf = _get(body, target)
            raw = self._spelling(pointer, VALUE, leaf, bare(leaf), origin)
            if put(document, pointer, raw):
                _pop(body, target)

    def _usual(self, target: str) -> Pointer | None:
        fitting = [o for o in self.opens if target.startswith(o.prefix)]
        if not fitting:
            return None
        opened = max(fitting, key=lambda o: len(o.prefix))
        return (*opened.source, opened.label(target.removeprefix(opened.prefix)))

    def _spelling(self, pointer: Pointer, codec: Codec, leaf: Json, raw: Json, origin: SourceRecord | None) -> Json:
        raw = _cell(raw) if self.cells else raw
        before = origin.spelled.get(spell(pointer), MISSING) if origin else MISSING
        if before is not MISSING and same(bare(codec.read(before)), bare(leaf)):
            return before
        return raw


def is_fact(leaf: Json) -> bool:
    """Is this dumped leaf a Fact?"""
    return isinstance(leaf, dict) and "value" in leaf and leaf.keys() <= _FACT


def bare(leaf: Json) -> Json:
    """A dumped leaf without what its Facts carry."""
    if is_fact(leaf):
        return bare(leaf["value"])
    return [bare(v) for v in leaf] if isinstance(leaf, list) else leaf


# Codecs ------------------------------------------------------------------------------------------------------------

DEPTH_LIMIT: Final = 64
"""deepest nesting of a record of another tool"""


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT_LIMIT


def _read_text(value: Json) -> Json:
    return value if _is_text(value) else MISSING


def _write_text(leaf: Json) -> Json:
    value = bare(leaf)
    return value if isinstance(value, str) and value else MISSING


def _read_whole(value: Json) -> Json:
    if isinstance(value, bool):
        return MISSING
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else MISSING


def _read_age(value: Json) -> Json:
    years = _read_whole(value)
    return years if years is not MISSING and 0 <= years <= 120 else MISSING


def _write_number(leaf: Json) -> Json:
    value = bare(leaf)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else MISSING


def _read_texts(value: Json) -> Json:
    fits = isinstance(value, list) and bool(value) and all(isinstance(v, str) and len(v) <= TEXT_LIMIT for v in value)
    return value if fits else MISSING


def _write_texts(leaf: Json) -> Json:
    value = bare(leaf)
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else MISSING


def _is_scalar(value: Json) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT_LIMIT
    return isinstance(value, (bool, int, float))


def _read_value(value: Json) -> Json:
    if isinstance(value, list):
        return value if value and all(_is_scalar(v) for v in value) else MISSING
    return value if value != "" and _is_scalar(value) else MISSING


TEXT: Final = Codec(_read_text, _write_text)
AGE: Final = Codec(_read_age, _write_number, "whole number of years from 0 to 120")
TEXTS: Final = Codec(_read_texts, _write_texts, "list of texts")
VALUE: Final = Codec(_read_value, bare, "value")


# Trees -------------------------------------------------------------------------------------------------------------


def same(a: Json, b: Json) -> bool:
    """Equal as JSON, telling 1 from 1.0 and true; the order of keys does not count."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _copied(node: Json, left: int = 2 * DEPTH_LIMIT) -> Json:
    """A copy of JSON, in a fraction of the time a deep copy of anything takes."""
    if left < 0:
        raise SchemaError(f"nested deeper than {DEPTH_LIMIT} levels.", hint="Flatten it.")
    if isinstance(node, dict):
        return {k: _copied(v, left - 1) for k, v in node.items()}
    return [_copied(v, left - 1) for v in node] if isinstance(node, list) else node


def look(document: Json, pointer: Pointer) -> Json:
    """The value at a pointer of mappings, or MISSING."""
    for step in pointer:
        if not isinstance(document, dict) or step not in document:
            return MISSING
        document = document[step]
    return document


def put(document: Json, pointer: Pointer, value: Json) -> bool:
    """Set a value, making mappings on the way; False when something that is no mapping stands in the way."""
    if not isinstance(document, dict):
        return False
    for step in pointer[:-1]:
        document = document.setdefault(step, {})
        if not isinstance(document, dict):
            return False
    document[pointer[-1]] = value
    return True


def remove(document: Json, pointer: Pointer) -> None:
    """Delete a value, and the mappings that it leaves empty."""
    trail = [document]
    for step in pointer[:-1]:
        trail.append(trail[-1][step])
    for node, step in zip(reversed(trail), reversed(pointer), strict=True):
        del node[step]
        if node:
            return


def spell(pointer: Pointer) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in pointer)


def unspell(pointer: str) -> Pointer:
    """The steps of a JSON pointer."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def paths_of(body: Json, prefix: str = "") -> Iterator[str]:
    """Dotted paths of everything set in a dumped persona."""
    if isinstance(body, dict) and body and not is_fact(body):
        for key, value in body.items():
            yield from paths_of(value, f"{prefix}.{key}" if prefix else str(key))
    elif body not in ({}, [], None) and prefix:
        yield prefix


def _kept(origin: SourceRecord) -> Iterator[str]:
    """What the source record holds of another tool."""
    for path in paths_of(origin.body):
        yield f"source.{path} ({origin.format})"
    if origin.body not in ({}, [], None) and not isinstance(origin.body, dict):
        yield f"source ({origin.format})"


def _origin(body: dict[str, Json]) -> SourceRecord | None:
    ext: dict[str, Json] = body.get("ext", {})
    source = ext.pop("source", None)
    if not ext:
        body.pop("ext", None)
    return None if source is None else SourceRecord.model_validate(source)


def _metadata(leaf: Json, fact: Mapping[str, Json]) -> str:
    if not is_fact(leaf):
        return ""
    return ", ".join(name for name in _TOLD if name in leaf and not same(leaf[name], fact.get(name)))


def _steps(target: str) -> Sequence[str]:
    return target.split(".", 1) if target.startswith("attributes.") else target.split(".")


def _get(body: Json, target: str) -> Json:
    return look(body, tuple(_steps(target)))


def _put(body: Json, target: str, value: Json) -> None:
    put(body, tuple(_steps(target)), value)


def _pop(body: Json, target: str) -> None:
    remove(body, tuple(_steps(target)))


def _cell(value: Json) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text):,} characters)"
