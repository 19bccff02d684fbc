"""Every command on fakes: what it prints, what it writes, and that machines get one JSON object."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from personae import __version__

COMMANDS = (
    ("demo",),
    ("create",),
    ("lint",),
    ("chat",),
    ("simulate",),
    ("administer",),
    ("report",),
    ("export",),
    ("doctor",),
    ("study", "list"),
    ("study", "show"),
    ("study", "run"),
    ("persona", "classify"),
    ("persona", "plan"),
    ("persona", "risk"),
    ("persona", "schema"),
    ("run", "show"),
    ("run", "digest"),
    ("run", "compare"),
    ("run", "repair"),
    ("models", "get"),
    ("models", "list"),
    ("models", "verify"),
    ("cache", "info"),
    ("cache", "vacuum"),
    ("cache", "clear"),
    ("population", "compare"),
    ("lint",),
    ("import",),
    ("steer", "fit"),
    ("steer", "show"),
    ("steer", "apply"),
    ("steer", "export"),
    ("drift",),
    ("forms", "make"),
    ("forms", "read"),
    ("forms", "profile"),
)


# The tree --------------------------------------------------------------------------------------------------------


def test_version(personae) -> None:
    said = personae("--version")
    assert (said.code, said.out) == (0, f"personae {__version__}\n")


def test_without_a_command_the_help_names_them_all_and_completion(personae) -> None:
    said = personae()
    assert said.code == 2
    for command in {c[0] for c in COMMANDS}:
        assert f"\n  {command} " in said.out + said.err
    assert "--install-completion" in said.out + said.err
    assert "--show-completion" in said.out + said.err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_can_show_its_trace(personae, command: tuple[str, ...]) -> None:
    said = personae(*command, "--help")
    assert said.code == 0
    assert "--debug" in said.out
    assert command == ("chat",) or "--json" in said.out


def test_the_whole_tree_is_listed_here() -> None:
    from typer.main import get_command

    from personae.cli._app import app

    found = set()
    for name, command in get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        found |= {(name, sub) for sub in inner} if inner else {(name,)}
    assert found == set(COMMANDS)


def test_a_wrong_option_is_bad_input(personae) -> None:
    said = personae("demo", "--peple", 3)
    assert said.code == 2
    assert "--people" in said.err
    assert "Traceback" not in said.err


# The main job ------------------------------------------------------------------------------------------------------


def test_demo_says_what_it_found_where_it_lies_and_what_to_try(personae, tmp_path: Path) -> None:
    out = tmp_path / "run"
    args = ("demo", "--out", out, "--seed", 3, "--people", 4, "--turns", 2, "--model", "fake:statistical")
    said = personae(*args)
    assert said.code == 0, said.err
    assert "Traits recovered from people as themselves" in said.out
    assert "hard quotas off by at most 0 person(s)" in said.out
    assert "load " in said.out
    next_commands = [line.strip() for line in said.out.partition("next:")[2].splitlines() if line.strip()]
    assert len(next_commands) == 3
    assert (out / "report" / "index.html").is_file()
    assert (out / "exports" / "people.jsonl").is_file()
    assert "inventory: 10/10" in said.err
    digest = next(line.split()[1] for line in said.out.splitlines() if line.startswith("digest"))
    again = personae(*args, "--json")
    assert again.data["digest"] == digest
    assert again.data["headline"] == [line for line in said.out.splitlines() if line in again.data["headline"]]
    for line in next_commands:
        command = shlex.split(line)[1:]
        typed = "\n" if command[0] == "chat" else None
        model = ("--model", "fake:scripted") if command[0] == "chat" else ()
        assert personae(*command, *model, typed=typed).code == 0, line


def test_demo_dry_run_counts_and_writes_nothing(personae, tmp_path: Path) -> None:
    said = personae("demo", "--out", tmp_path / "run", "--people", 6, "--dry-run", "--json")
    assert said.code == 0
    assert [s["stage"] for s in said.data["plan"]] == ["people", "inventory", "dialogue"]
    assert [s["units"] for s in said.data["plan"]] == [1, 14, 6]
    assert list(tmp_path.glob("run*")) == []
    assert "inventory: 14 units" in personae("demo", "--people", 6, "--dry-run", "--out", tmp_path / "run").out


def test_a_dry_run_still_checks_the_words(personae, tmp_path: Path) -> None:
    said = personae("demo", "--model", "smollm3", "--dry-run", "--out", tmp_path / "run", "--json")
    assert said.code == 2
    assert "smollm2" in said.error["suggestion"]


# People ------------------------------------------------------------------------------------------------------------


def test_create_writes_people_and_prints_the_fit(personae, village: Path, tmp_path: Path) -> None:
    said = personae("create", village, "--n", 12, "--seed", 5, "--out", tmp_path / "people")
    assert said.code == 0, said.err
    assert "12 people, seed 5" in said.out
    assert "ASKED" in said.out
    files = [f for f in (tmp_path / "people").rglob("*") if f.is_file()]
    assert files
    data = personae("create", village, "--n", 12, "--seed", 5, "--out", tmp_path / "again", "--json").data
    assert data["people"] == 12
    assert sum(c["people"] for c in data["fit"] if c["margin"] == data["fit"][0]["margin"]) == 12
    for file in files:
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(tmp_path / "people")).read_bytes()


def test_create_dry_run_writes_nothing(personae, village: Path, tmp_path: Path) -> None:
    said = personae("create", village, "--n", 12, "--out", tmp_path / "people", "--dry-run", "--json")
    assert said.data["dry_run"] is True
    assert not (tmp_path / "people").exists()


def test_created_people_can_answer_and_talk(personae, village: Path, tmp_path: Path) -> None:
    personae("create", village, "--n", 2, "--out", tmp_path / "people")
    file = next((tmp_path / "people").glob("*.jsonl"))
    said = personae("administer", file, "--model", "fake:statistical", "--json")
    assert said.code == 0, said.err
    assert {s["answered"] for s in said.data["scales"]} == {"10/10"}


# One person at a time ----------------------------------------------------------------------------------------------


def test_chat_answers_until_an_empty_line(personae) -> None:
    said = personae("chat", "Wanda", "--model", "fake:scripted", typed="Hello.\nHow was work?\n\nNever read.\n")
    assert said.code == 0, said.err
    assert said.out.count("Wanda Fitzgerald-Nowak>") == 2
    assert "invented person" in said.err


def test_chat_ends_with_the_input_and_at_the_cap(personae) -> None:
    assert personae("chat", "--model", "fake:scripted", typed="").code == 0
    said = personae("chat", "--model", "fake:scripted", "--turns", 2, typed="a\nb\nc\n")
    assert said.out.count("Fitzgerald-Nowak>") == 1


def test_chat_shows_the_prompt_on_standard_error(personae) -> None:
    said = personae("chat", "Wanda", "--model", "fake:scripted", "--show-prompt", typed="Hello.\n\n")
    assert "You are Wanda Fitzgerald-Nowak." in said.err
    assert "Hello." in said.err
    assert "You are Wanda" not in said.out


@pytest.mark.parametrize("mode", ["ecp", "concat"])
def test_simulate_prints_the_conversation(personae, mode: str) -> None:
    args = ("simulate", "Wanda", "--model", "fake:scripted", "--turns", 4, "--mode", mode)
    said = personae(*args)
    assert said.code == 0, said.err
    lines = said.out.strip().splitlines()
    data = personae(*args, "--json").data
    assert [t["role"] for t in data["turns"]] == ["client", "responder"] * (len(data["turns"]) // 2)
    names = {"client": "Wanda Fitzgerald-Nowak", "responder": "responder"}
    assert lines[:-1] == [f"{names[t['role']]}: {t['text']}" for t in data["turns"]]
    assert data["end_reason"] in lines[-1]


def test_simulate_shows_the_prompt_in_both_forms(personae) -> None:
    args = ("simulate", "Wanda", "--model", "fake:scripted", "--turns", 2, "--show-prompt")
    assert "You are Wanda Fitzgerald-Nowak." in personae(*args).out
    assert "You are Wanda Fitzgerald-Nowak." in personae(*args, "--json").data["prompt"]


def test_simulate_knows_two_modes(personae) -> None:
    said = personae("simulate", "--mode", "omniscient", "--model", "fake:scripted", "--json")
    assert said.code == 2
    assert "ecp" in said.error["suggestion"]


def test_administer_scores_beside_the_given_traits(personae) -> None:
    said = personae("administer", "Wanda", "--model", "fake:statistical")
    assert said.code == 0, said.err
    assert "ok: 50" in said.out
    row = next(line.split() for line in said.out.splitlines() if line.startswith("extraversion"))
    assert row[2:] == ["10/10", "72"]
    assert 1 <= float(row[1]) <= 5


def test_administer_shows_the_prompt(personae) -> None:
    said = personae("administer", "Wanda", "--model", "fake:scripted", "--show-prompt", "--json")
    assert "You are Wanda Fitzgerald-Nowak." in said.data["prompt"]
    assert "I am the life of the party" in said.data["prompt"]


def test_administer_by_free_text_counts_what_it_could_not_read(personae) -> None:
    said = personae("administer", "Wanda", "--model", "fake:scripted", "--free-text", "--json")
    assert said.code == 0, said.err
    assert sum(said.data["statuses"].values()) == 50
    assert said.data["statuses"]["unparsed"] > 0
    unanswered = [s for s in said.data["scales"] if s["score"] == "–"]
    assert all(s["reason"] for s in unanswered)


@pytest.mark.parametrize(("who", "word"), [("Nobody Here", "Nobody"), ("a", "Several")])
def test_who_is_not_found_or_not_one_is_told(personae, who: str, word: str) -> None:
    said = personae("administer", who, "--model", "fake:scripted", "--json")
    assert said.code == 2
    assert said.error["message"].startswith(word)
    assert "Try one of" in said.error["suggestion"]


# Studies -----------------------------------------------------------------------------------------------------------


def test_study_list_prints_capabilities_and_tests(personae) -> None:
    rows = personae("study", "list", "--json").data["studies"]
    assert {"demo", "spasm"} <= {r["name"] for r in rows}
    for row in rows:
        assert row["capabilities"]
        assert row["tests"]
        assert row["claims"] > 0
    assert "simulation.converse" in personae("study", "list").out


def test_study_show_prints_card_and_settings(personae) -> None:
    data = personae("study", "show", "spasm", "--json").data
    assert data["card"]["claims"]
    assert data["settings"]["people"] == 20
    text = personae("study", "show", "spasm").out
    assert "people = 20" in text
    assert yaml.safe_load(text.partition("settings (--set")[0])["name"] == "spasm"


def test_a_study_nobody_knows_gets_the_nearest(personae) -> None:
    said = personae("study", "show", "spam", "--json")
    assert said.code == 2
    assert "spasm" in said.error["suggestion"]


@pytest.mark.parametrize(
    ("setting", "word"), [("peple=3", "people"), ("people", "key=value"), ("people=many", "people"), ("people=0", "2")]
)
def test_a_wrong_setting_is_told(personae, tmp_path: Path, setting: str, word: str) -> None:
    out = tmp_path / "run"
    said = personae("study", "run", "demo", "--out", out, "--set", setting, "--model", "fake:scripted", "--json")
    assert said.code == 2
    assert word in f"{said.error['message']} {said.error['suggestion']}"
    assert not out.exists()


@pytest.mark.parametrize(("option", "value"), [("--exactness", "roughly"), ("--cache", "maybe")])
def test_closed_sets_are_closed(personae, tmp_path: Path, option: str, value: str) -> None:
    said = personae("study", "run", "demo", "--out", tmp_path / "run", option, value, "--json")
    assert said.code == 2
    assert value in said.error["message"]


def test_a_cap_on_calls_stops_cleanly_and_more_calls_go_on(personae, small, finished, tmp_path: Path) -> None:
    args = ("study", "run", "demo", *small, "--model", "fake:statistical", "--out", tmp_path / "run", "--json")
    said = personae(*args, "--max-calls", 5, "--concurrency", 1)
    assert said.code == 6
    assert said.error["code"] == "budget"
    assert "higher cap" in said.error["suggestion"]
    assert personae("run", "show", tmp_path / "run", "--json").data["state"] == "interrupted"
    assert personae(*args).data["digest"] == finished.data["digest"]


def test_failed_units_are_a_warning_in_both_forms(personae, small, tmp_path: Path, monkeypatch) -> None:
    from personae.core import ModelError
    from personae.models import StatisticalModel

    class Failing(StatisticalModel):
        async def score_options(self, requests):
            if requests[0].tags.get("unit") == "inventory/self/1":
                raise ModelError("the server coughed.")
            return await super().score_options(requests)

    monkeypatch.setattr("personae.studies._driver.open_model", lambda *args, **kwargs: Failing())
    args = ("study", "run", "demo", *small, "--model", "fake:statistical", "--out", tmp_path / "run")
    said = personae(*args, "--json")
    assert said.code == 0, said.err
    assert said.data["failed_units"] == 1
    assert said.envelope["warnings"] == ["1 unit(s) failed, see the report. The same command tries them again."]
    assert "warning: 1 unit(s) failed" in personae(*args).err


# Run folders -------------------------------------------------------------------------------------------------------


def test_run_show_counts_what_is_there(personae, folder: Path) -> None:
    data = personae("run", "show", folder, "--json").data
    assert data["state"] == "completed"
    assert data["people"] == 8
    assert data["responses"] == 10 * 50
    assert data["conversations"] == 4
    assert data["failures"] == 0
    assert f"{data['digest']}" in personae("run", "show", folder).out


def test_run_digest_prints_the_digest_alone(personae, folder: Path, finished) -> None:
    said = personae("run", "digest", folder)
    assert said.out.strip() == finished.data["digest"]
    assert personae("run", "digest", folder, "--json").data == {"digest": finished.data["digest"]}


def test_run_compare_names_tables_and_columns(personae, folder: Path, small, tmp_path: Path) -> None:
    assert personae("run", "compare", folder, folder).out.strip() == "identical"
    other = tmp_path / "other"
    personae("study", "run", "demo", *small, "--seed", 8, "--model", "fake:statistical", "--out", other)
    data = personae("run", "compare", folder, other, "--json").data
    assert data["identical"] is False
    assert "responses" in {t["table"] for t in data["different"]}
    assert "differs in" in personae("run", "compare", folder, other).out


def test_run_repair_of_a_sound_run_does_nothing(personae, folder: Path, finished) -> None:
    data = personae("run", "repair", folder, "--json").data
    assert data == {"dropped": [], "queued": []}
    assert personae("run", "digest", folder).out.strip() == finished.data["digest"]


def test_report_is_written_again_from_the_folder(personae, folder: Path) -> None:
    page = folder / "report" / "index.html"
    before = page.read_text("utf-8")
    page.unlink()
    said = personae("report", folder, "--json")
    assert said.code == 0, said.err
    assert said.data["report"] == str(page)
    text = page.read_text("utf-8")
    assert len(text) > 20_000
    assert text == before


def test_export_writes_the_formats_asked_for(personae, folder: Path, tmp_path: Path) -> None:
    said = personae("export", folder, "--out", tmp_path / "data", "--formats", "jsonl, chat", "--json")
    assert said.code == 0, said.err
    names = {Path(f).name for f in said.data["files"]}
    assert {"people.jsonl", "conversations.jsonl", "chat.jsonl"} <= names
    assert not any(n.endswith(".parquet") for n in names)
    for file in said.data["files"]:
        assert Path(file).is_file()
    people = [json.loads(line) for line in (tmp_path / "data" / "people.jsonl").read_text("utf-8").splitlines()]
    assert all(p["synthetic"] is True for p in people)


def test_a_format_nobody_knows_gets_the_nearest(personae, folder: Path, tmp_path: Path) -> None:
    said = personae("export", folder, "--out", tmp_path / "data", "--formats", "parket", "--json")
    assert said.code == 2
    assert "parquet" in said.error["suggestion"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", [("run", "show"), ("run", "digest"), ("run", "repair"), ("report",), ("export",)])
def test_a_folder_that_is_no_run_is_told(personae, tmp_path: Path, command: tuple[str, ...]) -> None:
    for path in (tmp_path, tmp_path / "none"):
        said = personae(*command, path, "--json")
        assert said.code == 2, said.out
        assert str(path) in said.error["message"]
        assert list(tmp_path.iterdir()) == []


# Weights and the machine -------------------------------------------------------------------------------------------


def test_models_list_says_what_is_present(personae) -> None:
    rows = personae("models", "list", "--json").data["models"]
    assert {r["name"]: r["present"] for r in rows}["smollm2"] == "no"
    assert "smollm2" in personae("models", "list").out


def test_models_verify_of_what_is_missing_says_how_to_get_it(personae) -> None:
    said = personae("models", "verify", "smollm2", "--json")
    assert said.code == 3
    assert "personae models get smollm2" in said.error["suggestion"]


def test_models_get_of_an_unknown_name_gets_the_nearest(personae) -> None:
    said = personae("models", "get", "smollm1", "--json")
    assert said.code == 2
    assert "smollm2" in said.error["suggestion"]


def test_doctor_names_the_line_that_installs_what_is_missing(personae) -> None:
    said = personae("doctor", "--json")
    assert said.code == 0
    parts = {p["part"]: p for p in said.data["parts"]}
    assert parts["weights: smollm2"]["state"] == "missing"
    assert parts["weights: smollm2"]["fix"] == "personae models get smollm2"
    for part in parts.values():
        assert (part["state"] == "missing") == bool(part["fix"])
    assert said.data["machine"]["personae"] == __version__
    assert "load average" in personae("doctor").out


def test_doctor_never_prints_a_key(personae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAE_API_KEY", "sk-very-secret-0123456789")
    said = personae("doctor")
    assert "API key: set" in said.out
    assert "very-secret" not in said.out + said.err


# How it fails ------------------------------------------------------------------------------------------------------


def test_an_error_is_one_message_without_a_trace_and_with_debug_the_trace_too(personae) -> None:
    plain = personae("administer", "Nobody Here", "--model", "fake:scripted")
    assert plain.code == 2
    assert plain.out == ""
    assert plain.err.startswith("error (input): ")
    assert "Traceback" not in plain.err
    debug = personae("administer", "Nobody Here", "--model", "fake:scripted", "--debug")
    assert debug.code == 2
    assert "Traceback (most recent call last)" in debug.err
    assert "InputError" in debug.err


def test_a_bug_is_called_a_bug(personae, monkeypatch: pytest.MonkeyPatch) -> None:
    from personae import models

    def broken() -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(models, "list_weights", broken)
    said = personae("models", "list")
    assert said.code == 1
    assert "Unexpected ZeroDivisionError: boom" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in personae("models", "list", "--debug").err
    assert personae("models", "list", "--json").error["code"] == "unexpected"


def test_lint_tells_who_is_wrong_where_and_ends_with_2(personae, tmp_path) -> None:
    file = tmp_path / "people.jsonl"
    people = [{"names": {"full": name}, "social": {"age": age}} for name, age in (("Ada Lo", 40), ("Bo", 150))]
    ada, bo = (f"{json.dumps(body)}\n" for body in people)
    file.write_text(ada + bo)
    said = personae("lint", str(file))
    assert said.code == 2
    assert f"{file}:2: error age_possible (Bo)" in said.out
    assert f"{file}:1:" not in said.out
    file.write_text(ada)
    assert personae("lint", str(file), "--pack", "adult_general").code == 0
