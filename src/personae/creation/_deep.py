"""Deep people: from a few anchors to hundreds of attributes, each conditional on everything known before.

Core first (value in a drawn tone, attitude, dated stories, interests), then a choice of leaves near, mid and far from
it, then their values in dependent order: demographics, career, core values, lifestyle and culture, hobbies, the rest.

Source: DeepPersona (arXiv 2511.07338), §3.2 and the released code. We differ: anchors come from a population, not
from uniform ranges; the grammar writes where no model is asked; a leaf's value does not depend on which others were
chosen, so a shallow person is part of the deep one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personae.core import (
    PII,
    Fact,
    InputError,
    LifeEvent,
    Persona,
    Source,
    UnknownKeyError,
    derive_seed,
    plain,
)
from personae.creation._deep_choice import (
    CORE_VECTORS,
    SAMPLINGS,
    CoreVector,
    CoreVectors,
    Sampling,
    choose_leaves,
    core_text,
)
from personae.creation._deep_record import TIERS, DeepRecord, KeyEvent, LifeAttitude, Mark, Story
from personae.creation._deep_tree import LeafGrammar, ValueTree, age_of, load_value_tree
from personae.creation._draws import Floats, Indexes, uniforms
from personae.creation._narrative import NarrativeBudget, tell
from personae.creation._paths import leaf_kind, place_words
from personae.creation._population import Population
from personae.creation._taxonomy import ROOTS
from personae.creation._value_grammar import MAX_VALUE, TONES, Pool, Tone, write
from personae.models import Encoder, HashEncoder

CHUNK: Final = 64
_CORE_LANES: Final = 40
"""draws of the core; one more for each story theme follows, then three for each leaf"""
_DONORS: Final = 4000
_ANCHORS: Final = {
    "age": "social.age", "sex": "social.sex", "occupation": "social.occupation", "city": "social.residence",
    "country": "social.nationality", "residence": "social.residence", "education": "social.education",
    "religion": "social.religion", "income": "social.income", "marital_status": "social.marital_status",
    "household": "social.household", "employment": "social.employment",
}  # fmt: skip
_TABLE: Final = Source(kind="table")
_ANCHOR: Final = Source(kind="user", ref="anchor")


@dataclass(frozen=True, slots=True)
class LeafChoice:
    """Leaves chosen for one person, in filling order, with the third each lies in and its cosine to the core."""

    k: int
    leaves: NDArray[np.int64]
    tiers: NDArray[np.int64]
    cosines: Floats
    usable: NDArray[np.int64]
    """leaves that apply to this person"""
    target: int


@dataclass(slots=True)
class _Sketch:
    """A person before the attributes: what is known, and the draws that belong to them."""

    k: int
    base: Persona
    state: int
    age: int
    lanes: Floats
    tone: Tone
    core: dict[str, str]
    stories: tuple[Story, ...]
    interests: tuple[str, ...]
    anchors: dict[str, Any] = field(default_factory=dict[str, Any])


class DeepPeople:
    """Deep people over a population; person k depends on (population, tree, settings, seed, k) alone.

    Args:
        people: where anchors come from: a population, or people as they are.
        depth: attributes to aim at. Source: DeepPersona, 200 to 250 is best, more than 300 hurts.
        anchors: fields that everybody shares (`{"age": 33, "occupation": "nurse"}`; persona paths or their last
            words). The rest is taken from people of the population who fit them best.
        sampling: thirds near, mid and far from the core in the given ratio; `near` takes the nearest, `uniform` any.
        tone: of the core value; None draws one of three for each person, all alike.
        encoder: of leaves and cores. Default: character n-grams (lexical, always there).
        core_vector: what leaves are ranked by: the mean of the vectors of the core's parts, or that of the whole text
            as in the paper (with a sentence encoder three times as slow).
        budget: length of the narrative; None writes none.
        seed: default: the population's, else 0.

    Raises:
        InputError: an unknown anchor, sampling or tone, a depth below 1.

    Example:
        >>> ana = DeepPeople(Population("us_adults", n=10, seed=7), depth=20)[3]
        >>> len(ana.ext["deep"]["marks"]), ana.ext["deep"]["target"]
        (20, 20)
    """

    def __init__(
        self,
        people: Population | Sequence[Persona],
        *,
        depth: int = 250,
        anchors: Mapping[str, Any] | None = None,
        sampling: Sampling = "5:3:2",
        tone: Tone | None = None,
        tree: ValueTree | None = None,
        encoder: Encoder | None = None,
        core_vector: CoreVector = "parts",
        budget: NarrativeBudget | None = NarrativeBudget(),  # noqa: B008 - frozen
        seed: int | None = None,
    ) -> None:
        if sampling not in SAMPLINGS:
            raise InputError(f"sampling {sampling!r}.", hint=f"Use one of: {', '.join(SAMPLINGS)}.")
        if core_vector not in CORE_VECTORS:
            raise InputError(f"core_vector {core_vector!r}.", hint=f"Use one of: {', '.join(CORE_VECTORS)}.")
        if tone is not None and tone not in TONES:
            raise InputError(f"tone {tone!r}.", hint=f"Use one of: {', '.join(TONES)}, or None to draw it.")
        if depth < 1:
            raise InputError(f"depth is {depth!r}, expected at least 1.", hint="The paper uses 200 to 300.")
        self.people: Final = people
        self.depth, self.budget = depth, budget
        self.sampling: Sampling = sampling
        self.tone: Tone | None = tone
        self.tree: Final = tree or load_value_tree()
        self.encoder: Final[Encoder] = encoder or HashEncoder()
        self._core_vectors: Final = CoreVectors(self.encoder, core_vector)
        self.anchors: Final = _checked_anchors(anchors or {})
        self.seed: Final = seed if seed is not None else people.seed if isinstance(people, Population) else 0
        origin = people.hash if isinstance(people, Population) else "people"
        self._key = derive_seed(self.seed, "deep", self.tree.hash, origin)
        self._donor_key = derive_seed(self.seed, "deep anchors", origin)
        self._rule = f"taxonomy {self.tree.name} {self.tree.version} {self.tree.hash}"

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, k: int) -> Persona:
        if not -len(self) <= k < len(self):
            raise IndexError(f"person {k} of {len(self)}")
        return next(self.draw([k % len(self)]))

    def __iter__(self) -> Iterator[Persona]:
        return self.draw(range(len(self)))

    def person(self, k: int, attempt: int = 0) -> Persona:
        """Person k; a later `attempt` is another life of the same anchors."""
        return next(self.draw([k], attempt=attempt))

    def draw(self, ks: Iterable[int], *, attempt: int = 0) -> Iterator[Persona]:
        """People by number. Their cores are embedded together; nobody changes for it."""
        for sketches in self._sketched(ks, attempt):
            for sketch, choice in zip(sketches, self._chosen(sketches), strict=True):
                yield self._made(sketch, choice)

    def choose(self, ks: Iterable[int], *, attempt: int = 0) -> Iterator[LeafChoice]:
        """Which leaves people would get, without writing them."""
        for sketches in self._sketched(ks, attempt):
            yield from self._chosen(sketches)

    def cores(self, ks: Iterable[int], *, attempt: int = 0) -> list[str]:
        """The text that stands for each person when leaves are ranked."""
        return [core_text(_core_parts(s)) for sketches in self._sketched(ks, attempt) for s in sketches]

    @cached_property
    def leaf_texts(self) -> tuple[str, ...]:
        """What stands for each leaf when it is ranked."""
        roots = list(ROOTS.values())
        return tuple(f"{roots[leaf.root]}: {leaf.words}" for leaf in self.tree.leaves)

    @cached_property
    def leaf_vectors(self) -> NDArray[np.float32]:
        """Unit vectors, shape (leaves, dimension)."""
        return self.encoder.encode(self.leaf_texts)

    # Anchors and core -------------------------------------------------------------------------------------------------

    def _sketched(self, ks: Iterable[int], attempt: int) -> Iterator[list[_Sketch]]:
        chosen = np.fromiter(ks, dtype=np.int64)
        if len(chosen) and (int(chosen.min()) < 0 or int(chosen.max()) >= len(self)):
            raise InputError(f"people {int(chosen.min())} to {int(chosen.max())}, expected 0 to {len(self) - 1}.")
        lanes = self._leaf_lanes + 3 * len(self.tree.leaves)
        for start in range(0, len(chosen), CHUNK):
            part = chosen[start : start + CHUNK]
            draws = uniforms(self._key, part, attempt, lanes)
            bases = self._bases(part, attempt)
            yield [self._sketch(int(k), bases[row], draws[row]) for row, k in enumerate(part)]

    def _bases(self, ks: Indexes, attempt: int) -> list[Persona]:
        if self.anchors:
            donors = self._donors
            whose = donors[(uniforms(self._donor_key, ks, attempt, 1)[:, 0] * len(donors)).astype(np.int64)]
            return [self._anchored(self.people[int(d)], int(k)) for k, d in zip(ks, whose, strict=True)]
        return [self.people[int(k)] for k in ks]

    @cached_property
    def _donors(self) -> Indexes:
        """People of the population who agree with most anchors (numbers: within two)."""
        size = min(len(self.people), _DONORS)
        agree = np.zeros(size, dtype=np.int64)
        for k in range(size):
            person = self.people[k]
            agree[k] = sum(_near(plain(person.get(path)), value) for path, value in self.anchors.items())
        return np.flatnonzero(agree == agree.max())

    def _anchored(self, donor: Persona, k: int) -> Persona:
        body: dict[str, Any] = donor.model_dump(mode="json", exclude_defaults=True)
        for path, value in self.anchors.items():
            if path.startswith("social.") and leaf_kind(path, "anchors") != "list":
                body.setdefault("social", {})[path.removeprefix("social.")] = {
                    "value": value, "source": _ANCHOR.model_dump(exclude_none=True)
                }  # fmt: skip
            else:
                place_words(body, path, str(value), "anchors")
        body["provenance"] = {**body.get("provenance", {}), "k": k, "generator": f"deep, anchored on {donor.id}"}
        body.get("provenance", {}).pop("cell", None)
        return Persona.model_validate(body)

    def _sketch(self, k: int, base: Persona, lanes: Floats) -> _Sketch:
        tree, u = self.tree, lanes.tolist()
        tone: Tone = self.tone or TONES[int(u[0] * len(TONES))]
        age = age_of(base)
        state = tree.state(base) | tree.tags.mask([f"tone_{tone}"])
        core: dict[str, str] = {}
        value = tree.core["values_orientation"].draw(state, u[1])
        if value is None:
            raise InputError(f"no core value is open to {base.name!r}.", hint="Give the core one without condition.")
        core["values_orientation"] = value.text
        state |= value.sets
        for gate in tree.gates:
            if gate.pool is not None and gate.condition.holds(state):
                option = gate.pool.draw(state, u[self._leaf_lanes + gate.lane])
                if option is not None:
                    state |= option.sets
        for lane, name in enumerate(("attitude", "attitude_details", "coping"), start=2):
            core[name] = _words(tree.core[name], state, u[lane], age)
        stories, interests = self._stories(state, age, u)
        return _Sketch(k, base, state, age, lanes, tone, core, stories, interests, dict(self.anchors))

    def _stories(self, state: int, age: int, u: list[float]) -> tuple[tuple[Story, ...], tuple[str, ...]]:
        open_themes = [
            (u[_CORE_LANES + lane], theme)
            for lane, theme in enumerate(self.tree.stories)
            if theme.condition.holds(state) and theme.ages(age) and theme.event.allowed(state)
        ]
        ranked = [theme for _, theme in sorted(open_themes, key=lambda t: t[0])]
        wanted = 1 + int(u[5] * 3)
        stories: list[tuple[int, Story]] = []
        interests: list[str] = []
        ends: set[str] = set()
        for n, theme in enumerate(ranked[:wanted]):
            lane = 8 + 10 * n
            ages = theme.ages(age)
            then = ages[int(u[lane] * len(ages))]
            event, happened = _told(theme.event, state, u[lane + 1], age)
            told = [_words(pool, state | happened, u[lane + 2 + i], age) for i, pool in enumerate(theme.told)]
            draws = ((u[lane + 6] + 0.31 * again) % 1.0 for again in range(8))
            tried = (_words(self.tree.core["story_end"], state, draw, age) for draw in draws)
            end = next((words for words in tried if words not in ends), None)
            ends.add(end or "")
            text = " ".join([f"When I was {then}, {event}.", *told, *filter(None, [end])])
            stories.append((then, Story(theme=theme.name, text=text, key_events=(KeyEvent(event=event, age=then),))))
            interests.append(_words(theme.interest, state | happened, u[lane + 7], age))
            if min(wanted, len(ranked)) == 1:
                interests.append(_words(theme.interest, state | happened, (u[lane + 7] + 0.5) % 1.0, age))
        stories.sort(key=lambda s: (s[0], s[1].theme))
        return tuple(s for _, s in stories), tuple(dict.fromkeys(interests))[:2]

    # Which leaves -----------------------------------------------------------------------------------------------------

    def _chosen(self, sketches: Sequence[_Sketch]) -> list[LeafChoice]:
        vectors = self._core_vectors.of([_core_parts(s) for s in sketches])
        return [self._choice(s, v) for s, v in zip(sketches, vectors, strict=True)]

    def _choice(self, sketch: _Sketch, vector: NDArray[np.float32]) -> LeafChoice:
        leaves = self.tree.leaves
        usable = np.fromiter((n for n, leaf in enumerate(leaves) if _applies(leaf, sketch)), dtype=np.int64)
        # One product per person, always of the same shape: a batch would round differently for other batch sizes.
        cosines = np.asarray(self.leaf_vectors @ vector, dtype=np.float64)[usable]
        root = self._roots[usable]
        offset = self._leaf_lanes + 2 * len(leaves)
        keys = sketch.lanes[offset + usable]
        picked, tier = choose_leaves(cosines, root, keys, self.depth, self.sampling)
        order = np.argsort(usable[picked], kind="stable")
        picked = picked[order]
        return LeafChoice(sketch.k, usable[picked], tier[picked], cosines[picked], usable, self.depth)

    @property
    def _leaf_lanes(self) -> int:
        return _CORE_LANES + len(self.tree.stories)

    @cached_property
    def _roots(self) -> NDArray[np.int64]:
        return np.array([leaf.root for leaf in self.tree.leaves], dtype=np.int64)

    # What they say ----------------------------------------------------------------------------------------------------

    def _made(self, sketch: _Sketch, choice: LeafChoice) -> Persona:
        base, u = sketch.base, sketch.lanes.tolist()
        attributes: dict[str, Any] = dict(base.attributes)
        marks: dict[str, Mark] = {}
        for order, (n, tier) in enumerate(zip(choice.leaves.tolist(), choice.tiers.tolist(), strict=True)):
            leaf = self.tree.leaves[n]
            if leaf.pool is None:
                found = base.fact(leaf.field or "")
                source = found.source if isinstance(found, Fact) and found.source else _TABLE
                value: Any = str(plain(found)) if isinstance(plain(found), tuple) else plain(found)
                attributes[leaf.path] = Fact(value=value, source=source, pii=leaf.pii)
            else:
                attributes[leaf.path] = _ruled(self._value(leaf, sketch, u), self._rule, leaf.pii)
            marks[leaf.path] = _mark(tier, order)
        record = DeepRecord(
            taxonomy=f"{self.tree.name} {self.tree.version} {self.tree.hash}",
            sampling=self.sampling,
            encoder=self.encoder.name,
            target=self.depth,
            missing=max(0, self.depth - len(choice.leaves)),
            anchors=sketch.anchors,
            tone=sketch.tone,
            values_orientation=sketch.core["values_orientation"],
            life_attitude=LifeAttitude(
                attitude=sketch.core["attitude"],
                attitude_details=sketch.core["attitude_details"],
                coping_mechanism=sketch.core["coping"],
            ),
            stories=sketch.stories,
            interests=sketch.interests,
            marks=marks,
        )
        return assemble(base, attributes, record, self.budget)

    def _value(self, leaf: LeafGrammar, sketch: _Sketch, u: list[float]) -> str:
        option = leaf.pool.draw(sketch.state, u[self._leaf_lanes + leaf.lane]) if leaf.pool else None
        if option is None:
            raise InputError(f"{leaf.path} has no value for {sketch.base.name!r}.", hint="It should not apply to them.")
        words = write(option, sketch.state, u[self._leaf_lanes + len(self.tree.leaves) + leaf.lane], sketch.age)
        return words or option.text


@lru_cache(maxsize=65_536)
def _ruled(value: str, rule: str, pii: PII | None) -> Fact[Any]:
    """Equal facts are one object: they are frozen, and making them is a fifth of the work."""
    return Fact(value=value, source=Source(kind="rule", ref=rule), pii=pii)


@lru_cache(maxsize=8192)
def _mark(tier: int, order: int) -> Mark:
    return Mark(tier=TIERS[tier], order=order)


def assemble(base: Persona, attributes: dict[str, Any], record: DeepRecord, budget: NarrativeBudget | None) -> Persona:
    """The person with attributes, core and narrative; what the base says already stays."""
    fields: dict[str, Any] = {name: getattr(base, name) for name in type(base).model_fields if name != "ext"}
    rule = Source(kind="rule", ref=record.taxonomy)
    fields["kind"] = base.kind if base.kind != "demographic" else "individualized"
    fields["attributes"] = attributes
    fields["personal"] = base.personal.model_copy(
        update={"values": tuple(dict.fromkeys((*base.personal.values, record.values_orientation)))}
    )
    fields["context"] = base.context.model_copy(
        update={"interests": tuple(dict.fromkeys((*base.context.interests, *record.interests)))}
    )
    events = (e for story in record.stories for e in story.key_events)
    known = {(e.when, plain(e.what)) for e in base.timeline}
    fields["timeline"] = (
        *base.timeline,
        *(LifeEvent(when=f"age {e.age}", what=e.event) for e in events if (f"age {e.age}", e.event) not in known),
    )
    if budget is not None:
        told = tell(Persona.model_construct(**fields), record, budget)
        record = record.model_copy(update={"narrative": told.report, "sections": told.sections})
        fields["description"] = Fact(value=told.text, source=rule)
    fields["ext"] = {**base.ext, "deep": record}
    return Persona.model_validate(fields)


def _applies(leaf: LeafGrammar, sketch: _Sketch) -> bool:
    if not leaf.condition.holds(sketch.state):
        return False
    if leaf.pool is not None:
        return bool(leaf.pool.allowed(sketch.state))
    value = plain(sketch.base.fact(leaf.field or ""))
    return value is not None and value != () and len(str(value)) <= MAX_VALUE


def _core_parts(sketch: _Sketch) -> list[str]:
    base = sketch.base
    who = [plain(base.get(path)) for path in ("social.age", "social.sex")]
    known = "; ".join(str(w) for w in who if w is not None)
    where = (plain(base.get(path)) for path in ("social.occupation", "social.residence"))
    parts = [*filter(None, [known]), *(str(w) for w in where if w is not None)]
    parts += [sketch.core["values_orientation"], sketch.core["attitude"], sketch.core["coping"], *sketch.interests]
    return parts + [e.event for story in sketch.stories for e in story.key_events]


def _words(pool: Pool, state: int, u: float, age: int) -> str:
    return _told(pool, state, u, age)[0]


def _told(pool: Pool, state: int, u: float, age: int) -> tuple[str, int]:
    """The words drawn, and the tags they set."""
    option = pool.draw(state, u)
    if option is None:
        raise InputError(f"{pool.name}: nothing is open to this person.", hint="Give it a value without condition.")
    return write(option, state, (u * 7919.0) % 1.0, age) or option.text, option.sets


def parse_anchors(text: str) -> dict[str, str | int]:
    """Anchors written in one line, `age=33,occupation=nurse`; whole numbers become numbers.

    Raises:
        InputError: a part without `=`; UnknownKeyError: a name that is no field.
    """
    out: dict[str, str | int] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (w.strip() for w in part.partition("="))
        if not equals or not value:
            raise InputError(f"anchor {part!r} says nothing.", hint="Write name=value, separated by commas.")
        out[name] = int(value) if value.isdigit() else value
    _checked_anchors(out)
    return out


def _checked_anchors(anchors: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in anchors.items():
        path = _ANCHORS.get(name, name)
        if "." not in path:
            raise UnknownKeyError.of(name, (*_ANCHORS, "social.…"), where="anchors")
        leaf_kind(path, "anchors")
        if value is None or value == "":
            raise InputError(f"anchor {name!r} is empty.", hint="Leave it out.")
        out[path] = value
    return out


def _near(stated: object, wanted: object) -> bool:
    if isinstance(stated, (int, float)) and isinstance(wanted, (int, float)):
        return abs(stated - wanted) <= 2
    return stated is not None and str(stated).lower() == str(wanted).lower()
