"""The survey of hachimi: an effect planted in answers is found over cohorts, and none is found where there is none."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from checks import measured, rows, self_contained, sound_exports

from personae.core import InputError, PersonaRow, ResponseRow, UnknownKeyError, derive_rng
from personae.instruments import load_survey
from personae.models import ScriptedModel
from personae.studies import Order, plan_of
from personae.studies.hachimi import Hachimi

DATA = Hachimi.folder() / "data"
ITEMS = [i.id for i in load_survey(DATA / "survey.yaml").items]
QUARTERS = ("poorest quarter", "little below", "little above", "richest quarter")


def effect(minority: bool, quarter: int, male: bool) -> float:
    return 0.5 * (quarter - 1.5) - 0.6 * minority + 0.2 * male


@pytest.fixture(scope="module")
def humans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Invented pupils in sixteen cohorts with one planted effect in every column, and the codebook of all items."""
    folder = tmp_path_factory.mktemp("humans")
    rng = np.random.default_rng(12)
    with (folder / "pupils.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["sx", "minrty", "ses", *ITEMS])
        for male in (False, True):
            for minority in (False, True):
                for quarter in range(4):
                    for _ in range(40):
                        e = effect(minority, quarter, male) + rng.normal(0, 1, len(ITEMS))
                        ses = quarter + rng.uniform(0, 1)
                        out.writerow(["Male" if male else "Female", "Yes" if minority else "No", ses, *e.round(3)])
    book = yaml.safe_load((DATA / "hsb82.yaml").read_text("utf-8")) | {"items": {i: i for i in ITEMS}}
    (folder / "book.yaml").write_text(yaml.safe_dump(book))
    return folder / "pupils.csv", folder / "book.yaml"


def answering(strength: float):
    """A model that answers by what its prompt says about it, and by chance; to an empty item it answers nothing."""

    def scores(request) -> list[float]:
        item = request.tags["item"]
        if not item:
            return [0.0] * len(request.options)
        told = request.messages[0].content
        quarter = next(k for k, words in enumerate(QUARTERS) if words in told)
        centre = strength * effect("an ethnic minority" in told, quarter, " a boy " in told)
        centre += derive_rng(5, request.tags["persona"], item).normal(0, 0.7)
        return [-0.8 * (k - 2 - centre) ** 2 for k in range(len(request.options))]

    return lambda: ScriptedModel(lambda request: "no", scores)


def asked(start, folder: Path, humans: tuple[Path, Path | str]):
    settings = {"people": 96, "survey": True, "humans": str(humans[0]), "codebook": str(humans[1])}
    return start("hachimi", folder, model="fake:scripted", more=settings)


def test_planted_cohort_effects_are_found_at_group_level(start, answer_with, tmp_path: Path, humans) -> None:
    answer_with(answering(0.6))
    run = asked(start, tmp_path / "run", (renamed(humans[0], tmp_path), "hsb82"))
    found = measured(run.folder)
    for item in ("mathematics", "school_ses"):
        r = found[f"cohorts.{item}.r"]
        assert (r.n, r.cluster) == (16, "cohort")
        assert r.value > 0.7
        assert r.interval.low > 0
        assert r.p_adjusted < 0.01
        assert found[f"cohorts.{item}.rho"].value > 0.6
    assert {m.split(".")[1] for m in found if m.startswith("cohorts.")} == {"shared", "mathematics", "school_ses"}
    people = [p for p in rows(run.folder, PersonaRow) if p.role == "respondent"]
    assert len(people) == 96
    assert len(rows(run.folder, ResponseRow)) == 96 * 2  # what people have no column for is not asked
    assert found["records.hard_errors"].model == "none"
    assert r.model == "fake:scripted"
    text = self_contained(run.run.report)
    assert 'id="means"' in text
    assert 'id="cohorts"' in text
    assert "mathematics, people" in text
    assert "curiosity, agents" not in text
    assert sound_exports(run.folder / "exports")


def renamed(file: Path, folder: Path) -> Path:
    """The invented pupils under the two column names of the real file."""
    text = file.read_text().replace("mathematics", "mAch", 1).replace("school_ses", "meanses", 1)
    (folder / "hsb82.csv").write_text(text)
    return folder / "hsb82.csv"


def test_where_answers_do_not_follow_the_cohort_nothing_is_found(start, answer_with, tmp_path: Path, humans) -> None:
    """Twenty correlations (ten items, two coefficients) in a world without any effect."""
    answer_with(answering(0.0))
    run = asked(start, tmp_path / "run", humans)
    found = [m for n, m in measured(run.folder).items() if re.fullmatch(r"cohorts\.\w+\.(r|rho)", n)]
    assert len(found) == 2 * len(ITEMS)
    assert all(m.n == 16 and m.interval is not None for m in found)
    assert sum(m.p < 0.05 for m in found) <= 3
    assert min(m.p_adjusted for m in found) > 0.05


def test_without_people_the_cohorts_of_the_records_are_shown_and_nothing_is_compared(start, tmp_path: Path) -> None:
    run = start("hachimi", tmp_path / "run", more={"people": 24, "survey": True})
    assert not [n for n in measured(run.folder) if n.startswith("cohorts.")]
    cells = Counter(p.role for p in rows(run.folder, PersonaRow))
    assert cells == {"student": 24, "respondent": 24}
    text = self_contained(run.run.report)
    assert "top 10% | female |" in text
    assert "mathematics, people" not in text


def test_a_bulk_run_asks_the_people_that_it_shows(start, tmp_path: Path) -> None:
    small = tmp_path / "items.yaml"
    small.write_text(yaml.safe_dump({"items": yaml.safe_load((DATA / "survey.yaml").read_text("utf-8"))["items"][:1]}))
    book = tmp_path / "book.yaml"
    book.write_text(
        yaml.safe_dump(yaml.safe_load((DATA / "records.yaml").read_text("utf-8")) | {"items": {ITEMS[0]: "x"}})
    )
    more = {"people": 230, "bulk_from": 100, "survey": True, "items": str(small), "codebook": str(book)}
    run = start("hachimi", tmp_path / "run", more=more)
    assert len(rows(run.folder, ResponseRow)) == 200
    assert measured(run.folder)["diversity.distinct_2"].n == 200


def test_what_the_survey_needs_is_looked_at_before_anything_is_made(start, tmp_path: Path, humans) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(humans[1].read_text().replace("aspiration: aspiration", "ambition: aspiration"))
    for wrong, error in (
        ({"codebook": str(bad)}, UnknownKeyError),
        ({"codebook": "nowhere"}, InputError),
        ({"humans": str(tmp_path / "absent.csv")}, InputError),
        ({"equal_tokens": True}, InputError),
    ):
        with pytest.raises(error):
            start("hachimi", tmp_path / "run", more={"survey": True} | wrong)
    stages = plan_of(Order("hachimi", tmp_path, settings={"people": 30, "survey": True}))
    assert [(s["stage"], s["units"], s["calls"]) for s in stages[-2:]] == [("cohorts", 1, 0), ("survey", 30, 270)]
    assert Hachimi().asks(Hachimi.Spec(survey=True))
