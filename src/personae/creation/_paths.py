"""Where a drawn value goes inside a persona: dotted paths, checked against the schema before anyone is made."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from personae.core import Fact, Persona, UnknownKeyError

LeafKind = Literal["number", "text", "list"]
_SECTIONS: Final = ("names", "social", "personal", "context", "style", "knowledge", "policy")
_ATTRIBUTE: Final = re.compile(r"attributes(\.[a-z0-9_]+)+")


@lru_cache(maxsize=512)
def leaf_kind(path: str, where: str) -> LeafKind:
    """What kind of leaf a dotted persona path names.

    Raises:
        UnknownKeyError: it names none; the nearest path is suggested.
    """
    if _ATTRIBUTE.fullmatch(path) or path == "description":
        return "text"
    if path == "goals":
        return "list"
    known = _known_paths()
    if path not in known:
        raise UnknownKeyError.of(path, (*known, "goals", "attributes.ANY_NAME"), where=f"{where}: path")
    return known[path]


def place(body: dict[str, Any], path: str, value: object) -> None:
    """Put `value` at a dotted path of a persona body (nested plain dicts)."""
    if path.startswith("attributes."):
        body.setdefault("attributes", {})[path.removeprefix("attributes.")] = value
        return
    *sections, leaf = path.split(".")
    node = body
    for section in sections:
        node = node.setdefault(section, {})
    node[leaf] = value


def place_words(body: dict[str, Any], path: str, word: str, where: str) -> None:
    """Put a word at a path; a leaf that is a list gets a list of one, or one more element."""
    if path == "goals":
        body["goals"] = (*body.get("goals", ()), {"text": word, "horizon": "now"})
        return
    if leaf_kind(path, where) != "list":
        place(body, path, word)
        return
    *sections, leaf = path.split(".")
    node = body
    for section in sections:
        node = node.setdefault(section, {})
    node[leaf] = (*node.get(leaf, ()), word)


def find_model(model: type[BaseModel], trail: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that holds the last step of a pydantic error trail, e.g. `Margin` for `('margins', 0, 'hrad')`."""
    for step in trail[:-1]:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step) or next((f for f in model.model_fields.values() if f.alias == step), None)
        if field is not None:
            inner = next(_models(field.annotation), None)
            if inner is None:
                return None
            model = inner
    return model


def _models(annotation: Any) -> Any:
    """Every pydantic model inside an annotation such as `dict[str, Variable]` or `TraitModel | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


@lru_cache(maxsize=1)
def _known_paths() -> Mapping[str, LeafKind]:
    out: dict[str, LeafKind] = {}
    for section in _SECTIONS:
        model = next(_models(Persona.model_fields[section].annotation))
        for name, field in model.model_fields.items():
            kind = _kind(field.annotation)
            if kind is not None:
                out[f"{section}.{field.alias or name}"] = kind
    return out


def _kind(annotation: Any) -> LeafKind | None:
    """List for tuples of words, number for whole numbers, text for words; None for what a recipe cannot set."""
    if get_origin(annotation) is tuple:
        return None if any(m is not Fact for m in _models(annotation)) else "list"
    if get_origin(annotation) in {Union, types.UnionType} or hasattr(annotation, "__metadata__"):
        kinds = {k for inner in get_args(annotation) if (k := _kind(inner)) is not None}
        return "number" if "number" in kinds else "list" if "list" in kinds else "text" if "text" in kinds else None
    return "number" if annotation is int else "text" if annotation is str else None
