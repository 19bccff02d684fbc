"""Seeds: files of people counted in constant memory, one clear error for whatever is wrong, and smoothing."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import RecipeError, UnknownKeyError
from personae.creation import Population, Recipe, SeedTable, Variable, load_recipe, seed_records
from personae.creation._fit import fit_recipe

VARIABLES = {
    "sex": Variable(values=("female", "male")),
    "age": Variable(bins={"young": (0, 39), "old": (40, 99)}),
}
RECIPE: dict[str, Any] = {
    "name": "t",
    "variables": {"sex": {"values": ["female", "male"]}, "age": {"bins": {"young": [0, 39], "old": [40, 99]}}},
    "margins": [
        {"vars": ["sex"], "table": {"female": 0.5, "male": 0.5}},
        {"vars": ["age"], "table": {"young": 0.4, "old": 0.6}},
    ],
}


def written(folder: Path, text: str, name: str = "seed.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode("latin-1" if "\xe9" in text else "utf-8"))
    return file


def test_rows_weights_columns_and_recoding(tmp_path: Path) -> None:
    file = written(tmp_path, 'id,SEX,years,w\n1,2,39.9,1.5\n\n2,1,40,1\n3,"2",7,2\n4,9,50,1\n')
    seed = seed_records(
        file, VARIABLES, weight="w", columns={"sex": "SEX", "age": "years"},
        recode={"sex": {"1": "male", "2": "female", "9": None}},
    )  # fmt: skip
    assert seed.table == {"female | young": 3.5, "male | old": 1}
    assert (seed.records, seed.dropped, seed.source) == (3, 1, "seed.csv")


@given(st.lists(st.tuples(st.sampled_from(["female", "male"]), st.integers(0, 99), st.integers(1, 9)), min_size=1))
@settings(max_examples=25, deadline=None)
def test_csv_and_parquet_count_what_a_plain_loop_counts(
    tmp_path_factory: Any, rows: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("seed")
    text = io.StringIO()
    csv.writer(text).writerows([("sex", "age", "w"), *rows])
    one = seed_records(written(folder, text.getvalue()), VARIABLES, weight="w")
    names = ("sex", "age", "w")
    pq.write_table(pa.table({n: [r[c] for r in rows] for c, n in enumerate(names)}), folder / "seed.parquet")
    two = seed_records(folder / "seed.parquet", VARIABLES, weight="w")
    plain: dict[str, float] = {}
    for sex, age, weight in rows:
        cell = f"{sex} | {'young' if age < 40 else 'old'}"
        plain[cell] = plain.get(cell, 0) + weight
    assert one.table == two.table == plain


HEAD = "id,sex,age,w\n1,female,12,1\n\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "2,femal,3,1\n", [":4, column 'sex'", "'femal'", "Did you mean 'female'?"]),
        (HEAD + "2,male,100,1\n", [":4, column 'age'", "'100' is in no bin of 'age' (0 to 39, 40 to 99)"]),
        (HEAD + "2,male,,1\n", [":4, column 'age'", "''"]),
        (HEAD + "2,male,nan,1\n", [":4, column 'age'", "'nan'"]),
        (HEAD + "2,male,3,0\n", [":4, column 'w'", "'0', expected a number above 0"]),
        (HEAD + "2,male,3,-1\n", [":4, column 'w'", "'-1'"]),
        (HEAD + "2,male,3,NaN\n", [":4, column 'w'", "'NaN'"]),
        (HEAD + "2,male,3,inf\n", [":4, column 'w'", "'inf'"]),
        (HEAD + "2,male,3,many\n", [":4, column 'w'", "'many'"]),
        (HEAD + "2,male,3\n", [":4: 3 field(s), expected 4"]),
        (HEAD + "2,male,3,1,9\n", [":4: 5 field(s), expected 4"]),
        (HEAD + '2,"male,3,1\n3,male,3,1\n', [":4: not valid CSV"]),
        (HEAD + '"a\nb",male,3,1\n3,mael,3,1\n', [":6, column 'sex'", "'male'"]),
        (HEAD + "2,mal\xe9,3,1\n", [":4: not UTF-8 (byte 0xe9)"]),
        ("id,sx,age,w\n", ["no column 'sex'", "Did you mean 'sx'?"]),
        ("sex,sex,age,w\n", ["column 'sex' is there twice"]),
        ("", ["is empty"]),
        ("id,sex,age,w\n", ["no row is left"]),
    ],
)
def test_one_error_names_file_line_and_column(tmp_path: Path, text: str, words: list[str]) -> None:
    file = written(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        seed_records(file, VARIABLES, weight="w")
    for word in (str(file), *words):
        assert word in str(caught.value)


def test_a_broken_line_deep_inside_a_large_file(tmp_path: Path) -> None:
    good = "female,12,1\nmale,77,2\n" * 100_000
    file = written(tmp_path, f"sex,age,w\n{good}male;3;1\n{good}")
    with pytest.raises(RecipeError, match=r":200002: 1 field\(s\), expected 3"):
        seed_records(file, VARIABLES, weight="w")
    file = written(tmp_path, f"sex,age,w\n{good}male,3,-1\n{good}")
    with pytest.raises(RecipeError, match=":200002, column 'w': weight '-1'"):
        seed_records(file, VARIABLES, weight="w")


@pytest.mark.slow
def test_ten_million_rows_with_one_broken_line(tmp_path: Path) -> None:
    import resource

    file = tmp_path / "seed.csv"
    block = b"female,12,1\nmale,77,2\n" * 50_000
    with file.open("wb") as out:
        out.write(b"sex,age,w\n")
        for _ in range(100):
            out.write(block)
        whole = out.tell()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seed = seed_records(file, VARIABLES, weight="w")
    assert seed.table == {"female | young": 5e6, "male | old": 1e7}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    with file.open("r+b") as out:
        out.seek(whole - len(block) // 2)
        out.write(b"x")
    with pytest.raises(RecipeError, match=r"seed.csv:9950002, column 'sex': 'xemale'"):
        seed_records(file, VARIABLES, weight="w")


def test_parquet_names_the_row(tmp_path: Path) -> None:
    file = tmp_path / "seed.parquet"
    sex = pa.array(["female"] * 70_000 + [None, "male"]).dictionary_encode()
    pq.write_table(pa.table({"sex": sex, "age": [3.0] * 70_002, "w": [1.0] * 70_000 + [1.0, -2.0]}), file)
    with pytest.raises(RecipeError, match="row 70001, column 'sex': ''"):
        seed_records(file, VARIABLES, weight="w")
    pq.write_table(pa.table({"sex": ["male"] * 3, "age": [3, 4, 400]}), file)
    with pytest.raises(RecipeError, match="row 3, column 'age': '400' is in no bin"):
        seed_records(file, VARIABLES)
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(RecipeError, match="not a Parquet file"):
        seed_records(file, VARIABLES)


def test_files_and_names_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no file"):
        seed_records(tmp_path / "none.csv", VARIABLES)
    with pytest.raises(RecipeError, match="unknown ending"):
        seed_records(written(tmp_path, "x", "seed.txt"), VARIABLES)
    file = written(tmp_path, "sex,age\nmale,3\n")
    with pytest.raises(UnknownKeyError, match="aeg"):
        seed_records(file, VARIABLES, columns={"aeg": "x"})
    with pytest.raises(UnknownKeyError, match="mael"):
        seed_records(file, VARIABLES, recode={"sex": {"1": "mael"}})


def test_a_recipe_takes_the_counts_not_the_path(tmp_path: Path) -> None:
    rows = "female,12\nmale,77\nmale,3\nfemale,50\nfemale,51\n"
    for name in ("one.csv", "two.csv"):
        written(tmp_path, f"sex,age\n{rows}", name)
    made: list[Recipe] = []
    for name in ("one.csv", "two.csv"):
        text = f"seed_table: {{seed_file: {name}, vars: [sex, age]}}\n"
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(RECIPE, sort_keys=False) + text, "utf-8")
        made.append(load_recipe(recipe))
    assert made[0].hash == made[1].hash
    again = tmp_path / "again.yaml"
    again.write_text(made[0].to_yaml(), "utf-8")
    assert load_recipe(again).hash == made[0].hash
    written(tmp_path, f"sex,age\n{rows}male,3\n", "two.csv")
    assert load_recipe(tmp_path / "recipe.yaml").hash != made[0].hash  # read anew, though the recipe is the same text
    direct = Recipe.of({**RECIPE, "seed_table": seed_records(tmp_path / "one.csv", VARIABLES).model_dump()})
    assert direct.hash == made[0].hash
    assert Population(direct, 10)[0].name


def test_seed_files_in_recipes_refuse_what_they_do_not_know(tmp_path: Path) -> None:
    written(tmp_path, "sex,age\nmale,3\n")
    seed = {"seed_file": "seed.csv", "vars": ["sex", "age"]}
    with pytest.raises(UnknownKeyError, match="wieght"):
        Recipe.of({**RECIPE, "seed_table": {**seed, "wieght": "w"}}, folder=tmp_path)
    with pytest.raises(RecipeError, match="both seed_file and table"):
        Recipe.of({**RECIPE, "seed_table": {**seed, "table": {"a": 1}}}, folder=tmp_path)
    with pytest.raises(UnknownKeyError, match="aeg"):
        Recipe.of({**RECIPE, "seed_table": {**seed, "vars": ["sex", "aeg"]}}, folder=tmp_path)


# Smoothing ----------------------------------------------------------------------------------------------------------

HOLES = {"vars": ["sex", "age"], "table": {"female | young": 3, "male | young": 2, "male | old": 4}}


def test_without_smoothing_a_cell_the_seed_never_saw_stays_empty() -> None:
    quota = {
        "vars": ["sex", "age"],
        "table": {"female": {"young": 0.2, "old": 0.3}, "male": {"young": 0.2, "old": 0.3}},
    }
    with pytest.raises(RecipeError, match=r"female \| old: short by 0.3000"):
        _ = Recipe.of({**RECIPE, "margins": [quota], "seed_table": HOLES}).fitted
    fitted = Recipe.of({**RECIPE, "margins": [quota], "seed_table": {**HOLES, "smoothing": 0.01}}).fitted
    assert fitted.report.smoothing == 0.01
    assert fitted.shares.tolist() == pytest.approx([0.2, 0.3, 0.2, 0.3])


def test_smoothing_mixes_with_the_independence_table_and_keeps_the_margins_of_the_seed() -> None:
    free = {"name": "t", "variables": RECIPE["variables"]}
    joint = Recipe.of({**free, "seed_table": {**HOLES, "smoothing": 0.25}}).fitted.shares.reshape(2, 2)
    seed = np.array([[3, 0], [2, 4]]) / 9
    np.testing.assert_allclose(joint, 0.75 * seed + 0.25 * np.outer(seed.sum(1), seed.sum(0)))
    np.testing.assert_allclose(joint.sum(0), seed.sum(0))


def test_smoothing_is_part_of_the_hash_only_when_there_is_some() -> None:
    plain = Recipe.of({**RECIPE, "seed_table": HOLES}).hash
    assert Recipe.of({**RECIPE, "seed_table": {**HOLES, "smoothing": 0}}).hash == plain
    assert Recipe.of({**RECIPE, "seed_table": {**HOLES, "smoothing": 0.1}}).hash != plain
    noted = SeedTable.model_validate({**HOLES, "records": 9, "source": "x"})
    assert Recipe.of({**RECIPE, "seed_table": noted.model_dump()}).hash == plain


def test_a_seed_over_many_variables_is_joined_by_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    names = [f"v{k}" for k in range(5)]
    rows = [[*(f"c{c}" for c in rng.integers(0, 4, 5)), 1] for _ in range(200)]
    body = {
        "name": "t",
        "variables": {"first": {"values": ["a", "b"]}} | {n: {"values": [f"c{c}" for c in range(4)]} for n in names},
        "margins": [{"vars": ["first"], "table": {"a": 0.3, "b": 0.7}}]
        + [{"vars": [n], "table": {"c0": 0.1, "c1": 0.2, "c2": 0.3, "c3": 0.4}} for n in names],
        "rules": [{"code": "no", "when": {"first": "a"}, "forbid": {"v0": "c0"}}],
        "seed_table": {"vars": names, "rows": rows},
    }
    dense = fit_recipe(Recipe.of(body))
    monkeypatch.setattr("personae.creation._fit._DENSE_SEED", 10)
    sparse = fit_recipe(Recipe.of(body))
    assert (sparse.codes == dense.codes).all()
    assert sparse.report.forbidden == dense.report.forbidden
    np.testing.assert_allclose(sparse.shares, dense.shares, rtol=1e-9)
