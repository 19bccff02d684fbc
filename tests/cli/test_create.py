"""`create` and `population compare`: quotas asked for, weights, going on, writers, and two crowds side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def people(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "people.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page takes most of the time of a small population."""
    from personae.cli import _people

    monkeypatch.setattr(_people, "_reported", lambda *_: None)


def test_a_quota_asked_for_is_exact_and_the_margins_it_contradicts_give_way(personae, tmp_path: Path) -> None:
    out = tmp_path / "people"
    said = personae("create", "harbour_town", "--n", 50, "--quota", "sex: female=.7, male=.3", "--out", out, "--json")
    assert said.data["hard_quotas_exact"]
    assert sum(p["social"]["sex"] == "female" for p in people(out)) == 35
    fit = json.loads((out / "fit.json").read_text("utf-8"))
    assert fit["n"] == 50
    page = (out / "report" / "index.html").read_text("utf-8")
    assert all(words in page for words in ("Age and sex", "Who resembles whom", "Near-copies", "Vendi"))


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        ("sex", "expected VARIABLE"),
        ("sx: female=1", "sex"),
        ("sex: femal=1", "female"),
        ("sex: female=half, male=.5", "no number"),
        ("sex: female", "has no share"),
        ("sex: female=-1, male=2", "negative"),
        ("sex: female=.6, male=.5", "sum to 1.1"),
    ],
)
def test_quotas_that_cannot_be_read_name_the_trouble(personae, tmp_path: Path, quota: str, words: str) -> None:
    said = personae("create", "harbour_town", "--quota", quota, "--out", tmp_path / "x", "--json")
    assert said.code == 2
    assert words in f"{said.error['message']} {said.error['suggestion']}"
    assert not (tmp_path / "x").exists()


def test_rarity_gives_weights_that_speak_of_the_population(personae, tmp_path: Path) -> None:
    out = tmp_path / "people"
    personae("create", "harbour_town", "--n", 200, "--rarity", 2, "--out", out, "--json")
    weights = [p["provenance"]["weight"] for p in people(out)]
    assert sum(weights) == pytest.approx(200)
    assert max(weights) > 1.2


def test_resume_needs_no_recipe_and_makes_the_same_people(personae, tmp_path: Path) -> None:
    out = tmp_path / "people"
    personae("create", "harbour_town", "--n", 40, "--seed", 5, "--quota", "sex: female=.5, male=.5", "--out", out)
    before = (out / "people.jsonl").read_bytes()
    (out / "people.jsonl").unlink()
    said = personae("create", "--resume", "--out", out, "--json")
    assert said.data["seed"] == 5
    assert (out / "people.jsonl").read_bytes() == before
    refused = personae("create", "us_adults", "--resume", "--out", out, "--json")
    assert (refused.code, "named too" in refused.error["message"]) == (2, True)
    nothing = personae("create", "--resume", "--out", tmp_path / "none", "--json")
    assert (nothing.code, "nothing to go on with" in nothing.error["message"]) == (2, True)
    unnamed = personae("create", "--out", tmp_path / "none", "--json")
    assert (unnamed.code, "no recipe" in unnamed.error["message"]) == (2, True)


def test_shards_together_are_the_whole(personae, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    personae("create", "harbour_town", "--n", 60, "--out", whole)
    first = personae("create", "harbour_town", "--n", 60, "--shard", "1/2", "--out", parts, "--json")
    second = personae("create", "harbour_town", "--n", 60, "--shard", "0/2", "--out", parts, "--json")
    assert second.data["report"] is not None or first.data["report"] is not None
    assert (parts / "people.jsonl").read_bytes() == (whole / "people.jsonl").read_bytes()
    bad = personae("create", "harbour_town", "--shard", "2", "--out", parts, "--json")
    assert "expected I/M" in bad.error["message"]


def test_writers(personae, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = personae("create", "harbour_town", "--n", 10, "--writer", "grammar", "--out", out, "--json")
    assert said.data["failed_units"] == 0
    wrong = personae("create", "harbour_town", "--writer", "endpoint", "--out", tmp_path / "x", "--json")
    assert "openai:NAME@URL" in wrong.error["suggestion"]
    told = personae("create", "--resume", "--out", out).out
    assert "--formats jsonl" in told, "nobody talked: chats are not what to export"
    wrong = personae("create", "harbour_town", "--writer", "poet", "--out", tmp_path / "x", "--json")
    assert "grammar" in wrong.error["suggestion"]
    model = tmp_path / "model"
    said = personae(
        "create", "harbour_town", "--n", 4, "--writer", "model", "--model", "fake:scripted", "--out", model, "--json"
    )
    assert said.data["failed_units"] == 0


def test_two_crowds_side_by_side(personae, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    personae("create", "harbour_town", "--n", 300, "--quota", "sex: female=.8, male=.2", "--out", a)
    personae("create", "harbour_town", "--n", 200, "--writer", "grammar", "--out", b)
    said = personae("population", "compare", a, b, "--out", tmp_path / "report", "--json")
    assert said.data["people"] == [300, 200]
    by_name = {v["variable"]: float(v["distance"]) for v in said.data["variables"]}
    assert by_name["social.sex"] > 0.2
    assert by_name["social.sex"] == max(by_name[k] for k in by_name if not k.startswith("personal"))
    assert "Two populations compared" in (tmp_path / "report" / "index.html").read_text("utf-8")
    same = personae("population", "compare", a / "people.jsonl", a, "--json")
    assert all(float(v["distance"]) == 0 for v in same.data["variables"])
    drawn = personae("population", "compare", "harbour_town", b, "--n", 50, "--json")
    assert drawn.data["people"] == [50, 200]


@pytest.mark.usefixtures("no_report")
def test_a_folder_of_other_people_is_never_written_over(personae, village: Path, tmp_path: Path) -> None:
    out = tmp_path / "people"
    personae("create", village, "--n", 20, "--out", out)
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}
    for others in (("--n", 21), ("--seed", 5), ("--quota", "sex: female=.5, male=.5"), ("--rarity", 2)):
        said = personae("create", village, "--n", 20, *others, "--out", out, "--json")
        assert (said.code, "belongs to another population" in said.error["message"]) == (2, True), others
        assert said.error["suggestion"]
    assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before


def test_people_of_unknown_origin_runs_and_recipes_of_ones_own_are_left_alone(
    personae, village: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "people.jsonl").write_text("{}\n", "utf-8")
    said = personae("create", village, "--out", mine, "--json")
    assert (said.code, "who these people are" in said.error["message"]) == (2, True)
    assert (mine / "people.jsonl").read_text("utf-8") == "{}\n"
    run = tmp_path / "run"
    personae("create", village, "--writer", "grammar", "--out", run)
    said = personae("create", village, "--out", run, "--json")
    assert (said.code, "folder of a run" in said.error["message"]) == (2, True)
    beside = tmp_path / "beside"
    beside.mkdir()
    text = "# my own words\n" + village.read_text("utf-8")
    (beside / "recipe.yaml").write_text(text, "utf-8")
    assert personae("create", beside / "recipe.yaml", "--out", beside).code == 0
    assert (beside / "recipe.yaml").read_text("utf-8") == text


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_run_killed_between_parts_goes_on_with_resume_alone(
    personae, village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from personae.cli import _people
    from personae.creation import _parts

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    wanted = ("--n", 2500, "--format", kind)
    monkeypatch.setitem(_parts.USUAL_PART, kind, 1024)
    monkeypatch.setattr(_people, "_WATCHED", 1000)
    personae("create", village, *wanted, "--out", whole)
    write, done = getattr(_parts, f"_write_{kind}"), []

    def killed(population, part):
        if done:
            raise KeyboardInterrupt
        done.append(part)
        write(population, part)

    monkeypatch.setattr(_parts, f"_write_{kind}", killed)
    said = personae("create", village, *wanted, "--out", cut)
    assert (said.code, "resume" in said.err) == (130, True)
    monkeypatch.setattr(_parts, f"_write_{kind}", write)
    said = personae("create", "--resume", "--out", cut, "--json")
    assert said.data["people"] == 2500
    assert "people: 2,500/2,500" in said.err
    digest = [json.loads((f / "fit.json").read_text("utf-8"))["digest"] for f in (whole, cut)]
    assert digest[0] == digest[1]


def test_resume_goes_on_with_a_writer_and_takes_nothing_else(personae, village: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = personae("create", village, "--n", 10, "--seed", 3, "--writer", "grammar", "--out", out, "--json")
    again = personae("create", "--resume", "--out", out, "--json")
    assert again.data["digest"] == first.data["digest"]
    for more in (("--n", 3), ("--seed", 0), ("--model", "fake:echo"), ("--writer", "model"), ("--rarity", 2)):
        said = personae("create", "--resume", "--out", out, *more, "--json")
        assert (said.code, more[0] in said.error["message"]) == (2, True)
    other = tmp_path / "study"
    personae("study", "run", "persona_taxonomy", "--out", other)
    said = personae("create", "--resume", "--out", other, "--json")
    assert (said.code, "persona_taxonomy" in said.error["message"]) == (2, True)


@pytest.mark.usefixtures("no_report")
def test_the_seed_is_the_recipes_own_unless_given(personae, village: Path, tmp_path: Path) -> None:
    assert "seed: 1 " in village.read_text("utf-8")
    assert personae("create", village, "--out", tmp_path / "a", "--json").data["seed"] == 1
    assert personae("create", village, "--seed", 4, "--out", tmp_path / "b", "--json").data["seed"] == 4


@pytest.mark.usefixtures("no_report")
def test_strata_are_equal_and_weights_speak_of_the_population(personae, tmp_path: Path) -> None:
    out = tmp_path / "people"
    said = personae("create", "harbour_town", "--n", 1000, "--strata", "sex x age_band", "--out", out)
    assert said.code == 0
    assert "no longer exact" in said.err
    assert "sex x age_band" in said.err
    assert "BY WEIGHT" in said.out
    assert "tell as much of the population" in said.out
    fit = json.loads((out / "fit.json").read_text("utf-8"))
    assert {row["count"] for row in fit["rows"] if row["margin"].startswith("strata")} == {100}
    assert fit["weighted"]["sex x age_band"]["distance"] < 0.005 < fit["distance"]["sex x age_band"]
    for wrong in ("planet", "sex, age_band", ""):
        said = personae("create", "harbour_town", "--strata", wrong, "--out", tmp_path / "x", "--json")
        assert (said.code, "a x b" in said.error["suggestion"]) == (2, True)


def test_quotas_of_the_same_people_are_told_apart(personae, village: Path, tmp_path: Path) -> None:
    twice = ("--quota", "sex: female=.5, male=.5", "--quota", "sex: female=.6, male=.4")
    said = personae("create", village, *twice, "--out", tmp_path / "x", "--json")
    assert (said.code, "has a quota already" in said.error["message"]) == (2, True)
    turned = "age x sex: young | female=.5, old | male=.5"
    said = personae("create", village, "--quota", turned, "--out", tmp_path / "y", "--json")
    assert {row["margin"] for row in said.data["fit"]} == {"age x sex"}


@pytest.mark.usefixtures("no_report")
def test_what_cannot_fit_on_the_disk_is_refused_first(personae, village: Path, tmp_path: Path) -> None:
    out = tmp_path / "people"
    said = personae("create", village, "--n", 10**11, "--out", out, "--json")
    assert (said.code, said.error["code"]) == (5, "disk_full")
    assert "GB more" in said.error["message"]
    assert not out.exists()
    told = personae("create", village, "--n", 10**11, "--format", "parquet", "--dry-run", "--out", out, "--json")
    assert told.data["bytes"] > 10**11
    few = personae("create", village, "--n", 2000, "--dry-run", "--out", out, "--json").data["bytes"]
    personae("create", village, "--n", 2000, "--out", out)
    assert few / 2 == pytest.approx((out / "people.jsonl").stat().st_size, rel=0.1)
    for n in (10**13, 10**30):
        said = personae("create", village, "--n", n, "--out", tmp_path / "x", "--json")
        assert (said.code, said.error["code"]) == (2, "recipe")


def test_two_recipes_are_told_apart_where_they_part(personae, village: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(village.read_text("utf-8").replace("shepherd", "swineherd"), "utf-8")
    personae("create", village, "--writer", "grammar", "--out", tmp_path / "run")
    said = personae("create", other, "--writer", "grammar", "--out", tmp_path / "run", "--json")
    assert said.code == 2
    assert "shepherd" in said.error["message"]
    assert "swineherd" in said.error["message"]
