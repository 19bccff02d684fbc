"""Content ids: sha256 over canonical JSON. Never the built-in `hash`, never a list position."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Final, cast

from pydantic import BaseModel

ID_LENGTH: Final = 16
"""Hex characters of a short content id (64 bits: a collision is expected near 4 billion items)."""

_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# Leaves are by far the most; asking each whether it is a mapping costs more than writing it.
_LEAVES: Final = frozenset({str, int, bool, type(None)})


def canonical_json(value: object) -> str:
    """One spelling per value: sorted keys, no spaces, NaN refused, whole floats kept as floats.

    Raises:
        ValueError: `value` holds NaN or infinity.
        TypeError: `value` holds something JSON cannot say.
    """
    if type(value) is list and all(type(entry) in _LEAVES for entry in cast("list[object]", value)):
        return _encode(value)
    return _encode(_plain(value))


def sha256_hex(value: object) -> str:
    """Full sha256 of the canonical JSON of `value`, as 64 hex characters."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def content_id(prefix: str, value: object) -> str:
    """A short id such as `p-3f2a…`: `prefix` and the first 16 hex characters of the sha256."""
    return f"{prefix}-{sha256_hex(value)[:ID_LENGTH]}"


def _plain(value: object) -> object:
    if type(value) in _LEAVES:
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(v) for v in value), key=canonical_json)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"cannot hash {value!r}: NaN and infinity have no canonical JSON")
    return value
