"""Regular expressions from files: only such as cannot take long on any text."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, TypeAlias

LONGEST_PATTERN: Final = 1500
"""Most characters of a pattern."""
_MOST_WAYS: Final = 20_000
"""Most ways in which a pattern may be tried at one place of a text."""
_LONGEST_REPEAT: Final = 1000
_MOST_SPELT: Final = 64
"""Most texts that one branch of letters is spelt out as."""
_parser: Any = import_module("re._parser")
_Set: TypeAlias = frozenset[str]
_ALPHABET: Final = frozenset(map(chr, (*range(0x180), *range(0x2010, 0x2030), 0x20AC, 0x3000, 0x4E00)))
"""Characters by which it is told whether two parts of a pattern can begin alike."""
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_REFERENCES: Final = frozenset({"GROUPREF", "GROUPREF_EXISTS", "GROUPREF_IGNORE"})


@lru_cache(maxsize=8192)
def safe_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern (case does not matter) that is bounded on every text.

    Every repeat needs an upper end (`{1,9}`, not `+` or `*`), nothing refers back, and the number of ways in which it
    can be tried at one place is at most 20,000; so the time grows with the length of the text only. A repeat that can
    only end in one way, since what follows begins otherwise, counts once; of words to choose from, those count that
    can stand at one place.

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
    try:
        ways = _ways(list(tree), frozenset(), pattern)
    except RecursionError as cause:
        raise ValueError(f"{pattern!r} is no regular expression that is read: nested too deeply") from cause
    if ways > _MOST_WAYS:
        raise ValueError(f"{pattern!r} can be tried in {ways:.3g} ways at one place, at most {_MOST_WAYS:,} are run")
    return compiled


def _ways(items: list[Any], after: _Set, pattern: str) -> float:
    """Upper bound on the paths through a sequence at one place, given what may come after it."""
    ways = 1.0
    for op, given in reversed(items):
        ways = min(ways * _ways_of(str(op), given, after, pattern), 1e30)
        first, empty = _first(str(op), given)
        after = first | after if empty else first
    return ways


def _ways_of(op: str, given: Any, after: _Set, pattern: str) -> float:
    if op in _REPEATS:
        low, high, body = given
        if high > _LONGEST_REPEAT:
            raise ValueError(f"{pattern!r} repeats without an end: write {{0,40}} in place of * and {{1,40}} of +")
        first, empty = _first_of(body)
        inner = _ways(list(body), first | after, pattern)
        ends = 1 if not (first & after) and not empty else high - low + 1
        if inner == 1.0:
            return float(ends)
        return min(sum(math.exp(min(k * math.log(inner), 60.0)) for k in range(high - ends + 1, high + 1)), 1e30)
    if op == "BRANCH":
        words = [_spelt(branch) for branch in given[1]]
        if all(words):
            return float(_alike([word for spelt in words for word in spelt]))
        starts = sorted((_first_of(branch) for branch in given[1]), key=lambda s: len(s[0]))
        ways = [_ways(list(branch), after, pattern) for branch in given[1]]
        total = sum(len(s) for s, _ in starts)
        apart = total == len(frozenset[str]().union(*(s for s, _ in starts))) and not any(e for _, e in starts)
        return max(ways) if apart else sum(ways)
    if op == "SUBPATTERN":
        return _ways(list(given[3]), after, pattern)
    if op in {"ASSERT", "ASSERT_NOT"}:
        return _ways(list(given[1]), frozenset(), pattern)
    if op == "ATOMIC_GROUP":
        return _ways(list(given), after, pattern)
    if op in _REFERENCES:
        raise ValueError(f"{pattern!r} refers back to a group: say it without")
    return 1.0


def _spelt(items: Any) -> list[str]:
    """Every text that a sequence of letters, some of which may be missing, can be; none for anything else."""
    out = [""]
    for op, given in items:
        name = str(op)
        if name == "LITERAL":
            out = [word + chr(given).lower() for word in out]
        elif name in {"IN", "MAX_REPEAT"} and (letters := _letters(name, given)):
            out = [word + letter for word in out for letter in letters]
        elif name == "AT" and str(given) == "AT_BOUNDARY":
            continue
        else:
            return []
        if len(out) > _MOST_SPELT:
            return []
    return out


def _letters(op: str, given: Any) -> list[str]:
    """What a class of a few letters, or a letter or group that may be missing, can be."""
    if op == "IN":
        return [chr(v).lower() for _, v in given] if all(str(o) == "LITERAL" for o, _ in given) else []
    low, high, body = given
    if (low, high) != (0, 1):
        return []
    inner = body[0][1][3] if len(body) == 1 and str(body[0][0]) == "SUBPATTERN" else body
    return ["", *spelt] if (spelt := _spelt(inner)) else []


def _alike(words: list[str]) -> int:
    """Most of these texts that can stand at one place: those that another begins with."""
    distinct = sorted(set(words))
    return max(sum(word.startswith(start) for start in distinct) for word in distinct)


def _first_of(items: Any) -> tuple[_Set, bool]:
    """Characters a sequence may begin with, and whether it may be empty."""
    out: _Set = frozenset()
    for op, given in items:
        first, empty = _first(str(op), given)
        out |= first
        if not empty:
            return out, False
    return out, True


def _first(op: str, given: Any) -> tuple[_Set, bool]:
    if op in _REPEATS:
        first, empty = _first_of(given[2])
        return first, empty or given[0] == 0
    if op == "BRANCH":
        starts = [_first_of(branch) for branch in given[1]]
        return frozenset[str]().union(*(s for s, _ in starts)), any(e for _, e in starts)
    if op == "SUBPATTERN":
        return _first_of(given[3])
    if op == "ATOMIC_GROUP":
        return _first_of(given)
    if op in {"AT", "ASSERT", "ASSERT_NOT"}:
        return frozenset(), True
    if op == "LITERAL":
        return frozenset({chr(given).lower(), chr(given).upper()}), False
    return (_members(given) if op == "IN" else _ALPHABET), False


def _members(given: Any) -> _Set:
    """Characters of a class, by the alphabet."""
    out: set[str] = set()
    negated = False
    for op, value in given:
        name = str(op)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            out |= {chr(value).lower(), chr(value).upper()}
        elif name == "RANGE":
            low, high = value
            out |= {c for c in _ALPHABET if any(low <= ord(x) <= high for x in (c, c.lower()[:1], c.upper()[:1]))}
        elif name == "CATEGORY":
            out |= _category(str(value))
    return (_ALPHABET - out) if negated else frozenset(out)


@lru_cache(maxsize=16)
def _category(name: str) -> _Set:
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rsplit("_", 1)[-1]]
    found = frozenset(c for c in _ALPHABET if re.match(rf"\{letter}", c))
    return _ALPHABET - found if "_NOT_" in name else found
