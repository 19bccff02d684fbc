"""The rules of the house that a linter cannot see."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "personae"
FILES = sorted(SRC.rglob("*.py"))
TREES = {file: ast.parse(file.read_text("utf-8")) for file in FILES}
LONGEST = 80
"""lines of a function, docstring and all; 60 is the aim"""
# numpy.random names that make a generator or describe one; everything else there is the global state.
GENERATORS = {"Generator", "default_rng", "SeedSequence", "PCG64", "Philox", "BitGenerator"}


def named(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain; '' for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = named(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield named(node.func), node.lineno


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def where(file: Path, line: int) -> str:
    return f"{file.relative_to(ROOT)}:{line}"


def test_rooms_import_only_from_rooms_above_them(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_nothing_prints_outside_the_command_line() -> None:
    found = [
        where(file, line)
        for file, tree in TREES.items()
        if "cli" not in file.parts
        for name, line in calls(tree)
        if name in {"print", "sys.stdout.write"}
    ]
    assert found == []


def test_nobody_reads_or_seeds_a_global_generator() -> None:
    found: list[str] = []
    for file, tree in TREES.items():
        found += [where(file, line) for name, line in imported(tree) if name == "random" or name.startswith("random.")]
        for node in ast.walk(tree):
            match = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", named(node))
            if match and match[1] not in GENERATORS:
                found.append(where(file, node.lineno))
            if isinstance(node, ast.Call) and named(node.func).endswith("default_rng") and not node.args:
                found.append(where(file, node.lineno))
    assert found == []


def test_no_pickles_no_eval_and_no_built_in_hash_in_an_id() -> None:
    banned = {"pickle", "shelve", "marshal", "dill", "cloudpickle"}
    found = [
        where(file, line)
        for file, tree in TREES.items()
        for name, line in imported(tree)
        if name.split(".")[0] in banned
    ]
    found += [
        where(file, line) for file, tree in TREES.items() for name, line in calls(tree) if name in {"eval", "exec"}
    ]
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name != "__hash__":
                found += [where(file, line) for name, line in calls(node) if name == "hash"]
    assert found == []


def test_no_study_imports_another_or_opens_a_socket_or_a_tensor() -> None:
    folders = [p.parent for p in (SRC / "studies").glob("*/study.py")]
    assert len(folders) >= 2
    for folder in folders:
        others = {f"personae.studies.{f.name}" for f in folders if f != folder}
        for file in folder.rglob("*.py"):
            for name, line in imported(TREES[file]):
                assert name.split(".")[0] not in {"torch", "socket", "scipy"}, where(file, line)
                assert not any(name == o or name.startswith(f"{o}.") for o in others), where(file, line)


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    heavy = {
        "scipy",
        "pandas",
        "pyarrow",
        "duckdb",
        "torch",
        "openai",
        "matplotlib",
        "xllamacpp",
        "gguf",
        "onnxruntime",
    }
    found: list[str] = []
    for file, tree in TREES.items():
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and named(node.test).endswith("TYPE_CHECKING")
            for inner in ast.walk(node)
        }
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in guarded:
                found += [where(file, line) for name, line in imported(node) if name.split(".")[0] in heavy]
    assert found == []


def test_functions_fit_on_a_page_and_modules_say_what_they_are() -> None:
    assert [where(file, 1) for file, tree in TREES.items() if not ast.get_docstring(tree)] == []
    assert [where(file, n) for file in FILES if (n := file.read_text("utf-8").count("\n")) > 500] == []
    long = [
        f"{where(file, node.lineno)} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno >= LONGEST
    ]
    assert long == []


def test_nothing_unfinished_is_left() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX|raise NotImplementedError)\b")
    assert [str(f.relative_to(ROOT)) for f in FILES if marks.search(f.read_text("utf-8"))] == []


def test_rooms_have_no_helpers() -> None:
    words = re.compile(r"util|helper|manager|misc|common")
    assert [str(f.relative_to(SRC)) for f in FILES if words.search(f.stem)] == []
