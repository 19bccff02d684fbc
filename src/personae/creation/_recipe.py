"""The population recipe: what a user writes, the same object in YAML and in Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from personae.core import Frozen, RecipeError, UnknownKeyError, content_id
from personae.creation._drawn import Drawn, drawn_hash
from personae.creation._draws import Floats
from personae.creation._names import NamesSpec
from personae.creation._paths import find_model
from personae.creation._rules import Rule, expand_groups
from personae.creation._traits import TraitModel

if TYPE_CHECKING:
    from personae.creation._enrich import Enrichment
    from personae.creation._fit import FittedTable

Unit = Literal["share", "count"]
Conflict = Literal["error", "soft"]
Allocation = Literal["proportional", "equal"]
SEPARATOR: Final = " | "
SUM_TOLERANCE: Final = 1e-3
"""Shares may miss 1 by this much (rounding in print); they are then scaled to 1."""
_ENGINE: Final = 1
"""Part of every recipe hash; raised when the same recipe would give other people."""


class Variable(Frozen):
    """One thing people differ in: either `values`, or `bins` of whole numbers such as age bands.

    Args:
        values: category labels.
        bins: label to [lowest, highest], both included; a person gets a whole number drawn evenly inside the bin.
        path: where the value goes in a persona; without one it only lives in `provenance.cell`.
        text: words to write for a label (default: the label itself); null writes nothing.
    """

    values: tuple[str, ...] = ()
    bins: dict[str, tuple[int, int]] = Field(default_factory=dict)
    path: str | None = None
    text: dict[str, str | None] = Field(default_factory=dict)

    @field_validator("values", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(_word(v) for v in value) if isinstance(value, (list, tuple)) else value

    @field_validator("bins", "text", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        return {_word(k): v for k, v in value.items()} if isinstance(value, Mapping) else value

    @property
    def labels(self) -> tuple[str, ...]:
        """Category labels in order."""
        return tuple(self.bins) if self.bins else self.values


class Margin(Frozen):
    """Shares (or counts) of the cells of one or more variables. `hard` makes them exact in every draw.

    Cells are written nested, `{female: {young: .2, old: .3}, …}`, or flat, `{"female | young": .2}`; one left out is 0.

    Args:
        weight: how strongly a soft fit holds on to it (λ, default 100); see `Recipe.conflict`.
        tolerance: the most that a cell's share may be off after a soft fit; more is an error. None sets no limit.
    """

    vars: tuple[str, ...] = Field(min_length=1)
    table: dict[str, float] = Field(min_length=1)
    unit: Unit = "share"
    hard: bool = False
    source: str | None = None
    weight: float | None = Field(default=None, gt=0, le=1e6, allow_inf_nan=False)
    tolerance: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        return _with_flat_table(data, "margin")

    @property
    def name(self) -> str:
        """Its variables, joined."""
        return " x ".join(self.vars)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Cells and their shares, scaled to sum to 1."""
        total = math.fsum(self.table.values())
        return {cell: value / total for cell, value in self.table.items()}


class Conditional(Frozen):
    """P(child | parents): one row of shares per combination of the parents.

    `*` stands for any value of a parent (alone: of all parents); a row that names more values wins over one that
    names fewer.
    """

    child: str
    parents: tuple[str, ...] = Field(min_length=1)
    table: dict[str, dict[str, float]] = Field(min_length=1)
    source: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _rows(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("table"), Mapping):
            return data
        parents = data.get("parents", ())
        out: dict[str, Any] = {}
        for key, row in data["table"].items():
            spelt = SEPARATOR.join(["*"] * len(parents)) if key == "*" else _cell(key)
            if spelt in out:
                raise RecipeError(f"conditional: the row {spelt!r} is given twice.", hint="Keep one of them.")
            out[spelt] = _numbers(row, f"conditional, row {spelt!r}") if isinstance(row, Mapping) else row
        return {**data, "table": out}


class SeedTable(Frozen):
    """Joint counts to start the fit from: associations that no margin names are taken from here.

    Args:
        vars: the variables of the table.
        table: nested or flat cells with counts.
        rows: instead of `table`, records `[value, …, count]`.
        seed_file: instead of `table`, in a recipe: a CSV or Parquet file of people, counted when the recipe is read,
            with `columns`, `recode` and `weight` as for `seed_records`. Only the counts stay in the recipe.
        smoothing: share of the independence table (product of the seed's own margins) mixed in, so that cells the seed
            never saw can be filled; 0 keeps them empty.
        records, dropped: how many rows of a file were counted and left out.
    """

    vars: tuple[str, ...] = Field(min_length=1)
    table: dict[str, float] = Field(min_length=1)
    source: str | None = None
    smoothing: float = Field(default=0.0, ge=0, le=1)
    records: int | None = Field(default=None, ge=0)
    dropped: int | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "rows" in data:
            if "table" in data:
                raise RecipeError("seed_table has both table and rows.", hint="Keep one of them.")
            table: dict[str, float] = {}
            for row in data["rows"]:
                if not isinstance(row, (list, tuple)) or len(row) != len(data.get("vars", ())) + 1:
                    raise RecipeError(f"seed_table: row {row!r}, expected one value per variable and a count.")
                cell = SEPARATOR.join(_word(v) for v in row[:-1])
                table[cell] = table.get(cell, 0.0) + _number(row[-1], f"seed_table, row {cell!r}")
            data = {**{k: v for k, v in data.items() if k != "rows"}, "table": table}
        return _with_flat_table(data, "seed_table")


class Strata(Frozen):
    """How a sample is spread over strata, whatever their share of the population; `weight` makes up for it.

    Args:
        vars: the variables whose combinations are the strata.
        allocation: `proportional` (the fitted shares, exact to one person), `equal`, or {cell: share of the sample}.
    """

    vars: tuple[str, ...] = Field(min_length=1)
    allocation: Allocation | dict[str, float] = "proportional"

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        names = (data["vars"],) if isinstance(data.get("vars"), str) else data.get("vars", ())
        if not isinstance(data.get("allocation"), Mapping):
            return {**data, "vars": names}
        flat = _with_flat_table({"vars": names, "table": data["allocation"]}, "strata")
        return {**data, "vars": flat["vars"], "allocation": flat["table"]}


class Recipe(Frozen):
    """A population: variables, what their joint distribution must satisfy, and what else people are given.

    Quotas are shares, so `n` is free; `n` and `seed` are defaults of `Population`.

    Args:
        margins: targets of any dimension; hard ones are met exactly by the integer counts of every draw.
        conditionals: P(child | parents) of variables that follow others.
        rules: combinations that cannot be (structural zeros); warnings end in `provenance.issues`.
        groups: named lists of values that rules may refer to as `@name`.
        seed_table: joint counts to start from.
        conflict: what happens when margins cannot all be met: `error`, or `soft`, the joint distribution that trades
            distance from the seed against distance from the soft margins (hard ones stay exact).
        rarity: temperature of the draw: cells are drawn by share^(1/rarity), so above 1 rare people are commoner than
            in the population; `provenance.weight` makes up for it.
        strata: how the sample is spread over groups.
        traits: the Big Five model; null draws none.
        names: where names come from.
        places: {place: weight} for `social.residence`, drawn apart from everything else.
        constants: {persona path: words} that everybody shares.
        drawn: columns drawn after the cell, in order; they enlarge no joint table and change nobody's cell.

    Raises:
        RecipeError: anything that cannot be met, naming the cells and the size of the gap.
        UnknownKeyError: a name nobody knows, with the nearest one.
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    title: str | None = None
    source: str | None = None
    licence: str | None = None
    note: str | None = None
    n: int = Field(default=100, ge=1)
    seed: int = Field(default=0, ge=0)
    variables: dict[str, Variable] = Field(min_length=1)
    margins: tuple[Margin, ...] = ()
    conditionals: tuple[Conditional, ...] = ()
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    seed_table: SeedTable | None = None
    conflict: Conflict = "error"
    rarity: float = Field(default=1.0, gt=0, le=1000)
    strata: Strata | None = None
    traits: TraitModel | None = Field(default_factory=TraitModel)
    names: NamesSpec = Field(default_factory=NamesSpec)
    places: dict[str, float] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    drawn: tuple[Drawn, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _groups(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping):
            return data
        if isinstance(data.get("groups"), Mapping):
            data = {**data, "rules": expand_groups(data.get("rules", ()), data["groups"], "rules")}
        if isinstance(data.get("seed_table"), Mapping) and "seed_file" in data["seed_table"]:
            from personae.creation._seed import seed_from_file

            folder = (info.context or {}).get("folder")
            data = {**data, "seed_table": seed_from_file(data["seed_table"], data.get("variables"), folder)}
        return data

    @field_validator("places", mode="before")
    @classmethod
    def _places(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return dict.fromkeys((_word(v) for v in value), 1.0)
        return _numbers(value, "places") if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        from personae.creation._checks import check_recipe

        check_recipe(self)
        return self

    @classmethod
    def of(cls, data: object, *, where: str = "recipe", folder: Path | None = None) -> Recipe:
        """Read a recipe from a plain mapping, with errors a person can act on.

        Args:
            data: the mapping.
            where: how errors call it.
            folder: where files that it names are looked for.

        Raises:
            UnknownKeyError: an unknown key at any depth, with the nearest known one.
            RecipeError: one message that names every field that does not fit.
        """
        return parse_document(cls, data, where=where, folder=folder)

    @cached_property
    def hash(self) -> str:
        """Content id `r-<16 hex>` of all that decides who the people are; not name, title, notes, sources, n, seed."""
        return drawn_hash(self.root, self.drawn)

    @cached_property
    def root(self) -> str:
        """`hash` without the drawn columns: the key of all other draws, so that a column more changes none of them."""
        body = self.model_dump(
            mode="json",
            include={"variables", "margins", "conditionals", "rules", "seed_table", "traits", "places", "constants"},
        )
        body["variables"] = [[name, {**v, "bins": list(v["bins"].items())}] for name, v in body["variables"].items()]
        body["places"] = list(body["places"].items())
        for part in (*body["margins"], *body["conditionals"], *([body["seed_table"]] if self.seed_table else [])):
            for key in ("source", "records", "dropped"):
                part.pop(key, None)
            for key, usual in (("weight", None), ("tolerance", None), ("smoothing", 0.0)):
                if part.get(key) == usual:
                    part.pop(key, None)
        body |= self.model_dump(mode="json", include={"conflict", "rarity", "strata"}, exclude_defaults=True)
        for rule in body["rules"]:
            for key in ("hint", "owner"):
                rule.pop(key, None)
        for key in ("note", "source"):
            (body["traits"] or {}).pop(key, None)
        body["names"] = [self.names.digest, self.names.variable]
        return content_id("r", {"engine": _ENGINE, **body})

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Category labels of each variable."""
        return {name: variable.labels for name, variable in self.variables.items()}

    @cached_property
    def fitted(self) -> FittedTable:
        """The joint distribution that meets all margins, conditional tables and rules.

        Raises:
            RecipeError: there is none; the cells and the gap are named.
        """
        from personae.creation._fit import fit_recipe

        return fit_recipe(self)

    @cached_property
    def enrichment(self) -> Enrichment:
        """The drawn columns, compiled.

        Raises:
            RecipeError: a combination that occurs has no row, or rules leave it nothing.
        """
        from personae.creation._enrich import Enrichment

        return Enrichment(self)

    def shares(self, margin: Margin) -> Floats:
        """Target shares of all cells of a margin, flat, last variable fastest."""
        return self.flat(margin.vars, margin.shares)

    def flat(self, names: tuple[str, ...], table: Mapping[str, float]) -> Floats:
        """A table over `names` as a flat array, last variable fastest; cells left out are 0."""
        return np.array([table.get(cell, 0.0) for cell in self.cells(names)])

    def cells(self, names: tuple[str, ...]) -> list[str]:
        """Names of all cells over some variables, last variable fastest."""
        cells = [""]
        for name in names:
            cells = [f"{c}{SEPARATOR}{v}" if c else v for c in cells for v in self.variables[name].labels]
        return cells

    def to_yaml(self) -> str:
        """The recipe as YAML that `load_recipe` reads back to the same hash."""
        import yaml

        body = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=118)


def parse_document(model: Any, data: object, *, where: str, folder: Path | None = None) -> Any:
    """Validate a user's document; unknown keys get a suggestion, everything else one list of problems.

    Raises:
        UnknownKeyError: an unknown key at any depth.
        RecipeError: the document does not fit.
    """
    if not isinstance(data, Mapping):
        got = "it is empty" if data is None else f"got {type(data).__name__}"
        raise RecipeError(f"{where}: {got}, expected a mapping.", hint="See examples/recipes/.")
    try:
        return model.model_validate(data, context={"folder": folder})
    except ValidationError as cause:
        for item in cause.errors(include_url=False):
            if item["type"] == "extra_forbidden":
                trail = item["loc"]
                owner = find_model(model, trail)
                known = [f.alias or n for n, f in owner.model_fields.items()] if owner else []
                parent = ".".join(str(s) for s in trail[:-1])
                raise UnknownKeyError.of(
                    str(trail[-1]), known, where=f"{where}: {parent}" if parent else where
                ) from cause
        lines = [
            f"  {'.'.join(str(s) for s in item['loc']) or '(whole)'}: {item['msg']}; given {_short(item.get('input'))}"
            for item in cause.errors(include_url=False)
        ]
        raise RecipeError(
            f"{where}: {len(lines)} problem(s)\n" + "\n".join(dict.fromkeys(lines)), hint="\nFix these fields."
        ) from cause


def _short(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 80 else f"{words[:60]}… ({len(words):,} characters)"


def _word(value: object) -> str:
    """A category label: words and whole numbers; true and false would be a misread yes or no."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list, tuple)):
        raise RecipeError(f"{value!r} is no category label.", hint="Write it in quotes.")
    word = str(value).strip()
    if not word or "|" in word:
        raise RecipeError(f"{value!r} is no category label.", hint="Labels are not empty and hold no '|'.")
    return word


def _cell(key: object) -> str:
    """A cell name spelt our way: `a|b` and `a | b` are the same."""
    return SEPARATOR.join(_word(part) for part in str(key).split("|"))


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecipeError(f"{where}: {value!r}, expected a number.")
    if not math.isfinite(value) or value < 0:
        raise RecipeError(f"{where}: {value!r}, expected a number that is not negative.", hint="Correct this weight.")
    return float(value)


def _numbers(table: Mapping[Any, Any], where: str) -> dict[str, float]:
    return {_word(key): _number(value, f"{where}, {str(key)!r}") for key, value in table.items()}


def _with_flat_table(data: Any, what: str) -> Any:
    """Flatten a nested table to `a | b` cells and check every number."""
    if not isinstance(data, Mapping) or not isinstance(data.get("table"), Mapping):
        return data
    names = data.get("vars", ())
    if isinstance(names, str):
        names = (names,)
    where = f"{what} {' x '.join(str(n) for n in names)}"
    flat: dict[str, float] = {}

    def walk(prefix: str, node: Mapping[Any, Any]) -> None:
        for key, value in node.items():
            cell = f"{prefix}{SEPARATOR}{_cell(key)}" if prefix else _cell(key)
            if isinstance(value, Mapping):
                walk(cell, value)
            elif cell in flat:
                raise RecipeError(f"{where}: cell {cell!r} is given twice.", hint="Keep one of them.")
            else:
                flat[cell] = _number(value, f"{where}, cell {cell!r}")

    walk("", data["table"])
    return {**data, "vars": tuple(names), "table": flat}
