"""Structured output: does a text fit a JSON schema, the smallest value that does, and asking until one does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from personae.core import InputError, derive_seed
from personae.models._protocol import GenerateRequest, Generation, Message, Model, Usage

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_LONGEST_PROBLEM: Final = 300
"""characters of a problem: it may quote a whole answer"""
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
    """Ask for a value of `request.json_schema`; show a bad answer to the model with what is wrong, and ask again.

    An answer that was cut off, or that says nothing, is not shown: it is asked for again with another seed. Where an
    engine binds answers to the schema, cut-off ones are the only bad ones.

    Args:
        model: any model that can generate.
        request: must carry a `json_schema`; its `prefill` counts as part of the value.
        repairs: how many times to ask again at most.

    Raises:
        InputError: no schema, or not a JSON schema.
    """
    schema = request.json_schema
    if schema is None:
        raise InputError("generate_json needs a request with a json_schema.")
    generations: list[Generation] = []
    problems: list[str] = []
    asked = request
    for attempt in range(repairs + 1):
        if attempt:
            asked = replace(asked, seed=derive_seed(request.seed, "repair", attempt))
        answer = await model.generate(asked)
        generations.append(answer)
        text = request.prefill + answer.text
        value, problem = read_json(text, schema)
        if problem is None:
            return Structured(value, tuple(generations), tuple(problems))
        problems.append(problem)
        if answer.finish_reason not in {"length", "empty", "refused"}:
            asked = replace(request, messages=(*request.messages, *_objection(text, problem)))
    return Structured(None, tuple(generations), tuple(problems))


def _objection(text: str, problem: str) -> tuple[Message, Message]:
    return (
        Message("assistant", text),
        Message("user", f"That does not fit ({problem}). Answer again with the corrected JSON value alone."),
    )


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


def misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why `value` does not fit `schema` (JSON Schema, draft 2020-12), or None.

    Raises:
        InputError: `schema` is none, or refers to something outside itself.
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(_validator(json.dumps(schema, sort_keys=True, default=str)).iter_errors(value))
    except Unresolvable as outside:
        raise InputError(
            f"the JSON schema refers to {outside.ref!r}, which is not in it.", hint="Put it under $defs."
        ) from outside
    return None if error is None else f"{error.json_path}: {error.message[:_LONGEST_PROBLEM]}"


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    body = json.loads(schema)
    try:
        Draft202012Validator.check_schema(body)
    except SchemaError as error:
        raise InputError(f"not a JSON schema: {error.json_path}: {error.message[:_LONGEST_PROBLEM]}") from error
    return Draft202012Validator(body)


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
