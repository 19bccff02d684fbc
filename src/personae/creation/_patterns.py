"""Regular expressions from files: only such as cannot take long on any text."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

LONGEST_PATTERN: Final = 400
"""Most characters of a pattern."""
_MOST_WAYS: Final = 20_000
"""Most ways in which a pattern may be tried at one place of a text."""
_parser: Any = import_module("re._parser")


@lru_cache(maxsize=1024)
def safe_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern (case does not matter) that is bounded on every text.

    Every repeat needs an upper end (`{1,9}`, not `+` or `*`), nothing refers back, and the number of ways in which it
    can be tried at one place is at most 20,000; so the time grows with the length of the text only.

    Raises:
        ValueError: it is no regular expression, too long, or not bounded.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"the pattern has {len(pattern)} characters, at most {LONGEST_PATTERN} are read")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
        tree = _parser.parse(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as cause:
        raise ValueError(f"{pattern!r} is no regular expression: {cause}") from cause
    ways = _ways(tree, pattern)
    if ways > _MOST_WAYS:
        raise ValueError(f"{pattern!r} can be tried in {ways:.3g} ways at one place, at most {_MOST_WAYS:,} are run")
    return compiled


def _ways(tree: Any, pattern: str) -> float:
    """Upper bound on the paths through a parsed pattern at one place."""
    ways = 1.0
    for op, given in tree:
        ways = min(ways * _ways_of(str(op), given, pattern), 1e30)
    return ways


def _ways_of(op: str, given: Any, pattern: str) -> float:
    if op in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        low, high, body = given
        if not isinstance(high, int) or high > _MOST_WAYS:
            raise ValueError(f"{pattern!r} repeats without an end: write {{0,40}} in place of * and {{1,40}} of +")
        inner = _ways(body, pattern)
        if inner == 1.0:
            return float(high - low + 1)
        return min(sum(math.exp(min(k * math.log(inner), 60.0)) for k in range(low, high + 1)), 1e30)
    if op == "BRANCH":
        return sum(_ways(branch, pattern) for branch in given[1])
    if op == "SUBPATTERN":
        return _ways(given[3], pattern)
    if op in {"ASSERT", "ASSERT_NOT"}:
        return _ways(given[1], pattern)
    if op == "ATOMIC_GROUP":
        return _ways(given, pattern)
    if op in {"GROUPREF", "GROUPREF_EXISTS", "GROUPREF_IGNORE"}:
        raise ValueError(f"{pattern!r} refers back to a group: say it without")
    return 1.0
