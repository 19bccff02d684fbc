"""A linter for any persona: contradictions by rule packs, and what generators leave in texts.

Nothing in a persona is trusted: a file of another tool, a half-written record or a hostile text gives findings, never
an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from personae.core import InputError, Persona, PersonaeError, extensions
from personae.creation._columns import Column
from personae.creation._deep_rules import check_deep
from personae.creation._packs import RulePack, at_path, body_of, load_pack, pack_names
from personae.creation._remains import LONGEST_NO_VALUE, is_no_value
from personae.creation._rules import Rule, Severity, check_fields
from personae.creation._templates import TemplateKind, template_findings
from personae.text import normalise

Given: TypeAlias = Persona | Mapping[str, Any]
Packs: TypeAlias = "Literal['auto'] | Sequence[RulePack | str]"
_CHUNK: Final = 2048
_SHOWN: Final = 120
_SPOKEN: Final = ("style.", "demonstrations")
"""Where the person's own words stand: an apology there is no refusal."""
_CARD: Final = "character_card"
"""The format of a source record whose texts may hold macros."""
_SKIPPED: Final = frozenset({"provenance", "id", "schema_version", "kind", "evidence", "policy", "consent"})
_CUT: Final = "ext.deep.sections"
"""the narrative of a deep person cut at its sections: every text in it stands elsewhere"""
_VALUED: Final = ("attributes", "description", "context.", "social.")
_PROSE: Final = frozenset({"description", "context.situation"})
_PROSE_ENDS: Final = (".bio", ".biography", ".background", ".summary", ".hobby", ".hobbies")
_NO_VALUE: Final = "what a program writes for nothing: leave the field out"
_UNFIT: Final = "make it fit the schema of a persona"
_LEAST_TEXT: Final = 60
"""Shortest text, in characters, that is told when two fields hold it."""
_LONGEST_WORD: Final = 80
"""Longest text, in characters, that may be a word of a vocabulary."""
_HINTS: Final[Mapping[TemplateKind, str]] = {
    "unfilled_slot": "a slot of a template was not filled in",
    "filler_text": "filler text: write something about the person",
    "model_words": "words of the model that wrote the text: take them out",
    "control_token": "a token of a chat template: take it out",
    "repeated_paragraph": "the same paragraph stands here twice",
    "markup": "markup or code: leave the words only",
    "broken_text": "characters that were read in a wrong encoding",
    "loop": "the same words again and again",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a person: which rule, who repairs it, which fields, and what they hold."""

    code: str
    owner: str | None
    fields: tuple[str, ...]
    severity: Severity
    hint: str | None
    given: tuple[tuple[str, str], ...]
    """what stands in the fields, shortened"""
    pack: str | None = None
    """the rule pack, or None for what is checked in every persona, or in every one of a kind"""

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.given)
        return f"{self.severity} {self.code}" + (f": {told}" if told else "") + (f" ({self.hint})" if self.hint else "")


def lint(persona: Given, packs: Packs = "auto") -> tuple[Finding, ...]:
    """What is wrong with one person.

    Args:
        persona: a person, or the mapping that a file holds; it need not fit the schema.
        packs: packs, or names or paths of packs; `auto`: every shipped pack that is meant for this person; of
            one that is there in several languages the one whose vocabulary the record uses most.

    Returns:
        Findings: first of the schema and of texts, then of the packs in their order.

    Raises:
        InputError: a pack that cannot be read. Nothing in a persona raises.

    Example:
        >>> [finding.code for finding in lint({"names": {"full": "Ada"}, "social": {"age": 150}})]
        ['schema', 'age_possible']
    """
    body = _body(persona)
    out = [*_schema(persona, body), *_texts(body), *_words(persona, body)]
    tongues: dict[str, str] = {}
    for pack in _chosen(packs):
        if packs != "auto" or _meant(pack, body, tongues):
            out += _broken(pack, body)
    return tuple(out)


def lint_many(people: Iterable[Given], packs: Packs = "auto") -> Iterator[tuple[Finding, ...]]:
    """`lint` of many people, in order; rules judge columns, each distinct value once."""
    chosen = _chosen(packs)
    chunk: list[Given] = []
    for person in people:
        chunk.append(person)
        if len(chunk) == _CHUNK:
            yield from _lint_chunk(chunk, chosen, auto=packs == "auto")
            chunk = []
    yield from _lint_chunk(chunk, chosen, auto=packs == "auto")


def _lint_chunk(people: Sequence[Given], packs: Sequence[RulePack], *, auto: bool) -> list[tuple[Finding, ...]]:
    bodies = [_body(person) for person in people]
    out = [[*_schema(p, body), *_texts(body), *_words(p, body)] for p, body in zip(people, bodies, strict=True)]
    tongues: list[dict[str, str]] = [{} for _ in bodies]
    for pack in packs:
        rows = [row for row, body in enumerate(bodies) if not auto or _meant(pack, body, tongues[row])]
        if not rows:
            continue
        given = {path: Column.of([at_path(bodies[row], path) for row in rows]) for path in pack.paths}
        columns = pack.columns(given)
        for rule in pack.rules:
            for place in rule.mask(columns).nonzero()[0].tolist():
                values = {n: _at(columns[n], place) for n in rule.fields}
                out[rows[place]].append(_finding(pack, rule, values))
    return [tuple(_in_order(findings, packs)) for findings in out]


def _in_order(findings: list[Finding], packs: Sequence[RulePack]) -> list[Finding]:
    place = {None: -1} | {pack.name: k for k, pack in enumerate(packs)}
    return sorted(findings, key=lambda f: place[f.pack])


def _at(column: Column, row: int) -> Any:
    code = int(column.codes[row])
    return None if code < 0 else column.values[code]


def _chosen(packs: Packs) -> tuple[RulePack, ...]:
    if packs == "auto":
        return _shipped()
    if isinstance(packs, str):
        raise InputError(f"packs is {packs!r}.", hint="Give a list of packs or names, or 'auto'.")
    return tuple(pack if isinstance(pack, RulePack) else load_pack(pack) for pack in packs)


@lru_cache(maxsize=1)
def _shipped() -> tuple[RulePack, ...]:
    """Every shipped pack, each base before its other languages."""
    return tuple(load_pack(name) for name in sorted(pack_names(), key=lambda name: (name.count("."), name)))


@lru_cache(maxsize=1)
def _languages() -> Mapping[str, tuple[tuple[str, frozenset[str]], ...]]:
    """Of every pack that is there in several languages: their names and the words of their vocabularies."""
    families: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for pack in _shipped():
        words = frozenset(word for scale in pack.vocab.values() for word in scale.words)
        families.setdefault(pack.name.partition(".")[0], []).append((pack.name, words))
    return {name: tuple(found) for found in families.values() if len(found) > 1 for name, _ in found}


def _body(given: Any) -> Mapping[str, Any]:
    """The mapping of a person; what is none has nothing in it (and is told by `_schema`)."""
    return body_of(given) if isinstance(given, (Persona, Mapping)) else {}


def _meant(pack: RulePack, body: Mapping[str, Any], tongues: dict[str, str]) -> bool:
    """Whether a pack is meant for a person; `tongues` keeps the pack of each family whose language the record uses."""
    parts = {path: part for path in pack.applies if (part := at_path(body, path)) is not None}
    if pack.applies and not parts:
        return False
    languages = _languages().get(pack.name)
    if languages is None:
        return True
    family = languages[0][0]
    if family not in tongues:
        told = [text for _, text in _leaves(parts) if len(text) <= _LONGEST_WORD]
        tongues[family] = max(languages, key=lambda one: sum(word in one[1] for word in told))[0]
    return pack.name == tongues[family]


def _broken(pack: RulePack, body: Mapping[str, Any]) -> list[Finding]:
    values = pack.read(body)
    by_code = {rule.code: rule for rule in pack.rules}
    return [_finding(pack, by_code[v.code], values) for v in check_fields(pack.rules, values)]


def _finding(pack: RulePack, rule: Rule, values: Mapping[str, Any]) -> Finding:
    given = tuple((name, short(values.get(name))) for name in rule.fields)
    return Finding(rule.code, rule.owner, rule.fields, rule.severity, rule.hint, given, pack.name)


def short(value: Any) -> str:
    """A value as a finding shows it."""
    words = repr(value)
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"


def _schema(persona: Given, body: Mapping[str, Any]) -> list[Finding]:
    """Whether a mapping fits the schema of a persona, and extensions nobody registered."""
    if isinstance(persona, Persona):
        return []
    if not isinstance(persona, Mapping):
        given = (("given", short(persona)),)
        return [Finding("schema", None, (), "error", "a person is a mapping", given)]
    try:
        Persona.parse(body)
    except PersonaeError as error:
        known = extensions.names()
        ext = body.get("ext")
        unknown = [n for n in ext if n not in known] if isinstance(ext, Mapping) else []
        if unknown:
            hint = f"no pack knows it; known: {', '.join(known)}"
            return [
                Finding("unknown_extension", None, (f"ext.{unknown[0]}",), "error", hint, (("ext", short(unknown)),))
            ]
        lines = [line.strip() for line in error.message.split("\n")[1:]] or [error.message]
        field = lines[0].partition(":")[0]
        return [Finding("schema", None, (field,), "error", _UNFIT, (("problems", short("; ".join(lines))),))]
    except (TypeError, ValueError, RecursionError) as error:
        return [Finding("schema", None, (), "error", "this is no persona", (("problems", short(str(error))),))]
    return []


def _texts(body: Mapping[str, Any]) -> list[Finding]:
    """What generators leave in texts, and texts that two fields hold."""
    out: list[Finding] = []
    seen: dict[str, str] = {}
    card = at_path(body, "ext.source.format") == _CARD
    for path, text in _leaves(body):
        for found in template_findings(text, own_words=path.startswith(_SPOKEN), card=card):
            severity: Severity = "error"
            out.append(
                Finding(found.kind, _owner(path), (path,), severity, _HINTS[found.kind], ((path, short(found.words)),))
            )
        if (
            len(text) <= LONGEST_NO_VALUE
            and is_no_value(text, prose=path in _PROSE or path.endswith(_PROSE_ENDS))
            and path.startswith(_VALUED)
        ):
            out.append(Finding("no_value", _owner(path), (path,), "error", _NO_VALUE, ((path, short(text)),)))
        if len(text) >= _LEAST_TEXT:
            key = normalise(text[:20_000])
            if key in seen:
                given = ((seen[key], short(text)), (path, "the same"))
                hint = "two fields hold the same text: write one of them anew"
                out.append(Finding("repeated_text", _owner(path), (seen[key], path), "error", hint, given))
            else:
                seen[key] = path
    return out


def _words(persona: Given, body: Mapping[str, Any]) -> list[Finding]:
    """Word rules that the attributes of a deep person break; one that does not fit the schema is told by `_schema`."""
    ext = body.get("ext")
    if not isinstance(ext, Mapping) or "deep" not in ext:
        return []
    try:
        person = persona if isinstance(persona, Persona) else Persona.parse(body)
    except (PersonaeError, TypeError, ValueError, RecursionError):
        return []
    hint = "it cannot be true beside what else is said"
    return [Finding(v.code, "deep", (v.path,), "error", hint, ((v.path, short(v.value)),)) for v in check_deep(person)]


def _owner(path: str) -> str:
    """The part of a person that a path lies in."""
    head, _, rest = path.partition(".")
    return rest.partition(".")[0] if head == "ext" else head


def _leaves(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text in a persona with its path; lists share the path of the list."""
    stack: list[tuple[str, Any, int]] = [(k, v, 0) for k, v in reversed(list(body.items())) if str(k) not in _SKIPPED]
    while stack:
        path, node, depth = stack.pop()
        if isinstance(node, str):
            if len(node) >= 3:
                yield path, node
        elif depth > 12 or path == _CUT or isinstance(node, (int, float)):
            continue
        elif isinstance(node, Mapping):
            inner = [("value", node["value"])] if "value" in node and path.count(".") else list(node.items())
            same = "value" in node and path.count(".") > 0
            stack += [(path if same else f"{path}.{k}", v, depth + 1) for k, v in reversed(inner)]
        elif isinstance(node, (list, tuple)):
            stack += [(path, v, depth + 1) for v in reversed(node)]
