"""The recipe of a population of households: variables, controls and seed households on two levels."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from personae.core import Frozen, RecipeError, content_id, derive_seed
from personae.creation._documents import read_text, require_known
from personae.creation._drawn import Drawn, drawn_hash
from personae.creation._draws import Floats, uniforms
from personae.creation._kin import AgeRules, Role
from personae.creation._names import NamesSpec
from personae.creation._recipe import SEPARATOR, SUM_TOLERANCE, Margin, Recipe, Variable, parse_document
from personae.creation._rules import Rule
from personae.creation._traits import TraitModel
from personae.creation._weights import WeightMethod

if TYPE_CHECKING:
    from personae.creation._household_fit import FittedHouseholds

MEMBER_LIMIT: Final = 20
_ENGINE: Final = 1
Shares = dict[str, float]


class SeedHousehold(Frozen):
    """One household to start from: its values, its members, and a starting weight.

    Each member gives `role` and the label of every person variable; a number stands for the bin it falls into.
    """

    values: dict[str, str] = Field(default_factory=dict)
    members: tuple[dict[str, str], ...] = Field(min_length=1, max_length=MEMBER_LIMIT)
    weight: float = Field(default=1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _words(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        out = dict(data)
        if isinstance(out.get("values"), Mapping):
            out["values"] = {str(k): str(v) for k, v in out["values"].items()}
        if isinstance(out.get("members"), (list, tuple)):
            out["members"] = tuple(
                {str(k): str(v) for k, v in m.items()} if isinstance(m, Mapping) else m for m in out["members"]
            )
        return out


class MemberSlot(Frozen):
    """A place in a composition.

    Args:
        role: what its people are to the household.
        count: how many, {number: share}; a number alone is always that many.
        values: {variable: {label: share}}; a label alone is always that one; what is left out is drawn evenly.
        opposite: {variable: share}: how often a variable with two labels differs from the first member's.
    """

    role: Role
    count: dict[int, float] = Field(default_factory=lambda: {1: 1.0})
    values: dict[str, Shares] = Field(default_factory=dict)
    opposite: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        out = dict(data)
        if isinstance(out.get("count"), int):
            out["count"] = {out["count"]: 1.0}
        out["values"] = _shares(out.get("values", {}))
        return out


class Composition(Frozen):
    """A rule that makes seed households: who lives in them, and how their values are spread.

    `draws` households are made, the same ones every time; those that break a rule are left out.
    """

    name: str
    weight: float = Field(default=1.0, gt=0)
    values: dict[str, Shares] = Field(default_factory=dict)
    members: tuple[MemberSlot, ...] = Field(min_length=1)
    draws: int = Field(default=300, ge=1, le=100_000)

    @field_validator("values", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return _shares(value)


class Controls(Frozen):
    """What the households, and the people in them, have to add up to.

    Controls of households may name household variables, those of people both kinds. Hard ones, of households only, are
    exact in every draw. Counts are read as shares of their own sum.
    """

    households: tuple[Margin, ...] = ()
    persons: tuple[Margin, ...] = ()


class HouseholdRecipe(Frozen):
    """A population of households.

    Args:
        n: how many, counted in `unit`.
        unit: `households` or `persons`.
        households: variables of a household. One called `size`, with bins, is filled from the number of members.
        persons: variables of a person. `role` is always there and need not be given.
        controls: targets on both levels.
        mean_size: people per household, where the controls leave it open and it is known.
        seed_households: households to start from.
        compositions: rules that make households to start from, instead of or beside these.
        rules: combinations that cannot be in one person, by person and household variables and `role`; a seed
            household with such a person is left out.
        ages: how old kin have to be; ages are drawn together so that they hold.
        shared_surname: roles that carry the household's family name, as its head does.
        method: how weights are found.
        drawn, traits, names, places, constants: as in `Recipe`; places are drawn once for a household.

    Raises:
        RecipeError: anything that cannot be met; controls of the two levels that contradict each other are named.
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    title: str | None = None
    source: str | None = None
    licence: str | None = None
    note: str | None = None
    n: int = Field(default=100, ge=1)
    unit: Literal["households", "persons"] = "households"
    seed: int = Field(default=0, ge=0)
    households: dict[str, Variable] = Field(default_factory=dict)
    persons: dict[str, Variable] = Field(min_length=1)
    controls: Controls = Field(default_factory=Controls)
    mean_size: float | None = Field(default=None, ge=1, le=MEMBER_LIMIT)
    seed_households: tuple[SeedHousehold, ...] = ()
    compositions: tuple[Composition, ...] = ()
    rules: tuple[Rule, ...] = ()
    ages: AgeRules = Field(default_factory=AgeRules)
    shared_surname: tuple[Role, ...] = ("spouse", "child", "parent", "sibling", "grandchild")
    method: WeightMethod = "raking"
    drawn: tuple[Drawn, ...] = ()
    traits: TraitModel | None = Field(default_factory=TraitModel)
    names: NamesSpec = Field(default_factory=NamesSpec)
    places: dict[str, float] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        check_households(self)
        return self

    @classmethod
    def of(cls, data: object, *, where: str = "households") -> HouseholdRecipe:
        """Read a recipe from a plain mapping.

        Raises:
            UnknownKeyError: an unknown key at any depth, with the nearest known one.
            RecipeError: one message that names every field that does not fit.
        """
        return parse_document(cls, data, where=where)

    @cached_property
    def hash(self) -> str:
        """Content id of all that decides who lives where; not name, title, notes, sources, n, unit, seed."""
        return drawn_hash(self.root, self.drawn, prefix="h")

    @cached_property
    def root(self) -> str:
        """`hash` without the drawn columns: the key of all other draws."""
        left_out = {"name", "title", "source", "licence", "note", "n", "unit", "seed", "drawn", "names", "traits"}
        body = self.model_dump(mode="json", exclude=left_out)
        for level in ("households", "persons"):
            body[level] = [[k, {**v, "bins": list(v["bins"].items())}] for k, v in body[level].items()]
            for margin in body["controls"][level]:
                margin.pop("source", None)
        body["places"] = list(body["places"].items())
        traits = self.traits.model_dump(mode="json", exclude={"note", "source"}) if self.traits else None
        body["traits"], body["names"] = traits, [self.names.digest, self.names.variable]
        return content_id("h", {"engine": _ENGINE, **body})

    @property
    def variables(self) -> dict[str, Variable]:
        """All variables as a person has them: of the household, `role`, and their own."""
        return {**self.households, "role": Variable(values=self.roles), **self.persons}

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Roles that occur in the seed."""
        found = [m["role"] for home in self.seed_households for m in home.members if "role" in m]
        found += [slot.role for part in self.compositions for slot in part.members]
        return tuple(dict.fromkeys(found))

    @cached_property
    def homes(self) -> tuple[SeedHousehold, ...]:
        """All seed households, given and made, with `size` filled in; rules are not yet asked."""
        made = [home for part in self.compositions for home in _composed(self, part)]
        return (*(_completed(self, home, k) for k, home in enumerate(self.seed_households)), *made)

    @cached_property
    def fitted(self) -> FittedHouseholds:
        """The weights of the seed households that meet the controls.

        Raises:
            RecipeError: there are none; controls and gaps are named.
        """
        from personae.creation._household_fit import fit_households

        return fit_households(self)

    @cached_property
    def people(self) -> Recipe:
        """The people as a recipe of their own, with margins as fitted: what paths, names and drawn columns refer to."""
        return people_recipe(self, self.fitted.person_shares(self))


# Checks and completion ------------------------------------------------------------------------------------------------


def check_households(recipe: HouseholdRecipe) -> None:
    """Raise the first thing that is wrong with a recipe of households."""
    if not recipe.seed_households and not recipe.compositions:
        raise RecipeError(
            f"{recipe.name!r} has no households to start from.", hint="Give seed_households or compositions."
        )
    for name in recipe.households:
        if name in recipe.persons:
            raise RecipeError(f"{name!r} is a variable of households and of people.", hint="Rename one of them.")
    if "role" in {*recipe.persons, *recipe.households}:
        raise RecipeError("'role' is always there.", hint="Drop it from the variables.")
    size = recipe.households.get("size")
    if size is not None and not size.bins:
        raise RecipeError("the household variable 'size' needs bins.", hint='bins: {"1": [1, 1], "2 or more": [2, 9]}.')
    for margin in recipe.controls.households:
        _check_margin(margin, recipe.households, "households")
    for margin in recipe.controls.persons:
        _check_margin(margin, recipe.variables, "persons")
    _check_rules(recipe)
    for part in recipe.compositions:
        _check_composition(recipe, part)
    for home in recipe.seed_households:
        for member in home.members:
            require_known(member.get("role", "(none)"), _ROLES, "seed_households", kind="role")
    flat = {name: np.full(len(v.labels), 1 / len(v.labels)) for name, v in recipe.variables.items()}
    people_recipe(recipe, flat)  # paths, names and drawn columns, before anything is computed


def _check_rules(recipe: HouseholdRecipe) -> None:
    for rule in recipe.rules:
        where = f"rule {rule.code!r}"
        for _, name, match in rule.matches():
            require_known(name, recipe.variables, where, kind="field")
            for word in match.words:
                require_known(word, recipe.variables[name].labels, where, kind=f"value of {name!r}")
            if match.ranged and not recipe.variables[name].bins:
                raise RecipeError(f"{where}: min and max need a variable with bins; {name!r} has values.")


def _check_margin(margin: Margin, known: Mapping[str, Variable], level: str) -> None:
    where = f"controls.{level}, {margin.name!r}"
    for name in margin.vars:
        require_known(name, known, where, kind="variable")
    for cell in margin.table:
        words = cell.split(SEPARATOR)
        if len(words) != len(margin.vars):
            raise RecipeError(f"{where}: cell {cell!r} has {len(words)} value(s), expected {len(margin.vars)}.")
        for name, word in zip(margin.vars, words, strict=True):
            require_known(word, known[name].labels, where, kind=f"value of {name!r}")
    total = math.fsum(margin.table.values())
    if total <= 0 or (margin.unit == "share" and abs(total - 1) > SUM_TOLERANCE):
        raise RecipeError(f"{where}: shares sum to {total:.6g}, expected 1.", hint="Or write unit: count.")
    if margin.hard and level == "persons":
        raise RecipeError(
            f"{where} cannot be hard.", hint="Only controls of households are exact; people come as near as can be."
        )


_ROLES: Final = tuple(Role.__args__)


def people_recipe(recipe: HouseholdRecipe, shares: Mapping[str, Floats]) -> Recipe:
    """The people of a recipe of households as a recipe, with one margin per variable."""
    margins = [
        {"vars": [name], "table": dict(zip(v.labels, shares[name].tolist(), strict=True)), "unit": "count"}
        for name, v in recipe.variables.items()
    ]
    return Recipe.model_validate({
        "name": recipe.name, "source": recipe.source, "licence": recipe.licence, "variables": recipe.variables,
        "margins": margins, "traits": recipe.traits, "names": recipe.names, "places": recipe.places,
        "constants": recipe.constants, "drawn": recipe.drawn,
    })  # fmt: skip


def _check_composition(recipe: HouseholdRecipe, part: Composition) -> None:
    where = f"composition {part.name!r}"
    for name, shares in part.values.items():
        require_known(name, recipe.households, where, kind="household variable")
        for label in shares:
            require_known(label, recipe.households[name].labels, where, kind=f"value of {name!r}")
    most = sum(max(slot.count) for slot in part.members)
    if most > MEMBER_LIMIT or any(k < 0 for slot in part.members for k in slot.count):
        raise RecipeError(f"{where}: up to {most} members, expected at most {MEMBER_LIMIT} and none negative.")
    for slot in part.members:
        for name, shares in slot.values.items():
            require_known(name, recipe.persons, f"{where}, {slot.role}", kind="person variable")
            for label in shares:
                require_known(label, recipe.persons[name].labels, f"{where}, {slot.role}", kind=f"value of {name!r}")
        for name, share in slot.opposite.items():
            require_known(name, recipe.persons, f"{where}, {slot.role}, opposite", kind="person variable")
            if len(recipe.persons[name].labels) != 2 or not 0 <= share <= 1:
                raise RecipeError(f"{where}, {slot.role}: opposite needs a variable with two values and a share.")


def _completed(recipe: HouseholdRecipe, home: SeedHousehold, k: int) -> SeedHousehold:
    """A seed household with numbers turned into bins and `size` filled in, every variable known."""
    where = f"seed household {k + 1}"
    values = dict(home.values)
    if "size" in recipe.households:
        values["size"] = _label(recipe.households["size"], str(len(home.members)), f"{where}, size")
    for name in (*values, *recipe.households):
        require_known(name, recipe.households, where, kind="household variable")
        if name not in values:
            raise RecipeError(f"{where} does not say {name!r}.", hint="Every household gives every variable.")
        values[name] = _label(recipe.households[name], values[name], f"{where}, {name!r}")
    members: list[dict[str, str]] = []
    for m, member in enumerate(home.members, start=1):
        own = f"{where}, member {m}"
        for name in (*member, *recipe.persons):
            require_known(name, ("role", *recipe.persons), own, kind="person variable")
            if name not in member:
                raise RecipeError(f"{own} does not say {name!r}.", hint="Every member gives every variable.")
        members.append({
            "role": member["role"],
            **{n: _label(v, member[n], f"{own}, {n!r}") for n, v in recipe.persons.items()},
        })  # fmt: skip
    return SeedHousehold(values=values, members=tuple(members), weight=home.weight)


def _label(variable: Variable, word: str, where: str) -> str:
    if word not in variable.labels and variable.bins and word.lstrip("-").isdecimal():
        number = int(word)
        found = next((b for b, (low, high) in variable.bins.items() if low <= number <= high), None)
        if found is None:
            raise RecipeError(f"{where}: {number} lies in no bin.", hint=f"Bins: {', '.join(variable.bins)}.")
        return found
    require_known(word, variable.labels, where)
    return word


def _composed(recipe: HouseholdRecipe, part: Composition) -> Iterator[SeedHousehold]:
    """The households a composition makes; the same recipe makes the same ones."""
    key = derive_seed(0, part.name, "composition")
    lanes = len(recipe.households) + len(part.members) + MEMBER_LIMIT * 2 * len(recipe.persons)
    for draws in uniforms(key, np.arange(part.draws, dtype=np.int64), 0, lanes):
        turn = _Turn(draws.tolist())
        values = {
            name: turn.pick(part.values.get(name, {}), v.labels)
            for name, v in recipe.households.items()
            if name != "size"
        }
        members: list[dict[str, str]] = []
        for slot in part.members:
            many = int(turn.pick({str(c): s for c, s in slot.count.items()}, ()))
            for _ in range(many):
                own = {name: turn.pick(slot.values.get(name, {}), v.labels) for name, v in recipe.persons.items()}
                for name, share in sorted(slot.opposite.items()):
                    first, other = recipe.persons[name].labels
                    if members and turn.next() < share:
                        own[name] = other if members[0][name] == first else first
                    elif members:
                        own[name] = members[0][name]
                members.append({"role": slot.role, **own})
        if not members:
            continue
        if "size" in recipe.households:
            values["size"] = _label(recipe.households["size"], str(len(members)), f"composition {part.name!r}, size")
        # Labels come from the recipe itself, and there are thousands of these: nothing is left to validate.
        yield SeedHousehold.model_construct(values=values, members=tuple(members), weight=part.weight / part.draws)


class _Turn:
    """Uniform draws of one household, taken in order."""

    def __init__(self, draws: list[float]) -> None:
        self._draws = iter(draws)

    def next(self) -> float:
        return next(self._draws)

    def pick(self, shares: Mapping[str, float], labels: Sequence[str]) -> str:
        u = self.next()
        if not shares:
            return labels[int(u * len(labels))]
        u *= sum(shares.values())
        for label, share in sorted(shares.items()):  # the order in which they are written does not matter
            u -= share
            if u < 0:
                return label
        return [label for label, share in sorted(shares.items()) if share > 0][-1]


def _shares(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    out: dict[str, Any] = {}
    for name, shares in value.items():
        if isinstance(shares, (str, int)) and not isinstance(shares, bool):
            out[str(name)] = {str(shares): 1.0}
        elif isinstance(shares, (list, tuple)):
            out[str(name)] = {str(v): 1.0 for v in shares}
        elif isinstance(shares, Mapping):
            if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not v >= 0 for v in shares.values()):
                raise RecipeError(f"{name!r}: {dict(shares)!r}, expected shares that are not negative.")
            out[str(name)] = {str(k): float(v) for k, v in shares.items()}
        else:
            out[str(name)] = shares
    return out


def read_seed_households(
    path: str | Path, *, household: str = "household", weight: str | None = None, values: Sequence[str] = ()
) -> tuple[SeedHousehold, ...]:
    """Seed households from a CSV file with one line per person.

    Args:
        path: a UTF-8 file with a header line.
        household: column that says which household a line belongs to.
        weight: column with the household's weight, if there is one.
        values: columns that describe the household, on which its lines agree; the others describe the person.

    Raises:
        RecipeError: a missing column, a line of another length, or lines of one household that disagree; the line is
            named.
    """
    rows = list(csv.reader(read_text(Path(path), error=RecipeError).splitlines()))
    if not rows:
        raise RecipeError(f"{path}: empty.", hint="Expected a header line and one line per person.")
    header = [cell.strip() for cell in rows[0]]
    settled = (*values, *([weight] if weight else []))
    for name in (household, "role", *settled):
        require_known(name, header, f"{path}: header", kind="column")
    found: dict[str, tuple[int, dict[str, str], list[dict[str, str]]]] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise RecipeError(f"{path}:{line}: {len(row)} cells, expected {len(header)}.", hint="Fix this line.")
        record = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        shared = {name: record[name] for name in settled}
        member = {name: v for name, v in record.items() if name not in {household, *settled}}
        first = found.setdefault(record[household], (line, shared, []))
        if first[1] != shared:
            raise RecipeError(
                f"{path}:{line}: household {record[household]!r} says {shared}, but line {first[0]} says {first[1]}.",
                hint="All lines of a household agree on its own columns.",
            )
        first[2].append(member)
    out: list[SeedHousehold] = []
    for name, (line, shared, members) in found.items():
        own = {k: v for k, v in shared.items() if k in values}
        try:
            mass = float(shared[weight]) if weight else 1.0
        except ValueError as cause:
            raise RecipeError(
                f"{path}:{line}: weight {shared[weight or '']!r} of household {name!r} is no number."
            ) from cause
        out.append(SeedHousehold.model_validate({"values": own, "members": members, "weight": mass}))
    return tuple(out)
