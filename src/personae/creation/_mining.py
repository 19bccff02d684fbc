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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field

from personae.core import Frozen, InputError, RecipeError, SchemaError
from personae.creation._documents import parse_yaml, shipped
from personae.creation._taxonomy import MAX_DEPTH, ROOTS, Node, Taxonomy, name_stem, near_pairs, root_of, slug
from personae.text import sentence_spans, tfidf_similarity

if TYPE_CHECKING:
    from personae.models import Encoder, Model, OptionScores

Label = Literal["non_personalisable", "partly_personalisable", "personalisable"]
LABELS: Final[tuple[Label, ...]] = ("non_personalisable", "partly_personalisable", "personalisable")
Special = Literal["health", "religion", "orientation", "politics"]
SPECIAL: Final[tuple[Special, ...]] = ("health", "religion", "orientation", "politics")

_ADVERBS: Final = r"(?:(?:also|really|just|still|always|usually|often|sometimes|currently|mostly|even|only|very much|absolutely|do) )*"
_I: Final = r"\bi(?:'m| am|'ve been| have been)?"
_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    ("age", r"\bi(?:'m| am)(?: now)? (\d{1,3})(?: years old\b|[.!,]|$)"),
    ("place", r"\bi (?:live|grew up|was born|was raised|come from|am from|reside)(?: in| on| near| at)? ([^.!?,;]+)"),
    ("place", r"\bi(?:'m| am) (?:originally )?from ([^.!?,;]+)"),
    ("work", rf"\bi {_ADVERBS}work(?:ed)? (?:as|at|in|for|with)(?: an?| the)? ([^.!?,;]+)"),
    ("work", r"\bi(?:'m| am) (?:working|employed) (?:as|at|in|for)(?: an?| the)? ([^.!?,;]+)"),
    ("study", rf"\bi(?:'m| am)? ?{_ADVERBS}(?:study|studied|studying|majored in|majoring in|learning|teach myself|speak) ([^.!?,;]+)"),
    ("dislike", rf"\bi {_ADVERBS}(?:hate|dislike|can't stand|cannot stand|don't like|do not like|don't enjoy) ([^.!?,;]+)"),
    ("fear", r"\bi(?:'m| am) (?:\w+ )?(?:afraid|scared|terrified) of ([^.!?,;]+)"),
    ("allergy", r"\bi(?:'m| am) allergic to ([^.!?,;]+)"),
    ("like", rf"\bi(?:'m| am)? ?{_ADVERBS}(?:love|like|enjoy|adore|prefer|am into|'m into|into|am fond of|am obsessed with)(?: to| doing| playing| eating| watching| going)? ([^.!?,;]+)"),
    ("favourite", r"\bmy favou?rite (?!part|thing)([a-z ]{3,24}?) (?:is|are|was)\b(?: the| an?)? ?([^.!?,;]*)"),
    ("media", rf"\bi {_ADVERBS}(?:read|watch|listen to) ([^.!?,;]+)"),
    ("do", rf"\bi {_ADVERBS}(?:play|practice|practise|do|go|drink|eat|ride|drive|collect|cook|bake|grow|own|keep|paint|sing) ([^.!?,;]+)"),
    ("have", rf"\bi(?:'ve)? {_ADVERBS}(?:have|got|own|adopted|raise|raised)(?: got)?(?: an?| two| three| four| five| \d+| several| many| some)? ([^.!?,;]+)"),
    ("am", rf"\bi(?:'m| am| was| became) {_ADVERBS}(?:an? |the )?([^.!?,;]+)"),
    ("my", r"\bmy ([^.!?,;]+)"),
    ("value", r"\bi (?:believe in|value|care about|stand for) ([^.!?,;]+)"),
    ("value", r"([a-z ]{4,30}) (?:is|are) (?:very |really |most )?important to me\b"),
)  # fmt: skip
_OPEN: Final = {
    "like": ("hobbies", "likes"),
    "dislike": ("hobbies", "dislikes"),
    "fear": ("psychology", "fears"),
    "allergy": ("physical_health", "allergies"),
}
"""Where what no lexicon knows goes; kinds not named here need a lexicon"""
_ONLY: Final[dict[str, frozenset[str]]] = {
    "work": frozenset({"occupation", "workplace"}),
    "study": frozenset({"field_of_study", "languages", "level"}),
    "fear": frozenset({"fears"}),
    "value": frozenset({"guiding", "environment", "religion", "politics"}),
    "my": frozenset({"family", "children", "partner", "friends", "pets"}),
}
"""Branches that a kind of sentence may speak of; others may speak of any that takes it"""
_SAID_AS: Final[dict[str, frozenset[str]]] = {
    "occupation": frozenset({"work", "am"}), "workplace": frozenset({"work"}), "guiding": frozenset({"value"}),
    "fears": frozenset({"fear"}), "friends": frozenset({"have", "my"}), "family": frozenset({"have", "my"}),
    "children": frozenset({"have", "my"}), "partner": frozenset({"have", "my"}), "life_stage": frozenset({"am"}),
    "marital_status": frozenset({"am"}), "temperament": frozenset({"am"}), "orientation": frozenset({"am"}),
    "home": frozenset({"have", "do"}), "transport": frozenset({"have", "do"}), "level": frozenset({"have", "study", "am"}),
    "field_of_study": frozenset({"study", "like", "dislike"}), "appearance": frozenset({"have", "am"}),
    "languages": frozenset({"study"}), "conditions": frozenset({"have", "am"}), "pets": frozenset({"have", "my", "like", "do"}),
}  # fmt: skip
"""Kinds of sentence that a branch is read from; branches not named here are read from any"""
_FAVOURITE: Final = {
    "color": ("lifestyle", "clothing", "favourite_colour"), "colour": ("lifestyle", "clothing", "favourite_colour"),
    "food": ("lifestyle", "food_preferences", "favourite_food"), "meal": ("lifestyle", "food_preferences", "favourite_food"),
    "band": ("media", "music", "favourite_band"), "singer": ("media", "music", "favourite_singer"),
    "song": ("media", "music", "favourite_song"), "book": ("media", "reading", "favourite_book"),
    "author": ("media", "reading", "favourite_author"), "movie": ("media", "screen", "favourite_film"),
    "film": ("media", "screen", "favourite_film"), "show": ("media", "screen", "favourite_show"),
    "sport": ("hobbies", "sports", "favourite_sport"), "team": ("hobbies", "sports", "favourite_team"),
    "season": ("hobbies", "outdoors", "favourite_season"), "animal": ("lifestyle", "pets", "favourite_animal"),
    "holiday": ("culture", "traditions", "favourite_holiday"), "subject": ("education", "field_of_study", "favourite_subject"),
    "drink": ("lifestyle", "drinks", "favourite_drink"), "game": ("hobbies", "games", "favourite_game"),
}  # fmt: skip
_NOT_ABOUT_ME: Final = re.compile(r"\b(wish i|if i|would i|could i|do you|are you|should i|can i|did i|pretend)\b")
_LEADING: Final = re.compile(
    r"^(?:(?:an?|the|my|your|some|any|to|of|in|on|at|for|with|lot|lots|all|very|really|little|own|new|old|big|small) )+"
)
_TAIL: Final = re.compile(
    r"\b(?:and|but|because|so|when|while|with|at|on|in|for|that|which|who|since|after|before|too|as well|every|sometimes|"
    r"myself|very much|a lot|now|today|right now|by|from|is|are|was|if|than|though|about|to|of|or|as|me|it|you|them|him|her)\b.*$"
)
_DOING: Final = re.compile(
    r"^(?:looking|going|trying|caught|planning|thinking|hoping|about|sorry|glad|happy|not|in |so )"
)
_VERBS: Final = re.compile(
    r"^(?:(?:be|being|do|doing|go|going|get|getting|see|seeing|have|having|make|making|try|trying|take|taking|watch|watching|read|reading|play|playing|eat|eating|spend|spending|use|using|learn|learning|work|working|think|thinking|say|know|how|when|what|why|where|that|it|i|so|those) )+|^(?:being|play|do|read|see|going|eat|watch|time)$"
)
_EMPTY: Final = frozenset(
    {
        "",
        "it",
        "that",
        "this",
        "them",
        "you",
        "things",
        "thing",
        "stuff",
        "one",
        "fun",
        "good",
        "lot",
        "something",
        "anything",
        "too",
        "what",
        "how",
        "kind",
        "sure",
        "not",
        "those",
        "these",
        "way",
        "bit",
        "names",
        "time",
        "people",
        "part",
        "idea",
        "part_of",
        "sound",
        "different_things",
        "new_things",
        "everything",
        "place",
        "places",
        "day",
    }
)


class MinedExample(Frozen):
    """Where a chain was read: message id, place in its text, and the words."""

    message: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """An attribute from general to specific, with the words it was read from."""

    steps: tuple[str, ...]
    conversation: str
    example: MinedExample
    special: Special | None = None

    @property
    def path(self) -> str:
        """The chain as a dotted path."""
        return ".".join(self.steps)


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
    if any(True for _ in _found(answer)):
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


# Extraction -----------------------------------------------------------------------------------------------------------


def extract_chains(conversation: str, message: str, text: str) -> list[Chain]:
    """Chains that the shipped patterns and lexicons read in one message, in order, each path once."""
    out: dict[tuple[str, ...], Chain] = {}
    for steps, special, start, end in _found(text):
        example = MinedExample(message=message, start=start, end=end, text=text[start:end][:120])
        out.setdefault(steps, Chain(steps, conversation, example, special))
    return list(out.values())


def _found(text: str) -> Iterator[tuple[tuple[str, ...], Special | None, int, int]]:
    for span in sentence_spans(text):
        sentence = span.text.lower().replace("’", "'")
        if sentence.endswith("?") or _NOT_ABOUT_ME.search(sentence):
            continue
        for kind, pattern in _compiled():
            for match in pattern.finditer(sentence):
                at = span.start + match.start(), span.start + match.end()
                yield from ((s, c, *at) for s, c in _place(kind, match))


def _place(kind: str, match: re.Match[str]) -> Iterator[tuple[tuple[str, ...], Special | None]]:
    if kind == "age":
        if int(match.group(1)) <= 120:
            yield ("demographics", "identity", "age"), None
        return
    if kind == "place":
        yield ("demographics", "home", "place_of_residence" if "born" not in match.group(0) else "birthplace"), None
        return
    if kind == "favourite":
        chain = _FAVOURITE.get(match.group(1).strip().split()[-1])
        if chain is not None:
            yield chain, None
        return
    phrase = match.group(1).strip()
    if kind in {"am", "my"}:
        phrase = "" if _DOING.match(phrase) else _TAIL.sub("", phrase)
    hit = False
    for where, special, word in _known(phrase):
        if (kind in _ONLY and where[1] not in _ONLY[kind]) or kind not in _SAID_AS.get(where[1], {kind}):
            continue
        hit = True
        yield (*where, slug(word)), special
    if not hit and kind in _OPEN:
        name = _head(phrase)
        if name:
            yield (*_OPEN[kind], name), "health" if kind == "allergy" else None


def _known(phrase: str) -> Iterator[tuple[tuple[str, str], Special | None, str]]:
    """Lexicon words in a phrase, longest first; a word inside a longer one does not count again."""
    taken = [False] * len(phrase)
    for pattern in _lexicon_patterns():
        for match in pattern.finditer(phrase):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                yield from _lexicon()[match.group(0)]


def _head(phrase: str) -> str:
    """Up to three words that name a thing; '' when there are none."""
    words = _TAIL.sub("", _LEADING.sub("", _VERBS.sub("", _LEADING.sub("", phrase)))).strip()
    name = slug(" ".join(words.split()[:3]))
    return "" if name in _EMPTY or len(name) < 3 or name.isdigit() else name


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, list[tuple[tuple[str, str], Special | None, str]]]:
    text = shipped("taxonomy", "mining.yaml")
    if text is None:
        raise RecipeError("the lexicons of the miner are not in the package.", hint="Install it again.")
    out: dict[str, list[tuple[tuple[str, str], Special | None, str]]] = {}
    for entry in parse_yaml(text, "mining", error=RecipeError)["lexicons"]:
        root, branch = entry["where"]
        for word in entry["words"]:
            for form in {word, *_forms(word)}:
                out.setdefault(form, []).append(((root, branch), entry.get("special"), word))
    return out


def _forms(word: str) -> tuple[str, ...]:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return (word[:-1] + "ies",)
    if word.endswith(("s", "ing")):
        return ()
    return (word + ("es" if word.endswith(("x", "ch", "sh")) else "s"),)


@lru_cache(maxsize=1)
def _lexicon_patterns() -> tuple[re.Pattern[str], ...]:
    by_length: dict[int, list[str]] = {}
    for form in _lexicon():
        by_length.setdefault(len(form.split()), []).append(form)
    return tuple(
        re.compile(r"\b(?:" + "|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True)) + r")\b")
        for _, forms in sorted(by_length.items(), reverse=True)
    )


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
