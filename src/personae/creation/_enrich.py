"""Drawing the columns under `drawn`: each by its own lane, all people at once, one person the same way.

Which combinations of given values can occur is followed from the fitted table through the columns in order, so a row
that is missing, or that rules leave empty, is found before anybody is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, Frozen, RecipeError, derive_seed
from personae.creation._drawn import Drawn, Formula
from personae.creation._draws import Floats, Indexes, normals, uniforms
from personae.creation._fit import category_mask
from personae.creation._paths import leaf_kind, place, place_words
from personae.creation._rows import SEPARATOR, best_row
from personae.creation._rules import Rule
from personae.creation._values import VALUES

if TYPE_CHECKING:
    from personae.creation._recipe import Recipe

SourceKind = Literal["margin", "conditional", "seed", "drawn", "traits", "names", "places", "constant"]
VALUES_INSTRUMENT: Final = "Schwartz's ten values"
_MOST: Final = 2_000_000
"""Most combinations of values that are followed."""


class ColumnSource(Frozen):
    """Where a column comes from: the kind of figures that decide it, and what they say of themselves."""

    kind: SourceKind
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """One compiled column: the combinations of `needs` that can occur, and for each a row of the table or numbers."""

    column: Drawn
    choosers: tuple[str, ...]
    sizes: tuple[int, ...]
    combos: Indexes
    edges: Floats
    """cumulated shares, row r inside [r, r + 1], flat"""
    last: Indexes
    parameters: dict[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnValues:
    """One drawn column: codes into `labels`, or numbers when there are none."""

    labels: tuple[str, ...] | None
    values: NDArray[Any]

    def arrow(self) -> Any:
        """The column as an Arrow array; words are dictionary-encoded."""
        import pyarrow as pa

        if self.labels is None:
            return pa.array(self.values)
        at: Any = pa.array(self.values.astype(np.int32))
        return pa.DictionaryArray.from_arrays(at, pa.array(list(self.labels)))

    def array(self) -> NDArray[Any]:
        """Words or numbers, one per person."""
        return self.values if self.labels is None else np.array(self.labels)[self.values]


class Enrichment:
    """The drawn columns of a recipe, ready to be drawn.

    Args:
        recipe: its variables and drawn columns.
        codes: combinations of categories that can occur, shape (combinations, variables); default: those of the fit.

    Raises:
        RecipeError: a combination that occurs has no row, two rows that fit equally well, or none left by the rules.
    """

    def __init__(self, recipe: Recipe, codes: Indexes | None = None) -> None:
        self._recipe = recipe
        if recipe.drawn and codes is None:
            codes = recipe.fitted.codes.astype(np.int64)
        self._plans = _plans(recipe, codes) if codes is not None else ()
        values = next((c.values for c in recipe.drawn if c.values is not None), None)
        traits = recipe.traits
        self._weights = values.weights(traits) if values is not None and traits is not None else None

    def draw(
        self, key: int, ks: Indexes, codes: NDArray[np.int16], details: Mapping[str, NDArray[Any]], attempt: int
    ) -> dict[str, DrawnValues]:
        """All columns for some people, by name.

        Args:
            key: seed of the population.
            ks: people, shape (people,).
            codes: their categories, shape (people, variables).
            details: what was drawn inside the cell, by persona path.
            attempt: which try.
        """
        known: dict[str, NDArray[Any]] = {name: codes[:, c] for c, name in enumerate(self._recipe.variables)}
        out: dict[str, DrawnValues] = {}
        for plan in self._plans:
            column = plan.column
            lane = derive_seed(key, column.name)
            if column.values is not None and self._weights is not None:
                draws = normals(uniforms(lane, ks, attempt, len(VALUES)))
                traits = np.column_stack([details[f"personal.big_five.{d}"] for d in DOMAINS])
                scores = column.values.scores(traits, draws, self._weights)
                for v, value in enumerate(VALUES):
                    out[f"{column.name}.{value}"] = DrawnValues(None, scores[:, v])
                for rank, index in enumerate(column.values.leading(scores).T, start=1):
                    out[f"{column.name}.{rank}"] = DrawnValues(VALUES, index)
                continue
            draws = uniforms(lane, ks, attempt, 1)[:, 0]
            row = plan_rows(plan, known)
            if column.formula is not None:
                numbers = self._numbers(plan, column.formula, row, draws, details, out)
                out[column.name] = DrawnValues(None, numbers)
            else:
                size = len(column.labels)
                at = np.searchsorted(plan.edges, row + draws, side="right") - row * size
                picked = np.minimum(at, plan.last[row])
                known[column.name] = picked
                out[column.name] = DrawnValues(column.labels, picked)
        return out

    def _numbers(
        self,
        plan: _Plan,
        formula: Formula,
        row: Indexes,
        draws: Floats,
        details: Mapping[str, NDArray[Any]],
        drawn: Mapping[str, DrawnValues],
    ) -> NDArray[Any]:
        shift = np.zeros(len(draws))
        for name, slope in formula.plus.items():
            path = self._recipe.variables[name].path if name in self._recipe.variables else None
            numbers = details[path] if path is not None else drawn[name].values
            shift = shift + slope * numbers
        own = {name: values[row] for name, values in plan.parameters.items()}
        low, high = own.get("min", -np.inf), own.get("max", np.inf)
        if formula.uniform is not None:
            out = own["low"] + draws * (own["high"] - own["low"])
        elif formula.normal is not None:
            out = _cut_normal(draws, own["mean"] + shift, own["sd"], low, high)
        else:
            ends = [np.log(np.maximum(end, 1e-300)) for end in (low, high)]
            out = np.exp(_cut_normal(draws, np.log(own["median"]) + shift, own["sigma"], ends[0], ends[1]))
        out = np.clip(np.round(out, formula.round), low, high)
        return out.astype(np.int64) if formula.round <= 0 else out

    def place(self, body: dict[str, Any], columns: Mapping[str, list[Any]]) -> None:
        """Put one person's values (`told` rows) into a persona body."""
        for column in self._recipe.drawn:
            where = f"drawn {column.name!r}"
            if column.values is not None:
                scores = [
                    {"instrument": VALUES_INSTRUMENT, "scale": v, "value": columns[f"{column.name}.{v}"],
                     "unit": "standard deviations from the person's own mean"}
                    for v in VALUES
                ]  # fmt: skip
                personal = body.setdefault("personal", {})
                personal["psychometrics"] = (*personal.get("psychometrics", ()), *scores)
                words: list[str | None] = [
                    column.text.get(w, w)
                    for rank in range(1, column.values.top + 1)
                    for w in [str(columns[f"{column.name}.{rank}"])]
                ]
            else:
                value: Any = columns[column.name]
                if column.path is None:
                    continue
                if str(value) in column.text:
                    words = [column.text[str(value)]]
                elif column.formula is not None:
                    if column.formula.words is None and leaf_kind(column.path, where) != "list":
                        numeric = leaf_kind(column.path, where) == "number" or column.path.startswith("attributes.")
                        place(body, column.path, value if numeric else str(value))
                        continue
                    words = [(column.formula.words or "{}").replace("{}", f"{value:,}")]
                else:
                    words = [value]
            for word in words:
                if word is not None and column.path is not None:
                    place_words(body, column.path, word, where)


def _cut_normal(draws: Floats, mean: Floats, sd: Floats, low: Any, high: Any) -> Floats:
    """Normals between two ends, by the inverse of the distribution function."""
    from scipy.special import ndtr, ndtri

    bottom, top = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return np.clip(mean + sd * ndtri(np.clip(bottom + draws * (top - bottom), 1e-300, 1 - 1e-16)), low, high)


def plan_rows(plan: _Plan, known: Mapping[str, NDArray[Any]]) -> Indexes:
    """Which compiled row each person belongs to."""
    if not plan.choosers:
        return np.zeros(len(next(iter(known.values()))), dtype=np.int64)
    flat = _flat([known[name] for name in plan.choosers], plan.sizes)
    return np.searchsorted(plan.combos, flat)


def _flat(columns: list[NDArray[Any]], sizes: Iterable[int]) -> Indexes:
    out = np.zeros(len(columns[0]), dtype=np.int64)
    for column, size in zip(columns, sizes, strict=True):
        out = out * size + column
    return out


# Compiling ------------------------------------------------------------------------------------------------------------


def _plans(recipe: Recipe, codes: Indexes) -> tuple[_Plan, ...]:
    labels = dict(recipe.labels)
    names: list[str] = list(recipe.variables)
    out: list[_Plan] = []
    for position, column in enumerate(recipe.drawn):
        plus = column.formula.plus if column.formula else {}
        choosers = tuple(n for n in column.needs if n not in plus)
        sizes = tuple(len(labels[n]) for n in choosers)
        if choosers:
            flat = _flat([codes[:, names.index(n)] for n in choosers], sizes)
            combos, at = np.unique(flat, return_inverse=True)
        else:
            combos, at = np.zeros(1, dtype=np.int64), np.zeros(len(codes), dtype=np.int64)
        spelt = [_spell(int(c), choosers, labels) for c in combos]
        if column.values is not None:
            out.append(_Plan(column, (), (), combos, np.zeros(0), combos, {}))
            continue
        if column.formula is not None:
            numbers = column.formula.parameters
            parameters = {n: _number_rows(column, n, rows, spelt) for n, rows in numbers.items() if rows}
            _check_ends(column, parameters, spelt)
            out.append(_Plan(column, choosers, sizes, combos, np.zeros(0), combos, parameters))
            continue
        shares = _share_rows(recipe, column, labels, spelt)
        edges = np.cumsum(shares, axis=1)
        edges = edges / edges[:, -1:] + np.arange(len(edges))[:, None]
        last = shares.shape[1] - 1 - np.argmax(shares[:, ::-1] > 0, axis=1)
        out.append(_Plan(column, choosers, sizes, combos, edges.reshape(-1), last.astype(np.int64), {}))
        labels[column.name] = column.labels
        later = {n for c in recipe.drawn[position + 1 :] for n in c.needs}
        if column.name in later:
            rows, values = np.nonzero(shares > 0)
            codes, names = _extended(codes, at, rows, values, names, column.name, later)
    return tuple(out)


def _extended(
    codes: Indexes, at: Indexes, rows: Indexes, values: Indexes, names: list[str], name: str, later: set[str]
) -> tuple[Indexes, list[str]]:
    """The combinations that can occur, with one more column, over the columns that are needed later."""
    keep = [c for c, n in enumerate(names) if n in later]
    base = np.unique(np.column_stack([at, codes[:, keep]]), axis=0)
    starts = np.searchsorted(rows, np.arange(int(rows.max()) + 2))
    many = (starts[1:] - starts[:-1])[base[:, 0]]
    if int(many.sum()) > _MOST:
        raise RecipeError(
            f"drawn {name!r}: {int(many.sum()):,} combinations of {', '.join(names[c] for c in keep)} and {name!r} "
            f"can occur, at most {_MOST:,} are followed.",
            hint="Give later columns fewer variables.",
        )
    owner = np.repeat(np.arange(len(base)), many)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(many) - many, many)
    value = values[starts[base[owner, 0]] + step]
    wide = np.unique(np.column_stack([base[owner, 1:], value]), axis=0)
    return wide, [*(names[c] for c in keep), name]


def _spell(combo: int, choosers: tuple[str, ...], labels: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    out: dict[str, str] = {}
    for name in reversed(choosers):
        combo, code = divmod(combo, len(labels[name]))
        out[name] = labels[name][code]
    return {name: out[name] for name in choosers}


def _row(column: Drawn, keys: Iterable[str], combo: Mapping[str, str], part: str) -> str:
    words = [combo[name] for name in column.given]
    where = f"drawn {column.name!r}{part}"
    key = best_row(keys, words, where)
    if key is None:
        raise RecipeError(
            f"{where} has no row for {SEPARATOR.join(words)!r} ({', '.join(column.given)}), which occurs.",
            hint="Add the row, or use * for any value.",
        )
    return key


def _number_rows(column: Drawn, part: str, rows: Mapping[str, float], spelt: list[dict[str, str]]) -> Floats:
    return np.array([rows[_row(column, rows, combo, f", {part}")] for combo in spelt])


def _check_ends(column: Drawn, parameters: Mapping[str, Floats], spelt: list[dict[str, str]]) -> None:
    for low, high in (("min", "max"), ("low", "high")):
        if low in parameters and high in parameters:
            wrong = np.flatnonzero(parameters[low] > parameters[high])
            if len(wrong):
                row = int(wrong[0])
                raise RecipeError(
                    f"drawn {column.name!r}, {SEPARATOR.join(spelt[row].values()) or 'everybody'}: {low} "
                    f"{parameters[low][row]:g} is above {high} {parameters[high][row]:g}."
                )


def _share_rows(
    recipe: Recipe,
    column: Drawn,
    labels: Mapping[str, tuple[str, ...]],
    spelt: list[dict[str, str]],
) -> Floats:
    """Shares of the labels for each combination, after the rules; shape (combinations, labels)."""
    position = {label: c for c, label in enumerate(column.labels)}
    rows: dict[str, Floats] = {}
    for key, row in column.table.items():
        rows[key] = np.zeros(len(position))
        for label, share in row.items():
            rows[key][position[label]] = share
    chosen = [_row(column, column.table, combo, "") for combo in spelt]
    out = np.array([rows[key] for key in chosen])
    for rule in column.rules:
        if rule.severity == "error":
            out[_broken(recipe, column, labels, spelt, rule)] = 0.0
    total = out.sum(axis=1)
    empty = np.flatnonzero(total <= 0)
    if len(empty):
        combo = spelt[int(empty[0])]
        told = ", ".join(f"{name} {value!r}" for name, value in combo.items())
        raise RecipeError(
            f"drawn {column.name!r}: the rules leave nothing for {told}.",
            hint=f"Loosen one of {', '.join(r.code for r in column.rules)}, or widen row {chosen[int(empty[0])]!r}.",
        )
    return out / total[:, None]


def _broken(
    recipe: Recipe,
    column: Drawn,
    labels: Mapping[str, tuple[str, ...]],
    spelt: list[dict[str, str]],
    rule: Rule,
) -> NDArray[np.bool_]:
    """Which (combination, label) break a rule."""
    shape = (len(spelt), len(column.labels))
    masks: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for part, name, match in rule.matches():
        if name == column.name:
            own = np.array([match.holds(label) for label in column.labels])
            masks[part, name] = np.broadcast_to(own, shape).reshape(-1)
            continue
        if name in recipe.variables:
            told = category_mask(recipe, rule.code, name, match)
        else:
            told = np.array([match.holds(label) for label in labels[name]])
        code = {label: c for c, label in enumerate(labels[name])}
        each = told[[code[combo[name]] for combo in spelt]]
        masks[part, name] = np.broadcast_to(each[:, None], shape).reshape(-1)
    return rule.combine(masks, shape[0] * shape[1]).reshape(shape)


# Sources --------------------------------------------------------------------------------------------------------------


def column_sources(recipe: Recipe) -> dict[str, ColumnSource]:
    """Where each column of the people comes from, by column name (persona path for what has no other)."""
    general = recipe.source or "not stated"
    out: dict[str, ColumnSource] = {}
    for name in recipe.variables:
        parts = [("conditional", c.source) for c in recipe.conditionals if c.child == name]
        parts += [("margin", m.source) for m in recipe.margins if name in m.vars]
        if recipe.seed_table is not None and name in recipe.seed_table.vars:
            parts.append(("seed", recipe.seed_table.source))
        told = "; ".join(dict.fromkeys(source or general for _, source in parts))
        out[name] = ColumnSource.model_validate({"kind": parts[0][0], "source": told})
    for column in recipe.drawn:
        told = column.source or ("data/values/schwartz.yaml" if column.values is not None else general)
        out[column.name] = ColumnSource(kind="drawn", source=told)
    if recipe.traits is not None:
        out["personal.big_five"] = ColumnSource(kind="traits", source=recipe.traits.source)
    if recipe.places:
        out["social.residence"] = ColumnSource(kind="places", source=general)
    for path in recipe.constants:
        out[path] = ColumnSource(kind="constant", source=general)
    out["names"] = ColumnSource(kind="names", source=recipe.names.source)
    return out
