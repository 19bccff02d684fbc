"""Reading user files: UTF-8 only, and no key silently dropped."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from personae.core import InputError, UnknownKeyError


class _Loader(yaml.SafeLoader):
    """Safe YAML that keeps `yes`, `no` and dates as the words they are, and refuses a key given twice."""


_KEPT_AS_TEXT: Final = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _KEPT_AS_TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, (dict, list)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_text(path: Path, *, error: type[InputError] = InputError) -> str:
    """Text of a UTF-8 file.

    Raises:
        InputError (or the given kind): the file is missing, unreadable, or not UTF-8.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as cause:
        raise error(f"There is no file {str(path)!r}.", hint="Check the path.") from cause
    except OSError as cause:
        raise error(
            f"Cannot read {str(path)!r}: {cause.strerror}.", hint="Check that it is a readable file."
        ) from cause
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = raw[: cause.start].count(b"\n") + 1
        raise error(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[cause.start]:02x} at offset {cause.start}).",
            hint="Save the file as UTF-8.",
        ) from cause


def parse_yaml(text: str, where: str, *, error: type[InputError] = InputError) -> Any:
    """The value a YAML document holds.

    Raises:
        InputError (or the given kind): malformed YAML or a key given twice, with the line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader subclass
    except yaml.YAMLError as cause:
        raise yaml_error(cause, where, error=error) from cause
    except RecursionError as cause:
        raise error(f"{where}: nested too deeply to be read.", hint="Flatten it.") from cause


def compose_yaml(text: str, where: str) -> tuple[Any, _Loader]:
    """The node tree of a YAML document and the loader that constructs values from it (for line numbers)."""
    loader = _Loader(text)
    try:
        return loader.get_single_node(), loader
    except yaml.YAMLError as cause:
        raise yaml_error(cause, where) from cause
    except RecursionError as cause:
        raise InputError(f"{where}: nested too deeply to be read.", hint="Flatten it.") from cause


def yaml_error(cause: yaml.YAMLError, where: str, *, error: type[InputError] = InputError) -> InputError:
    """The error for malformed YAML, naming the line."""
    mark = cause.problem_mark if isinstance(cause, yaml.MarkedYAMLError) else None
    line = f":{mark.line + 1}" if mark is not None else ""
    problem = cause.problem if isinstance(cause, yaml.MarkedYAMLError) else str(cause)
    return error(f"{where}{line}: not valid YAML ({problem}).", hint="Fix this line; nothing was read.")


def shipped(folder: str, name: str) -> str | None:
    """Text of a data file that comes with the package, or None."""
    path = files("personae.creation").joinpath("data", folder, name)
    return path.read_text("utf-8") if path.is_file() else None


def shipped_names(folder: str) -> tuple[str, ...]:
    """Names (without suffix) of the YAML files in a data folder of the package, sorted."""
    entries = files("personae.creation").joinpath("data", folder).iterdir()
    return tuple(sorted(e.name.removesuffix(".yaml") for e in entries if e.name.endswith(".yaml")))


def require_known(word: str, known: Iterable[str], where: str, *, kind: str = "value") -> None:
    """Refuse a word that is not one of `known`, suggesting the nearest.

    Raises:
        UnknownKeyError: it is not.
    """
    names = tuple(known)
    if word in names:
        return
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    raise UnknownKeyError(
        f"{where}: unknown {kind} {word!r}.", hint=f"Did you mean {near[0]!r}?" if near else f"Known: {listed}."
    )
