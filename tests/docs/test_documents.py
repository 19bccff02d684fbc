"""Documents are true: the reference is what the commands say, and every Python block of the README runs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)


def test_the_command_reference_is_what_the_commands_say(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == module.reference(), "run `make docs`"


def test_the_example_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    monkeypatch.chdir(tmp_path)
    fake = code.replace('"smollm2"', '"fake:scripted"')
    exec(compile(fake, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


def test_the_steering_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    import numpy as np

    from personae.steering import Direction, save_directions

    _, code = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    save_directions("calm.safetensors", Direction("calm", {15: np.ones(4), 20: np.ones(4)}, norms={15: 1.0, 20: 1.0}))
    found: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), found)
    assert [type(part).__name__ for part in found["both"].parts] == ["Steer", "Prompt"]  # type: ignore[attr-defined]


def test_no_document_names_a_registry_host_or_an_absolute_path_of_a_machine() -> None:
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("design/*.md"),
        ROOT / "Makefile",
        ROOT / "constraints.txt",
    ]:
        text = path.read_text("utf-8")
        assert "pypi.org" not in text
        assert "files.pythonhosted" not in text
        assert "/work/" not in text, path


def commands() -> list[tuple[str, str]]:
    """Every `personae …` line of the documents and example recipes, comments cut off."""
    files = [
        *ROOT.glob("*.md"),
        *(ROOT / "src/personae/studies").glob("*/README.md"),
        *(ROOT / "examples").rglob("*.yaml"),
        ROOT / "Makefile",
    ]
    found = []
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            match = re.search(r"^\s*(?:#\s*Try:\s*|@?\S*/)?personae (\w[^#]*)", line)
            if match and line.startswith(("    ", "\t", "#")):
                found.append((str(file.relative_to(ROOT)), match[1].strip()))
    return found


def test_every_command_in_a_document_exists_with_its_options() -> None:
    import typer

    from personae.cli._app import app

    root = typer.main.get_command(app)
    assert len(commands()) > 10
    for where, line in commands():
        words, command = line.split(), root
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), f"{where}: {line}"
        known = {option for parameter in command.params for option in parameter.opts}
        assert {w for w in words if w.startswith("--")} <= known | {"--help"}, f"{where}: {line}"


def test_settings_in_documents_exist() -> None:
    from personae.studies import studies

    for where, line in commands():
        if line.startswith("study run ") and line.split()[2] in studies.names():
            settings = set(re.findall(r"--set (\w+)=", line))
            assert settings <= set(studies.get(line.split()[2]).Spec.model_fields), f"{where}: {line}"


def test_people_named_in_documents_are_in_the_gallery() -> None:
    from personae.creation import load_gallery

    names = {p.name.split()[0] for p in load_gallery()}
    for where, line in commands():
        match = re.match(r"(?:chat|administer|simulate) ([A-Z]\w+)", line)
        assert match is None or match[1] in names, f"{where}: {line}"
