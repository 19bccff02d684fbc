"""`--preview`: a pilot that is part of the run, and what it says about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

STAGES = ["people", "inventory", "dialogue"]


@pytest.fixture
def args(small, tmp_path: Path) -> tuple[object, ...]:
    return ("study", "run", "demo", *small, "--model", "fake:statistical", "--out", tmp_path / "run")


def test_the_pilot_is_part_of_the_run_and_the_same_command_goes_on(personae, args, finished, tmp_path: Path) -> None:
    said = personae(*args, "--preview")
    assert said.code == 0, said.err
    assert "people: all 1 units are done" in said.out
    assert "inventory: 6 of 10 units left, judged by 4 (0 of them failed)" in said.out
    assert "dialogue: all 4 units are done" in said.out
    assert "total: 6 of 15 units left" in said.out
    assert "calls: 6 (6–6)" in said.out
    assert "90 % prediction intervals" in said.out
    assert "money: unknown" in said.out
    assert "inventory: trying 4 of 10 units" in said.err
    assert not (tmp_path / "run" / "report").exists()
    assert personae("run", "show", tmp_path / "run", "--json").data["state"] == "interrupted"
    assert personae("run", "show", tmp_path / "run", "--json").data["responses"] == 4 * 50
    went_on = personae(*args)
    assert "inventory: 10/10, 4 from before" in went_on.err
    assert personae("run", "digest", tmp_path / "run").out.strip() == finished.data["digest"]
    after = personae(*args, "--preview", "--json").data
    assert after["total"]["units_left"] == 0
    assert personae("run", "show", tmp_path / "run", "--json").data["state"] == "completed"


def test_machines_get_every_number_and_money_where_there_is_a_price(personae, args) -> None:
    first = personae(*args, "--preview", "--price", "1,2", "--json").data
    assert [s["stage"] for s in first["preview"]] == STAGES
    assert [s["units"] for s in first["preview"]] == [1, 10, 4]
    inventory = first["preview"][1]
    assert (inventory["pilot"], inventory["units_left"], inventory["planned_calls"]) == (4, 6, 10)
    assert inventory["calls"] == {"expected": 6.0, "low": 6.0, "high": 6.0}
    for part in (inventory, first["total"]):
        seconds = part["seconds"]
        assert 0 <= seconds["low"] <= seconds["expected"] <= seconds["high"]
        tokens = part["prompt_tokens"]["expected"] + 2 * part["generated_tokens"]["expected"]
        assert part["money"]["expected"] == pytest.approx(tokens / 1e6)
    # Once more, without a price: other units are tried, and fewer are left.
    again = personae(*args, "--preview", "--json").data
    assert again["preview"][1]["units_left"] == 2
    assert again["total"]["money"] is None


def test_the_demo_command_knows_it_too_and_a_dry_run_still_touches_nothing(personae, tmp_path: Path) -> None:
    args = ("demo", "--people", 4, "--turns", 2, "--model", "fake:statistical", "--out", tmp_path / "run")
    assert personae(*args, "--dry-run").code == 0
    assert not (tmp_path / "run").exists()
    said = personae(*args, "--preview", "--price", "2.5,10")
    assert said.code == 0, said.err
    assert "money: unknown" not in said.out
    assert "  money: 0" in said.out


@pytest.mark.parametrize("price", ["1", "a,b", "-1,2", "1,inf", "1,nan", "1,2,3"])
def test_a_price_that_is_none_is_told_before_anything_is_done(personae, args, tmp_path: Path, price: str) -> None:
    said = personae(*args, "--preview", f"--price={price}", "--json")
    assert said.code == 2
    assert "0.15,0.60" in said.error["suggestion"]
    assert not (tmp_path / "run").exists()


def test_options_that_contradict_each_other(personae, args, tmp_path: Path) -> None:
    for words in (("--preview", "--dry-run"), ("--price", "1,2")):
        said = personae(*args, *words, "--json")
        assert said.code == 2
        assert words[0] in said.error["message"]
    assert not (tmp_path / "run").exists()
