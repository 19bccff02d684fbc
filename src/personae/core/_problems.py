"""What is wrong with a document, in one message that names every field."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from personae.core._errors import SchemaError

# Pydantic names the branch of a union inside the path; a reader wants the path of their own file.
_BRANCHES: Final = frozenset({"Fact", "str", "int", "float", "bool"})
_BRANCH_STARTS: Final = (
    "function-",
    "constrained-",
    "tuple[",
    "list[",
    "dict[",
    "union[",
    "nullable[",
    "lax-or-strict",
)
_SHOWN: Final = 80


def schema_error(error: ValidationError, *, where: str, model: type[BaseModel] | None = None) -> SchemaError:
    """One message that names every field of `error`: path, what was given (shortened), what was expected.

    Args:
        error: what pydantic said.
        where: the document, as the reader knows it.
        model: the schema; with it, unknown keys get the nearest known one as a suggestion.
    """
    items = error.errors(include_url=False)
    facts = {_path(i["loc"]) for i in items if "Fact" in i["loc"] and i["type"] != "model_type"}
    lines: list[str] = []
    for item in items:
        path = _path(item["loc"])
        noise = item["type"] == "model_type" and item["loc"][-1:] == ("Fact",)
        # A mapping was meant as a fact: what it is not as a plain value says nothing.
        meant_fact = "Fact" not in item["loc"] and isinstance(item.get("input"), Mapping)
        if noise or (meant_fact and any(f.startswith(f"{path}.") for f in facts)):
            continue
        line = f"  {path or '(whole)'}: {_said(item, model)}"
        if line not in lines:
            lines.append(line)
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    body = "\n".join(lines)
    return SchemaError(
        f"{where}: {count}\n{body}", hint="\nFix this and read the file again; nothing was taken from it."
    )


def _said(item: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        near = difflib.get_close_matches(key, _fields(model, item["loc"][:-1]), n=1, cutoff=0.6)
        return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    given = repr(item.get("input"))
    shown = given if len(given) <= _SHOWN else f"{given[:60]}… ({len(given):,} characters)"
    return f"{str(item['msg']).removeprefix('Value error, ')}; given {shown}"


def _path(loc: Sequence[str | int]) -> str:
    return ".".join(str(p) for p in loc if not _is_branch(p))


def _is_branch(step: str | int) -> bool:
    return isinstance(step, str) and (step in _BRANCHES or step.startswith(_BRANCH_STARTS))


def _fields(model: type[BaseModel] | None, loc: Sequence[str | int]) -> list[str]:
    """Known keys of the model that `loc` leads to; empty when it leads nowhere."""
    for step in loc:
        if model is None:
            return []
        if isinstance(step, int) or _is_branch(step) or step not in model.model_fields:
            continue
        model = next(iter(_models(model.model_fields[step].annotation)), None)
    return list(model.model_fields) if model is not None else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Models named in a type annotation, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models(inner)]
