"""Trait recovery on hand-made tables: what is put in comes out, what is missing says so."""

from __future__ import annotations

import numpy as np
import pytest
from tables import SCALES, SHARED, TINY, answers, by_name, person, response

from personae.measures import (
    domain_correlations,
    intended_against_answered,
    mean_correlation,
    recovery,
    recovery_test,
    trait_measurements,
    trait_table,
)

DOMAINS = tuple(SCALES.values())


def crowd(n: int, seed: int = 3) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [
        dict(zip(DOMAINS, (50 + 10 * z).tolist(), strict=True)) for z in rng.standard_normal((n, 5)).clip(-2.5, 2.5)
    ]


def scale_means(
    traits: dict[str, float], noise: float = 0.0, rng: np.random.Generator | None = None
) -> dict[str, float]:
    """T-scores as scale means, 3 ± 0.6 a standard deviation."""
    wobble = rng.standard_normal(5) * noise if rng is not None else np.zeros(5)
    return {d: float(np.clip(3 + 0.06 * (traits[d] - 50) + w, 1, 5)) for d, w in zip(DOMAINS, wobble, strict=True)}


# The table ---------------------------------------------------------------------------------------------------------


def test_the_table_meets_people_with_their_traits_and_keys_reversed_items() -> None:
    rows = answers("a", {"openness": 4.0}) + answers("b", {"openness": 2.0, "neuroticism": 5.0})
    traits = {"a": dict.fromkeys(DOMAINS, 60.0), "b": dict.fromkeys(DOMAINS, 40.0)}
    table = trait_table(rows, traits, TINY, "self")
    assert table.people == ("a", "b")
    assert set(table.domains) == set(DOMAINS)
    assert table.intended[:, 0].tolist() == [60, 40]
    assert dict(zip(table.domains, table.answered[1], strict=True)) == {
        "openness": 2.0,
        "conscientiousness": 3.0,
        "extraversion": 3.0,
        "agreeableness": 3.0,
        "neuroticism": 5.0,
    }


def test_people_with_a_missing_scale_or_without_traits_are_dropped_and_counted() -> None:
    rows = answers("a", {}) + answers("b", {})[:-2] + answers("c", {})
    rows += [response("d", "O+", None, status="refused"), response("d", "O-", 3.0)]
    traits = {who: dict.fromkeys(DOMAINS, 50.0) for who in "abd"}
    table = trait_table(rows, traits, TINY, "self")
    assert table.people == ("a",)
    assert table.dropped == 3


def test_answers_that_do_not_count_are_missing_not_zero() -> None:
    rows = [r.model_copy(update={"status": "zero_variance"}) for r in answers("a", {})]
    table = trait_table(rows, {"a": dict.fromkeys(DOMAINS, 50.0)}, TINY, "self")
    assert (table.n, table.dropped) == (0, 1)
    assert table.intended.shape == (0, 5)


def test_only_the_condition_asked_for_is_read() -> None:
    rows = answers("a", {}) + answers("b", {}, "twin")
    traits = {who: dict.fromkeys(DOMAINS, 50.0) for who in "ab"}
    assert trait_table(rows, traits, TINY, "self").people == ("a",)
    assert trait_table(rows, traits, TINY, "twin").people == ("b",)


def test_rows_for_a_chart_and_for_captions() -> None:
    rows = [r for who, v in (("a", 2.0), ("b", 3.0), ("c", 4.0)) for r in answers(who, {"openness": v})]
    traits = {who: dict.fromkeys(DOMAINS, t) for who, t in (("a", 40.0), ("b", 50.0), ("c", 60.0))}
    table = trait_table(rows, traits, TINY, "self")
    points = intended_against_answered(table)
    assert ("c", "openness", 60.0, 4.0) in points
    assert len(points) == 15
    assert domain_correlations(table)["openness"] == pytest.approx(1)


# The estimate ------------------------------------------------------------------------------------------------------


def test_mean_correlation_is_the_mean_over_domains() -> None:
    a = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    b = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    assert mean_correlation(a, b) == pytest.approx(0)
    assert mean_correlation(a, a) == pytest.approx(1)
    assert np.isnan(mean_correlation(a, np.ones_like(a)))


def test_recovery_agrees_with_numpy_and_stays_within_one() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((30, 5))
    b = a + rng.standard_normal((30, 5))
    found = recovery(a, b)
    assert found.value == pytest.approx(np.mean([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(5)]))
    assert -1 <= found.interval.low < found.value < found.interval.high <= 1
    assert (found.n, found.clusters) == (30, 30)


def test_perfect_recovery_is_no_accident_of_arithmetic() -> None:
    a = np.random.default_rng(2).standard_normal((12, 5))
    found = recovery(a, 2 * a + 1)
    assert found.value == pytest.approx(1)
    assert not found.interval.known or found.interval.high <= 1
    assert recovery_test(a, a, seed=1).p < 0.01


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_too_few_people_are_no_number(n: int) -> None:
    a = np.random.default_rng(2).standard_normal((n, 5))
    found = recovery(a, a)
    assert np.isnan(found.value)
    assert f"{n} complete" in found.reason


def test_a_flat_domain_is_no_number_either() -> None:
    a = np.random.default_rng(2).standard_normal((12, 5))
    b = a.copy()
    b[:, 2] = 3.0
    found = recovery(a, b)
    assert np.isnan(found.value)
    assert found.reason


def test_the_permutation_moves_whole_people() -> None:
    """Domains of one person are answered alike here; exchanging single answers would call chance an effect."""
    rng = np.random.default_rng(4)
    flagged = 0
    for k in range(200):
        a = rng.standard_normal((12, 1)) + 0.1 * rng.standard_normal((12, 5))
        b = rng.standard_normal((12, 1)) + 0.1 * rng.standard_normal((12, 5))
        flagged += recovery_test(a, b, seed=k, draws=99).p <= 0.05
    assert flagged <= 20


# All measurements --------------------------------------------------------------------------------------------------


def evidence(n: int, *, follow: str, noise: float = 0.3):
    """People and twins whose answers follow their `traits`, the original person (`demographics`), or nothing."""
    rng = np.random.default_rng(9)
    given = crowd(n)
    people = [person(f"P{k}", **t) for k, t in enumerate(given)]
    swapped = [given[(k + 1) % n] for k in range(n)]
    twins = {p.id: person(f"P{k}", **swapped[k]) for k, p in enumerate(people)}
    rows = []
    for k, p in enumerate(people):
        told = {"traits": (given[k], swapped[k]), "demographics": (given[k], given[k]), "nothing": (None, None)}[follow]
        nobody = dict.fromkeys(DOMAINS, 50.0)
        rows += answers(p.id, scale_means(told[0] or nobody, noise, rng), "self")
        rows += answers(twins[p.id].id, scale_means(told[1] or nobody, noise, rng), "twin")
    return rows, people, twins


def test_answers_that_follow_traits_are_told_from_answers_that_follow_demographics() -> None:
    rows, people, twins = evidence(24, follow="traits")
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    assert found["trait_recovery.self"].interval.low > 0.5
    assert found["trait_recovery.swap"].interval.low > 0.5
    assert found["trait_recovery.twin_original"].interval.low < 0.2
    rows, people, twins = evidence(24, follow="demographics")
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    assert found["trait_recovery.self"].interval.low > 0.5
    assert abs(found["trait_recovery.swap"].value) < 0.3
    assert found["trait_recovery.twin_original"].interval.low > 0.5


def test_answers_that_follow_nothing_show_nothing() -> None:
    rows, people, twins = evidence(24, follow="nothing")
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    for name in ("self", "twin", "swap"):
        m = found[f"trait_recovery.{name}"]
        assert m.interval.low < 0 < m.interval.high
        assert m.p > 0.05


def test_domains_are_adjusted_together() -> None:
    rows, people, twins = evidence(24, follow="nothing")
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    domains = [found[f"trait_recovery.{d}"] for d in DOMAINS]
    assert all(m.p_adjusted >= m.p for m in domains)
    assert all("Holm over 5 tests" in m.note for m in domains)
    assert found["trait_recovery.self"].p_adjusted is None


def test_everything_names_n_seed_model_and_interval_or_reason() -> None:
    rows, people, twins = evidence(8, follow="traits")
    for m in trait_measurements(rows, people, twins, TINY, **SHARED):
        assert m.model == "fake:tests"
        assert m.seed == 7
        assert m.cluster == "person"
        assert m.interval is not None or m.reason
        assert m.n == 8 or m.name == "answers.zero_variance"


def test_missing_answers_count_as_failures_of_every_number() -> None:
    rows, people, twins = evidence(8, follow="traits")
    rows[0] = rows[0].model_copy(update={"value": None, "status": "refused"})
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    assert found["trait_recovery.self"].failures == 1
    assert found["trait_recovery.self"].n == 7
    assert "1 people without complete scales" in found["trait_recovery.self"].note


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_or_no_people_give_reasons(n: int) -> None:
    rows, people, twins = evidence(n, follow="traits") if n else ([], [], {})
    found = by_name(trait_measurements(rows, people, twins, TINY, **SHARED))
    for name in ("self", "twin", "swap", "twin_original", "openness"):
        m = found[f"trait_recovery.{name}"]
        assert m.value is None
        assert m.reason
        assert m.p is None
    assert "trait_recovery.mde" not in found


def test_without_twins_there_is_no_swap() -> None:
    rows, people, _ = evidence(8, follow="traits")
    rows = [r for r in rows if r.condition == "self"]
    found = by_name(trait_measurements(rows, people, {}, TINY, **SHARED))
    assert found["trait_recovery.self"].value > 0.5
    assert found["trait_recovery.swap"].value is None
    assert "0 complete people" in found["trait_recovery.swap"].reason


def test_the_smallest_effect_falls_with_n() -> None:
    sizes = []
    for n in (8, 24):
        rows, people, twins = evidence(n, follow="traits")
        sizes.append(by_name(trait_measurements(rows, people, twins, TINY, **SHARED))["trait_recovery.mde"].value)
    assert sizes[0] > sizes[1] > 0.4
