"""Group-level comparison: a planted cohort effect is found, no effect is not, and nothing human is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from personae.core import InputError
from personae.measures import Answers, Codebook, cohort_measurements, read_cohorts

CELLS = [f"{level} | {sex} | {risk}" for level in "abcd" for sex in "fm" for risk in ("low", "high")]
EFFECT = np.linspace(-1.5, 1.5, 16)


def people(rng: np.random.Generator, slope: float, size: int = 30) -> Answers:
    cohort = np.repeat(np.arange(16), size)
    values = slope * EFFECT[cohort] + rng.normal(0, 1, cohort.size)
    return Answers(tuple(CELLS[c] for c in cohort), {"efficacy": values.tolist()})


def test_a_planted_cohort_effect_is_found_and_its_sign() -> None:
    rng = np.random.default_rng(1)
    human = people(rng, 1.0)
    for slope, sign in ((1.0, 1), (-1.0, -1)):
        found = {m.name: m for m in cohort_measurements(human, people(rng, slope), model="fake", seed=3)}
        r = found["cohorts.efficacy.r"]
        assert r.n == 16
        assert r.value * sign > 0.9
        assert r.p < 0.01
        assert r.interval.low < r.value < r.interval.high
        assert found["cohorts.efficacy.rho"].value * sign > 0.8


def test_no_effect_is_seldom_called_one() -> None:
    rng = np.random.default_rng(2)
    human = people(rng, 1.0)
    p = [cohort_measurements(human, people(rng, 0.0), model="fake", seed=s)[0].p for s in range(40)]
    assert np.mean(np.array(p) < 0.05) < 0.15


def test_a_file_is_read_by_its_codebook(tmp_path: Path) -> None:
    file = tmp_path / "pupils.csv"
    rows = [f"{'Male' if k % 2 else 'Female'},{k},{k * 2}" for k in range(40)]
    file.write_text("sx,ses,ach\n" + "\n".join([*rows, "Other,3,3", "Male,NA,4", "Male,5,NA"]) + "\n")
    book = Codebook(cohort={"sx": {"Male": "m", "Female": "f"}, "ses": 2}, items={"score": "ach"})
    read = read_cohorts(file, book)
    assert len(read.cohort) == 41
    assert set(read.cohort) == {"m | q1", "m | q2", "f | q1", "f | q2"}
    assert read.means("score")["f | q2"] > read.means("score")["f | q1"]
    with pytest.raises(InputError, match="no column 'nope'"):
        read_cohorts(file, Codebook(cohort={"sx": 2}, items={"score": "nope"}))
    with pytest.raises(InputError, match="no file"):
        read_cohorts(tmp_path / "absent.csv", book)


def test_small_cohorts_are_left_out() -> None:
    small = Answers(("a", "a", "b"), {"x": [1.0, 2.0, 3.0]})
    assert small.means("x", least=2) == {"a": 1.5}
