"""Reliability, distance from nobody, and answers that do not vary."""

from __future__ import annotations

import numpy as np
import pytest
from tables import SCALES, TINY, answers, by_name, response

from personae.measures import Maker, answers_by_person
from personae.measures._answers import control_measurements, reliability_measurements, zero_variance_measurement

MAKE = Maker(model="fake:tests", seed=7)


def test_answers_are_by_person_and_item_before_keying() -> None:
    rows = [response("a", "O+", 4.0), response("a", "O-", 1.0), response(None, "O+", 3.0, "template_default")]
    rows.append(response("b", "O+", None, status="failed"))
    assert answers_by_person(rows, "self") == {"a": {"O+": 4.0, "O-": 1.0}, "b": {"O+": None}}
    assert answers_by_person(rows, "template_default") == {"template_default": {"O+": 3.0}}
    assert answers_by_person(rows, "twin") == {}


def test_alpha_of_items_that_agree_is_high_and_of_items_that_do_not_is_not() -> None:
    rng = np.random.default_rng(5)
    rows = []
    for k, z in enumerate(rng.standard_normal(40)):
        value = float(np.clip(3 + z, 1, 5))
        rows += [response(f"p{k}", "O+", value), response(f"p{k}", "O-", 6 - value)]
        rows += [response(f"p{k}", "C+", float(rng.uniform(1, 5))), response(f"p{k}", "C-", float(rng.uniform(1, 5)))]
    found = by_name(reliability_measurements(MAKE, rows, TINY))
    assert set(found) == {f"reliability.{name}" for name in SCALES.values()}
    assert found["reliability.openness"].value > 0.99
    assert found["reliability.conscientiousness"].value < 0.5
    assert found["reliability.extraversion"].value is None
    assert found["reliability.extraversion"].reason


def test_distance_from_nobody_is_the_mean_over_people_of_item_distances() -> None:
    rows = answers("a", {"openness": 5.0}) + answers("b", {}) + answers(None, {}, "empty_system")
    (m,) = control_measurements(MAKE, rows, TINY)
    assert m.name == "persona_effect.empty_system"
    assert m.value == pytest.approx((2 * 2 / 10 + 0) / 2)
    assert m.n == 2
    assert "O 3.00" in m.note


def test_nobody_who_says_nothing_gives_a_reason() -> None:
    rows = [*answers("a", {}), response(None, "O+", None, "empty_system", "zero_variance")]
    (m,) = control_measurements(MAKE, rows, TINY)
    assert m.value is None
    assert m.reason
    assert "O –" in m.note


def test_without_controls_there_is_nothing_to_compare_with() -> None:
    assert control_measurements(MAKE, answers("a", {}), TINY) == []


def test_actors_whose_answers_do_not_vary_are_a_share_of_all() -> None:
    flat = [r.model_copy(update={"status": "zero_variance"}) for r in answers("a", {})]
    (m,) = zero_variance_measurement(
        MAKE, flat + answers("b", {}) + answers("c", {}, "twin") + answers("d", {}, "twin")
    )
    assert m.value == 0.25
    assert m.n == 4
    assert m.interval.low > 0
    assert zero_variance_measurement(MAKE, answers(None, {}, "empty_system")) == []
