"""Find and read instruments: shipped ones by name, a user's own (YAML or JSON, same format) by path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from personae.core import (
    InputError,
    Instrument,
    Registry,
    SchemaError,
    UnknownKeyError,
    schema_error,
    upgrade,
)

DATA: Final = Path(__file__).parent / "data"
_SUFFIXES: Final = (".yaml", ".yml", ".json")

instruments: Registry[Instrument | Path] = Registry("instrument")
"""Instruments by name: a file, or the thing itself. Packages add theirs through the entry point group
`personae.instrument`."""

for _file in sorted(DATA.glob("*.yaml")):
    instruments.add(_file.stem, _file)


def load_instrument(name: str | Path) -> Instrument:
    """The instrument of that name, or the one in that file.

    Args:
        name: a registered name (`ipip50`), or the path of a `.yaml`, `.yml` or `.json` file.

    Raises:
        InputError: no such name (the nearest is suggested) or file, or a file that is no UTF-8 text.
        UnknownKeyError: a key nobody knows.
        VersionError: a schema version that this release cannot read.
        SchemaError: the file does not fit; every problem is named.

    Example:
        >>> ipip = load_instrument("ipip50")
        >>> len(ipip.items), ipip.scales["E"]
        (50, 'extraversion')
    """
    if isinstance(name, Path) or name.lower().endswith(_SUFFIXES):
        return _read(Path(name))
    found = instruments.get(name)
    return _shipped(found) if isinstance(found, Path) else found


def parse_instrument(data: Mapping[str, Any], *, where: str = "instrument") -> Instrument:
    """Read an instrument from a mapping of any schema version.

    Raises:
        UnknownKeyError, VersionError, SchemaError: as `load_instrument`.
    """
    body = upgrade("instrument", dict(data), 1, where=where)
    for key in body:
        if key not in Instrument.model_fields:
            raise UnknownKeyError.of(str(key), Instrument.model_fields, where=where)
    try:
        return Instrument.model_validate(body)
    except ValidationError as error:
        raise schema_error(error, where=where, model=Instrument) from error


@cache
def _shipped(path: Path) -> Instrument:
    return _read(path)


def _read(path: Path) -> Instrument:
    data = read_mapping(path)
    return parse_instrument(data, where=path.name)


def read_mapping(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML or JSON file.

    Raises:
        InputError: it cannot be read.
        SchemaError: it is no mapping.
    """
    return _mapping(_text(path), path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{str(path)!r} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8 and try again."
        ) from error
    except OSError as error:
        raise InputError(
            f"Cannot read the instrument file {str(path)!r}: {error.strerror or error}.",
            hint=f"Give the path of a {', '.join(_SUFFIXES)} file, or one of: {', '.join(instruments.names())}.",
        ) from error


def _mapping(text: str, path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        data: object = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise SchemaError(
            f"{path.name}: not valid {path.suffix[1:].upper()}: {error}.", hint="Fix the file."
        ) from error
    if not isinstance(data, Mapping):
        raise SchemaError(
            f"{path.name}: got {type(data).__name__}, expected one mapping with name, options, scales and items."
        )
    return data
