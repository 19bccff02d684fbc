"""A person of a finished run, by name, content id or number."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from personae.core import PersonaRow
from personae.runs import open_run


@pytest.fixture(scope="session")
def drawn(folder: Path) -> list[PersonaRow]:
    """People of the finished demo, twins included."""
    with open_run(folder) as run:
        return sorted(run.rows(PersonaRow), key=lambda r: (r.k, r.role))


@pytest.fixture
def administer(personae, folder: Path):
    def ask(who: object, *more: object):
        return personae("administer", who, "--from", folder, "--model", "fake:statistical", "--json", *more)

    return ask


def test_name_number_and_id_name_the_same_person(administer, drawn) -> None:
    subjects = [r for r in drawn if r.twin_of is None]
    assert len({r.name for r in subjects}) == len(subjects)
    for row in subjects:
        for who in (row.name, row.name.upper(), row.k, row.persona_id):
            assert administer(who).data["persona"] == row.persona_id


def test_a_twin_is_found_by_its_id_alone(administer, drawn) -> None:
    twin = next(r for r in drawn if r.twin_of is not None)
    assert administer(twin.persona_id).data["persona"] == twin.persona_id
    assert administer(twin.name).data["persona"] == twin.twin_of


def test_who_is_not_in_the_run_is_told_who_is(administer, drawn) -> None:
    for who in ("Nobody Here", "99", "Wanda"):
        said = administer(who)
        assert said.code == 2
        assert said.error["message"].startswith("Nobody in ")
        assert drawn[0].name in said.error["suggestion"]


def test_a_folder_that_is_no_run_and_a_run_without_people(personae, tmp_path: Path, small) -> None:
    args = ("administer", "0", "--from", tmp_path / "run", "--model", "fake:scripted", "--json")
    assert "run folder" in personae(*args).error["message"]
    from personae.runs import Run

    spec = {"study": "demo", "spec": {}, "seed": 1, "model": None, "determinism": "exact"}
    Run.create_or_resume(tmp_path / "run", **spec).close()
    said = personae(*args)
    assert said.code == 2
    assert "holds no people" in said.error["message"]


def test_without_a_name_the_first_person_talks(personae, folder: Path, drawn) -> None:
    data = personae("simulate", "--from", folder, "--model", "fake:scripted", "--turns", 2, "--json").data
    first = next(r for r in drawn if r.k == 0 and r.twin_of is None)
    assert data["client"] == first.persona_id
    said = personae("chat", "--from", folder, "--model", "fake:scripted", typed="Hello.\n\n")
    assert f"{first.name}>" in said.out


def test_the_demo_ends_with_a_person_of_its_own(personae, drawn, village: Path, tmp_path: Path) -> None:
    out = tmp_path / "with a space"
    args = ("--set", "people=4", "--set", "turns=2", "--set", f"recipe={village}", "--model", "fake:statistical")
    said = personae("study", "run", "demo", *args, "--out", out)
    (line,) = [line.strip() for line in said.out.splitlines() if "personae chat" in line]
    words = shlex.split(line)
    with open_run(out) as run:
        first = next(r for r in run.rows(PersonaRow) if r.k == 0 and r.twin_of is None)
    assert words == ["personae", "chat", first.name, "--from", str(out), "--model", "fake:statistical"]
    talk = personae(*words[1:], typed="Hello.\n\n")
    assert talk.code == 0, talk.err
    assert f"{first.name}>" in talk.out
