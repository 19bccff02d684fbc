"""Trait recovery: do the answers carry the traits the person was given?

For every person the intended Big Five (T-scores of the record) meets the answered one (scale means of the inventory).
Recovery is the mean over domains of the Pearson correlation across people; people are the unit of randomisation.

Controls: (1) a twin of each person with the same demographics and somebody else's traits answers too. The twin's
answers should follow the twin's traits and not the original's, and within a person the change of answers should
follow the change of traits; (2) two conditions without a persona say what the model answers when it is nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personae.core import DOMAINS, Instrument, Measurement, Persona, ResponseRow, derive_seed
from personae.instruments import score_responses
from personae.measures._answers import (
    answers_by_person,
    control_measurements,
    reliability_measurements,
    zero_variance_measurement,
)
from personae.measures._make import Maker, adjusted
from personae.statistics import (
    Estimate,
    Interval,
    TestResult,
    correlation,
    correlation_interval,
    jackknife_interval,
    minimum_detectable_effect,
    permutation_test_correlation,
)

Table = NDArray[np.float64]
DRAWS: Final = 2000
FEWEST: Final = 4
"""people below which a correlation over them says nothing: leaving one out would leave two points on a line"""
_EDGE: Final = 1 - 1e-12
"""largest |r| that Fisher's z is taken of"""


@dataclass(frozen=True, slots=True)
class TraitTable:
    """Complete people only. `intended` and `answered`: shape (people, domains)."""

    people: tuple[str, ...]
    domains: tuple[str, ...]
    intended: Table
    answered: Table
    dropped: int

    @property
    def n(self) -> int:
        """People in the table."""
        return len(self.people)


def trait_table(
    responses: Sequence[ResponseRow], traits: Mapping[str, Mapping[str, float]], instrument: Instrument, condition: str
) -> TraitTable:
    """Intended against answered traits of everybody who answered enough under `condition`.

    `traits` maps a persona id to T-scores by domain name. People with a missing scale are dropped and counted.
    """
    domains = tuple(d for d in DOMAINS if d in instrument.scales.values())
    codes = {name: code for code, name in instrument.scales.items()}
    people: list[str] = []
    intended: list[list[float]] = []
    answered: list[list[float]] = []
    dropped = 0
    for person, answers in sorted(answers_by_person(responses, condition).items()):
        given = traits.get(person)
        scores = score_responses(instrument, answers)
        values = [scores[codes[d]].value for d in domains]
        if given is None or any(v is None for v in values) or any(d not in given for d in domains):
            dropped += 1
            continue
        people.append(person)
        intended.append([given[d] for d in domains])
        answered.append([float(v) for v in values if v is not None])
    shape = (len(people), len(domains))
    return TraitTable(
        tuple(people), domains, np.array(intended).reshape(shape), np.array(answered).reshape(shape), dropped
    )


def mean_correlation(a: Table, b: Table) -> float:
    """Mean over columns of the Pearson correlation of two tables (people, columns); NaN if a column is flat."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    scale = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    if (scale < 1e-12).any():
        return float("nan")
    return float(((x * y).sum(axis=0) / scale).mean())


def recovery(a: Table, b: Table) -> Estimate:
    """Mean correlation with a jackknife interval over people, made on Fisher's z so that it stays within [-1, 1]."""

    def z(rows: NDArray[np.intp]) -> float:
        return float(np.arctanh(np.clip(mean_correlation(a[rows], b[rows]), -_EDGE, _EDGE)))

    if a.shape[0] < FEWEST:
        return _too_few(a.shape[0])
    found = jackknife_interval(z, a.shape[0])
    low, high = float(np.tanh(found.interval.low)), float(np.tanh(found.interval.high))
    interval = replace(found.interval, low=low, high=high, method="jackknife t on Fisher z")
    return replace(found, value=float(np.tanh(found.value)), interval=interval)


def recovery_test(a: Table, b: Table, *, seed: int, draws: int = DRAWS) -> TestResult:
    """Permutation of whole people: the null is that answers do not know whose traits they are."""
    n, domains = a.shape
    groups = np.repeat(np.arange(n), domains)
    rng = np.random.default_rng(seed)
    return permutation_test_correlation(
        _standardised(a).ravel(), _standardised(b).ravel(), groups, rng=rng, draws=draws
    )


def _standardised(a: Table) -> Table:
    """Columns with mean 0 and sd 1; a flat column stays 0, so that it cannot correlate with anything."""
    spread = a.std(axis=0)
    return (a - a.mean(axis=0)) / np.where(spread < 1e-12, 1.0, spread)


def trait_measurements(
    responses: Sequence[ResponseRow],
    people: Sequence[Persona],
    twins: Mapping[str, Persona],
    instrument: Instrument,
    *,
    model: str,
    seed: int,
) -> list[Measurement]:
    """All trait measurements of a run.

    Args:
        responses: rows of the conditions `self`, `twin`, `template_default`, `empty_system`.
        people: the subjects, as themselves.
        twins: subject id → the twin with swapped traits.
        instrument: what everybody answered.
        model: what was asked, as the run names it.
        seed: of the permutation tests.
    """
    failed = sum(r.value is None for r in responses)
    make = Maker(model=model, seed=seed, failures=failed)
    traits = {p.id: _scores(p) for p in (*people, *twins.values())}
    own = trait_table(responses, traits, instrument, "self")
    swapped = trait_table(responses, traits, instrument, "twin")
    out = [
        _recovery(make, "trait_recovery.self", "Traits recovered from people as themselves", own, seed, "self"),
        *_domains(make, own, seed),
        _recovery(make, "trait_recovery.twin", "Traits recovered from swapped-trait twins", swapped, seed, "twin"),
        *_swap(make, own, swapped, {p.id: t.id for p in people if (t := twins.get(p.id))}, seed),
        *reliability_measurements(make, responses, instrument),
        *control_measurements(make, responses, instrument),
        *zero_variance_measurement(make, responses),
    ]
    if own.n >= FEWEST:
        out.append(
            make.number(
                "trait_recovery.mde",
                "Smallest correlation this n can detect (power .80, one domain)",
                minimum_detectable_effect("correlation", own.n),
                unit="r",
                n=own.n,
                method="Fisher z, two-sided, alpha .05",
                reason="a property of the design, not an estimate",
            )
        )
    return out


def _scores(persona: Persona) -> dict[str, float]:
    return persona.personal.big_five.scores() if persona.personal.big_five else {}


def _recovery(make: Maker, name: str, label: str, table: TraitTable, seed: int, condition: str) -> Measurement:
    test = recovery_test(table.intended, table.answered, seed=derive_seed(seed, name)) if table.n >= FEWEST else None
    return make.estimate(
        name,
        label,
        recovery(table.intended, table.answered),
        unit="mean r",
        direction="higher is better",
        method="mean Pearson r over domains, jackknife over people",
        test=test,
        condition=condition,
        note=f"{table.dropped} people without complete scales left out." if table.dropped else None,
    )


def _too_few(n: int) -> Estimate:
    reason = f"{n} complete {'person' if n == 1 else 'people'}: at least {FEWEST} are needed"
    return Estimate(math.nan, Interval.missing(0.95, "jackknife t on Fisher z", reason), n, n, reason=reason)


def _domains(make: Maker, table: TraitTable, seed: int) -> list[Measurement]:
    out: list[Measurement] = []
    for k, domain in enumerate(table.domains):
        x, y = table.intended[:, k], table.answered[:, k]
        rng = np.random.default_rng(derive_seed(seed, "domain", domain))
        test = permutation_test_correlation(x, y, rng=rng, draws=DRAWS) if table.n >= FEWEST else None
        out.append(
            make.estimate(
                f"trait_recovery.{domain}",
                f"{domain.capitalize()} recovered",
                correlation_interval(x, y) if table.n >= FEWEST else _too_few(table.n),
                unit="r",
                direction="higher is better",
                method="Pearson r, Fisher interval",
                test=test,
                condition="self",
            )
        )
    return adjusted(out, family="five domains")


def _swap(
    make: Maker, own: TraitTable, swapped: TraitTable, twin_of: Mapping[str, str], seed: int
) -> list[Measurement]:
    """The control by swapped traits: what follows the traits, and what follows the demographics."""
    index = {p: k for k, p in enumerate(swapped.people)}
    pairs = [(k, index[twin_of[p]]) for k, p in enumerate(own.people) if twin_of.get(p) in index]
    a = np.array([p[0] for p in pairs], dtype=int)
    b = np.array([p[1] for p in pairs], dtype=int)
    if len(pairs) < FEWEST:
        few = _too_few(len(pairs))
        return [
            make.estimate(n, label, few, unit="mean r", method="mean Pearson r over pairs", control=c)
            for n, label, c in (
                ("trait_recovery.swap", "Change of answers follows change of traits", False),
                ("trait_recovery.twin_original", "Twin's answers against the original's traits", True),
            )
        ]
    traits = own.intended[a] - swapped.intended[b]
    answers = own.answered[a] - swapped.answered[b]
    given = swapped.intended[b]
    original, twin = _residual(own.intended[a], given), _residual(swapped.answered[b], given)
    return [
        make.estimate(
            "trait_recovery.swap",
            "Change of answers follows change of traits (same demographics)",
            recovery(traits, answers),
            unit="mean r",
            direction="higher is better",
            condition="self − twin",
            method="mean Pearson r of within-person differences, jackknife over people",
            test=recovery_test(traits, answers, seed=derive_seed(seed, "swap")),
        ),
        make.estimate(
            "trait_recovery.twin_original",
            "Control: twin's answers against the original's traits",
            recovery(original, twin),
            unit="mean partial r",
            control=True,
            condition="twin",
            method="mean partial r over domains, the twin's own traits held constant, jackknife over people",
        ),
    ]


def _residual(values: Table, given: Table) -> Table:
    """What is left of each column after regressing it on the same column of `given`."""
    x = given - given.mean(axis=0)
    y = values - values.mean(axis=0)
    scale = (x * x).sum(axis=0)
    return y - x * ((x * y).sum(axis=0) / np.where(scale < 1e-12, 1.0, scale))


def intended_against_answered(table: TraitTable) -> list[tuple[str, str, float, float]]:
    """Rows (person, domain, intended T, answered scale mean) for a chart."""
    return [
        (person, domain, float(table.intended[i, k]), float(table.answered[i, k]))
        for i, person in enumerate(table.people)
        for k, domain in enumerate(table.domains)
    ]


def domain_correlations(table: TraitTable) -> dict[str, float]:
    """Plain correlations by domain, for captions."""
    return {d: correlation(table.intended[:, k], table.answered[:, k]) for k, d in enumerate(table.domains)}
