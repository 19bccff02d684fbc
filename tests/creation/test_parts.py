"""Large populations in files: shards, kills and part sizes never change anybody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError
from personae.creation import Population, load_people, people_digest, write_population

SMALL = 1024


def town(n: int = 5000, seed: int = 3) -> Population:
    return Population("harbour_town", n, seed)


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def digest(folder: Path) -> str:
    body = json.loads((folder / "fit.json").read_text("utf-8"))
    assert body["hard_quotas_exact"] is True
    return str(body["digest"])


@given(st.integers(1, 3000), st.integers(60, 4000), st.integers(60, 4000))
@settings(max_examples=12, deadline=None)
def test_the_digest_does_not_know_how_people_were_cut(n: int, one: int, two: int) -> None:
    people = town(n)
    assert people_digest(people.batches(one)) == people_digest(people.batches(two))


def test_the_digest_knows_everybody() -> None:
    whole = people_digest(town(2000).batches())
    assert people_digest(town(2000, 4).batches()) != whole
    assert people_digest(town(1999).batches()) != whole
    assert people_digest(town(2000).batches(names=False)) != whole
    order = list(town(2000).batches(1000))
    assert people_digest(reversed(order)) != whole


def test_batches_are_the_people() -> None:
    people = town(3000)
    rows = [row for batch in people.batches(700, start=10, stop=2500) for row in batch.to_pylist()]
    assert [row["k"] for row in rows] == list(range(10, 2500))
    columns = people.columns(names=True)
    for k in (10, 709, 710, 2499):
        person, row = people.person(k), rows[k - 10]
        assert (row["names.given"], row["names.family"], row["names.full"]) == (
            person.names.given, person.names.family, person.names.full,
        )  # fmt: skip
        assert row["names.full"] == columns["names.full"][k]
        for path in ("social.age", "social.residence", "personal.big_five.openness"):
            if path in row:
                assert row[path] == person.get(path)
        assert {n: row[n] for n in people.recipe.variables} == person.provenance.cell
    for bad in ({"size": 0}, {"start": 5, "stop": 4}, {"stop": 3001}):
        with pytest.raises(InputError, match="within 0 to 3000"):
            list(people.batches(**bad))


def test_names_of_many_are_the_names_of_each() -> None:
    people = Population("us_adults", 70_000, 8)
    table = people.arrow([0, 1, 1023, 1024, 69_999, 5], names=True)
    for row in table.to_pylist():
        assert row["names.full"] == people.person(row["k"]).names.full
    whole = people.arrow(details=False, names=True).column("names.full")
    assert len(whole.unique()) == 70_000


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_shards_and_part_sizes(tmp_path: Path, kind: str) -> None:
    people = town(2100 if kind == "jsonl" else 9000)
    write_population(people, tmp_path / "1", format=kind, part=SMALL)
    for shards in (2, 7):
        for index in reversed(range(shards)):
            assert not (tmp_path / str(shards) / "fit.json").exists()
            write_population(people, tmp_path / str(shards), format=kind, part=SMALL, shards=(index, shards))
    assert files(tmp_path / "2") == files(tmp_path / "7") == files(tmp_path / "1")
    write_population(people, tmp_path / "large", format=kind)
    assert digest(tmp_path / "large") == digest(tmp_path / "1")
    if kind == "parquet":
        assert digest(tmp_path / "1") == people_digest(people.batches())
    else:
        assert load_people(tmp_path / "7" / "people.jsonl") == tuple(people)


def test_parquet_reads_back_as_the_people(tmp_path: Path) -> None:
    people = Population("us_adults", 3000, 1, rarity=2)
    folder = write_population(people, tmp_path, format="parquet", part=SMALL)
    assert sorted(f.name for f in (folder / "people").iterdir()) == [f"part-{k:05d}.parquet" for k in range(3)]
    table, own = pq.read_table(folder / "people"), people.arrow(names=True)
    assert table.column_names == own.column_names
    for name in own.column_names:
        assert table.column(name).to_pylist() == own.column(name).to_pylist()
    body = json.loads((folder / "fit.json").read_text("utf-8"))
    fit = people.fit()
    assert body["rows"] == [row.model_dump(mode="json") for row in fit.rows]
    assert body["weighted"]["race x education"]["distance"] == pytest.approx(fit.weighted["race x education"].distance)
    assert body["rarity"] == 2


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_lost_cut_and_altered_parts_are_made_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    people = town(5000)
    write_population(people, folder, format="parquet", part=SMALL)
    whole = files(folder)
    parts = sorted((folder / "people").iterdir())
    for part in data.draw(st.lists(st.sampled_from(parts), min_size=1, unique=True)):
        raw = bytearray(part.read_bytes())
        match data.draw(st.sampled_from(["lost", "cut", "altered", "empty"])):
            case "lost":
                part.unlink()
            case "cut":
                part.write_bytes(raw[: data.draw(st.integers(1, len(raw) - 1))])
            case "altered":
                raw[data.draw(st.integers(0, len(raw) - 1))] ^= 0xFF
                part.write_bytes(raw)
            case _:
                part.write_bytes(b"")
    (folder / "fit.json").unlink()
    write_population(people, folder, format="parquet", part=SMALL)
    after = files(folder)
    assert digest(folder) == json.loads(whole["fit.json"])["digest"]
    assert after.keys() == whole.keys()


def test_jsonl_parts_are_kept_and_mended(tmp_path: Path) -> None:
    people = town(2500)
    write_population(people, tmp_path / "whole")
    folder = tmp_path / "resumed"
    write_population(people, folder, part=SMALL, shards=(0, 2))  # two of three parts
    first, third = folder / "people.parts" / "part-00000.jsonl", folder / "people.parts" / "part-00002.jsonl"
    third.write_bytes(third.read_bytes()[:-5])
    before = first.stat().st_mtime_ns, third.stat().st_mtime_ns
    assert not (folder / "people.jsonl").exists()
    write_population(people, folder, part=SMALL, shards=(0, 2))
    assert first.stat().st_mtime_ns == before[0]
    assert third.stat().st_mtime_ns != before[1]
    write_population(people, folder, part=SMALL)
    assert files(folder) == files(tmp_path / "whole")


def test_parts_that_are_whole_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = town(4000)
    write_population(people, tmp_path / "p", format="parquet", part=SMALL)
    write_population(people, tmp_path / "j")

    def none(*_: object, **__: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(Population, "batches", none)
    monkeypatch.setattr(Population, "_people", none)
    write_population(people, tmp_path / "p", format="parquet", part=SMALL)
    write_population(people, tmp_path / "j")


RUN = """
import sys
from personae.creation import Population, write_population
write_population(Population("harbour_town", 20_000, 5), sys.argv[1], format="parquet", part=1024)
"""


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "killed"
    kills = 0
    for _ in range(3):
        run = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"})
        made = len(list((folder / "people").glob("part-*"))) if folder.exists() else 0
        wanted = made + int(rng.integers(1, 5))
        while run.poll() is None and len(list((folder / "people").glob("part-*"))) < min(wanted, 19):
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            kills += 1
        run.wait()
    assert kills >= 2
    people = Population("harbour_town", 20_000, 5)
    write_population(people, folder, format="parquet", part=1024)
    assert digest(folder) == people_digest(people.batches())
    write_population(people, tmp_path / "whole", format="parquet", part=1024)
    assert files(folder) == files(tmp_path / "whole")


@pytest.mark.slow
def test_twenty_kills_of_a_hundred_thousand_people_change_nobody(tmp_path: Path) -> None:
    """Each kill hits a fresh run after a random number of parts; the same call then ends it."""
    people = Population("us_adults", 100_000, 7)
    whole = people_digest(people.batches())
    code = RUN.replace('"harbour_town", 20_000, 5', '"us_adults", 100_000, 7')
    assert code != RUN
    rng = np.random.default_rng(20261126)
    killed = 0
    for turn in range(20):
        folder = tmp_path / f"killed-{turn}"
        wanted = int(rng.integers(1, 90))
        run = subprocess.Popen([sys.executable, "-c", code, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"})
        while run.poll() is None and len(list((folder / "people").glob("part-*"))) < wanted:
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            killed += 1
        run.wait()
        write_population(people, folder, format="parquet", part=1024)
        assert digest(folder) == whole
        assert json.loads((folder / "fit.json").read_text("utf-8"))["hard_quotas_exact"]
        shutil.rmtree(folder)
    assert killed >= 18


def test_parts_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    write_population(town(2000), tmp_path, format="parquet", part=SMALL)
    before = files(tmp_path)
    with pytest.raises(InputError, match="belongs to another population"):
        write_population(town(2000, 9), tmp_path, format="parquet", part=SMALL)
    with pytest.raises(InputError, match="belongs to another population"):
        write_population(town(2000), tmp_path, format="parquet", part=2 * SMALL)
    assert files(tmp_path) == before


def test_bad_arguments(tmp_path: Path) -> None:
    for part in (0, 1000, -1024):
        with pytest.raises(InputError, match="multiple of 1,024"):
            write_population(town(10), tmp_path, part=part)
    for shards in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(InputError, match="0 <= i < m"):
            write_population(town(10), tmp_path, shards=shards)
    with pytest.raises(InputError, match="expected 'jsonl' or 'parquet'"):
        write_population(town(10), tmp_path, format="xml")  # type: ignore[arg-type]
