"""Command lines that do not fit: typer finds them before a command runs, and machines get the same envelope."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from personae import __version__

WRONG = (
    (("demo", "--peple", 3), "--peple", "Did you mean '--people'?"),
    (("demo", "--people", "many"), "--people", "demo --help"),
    (("demo", "--people", 1), "--people", "demo --help"),
    (("demo", "extra"), "extra", "demo --help"),
    (("administer",), "who", "administer --help"),
    (("study", "run", "demo"), "--out", "study run --help"),
    (("study", "runn"), "runn", "study --help"),
    (("nothing",), "nothing", "--help"),
)


@pytest.mark.parametrize(("words", "named", "hint"), WRONG, ids=lambda v: "_".join(map(str, v))[:20])
def test_wrong_usage_has_an_envelope_where_one_was_asked_for(personae, words, named: str, hint: str) -> None:
    said = personae(*words, "--json")
    assert said.code == 2
    assert said.error["code"] == "usage"
    assert named in said.error["message"]
    assert hint in said.error["suggestion"]
    assert set(said.error) == {"code", "message", "suggestion"}
    assert said.err == ""
    plain = personae(*words)
    assert plain.code == 2
    assert plain.out == ""
    assert "Usage:" in plain.err


def test_json_before_the_command_or_where_it_is_unknown_says_so(personae) -> None:
    for words in (("--json", "demo"), ("chat", "--json")):
        said = personae(*words)
        assert said.code == 2
        assert "--json" in said.error["message"]
        assert "behind a command" in said.error["suggestion"]


def test_the_order_of_the_words_does_not_matter(personae) -> None:
    assert personae("run", "digest", "--json").error["message"] == "Missing argument 'folder'."
    assert personae("study", "show", "--json", "spasm").data["card"]


def test_the_real_process_says_the_same() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "personae", *words], capture_output=True, text=True, check=False)

    wrong = run("run", "show", "--jsn", "--json")
    assert wrong.returncode == 2
    assert json.loads(wrong.stdout)["error"]["suggestion"].startswith("Did you mean '--json'?")
    assert wrong.stderr == ""
    version = run("--version")
    assert (version.returncode, version.stdout) == (0, f"personae {__version__}\n")
