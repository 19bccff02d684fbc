from __future__ import annotations

import subprocess
import sys

import pytest

import personae.models as models

HEAVY = ("openai", "xllamacpp", "onnxruntime", "tokenizers", "scipy", "httpx", "asyncio", "torch", "pyarrow", "gguf")


def _rank(name: str) -> int:
    """Constants, then classes, then functions."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def test_all_is_sorted_and_everything_in_it_exists() -> None:
    assert models.__all__ == sorted(models.__all__, key=lambda name: (_rank(name), name))
    for name in models.__all__:
        assert getattr(models, name) is not None
    assert dir(models) == sorted(models.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        models.Nothing  # noqa: B018


def test_importing_imports_no_engine() -> None:
    code = f"import sys, personae.models; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
