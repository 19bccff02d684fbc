"""Structured output: does a text fit a JSON schema, the smallest value that does, and asking until one does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from personae.core import derive_seed
from personae.models._protocol import GenerateRequest, Generation, Model, Usage

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


_COMPACT: Final = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Free white space lets a small model write blank lines until its tokens are gone."""


@dataclass(frozen=True, slots=True)
class Structured:
    """What `generate_json` got. `value` is None when no try fitted; `problems` has one line per bad try."""

    value: Any
    generations: tuple[Generation, ...]
    problems: tuple[str, ...]

    @property
    def usage(self) -> Usage:
        """All tries together."""
        return sum((g.usage for g in self.generations), Usage(calls=0))


async def generate_json(model: Model, request: GenerateRequest, *, repairs: int = 2) -> Structured:
    """Ask for a value of `request.json_schema`, again with another seed when the answer does not fit.

    Args:
        model: any model that can generate.
        request: must carry a `json_schema`; its `prefill` counts as part of the value.
        repairs: how many times to ask again at most.
    """
    schema = request.json_schema or {}
    generations: list[Generation] = []
    problems: list[str] = []
    for attempt in range(repairs + 1):
        seed = request.seed if attempt == 0 else derive_seed(request.seed, "repair", attempt)
        answer = await model.generate(replace(request, seed=seed))
        generations.append(answer)
        value, problem = read_json(request.prefill + answer.text, schema)
        if problem is None:
            return Structured(value, tuple(generations), tuple(problems))
        problems.append(problem)
    return Structured(None, tuple(generations), tuple(problems))


def read_json(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The value that `text` spells, and what is wrong with it (None: it fits `schema`)."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON ({error})"
    return value, misfit(value, schema)


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for the engine's grammar: no properties beyond those named, no white space to ramble in.

    What fits the result fits `schema`; where the schema itself says something about additional properties, it stands.
    """
    return {**_closed(dict(schema)), "x-guidance": _COMPACT}


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(part) for part in node]
    if not isinstance(node, dict):
        return node
    found = {key: _closed(part) if key not in {"enum", "const", "default"} else part for key, part in node.items()}
    if isinstance(found.get("properties"), dict) and "type" in found and "allOf" not in found:
        found.setdefault("additionalProperties", False)
    return found


def misfit(
    value: Any, schema: Mapping[str, Any], where: str = "$", root: Mapping[str, Any] | None = None
) -> str | None:
    """Why `value` does not fit `schema`, or None. Covers what pydantic writes; unknown keywords are not checked."""
    root = schema if root is None else root
    schema = _resolve(schema, root)
    for check in (_misfit_choice, _misfit_type, _misfit_number, _misfit_string, _misfit_array, _misfit_object):
        problem = check(value, schema, where, root)
        if problem is not None:
            return problem
    return None


def example(schema: Mapping[str, Any], seed: int = 0, root: Mapping[str, Any] | None = None, path: str = "$") -> Any:
    """A small value that fits `schema`, the same one for the same seed."""
    root = schema if root is None else root
    schema = _resolve(schema, root)
    pick = derive_seed(seed, path)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "anyOf", "oneOf"):
        if schema.get(key):
            chosen = schema[key][pick % len(schema[key])]
            return chosen if key == "enum" else example(chosen, seed, root, path)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        names = schema.get("properties", {})
        return {name: example(part, seed, root, f"{path}.{name}") for name, part in names.items()}
    if kind == "array":
        count = max(1, int(schema.get("minItems", 1)))
        return [example(schema.get("items", {}), seed, root, f"{path}[{k}]") for k in range(count)]
    return _example_leaf(kind, schema, pick)


def _example_leaf(kind: str, schema: Mapping[str, Any], pick: int) -> Any:
    if kind in {"integer", "number"}:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
        high = schema.get("maximum", low + 9)
        number = low + pick % max(1, int(high - low) + 1)
        return int(number) if kind == "integer" else float(min(number, high))
    if kind == "boolean":
        return bool(pick % 2)
    if kind == "null":
        return None
    words = ("calm", "curious", "busy", "kind", "quiet", "cheerful", "careful", "direct")
    text = words[pick % len(words)].ljust(int(schema.get("minLength", 0)), "a")
    return text[: int(schema.get("maxLength", len(text)))]


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(32):
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return schema
        node: Any = root
        for part in ref[2:].split("/"):
            node = node[part]
        schema = node
    return schema


def _misfit_choice(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    if "const" in schema and value != schema["const"]:
        return f"{where} is {value!r}, expected {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is {value!r}, expected one of {schema['enum']!r}"
    for key in ("anyOf", "oneOf"):
        parts: Sequence[Mapping[str, Any]] = schema.get(key, ())
        if parts and all(misfit(value, part, where, root) is not None for part in parts):
            return f"{where} fits none of the {len(parts)} alternatives"
    return None


def _misfit_type(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    del root
    kinds = schema.get("type")
    if kinds is None:
        return None
    names: list[str] = [kinds] if isinstance(kinds, str) else list(kinds)
    for name in names:
        fits = isinstance(value, _TYPES.get(name, (object,)))
        if name in {"number", "integer"} and isinstance(value, bool):
            fits = False
        if name == "integer" and isinstance(value, float) and value.is_integer():
            fits = True
        if fits:
            return None
    return f"{where} is {type(value).__name__}, expected {' or '.join(names)}"


def _misfit_number(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    del root
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        return f"{where} is {value!r}, outside [{schema.get('minimum', '-inf')}, {schema.get('maximum', 'inf')}]"
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if (low is not None and value <= low) or (high is not None and value >= high):
        return f"{where} is {value!r}, outside its exclusive bounds"
    return None


def _misfit_string(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    del root
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{where} has {len(value)} characters, outside its bounds"
    return None


def _misfit_array(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    if not isinstance(value, list):
        return None
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{where} has {len(value)} items, outside its bounds"
    if isinstance(schema.get("items"), Mapping):
        for k, part in enumerate(value):
            problem = misfit(part, schema["items"], f"{where}[{k}]", root)
            if problem is not None:
                return problem
    return None


def _misfit_object(value: Any, schema: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    absent = [name for name in schema.get("required", ()) if name not in value]
    if absent:
        return f"{where} lacks {absent!r}"
    names: Mapping[str, Any] = schema.get("properties", {})
    extra = [name for name in value if name not in names]
    if extra and schema.get("additionalProperties") is False:
        return f"{where} has unknown keys {extra!r}"
    for name, part in names.items():
        if name in value:
            problem = misfit(value[name], part, f"{where}.{name}", root)
            if problem is not None:
                return problem
    return None
