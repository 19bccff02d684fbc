"""Seeded defects: what every operator keeps to."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from personae.core import InputError, UnknownKeyError
from personae.creation import CORRUPTIONS, corrupt, load_gallery

GENERAL = [name for name, kind in CORRUPTIONS.items() if kind.domain == "general"]


@pytest.mark.parametrize("kind", GENERAL)
def test_a_defect_is_a_change_that_leaves_its_input_alone_and_comes_again(kind: str) -> None:
    changed = 0
    for k, person in enumerate(load_gallery()):
        body = person.dump()
        before = copy.deepcopy(body)
        try:
            made = corrupt(body, kind, np.random.default_rng(k))
        except InputError as error:
            assert "cannot be put into" in str(error)  # noqa: PT017 - either outcome is allowed
            continue
        assert body == before
        assert "id" not in made
        assert made != {k: v for k, v in before.items() if k != "id"}
        assert made == corrupt(person, kind, np.random.default_rng(k))
        changed += 1
    assert changed >= 20


def test_there_are_many_kinds_in_every_domain_each_with_words_about_it() -> None:
    assert len(GENERAL) >= 24
    for domain, least in (("student", 12), ("patient", 8), ("customer", 8)):
        assert sum(kind.domain == domain for kind in CORRUPTIONS.values()) >= least
    assert all(kind.about.endswith(".") for kind in CORRUPTIONS.values())


def test_an_unknown_kind_and_one_of_another_domain_are_refused() -> None:
    person = load_gallery()[0]
    with pytest.raises(UnknownKeyError, match="age_negative"):
        corrupt(person, "age_negativ", np.random.default_rng(0))
    with pytest.raises(InputError, match="'student'"):
        corrupt(person, "grade_against_age", np.random.default_rng(0))
