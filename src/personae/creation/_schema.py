"""Schema sampling: draw every field from its pool, let rules judge the combination, draw again when it cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from personae.core import (
    DOMAINS,
    Frozen,
    InputError,
    Persona,
    Provenance,
    RecipeError,
    SlotRow,
    canonical_json,
    content_id,
    derive_seed,
)
from personae.creation._documents import parse_yaml, require_known
from personae.creation._draws import Floats, normals, pick, uniforms
from personae.creation._load import load_text
from personae.creation._names import NameBook, NamesSpec, list_of
from personae.creation._paths import leaf_kind, place, place_words
from personae.creation._recipe import parse_document
from personae.creation._rules import Rule, Violation, check_fields, expand_groups
from personae.creation._traits import TraitModel

_ENGINE: Final = 1
_TRAIT_LANES: Final = 6


class SchemaField(Frozen):
    """One field of a schema: a pool of `values` (a list, or {value: weight}) or a `range` of whole numbers.

    Args:
        values: the pool.
        range: [lowest, highest], both included, drawn evenly.
        path: where it goes in a persona.
        text: words to write for a value (default: the value itself); null writes nothing.
    """

    values: dict[str, float] = Field(default_factory=dict)
    range: tuple[int, int] | None = None
    path: str | None = None
    text: dict[str, str | None] = Field(default_factory=dict)

    @field_validator("values", mode="before")
    @classmethod
    def _pool(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            words = [str(v) for v in value]
            twice = sorted(w for w, times in Counter(words).items() if times > 1)
            if twice:
                raise RecipeError(f"{twice[0]!r} is listed twice in a pool.", hint="Keep one of them.")
            return dict.fromkeys(words, 1.0)
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.values) == (self.range is not None):
            raise ValueError("a field needs either values or range")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"range runs from {self.range[0]} to {self.range[1]}")
        for word, weight in self.values.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"weight of {word!r} is {weight!r}, expected a number that is not negative")
        if self.values and not sum(self.values.values()) > 0:
            raise ValueError("all weights are 0")
        return self


class Schema(Frozen):
    """Pools for every field, and rules that say which combinations cannot be.

    Raises:
        RecipeError, UnknownKeyError: a rule or path that names something the schema does not have.
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    title: str | None = None
    source: str | None = None
    licence: str | None = None
    note: str | None = None
    fields: dict[str, SchemaField] = Field(min_length=1)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    max_attempts: int = Field(default=200, ge=1)
    traits: TraitModel | None = None
    names: NamesSpec = Field(default_factory=NamesSpec)

    @model_validator(mode="before")
    @classmethod
    def _groups(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("groups"), Mapping):
            return {**data, "rules": expand_groups(data.get("rules", ()), data["groups"], "rules")}
        return data

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name, field in self.fields.items():
            if field.path is not None:
                kind = leaf_kind(field.path, f"field {name!r}")
                if (kind == "number") != (field.range is not None) and not field.path.startswith("attributes."):
                    raise RecipeError(f"field {name!r}: {field.path!r} does not fit.", hint="Numbers need a range.")
            for word in field.text:
                require_known(word, field.values, f"field {name!r}: text")
        codes = Counter(rule.code for rule in self.rules)
        for code, times in codes.items():
            if times > 1:
                raise RecipeError(f"rule {code!r} is given twice.", hint="Give each rule its own code.")
        for rule in self.rules:
            for name in rule.fields:
                require_known(name, self.fields, f"rule {rule.code!r}", kind="field")
            for _, name, match in rule.matches():
                for word in match.words if self.fields[name].values else ():
                    require_known(word, self.fields[name].values, f"rule {rule.code!r}", kind=f"value of {name!r}")
                if match.ranged and self.fields[name].range is None:
                    raise RecipeError(f"rule {rule.code!r}: min and max need a range; {name!r} has values.")
        return self

    @classmethod
    def of(cls, data: object, *, where: str = "schema") -> Schema:
        """Read a schema from a plain mapping, with errors a person can act on."""
        return parse_document(cls, data, where=where)

    @cached_property
    def hash(self) -> str:
        """Content id `s-<16 hex>` of all that decides who the people are."""
        body = self.model_dump(mode="json", include={"fields", "rules", "traits", "max_attempts"})
        body["fields"] = [[name, {**f, "values": list(f["values"].items())}] for name, f in body["fields"].items()]
        for rule in body["rules"]:
            for key in ("hint", "owner"):
                rule.pop(key, None)
        return content_id("s", {"engine": _ENGINE, **body, "names": [self.names.digest, self.names.variable]})


def load_schema(source: str | Path) -> Schema:
    """A schema shipped with the package (by name, e.g. `spasm_schema`) or in a YAML file.

    Raises:
        RecipeError, UnknownKeyError: as for `load_recipe`.
    """
    return _read(*load_text(source, "schemas", "schema"))


@lru_cache(maxsize=8)
def _read(text: str, where: str) -> Schema:
    return Schema.of(parse_yaml(text, where, error=RecipeError), where=where)


@dataclass(frozen=True, slots=True)
class PairRejection:
    """How often draws were rejected by rules that look at both fields of a pair."""

    fields: tuple[str, str]
    rejected: int
    draws: int
    rules: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Share of all draws, 0 to 1."""
        return self.rejected / self.draws


@dataclass(frozen=True, slots=True)
class RejectionReport:
    """What the rules did to the draws of a number of people."""

    people: int
    draws: int
    by_rule: dict[str, int]
    """draws that broke each rule; a draw may break several"""
    pairs: tuple[PairRejection, ...]

    @property
    def rate(self) -> float:
        """Share of draws that were rejected, 0 to 1."""
        return 1 - self.people / self.draws


class SchemaSampler:
    """Seeded people from a schema; person k is a pure function of (schema hash, seed, k).

    Args:
        schema: a schema, the name of a shipped one, or the path of a YAML file.
        seed: root seed.

    Example:
        >>> sampler = SchemaSampler("spasm_schema", seed=20260712)
        >>> sampler.slots(0)[-1].accepted
        True
    """

    def __init__(self, schema: Schema | str | Path, seed: int) -> None:
        self.schema: Final = schema if isinstance(schema, Schema) else load_schema(schema)
        if seed < 0:
            raise InputError(f"seed is {seed!r}, expected at least 0.")
        self.seed: Final = seed
        self.hash: Final = self.schema.hash
        self._key = derive_seed(seed, self.hash, "slot")
        self._names = NameBook(self.schema.names, seed, self.hash)
        self._errors = tuple(rule for rule in self.schema.rules if rule.severity == "error")
        self._warnings = tuple(rule for rule in self.schema.rules if rule.severity == "warning")
        self._naming = self._chooser()
        self._weights = {name: np.array(list(f.values.values())) for name, f in self.schema.fields.items() if f.values}
        if self._naming is None and not self._names.has("neutral"):
            raise RecipeError("names.given has no 'neutral' list, but no field chooses one.", hint="Add it.")

    def draw(self, k: int, attempt: int = 0) -> dict[str, str | int]:
        """One combination of values, not yet judged."""
        return self._combination(self._uniforms(k, attempt))

    def judge(self, fields: Mapping[str, object]) -> tuple[Violation, ...]:
        """Rules that a combination breaks and that reject it."""
        return check_fields(self._errors, fields)

    def slots(self, k: int, *, unit: str | None = None) -> tuple[SlotRow, ...]:
        """Every draw made for person k, in order; the last one is the one accepted. `rule` is the first rule broken.

        Raises:
            RecipeError: no draw was accepted within `max_attempts`.
        """
        return tuple(
            SlotRow(
                unit=unit or f"slot-{k}",
                k=k,
                attempt=attempt,
                accepted=not broken,
                rule=broken[0].code if broken else None,
                fields=canonical_json(fields),
            )
            for attempt, fields, broken in self._draws(k)
        )

    def fields(self, k: int) -> dict[str, str | int]:
        """The accepted combination of person k."""
        *_, (_, fields, _) = self._draws(k)
        return fields

    def person(self, k: int) -> Persona:
        """Person k. The drawn values stand in `provenance.cell`, warnings in `provenance.issues`."""
        *_, (attempt, fields, _) = self._draws(k)
        label = "neutral" if self._naming is None else list_of(fields[self._naming])
        name = self._names.name(k, label if self._names.has(label) else "neutral")
        body: dict[str, Any] = {"names": {"full": name.full, "given": name.given, "family": name.family}}
        for key, field in self.schema.fields.items():
            value = fields[key]
            words = value if isinstance(value, int) else field.text.get(value, value)
            if field.path is None or words is None:
                continue
            if isinstance(words, int):
                place(body, field.path, words)
            else:
                place_words(body, field.path, words, f"field {key!r}")
        if self.schema.traits is not None:
            scores = self._scores(self.schema.traits, fields, self._uniforms(k, attempt))
            place(body, "personal.big_five", {**scores, "norm": self.schema.traits.norm})
        body["provenance"] = Provenance(
            recipe=self.hash,
            seed=self.seed,
            k=k,
            attempt=attempt,
            cell={key: str(value) for key, value in fields.items()},
            generator=f"schema {self.schema.name}",
            licence=self.schema.licence,
            issues=tuple(v.code for v in check_fields(self._warnings, fields)),
        )
        return Persona.model_validate(body)

    def people(self, n: int) -> Iterator[Persona]:
        """Persons 0 to n - 1, one at a time."""
        return (self.person(k) for k in range(n))

    def report(self, n: int) -> RejectionReport:
        """What the rules rejected while drawing persons 0 to n - 1, by rule and by pair of fields."""
        if n < 1:
            raise InputError(f"report({n!r}): expected at least one person.")
        pairs_of = {
            rule.code: tuple(sorted({(min(p), max(p)) for p in combinations(rule.fields, 2)})) for rule in self._errors
        }
        draws, by_rule, rejected = 0, Counter[str](), Counter[tuple[str, str]]()
        for k in range(n):
            for _, _, broken in self._draws(k):
                draws += 1
                by_rule.update(v.code for v in broken)
                rejected.update({pair for v in broken for pair in pairs_of[v.code]})
        rules_of: dict[tuple[str, str], list[str]] = {}
        for code, pairs in pairs_of.items():
            for pair in pairs:
                rules_of.setdefault(pair, []).append(code)
        return RejectionReport(
            people=n,
            draws=draws,
            by_rule={rule.code: by_rule[rule.code] for rule in self._errors},
            pairs=tuple(
                PairRejection(pair, rejected[pair], draws, tuple(codes))
                for pair, codes in sorted(rules_of.items(), key=lambda item: (-rejected[item[0]], item[0]))
            ),
        )

    def _draws(self, k: int) -> Iterator[tuple[int, dict[str, str | int], tuple[Violation, ...]]]:
        """(attempt, fields, rules broken) until a combination stands."""
        if k < 0:
            raise InputError(f"person {k!r}: expected at least 0.")
        last: tuple[Violation, ...] = ()
        for attempt in range(self.schema.max_attempts):
            fields = self.draw(k, attempt)
            last = self.judge(fields)
            yield attempt, fields, last
            if not last:
                return
        raise RecipeError(
            f"schema {self.schema.name!r}: no combination for person {k} in {self.schema.max_attempts} draws "
            f"(last broken: {', '.join(v.code for v in last)}).",
            hint="Loosen the rules or raise max_attempts.",
        )

    def _uniforms(self, k: int, attempt: int) -> Floats:
        lanes = _TRAIT_LANES + len(self.schema.fields)
        return uniforms(self._key, np.array([k], dtype=np.int64), attempt, lanes)

    def _combination(self, draws: Floats) -> dict[str, str | int]:
        out: dict[str, str | int] = {}
        for lane, (name, field) in enumerate(self.schema.fields.items()):
            u = draws[:, _TRAIT_LANES + lane]
            if field.range is not None:
                low, high = field.range
                out[name] = low + int(u[0] * (high - low + 1))
            else:
                out[name] = list(field.values)[int(pick(u, self._weights[name])[0])]
        return out

    def _chooser(self) -> str | None:
        if self.schema.names.variable is not None:
            require_known(self.schema.names.variable, self.schema.fields, "names.variable", kind="field")
            return self.schema.names.variable
        for path in ("social.gender", "social.sex"):
            for name, field in self.schema.fields.items():
                if field.path == path:
                    return name
        return None

    def _scores(self, model: TraitModel, fields: Mapping[str, str | int], draws: Floats) -> dict[str, float]:
        meaning = {"female": 1.0, "male": 0.0, "neutral": np.nan}
        female = meaning[list_of(fields[self._naming])] if self._naming else np.nan
        aged = next((name for name, f in self.schema.fields.items() if f.path == "social.age"), None)
        age = float(fields[aged]) if aged else np.nan
        noise = normals(draws[:, :_TRAIT_LANES])[:, : len(DOMAINS)]
        scores = model.scores(np.array([female]), np.array([age]), noise)[0]
        return dict(zip(DOMAINS, scores.tolist(), strict=True))
