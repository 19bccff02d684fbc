"""The leaves a persona can have, as paths with their kind, derived from the schema itself."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from personae.core import Fact, Persona

LeafKind: TypeAlias = Literal["text", "integer", "number", "texts"]
_SECTIONS: Final = ("names", "social", "personal", "context", "style", "knowledge", "policy")


@lru_cache(maxsize=1)
def leaf_kinds() -> Mapping[str, LeafKind]:
    """Dotted path of every single-valued or list leaf, e.g. `social.age`, and what it holds.

    >>> leaf_kinds()["social.age"], leaf_kinds()["context.likes"]
    ('integer', 'texts')
    """
    found: dict[str, LeafKind] = {"description": "text"}
    for section in _SECTIONS:
        found |= dict(_walk(section, Persona.model_fields[section].annotation))
    return found


def _walk(path: str, annotation: Any) -> Iterator[tuple[str, LeafKind]]:
    kind = kind_of(annotation)
    if kind is not None:
        yield path, kind
        return
    model = next((m for m in _parts(annotation) if isinstance(m, type) and issubclass(m, BaseModel)), None)
    if model is not None and get_origin(annotation) not in {tuple, dict}:
        for name, field in model.model_fields.items():
            yield from _walk(f"{path}.{field.alias or name}", field.annotation)


def kind_of(annotation: Any) -> LeafKind | None:
    """What a field of this annotation holds, if it is a leaf."""
    if get_origin(annotation) is tuple:
        inner = {kind_of(a) for a in get_args(annotation) if a is not Ellipsis}
        return "texts" if inner == {"text"} else None
    parts = set(_parts(annotation)) - {Fact, type(None)}
    known: dict[Any, LeafKind] = {str: "text", int: "integer", float: "number"}
    return known.get(next(iter(parts))) if len(parts) == 1 else None


def _parts(annotation: Any) -> Iterator[Any]:
    """The members of a union, without annotations."""
    if hasattr(annotation, "__metadata__"):
        yield from _parts(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for inner in get_args(annotation):
            yield from _parts(inner)
    else:
        yield annotation
