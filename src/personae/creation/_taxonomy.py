"""A tree of what can be said about a person: twelve fixed roots, dotted paths, nested JSON in and out, and a lint.

In nested JSON every mapping is a branch and an empty mapping is a leaf. Names become lower-case words joined by
underscores, so a path of the tree is a path of `Persona.attributes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from personae.core import Frozen, SchemaError, UnknownKeyError, replace_file
from personae.creation._documents import read_text
from personae.text import tfidf_similarity

ROOTS: Final[dict[str, str]] = {
    "demographics": "Demographics",
    "career": "Career and work identity",
    "core_values": "Core values, beliefs and philosophy",
    "lifestyle": "Lifestyle and daily routine",
    "culture": "Cultural and social context",
    "hobbies": "Hobbies, interests and lifestyle",
    "education": "Education and learning",
    "emotional_skills": "Emotional and relational skills",
    "media": "Media consumption",
    "physical_health": "Physical and health characteristics",
    "psychology": "Psychological and cognitive aspects",
    "relationships": "Relationships and social networks",
}
"""The twelve roots in the order in which they are filled. Source: DeepPersona (arXiv 2511.07338), §3."""

MAX_DEPTH: Final = 5
NEAR: Final = 0.8
"""TF-IDF similarity of two sibling names from which the lint calls them near-identical"""

_WORDS: Final = re.compile(r"[a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_A_PERSON: Final = re.compile(
    r"(^|_)(user_?profile|persona|attributes?|metadata|schema|json)($|_)|"
    r"^(profile|user|fields?|misc|miscellaneous|others?|unknown|na|null|none|general_information|data)$"
)
_PLACE: Final = re.compile(
    r"(^|_)(city|town|village|street|avenue|river|mount|lake|county|province|island|airport|university)_of_|"
    r"_(street|avenue|boulevard|county|province|island|airport|beach|bridge)$"
)
_STOP: Final = frozenset({"and", "or", "of", "the", "a", "an", "in", "for", "to", "with", "aspects", "related"})


def slug(name: str) -> str:
    """A name as a step of a path: lower-case words joined by underscores; '' when there is no word in it.

    >>> slug("Core Values, Beliefs & Philosophy")
    'core_values_beliefs_philosophy'
    """
    return "_".join(_WORDS.findall(_CAMEL.sub(" ", name).lower()))


class Node(Frozen):
    """One node: a dotted path, how deep it lies (roots: 1), how many sources support it, and where they say so."""

    path: str
    depth: int = Field(ge=1)
    support: int = Field(default=0, ge=0)
    examples: tuple[str, ...] = ()
    """ids of messages, `conversation#turn`, with the words after a colon"""

    @property
    def root(self) -> str:
        """The first step."""
        return self.path.split(".", 1)[0]

    @property
    def parent(self) -> str | None:
        """Path of the node above; None for a root."""
        return self.path.rpartition(".")[0] or None

    @property
    def words(self) -> str:
        """The last step in words."""
        return self.path.rpartition(".")[2].replace("_", " ")


class Taxonomy(Frozen):
    """Nodes under the twelve roots, every parent before its children.

    Raises:
        SchemaError: a path twice, a node without its parent, a child named like its parent, a tree that is too deep.
        UnknownKeyError: a root that is not one of the twelve; the nearest is suggested.

    Example:
        >>> tree = Taxonomy.from_nested({"lifestyle": {"Food": {"Breakfast": {}, "Supper": {}}}})
        >>> tree.leaves
        ('lifestyle.food.breakfast', 'lifestyle.food.supper')
    """

    schema_version: Literal[1] = 1
    version: str = "1"
    nodes: tuple[Node, ...] = ()
    source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        seen: set[str] = set()
        for node in self.nodes:
            steps = node.path.split(".")
            if steps[0] not in ROOTS:
                raise UnknownKeyError.of(steps[0], ROOTS, where=f"taxonomy {self.version!r}: root of {node.path!r}")
            if any(slug(step) != step or not step for step in steps):
                raise SchemaError(f"taxonomy: {node.path!r} is no path.", hint="Lower-case words joined by dots.")
            if node.path in seen:
                raise SchemaError(f"taxonomy: {node.path!r} stands in it twice.", hint="Merge the two branches.")
            if len(steps) > 1 and node.parent not in seen:
                raise SchemaError(f"taxonomy: {node.path!r} comes before its parent.", hint="List parents first.")
            if len(steps) > 1 and steps[-1] == steps[-2]:
                raise SchemaError(f"taxonomy: {node.path!r} is named like its parent.", hint="Keep one of the two.")
            if node.depth != len(steps) or node.depth > MAX_DEPTH:
                raise SchemaError(
                    f"taxonomy: {node.path!r} has depth {node.depth}, {len(steps)} steps; at most {MAX_DEPTH}.",
                    hint="Move the leaf up.",
                )
            seen.add(node.path)
        return self

    @classmethod
    def from_paths(cls, paths: Iterable[str], **fields: Any) -> Self:
        """A tree from leaf paths; branches are made on the way, in order of first mention."""
        nodes: dict[str, Node] = {}
        for path in paths:
            if path in nodes:
                raise SchemaError(f"taxonomy: {path!r} stands in it twice.", hint="Merge the two.")
            steps = path.split(".")
            for depth in range(1, len(steps) + 1):
                own = ".".join(steps[:depth])
                nodes.setdefault(own, Node(path=own, depth=depth))
        return cls(nodes=tuple(nodes.values()), **fields)

    @classmethod
    def from_nested(cls, data: Mapping[str, Any], **fields: Any) -> Self:
        """A tree from nested mappings; root names may be the titles of `ROOTS`.

        Raises:
            SchemaError: something that is not a mapping, with its path; two siblings of one name.
        """
        nodes: list[Node] = []
        for trail, _ in _walk(data):
            steps = [root_of(trail[0]), *(slug(t) for t in trail[1:])]
            if not all(steps):
                raise SchemaError(f"taxonomy: a name without letters under {' / '.join(trail)!r}.", hint="Name it.")
            nodes.append(Node(path=".".join(steps), depth=len(steps)))
        return cls(nodes=tuple(nodes), **fields)

    def to_nested(self) -> dict[str, Any]:
        """Nested mappings; a leaf is an empty one. Support and examples are not in it (`model_dump` has them)."""
        out: dict[str, Any] = {}
        for node in self.nodes:
            place = out
            for step in node.path.split("."):
                place = place.setdefault(step, {})
        return out

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Paths without children, in order."""
        parents = {node.parent for node in self.nodes}
        return tuple(node.path for node in self.nodes if node.path not in parents)

    @cached_property
    def by_path(self) -> dict[str, Node]:
        """Nodes by path."""
        return {node.path: node for node in self.nodes}

    @property
    def roots(self) -> tuple[str, ...]:
        """Roots that have something under them, in order."""
        return tuple(dict.fromkeys(node.root for node in self.nodes if node.depth > 1))

    @property
    def depth(self) -> int:
        """Steps of the longest path; 0 for an empty tree."""
        return max((node.depth for node in self.nodes), default=0)

    def children(self, path: str | None = None) -> tuple[str, ...]:
        """Paths right under `path` (None: the roots)."""
        return tuple(node.path for node in self.nodes if node.parent == path)

    def save(self, path: Path) -> Path:
        """Write nested JSON."""
        return replace_file(path, [json.dumps(self.to_nested(), indent=1, ensure_ascii=False).encode(), b"\n"])


def read_taxonomy(source: str | Path, *, version: str = "1") -> Taxonomy:
    """A tree from a file of nested JSON.

    Raises:
        SchemaError: not JSON, a name given twice, a value that is not a mapping, or what `Taxonomy` refuses.
    """
    where = str(source)
    return Taxonomy.from_nested(_load(read_text(Path(source), error=SchemaError), where), version=version, source=where)


@dataclass(frozen=True, slots=True)
class TaxonomyFinding:
    """Something doubtful in a tree: what it is, where, and what it is confused with."""

    code: Literal[
        "unknown_root", "near_roots", "near_siblings", "parent_is_child", "not_a_person", "place_name", "not_a_branch",
        "too_deep", "empty_name",
    ]  # fmt: skip
    path: str
    other: str | None
    severity: Literal["error", "warning"]
    hint: str


def lint_taxonomy(tree: Taxonomy | Mapping[str, Any], *, near: float = NEAR) -> tuple[TaxonomyFinding, ...]:
    """What is wrong with a tree, without refusing it: foreign files are looked at before they are read.

    Args:
        tree: a taxonomy, or nested mappings as they come.
        near: TF-IDF similarity (character trigrams) from which two siblings count as near-identical. Siblings that
            are the same words in another order, or one the other's plural, always count.

    Returns:
        Findings in the order of the tree.
    """
    data = tree.to_nested() if isinstance(tree, Taxonomy) else tree
    out: list[TaxonomyFinding] = []
    _lint_level(data, (), near, out)
    for trail, value in _walk(data, strict=False):
        path = " > ".join(trail)
        own = slug(trail[-1])
        if not own:
            out.append(TaxonomyFinding("empty_name", path, None, "error", "Name it."))
            continue
        if not isinstance(value, Mapping):
            hint = f"A leaf is an empty mapping, got {type(value).__name__}."
            out.append(TaxonomyFinding("not_a_branch", path, None, "error", hint))
        if len(trail) == 1 and root_of(trail[0]) not in ROOTS:
            out.append(TaxonomyFinding("unknown_root", path, None, "error", "Move it under one of the twelve roots."))
        if len(trail) > 1 and name_stem(own) == name_stem(slug(trail[-2])):
            out.append(TaxonomyFinding("parent_is_child", path, trail[-2], "error", "Keep one of the two."))
        if len(trail) == MAX_DEPTH + 1:
            out.append(TaxonomyFinding("too_deep", path, None, "error", f"At most {MAX_DEPTH} steps."))
        if _NOT_A_PERSON.search(own):
            out.append(TaxonomyFinding("not_a_person", path, None, "warning", "It says nothing about a person."))
        if _PLACE.search(own):
            out.append(TaxonomyFinding("place_name", path, None, "warning", "One place is a value, not a node."))
    return tuple(out)


def _lint_level(data: Mapping[str, Any], trail: tuple[str, ...], near: float, out: list[TaxonomyFinding]) -> None:
    names = [str(name) for name in data]
    for a, b in near_pairs([slug(n) for n in names], near):
        code: Literal["near_siblings", "near_roots"] = "near_siblings" if trail else "near_roots"
        path = " > ".join((*trail, names[b]))
        out.append(TaxonomyFinding(code, path, names[a], "error" if not trail else "warning", "Merge the two."))
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            _lint_level(value, (*trail, str(name)), near, out)


def near_pairs(slugs: list[str], near: float) -> list[tuple[int, int]]:
    """Pairs of names that mean the same by spelling: similar trigrams, the same words, or one word and its plural."""
    if len(slugs) < 2:
        return []
    similarity = tfidf_similarity([s.replace("_", " ") for s in slugs])
    stems = [name_stem(s) for s in slugs]
    return [
        (a, b)
        for b in range(len(slugs))
        for a in range(b)
        if (stems[a] and stems[a] == stems[b]) or similarity[a, b] >= near
    ]


def name_stem(name: str) -> frozenset[str]:
    """The words of a name without order, plural endings and small words."""
    return frozenset(_singular(w) for w in name.split("_") if w and w not in _STOP)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def root_of(name: str) -> str:
    """The root a name stands for, by its own name or its title; the name itself when it is none."""
    own = slug(name)
    titles = {name_stem(slug(title)): root for root, title in ROOTS.items()}
    return own if own in ROOTS else titles.get(name_stem(own), own)


def _walk(
    data: Mapping[str, Any], trail: tuple[str, ...] = (), *, strict: bool = True
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in data.items():
        own = (*trail, str(name))
        if strict and not isinstance(value, Mapping):
            raise SchemaError(
                f"taxonomy: {' / '.join(own)!r} holds {type(value).__name__}, expected a mapping.",
                hint="A leaf is an empty mapping {}; values do not belong into the tree.",
            )
        yield own, value
        if isinstance(value, Mapping):
            yield from _walk(value, own, strict=strict)


def _load(text: str, where: str) -> Mapping[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise SchemaError(f"{where}: the name {twice[0]!r} is given twice in one branch.", hint="Merge the two.")
        return dict(items)

    try:
        data = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as cause:
        raise SchemaError(f"{where}: not valid JSON ({cause}).", hint="Nested mappings; a leaf is {}.") from cause
    if not isinstance(data, Mapping):
        raise SchemaError(f"{where}: holds {type(data).__name__}, expected one mapping of roots.")
    return data
