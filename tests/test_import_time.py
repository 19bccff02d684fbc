"""Importing the package, and asking the command line for help, stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "scipy",
    "pandas",
    "pyarrow",
    "duckdb",
    "torch",
    "openai",
    "httpx",
    "matplotlib",
    "xllamacpp",
    "gguf",
    "onnxruntime",
)
LIGHTER = ("numpy", "pydantic", "yaml", "jinja2", "rich", "asyncio", "email")
"""Still tenths of a second together: what a list of commands needs none of."""
PROBE = """
import json, sys, time
began = time.process_time()
{code}
spent = time.process_time() - began
packages = sorted({{m.split(".")[0] for m in sys.modules}})
print(json.dumps([packages, sorted(m for m in sys.modules if m.startswith("personae")), spent]))
"""
HELP = """
sys.argv = ["personae", *{arguments!r}]
from personae.cli import main
try:
    main()
except SystemExit:
    pass
"""


def after(code: str) -> tuple[set[str], set[str], float]:
    """Packages and personae's own modules loaded by `code` in a fresh Python, and its CPU seconds."""
    done = subprocess.run([sys.executable, "-c", PROBE.format(code=code)], capture_output=True, text=True, check=True)
    packages, ours, seconds = json.loads(done.stdout.splitlines()[-1])
    return set(packages), set(ours), seconds


def test_importing_personae_imports_nearly_nothing() -> None:
    packages, ours, seconds = after("import personae")
    assert not packages & {*HEAVY, *LIGHTER, "typer"}
    assert ours == {"personae"}
    assert seconds < 0.3


def test_its_nouns_bring_nothing_heavy() -> None:
    code = "import personae\nfor name in personae.__all__: getattr(personae, name)"
    packages, _, _ = after(code)
    assert not packages & set(HEAVY)


def test_the_version_needs_nothing() -> None:
    packages, ours, _ = after(HELP.format(arguments=["--version"]))
    assert not packages & {*HEAVY, *LIGHTER, "typer"}
    assert ours == {"personae", "personae.cli"}


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_the_first_help_imports_the_commands_and_typer_alone(arguments: list[str]) -> None:
    packages, ours, _ = after(HELP.format(arguments=arguments))
    assert "typer" in packages
    assert not packages & {*HEAVY, *LIGHTER}
    assert {m for m in ours if not m.startswith("personae.cli")} == {"personae"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["demo", "--help"]])
def test_help_does_not_wait_for_the_rooms(arguments: list[str]) -> None:
    packages, ours, _ = after(HELP.format(arguments=arguments))
    assert not packages & set(HEAVY)
    assert {m for m in ours if not m.startswith("personae.cli")} == {"personae"}
