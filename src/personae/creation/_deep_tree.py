"""The shipped taxonomy with its value grammars, compiled: leaves, the tags of a person, the core and the stories.

Some leaves set tags (`+vegetarian`). They are drawn for everybody, whether or not they are told, so that what depends
on them is consistent in every choice of leaves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from personae.core import DOMAINS, PII, Persona, RecipeError, UnknownKeyError, plain
from personae.creation._documents import parse_yaml
from personae.creation._load import load_text
from personae.creation._taxonomy import ROOTS, Taxonomy
from personae.creation._value_grammar import TONES, Condition, Option, Pool, Tags, flatten, read_condition, read_options

AGES: Final = (6, 10, 13, 16, 18, 21, 25, 30, 40, 50, 60, 70, 80)
_LIFE: Final = (
    "child", "teen", "minor", "adult", "young", "mid", "older", "senior", "female", "male", "working", "student",
    "retired", "jobless", "home", "unable", "partnered", "has_kids", "edu_low", "edu_mid", "edu_high", "inc_none",
    "inc_low", "inc_mid", "inc_high",
)  # fmt: skip
BASE_TAGS: Final = (
    *(f"a{age}" for age in AGES),
    *_LIFE,
    *(f"{end}_{domain[0]}" for domain in DOMAINS for end in ("hi", "lo")),
    *(f"tone_{tone}" for tone in TONES),
)
"""tags that follow from fields of the person; a tree adds groups of occupations and what its own leaves set"""

_ALL_STORIES_TEXT: Final = 200
_OLDEST: Final = 150
_SENSITIVE: Final = (
    "core_values.beliefs.faith", "core_values.beliefs.prayer", "core_values.beliefs.place_of_worship",
    "core_values.civic", "demographics.standing.religion", "demographics.standing.politics",
    "demographics.identity.ethnicity", "physical_health.condition", "psychology.coping_style.therapy",
)  # fmt: skip
_NUMBER: Final = re.compile(r"\d[\d,.]*")
_TAGGED: Final = re.compile(r"\s\+([a-z][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class LeafGrammar:
    """One leaf: when it applies to somebody, and what it may say (a grammar, or a field of the person)."""

    path: str
    lane: int
    root: int
    condition: Condition
    pool: Pool | None
    field: str | None
    gate: bool
    pii: PII | None

    @property
    def words(self) -> str:
        """The leaf in words, without its root."""
        return " ".join(step.replace("_", " ") for step in self.path.split(".")[1:])


@dataclass(frozen=True, slots=True)
class StoryTheme:
    """What may have happened: to whom, at what age, and the sentences it is told in."""

    name: str
    condition: Condition
    youngest: int
    oldest: int
    ago: int
    within: int
    event: Pool
    told: tuple[Pool, ...]
    interest: Pool

    def ages(self, age: int) -> range:
        """Ages at which it may have happened to somebody of `age`; empty when it cannot have."""
        return range(max(self.youngest, age - self.within), min(self.oldest, age - self.ago) + 1)


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Who belongs to a group: a field of the person says one of these words (whole, or in the plural)."""

    field: str
    pattern: re.Pattern[str]

    def holds(self, person: Persona) -> bool:
        """Whether the person's field says so; a field that is not known says nothing."""
        value = plain(person.get(self.field))
        return value is not None and value != () and self.pattern.search(str(value).lower()) is not None


@dataclass(frozen=True)
class ValueTree:
    """A taxonomy whose leaves can be filled. Made by `load_value_tree`."""

    name: str
    version: str
    hash: str
    tags: Tags
    leaves: tuple[LeafGrammar, ...]
    groups: Mapping[str, WordGroup]
    core: Mapping[str, Pool]
    stories: tuple[StoryTheme, ...]

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The tree without values."""
        return Taxonomy.from_paths((leaf.path for leaf in self.leaves), version=self.version, source=self.name)

    @cached_property
    def gates(self) -> tuple[LeafGrammar, ...]:
        """Leaves that set tags, in order."""
        return tuple(leaf for leaf in self.leaves if leaf.gate)

    @cached_property
    def by_path(self) -> dict[str, LeafGrammar]:
        """Leaves by path."""
        return {leaf.path: leaf for leaf in self.leaves}

    def state(self, person: Persona) -> int:
        """Tags that follow from the fields of a person, as a mask."""
        groups = (tag for tag, group in self.groups.items() if group.holds(person))
        return self.tags.mask([*_life(person), *groups])

    def options(self, path: str, person: Persona) -> tuple[str, ...]:
        """What a leaf may say of somebody of whom nothing but the fields is known (slots as written)."""
        leaf = self.by_path.get(path)
        if leaf is None:
            raise UnknownKeyError.of(path, self.by_path, where=f"taxonomy {self.name!r}: leaf")
        if leaf.pool is None:
            value = person.get(leaf.field or "")
            return () if value is None else (str(value),)
        return tuple(o.text for o in leaf.pool.allowed(self.state(person)))


def load_value_tree(source: str | Path = "people", core: str | Path = "core") -> ValueTree:
    """The shipped tree of people, or another in the same notation (see `_values` and `data/taxonomy/people.yaml`).

    Raises:
        RecipeError: malformed YAML, a leaf twice, a value that is too long, a tag asked for before it can be set.
        UnknownKeyError: a root, pool or tag nobody defined.
    """
    return _compile(*load_text(source, "taxonomy", "taxonomy"), *load_text(core, "taxonomy", "core"))


@lru_cache(maxsize=4)
def _compile(text: str, where: str, core_text: str, core_where: str) -> ValueTree:
    data, core = (_document(t, w) for t, w in ((text, where), (core_text, core_where)))
    tags = Tags(BASE_TAGS)
    groups = {name: _group(words) for name, words in data.get("groups", {}).items()}
    for name in groups:
        tags.bit(name, new=True)
    known = tags.mask(tuple(BASE_TAGS) + tuple(groups))
    flat = list(flatten(data["tree"], where))
    for name in _TAGGED.findall(core["values_orientation"]):
        known |= tags.bit(name, new=True)
    for _, _, words in flat:
        for name in _TAGGED.findall(words):
            tags.bit(name, new=True)
    for name in core.get("expects", ()):
        tags.bit(name, new=True)
    pools: dict[str, Pool] = {}
    for name, words in data.get("pools", {}).items():
        pools[name] = read_options(words, tags, pools, f"{where}: pool {name}", sets=False)
    leaves = tuple(_leaves(flat, tags, pools, known, where))
    everything = known
    for leaf in leaves:
        everything |= _sets(leaf.pool)
    parts = {
        name: read_options(core[name], tags, pools, f"{core_where}: {name}", limit=_ALL_STORIES_TEXT)
        for name in ("values_orientation", "attitude", "attitude_details", "coping", "story_end")
    }
    stories = tuple(_story(name, body, tags, pools, core_where) for name, body in core["stories"].items())
    digest = hashlib.sha256(f"{text}\0{core_text}".encode()).hexdigest()[:16]
    return ValueTree(where, str(data.get("version", "1")), digest, tags, leaves, groups, parts, stories)


def _document(text: str, where: str) -> dict[str, Any]:
    data = parse_yaml(text, where, error=RecipeError)
    needed = "tree" if "tree" in (data or {}) else "values_orientation"
    if not isinstance(data, dict) or needed not in data:
        raise RecipeError(f"{where}: neither a tree of leaves nor a core.", hint="See data/taxonomy in the package.")
    return data


def _leaves(
    flat: list[tuple[tuple[str, ...], tuple[str, ...], str]],
    tags: Tags,
    pools: Mapping[str, Pool],
    known: int,
    where: str,
) -> Iterator[LeafGrammar]:
    order = {root: k for k, root in enumerate(ROOTS)}
    for steps, _, _ in flat:
        if steps[0] not in order:
            raise UnknownKeyError.of(steps[0], order, where=f"{where}: root")
    for lane, (steps, conditions, words) in enumerate(sorted(flat, key=lambda f: order[f[0][0]])):
        path = ".".join(steps)
        condition = Condition()
        for one in conditions:
            condition &= read_condition(one, tags, f"{where}: {path}")
        pool, field = None, None
        if words.startswith("$"):
            field = words[1:].strip()
        else:
            pool = read_options(words, tags, pools, f"{where}: {path}")
        asked = condition.looks_at | _looks_at(pool)
        if asked & ~known:
            late = ", ".join(tags.names(asked & ~known))
            raise RecipeError(
                f"{where}: {path} asks for {late}, which is set later or by nobody.",
                hint="Leaves are filled in the order of the roots and of the file: move the one that sets it up.",
            )
        made = _sets(pool)
        known |= made
        pii = PII.SENSITIVE if path.startswith(_SENSITIVE) else None
        yield LeafGrammar(path, lane, order[steps[0]], condition, pool, field, bool(made), pii)


def _group(words: Sequence[str] | Mapping[str, Any]) -> WordGroup:
    """Words of an occupation, or `{field, words}`; "*" is any words at all."""
    field = "social.occupation"
    if isinstance(words, Mapping):
        field, words = str(words["field"]), words["words"]
    if "*" in words:
        return WordGroup(field, re.compile(r"\S"))
    return WordGroup(field, re.compile(rf"\b(?:{'|'.join(re.escape(w.lower()) for w in words)})s?\b"))


def _story(name: str, body: Mapping[str, Any], tags: Tags, pools: Mapping[str, Pool], where: str) -> StoryTheme:
    at = f"{where}: stories.{name}"
    ages: dict[str, int] = body["age"]
    if unknown := sorted(set(ages) - {"from", "to", "ago", "within"}):
        raise UnknownKeyError.of(unknown[0], ("from", "to", "ago", "within"), where=f"{at}: age")

    def read(words: str, *, sets: bool = False) -> Pool:
        return read_options(words, tags, pools, at, limit=_ALL_STORIES_TEXT, sets=sets)

    event = read(body["event"], sets=True)
    told = tuple(read(words) for words in body["told"])
    span = (ages.get("from", 0), ages.get("to", _OLDEST), ages.get("ago", 0), ages.get("within", _OLDEST))
    return StoryTheme(name, read_condition(body["if"], tags, at), *span, event, told, read(body["interest"]))


def _looks_at(pool: Pool | None) -> int:
    """Tags that drawing and writing from a pool depend on."""
    if pool is None:
        return 0
    out = pool.looks_at
    for option in pool.options:
        for part in option.parts:
            if isinstance(part, Pool):
                if not any(_open(o) for o in part.options):
                    raise RecipeError(f"{part.name}: every word has a condition.", hint="Leave one open to everybody.")
                out |= _looks_at(part)
    return out


def _open(option: Option) -> bool:
    return not option.condition.every and not option.condition.none


def _sets(pool: Pool | None) -> int:
    out = 0
    for option in () if pool is None else pool.options:
        out |= option.sets
    return out


# What is known of a person --------------------------------------------------------------------------------------------


def _life(person: Persona) -> Iterator[str]:
    age = age_of(person)
    yield from (f"a{limit}" for limit in AGES if age >= limit)
    if age < 18:
        yield "minor"
        yield "child" if age < 13 else "teen"
    else:
        yield "adult"
        yield "young" if age < 30 else "mid" if age < 50 else "older" if age < 65 else "senior"
    sex = str(person.get("social.sex") or "").lower()
    if sex in {"female", "woman", "f"}:
        yield "female"
    elif sex in {"male", "man", "m"}:
        yield "male"
    yield from _work(person, age)
    yield from _standing(person, age)
    for domain, score in (person.personal.big_five.scores() if person.personal.big_five else {}).items():
        if score >= 55:
            yield f"hi_{domain[0]}"
        elif score <= 45:
            yield f"lo_{domain[0]}"


def age_of(person: Persona) -> int:
    """Whole years; 35 when nothing is said."""
    age = person.get("social.age")
    return 35 if age is None else int(age)


def _work(person: Persona, age: int) -> Iterator[str]:
    parts = (person.get("social.employment"), person.get("attributes.main_activity"))
    told = " ".join(str(p).lower() for p in parts if p)
    occupation = str(person.get("social.occupation") or "").lower()
    for tag, words in (
        ("retired", ("retired", "pension")),
        ("student", ("studying", "student", "at school", "pupil", "in education")),
        ("jobless", ("unemployed", "looking for work", "between jobs", "jobless")),
        ("home", ("keeping house", "homemaker", "housewife", "family care")),
        ("unable", ("unable to work", "disabled")),
    ):
        if any(word in told for word in words):
            yield "home" if tag == "jobless" and "not in the labour force" in told else tag
            return
    if occupation in {"", "none", "pupil", "student", "retired"}:
        if occupation in {"pupil", "student"} or 6 <= age < 18:
            yield "student"
        elif occupation == "retired" or age >= 67:
            yield "retired"
        return
    if age >= 13:
        yield "working"


def _standing(person: Persona, age: int) -> Iterator[str]:
    married = str(person.get("social.marital_status") or "").lower()
    household = str(person.get("social.household") or "").lower()
    if age >= 18:
        apart = any(word in married for word in ("not ", "un", "never", "single", "divorced", "widow", "separated"))
        if (married and not apart) or ("partner" in household):
            yield "partnered"
        if "child" in household:
            yield "has_kids"
    education = str(person.get("social.education") or "").lower()
    if education and age >= 18:
        high = any(word in education for word in ("graduate", "master", "doctor", "phd", "postgraduate"))
        mid = any(word in education for word in ("college", "bachelor", "university", "tertiary", "vocational"))
        yield "edu_high" if high else "edu_mid" if mid else "edu_low"
    yield from _income(str(person.get("social.income") or "").lower())


def _income(text: str) -> Iterator[str]:
    if not text:
        return
    numbers = [float(n.strip(",.").replace(",", "")) for n in _NUMBER.findall(text)]
    if text.startswith("no") or text == "0":
        yield "inc_none"
    elif numbers:
        top = max(numbers)
        over = "over" in text or "more than" in text
        yield "inc_high" if over and top >= 45_000 else "inc_low" if top <= 35_000 else "inc_mid"
    else:
        words = {"low": "inc_low", "high": "inc_high", "middle": "inc_mid", "medium": "inc_mid"}
        yield from (tag for word, tag in words.items() if word in text)
