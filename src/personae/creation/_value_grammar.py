"""Value grammars: what a leaf of the taxonomy may say, depending on what is already known of the person.

A grammar is text. Values stand between ` / `; behind a value stand its marks:

    ^3         weight (default 1)
    ?teen|adult&!vegetarian   only if (teen or adult) and not vegetarian
    ~hi_o      four times as likely with this tag
    +tag       from now on the person has this tag
    ++  --     positive, negative: three times as likely for a person drawn with that tone
    <pool>     inside a value: a word of that pool; <2..age-18>: a whole number
    =pool      instead of a value: all values of that pool

What is known of a person is a set of tags, kept as the bits of one number. Each value depends on the tags and on the
leaf's own draw alone, so it is the same however many other leaves are asked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from personae.core import RecipeError, UnknownKeyError

Tone = Literal["positive", "negative", "neutral"]
TONES: Final[tuple[Tone, ...]] = ("positive", "negative", "neutral")
MAX_VALUE: Final = 50
"""characters of a value. Source: DeepPersona, slot filling"""

_LIKELIER: Final = 4.0
_TONED: Final = 3.0
_SLOT: Final = re.compile(r"<([^<>]+)>")
_RANGE: Final = re.compile(r"(\d+)\.\.(age(?:-(\d+))?|\d+)")
_TAG: Final = re.compile(r"[a-z][a-z0-9_]*")
_MARK: Final = re.compile(r"\s+(\+\+|--|[?^~+][^\s]+)$")


class Tags:
    """Names of tags and their bits."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._bits: dict[str, int] = {}
        for name in names:
            self.bit(name, new=True)

    def bit(self, name: str, *, new: bool = False, where: str = "grammar") -> int:
        """The bit of a tag; an unknown one is made (`new`) or refused.

        Raises:
            UnknownKeyError: nobody sets this tag before it is asked for.
        """
        if name not in self._bits:
            if not new:
                raise UnknownKeyError.of(name, self._bits, where=f"{where}: tag")
            if not _TAG.fullmatch(name):
                raise RecipeError(f"{where}: {name!r} is no tag.", hint="Lower-case letters, digits and underscores.")
            self._bits[name] = 1 << len(self._bits)
        return self._bits[name]

    def mask(self, names: Sequence[str]) -> int:
        """Bits of the names that are known; others are left out."""
        return sum(self._bits.get(name, 0) for name in dict.fromkeys(names))

    def names(self, mask: int) -> tuple[str, ...]:
        """Names of the bits of a mask."""
        return tuple(name for name, bit in self._bits.items() if bit & mask)


@dataclass(frozen=True, slots=True)
class Condition:
    """All of `every` (at least one bit of each) and none of `none`."""

    every: tuple[int, ...] = ()
    none: int = 0

    def holds(self, state: int) -> bool:
        """Whether a person with these tags meets it."""
        return not state & self.none and all(state & one for one in self.every)

    @property
    def looks_at(self) -> int:
        """Bits it depends on."""
        out = self.none
        for one in self.every:
            out |= one
        return out

    def __and__(self, other: Condition) -> Condition:
        return Condition(tuple(dict.fromkeys((*self.every, *other.every))), self.none | other.none)


def read_condition(text: str, tags: Tags, where: str) -> Condition:
    """`teen|adult&!vegetarian` as a condition. A negated group (`!a|b`) means neither a nor b."""
    every: list[int] = []
    none = 0
    for part in text.split("&"):
        bits = [tags.bit(name.strip(), where=where) for name in dict.fromkeys(part.removeprefix("!").split("|"))]
        if part.startswith("!"):
            for bit in bits:
                none |= bit
        else:
            every.append(sum(bits))
    return Condition(tuple(every), none)


@dataclass(frozen=True, slots=True)
class Option:
    """One value with its marks."""

    text: str
    condition: Condition
    weight: float
    likelier: int
    sets: int
    tone: Tone
    toned: int
    parts: tuple[str | Pool | Number, ...] = ()
    """the text cut at its slots; () when it has none"""


@dataclass(frozen=True, slots=True)
class Number:
    """A slot for a whole number from `low` to `high` (or to the person's age minus `less`)."""

    low: int
    high: int | None
    less: int = 0

    def word(self, draw: float, age: int) -> str:
        """The number a draw in (0, 1) names."""
        high = age - self.less if self.high is None else self.high
        return str(self.low + int(draw * max(1, high - self.low + 1)))


@dataclass(slots=True)
class Pool:
    """Options to draw from. Drawing looks only at the tags the options look at, and remembers what it found."""

    name: str
    options: tuple[Option, ...]
    _known: dict[int, tuple[list[float], tuple[Option, ...]]] = field(default_factory=dict, repr=False)
    _looks_at: int = 0

    def __post_init__(self) -> None:
        for option in self.options:
            self._looks_at |= option.condition.looks_at | option.likelier | option.toned

    @property
    def looks_at(self) -> int:
        """Bits that its draws depend on."""
        return self._looks_at

    def allowed(self, state: int) -> tuple[Option, ...]:
        """Options open to a person with these tags."""
        return self._edges(state)[1]

    def draw(self, state: int, u: float) -> Option | None:
        """The option that a uniform draw falls into; None when nothing is allowed."""
        edges, options = self._edges(state)
        if not options:
            return None
        return options[min(bisect_right(edges, u * edges[-1]), len(options) - 1)]

    def longest(self) -> int:
        """Characters of its longest word, slots at their longest."""
        return max((longest(o) for o in self.options), default=0)

    def _edges(self, state: int) -> tuple[list[float], tuple[Option, ...]]:
        key = state & self._looks_at
        found = self._known.get(key)
        if found is None:
            edges: list[float] = []
            options: list[Option] = []
            total = 0.0
            for option in self.options:
                if option.condition.holds(key):
                    weight = option.weight * (_LIKELIER if option.likelier & key else 1.0)
                    total += weight * (_TONED if option.toned & key else 1.0)
                    edges.append(total)
                    options.append(option)
            found = self._known[key] = edges, tuple(options)
        return found


def write(option: Option, state: int, u: float, age: int) -> str | None:
    """The words of an option: slots filled by digits of the draw `u`; None when a slot has nothing to say."""
    if not option.parts:
        return option.text
    out: list[str] = []
    for part in option.parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Number):
            out.append(part.word(u, age))
        else:
            chosen = part.draw(state, u)
            words = None if chosen is None else write(chosen, state, (u * 7919.0) % 1.0, age)
            if words is None:
                return None
            out.append(words)
        u = (u * 9973.0) % 1.0
    return "".join(out)


def longest(option: Option) -> int:
    """Characters of an option with every slot at its longest."""
    if not option.parts:
        return len(option.text)
    return sum(len(p) if isinstance(p, str) else 3 if isinstance(p, Number) else p.longest() for p in option.parts)


def read_options(
    text: str, tags: Tags, pools: Mapping[str, Pool], where: str, *, limit: int = MAX_VALUE, sets: bool = True
) -> Pool:
    """A grammar as a pool.

    Args:
        text: values and marks, as the module says.
        tags: known so far; `+tag` makes new ones.
        pools: pools that `<name>` and `=name` may name.
        where: how errors call it.
        limit: most characters of a value.
        sets: whether values may set tags.

    Raises:
        RecipeError: nothing to choose from, a mark that cannot be read, a value that may become too long.
        UnknownKeyError: a pool or tag nobody defined before.
    """
    options = tuple(_options(" ".join(text.split()), tags, pools, where, sets=sets))
    if not options:
        raise RecipeError(f"{where}: has no value.", hint="Write at least one.")
    for option in options:
        if longest(option) > limit:
            raise RecipeError(
                f"{where}: {option.text!r} may take {longest(option)} characters, at most {limit}.",
                hint="Say it shorter.",
            )
    return Pool(where, options)


def _options(text: str, tags: Tags, pools: Mapping[str, Pool], where: str, *, sets: bool) -> Iterator[Option]:
    for piece in text.split(" / "):
        words, marks = _marks(piece.strip())
        if words.startswith("="):
            yield from _borrowed(words[1:], marks, tags, pools, where)
            continue
        if not words or words.startswith("/") or words.endswith(" /"):
            raise RecipeError(f"{where}: a value without words in {text!r:.60}.", hint="Remove a stray ' / '.")
        yield _option(words, marks, tags, pools, where, sets=sets)


def _marks(piece: str) -> tuple[str, list[str]]:
    marks: list[str] = []
    while found := _MARK.search(piece):
        marks.append(found.group(1))
        piece = piece[: found.start()].rstrip()
    return piece, marks[::-1]


def _option(
    words: str, marks: Sequence[str], tags: Tags, pools: Mapping[str, Pool], where: str, *, sets: bool
) -> Option:
    condition, weight, likelier, made = Condition(), 1.0, 0, 0
    tone: Tone = "neutral"
    for mark in marks:
        body = mark[1:]
        if mark == "++":
            tone = "positive"
        elif mark == "--":
            tone = "negative"
        elif mark[0] == "?":
            condition &= read_condition(body, tags, where)
        elif mark[0] == "~":
            likelier |= sum(tags.bit(name, where=where) for name in body.split("|"))
        elif mark[0] == "^":
            weight = _weight(body, where)
        elif sets:
            made |= tags.bit(body, new=True, where=where)
        else:
            raise RecipeError(f"{where}: {words!r} sets a tag, but this pool may not.", hint="Set it at the leaf.")
    toned = 0 if tone == "neutral" else tags.bit(f"tone_{tone}", new=True)
    return Option(words, condition, weight, likelier, made, tone, toned, _parts(words, pools, where))


def _weight(text: str, where: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 < weight < 1e6:
        raise RecipeError(f"{where}: weight {text!r}.", hint="Write ^ and a number above 0.")
    return weight


def _borrowed(name: str, marks: Sequence[str], tags: Tags, pools: Mapping[str, Pool], where: str) -> Iterator[Option]:
    if name not in pools:
        raise UnknownKeyError.of(name, pools, where=f"{where}: pool")
    more = Condition()
    for mark in marks:
        if mark[0] != "?":
            raise RecipeError(f"{where}: mark {mark!r} behind '={name}'.", hint="Only a condition may stand there.")
        more &= read_condition(mark[1:], tags, where)
    for o in pools[name].options:
        yield Option(o.text, o.condition & more, o.weight, o.likelier, o.sets, o.tone, o.toned, o.parts)


def _parts(words: str, pools: Mapping[str, Pool], where: str) -> tuple[str | Pool | Number, ...]:
    if "<" not in words:
        return ()
    out: list[str | Pool | Number] = []
    end = 0
    for found in _SLOT.finditer(words):
        if found.start() > end:
            out.append(words[end : found.start()])
        out.append(_slot(found.group(1), pools, where))
        end = found.end()
    if end < len(words):
        out.append(words[end:])
    return tuple(out)


def _slot(name: str, pools: Mapping[str, Pool], where: str) -> Pool | Number:
    ranged = _RANGE.fullmatch(name)
    if ranged:
        low, high, less = ranged.groups()
        return Number(int(low), None if high.startswith("age") else int(high), int(less or 0))
    if name not in pools:
        raise UnknownKeyError.of(name, pools, where=f"{where}: pool")
    return pools[name]


def flatten(data: Mapping[str, Any], where: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Leaves of a nested grammar as (path, conditions on the way, text).

    A key is a name, several names joined by commas (which share what stands below; `{leaf}` in it is each one's own
    words), and may end in ` ?condition`.

    Raises:
        RecipeError: a value that is neither text nor a mapping, or a path twice.
    """
    seen: set[tuple[str, ...]] = set()
    for path, conditions, text in _flatten(data, (), (), where):
        if path in seen:
            raise RecipeError(f"{where}: {'.'.join(path)!r} is defined twice.", hint="Keep one of them.")
        seen.add(path)
        yield path, conditions, text.replace("{leaf}", path[-1].replace("_", " "))


def _flatten(
    data: Mapping[str, Any], trail: tuple[str, ...], conditions: tuple[str, ...], where: str
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    for key, value in data.items():
        names, _, condition = str(key).partition(" ?")
        held = (*conditions, condition) if condition else conditions
        for name in names.split(","):
            own = (*trail, name.strip())
            if isinstance(value, Mapping):
                yield from _flatten(value, own, held, where)
            elif isinstance(value, str):
                yield own, held, value
            else:
                raise RecipeError(
                    f"{where}: {'.'.join(own)!r} holds {type(value).__name__}, expected values or a branch.",
                    hint="Values stand between ' / ' in one text.",
                )
