import doctest
import importlib
import pkgutil
import subprocess
import sys

import personae.text


def test_public_names_are_sorted_and_exist():
    names = personae.text.__all__
    assert sorted(names) == sorted(set(names))
    assert all(getattr(personae.text, name) is not None for name in names)


def test_examples_in_docstrings_run():
    attempted = 0
    for found in pkgutil.iter_modules(personae.text.__path__):
        result = doctest.testmod(importlib.import_module(f"personae.text.{found.name}"))
        assert result.failed == 0
        attempted += result.attempted
    assert attempted >= 6


def test_import_stays_light():
    code = "import sys, personae.text; print([m for m in ('scipy', 'pyarrow', 'yaml', 'pandas') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
