import subprocess
import sys

import personae.core as core


def test_the_public_surface_is_sorted_and_complete():
    assert core.__all__ == sorted(core.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert len(set(core.__all__)) == len(core.__all__)
    for name in core.__all__:
        assert getattr(core, name) is not None


def test_core_imports_nothing_heavy():
    heavy = "scipy pandas pyarrow duckdb torch openai matplotlib xllamacpp yaml jinja2 typer rich"
    code = f"import sys, personae.core; print([m for m in '{heavy}'.split() if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
