"""Persona schema v1: a typed core, open attributes, and registered extensions.

Identity is split as social (S: the groups one belongs to), personal (P: what one is like) and context (C: the life
one leads). Anything else goes into `attributes` (hundreds, dotted paths) or into `ext` under a registered sub-schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from personae.core._errors import ConsentError, InputError, SchemaError, UnknownKeyError
from personae.core._facts import PII, AnyLeaf, Fact, FloatLeaf, Frozen, IntLeaf, Text, TextLeaf, plain
from personae.core._ids import content_id
from personae.core._problems import schema_error
from personae.core._registry import Registry
from personae.core._upgrade import upgrade

if TYPE_CHECKING:
    from personae.core._protocols import CountTokens
    from personae.core._render import CueStyle, View

SCHEMA_VERSION: Final = 1
PersonaKind: TypeAlias = Literal["demographic", "character", "individualized"]
"""Chen et al. 2024, From Persona to Personalization."""
DOMAINS: Final = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
_PATH: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")

extensions: Registry[type[BaseModel]] = Registry("extension")
"""Sub-schemas of `Persona.ext`, by name. Domain packs add theirs here or through the entry point group."""


class Names(Frozen):
    """What a person is called."""

    full: TextLeaf
    given: TextLeaf | None = None
    family: TextLeaf | None = None
    aliases: tuple[Text, ...] = ()
    handle: Text | None = None
    pronouns: Text | None = None


class Social(Frozen):
    """S: the groups one belongs to."""

    age: IntLeaf | None = None
    sex: TextLeaf | None = None
    gender: TextLeaf | None = None
    ethnicity: TextLeaf | None = None
    nationality: TextLeaf | None = None
    birthplace: TextLeaf | None = None
    residence: TextLeaf | None = None
    languages: tuple[Text, ...] = ()
    education: TextLeaf | None = None
    occupation: TextLeaf | None = None
    employment: TextLeaf | None = None
    income: TextLeaf | None = None
    marital_status: TextLeaf | None = None
    household: TextLeaf | None = None
    religion: TextLeaf | None = None
    politics: TextLeaf | None = None

    @field_validator("age")
    @classmethod
    def _age(cls, value: Fact | int | None) -> Fact | int | None:
        years = plain(value)
        if years is not None and not (isinstance(years, int) and 0 <= years <= 120):
            raise ValueError(f"age must be whole years from 0 to 120, got {years!r}")
        return value


class BigFive(Frozen):
    """Big Five as T-scores (mean 50, sd 10 in the reference population), with optional facets on the same scale."""

    openness: FloatLeaf | None = None
    conscientiousness: FloatLeaf | None = None
    extraversion: FloatLeaf | None = None
    agreeableness: FloatLeaf | None = None
    neuroticism: FloatLeaf | None = None
    facets: dict[str, FloatLeaf] = Field(default_factory=dict)
    norm: Text | None = None
    """the reference population the scores refer to"""

    @field_validator(*DOMAINS)
    @classmethod
    def _range(cls, value: Fact | float | None) -> Fact | float | None:
        score = plain(value)
        if score is not None and not -50 <= float(score) <= 150:
            raise ValueError(f"a T-score lies near 50 (sd 10); got {score!r}. Give scores, not raw means")
        return value

    def scores(self) -> dict[str, float]:
        """The domains that are known, as T-scores."""
        return {d: float(plain(v)) for d in DOMAINS if (v := getattr(self, d)) is not None}


class Personal(Frozen):
    """P: what one is like."""

    big_five: BigFive | None = None
    types: dict[str, TextLeaf] = Field(default_factory=dict)
    """named type systems, e.g. `{"attachment": "secure"}`"""
    psychometrics: tuple[Score, ...] = ()
    values: tuple[TextLeaf, ...] = ()
    motives: tuple[TextLeaf, ...] = ()
    fears: tuple[TextLeaf, ...] = ()
    strengths: tuple[TextLeaf, ...] = ()
    weaknesses: tuple[TextLeaf, ...] = ()
    mood: TextLeaf | None = None


class Score(Frozen):
    """A scored inventory: the number, and what it was measured with."""

    instrument: str
    scale: str
    value: float
    unit: str = "mean of items"
    answers: dict[str, int] = Field(default_factory=dict)
    norm: str | None = None
    rater: str = "self"
    words: Text | None = None
    """what the score means, as words that follow "you are" (numbers alone are no personality)"""


class Context(Frozen):
    """C: the life one leads."""

    situation: TextLeaf | None = None
    concern: TextLeaf | None = None
    routines: tuple[TextLeaf, ...] = ()
    interests: tuple[TextLeaf, ...] = ()
    likes: tuple[TextLeaf, ...] = ()
    dislikes: tuple[TextLeaf, ...] = ()
    places: tuple[TextLeaf, ...] = ()
    health: TextLeaf | None = None


class Style(Frozen):
    """How one talks."""

    register_: TextLeaf | None = Field(default=None, alias="register")
    verbosity: TextLeaf | None = None
    humour: TextLeaf | None = None
    dialect: TextLeaf | None = None
    emoji: TextLeaf | None = None
    catchphrases: tuple[Text, ...] = ()
    examples: tuple[Text, ...] = ()

    model_config = Frozen.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class Relation(Frozen):
    """Somebody in this person's life."""

    name: TextLeaf
    kind: Text
    note: TextLeaf | None = None
    person_id: str | None = None


class Goal(Frozen):
    """Something wanted."""

    text: TextLeaf
    horizon: Literal["now", "short", "long"] | None = None


class Belief(Frozen):
    """An opinion on a topic, from -1 (against) to 1 (for)."""

    topic: Text
    stance: TextLeaf
    strength: float | None = Field(default=None, ge=-1, le=1)


class LifeEvent(Frozen):
    """Something that happened, when, and where."""

    when: Text
    what: TextLeaf
    where: Text | None = None


class Knowledge(Frozen):
    """What one can and cannot know."""

    skills: dict[str, TextLeaf] = Field(default_factory=dict)
    ignorance: tuple[Text, ...] = ()
    boundary: Text | None = None
    """the time or world beyond which nothing is known"""


class Line(Frozen):
    """One line of a demonstration."""

    speaker: Text
    text: Text


class Demonstration(Frozen):
    """A stretch of dialogue that shows how the person talks."""

    lines: tuple[Line, ...]
    scene: Text | None = None


class Evidence(Frozen):
    """A dated observation of a real user, with polarity, that a preference or fact rests on."""

    text: Text
    when: Text
    polarity: Literal[-1, 0, 1] = 0
    ref: str | None = None


class Policy(Frozen):
    """What the person (or their owner) allows."""

    allowed_topics: tuple[Text, ...] = ()
    refused_topics: tuple[Text, ...] = ()
    retention: Text | None = None


class Consent(Frozen):
    """Recorded consent of a real, named person."""

    who: Text
    scope: Text
    date: Text
    ref: Text | None = None


class Provenance(Frozen):
    """How this record came to be. Not part of the content id: the same person may be made twice."""

    recipe: str | None = None
    n: int | None = None
    seed: int | None = None
    k: int | None = None
    attempt: int | None = None
    cell: dict[str, str] = Field(default_factory=dict)
    weight: float | None = Field(default=None, ge=0)
    generator: str | None = None
    licence: str | None = None
    issues: tuple[str, ...] = ()


class Persona(Frozen):
    """A frozen, content-addressed description of someone.

    Args:
        synthetic: invented people only. A real named person needs `synthetic=False` and `consent`.
        attributes: open leaves under dotted lower-case paths, e.g. `{"food.breakfast": "oat porridge"}`.
        ext: domain data under the name of a registered sub-schema (see `extensions`).

    Raises:
        SchemaError: through `Persona.parse`, with every problem named.
        ConsentError: `synthetic=False` without `consent`.

    Example:
        >>> ana = Persona(names=Names(full="Ana Reis"), social=Social(age=58, occupation="nurse"))
        >>> ana.get("social.age"), ana.id[:2]
        (58, 'p-')
    """

    schema_version: Literal[1] = 1
    kind: PersonaKind = "demographic"
    synthetic: bool = True
    consent: Consent | None = None
    names: Names
    social: Social = Social()
    personal: Personal = Personal()
    context: Context = Context()
    style: Style = Style()
    relations: tuple[Relation, ...] = ()
    goals: tuple[Goal, ...] = ()
    beliefs: tuple[Belief, ...] = ()
    timeline: tuple[LifeEvent, ...] = ()
    knowledge: Knowledge = Knowledge()
    demonstrations: tuple[Demonstration, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    policy: Policy = Policy()
    description: TextLeaf | None = None
    attributes: dict[str, AnyLeaf] = Field(default_factory=dict)
    ext: dict[str, Any] = Field(default_factory=dict)
    provenance: Provenance = Provenance()

    @field_validator("attributes")
    @classmethod
    def _paths(cls, value: dict[str, Any]) -> dict[str, Any]:
        for path in value:
            if not _PATH.fullmatch(path):
                raise ValueError(f"attribute path {path!r}: use lower-case words joined by dots, e.g. 'food.breakfast'")
        return value

    @field_validator("ext")
    @classmethod
    def _extensions(cls, value: dict[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, body in value.items():
            if name not in extensions.names():
                raise ValueError(f"ext {name!r} has no registered sub-schema; known: {extensions.names() or 'none'}")
            out[name] = extensions.get(name).model_validate(body).model_dump(mode="json")
        return out

    @model_validator(mode="after")
    def _consent(self) -> Self:
        if not self.synthetic and self.consent is None:
            raise ConsentError(
                f"{self.name!r} is marked as a real person (synthetic: false) but carries no consent.",
                hint="Add consent: {who, scope, date}, or describe an invented person with synthetic: true.",
            )
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any] | str, *, where: str = "persona") -> Persona:
        """Read a persona from JSON text or a mapping of any schema version, upgrading it when it is old.

        Raises:
            VersionError: the version is newer than this release or has no upgrade path.
            SchemaError: one message that names every field that does not fit.
        """
        if isinstance(data, str):
            import json

            try:
                data = json.loads(data)
            except ValueError as error:
                raise SchemaError(f"{where}: not valid JSON ({error}).", hint="Expected one JSON object.") from error
        if not isinstance(data, Mapping):
            raise SchemaError(f"{where}: got {type(data).__name__}, expected one mapping.")
        body = upgrade("persona", dict(data), SCHEMA_VERSION, where=where)
        for key in body:
            if key not in cls.model_fields and key != "id":
                raise UnknownKeyError.of(key, cls.model_fields, where=where)
        claimed = body.pop("id", None)
        try:
            persona = cls.model_validate(body)
        except ValidationError as error:
            raise schema_error(error, where=where, model=cls) from error
        if claimed is not None and claimed != persona.id:
            raise SchemaError(
                f"{where}: the file says id {claimed!r} but its content is {persona.id!r}.",
                hint="It was edited after it was written: drop the id line to accept the edit.",
            )
        return persona

    @cached_property
    def id(self) -> str:
        """Content id `p-<16 hex>`: sha256 of everything but provenance."""
        return content_id("p", self.model_dump(mode="json", exclude={"provenance"}, exclude_defaults=True))

    @property
    def name(self) -> str:
        """Full name."""
        return str(plain(self.names.full))

    def dump(self) -> dict[str, Any]:
        """A JSON-able mapping with `id`, `schema_version` and `synthetic` always present; `parse` reads it back."""
        body = self.model_dump(mode="json", exclude_defaults=True)
        if "id" not in vars(self):  # the same dump gives the id
            vars(self)["id"] = content_id("p", {k: v for k, v in body.items() if k != "provenance"})
        return {"id": self.id, "schema_version": self.schema_version, "synthetic": self.synthetic, **body}

    def leaves(self, *, ext: bool = False) -> Iterator[tuple[str, Any]]:
        """Every leaf that is set, as (dotted path, value or Fact); `attributes` appear under their own paths.

        Args:
            ext: with the domain data of `ext`, which stands in no prompt.
        """
        for section in ("names", "social", "personal", "context", "style", "knowledge", "policy"):
            yield from _walk(section, getattr(self, section))
        for section in ("relations", "goals", "beliefs", "timeline"):
            yield from _walk(section, getattr(self, section))
        if self.description is not None:
            yield "description", self.description
        for path, leaf in self.attributes.items():
            yield f"attributes.{path}", leaf
        if ext:
            yield from _walk("ext", self.ext)

    def get(self, path: str, default: Any = None) -> Any:
        """Plain value at a dotted path (`social.age`, `personal.big_five.openness`, `attributes.food.breakfast`)."""
        leaf = self.fact(path)
        return default if leaf is None else plain(leaf)

    def fact(self, path: str) -> Any:
        """The leaf at a dotted path as stored: a Fact if it carries provenance, else the plain value; None if unset."""
        if path.startswith("attributes."):
            return self.attributes.get(path.removeprefix("attributes."))
        node: Any = self
        for step in path.split("."):
            if isinstance(node, Mapping):
                node = node.get(step)
            elif isinstance(node, BaseModel):
                aliases = {f.alias: name for name, f in type(node).model_fields.items() if f.alias}
                step = aliases.get(step, step)  # noqa: PLW2901 - `register` is stored as `register_`
                if step not in type(node).model_fields:
                    raise InputError(
                        f"{path!r} is no path of a persona: {type(node).__name__} has no field {step!r}.",
                        hint=f"It has: {', '.join(type(node).model_fields)}.",
                    )
                node = getattr(node, step)
            else:
                return None
            if node is None:
                return None
        return node

    def with_traits(self, traits: Mapping[str, float]) -> Persona:
        """The same person with other Big Five T-scores (the swapped-trait twin of a control). Facets are dropped.

        Raises:
            SchemaError: an unknown domain, or a value that is no T-score.
        """
        norm = self.personal.big_five.norm if self.personal.big_five else None
        try:
            big_five = BigFive.model_validate({**traits, "norm": norm})
        except ValidationError as error:
            raise schema_error(error, where="traits", model=BigFive) from error
        return self.model_copy(update={"personal": self.personal.model_copy(update={"big_five": big_five})})

    def render(
        self,
        view: View = "self",
        cue_style: CueStyle = "second_person",
        budget: int | None = None,
        count_tokens: CountTokens | None = None,
    ) -> str:
        """Words for this persona: the only way text is made from one. See `personae.core.render`."""
        from personae.core._render import render

        return render(self, view, cue_style, budget, count_tokens)

    def pii(self) -> dict[str, PII]:
        """PII class of each leaf: what the Fact says, else the default for its path."""
        return {
            path: leaf.pii if isinstance(leaf, Fact) and leaf.pii else default_pii(path) for path, leaf in self.leaves()
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Persona) and other.model_dump() == self.model_dump()

    def __hash__(self) -> int:
        return hash(self.id)


Personal.model_rebuild()

_DIRECT: Final = ("names.full", "names.family", "names.handle", "names.aliases")
_SENSITIVE: Final = ("social.religion", "social.politics", "social.ethnicity", "context.health", "personal.mood")
_QUASI: Final = ("social.", "names.", "relations", "timeline")


def default_pii(path: str) -> PII:
    """The class a leaf at this dotted path has when it does not say itself."""
    if path.startswith(_DIRECT):
        return PII.DIRECT
    if path.startswith(_SENSITIVE):
        return PII.SENSITIVE
    return PII.QUASI if path.startswith(_QUASI) else PII.NONE


def _walk(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    if node is None or node in ((), {}):
        return
    if isinstance(node, Fact):
        yield path, node
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _walk(f"{path}.{name.rstrip('_')}", getattr(node, name))
    elif isinstance(node, Mapping):
        for name, value in node.items():
            yield from _walk(f"{path}.{name}", value)
    elif isinstance(node, tuple) and node and isinstance(node[0], BaseModel) and not isinstance(node[0], Fact):
        for k, value in enumerate(node):
            yield from _walk(f"{path}.{k}", value)
    else:
        yield path, node
