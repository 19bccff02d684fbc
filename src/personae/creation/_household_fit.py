"""Fitting households: seed households that can be, weights that meet the controls of both levels, whole counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from personae.core import InputError, RecipeError, derive_rng
from personae.creation._draws import Floats, Indexes, totals
from personae.creation._fit import category_mask
from personae.creation._kin import age_distances
from personae.creation._quota import largest_remainder, nearest_counts
from personae.creation._recipe import Margin
from personae.creation._weights import (
    ControlRow,
    WeightFit,
    conflicts,
    fill_blocks,
    improve_counts,
    ipu,
    rake_weights,
)

if TYPE_CHECKING:
    from personae.creation._household_recipe import HouseholdRecipe, SeedHousehold

AGREEMENT: Final = 2e-3
"""Largest error of a control, as a share, that still counts as met (rounding in print)."""
_AGE: Final = "social.age"
_LISTED: Final = 6


@dataclass(frozen=True, slots=True)
class HouseholdReport:
    """How the fit went, per thousand households.

    `left_out` counts the seed households that could not be, by rule (`ages` for kin of impossible age, `controls` for
    cells that are to stay empty).
    """

    rows: tuple[ControlRow, ...]
    homes: int
    left_out: dict[str, int]
    mean_size: float
    method: str
    rounds: int
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class FittedHouseholds:
    """Seed households that can be, with weights that sum to 1.

    Attributes:
        homes: the households, (records,).
        weights: shape (records,).
        codes: household categories, shape (records, household variables).
        members: categories of all members one after the other, shape (members, 1 + person variables); role first.
        owner: record of each member, shape (members,).
        sizes: members per record, shape (records,).
        distances: per record what kin allow their ages to differ; empty without ages.
        report: how the fit went.
    """

    homes: tuple[SeedHousehold, ...]
    weights: Floats
    codes: Indexes
    members: Indexes
    owner: Indexes
    sizes: Indexes
    distances: tuple[Floats, ...]
    report: HouseholdReport

    def rows(self) -> Indexes:
        """Categories of every member over all variables in the order of `HouseholdRecipe.variables`."""
        return np.column_stack([self.codes[self.owner], self.members])

    def person_shares(self, recipe: HouseholdRecipe) -> dict[str, Floats]:
        """Shares of people per label of each variable."""
        mass = self.weights[self.owner]
        return {
            name: totals(self.rows()[:, c], mass, len(v.labels)) / mass.sum()
            for c, (name, v) in enumerate(recipe.variables.items())
        }


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdCounts:
    """Whole households per record, and how the people come out against their controls."""

    counts: Indexes
    households: int
    persons: int
    rows: tuple[ControlRow, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Control:
    """One margin as columns of the incidence matrix."""

    margin: Margin
    level: str
    names: tuple[str, ...]
    shares: Floats
    incidence: Floats


def fit_households(recipe: HouseholdRecipe) -> FittedHouseholds:
    """Weights of the seed households of a recipe.

    Raises:
        RecipeError: no seed household can be, a control has none that counts for it, or controls contradict each
            other: they are named with their gaps.
    """
    table, left_out = _possible(recipe)
    controls = [_control(recipe, table, m, "households") for m in recipe.controls.households]
    controls += [_control(recipe, table, m, "persons") for m in recipe.controls.persons]
    keep = np.ones(len(table.homes), dtype=np.bool_)
    for control in controls:
        keep &= control.incidence[:, control.shares <= 0].sum(axis=1) == 0
    left_out["controls"] = int((~keep).sum())
    if not keep.any():
        raise RecipeError("no seed household is left: each holds somebody a control wants none of.", hint="Add more.")
    start = np.where(keep, table.weights, 0.0)
    for control in controls:
        _check_reached(control, start)
    mean = _mean_size(recipe, table, controls, start)
    incidence, targets, names = _system(table, controls, mean, recipe.mean_size)
    fit = _weights(recipe.method, incidence, targets, start, names)
    if not fit.converged and fit.worst > AGREEMENT:
        raise _unmet(conflicts(incidence[start > 0], targets, names))
    weights = fit.weights / fit.weights.sum()
    report = HouseholdReport(
        fit.rows, int(keep.sum()), {k: v for k, v in left_out.items() if v}, float(weights @ table.sizes),
        recipe.method, fit.rounds, fit.converged,
    )  # fmt: skip
    return FittedHouseholds(
        table.homes, weights, table.codes, table.members, table.owner, table.sizes, table.distances, report
    )


def count_households(
    recipe: HouseholdRecipe, fitted: FittedHouseholds, n: int, unit: str, seed: int
) -> HouseholdCounts:
    """Whole households: hard controls exact, everything else as near as exchanges of households bring it.

    Raises:
        RecipeError: the hard controls, or the number of people, cannot be met by whole households.
    """
    if unit == "households":
        counts, gap = _counts(recipe, fitted, n, None, seed)
    else:
        middle = max(1, round(n / float(fitted.weights @ fitted.sizes)))
        counts, gap = np.zeros(0, dtype=np.int64), 1
        for step in (0, 1, -1, 2, -2, 3, -3, 4, -4):
            if middle + step < 1:
                continue
            counts, gap = _counts(recipe, fitted, middle + step, n, seed)
            if gap == 0:
                break
        if gap:
            raise RecipeError(
                f"no whole households hold exactly {n} people within the hard controls.",
                hint="Choose another n, or count in households.",
            )
    controls = [_control(recipe, fitted, m, "households") for m in recipe.controls.households]
    controls += [_control(recipe, fitted, m, "persons") for m in recipe.controls.persons]
    homes, people = int(counts.sum()), int(counts @ fitted.sizes)
    rows = [
        ControlRow(name, float(share * (homes if c.level == "households" else people)), float(found))
        for c in controls
        for name, share, found in zip(c.names, c.shares, c.incidence.T @ counts, strict=True)
    ]
    return HouseholdCounts(counts, homes, people, tuple(rows))


def _unmet(told: str) -> RecipeError:
    if not told:
        return RecipeError(
            "the weights of households do not settle, though some would meet the controls.", hint="Use method: raking."
        )
    return RecipeError(
        f"the controls of households and people cannot be met together: {told} (per 1,000 households).",
        hint="Change these controls, add seed households of other shapes, or loosen a rule.",
    )


# Records --------------------------------------------------------------------------------------------------------------


def _possible(recipe: HouseholdRecipe) -> tuple[FittedHouseholds, dict[str, int]]:
    """Seed households that no rule excludes, as codes."""
    homes = recipe.homes
    position = {name: {label: c for c, label in enumerate(v.labels)} for name, v in recipe.variables.items()}
    codes = np.array([[position[n][h.values[n]] for n in recipe.households] for h in homes], dtype=np.int64)
    codes = codes.reshape(len(homes), len(recipe.households))
    own = ("role", *recipe.persons)
    members = np.array([[position[n][m[n]] for n in own] for h in homes for m in h.members], dtype=np.int64)
    sizes = np.array([len(h.members) for h in homes], dtype=np.int64)
    owner = np.repeat(np.arange(len(homes)), sizes)
    rows = np.column_stack([codes[owner], members])
    at = {name: c for c, name in enumerate(recipe.variables)}
    good = np.ones(len(homes), dtype=np.bool_)
    left_out: dict[str, int] = {}
    reader: Any = recipe  # category_mask asks a recipe for its variables alone
    for rule in recipe.rules:
        if rule.severity != "error":
            continue
        masks = {
            (part, name): category_mask(reader, rule.code, name, match)[rows[:, at[name]]]
            for part, name, match in rule.matches()
        }
        bad = np.zeros(len(homes), dtype=np.bool_)
        bad[owner[rule.combine(masks, len(rows))]] = True
        left_out[rule.code] = int((bad & good).sum())
        good &= ~bad
    distances = _distances(recipe, homes)
    if distances:
        bad = np.array([d is None for d in distances])
        left_out["ages"] = int((bad & good).sum())
        good &= ~bad
    if not good.any():
        told = ", ".join(f"{code} {many}" for code, many in left_out.items() if many)
        raise RecipeError(f"no seed household can be: {told}.", hint="Loosen a rule, or add other households.")
    kept = good[owner]
    number = np.cumsum(good) - 1
    report = HouseholdReport((), int(good.sum()), {}, 0.0, recipe.method, 0, converged=False)
    return FittedHouseholds(
        tuple(h for h, ok in zip(homes, good.tolist(), strict=True) if ok),
        np.array([h.weight for h in homes])[good], codes[good], members[kept], number[owner[kept]], sizes[good],
        tuple(d for d, ok in zip(distances, good.tolist(), strict=True) if ok and d is not None) if distances else (),
        report,
    ), left_out  # fmt: skip


def _distances(recipe: HouseholdRecipe, homes: tuple[SeedHousehold, ...]) -> list[Floats | None]:
    name = next((n for n, v in recipe.persons.items() if v.path == _AGE), None)
    if name is None:
        return []
    bins = recipe.persons[name].bins
    known: dict[tuple[tuple[str, str], ...], Floats | None] = {}
    out: list[Floats | None] = []
    for home in homes:
        key = tuple((m["role"], m[name]) for m in home.members)
        if key not in known:
            low, high = zip(*(bins[label] for _, label in key), strict=True)
            known[key] = age_distances([role for role, _ in key], low, high, recipe.ages)
        out.append(known[key])
    return out


# Controls -------------------------------------------------------------------------------------------------------------


def _control(recipe: HouseholdRecipe, table: FittedHouseholds, margin: Margin, level: str) -> _Control:
    at = {name: c for c, name in enumerate(recipe.variables)}
    cells = [""]
    for name in margin.vars:
        cells = [f"{c} | {label}" if c else label for c in cells for label in recipe.variables[name].labels]
    shares = np.array([margin.shares.get(cell, 0.0) for cell in cells])
    rows = table.codes if level == "households" else table.rows()
    owner = np.arange(len(table.homes)) if level == "households" else table.owner
    flat = np.zeros(len(rows), dtype=np.int64)
    for name in margin.vars:
        flat = flat * len(recipe.variables[name].labels) + rows[:, at[name]]
    incidence = np.zeros((len(table.homes), len(cells)))
    np.add.at(incidence, (owner, flat), 1.0)
    return _Control(margin, level, tuple(f"{level}: {margin.name}: {cell}" for cell in cells), shares, incidence)


def _check_reached(control: _Control, start: Floats) -> None:
    reached = start @ control.incidence
    lacking = np.flatnonzero((control.shares > 0) & (reached <= 0))
    if len(lacking):
        told = "; ".join(f"{control.names[c]} ({control.shares[c]:.4f})" for c in lacking[:6].tolist())
        raise RecipeError(
            f"controls ask for what no seed household holds: {told}.",
            hint="Add seed households or compositions that do, loosen a rule, or set these to 0.",
        )


def _mean_size(recipe: HouseholdRecipe, table: FittedHouseholds, controls: list[_Control], start: Floats) -> float:
    """People per household: as given, as counted on both levels, or as the controls of shares imply."""
    if recipe.mean_size is not None:
        return recipe.mean_size
    counted = {
        level: [sum(m.table.values()) for m in margins if m.unit == "count"]
        for level, margins in (("households", recipe.controls.households), ("persons", recipe.controls.persons))
    }
    if counted["households"] and counted["persons"]:
        return counted["persons"][0] / counted["households"][0]
    # Shares of people leave the number of people open: count each household by how far it is from the shares.
    parts, goals, names = [np.ones((len(start), 1))], [np.ones(1)], ["households"]
    for c in controls:
        used = c.shares > 0
        own = c.incidence if c.level == "households" else c.incidence - c.shares[None, :] * table.sizes[:, None]
        parts.append(own[:, used])
        goals.append(c.shares[used] if c.level == "households" else np.zeros(int(used.sum())))
        names += [n for n, u in zip(c.names, used.tolist(), strict=True) if u]
    incidence, targets = np.concatenate(parts, axis=1), np.concatenate(goals) * 1000.0
    fit = rake_weights(incidence, targets, start / start.sum() * 1000.0, names=names)
    if not fit.converged:
        told = conflicts(incidence[start > 0], targets, names)
        if told:
            raise _unmet(told)
    weights = fit.weights if fit.converged else start
    return float(weights @ table.sizes / weights.sum())


def _system(
    table: FittedHouseholds, controls: list[_Control], mean: float, stated: float | None
) -> tuple[Floats, Floats, list[str]]:
    """Incidence, targets per 1,000 households, and names, of all cells above 0."""
    parts: list[Floats] = []
    goals: list[Floats] = []
    names: list[str] = []
    if not any(c.level == "households" for c in controls):
        parts, goals, names = [np.ones((len(table.homes), 1))], [np.array([1000.0])], ["households"]
    if stated is not None and not any(c.level == "persons" for c in controls):
        parts.append(table.sizes[:, None].astype(np.float64))
        goals.append(np.array([1000.0 * mean]))
        names.append("people")
    for c in controls:
        used = c.shares > 0
        parts.append(c.incidence[:, used])
        goals.append(c.shares[used] * 1000.0 * (mean if c.level == "persons" else 1.0))
        names += [n for n, u in zip(c.names, used.tolist(), strict=True) if u]
    return np.concatenate(parts, axis=1), np.concatenate(goals), names


def _weights(method: str, incidence: Floats, targets: Floats, start: Floats, names: list[str]) -> WeightFit:
    scaled = start / start.sum() * 1000.0
    try:
        if method == "ipu":
            return ipu(incidence, targets, scaled, names=names)
        return rake_weights(incidence, targets, scaled, names=names)
    except InputError as cause:
        raise RecipeError(cause.message, hint=cause.hint) from cause


# Whole households -----------------------------------------------------------------------------------------------------


def _counts(
    recipe: HouseholdRecipe, fitted: FittedHouseholds, homes: int, persons: int | None, seed: int
) -> tuple[Indexes, int]:
    """Counts per record for a number of households, and how many people are too few or too many."""
    rng = derive_rng(seed, recipe.root, "households", homes, persons or 0)
    controls = [_control(recipe, fitted, m, "households") for m in recipe.controls.households]
    controls += [_control(recipe, fitted, m, "persons") for m in recipe.controls.persons]
    hard = [c for c in controls if c.margin.hard]
    block, quotas = _blocks(hard, fitted.weights, homes)
    counts = fill_blocks(fitted.weights, block, quotas, rng)
    people = persons if persons is not None else homes * float(fitted.weights @ fitted.sizes)
    parts, goals = [np.zeros((len(counts), 0))], [np.zeros(0)]
    for c in controls:
        if not c.margin.hard:
            parts.append(c.incidence)
            goals.append(c.shares * (homes if c.level == "households" else people))
    named = {v for c in controls for v in c.margin.vars}
    for name, shares in fitted.person_shares(recipe).items():
        if name not in named:  # what no control names stays as it was fitted
            own = Margin(vars=(name,), table=dict(zip(recipe.variables[name].labels, shares.tolist(), strict=True)))
            parts.append(_control(recipe, fitted, own, "persons").incidence)
            goals.append(np.asarray(shares * people, dtype=np.float64))
    if persons is not None:
        parts.append(fitted.sizes[:, None].astype(np.float64) * 100.0)
        goals.append(np.array([persons * 100.0]))
    improve_counts(counts, fitted.weights, block, np.concatenate(parts, axis=1), np.concatenate(goals), rng)
    return counts, 0 if persons is None else abs(int(counts @ fitted.sizes) - persons)


def _blocks(hard: list[_Control], weights: Floats, homes: int) -> tuple[Indexes, Indexes]:
    """Block of each record (records alike in all hard controls) and whole households per block."""
    if not hard:
        return np.zeros(len(weights), dtype=np.int64), np.array([homes], dtype=np.int64)
    cells = np.column_stack([c.incidence.argmax(axis=1) for c in hard])
    kinds, block = np.unique(cells, axis=0, return_inverse=True)
    block = block.reshape(-1)
    expected = totals(block, weights, len(kinds)) * homes
    quotas = [largest_remainder(c.shares, homes) for c in hard]
    if len(hard) == 1:
        return block, quotas[0][kinds[:, 0]]
    open_ = expected > 0  # a block whose records all have weight 0 stays empty
    counts = nearest_counts([kinds[open_, c] for c in range(len(hard))], quotas, expected[open_], tie=1e-6)
    if counts is None:
        raise RecipeError(
            f"no whole households meet all hard quotas at once: {', '.join([c.margin.name for c in hard][:_LISTED])}.",
            hint="Choose a larger n, or make one of the controls soft.",
        )
    solved = np.zeros(len(kinds), dtype=np.int64)
    solved[open_] = counts
    return block, solved
