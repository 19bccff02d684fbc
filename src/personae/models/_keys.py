"""Secrets: where keys come from, and how they are kept out of everything that is stored or shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

KEY_VARIABLES: Final = ("PERSONAE_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key of an endpoint, in the order they are tried."""

MASK: Final = "[redacted]"

_SHORTEST: Final = 8
"""Keys shorter than this are not searched for: masking a three-letter word everywhere would destroy texts."""

_HINTS: Final = ("sk-", "earer", "BEARER", "api_key", "api-key", "apikey", "API_KEY", "hf_", "AIza", "gsk_", "xai-")
_PATTERN: Final = re.compile(
    r"(?P<lead>\b[Bb]earer\s+|\bBEARER\s+|\b[Aa][Pp][Ii][_-]?[Kk][Ee][Yy]\\*[\"']?\s*[=:]\s*\\*[\"']?)"
    r"(?P<token>[A-Za-z0-9._~+/=-]{16,})"
    r"|(?P<key>\b(?:sk|gsk|xai)[-_][A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{16,}|\bAIza[A-Za-z0-9_-]{30,})"
)
_known: Final[set[str]] = set()


def api_key() -> str | None:
    """The key of the endpoint from the environment, or None."""
    for name in KEY_VARIABLES:
        value = os.environ.get(name, "").strip()
        if value:
            return value
    return None


def remember_secret(secret: str) -> None:
    """Have `redact` mask `secret` from now on (for keys that were handed over in code)."""
    if len(secret) >= _SHORTEST:
        _known.add(secret)


def redact(text: str) -> str:
    """`text` without bearer tokens, API keys and the keys that the environment really holds.

    >>> redact("Authorization: Bearer abcdefghijklmnop1234")
    'Authorization: Bearer [redacted]'
    """
    return _redacted(text, _secrets())


def is_clean(recurring: Iterable[str], once: str = "") -> bool:
    """Does `redact` leave all of these as they are? `recurring` texts that were seen before are not searched again."""
    secrets = _secrets()
    return all(_clean(text, secrets) for text in recurring) and _redacted(once, secrets) == once


def _secrets() -> tuple[str, ...]:
    held = (os.environ.get(name) for name in KEY_VARIABLES)
    known = (*(value for value in held if value and len(value) >= _SHORTEST), *sorted(_known))
    return tuple(spelling for value in known for spelling in _spellings(value))


@lru_cache(maxsize=64)
def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as JSON writes it where that differs."""
    return tuple(dict.fromkeys((secret, *(json.dumps(secret, ensure_ascii=a)[1:-1] for a in (True, False)))))


@lru_cache(maxsize=2048)
def _clean(text: str, secrets: tuple[str, ...]) -> bool:
    return _redacted(text, secrets) == text


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    if any(hint in text for hint in _HINTS):
        text = _PATTERN.sub(lambda m: f"{m['lead'] or ''}{MASK}", text)
    return text
