"""Codebooks: what is wrong with one is said, and agents are dealt evenly into its cohorts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from personae.core import InputError, SchemaError, UnknownKeyError
from personae.instruments import Codebook, load_codebook, load_survey
from personae.studies.hachimi import Hachimi

DATA = Hachimi.folder() / "data"
BOOK = Codebook.model_validate(
    {
        "cohort": [
            {"column": "sx", "codes": {"M": "male", "F": "female"}, "field": "sex"},
            {
                "column": "risk",
                "codes": {"0": "low", "1": "high"},
                "field": "mood",
                "field_codes": {"ok": "low", "bad": "high"},
            },
            {
                "column": "ses",
                "groups": {"poor": 0.5, "rich": 0.5},
                "told": {"poor": "You are poor.", "rich": "You are rich."},
            },
        ],
        "items": {"maths": "score", "church": {"column": "sector", "recode": {"Public": 0, "Catholic": 1}}},
    }
)


@pytest.mark.parametrize("name", ["records", "hsb82", "star"])
def test_shipped_codebooks_have_sixteen_cohorts_and_ask_what_is_asked(name: str) -> None:
    book = load_codebook(DATA / f"{name}.yaml")
    assert book.size == 16
    asked = book.chosen(load_survey(DATA / "survey.yaml"))
    assert {i.id for i in asked.items} == set(book.items)
    assert name == "records" or book.licence


def test_labels_come_from_the_record_and_what_is_told_is_dealt_evenly() -> None:
    agents = [{"sex": "male" if k % 2 else "female", "mood": "bad" if k % 3 else "ok"} for k in range(60)]
    cells = BOOK.cells(agents, np.random.default_rng(4))
    assert all(c is not None and c["sx"] == a["sex"] for a, c in zip(agents, cells, strict=True))
    assert all(c["risk"] == ("high" if a["mood"] == "bad" else "low") for a, c in zip(agents, cells, strict=True))
    counts = Counter(BOOK.cohort_of(c) for c in cells)
    assert len(counts) == BOOK.size == 8
    assert {v for k, v in counts.items() if "high" in k} == {10}
    assert {v for k, v in counts.items() if "low" in k} == {5}
    assert cells == BOOK.cells(agents, np.random.default_rng(4))
    assert cells != BOOK.cells(agents, np.random.default_rng(5))
    assert {BOOK.told(c) for c in cells} == {"You are poor.", "You are rich."}


def test_whoever_the_record_gives_no_label_is_in_no_cohort() -> None:
    cells = BOOK.cells(
        [{"sex": "male", "mood": "so-so"}, {"sex": "male"}, {"sex": "male", "mood": "ok"}], np.random.default_rng(1)
    )
    assert [c is None for c in cells] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"codes": {}}, "either"),
        ({"groups": {"a": 1.0}}, "either"),
        ({"codes": {}, "groups": {"a": 0.5, "b": 0.4}}, "sum to 1"),
        ({"field": None}, "where an agent"),
        ({"told": {"male": "x", "female": "y"}}, "where an agent"),
        ({"field": None, "told": {"male": "x"}}, "name each"),
        ({"field_codes": {"m": "man"}}, "labels are"),
    ],
)
def test_a_column_that_makes_no_cohorts_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    import yaml

    column = {"column": "sx", "codes": {"M": "male", "F": "female"}, "field": "sex"} | change
    file = tmp_path / "book.yaml"
    file.write_text(yaml.safe_dump({"cohort": [{k: v for k, v in column.items() if v}], "items": {"a": "b"}}))
    with pytest.raises(SchemaError, match=said):
        load_codebook(file)


def test_missing_files_and_unknown_items_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no codebook"):
        load_codebook(tmp_path / "absent.yaml")
    with pytest.raises(UnknownKeyError, match="maths"):
        BOOK.chosen(load_survey(DATA / "survey.yaml"))
    for text in ("- a\n", "items: []\n", "items: {a: 1}\n"):
        file = tmp_path / "items.yaml"
        file.write_text(text)
        with pytest.raises(SchemaError, match="items"):
            load_survey(file)
