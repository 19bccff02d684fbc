"""What leaves the house is cleaned first: contact-like strings become typed placeholders, names stable ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from pydantic import JsonValue

from personae.core import PII, Persona, plain, sha256_hex
from personae.formats._shape import Json, is_fact, paths_of

if TYPE_CHECKING:
    from personae.text import Redaction

Redactor: TypeAlias = Callable[[str], "Redaction"]
"""Text in; cleaned text and how many strings of each kind were replaced out."""

# Bookkeeping at the top of a persona, where nobody's words stand.
_KEEP: Final = frozenset({"schema_version", "kind", "provenance"})


class Cleaner:
    """Cleans text and counts what it replaced."""

    def __init__(self, redactor: Redactor | None, *, anonymise: bool) -> None:
        self._redactor = redactor
        self._anonymise = anonymise
        self._people: dict[str, dict[str, str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()

    @property
    def active(self) -> bool:
        """Whether anything can change at all."""
        return self._redactor is not None or self._anonymise

    def meet(self, persona_id: str, persona: Persona) -> None:
        """Learn the names of a person, so that texts about them can be anonymised."""
        if self._anonymise:
            self._people[persona_id] = _placeholders(persona_id, persona)
            self._by_name.setdefault(persona.name, []).append(persona_id)

    def names_for(self, persona_id: str | None, participants: Iterable[str] = ()) -> re.Pattern[str] | None:
        """A pattern of every name that may stand in a text about these people; None when there is none."""
        names = self._table(persona_id, participants)
        if not names:
            return None
        longest_first = sorted(names, key=lambda name: (-len(name), name))
        return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")

    def text(self, text: str, persona_id: str | None = None, participants: Iterable[str] = ()) -> str:
        """The text as it may leave."""
        if self._anonymise:
            people = tuple(participants)
            pattern = self.names_for(persona_id, people)
            if pattern is not None:
                table = self._table(persona_id, people)
                text, count = pattern.subn(lambda found: table[found[0]], text)
                self.counts["name"] += count
        if self._redactor is not None:
            redacted = self._redactor(text)
            text = redacted.text
            self.counts.update({str(kind): n for kind, n in redacted.counts.items() if n})
        return text

    def persona(self, body: Mapping[str, JsonValue], persona_id: str) -> dict[str, JsonValue]:
        """A dumped persona with every string in it cleaned. Its id goes: the text it was made of is another."""
        return {k: v if k in _KEEP else self._value(v, persona_id) for k, v in body.items() if k != "id"}

    def _value(self, value: JsonValue, persona_id: str) -> JsonValue:
        if isinstance(value, str):
            return self.text(value, persona_id)
        if isinstance(value, list):
            return [self._value(v, persona_id) for v in value]
        if isinstance(value, dict):
            # What a fact says about its value (source, dates, classes) is not text.
            fact = is_fact(value)
            return {k: v if fact and k != "value" else self._value(v, persona_id) for k, v in value.items()}
        return value

    def _table(self, persona_id: str | None, participants: Iterable[str]) -> dict[str, str]:
        table: dict[str, str] = {}
        for name in participants:
            for other in self._by_name.get(name, ()):
                table |= self._people[other]
        if persona_id is not None:
            table |= self._people.get(persona_id, {})
        return table


def anonymised(persona: Persona, redactor: Redactor | None) -> tuple[Persona, Counter[str], list[str]]:
    """A person without what points at them directly: the name is a placeholder, contact-like strings are redacted.

    Leaves of class `direct`, the sources of facts and what was kept of another tool's record (nobody classified it)
    are left out. Returns the person, what was replaced, and the paths that are gone.
    """
    cleaner = Cleaner(redactor, anonymise=True)
    cleaner.meet(persona.id, persona)
    direct = {path for path, pii in persona.pii().items() if pii is PII.DIRECT and path != "names.full"}
    gone: list[str] = []
    body = cleaner.persona(persona.dump(), persona.id)
    bare = _without(body, "", direct, gone)
    ext: dict[str, Json] = bare.get("ext", {})
    source: dict[str, Json] | None = ext.pop("source", None)
    if source is not None:
        gone += [f"source.{path}" for path in paths_of(source.get("body"))]
    return Persona.parse(bare), cleaner.counts, gone


def _without(node: Json, path: str, direct: set[str], gone: list[str]) -> Json:
    """A dumped persona without the leaves at `direct`, and without the sources of its Facts."""
    if not isinstance(node, dict):
        return node
    out: dict[str, Json] = {}
    for key, value in node.items():
        below = f"{path}.{key}" if path else str(key)
        if below in direct:
            gone.append(below)
        elif is_fact(value):
            out[key] = {k: v for k, v in value.items() if k != "source"}
        else:
            out[key] = _without(value, below, direct, gone)
    return out


def _placeholders(persona_id: str, persona: Persona) -> dict[str, str]:
    own = f"Person-{sha256_hex(persona_id)[:8]}"
    names = persona.names
    parts = [names.full, names.given, names.family, names.handle, *names.aliases]
    table = {str(plain(part)): own for part in parts if part is not None and str(plain(part)).strip()}
    for relation in persona.relations:
        name = str(plain(relation.name))
        if name.strip():
            table.setdefault(name, f"Person-{sha256_hex([persona_id, name])[:8]}")
    return table
