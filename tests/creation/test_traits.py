"""Big Five: the planted correlations and effects come back, and twins swap what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import DOMAINS, InputError, Names, Persona, Personal
from personae.creation import Population, TraitModel, swapped_trait_twins

MODEL = TraitModel()


def test_defaults_are_the_figures_of_the_reference() -> None:
    assert MODEL.sex["agreeableness"] == 0.43
    assert MODEL.age["neuroticism"] == -0.10
    assert MODEL.correlation[2, 3] == MODEL.correlation[3, 2] == 0.46
    assert "web sample" in MODEL.note


def test_the_reference_population_has_mean_50_sd_10_and_the_correlations() -> None:
    rng = np.random.default_rng(1)
    n = 20_000
    female, age = (rng.random(n) < 0.67).astype(float), rng.normal(28.8, 11.1, n)
    t = MODEL.scores(female, age, rng.standard_normal((n, 5)))
    assert np.abs(t.mean(axis=0) - 50).max() < 0.35
    assert np.abs(t.std(axis=0) - 10).max() < 0.25
    assert np.abs(np.corrcoef(t.T) - MODEL.correlation).max() < 0.03


def test_effects_of_sex_and_age_are_recovered_from_a_population() -> None:
    columns = Population("us_adults", 20_000, 4).columns()
    t = np.column_stack([columns[f"personal.big_five.{d}"] for d in DOMAINS])
    female, decades = (columns["sex"] == "female").astype(float), columns["social.age"] / 10
    x = np.column_stack([np.ones(len(t)), female, decades])
    b, *_ = np.linalg.lstsq(x, t / 10, rcond=None)
    assert np.abs(b[1:].T - MODEL.effects).max() < 0.045
    residual = t / 10 - x @ b
    assert np.abs(np.cov(residual.T) - MODEL.residual).max() < 0.04


def test_unknown_sex_and_age_are_the_mean() -> None:
    nan = np.full(1, np.nan)
    assert MODEL.scores(nan, nan, np.zeros((1, 5))).tolist() == [[50.0] * 5]


def test_one_row_and_many_rows_are_bit_equal() -> None:
    rng = np.random.default_rng(2)
    female, age, noise = rng.integers(0, 2, 50).astype(float), rng.uniform(9, 90, 50), rng.standard_normal((50, 5))
    whole = MODEL.scores(female, age, noise)
    assert (np.vstack([MODEL.scores(female[[k]], age[[k]], noise[[k]]) for k in range(50)]) == whole).all()


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    changed = TraitModel.model_validate({"sex": {"agreeableness": 0.0}, "correlations": {"AE": 0.1}})
    assert changed.sex == {**MODEL.sex, "agreeableness": 0.0}
    assert changed.correlations == {**MODEL.correlations, "EA": 0.1}
    assert changed.age == MODEL.age


def people(n: int, seed: int = 0) -> tuple[Persona, ...]:
    return tuple(Population("harbour_town", n, seed))


def scores(persona: Persona) -> tuple[float, ...]:
    assert persona.personal.big_five is not None
    return tuple(persona.personal.big_five.scores().values())


@given(st.integers(2, 12), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_exchange_is_a_derangement_that_keeps_everything_else(n: int, seed: int) -> None:
    crowd = people(n, seed)
    twins = swapped_trait_twins(crowd, np.random.default_rng(seed))
    assert sorted(map(scores, twins)) == sorted(map(scores, crowd))
    for person, twin in zip(crowd, twins, strict=True):
        assert scores(twin) != scores(person)
        assert twin.id != person.id
        assert (twin.names, twin.social, twin.context) == (person.names, person.social, person.context)
        assert twin.provenance.cell == person.provenance.cell
        assert person.id in (twin.provenance.generator or "")


def test_exchange_is_further_apart_than_chance() -> None:
    crowd = people(40)
    points = np.array([scores(p) for p in crowd])

    def distance(others: np.ndarray) -> float:
        return float(np.sqrt(((points - others) ** 2).sum(axis=1)).sum())

    rng = np.random.default_rng(3)
    chosen = distance(np.array([scores(t) for t in swapped_trait_twins(crowd, rng)]))
    assert chosen > max(distance(points[rng.permutation(40)]) for _ in range(200))


def test_mirror_reflects_each_score_at_50() -> None:
    crowd = people(3)
    for person, twin in zip(crowd, swapped_trait_twins(crowd, np.random.default_rng(0), swap="mirror"), strict=True):
        np.testing.assert_allclose(np.array(scores(twin)) + np.array(scores(person)), 100)
        assert "mirror" in (twin.provenance.generator or "")


def test_twins_need_two_people_with_all_scores() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="at least two"):
        swapped_trait_twins(people(1), rng)
    with pytest.raises(InputError, match="openness"):
        swapped_trait_twins([Persona(names=Names(full="A B"), personal=Personal())] * 2, rng)
    with pytest.raises(InputError, match="'turn'"):
        swapped_trait_twins(people(2), rng, swap="turn")  # type: ignore[arg-type]
