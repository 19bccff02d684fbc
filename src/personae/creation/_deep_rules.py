"""What must not stand side by side in a deep person, checked on the finished record.

These rules look at words, not at tags: they know nothing of the grammars, so a grammar that breaks one is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from personae.core import Frozen, Persona, RecipeError, plain
from personae.creation._documents import parse_yaml
from personae.creation._load import load_text

_TYPED: Final = ("social.", "personal.", "context.", "names.", "attributes.")
_SAME: Final = "{same}"


class WordRule(Frozen):
    """One incompatibility: everything in `when` holds, and one of `forbid` is found.

    Patterns are searched in the value; `{min, max}` compares numbers; `*` in a path stands for any steps; `{same}` in
    `forbid` is what the first group of a pattern in `when` found.
    """

    code: str
    when: dict[str, str | dict[str, float]]
    forbid: dict[str, str]
    hint: str | None = None

    @cached_property
    def repeats(self) -> bool:
        """Whether it asks for what was found."""
        return any(_SAME in pattern for pattern in self.forbid.values())


@dataclass(frozen=True, slots=True)
class WordViolation:
    """A rule that a person breaks, and where."""

    code: str
    path: str
    value: str

    def __str__(self) -> str:
        return f"{self.code}: {self.path} is {self.value!r}"


@lru_cache(maxsize=4)
def load_word_rules(source: str = "rules") -> tuple[WordRule, ...]:
    """The shipped rules, or those of a YAML file.

    Raises:
        RecipeError: malformed YAML or a pattern that is none.
    """
    text, where = load_text(source, "taxonomy", "rules")
    data = parse_yaml(text, where, error=RecipeError)
    rules = tuple(WordRule.model_validate(body) for body in data["rules"])
    for rule in rules:
        for pattern in (*rule.forbid.values(), *(p for p in rule.when.values() if isinstance(p, str))):
            try:
                re.compile(pattern.replace(_SAME, ""))
            except re.error as cause:
                raise RecipeError(f"{where}: rule {rule.code!r}: {pattern!r} is no pattern ({cause}).") from cause
    return rules


def check_deep(person: Persona, rules: Iterable[WordRule] | None = None) -> tuple[WordViolation, ...]:
    """Every rule the person breaks, with the attribute that breaks it."""
    values = {path: str(plain(leaf)) for path, leaf in person.attributes.items()}
    return check_values(person, values, load_word_rules() if rules is None else rules)


def check_values(person: Persona, values: Mapping[str, str], rules: Iterable[WordRule]) -> tuple[WordViolation, ...]:
    """Like `check_deep`, for attributes that are not in the person yet."""
    out: list[WordViolation] = []
    for rule in rules:
        if all(_holds(_get(person, values, path), wanted) for path, wanted in rule.when.items()):
            same = _same(person, values, rule) if rule.repeats else ""
            for path, template in rule.forbid.items():
                pattern = template.replace(_SAME, same)
                out += [
                    WordViolation(rule.code, found, value)
                    for found, value in _matching(values, path)
                    if re.search(pattern, value) and found not in rule.when
                ]
    return tuple(out)


def _get(person: Persona, values: Mapping[str, str], path: str) -> Any:
    return plain(person.get(path)) if path.startswith(_TYPED) else values.get(path)


def _same(person: Persona, values: Mapping[str, str], rule: WordRule) -> str:
    for path, wanted in rule.when.items():
        if isinstance(wanted, str) and (found := re.search(wanted, str(_get(person, values, path)))) and found.groups():
            return re.escape(str(found.group(1)))
    return "(?!)"


def _holds(value: Any, wanted: str | Mapping[str, float]) -> bool:
    if value is None:
        return False
    if isinstance(wanted, str):
        return re.search(wanted, str(value)) is not None
    return wanted.get("min", float("-inf")) <= float(value) <= wanted.get("max", float("inf"))


def _matching(values: Mapping[str, str], path: str) -> list[tuple[str, str]]:
    if "*" not in path:
        return [(path, values[path])] if path in values else []
    pattern = _glob(path)
    return [(found, value) for found, value in values.items() if pattern.fullmatch(found)]


@lru_cache(maxsize=256)
def _glob(path: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in path.split("*")))
