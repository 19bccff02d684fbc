"""Records in bulk: kill and resume, shards, planted errors, and a gate that redraws until nobody is a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from personae.core import InputError
from personae.creation import (
    LexicalRule,
    RecordsFolder,
    StudentSource,
    check_table,
    lexical_duplicates,
    load_phrases,
    write_records,
)
from personae.creation._phrases import GrammarFile, PhraseGrammar

N = 400


def source(**changes: object) -> StudentSource:
    return StudentSource(**({"n": N, "seed": 3} | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, write_records(source(), folder, part_rows=100)


def test_a_corpus_is_exact_and_without_errors(whole) -> None:
    folder, report = whole
    assert (report.rows, report.parts, report.errors, report.quota_error) == (N, 4, 0, 0)
    assert RecordsFolder(source(), folder, 100).copies() == 0
    assert report.rejected["R4_feasible_proposals"] > 0


@pytest.mark.parametrize("shards", [2, 7])
def test_shards_write_the_same_people(whole, tmp_path: Path, shards: int) -> None:
    reports = [write_records(source(), tmp_path, part_rows=50, shard=(s, shards)) for s in range(shards)]
    assert reports[:-1] == [None] * (shards - 1)
    assert reports[-1].digest == whole[1].digest


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_killed_run_goes_on_and_ends_the_same(whole, tmp_path: Path, at: int, monkeypatch) -> None:
    real = RecordsFolder._write_part

    def dies(self, part, *rest) -> None:
        if part == at:
            raise KeyboardInterrupt
        real(self, part, *rest)

    monkeypatch.setattr(RecordsFolder, "_write_part", dies)
    with pytest.raises(KeyboardInterrupt):
        write_records(source(), tmp_path, part_rows=100)
    monkeypatch.setattr(RecordsFolder, "_write_part", real)
    if at == 3:  # a part cut off half-way is no part
        path = tmp_path / "part-00000.parquet"
        path.write_bytes(path.read_bytes()[:-50])
    again = write_records(source(), tmp_path, part_rows=100)
    assert again.digest == whole[1].digest
    assert again.quota_error == 0


def test_another_corpus_is_not_written_over(whole) -> None:
    with pytest.raises(InputError, match="other settings"):
        write_records(source(seed=4), whole[0], part_rows=100)


def test_planted_errors_are_found_by_the_check(whole) -> None:
    table = next(RecordsFolder(source(), whole[0], 100).tables())
    assert check_table(source(), table).errors == 0
    rows = table.to_pylist()
    rows[0]["age"] = 40
    rows[1]["values"] = rows[1]["values"].split(". ")[0]
    rows[2]["mental_health"] += " He was diagnosed with a depressive disorder."
    rows[3]["handle"] = "Mei Lin"
    rows[4]["academic_level"] = "splendid"
    rows[5]["strong_subjects"] = rows[5]["weak_subjects"]
    found = check_table(source(), pa.Table.from_pylist(rows))
    assert found.errors == 6
    codes = {"R1_age_grade", "R8_value_levels", "R12_not_diagnostic", "R6_handle", "R15_academic_level"}
    assert codes | {"R3_subjects_disjoint"} <= set(found.broken)


def poor() -> PhraseGrammar:
    """The student grammar with one sentence for most things: near-copies are certain."""
    body = load_phrases("student.en").source.model_dump(by_alias=True)
    social = {"circle", "bond", "kin", "conflict", "in_row", "in_row_x"}
    for name, symbol in body["symbols"].items():
        if name in social or name.startswith(("wide_", "even_", "small_")):
            continue  # the length of this paragraph needs its variety
        if isinstance(symbol, tuple):
            body["symbols"][name] = symbol[:1]
        elif "cases" in symbol:
            symbol["cases"] = {case: texts[:1] for case, texts in symbol["cases"].items()}
    body["forms"] = {name: texts[:1] for name, texts in body["forms"].items()}
    body["fields"] = {n: t if n == "social_relations" else t[:1] for n, t in body["fields"].items()}
    return PhraseGrammar(GrammarFile.model_validate(body))


def test_without_variety_copies_appear_and_the_gate_takes_them_out(tmp_path: Path) -> None:
    small = StudentSource(60, 3, grammar=poor())
    assert write_records(small, tmp_path / "loose", part_rows=30, dedup=False).redrawn == ()
    every = LexicalRule(threshold=0.5, permutations=192, bands=48, frequent=1)
    assert len(lexical_duplicates(small.texts(np.arange(60)), every).pairs) > 0
    report = write_records(small, tmp_path / "gated", part_rows=30, rule=every)
    assert sum(report.redrawn) > 0
    kept = 60 - len(report.exhausted)
    assert report.rows == kept
    assert (tmp_path / "gated" / "failures.jsonl").exists() == bool(report.exhausted)
