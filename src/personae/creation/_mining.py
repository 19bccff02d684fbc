"""A taxonomy from conversations: what people say of themselves, general to specific, merged and counted.

Sentences in the first person ("I work as …", "I have …", "my favourite … is …") are read by patterns, what they name
is placed under one of the twelve roots by lexicons, and chains whose names mean the same are merged. Everything keeps
the message it was read from. The same logs give the same tree.

Source: DeepPersona (arXiv 2511.07338), taxonomy construction: three-way label, chains, merging with checks before and
after. Its threshold is not published, its extractor is a large model; ours are patterns, and a model may be asked for
labels.
"""

# ruff: noqa: E501 - patterns and word lists are read by the line
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field

from personae.core import Frozen, InputError, SchemaError
from personae.creation._chains import SPECIAL, Chain, Special, extract_chains, found_chains
from personae.creation._taxonomy import MAX_DEPTH, ROOTS, Node, Taxonomy, name_stem, near_pairs, root_of, slug
from personae.text import tfidf_similarity

if TYPE_CHECKING:
    from personae.models import Encoder, Model, OptionScores

Label = Literal["non_personalisable", "partly_personalisable", "personalisable"]
LABELS: Final[tuple[Label, ...]] = ("non_personalisable", "partly_personalisable", "personalisable")
Extract: TypeAlias = Callable[[str, str, str], Iterable[Chain]]
"""(conversation id, message id, text) → chains; the seam for other extractors"""


class Repair(Frozen):
    """Something the merge changed: what, from where, to where."""

    kind: Literal["merged", "root", "parent_is_child", "nested", "not_a_person", "too_deep"]
    before: str
    after: str


class MinedTaxonomy(Frozen):
    """A mined tree and how it came about."""

    taxonomy: Taxonomy
    conversations: int
    messages: int
    chains: int
    labels: dict[str, int] = Field(default_factory=dict)
    """exchanges (or messages without a question before them) by label"""
    skipped: dict[str, int] = Field(default_factory=dict)
    """chains of special categories that were not asked for"""
    dropped: int = 0
    """leaves below the minimum support"""
    repairs: tuple[Repair, ...] = ()


def mine_taxonomy(
    logs: Iterable[Mapping[str, Any]],
    *,
    min_support: int = 2,
    near: float | None = None,
    encoder: Encoder | None = None,
    special: Iterable[Special] = (),
    extract: Extract | None = None,
    examples: int = 3,
    version: str = "mined",
) -> MinedTaxonomy:
    """The attribute tree of a log.

    Args:
        logs: `{conversation_id, turns: [{role, text}]}` or `{question, answer}`; only `user` turns and answers are
            about the person.
        min_support: conversations that have to name a leaf.
        near: similarity from which two names under one branch are the same; default 0.72 for TF-IDF over character
            trigrams, 0.8 for an encoder.
        encoder: meaning instead of spelling for the merge.
        special: special categories to keep; without it health, religion, orientation and politics are skipped.
        extract: another extractor of chains.
        examples: messages kept for each node.
        version: of the tree.

    Raises:
        SchemaError: an entry that is neither a conversation nor a pair, with its position.
        InputError: an unknown special category, or a support below 1.
    """
    wanted = frozenset(special)
    if not wanted <= set(SPECIAL) or min_support < 1:
        raise InputError(
            f"special {sorted(wanted)!r}, min_support {min_support!r}.",
            hint=f"Special categories: {', '.join(SPECIAL)}.",
        )
    reader = extract or extract_chains
    chains: list[Chain] = []
    labels, skipped = Counter[str](), Counter[str]()
    conversations = messages = 0
    for position, entry in enumerate(logs):
        name, turns = _turns(entry, position)
        conversations += 1
        before = ""
        for number, (role, text) in enumerate(turns):
            if role not in {"user", "human", "answer"}:
                before = text
                continue
            messages += 1
            label = label_exchange(before, text)
            labels[label] += 1
            before = ""
            if label == "non_personalisable":
                continue
            for chain in reader(name, f"{name}#{number}", text):
                if chain.special is not None and chain.special not in wanted:
                    skipped[chain.special] += 1
                else:
                    chains.append(chain)
    nodes, repairs, dropped = _merge(chains, min_support, near, encoder, examples)
    return MinedTaxonomy(
        taxonomy=Taxonomy(nodes=nodes, version=version, source="mined"),
        conversations=conversations,
        messages=messages,
        chains=len(chains),
        labels=dict(sorted(labels.items())),
        skipped=dict(sorted(skipped.items())),
        dropped=dropped,
        repairs=repairs,
    )


# Labels ---------------------------------------------------------------------------------------------------------------

_SELF: Final = re.compile(r"\b(i|i'm|i've|my|mine|me|myself)\b", re.IGNORECASE)
_ASKS: Final = re.compile(
    r"\b(you|your|favou?rite|recommend|suggest|should i|prefer|hobby|hobbies|feel|opinion|advice|help me)\b",
    re.IGNORECASE,
)
_FACTUAL: Final = re.compile(
    r"^(what is|what are|who was|who is|when did|where is|how many|define|calculate|translate)\b"
)


def label_exchange(question: str, answer: str) -> Label:
    """Whether an exchange says something about the person who answers, by rules.

    Personalisable: the answer has a sentence about the speaker's life that a pattern reads. Partly: it speaks of the
    speaker, or the question asks for it. Neither: non-personalisable.
    """
    if any(True for _ in found_chains(answer)):
        return "personalisable"
    if _SELF.search(answer) and not _FACTUAL.search(question.strip().lower()):
        return "partly_personalisable"
    if _ASKS.search(question) and len(answer.split()) > 2:
        return "partly_personalisable"
    return "non_personalisable"


async def label_exchanges(model: Model, pairs: Sequence[tuple[str, str]]) -> list[tuple[Label, tuple[float, ...]]]:
    """The same label by a model: the most likely of three options, with their probabilities in the order of `LABELS`."""
    from personae.models import Message, ScoreRequest, option_probabilities

    words = (" nothing", " a little", " a lot")
    requests = [
        ScoreRequest(
            messages=(
                Message(
                    "user",
                    "How much does the answer tell about the life of the person who gives it: nothing, a little or a lot?"
                    f"\n\nQuestion: {question or '(none)'}\nAnswer: {answer}",
                ),
            ),
            options=words,
            prefill="It tells",
            tags={"stage": "label"},
        )
        for question, answer in pairs
    ]
    out: list[tuple[Label, tuple[float, ...]]] = []
    for scores in await model.score_options(requests):
        shares = _shares(scores, option_probabilities)
        out.append((LABELS[int(np.argmax(shares))], shares))
    return out


def _shares(scores: OptionScores, probabilities: Callable[..., Any]) -> tuple[float, ...]:
    return tuple(float(p) for p in probabilities(scores, "mean"))


# Merging --------------------------------------------------------------------------------------------------------------


def _merge(
    chains: Sequence[Chain], min_support: int, near: float | None, encoder: Encoder | None, examples: int
) -> tuple[tuple[Node, ...], tuple[Repair, ...], int]:
    repairs: dict[tuple[str, str, str], Repair] = {}

    def note(kind: Any, before: str, after: str) -> None:
        repairs.setdefault((kind, before, after), Repair(kind=kind, before=before, after=after))

    mended = [(chain, steps) for chain in chains if (steps := _mended(chain.steps, note)) is not None]
    for level in range(1, MAX_DEPTH):
        groups: dict[tuple[str, ...], Counter[str]] = {}
        for _, steps in mended:
            if len(steps) > level:
                groups.setdefault(steps[:level], Counter())[steps[level]] += 1
        same: dict[tuple[str, ...], str] = {}
        for parent, names in groups.items():
            for name, other in _same_names(names, near, encoder).items():
                if name != other:
                    same[(*parent, name)] = other
                    note("merged", ".".join((*parent, name)), ".".join((*parent, other)))
        mended = [
            (
                chain,
                (*steps[:level], same.get(steps[: level + 1], steps[level]), *steps[level + 1 :])
                if len(steps) > level
                else steps,
            )
            for chain, steps in mended
        ]
    mended = [(chain, steps) for chain, steps in _nested(mended, note)]
    support: dict[str, set[str]] = {}
    shown: dict[str, list[str]] = {}
    for chain, steps in mended:
        for depth in range(1, len(steps) + 1):
            path = ".".join(steps[:depth])
            support.setdefault(path, set()).add(chain.conversation)
            kept = shown.setdefault(path, [])
            words = f"{chain.example.message}: {chain.example.text}"
            if len(kept) < examples and words not in kept:
                kept.append(words)
    leaves = {".".join(steps) for _, steps in mended}
    kept_leaves = {path for path in leaves if len(support[path]) >= min_support}
    paths = sorted(
        {".".join(leaf.split(".")[:d]) for leaf in kept_leaves for d in range(1, leaf.count(".") + 2)},
        key=lambda p: (list(ROOTS).index(p.split(".")[0]), p),
    )
    nodes = tuple(
        Node(path=p, depth=p.count(".") + 1, support=len(support[p]), examples=tuple(shown[p])) for p in paths
    )
    return nodes, tuple(repairs.values()), len(leaves) - len(kept_leaves)


def _mended(steps: tuple[str, ...], note: Callable[[Any, str, str], None]) -> tuple[str, ...] | None:
    """Before merging: the root is one of the twelve, no child is named like its parent, nothing lies too deep."""
    before = ".".join(steps)
    own = [slug(s) for s in steps if slug(s)]
    if len(own) < 2:
        return None
    root = root_of(own[0])
    if root not in ROOTS:
        close = near_pairs([*ROOTS, root], 0.6)
        found = next((list(ROOTS)[a] for a, b in close if b == len(ROOTS)), None)
        if found is None:
            note("root", before, "")
            return None
        root = found
    if root != own[0]:
        note("root", before, ".".join([root, *own[1:]]))
    out = [root]
    for step in own[1:]:
        if name_stem(step) == name_stem(out[-1]):
            note("parent_is_child", before, ".".join(out))
        else:
            out.append(step)
    if len(out) > MAX_DEPTH:
        note("too_deep", before, ".".join(out[:MAX_DEPTH]))
    return tuple(out[:MAX_DEPTH]) if len(out) > 1 else None


def _same_names(names: Counter[str], near: float | None, encoder: Encoder | None) -> dict[str, str]:
    """Name → the name it is merged into: the most frequent, then the shortest, then the first in the alphabet.

    Two names of different abstraction (the words of one are part of the other's) are never merged here.
    """
    ordered = sorted(names, key=lambda n: (-names[n], len(n), n))
    if len(ordered) < 2:
        return {n: n for n in ordered}
    texts = [n.replace("_", " ") for n in ordered]
    if encoder is None:
        similarity, least = tfidf_similarity(texts), 0.72 if near is None else near
    else:
        vectors = encoder.encode(texts).astype(np.float64)
        similarity, least = vectors @ vectors.T, 0.8 if near is None else near
    stems = [name_stem(n) for n in ordered]
    into: dict[str, str] = {}
    for b, name in enumerate(ordered):
        into[name] = name
        for a in range(b):
            nested = stems[a] < stems[b] or stems[b] < stems[a]
            if into[ordered[a]] == ordered[a] and (
                (stems[a] and stems[a] == stems[b]) or (similarity[a, b] >= least and not nested)
            ):
                into[name] = ordered[a]
                break
    return into


def _nested(
    mended: list[tuple[Chain, tuple[str, ...]]], note: Callable[[Any, str, str], None]
) -> list[tuple[Chain, tuple[str, ...]]]:
    """After merging: a leaf whose words hold those of a sibling becomes that sibling's child (general → specific)."""
    siblings: dict[tuple[str, ...], set[str]] = {}
    for _, steps in mended:
        siblings.setdefault(steps[:-1], set()).add(steps[-1])
    moved: dict[tuple[str, ...], tuple[str, ...]] = {}
    for parent, names in siblings.items():
        if len(parent) + 2 > MAX_DEPTH:
            continue
        stems = {name: name_stem(name) for name in names}
        for name in sorted(names):
            above = [o for o in names if o != name and stems[o] and stems[o] < stems[name] and len(stems[o]) == 1]
            if above:
                general = min(above, key=lambda o: (-len(o), o))
                moved[(*parent, name)] = (*parent, general, name)
                note("nested", ".".join((*parent, name)), ".".join((*parent, general, name)))
    return [(chain, moved.get(steps, steps)) for chain, steps in mended]


# In and out -----------------------------------------------------------------------------------------------------------


def chain_recovery(found: Taxonomy, planted: Iterable[str]) -> tuple[float, float]:
    """(recall, precision) of the leaves of a tree against planted leaf paths."""
    wanted, got = set(planted), set(found.leaves)
    if not wanted or not got:
        return 0.0, 0.0
    hits = len(wanted & got)
    return hits / len(wanted), hits / len(got)


def _turns(entry: Mapping[str, Any], position: int) -> tuple[str, list[tuple[str, str]]]:
    if isinstance(entry, Mapping) and isinstance(entry.get("turns"), (list, tuple)):
        name = str(entry.get("conversation_id", position))
        turns: list[tuple[str, str]] = []
        for number, turn in enumerate(entry["turns"]):
            if not isinstance(turn, Mapping) or not isinstance(turn.get("text"), str):
                raise SchemaError(f"log {position}, turn {number}: expected {{role, text}}, got {turn!r:.60}.")
            turns.append((str(turn.get("role", "user")).lower(), turn["text"]))
        return name, turns
    if isinstance(entry, Mapping) and isinstance(entry.get("question"), str) and isinstance(entry.get("answer"), str):
        name = str(entry.get("id", position))
        return name, [("question", entry["question"]), ("answer", entry["answer"])]
    raise SchemaError(
        f"log {position}: neither a conversation nor a pair ({entry!r:.60}).",
        hint="Expected {conversation_id, turns: [{role, text}]} or {question, answer}.",
    )
