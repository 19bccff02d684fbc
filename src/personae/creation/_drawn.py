"""Columns drawn after the cell: what a recipe says under `drawn`. How they are drawn is in `_enrich`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from personae.core import Frozen, RecipeError, UnknownKeyError, content_id
from personae.creation._documents import parse_yaml, require_known, shipped, shipped_names
from personae.creation._paths import leaf_kind
from personae.creation._rows import SEPARATOR
from personae.creation._rules import Rule
from personae.creation._values import ValuesModel

if TYPE_CHECKING:
    from personae.creation._recipe import Recipe

Rows = dict[str, float]
"""A number per combination of the given values; one number for all is written alone."""
_TOLERANCE: Final = 1e-3


class Normal(Frozen):
    """A normal distribution, cut at the formula's min and max (not piled up there)."""

    mean: Rows
    sd: Rows


class LogNormal(Frozen):
    """A lognormal distribution: its median, and the standard deviation of the logarithm; cut like `Normal`."""

    median: Rows
    sigma: Rows


class Uniform(Frozen):
    """Evenly between two numbers."""

    low: Rows
    high: Rows


class Formula(Frozen):
    """A number for each person.

    Every parameter is one number or a row per combination of the column's `given` values (`*` stands for any).

    Args:
        normal, lognormal, uniform: one of them.
        plus: {numeric column: slope}, added to the mean of a normal or to the logarithm of a lognormal's median.
        min, max: ends of the distribution, both included.
        round: digits after the point; negative ones round to tens, hundreds …
        words: how a text leaf says it; `{}` is the number with thousands separated.
    """

    normal: Normal | None = None
    lognormal: LogNormal | None = None
    uniform: Uniform | None = None
    plus: dict[str, float] = Field(default_factory=dict)
    min: Rows = Field(default_factory=dict)
    max: Rows = Field(default_factory=dict)
    round: int = Field(default=0, ge=-9, le=9)
    words: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        out = dict(data)
        for name in ("min", "max"):
            if name in out:
                out[name] = _rows_of_numbers(out[name], f"formula.{name}")
        for name in ("normal", "lognormal", "uniform"):
            if isinstance(out.get(name), Mapping):
                out[name] = {k: _rows_of_numbers(v, f"formula.{name}.{k}") for k, v in out[name].items()}
        return out

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        shapes = [s for s in (self.normal, self.lognormal, self.uniform) if s is not None]
        if len(shapes) != 1:
            raise RecipeError("formula needs one of normal, lognormal or uniform.", hint="Keep exactly one.")
        for name, rows in self.parameters.items():
            for key, value in rows.items():
                if name in {"sd", "sigma", "median"} and value <= 0:
                    raise RecipeError(f"formula: {name} of row {key!r} is {value!r}, expected above 0.")
        if self.uniform is not None and self.plus:
            raise RecipeError("formula: plus needs normal or lognormal.", hint="Drop it, or change the shape.")
        if self.words is not None and "{}" not in self.words:
            raise RecipeError(f"formula.words {self.words!r} has no '{{}}' for the number.")
        return self

    @property
    def parameters(self) -> dict[str, Rows]:
        """Every parameter by name."""
        shape = next(s for s in (self.normal, self.lognormal, self.uniform) if s is not None)
        return {**{n: getattr(shape, n) for n in type(shape).model_fields}, "min": self.min, "max": self.max}


class Drawn(Frozen):
    """One column drawn after the cell: by a table of shares, a formula, or the model of values.

    Its draw is keyed by its name and looks at nothing but what is under `given`, so a column that is added, dropped or
    moved changes no other column and no one's cell.

    Args:
        name: name of the column.
        path: where it goes in a persona; without one it is only a column.
        given: variables or earlier drawn columns that choose the row.
        table: {row: {value: share}}, or {row: [value, …]} for equal shares; rows as in `Conditional`. Without
            `given`, {value: share}.
        unit: `count` when rows are counts, which need not sum to 1.
        shipped: a table that comes with the package, instead of `table`.
        formula: for numbers.
        values: Schwartz's ten values from the Big Five; gives `NAME.benevolence` … and the leading names.
        text: words to write for a value (default: itself; of a formula: for single numbers); null writes nothing.
        rules: combinations with other columns that cannot be; they are taken out of the rows, which are scaled again.
        source: where the figures come from.

    Raises:
        RecipeError: shares that do not sum to 1, a number that is negative or NaN, more or fewer than one shape.
    """

    name: str = Field(min_length=1)
    path: str | None = None
    given: tuple[str, ...] = ()
    table: dict[str, dict[str, float]] = Field(default_factory=dict)
    unit: Literal["share", "count"] = "share"
    formula: Formula | None = None
    values: ValuesModel | None = None
    text: dict[str, str | None] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    source: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _rows(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        out = dict(data)
        name = str(out.get("name"))
        given = out.get("given", ())
        out["given"] = given = (given,) if isinstance(given, str) else tuple(given)
        if "shipped" in out:
            if "table" in out:
                raise RecipeError(f"drawn {name!r} has both table and shipped.", hint="Keep one of them.")
            body = _shipped_table(str(out.pop("shipped")), f"drawn {name!r}: shipped")
            settled = {key: body[key] for key in ("source", "unit", "text") if key in body}
            out = {**settled, **out, "table": body["table"]}
        if isinstance(out.get("table"), Mapping):
            out["table"] = _table(out["table"], given, f"drawn {name!r}")
        return out

    @model_validator(mode="after")
    def _sound(self) -> Self:
        shapes = sum((bool(self.table), self.formula is not None, self.values is not None))
        if shapes != 1:
            raise RecipeError(
                f"drawn {self.name!r} needs exactly one of table, shipped, formula and values; it has {shapes}."
            )
        if "." in self.name:
            raise RecipeError(f"drawn {self.name!r}: a name has no dots.", hint="Dots mark persona paths.")
        if self.values is not None and self.given:
            raise RecipeError(f"drawn {self.name!r}: values follow from the Big Five alone.", hint="Drop given.")
        for key, row in self.table.items():
            total = math.fsum(row.values())
            where = f"drawn {self.name!r}, row {key!r}"
            if total <= 0:
                raise RecipeError(f"{where}: all shares are 0.", hint="Give at least one value a share.")
            if self.unit == "share" and abs(total - 1) > _TOLERANCE:
                raise RecipeError(
                    f"{where}: shares sum to {total:.6g}, expected 1 (off by {total - 1:+.6g}).",
                    hint="Correct the shares, or write unit: count.",
                )
        return self

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Values in the order the rows name them first; none for numbers."""
        if self.values is not None:
            return tuple(self.values.correlations)
        return tuple(dict.fromkeys(label for row in self.table.values() for label in row))

    @property
    def needs(self) -> tuple[str, ...]:
        """Every column that the draw looks at, `given` first."""
        others = [f for rule in self.rules for f in rule.fields if f != self.name]
        plus = list(self.formula.plus) if self.formula else []
        return tuple(dict.fromkeys((*self.given, *others, *plus)))


def drawn_hash(root: str, drawn: tuple[Drawn, ...], *, prefix: str = "r") -> str:
    """The recipe hash: `root` itself while nothing is drawn."""
    if not drawn:
        return root
    bodies: list[dict[str, Any]] = []
    for column in drawn:
        body = column.model_dump(mode="json", exclude={"source"}, exclude_defaults=True)
        body["table"] = [[key, list(row.items())] for key, row in column.table.items()]
        bodies.append(body)
    return content_id(prefix, {"root": root, "drawn": bodies})


# Checks ---------------------------------------------------------------------------------------------------------------


def check_drawn(recipe: Recipe) -> None:
    """Raise the first thing that is wrong with the drawn columns: names, order, rows, paths."""
    names = [column.name for column in recipe.drawn]
    for column in recipe.drawn:
        where = f"drawn {column.name!r}"
        if names.count(column.name) > 1:
            raise RecipeError(f"{where} is given twice.", hint="Give each column its own name.")
        if column.name in {*recipe.variables, "k"}:
            raise RecipeError(f"{where} has the name of a variable.", hint="Give the column another name.")
    done: dict[str, Drawn] = {}
    for column in recipe.drawn:
        _check_column(recipe, column, done, names)
        done[column.name] = column
    taken = [v.path for v in recipe.variables.values() if v.path] + list(recipe.constants)
    taken += ["social.residence"] if recipe.places else []
    for column in recipe.drawn:
        if column.path is None:
            continue
        kind = leaf_kind(column.path, f"drawn {column.name!r}")
        if column.path in taken and kind != "list":
            raise RecipeError(f"two things go to {column.path!r}.", hint="Each path holds one value: drop or move one.")
        if column.path.startswith("names."):
            raise RecipeError(f"{column.path!r} cannot be drawn.", hint="Use names.")
        if kind == "number" and column.formula is None:
            raise RecipeError(f"drawn {column.name!r}: {column.path!r} is a number.", hint="Use a formula.")
        if column.values is not None and kind != "list":
            raise RecipeError(f"drawn {column.name!r}: {column.path!r} is no list.", hint="Use personal.values.")
        taken.append(column.path)


def _check_column(recipe: Recipe, column: Drawn, done: Mapping[str, Drawn], names: list[str]) -> None:
    where = f"drawn {column.name!r}"
    _check_needs(recipe, column, done, names)
    tables = column.formula.parameters if column.formula else {"": column.table}
    for part, rows in tables.items():
        for key in rows:
            _check_key(recipe, column, done, key, f"{where}{f', {part}' if part else ''}, row {key!r}")
    for label in column.text if column.formula is None else ():
        require_known(label, column.labels, f"{where}: text")
    for rule in column.rules:
        _check_rule(recipe, column, done, rule)
    if column.values is not None:
        if recipe.traits is None:
            raise RecipeError(f"{where}: values need traits.", hint="Write traits: {} or drop the column.")
        column.values.weights(recipe.traits)


def _check_needs(recipe: Recipe, column: Drawn, done: Mapping[str, Drawn], names: list[str]) -> None:
    """Columns that it looks at exist, come before it, and are of the right kind."""
    where = f"drawn {column.name!r}"
    for name in column.needs:
        if name == column.name or (name in names and name not in done and _leads_to(recipe, name, column.name)):
            raise RecipeError(f"{where} runs in a circle through {name!r}.", hint="A column cannot follow itself.")
        if name in names and name not in done:
            raise RecipeError(f"{where} needs {name!r}, which is drawn later.", hint=f"Move {name!r} before it.")
        require_known(name, (*recipe.variables, *done), where, kind="variable or earlier column")
    if len(set(column.given)) < len(column.given):
        raise RecipeError(f"{where} names a variable twice under given.")
    plus = column.formula.plus if column.formula else {}
    for name in column.needs:
        if name not in plus and not _labels(recipe, done, name):
            raise RecipeError(f"{where}: {name!r} holds numbers, which choose no row.", hint="Use a banded variable.")
        if name in plus and not (done[name].formula is not None if name in done else _is_number(recipe, name)):
            raise RecipeError(f"{where}: {name!r} is no number.", hint="plus takes formulas and bins with a path.")


def _check_key(recipe: Recipe, column: Drawn, done: Mapping[str, Drawn], key: str, where: str) -> None:
    words = key.split(SEPARATOR) if key else []
    if key == "*":
        return
    if len(words) != len(column.given):
        raise RecipeError(
            f"{where} has {len(words)} value(s), expected {len(column.given)} "
            f"({', '.join(column.given) or 'no given'})."
        )
    for name, word in zip(column.given, words, strict=True):
        if word != "*":
            require_known(word, _labels(recipe, done, name), where, kind=f"value of {name!r}")


def _check_rule(recipe: Recipe, column: Drawn, done: Mapping[str, Drawn], rule: Rule) -> None:
    where = f"drawn {column.name!r}, rule {rule.code!r}"
    if column.name not in rule.fields:
        raise RecipeError(f"{where} does not speak of {column.name!r}.", hint="Put it under the recipe's rules.")
    if column.formula is not None or column.values is not None:
        raise RecipeError(f"{where}: rules need a table.", hint="Use min and max of the formula.")
    for _, name, match in rule.matches():
        known = column.labels if name == column.name else _labels(recipe, done, name)
        for word in match.words:
            require_known(word, known, where, kind=f"value of {name!r}")
        if match.ranged and not (name in recipe.variables and recipe.variables[name].bins):
            raise RecipeError(f"{where}: min and max need a variable with bins; {name!r} has values.")


def _is_number(recipe: Recipe, name: str) -> bool:
    """Whether a variable's value is a number drawn inside its bin."""
    variable = recipe.variables[name]
    if not variable.bins or variable.path is None:
        return False
    return variable.path.startswith("attributes.") or leaf_kind(variable.path, "variables") == "number"


def _labels(recipe: Recipe, done: Mapping[str, Drawn], name: str) -> tuple[str, ...]:
    if name in done:
        return () if done[name].values is not None else done[name].labels
    return recipe.variables[name].labels


def _leads_to(recipe: Recipe, start: str, goal: str) -> bool:
    """Whether `start`, a drawn column, needs `goal`, directly or through others."""
    columns = {c.name: c for c in recipe.drawn}
    here, seen = [start], set[str]()
    while here:
        name = here.pop()
        if name == goal:
            return True
        if name in columns and name not in seen:
            seen.add(name)
            here += columns[name].needs
    return False


# Spelling -------------------------------------------------------------------------------------------------------------


def _table(table: Mapping[Any, Any], given: tuple[str, ...], where: str) -> dict[str, Any]:
    if not given and all(not isinstance(v, (Mapping, list, tuple)) for v in table.values()):
        table = {"": table}
    out: dict[str, Any] = {}
    for key, row in table.items():
        spelt = _key(key)
        if spelt in out:
            raise RecipeError(f"{where}: the row {spelt!r} is given twice.", hint="Keep one of them.")
        if isinstance(row, (list, tuple)):
            labels = [_label(v, where) for v in row]
            twice = next((v for v in labels if labels.count(v) > 1), None)
            if twice is not None:
                raise RecipeError(f"{where}, row {spelt!r}: {twice!r} is listed twice.", hint="Keep one of them.")
            row = dict.fromkeys(labels, 1.0 / max(1, len(labels)))  # noqa: PLW2901 - equal shares
        if not isinstance(row, Mapping):
            raise RecipeError(f"{where}, row {spelt!r}: {row!r}, expected {{value: share}} or a list of values.")
        out[spelt] = {
            _label(label, where): _number(v, f"{where}, row {spelt!r}, {label!r}", least=0.0)
            for label, v in row.items()
        }
    return out


def _rows_of_numbers(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _number(v, f"{where}, row {str(key)!r}") for key, v in value.items()}
    return {"*": _number(value, where)}


def _key(key: object) -> str:
    return SEPARATOR.join(part.strip() for part in str(key).split("|"))


def _label(value: object, where: str) -> str:
    word = str(value).strip()
    if isinstance(value, bool) or value is None or not word or "|" in word:
        raise RecipeError(f"{where}: {value!r} is no value of a column.", hint="Write it in quotes, without '|'.")
    return word


def _number(value: object, where: str, *, least: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < least:
        wanted = "a number" if least < 0 else "a number that is not negative"
        raise RecipeError(f"{where}: {value!r}, expected {wanted}.", hint="Correct this number.")
    return float(value)


def _shipped_table(name: str, where: str) -> dict[str, Any]:
    text = shipped("tables", f"{name}.yaml")
    if text is None:
        raise UnknownKeyError.of(name, shipped_names("tables"), where=where)
    return parse_yaml(text, f"tables/{name}.yaml", error=RecipeError)
