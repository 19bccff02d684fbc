"""`create` and `population compare`: quotas asked for, weights, going on, writers, and two crowds side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def people(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "people.jsonl").read_text("utf-8").splitlines()]


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
